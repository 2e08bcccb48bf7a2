/* Identities as bytes come back as they were, damaged bytes give none, and who asks the supply gets the newest one,
 * whole, whatever the writer does at that moment. Says most under ThreadSanitizer. */
#include "unit.h"

#include "identity/blob.h"
#include "keeper/supply.h"
#include "material.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define READERS 3
#define CHANGES 10000

static sl_identity_t *make_identity(apr_pool_t *pool, const char *host, const char *type)
{
    const material_pair_t *ca = material_ca(pool, "CA", NULL);

    return material_identity(material_server(pool, host, type, ca), ca, host);
}

static void bytes_come_back(void **state)
{
    static const char *const types[] = {"RSA",     "P-256", "P-384",   "secp256k1",
                                        "ED25519", "ED448", "RSA-PSS", "ML-DSA-65"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        sl_identity_t *identity, *same, *open;
        unsigned char *bytes;
        apr_size_t length;

        if (!material_key(*state, types[i]))
            continue;
        identity = make_identity(*state, "a.test", types[i]);
        identity->ec_group = strdup("P-384");
        bytes = sl_blob_encode(identity, &length, sl_problem_make(*state));
        assert_non_null(bytes);
        assert_true(length < SL_IDENTITY_SIZE_MAX);
        same = sl_blob_decode(bytes, length, SL_BLOB_ALL);
        assert_non_null(same);
        assert_int_equal(X509_cmp(same->leaf, identity->leaf), 0);
        assert_int_equal(sk_X509_num(same->chain), 1);
        assert_int_equal(X509_cmp(sk_X509_value(same->chain, 0), sk_X509_value(identity->chain, 0)), 0);
        assert_int_equal(EVP_PKEY_eq(same->key, identity->key), 1);
        assert_int_equal(X509_check_private_key(same->leaf, same->key), 1);
        assert_string_equal(same->origin, "a.test");
        assert_string_equal(same->ec_group, "P-384");
        assert_null(same->dh_parameters);
        assert_int_equal(same->not_after, identity->not_after);
        open = sl_blob_decode(bytes, length, SL_BLOB_CERTIFICATES);
        assert_non_null(open);
        assert_null(open->key);
        sl_identity_release(open);
        sl_identity_release(same);
        sl_identity_release(identity);
        OPENSSL_clear_free(bytes, length);
    }
}

static void damaged_bytes_give_none(void **state)
{
    sl_identity_t *identity = make_identity(*state, "a.test", "P-256");
    apr_size_t length;
    unsigned char *bytes = sl_blob_encode(identity, &length, sl_problem_make(*state));

    for (apr_size_t cut = 0; cut < length; cut++) {
        unsigned char *part = malloc(cut + 1); /* so that a read behind it is seen */

        memcpy(part, bytes, cut);
        assert_null(sl_blob_decode(part, cut, SL_BLOB_ALL));
        free(part);
    }
    for (apr_size_t at = 0; at < length; at++) { /* no crash, no leak; what is decoded may differ */
        bytes[at] ^= 0xff;
        sl_identity_release(sl_blob_decode(bytes, length, SL_BLOB_ALL));
        bytes[at] ^= 0xff;
    }
    OPENSSL_clear_free(bytes, length);
    sl_identity_release(identity);
}

/* What the parent keeps for a supply. */
typedef struct kept_t {
    sl_vault_t *vault;
    sl_stored_t **stored;
    int count;
} kept_t;

static apr_status_t give_up(void *baton)
{
    kept_t *kept = baton;

    for (int i = 0; i < kept->count; i++)
        sl_stored_free(kept->stored[i], kept->vault);
    sl_vault_free(kept->vault);
    return APR_SUCCESS;
}

static const sl_stored_t *keep(kept_t *kept, sl_identity_t *identity, int on_token)
{
    sl_stored_t *stored = sl_stored_new(identity, on_token, kept->vault, NULL);

    assert_non_null(stored);
    sl_identity_release(identity);
    kept->stored[kept->count++] = stored;
    return stored;
}

static kept_t *make_kept(apr_pool_t *pool, int most)
{
    kept_t *kept = apr_pcalloc(pool, sizeof(*kept));

    kept->vault = sl_vault_new();
    assert_non_null(kept->vault);
    kept->stored = apr_pcalloc(pool, sizeof(*kept->stored) * (apr_size_t)most);
    apr_pool_cleanup_register(pool, kept, give_up, apr_pool_cleanup_null);
    return kept;
}

static sl_supply_t *make_supply(apr_pool_t *pool, int count)
{
    sl_supply_t *supply = sl_supply_make(pool);
    kept_t *kept = make_kept(pool, count);

    for (int i = 0; i < count; i++) {
        const sl_stored_t *stored = keep(kept, make_identity(pool, apr_psprintf(pool, "h%d.test", i), "P-256"), 0);
        sl_identity_ref_t ref = sl_supply_add(supply, stored);

        assert_int_equal(ref.id, i);
        assert_int_equal(sl_supply_add(supply, stored).id, i);
        assert_ptr_equal(sl_supply_start_of(supply, i), stored);
        assert_false(sl_supply_is_on_token(supply, i));
    }
    assert_int_equal(sl_supply_count(supply), count);
    assert_null(sl_supply_start_of(supply, count));
    return supply;
}

static void assert_host(sl_supply_t *supply, int id, const char *host)
{
    sl_identity_t *identity = sl_supply_get(supply, id);

    assert_non_null(identity);
    assert_true(sl_identity_covers(identity, host));
    sl_identity_release(identity);
}

static void publish(sl_section_t *news, int id, const sl_identity_t *identity)
{
    apr_size_t length;
    unsigned char *bytes = sl_blob_encode(identity, &length, NULL);

    assert_non_null(bytes);
    assert_int_equal(sl_section_publish(news, id, bytes, length), APR_SUCCESS);
    OPENSSL_clear_free(bytes, length);
}

static void those_used_last_are_kept(void **state)
{
    sl_supply_t *supply = make_supply(*state, 5);
    apr_uint64_t made, found;

    sl_supply_settle(supply, NULL);
    assert_host(supply, 4, "h4.test"); /* without a cache */
    sl_supply_start(supply, *state, 2);
    assert_host(supply, 0, "h0.test");
    assert_host(supply, 1, "h1.test");
    assert_host(supply, 0, "h0.test");
    assert_host(supply, 2, "h2.test"); /* takes the place of 1 */
    assert_host(supply, 0, "h0.test");
    assert_host(supply, 1, "h1.test"); /* takes the place of 2 */
    sl_supply_counts(supply, &made, &found);
    assert_int_equal(made, 4);
    assert_int_equal(found, 2);
    for (int i = 0; i < 100; i++)
        assert_host(supply, i * 7 % 5, apr_psprintf(*state, "h%d.test", i * 7 % 5));
    assert_null(sl_supply_get(supply, 5));
    assert_null(sl_supply_get(supply, -1));
    sl_supply_stop(supply);
}

/* The same certificate from other files has a number of its own. */
static void one_certificate_from_two_places_is_seen(void **state)
{
    sl_supply_t *supply = sl_supply_make(*state);
    kept_t *kept = make_kept(*state, 3);
    sl_identity_t *identity = make_identity(*state, "a.test", "P-256"), *given;
    sl_identity_ref_t ref;

    sl_identity_retain(identity);
    sl_identity_retain(identity);
    sl_supply_add(supply, keep(kept, make_identity(*state, "b.test", "P-256"), 0));
    sl_supply_add(supply, keep(kept, identity, 0));
    ref = sl_supply_add(supply, keep(kept, identity, 1));
    assert_int_equal(ref.id, 2);
    assert_false(sl_supply_is_on_token(supply, 1));
    assert_true(sl_supply_is_on_token(supply, 2)); /* there is nothing to make it of: it is handed out as it is */
    sl_supply_settle(supply, NULL);
    assert_true(sl_supply_is_same(supply, 1, 2));
    assert_false(sl_supply_is_same(supply, 0, 1));
    given = sl_supply_get(supply, 2);
    assert_ptr_equal(given, identity);
    sl_identity_release(given);
    sl_identity_release(identity);
}

static void news_count_at_once(void **state)
{
    sl_supply_t *supply = make_supply(*state, 2);
    sl_identity_t *next = make_identity(*state, "new.test", "ED25519"), *held;
    sl_section_t *news;

    assert_int_equal(sl_section_make(&news, *state, 2, SL_IDENTITY_SIZE_MAX, NULL, NULL), APR_SUCCESS);
    sl_supply_settle(supply, news);
    sl_supply_start(supply, *state, 2);
    assert_host(supply, 1, "h1.test");
    held = sl_supply_get(supply, 1);
    publish(news, 1, next);
    assert_host(supply, 1, "new.test");
    assert_host(supply, 1, "new.test");
    assert_host(supply, 0, "h0.test");
    assert_true(sl_identity_covers(held, "h1.test"));
    sl_identity_release(held);
    sl_identity_release(next);
    sl_supply_stop(supply);
}

/* A number without an identity, between two that have one. */
static void one_that_is_awaited_comes_by_the_board(void **state)
{
    sl_supply_t *supply = sl_supply_make(*state);
    kept_t *kept = make_kept(*state, 2);
    sl_identity_t *late = make_identity(*state, "late.test", "P-256");
    sl_identity_ref_t ref;
    sl_section_t *news;

    sl_supply_add(supply, keep(kept, make_identity(*state, "h0.test", "P-256"), 0));
    ref = sl_supply_await(supply);
    assert_int_equal(ref.id, 1);
    assert_int_equal(sl_supply_add(supply, keep(kept, make_identity(*state, "h2.test", "P-256"), 0)).id, 2);
    assert_int_equal(sl_supply_count(supply), 3);
    assert_true(sl_supply_is_vacant(supply, 1)); /* before there is a board, too */
    assert_int_equal(sl_section_make(&news, *state, 3, SL_IDENTITY_SIZE_MAX, NULL, NULL), APR_SUCCESS);
    sl_supply_settle(supply, news);
    sl_supply_start(supply, *state, 3);
    assert_null(sl_supply_start_of(supply, 1));
    assert_false(sl_supply_is_on_token(supply, 1));
    assert_null(sl_supply_get(supply, 1));
    assert_null(sl_supply_look(supply, 1));
    assert_true(sl_supply_is_vacant(supply, 1));
    assert_false(sl_supply_is_vacant(supply, 0));
    publish(news, 1, late);
    assert_false(sl_supply_is_vacant(supply, 1));
    assert_host(supply, 1, "late.test");
    assert_host(supply, 0, "h0.test");
    assert_host(supply, 2, "h2.test");
    sl_identity_release(late);
    sl_supply_stop(supply);
}

static int are_same(sl_supply_t *supply, int a, int b)
{
    int same = sl_supply_is_same(supply, a, b);

    assert_int_equal(sl_supply_is_same(supply, b, a), same);
    assert_int_equal(sl_supply_is_same(supply, a, b), same); /* from what is remembered */
    return same;
}

/* What counts is what is served, not what was at the start. */
static void sameness_changes_with_the_news(void **state)
{
    enum { COUNT = 72, FAR = 67 }; /* 3 and FAR share a place where digests are remembered */
    sl_supply_t *supply = sl_supply_make(*state);
    kept_t *kept = make_kept(*state, COUNT);
    sl_identity_t *shared = make_identity(*state, "a.test", "P-256"), *one = make_identity(*state, "b.test", "P-256");
    sl_identity_t *two = make_identity(*state, "b.test", "P-256");
    apr_uint64_t made, found;
    sl_section_t *news;

    for (int i = 0; i < COUNT; i++) {
        sl_identity_retain(shared);
        sl_supply_add(supply, keep(kept, shared, 0));
    }
    assert_int_equal(sl_section_make(&news, *state, COUNT, SL_IDENTITY_SIZE_MAX, NULL, NULL), APR_SUCCESS);
    sl_supply_settle(supply, news);
    assert_true(are_same(supply, 3, FAR));
    publish(news, 3, one);
    assert_false(are_same(supply, 3, FAR));
    publish(news, FAR, two); /* for the same name, but another one */
    assert_false(are_same(supply, 3, FAR));
    assert_true(are_same(supply, 1, 2));
    publish(news, FAR, one);
    assert_true(are_same(supply, 3, FAR));
    publish(news, 3, shared); /* the first one again, as a newer version */
    assert_false(are_same(supply, 3, FAR));
    assert_true(are_same(supply, 3, 1));
    assert_true(are_same(supply, 7, 7));
    assert_false(sl_supply_is_same(supply, 0, COUNT));
    sl_supply_counts(supply, &made, &found);
    assert_int_equal(made + found, 0); /* nobody was served */
    sl_identity_release(shared);
    sl_identity_release(one);
    sl_identity_release(two);
}

typedef struct stress_t {
    sl_supply_t *supply;
    sl_section_t *news;
    atomic_int over, asked;
} stress_t;

static void *ask_on(void *baton)
{
    stress_t *stress = baton;

    while (!atomic_load(&stress->over)) {
        sl_identity_t *identity = sl_supply_get(stress->supply, 0);

        if (!identity || X509_check_private_key(identity->leaf, identity->key) != 1)
            abort();
        sl_identity_release(identity);
        if (sl_supply_is_same(stress->supply, 0, 1))
            abort();
        atomic_fetch_add(&stress->asked, 1);
    }
    return NULL;
}

/* Three identities take turns, of different sizes and types. */
static void nobody_gets_a_torn_one(void **state)
{
    static const char *const types[] = {"P-256", "ED25519", "RSA"};
    stress_t stress = {.supply = make_supply(*state, 2)};
    sl_identity_t *identities[3];
    pthread_t threads[READERS];

    assert_int_equal(sl_section_make(&stress.news, *state, 2, SL_IDENTITY_SIZE_MAX, NULL, NULL), APR_SUCCESS);
    sl_supply_settle(stress.supply, stress.news);
    sl_supply_start(stress.supply, *state, 1);
    for (int i = 0; i < 3; i++)
        identities[i] = make_identity(*state, "s.test", types[i]);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_on, &stress), 0);
    for (int i = 0; i < CHANGES; i++)
        publish(stress.news, 0, identities[i % 3]);
    while (atomic_load(&stress.asked) < 100)
        sched_yield();
    atomic_store(&stress.over, 1);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    assert_host(stress.supply, 0, "s.test");
    sl_supply_stop(stress.supply);
    for (int i = 0; i < 3; i++)
        sl_identity_release(identities[i]);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(bytes_come_back),          UNIT_TEST(damaged_bytes_give_none), UNIT_TEST(those_used_last_are_kept),
    UNIT_TEST(one_certificate_from_two_places_is_seen), UNIT_TEST(news_count_at_once),
    UNIT_TEST(one_that_is_awaited_comes_by_the_board),
    UNIT_TEST(sameness_changes_with_the_news),
    UNIT_TEST(nobody_gets_a_torn_one),
};

UNIT_MAIN(tests)
