/* Stapled answers for what is on the directory board: each certificate that is there gets its own, and what comes, goes
 * and changes is followed. Says most under ThreadSanitizer: the courier is a thread here. */
#include "keeper/directory_staples.h"
#include "unit.h"

#include "base/text.h"
#include "keeper/directory_bundle.h"
#include "material.h"

#include <apr_strings.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define NOBODY "OCSP;URI:http://127.0.0.1:1/"

typedef struct setup_t {
    apr_pool_t *pool;
    const char *dir;
    const material_pair_t *ca;
    sl_directory_board_t *board;
    sl_section_t *section;
    sl_staple_t rules;
    sl_job_t *job;
    sl_loop_t loop;
    atomic_int said;
} setup_t;

static void say(void *baton, sl_say_t level, const char *line)
{
    setup_t *t = baton;

    (void)level;
    if (strstr(line, "SL0142"))
        atomic_fetch_add(&t->said, 1);
}

static setup_t *make(apr_pool_t *pool)
{
    setup_t *t = apr_pcalloc(pool, sizeof(*t));
    apr_array_header_t *rules = apr_array_make(pool, 2, sizeof(sl_staple_t *));
    sl_staple_shelf_t shelf;

    t->pool = pool;
    t->dir = material_dir(pool);
    t->ca = material_ca(pool, "CA", NULL);
    t->rules.timeout = apr_time_from_sec(1);
    t->rules.skew = 300;
    t->rules.max_age = -1;
    t->rules.keep = t->rules.pause = 600;
    APR_ARRAY_PUSH(rules, sl_staple_t *) = NULL; /* nobody wants them of the first directory */
    APR_ARRAY_PUSH(rules, sl_staple_t *) = &t->rules;
    assert_int_equal(sl_directory_board_make(&t->board, pool, 8, NULL), APR_SUCCESS);
    assert_int_equal(
        sl_section_make(&t->section, pool, sl_directory_staples_places(t->board), SL_STAPLE_ENTRY_SIZE, NULL, NULL),
        APR_SUCCESS);
    memset(&shelf, 0, sizeof(shelf));
    shelf.section = t->section;
    shelf.directory = t->dir;
    t->job = sl_directory_staples_make(pool, t->board, &shelf, rules);
    t->loop.say = say;
    t->loop.baton = t;
    t->job->begin(t->job, &t->loop);
    return t;
}

static void end(setup_t *t)
{
    t->job->end(t->job, &t->loop);
}

static const material_pair_t *pair_for(setup_t *t, const char *host, const char *key_type)
{
    static const char *const extensions[] = {"authorityInfoAccess", NOBODY, NULL};
    material_cert_t what = {.san = apr_pstrcat(t->pool, "DNS:", host, NULL), .extensions = extensions};

    return material_pair(t->pool, &what, key_type, t->ca);
}

static void key_of(const material_pair_t *pair, unsigned char key[SL_BOARD_KEY_SIZE])
{
    unsigned length;

    assert_int_equal(X509_digest(pair->cert, EVP_sha256(), key, &length), 1);
}

/* What the courier would have kept of it. */
static void keep_answer(setup_t *t, const material_pair_t *pair)
{
    unsigned char key[SL_BOARD_KEY_SIZE];

    key_of(pair, key);
    material_file(t->pool, t->dir, apr_pstrcat(t->pool, sl_text_hex(t->pool, key, sizeof(key)), ".ocsp", NULL),
                  material_ocsp_good(t->pool, pair->cert, t->ca));
}

/* As the keeper does it. `two` may be NULL. */
static int put(setup_t *t, int directory, const char *entry, const material_pair_t *one, const material_pair_t *two)
{
    const material_pair_t *pairs[] = {one, two};
    sl_directory_bundle_t bundle = {{NULL}, 0};
    sl_entry_key_t key;
    unsigned char *bytes;
    apr_size_t length;
    int slot;

    for (int i = 0; i < 2 && pairs[i]; i++)
        bundle.of[bundle.count++] = material_identity(pairs[i], t->ca, entry);
    bytes = sl_directory_bundle_encode(&bundle, &length, NULL);
    sl_directory_bundle_clear(&bundle);
    sl_directory_board_key(t->board, directory, entry, &key);
    slot = sl_directory_board_find(t->board, &key);
    if (slot < 0)
        slot = sl_directory_board_claim(t->board, &key);
    assert_int_equal(sl_directory_board_put(t->board, slot, &key, directory, entry, bytes, length), APR_SUCCESS);
    OPENSSL_clear_free(bytes, length);
    return slot;
}

static int is_answered(setup_t *t, int slot, int nth, const material_pair_t *pair)
{
    unsigned char key[SL_BOARD_KEY_SIZE], answer[SL_STAPLE_SIZE_MAX];

    key_of(pair, key);
    return sl_staple_read(t->section, slot * SL_DIRECTORY_KINDS + nth, key, apr_time_sec(apr_time_now()), answer) > 0;
}

static int comes(setup_t *t, int slot, int nth, const material_pair_t *pair)
{
    for (int i = 0; i < 2000 && !is_answered(t, slot, nth, pair); i++)
        usleep(5000);
    return is_answered(t, slot, nth, pair);
}

static void each_certificate_gets_its_own(void **state)
{
    setup_t *t = make(*state);
    const material_pair_t *a = pair_for(t, "a.test", "P-256"), *rsa = pair_for(t, "a.test", "RSA");
    const material_pair_t *b = pair_for(t, "b.test", "P-256"), *unwanted = pair_for(t, "c.test", "P-256");
    int slot, other;

    keep_answer(t, a);
    keep_answer(t, rsa);
    keep_answer(t, b);
    keep_answer(t, unwanted);
    other = put(t, 0, "c.test", unwanted, NULL);
    slot = put(t, 1, "a.test", a, rsa);
    assert_true(comes(t, slot, 0, a));
    assert_true(comes(t, slot, 1, rsa));
    assert_false(is_answered(t, slot, 0, rsa));
    assert_false(is_answered(t, other, 0, unwanted));
    put(t, 1, "a.test", b, NULL); /* renewed */
    assert_true(comes(t, slot, 0, b));
    assert_false(is_answered(t, slot, 0, a));
    sl_directory_board_drop(t->board, slot);
    put(t, 1, "a.test", a, rsa);
    assert_true(comes(t, slot, 0, a));
    assert_int_equal(atomic_load(&t->said), 0);
    end(t);
}

/* The responder is not there. */
static void without_a_kept_answer_the_responder_is_asked(void **state)
{
    setup_t *t = make(*state);

    put(t, 1, "a.test", pair_for(t, "a.test", "P-256"), NULL);
    put(t, 1, "b.test", pair_for(t, "b.test", "P-256"), NULL);
    for (int i = 0; i < 4000 && !atomic_load(&t->said); i++)
        usleep(5000);
    usleep(300000); /* the other one would have been asked about by now */
    end(t);
    assert_int_equal(atomic_load(&t->said), 1);
}

/* ---- many changes ---- */

#define PAIRS 12

typedef struct churn_t {
    setup_t *t;
    const material_pair_t *pairs[PAIRS];
} churn_t;

static void *change_on(void *baton)
{
    churn_t *churn = baton;

    for (int i = 0; i < 3000; i++)
        put(churn->t, 1, apr_psprintf(churn->t->pool, "h%d.test", i % PAIRS), churn->pairs[i % PAIRS],
            i % 3 ? NULL : churn->pairs[(i + 1) % PAIRS]);
    return NULL;
}

static void whatever_changes_the_last_one_counts(void **state)
{
    setup_t *t = make(*state);
    churn_t churn = {.t = t};
    pthread_t keeper;
    int slot;

    for (int i = 0; i < PAIRS; i++) {
        churn.pairs[i] = pair_for(t, apr_psprintf(t->pool, "h%d.test", i), "P-256");
        keep_answer(t, churn.pairs[i]);
    }
    assert_int_equal(pthread_create(&keeper, NULL, change_on, &churn), 0);
    pthread_join(keeper, NULL);
    slot = put(t, 1, "h3.test", churn.pairs[3], churn.pairs[4]);
    assert_true(comes(t, slot, 0, churn.pairs[3]));
    assert_true(comes(t, slot, 1, churn.pairs[4]));
    end(t);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(each_certificate_gets_its_own),
    UNIT_TEST(without_a_kept_answer_the_responder_is_asked),
    UNIT_TEST(whatever_changes_the_last_one_counts),
};

UNIT_MAIN(tests)
