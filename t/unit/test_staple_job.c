/* staple_job: when to ask, how long to wait, and what the board gives. */
#include "unit.h"

#include "base/text.h"
#include "keeper/staple_job.h"
#include "material.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <unistd.h>

static void the_next_question_comes_at_half_of_its_life(void **state)
{
    (void)state;
    for (unsigned chance = 0; chance < 256; chance += 51) {
        apr_int64_t due = sl_staple_next(1000, 1000, 1000 + 20000, chance);

        assert_true(due >= 1000 + 9000 && due <= 1000 + 11000);
    }
    assert_true(sl_staple_next(1000, 1000, 21000, 0) < sl_staple_next(1000, 1000, 21000, 255));
    assert_int_equal(sl_staple_next(19000, 1000, 21000, 128), 20000); /* late: half of the rest */
    assert_int_equal(sl_staple_next(21000, 1000, 21000, 128), 21001); /* over: not at once, all the same */
    assert_int_equal(sl_staple_next(30000, 1000, 21000, 128), 30001);
}

static void pauses_grow(void **state)
{
    (void)state;
    assert_int_equal(sl_staple_pause(1, 600), 5);
    assert_int_equal(sl_staple_pause(2, 600), 10);
    assert_int_equal(sl_staple_pause(7, 600), 320);
    assert_int_equal(sl_staple_pause(8, 600), 600);
    assert_int_equal(sl_staple_pause(1000000, 600), 600);
    assert_int_equal(sl_staple_pause(1, 1), 1);
    assert_int_equal(sl_staple_pause(1, 0), 1);
}

static void what_is_over_is_not_served(void **state)
{
    static const unsigned char key[SL_BOARD_KEY_SIZE], other[SL_BOARD_KEY_SIZE] = {1};
    unsigned char entry[8 + SL_BOARD_KEY_SIZE + 3] = {0}, answer[SL_STAPLE_SIZE_MAX];
    apr_int64_t until = 5000;
    sl_section_t *section;

    assert_int_equal(sl_section_make(&section, *state, 1, SL_STAPLE_ENTRY_SIZE, key, NULL), APR_SUCCESS);
    assert_int_equal(sl_staple_read(section, 0, key, 1, answer), 0);
    memcpy(entry, &until, sizeof(until));
    memcpy(entry + 8 + SL_BOARD_KEY_SIZE, "abc", 3);
    assert_int_equal(sl_section_publish(section, 0, entry, sizeof(entry)), APR_SUCCESS);
    assert_int_equal(sl_staple_read(section, 0, key, 4999, answer), 3);
    assert_memory_equal(answer, "abc", 3);
    assert_int_equal(sl_staple_read(section, 0, key, 5000, answer), 0);
    assert_int_equal(sl_staple_read(section, 0, other, 4999, answer), 0); /* about another certificate */
}

static void a_clock_that_is_set_delays_no_question(void **state)
{
    apr_array_header_t *staples = apr_array_make(*state, 3, sizeof(sl_staple_t *));
    sl_staple_t staple[2], *first = &staple[0], *second = &staple[1];
    apr_time_t now = apr_time_from_sec(1000000000), year = apr_time_from_sec(365 * 86400), seen = 0;

    memset(first, 0, sizeof(*first));
    memset(second, 0, sizeof(*second));
    APR_ARRAY_PUSH(staples, sl_staple_t *) = first;
    APR_ARRAY_PUSH(staples, sl_staple_t *) = NULL;
    APR_ARRAY_PUSH(staples, sl_staple_t *) = second;
    first->due = now + 10;
    second->due = SL_NEVER;
    sl_staple_notice_clock(staples, &seen, now);
    assert_true(first->due == now + 10);
    sl_staple_notice_clock(staples, &seen, now + year); /* due at once */
    assert_true(first->due == now + 10);
    first->due = now + year + 20; /* asked, and to be asked again */
    sl_staple_notice_clock(staples, &seen, now);
    assert_true(first->due == now + 20);
    assert_true(second->due == SL_NEVER);
}

/* Files of certificates that are gone; nothing else that lies there. */
static void old_files_are_swept(void **state)
{
    static const struct {
        const char *end;
        int days, is_left;
    } files[] = {{".ocsp", 300, 0}, {".new", 300, 0}, {".ocsp", 100, 1}, {".pem", 300, 1}, {"", 300, 1}};
    const char *dir = material_dir(*state), *path[5];
    sl_staple_shelf_t shelf;

    memset(&shelf, 0, sizeof(shelf));
    sl_staple_sweep(&shelf, *state); /* no files are kept: nothing happens */
    shelf.directory = dir;
    for (int i = 0; i < 5; i++) {
        apr_time_t then = apr_time_now() - apr_time_from_sec(files[i].days * (apr_int64_t)MATERIAL_DAY);

        path[i] = material_file(*state, dir, apr_psprintf(*state, "%064d%s", i, files[i].end), material_text("x"));
        assert_int_equal(apr_file_mtime_set(path[i], then, *state), APR_SUCCESS);
    }
    sl_staple_sweep(&shelf, *state);
    for (int i = 0; i < 5; i++)
        assert_int_equal(access(path[i], F_OK) == 0, files[i].is_left);
}

/* ---- answers that were kept in files ---- */

enum { MANY = 1003, AT_START = 1000 };

typedef struct kept_t {
    sl_vault_t *vault;
    sl_stored_t *stored;
    sl_section_t *section;
    sl_staple_t staples[MANY];
} kept_t;

static apr_status_t give_up(void *baton)
{
    kept_t *kept = baton;

    sl_stored_free(kept->stored, kept->vault);
    sl_vault_free(kept->vault);
    return APR_SUCCESS;
}

static void silent(void *baton, sl_say_t level, const char *line)
{
    (void)baton;
    (void)level;
    (void)line;
}

static int is_answered(const kept_t *kept, int i)
{
    unsigned char answer[SL_STAPLE_SIZE_MAX];

    return sl_staple_read(kept->section, i, kept->staples[i].key, apr_time_sec(apr_time_now()), answer) > 0;
}

static int answered(const kept_t *kept)
{
    int count = 0;

    for (int i = 0; i < MANY; i++)
        count += is_answered(kept, i);
    return count;
}

/* Many places for one certificate, whose answer is in a file. */
static sl_job_t *make_many(apr_pool_t *pool, kept_t *kept)
{
    const material_pair_t *ca = material_ca(pool, "CA", NULL), *pair = material_server(pool, "a.test", "P-256", ca);
    apr_array_header_t *staples = apr_array_make(pool, MANY, sizeof(sl_staple_t *));
    sl_staple_shelf_t shelf;
    sl_identity_t *identity;

    identity = material_identity(pair, ca, "a.test");
    kept->vault = sl_vault_new();
    kept->stored = sl_stored_new(identity, 0, kept->vault, NULL);
    sl_identity_release(identity);
    apr_pool_cleanup_register(pool, kept, give_up, apr_pool_cleanup_null);
    assert_int_equal(sl_section_make(&kept->section, pool, MANY, SL_STAPLE_ENTRY_SIZE, NULL, NULL), APR_SUCCESS);
    for (int i = 0; i < MANY; i++) {
        sl_staple_t *staple = &kept->staples[i];

        memcpy(staple->key, kept->stored->digest, sizeof(staple->key));
        staple->start = kept->stored;
        staple->owns_cert = staple->owns_issuer = 1;
        staple->name = "a.test";
        staple->url = "http://127.0.0.1:1/"; /* nobody */
        staple->max_age = -1;
        staple->skew = 300;
        staple->identity = -1;
        staple->entry = i;
        APR_ARRAY_PUSH(staples, sl_staple_t *) = staple;
    }
    kept->staples[MANY - 1].is_urgent = 1;
    kept->staples[0].due = SL_NEVER; /* nothing to ask about */
    memset(&shelf, 0, sizeof(shelf));
    shelf.section = kept->section;
    shelf.directory = material_dir(pool);
    material_file(pool, shelf.directory,
                  apr_pstrcat(pool, sl_text_hex(pool, kept->stored->digest, SL_STORED_DIGEST), ".ocsp", NULL),
                  material_ocsp_good(pool, pair->cert, ca));
    return sl_staple_job_make(pool, &shelf, staples);
}

static void a_start_recalls_some_and_the_thread_the_rest(void **state)
{
    kept_t *kept = apr_pcalloc(*state, sizeof(*kept));
    sl_job_t *job = make_many(*state, kept);
    sl_loop_t loop;

    assert_int_equal(answered(kept), AT_START + 1);
    assert_true(is_answered(kept, AT_START) && !is_answered(kept, AT_START + 1) && is_answered(kept, MANY - 1));
    for (int i = 0; i < MANY; i++)
        assert_true(!kept->staples[i].cert && !kept->staples[i].issuer); /* they were needed for a moment */
    memset(&loop, 0, sizeof(loop));
    loop.say = silent;
    job->begin(job, &loop);
    for (int i = 0; i < 2000 && answered(kept) < MANY - 1; i++)
        usleep(5000);
    job->end(job, &loop);
    assert_int_equal(answered(kept), MANY - 1);
    assert_false(is_answered(kept, 0));
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(a_start_recalls_some_and_the_thread_the_rest),
    UNIT_TEST(a_clock_that_is_set_delays_no_question),
    UNIT_TEST(the_next_question_comes_at_half_of_its_life),
    UNIT_TEST(pauses_grow),
    UNIT_TEST(what_is_over_is_not_served),
    UNIT_TEST(old_files_are_swept),
};

UNIT_MAIN(tests)
