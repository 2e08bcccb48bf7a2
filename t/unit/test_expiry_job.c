/* Certificates near their end: each step is told once, short lives have theirs nearer, and a renewed certificate begins
 * anew. */
#include "keeper/expiry_job.h"
#include "unit.h"

#include <apr_strings.h>
#include <string.h>

#define DAY 86400

typedef struct setup_t {
    sl_loop_t loop;
    sl_world_t world;
    apr_int64_t now;
    sl_job_t *job;
    sl_expiry_t certs[100];
    int count, said;
    sl_say_t level;
    char last[300];
} setup_t;

static apr_time_t still(void *baton)
{
    return apr_time_from_sec(((setup_t *)baton)->now);
}

static void say(void *baton, sl_say_t level, const char *line)
{
    setup_t *t = baton;

    t->said++;
    t->level = level;
    apr_cpystrn(t->last, line, sizeof(t->last));
}

static int look(void *baton, int n, sl_expiry_t *what)
{
    setup_t *t = baton;

    *what = t->certs[n];
    return what->name != NULL;
}

static setup_t *make(apr_pool_t *pool, int count, apr_int64_t life)
{
    setup_t *t = apr_pcalloc(pool, sizeof(*t));

    t->now = 1000000000;
    t->world.now = still;
    t->world.baton = t;
    apr_pool_create(&t->loop.scratch, pool);
    t->loop.world = &t->world;
    t->loop.say = say;
    t->loop.baton = t;
    for (int i = 0; i < count; i++) {
        t->certs[i].name = "a.pem";
        t->certs[i].not_before = t->now;
        t->certs[i].not_after = t->now + life;
    }
    t->job = sl_expiry_job_make(pool, count, look, t);
    t->job->run(t->job, &t->loop);
    return t;
}

/* Goes there as the loop would, in steps that the job asks for; how many lines that took. */
static int go(setup_t *t, apr_int64_t then)
{
    int before = t->said;

    while (apr_time_sec(t->job->due) <= then) {
        assert_true(apr_time_sec(t->job->due) > t->now);
        t->now = apr_time_sec(t->job->due);
        t->job->run(t->job, &t->loop);
    }
    t->now = then;
    return t->said - before;
}

static void each_step_is_told_once(void **state)
{
    static const int days[] = {30, 14, 7, 3};
    setup_t *t = make(*state, 1, 365 * (apr_int64_t)DAY);
    apr_int64_t end = t->certs[0].not_after;

    for (int i = 0; i < 4; i++) {
        assert_int_equal(go(t, end - days[i] * (apr_int64_t)DAY - 1), 0);
        assert_int_equal(go(t, end - days[i] * (apr_int64_t)DAY), 1);
        assert_non_null(
            strstr(t->last, apr_psprintf(*state, "SL0154: the certificate a.pem expires in %d days, on ", days[i])));
        assert_int_equal(t->level, SL_SAY_WARNING);
    }
    assert_int_equal(go(t, end - DAY), 1);
    assert_non_null(strstr(t->last, "expires in 24 hours"));
    assert_int_equal(go(t, end - 1), 0);
    assert_int_equal(go(t, end), 1);
    assert_non_null(strstr(t->last, "expired on "));
    assert_int_equal(t->level, SL_SAY_ERROR);
    assert_int_equal(go(t, end + 10 * DAY), 0);
}

static void short_lives_have_steps_of_their_own(void **state)
{
    setup_t *t = make(*state, 1, 6 * (apr_int64_t)DAY);
    apr_int64_t end = t->certs[0].not_after;

    assert_int_equal(go(t, end - 2 * DAY - 1), 0);
    assert_int_equal(go(t, end - 2 * DAY), 1); /* a third */
    assert_int_equal(go(t, end - 1), 4);
}

static void a_renewed_certificate_begins_anew(void **state)
{
    setup_t *t = make(*state, 1, 90 * (apr_int64_t)DAY);

    assert_int_equal(go(t, t->certs[0].not_after - 10 * DAY), 2);
    t->certs[0].not_before = t->now;
    t->certs[0].not_after = t->now + 90 * (apr_int64_t)DAY;
    assert_int_equal(go(t, t->now + 59 * (apr_int64_t)DAY), 0);
    assert_int_equal(go(t, t->now + 2 * DAY), 1);
}

static void what_the_start_has_seen_is_not_told(void **state)
{
    setup_t *t = make(*state, 1, 90 * (apr_int64_t)DAY);
    sl_job_t *again = sl_expiry_job_make(*state, 1, look, t);

    t->now = t->certs[0].not_after - 5 * DAY;
    again->run(again, &t->loop); /* a new keeper, after the steps of 30, 14 and 7 days */
    assert_int_equal(t->said, 0);
    t->job = again;
    assert_int_equal(go(t, t->certs[0].not_after - 3 * DAY), 1);
}

static void many_at_once_are_counted(void **state)
{
    setup_t *t = make(*state, 100, 90 * (apr_int64_t)DAY);

    t->certs[7].name = NULL; /* nothing to watch */
    assert_int_equal(go(t, t->certs[0].not_after - 30 * (apr_int64_t)DAY), 21);
    assert_string_equal(t->last, "SL0155: so do 79 other certificates: the status page lists them");
}

/* A year ahead: it is told as expired. Back again: nothing is told, until it is so. */
static void a_clock_that_is_set_is_followed(void **state)
{
    static const apr_int64_t year = 365 * (apr_int64_t)DAY;
    setup_t *t = make(*state, 1, 90 * (apr_int64_t)DAY);
    apr_int64_t end = t->certs[0].not_after, before = t->now;

    t->now += year;
    t->job->run(t->job, &t->loop);
    assert_int_equal(t->said, 1);
    assert_non_null(strstr(t->last, "expired on "));
    t->now = before;
    t->job->run(t->job, &t->loop);
    t->now -= year;
    t->job->run(t->job, &t->loop);
    assert_int_equal(t->said, 1);
    assert_true(t->job->due <= apr_time_from_sec(t->now + 3600));
    t->now = before;
    t->job->run(t->job, &t->loop);
    assert_int_equal(t->said, 1);
    assert_int_equal(go(t, end - 30 * DAY), 1);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(a_clock_that_is_set_is_followed),
    UNIT_TEST(each_step_is_told_once),
    UNIT_TEST(short_lives_have_steps_of_their_own),
    UNIT_TEST(a_renewed_certificate_begins_anew),
    UNIT_TEST(what_the_start_has_seen_is_not_told),
    UNIT_TEST(many_at_once_are_counted),
};

UNIT_MAIN(tests)
