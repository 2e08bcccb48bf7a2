/* Certificates of directories that stay in use and come to their end: each step is told once, whatever leaves the board
 * and comes back, and whatever becomes of the keeper; no file is touched for it. */
#include "keeper/directory_expiry.h"
#include "unit.h"

#include "keeper/directory_job.h"
#include "keeper/expiry.h"
#include "material.h"

#include <apr_strings.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DAY ((apr_int64_t)MATERIAL_DAY)

static const sl_directory_staple_t no_staples[2];

typedef struct setup_t {
    apr_pool_t *pool;
    const char *dir;
    const material_pair_t *ca;
    sl_directory_board_t *board;
    sl_section_t *refusals;
    sl_job_t *job;
    sl_loop_t loop;
    sl_world_t world;
    apr_time_t now;
    apr_int64_t end; /* of the certificates, seconds since 1970 */
    char said[50000];
} setup_t;

static apr_time_t tell_time(void *baton)
{
    return ((setup_t *)baton)->now;
}

static void say(void *baton, sl_say_t level, const char *line)
{
    setup_t *t = baton;
    size_t length = strlen(t->said);

    (void)level;
    snprintf(t->said + length, sizeof(t->said) - length, "%s\n", line);
}

static int lines_with(const setup_t *t, const char *text)
{
    int count = 0;

    for (const char *at = t->said; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

static void start_keeper(setup_t *t)
{
    memset(&t->loop, 0, sizeof(t->loop));
    apr_pool_create(&t->loop.pool, t->pool);
    apr_pool_create(&t->loop.scratch, t->loop.pool);
    t->world.now = tell_time;
    t->world.baton = t;
    t->loop.world = &t->world;
    t->loop.say = say;
    t->loop.baton = t;
    t->job->begin(t->job, &t->loop);
    t->job->run(t->job, &t->loop);
}

static void end_keeper(setup_t *t)
{
    t->job->end(t->job, &t->loop);
    apr_pool_destroy(t->loop.pool);
}

static setup_t *make(apr_pool_t *pool, int slots, int interval)
{
    setup_t *t = apr_pcalloc(pool, sizeof(*t));
    apr_array_header_t *paths = apr_array_make(pool, 1, sizeof(const char *));

    t->pool = pool;
    t->now = apr_time_now();
    t->end = apr_time_sec(t->now) + 40 * DAY;
    t->dir = material_dir(pool);
    t->ca = material_ca(pool, "CA", NULL);
    APR_ARRAY_PUSH(paths, const char *) = t->dir;
    assert_int_equal(sl_directory_board_make(&t->board, pool, slots, sl_problem_make(pool)), APR_SUCCESS);
    t->job = sl_directory_job_make(pool, t->board, paths, no_staples, interval, t->refusals);
    start_keeper(t);
    return t;
}

/* `names`: "DNS:a.test,DNS:b.test" */
static material_bytes_t pair_of_type(setup_t *t, const char *names, const char *type)
{
    material_cert_t what = {.san = names, .not_before = apr_time_sec(t->now) - 60 * DAY, .not_after = t->end};
    const material_pair_t *pair = material_pair(t->pool, &what, type, t->ca);

    return material_join(t->pool, material_cert_pem(t->pool, pair->cert),
                         material_key_pem(t->pool, pair->key, NULL, NULL));
}

static material_bytes_t pair_for(setup_t *t, const char *names)
{
    return pair_of_type(t, names, "P-256");
}

static void put_as(setup_t *t, const char *host, const char *end, material_bytes_t pair)
{
    const char *path = material_file(t->pool, t->dir, ".new", pair);

    assert_int_equal(rename(path, apr_pstrcat(t->pool, t->dir, "/", host, end, NULL)), 0);
}

static void put(setup_t *t, const char *host, material_bytes_t pair)
{
    put_as(t, host, ".pem", pair);
}

static void ask(setup_t *t, const char *host)
{
    assert_int_equal(sl_directory_board_ask(t->board, 0, host), APR_SUCCESS);
    t->job->run(t->job, &t->loop);
}

/* Goes there as the loop would, when the job wants to run; how many lines of warning that took. */
static int go(setup_t *t, apr_int64_t then)
{
    int before = lines_with(t, "SL0154");

    while (t->job->due <= apr_time_from_sec(then)) {
        if (t->job->due > t->now)
            t->now = t->job->due;
        t->job->due = SL_NEVER;
        t->job->run(t->job, &t->loop);
    }
    t->now = apr_time_from_sec(then);
    return lines_with(t, "SL0154") - before;
}

static void each_step_is_told_once(void **state)
{
    static const int days[] = {30, 14, 7, 3};
    setup_t *t = make(*state, 64, SL_DIRECTORY_BY_EVENTS);

    put(t, "a.test", pair_for(t, "DNS:a.test"));
    put(t, "unasked.test", pair_for(t, "DNS:unasked.test"));
    ask(t, "a.test");
    for (int i = 0; i < 4; i++) {
        assert_int_equal(go(t, t->end - days[i] * DAY - 1), 0);
        assert_int_equal(go(t, t->end - days[i] * DAY + 61), 1);
        assert_int_equal(lines_with(t, apr_psprintf(t->pool, "SL0154: the certificate %s/a.test.pem expires in %d days",
                                                    t->dir, days[i])),
                         1);
        ask(t, "a.test");
    }
    assert_int_equal(go(t, t->end - DAY + 61), 1);
    assert_int_equal(go(t, t->end - 1), 0);
    assert_int_equal(go(t, t->end + 61), 1);
    assert_int_equal(lines_with(t, apr_psprintf(t->pool, "%s/a.test.pem expired on ", t->dir)), 1);
    assert_int_equal(go(t, t->end + 10 * DAY), 0);
    assert_int_equal(lines_with(t, "unasked.test"), 0);
    assert_int_equal(lines_with(t, "SL0178"), 0);
    end_keeper(t);
}

static void each_key_type_is_told_of(void **state)
{
    setup_t *t = make(*state, 64, SL_DIRECTORY_BY_EVENTS);

    put(t, "a.test", pair_for(t, "DNS:a.test"));
    put_as(t, "a.test", ".pem.rsa", pair_of_type(t, "DNS:a.test", "RSA"));
    ask(t, "a.test");
    for (int round = 1; round <= 2; round++) {
        assert_int_equal(go(t, t->end - (round == 1 ? 29 : 13) * DAY), 2);
        assert_int_equal(lines_with(t, "a.test.pem expires in"), round);
        assert_int_equal(lines_with(t, "a.test.pem.rsa expires in"), round);
        end_keeper(t);
        start_keeper(t);
    }
    end_keeper(t);
}

/* What is found near its end is told of then; from there on the steps are. */
static void what_the_first_look_told_is_not_told_again(void **state)
{
    setup_t *t = make(*state, 64, SL_DIRECTORY_BY_EVENTS);

    put(t, "a.test", pair_for(t, "DNS:a.test"));
    (void)go(t, t->end - 10 * DAY);
    ask(t, "a.test");
    assert_int_equal(lines_with(t, "SL0178"), 1);
    assert_int_equal(go(t, t->end - 7 * DAY - 1), 0);
    assert_int_equal(go(t, t->end - 7 * DAY + 61), 1);
    assert_int_equal(lines_with(t, "SL0178"), 1);
    end_keeper(t);
}

static void a_renewed_certificate_begins_anew(void **state)
{
    setup_t *t = make(*state, 64, SL_DIRECTORY_BY_EVENTS);

    put(t, "a.test", pair_for(t, "DNS:a.test"));
    ask(t, "a.test");
    assert_int_equal(go(t, t->end - 20 * DAY), 1);
    t->end = apr_time_sec(t->now) + 100 * DAY;
    put(t, "a.test", pair_for(t, "DNS:a.test"));
    for (int i = 0; i < 1000 && !lines_with(t, "SL0179"); i++) {
        ask(t, "a.test");
        usleep(10000); /* changes are looked at a few times a second */
    }
    assert_int_equal(lines_with(t, "SL0179"), 1);
    assert_int_equal(go(t, t->end - 30 * DAY - 1), 0);
    assert_int_equal(go(t, t->end - 30 * DAY + 61), 1);
    end_keeper(t);
}

/* More names are in use than there are slots: each is told of, though not at once, and once. */
static void who_comes_back_to_the_board_is_not_told_twice(void **state)
{
    setup_t *t = make(*state, 8, SL_DIRECTORY_BY_EVENTS);

    for (int i = 0; i < 20; i++)
        put(t, apr_psprintf(t->pool, "h%d.test", i), pair_for(t, apr_psprintf(t->pool, "DNS:h%d.test", i)));
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 20; i++)
            ask(t, apr_psprintf(t->pool, "h%d.test", i * 7 % 20));
        ask(t, apr_psprintf(t->pool, "h%d.test", round % 20)); /* is there when the next look comes */
        (void)go(t, t->end - 30 * DAY + 120 * (apr_int64_t)round);
    }
    for (int i = 0; i < 20; i++)
        assert_int_equal(lines_with(t, apr_psprintf(t->pool, "SL0154: the certificate %s/h%d.test.pem ", t->dir, i)),
                         1);
    end_keeper(t);
}

static void many_at_once_are_summed(void **state)
{
    setup_t *t = make(*state, 2048, SL_DIRECTORY_BY_EVENTS);
    const char *names = "DNS:h0.test";
    material_bytes_t pair;

    for (int i = 1; i < 100; i++)
        names = apr_psprintf(t->pool, "%s,DNS:h%d.test", names, i);
    pair = pair_for(t, names);
    for (int i = 0; i < 100; i++) {
        put(t, apr_psprintf(t->pool, "h%d.test", i), pair);
        ask(t, apr_psprintf(t->pool, "h%d.test", i));
    }
    assert_int_equal(go(t, t->end - 29 * DAY), SL_EXPIRY_LINES);
    assert_int_equal(lines_with(t, "SL0155: so do 80 other certificates in SecureLayerCertificateDirectory"), 1);
    assert_int_equal(go(t, t->end - 15 * DAY), 0);
    end_keeper(t);
}

/* The next keeper knows of them from the board: nobody asks, and there are no files any more. */
static void another_keeper_goes_on(void **state, int interval)
{
    setup_t *t = make(*state, 64, interval);

    put(t, "a.test", pair_for(t, "DNS:a.test"));
    ask(t, "a.test");
    assert_int_equal(go(t, t->end - 20 * DAY), 1);
    end_keeper(t);
    assert_int_equal(unlink(apr_pstrcat(t->pool, t->dir, "/a.test.pem", NULL)), 0);
    start_keeper(t);
    assert_int_equal(go(t, t->end - 14 * DAY - 1), 0);
    assert_int_equal(go(t, t->end - 14 * DAY + 61), 1);
    end_keeper(t);
}

static void another_keeper_goes_on_with_events(void **state)
{
    another_keeper_goes_on(state, SL_DIRECTORY_BY_EVENTS);
}

static void another_keeper_goes_on_without_following(void **state)
{
    another_keeper_goes_on(state, SL_DIRECTORY_NEVER);
}

/* A year ahead and back: the look is not put off by a year. */
static void a_clock_that_is_set_is_followed(void **state)
{
    setup_t *t = make(*state, 64, SL_DIRECTORY_BY_EVENTS);
    apr_time_t before = t->now;

    put(t, "a.test", pair_for(t, "DNS:a.test"));
    ask(t, "a.test");
    t->now += apr_time_from_sec(365 * DAY);
    t->job->run(t->job, &t->loop);
    assert_int_equal(lines_with(t, "expired on"), 1);
    t->now = before;
    t->job->run(t->job, &t->loop);
    assert_true(t->job->due <= before + apr_time_from_sec(SL_EXPIRY_PAUSE));
    assert_int_equal(go(t, t->end - 30 * DAY + 61), 1);
    end_keeper(t);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(each_step_is_told_once),
    UNIT_TEST(each_key_type_is_told_of),
    UNIT_TEST(what_the_first_look_told_is_not_told_again),
    UNIT_TEST(a_renewed_certificate_begins_anew),
    UNIT_TEST(who_comes_back_to_the_board_is_not_told_twice),
    UNIT_TEST(many_at_once_are_summed),
    UNIT_TEST(another_keeper_goes_on_with_events),
    UNIT_TEST(another_keeper_goes_on_without_following),
    UNIT_TEST(a_clock_that_is_set_is_followed),
};

UNIT_MAIN(tests)
