/* What the keeper takes of a certificate's files where there was none at the start: the first one has to be in date,
 * strong, and for one of its hosts' names; it counts as news even if a keeper that died had published it already. The
 * next one has to cover what it covers. */
#include "keeper/reload_identity.h"
#include "material.h"
#include "unit.h"

#include <apr_tables.h>

#define NOW apr_time_sec(apr_time_now())

typedef struct setup_t {
    sl_loop_t loop;
    sl_source_t source;
    sl_reload_identity_t what;
    sl_reload_item_t item;
    sl_reload_state_t state;
    const char *dir;
    int news;
    sl_problem_t *why; /* of the last reload() */
} setup_t;

static setup_t *make(apr_pool_t *pool)
{
    setup_t *t = apr_pcalloc(pool, sizeof(*t));

    t->loop.pool = t->loop.scratch = pool;
    t->loop.world = sl_world_real();
    t->dir = material_dir(pool);
    t->source.certificate = apr_pstrcat(pool, t->dir, "/a.crt", NULL);
    t->source.key = apr_pstrcat(pool, t->dir, "/a.key", NULL);
    t->what.source = &t->source;
    t->what.names = apr_array_make(pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(t->what.names, const char *) = "a.test";
    APR_ARRAY_PUSH(t->what.names, const char *) = "b.test";
    t->what.supply = sl_supply_make(pool);
    t->what.id = sl_supply_await(t->what.supply).id;
    assert_int_equal(sl_section_make(&t->what.news, pool, 1, SL_IDENTITY_SIZE_MAX, NULL, NULL), APR_SUCCESS);
    sl_supply_settle(t->what.supply, t->what.news);
    t->item.is_awaited = 1;
    t->item.baton = &t->what;
    return t;
}

static void write_pair(setup_t *t, const material_pair_t *pair)
{
    apr_pool_t *pool = t->loop.pool;

    material_file(pool, t->dir, "a.crt", material_cert_pem(pool, pair->cert));
    material_file(pool, t->dir, "a.key", material_key_pem(pool, pair->key, NULL, NULL));
}

static void write_cert(setup_t *t, const char *san, const char *key_type, apr_int64_t not_before, apr_int64_t not_after)
{
    material_cert_t cert = {.san = san, .not_before = not_before, .not_after = not_after};

    write_pair(t, material_pair(t->loop.pool, &cert, key_type, material_ca(t->loop.pool, "CA", NULL)));
}

static apr_status_t reload(setup_t *t)
{
    const char *said = NULL;
    apr_status_t rv;

    t->news = 0;
    t->why = sl_problem_make(t->loop.pool);
    rv = sl_reload_identity(&t->item, &t->loop, &t->state, &t->news, &said, t->why);
    assert_true(rv != APR_SUCCESS || said);
    return rv;
}

static void assert_refused(setup_t *t, const char *reason)
{
    assert_int_equal(reload(t), SL_RELOAD_REFUSED);
    assert_non_null(strstr(t->why->reason, reason));
    assert_non_null(t->why->advice);
    assert_int_equal(t->state.not_after, 0);
    assert_true(sl_supply_is_vacant(t->what.supply, 0));
}

static void what_is_no_good_is_no_first_one(void **state)
{
    setup_t *t = make(*state);

    assert_int_not_equal(reload(t), APR_SUCCESS); /* nothing is there */
    assert_int_not_equal(reload(t), SL_RELOAD_REFUSED);
    write_cert(t, "DNS:a.test", "P-256", NOW - 10 * MATERIAL_DAY, NOW - MATERIAL_DAY);
    assert_refused(t, "expired on");
    write_cert(t, "DNS:a.test", "P-256", NOW + MATERIAL_DAY, NOW + 10 * MATERIAL_DAY);
    assert_refused(t, "is not valid before");
    write_cert(t, "DNS:a.test", "RSA-1024", 0, 0);
    assert_refused(t, "1024 bits");
    write_cert(t, "DNS:c.test", "P-256", 0, 0);
    assert_refused(t, "does not cover a.test, nor any other name of its hosts");
    t->what.names->nelts = 1;
    assert_refused(t, "does not cover a.test");
    assert_null(strstr(t->why->reason, "any other"));
}

static void one_of_the_names_is_enough_and_none_where_none_is_configured(void **state)
{
    setup_t *t = make(*state);

    write_cert(t, "DNS:b.test", "P-256", 0, 0);
    assert_int_equal(reload(t), APR_SUCCESS);
    assert_int_equal(t->news, 1);
    t = make(*state);
    t->what.any_name = 1;
    write_cert(t, "DNS:c.test", "P-256", 0, 0);
    assert_int_equal(reload(t), APR_SUCCESS);
    t = make(*state);
    t->what.names->nelts = 0;
    write_cert(t, "DNS:c.test", "P-256", 0, 0);
    assert_int_equal(reload(t), APR_SUCCESS);
}

static void the_first_one_counts_and_the_next_has_to_cover_what_it_covers(void **state)
{
    setup_t *t = make(*state);
    sl_identity_t *identity;

    write_cert(t, "DNS:a.test", "P-256", 0, 0);
    assert_int_equal(reload(t), APR_SUCCESS);
    assert_int_equal(t->news, 1);
    assert_true(t->state.not_after > NOW);
    identity = sl_supply_get(t->what.supply, 0);
    assert_non_null(identity);
    assert_true(sl_identity_covers(identity, "a.test"));
    sl_identity_release(identity);

    memset(&t->state, 0, sizeof(t->state)); /* the keeper died before it could tell */
    assert_int_equal(reload(t), APR_SUCCESS);
    assert_int_equal(t->news, 1);
    assert_true(t->state.not_after > NOW);
    t->state.version = 1;
    assert_int_equal(reload(t), APR_SUCCESS);
    assert_int_equal(t->news, 0);

    write_cert(t, "DNS:b.test", "P-256", 0, 0);
    assert_int_equal(reload(t), SL_RELOAD_REFUSED);
    assert_non_null(strstr(t->why->reason, "does not cover a.test, which the one before covers"));
    write_cert(t, "DNS:a.test,DNS:b.test", "P-256", 0, 0);
    assert_int_equal(reload(t), APR_SUCCESS);
    assert_int_equal(t->news, 1);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(what_is_no_good_is_no_first_one),
    UNIT_TEST(one_of_the_names_is_enough_and_none_where_none_is_configured),
    UNIT_TEST(the_first_one_counts_and_the_next_has_to_cover_what_it_covers),
};

UNIT_MAIN(tests)
