/* A helper counts as hung once it gave no sign of life for ten minutes in which its parent came by; never because the
 * machine stood still, a clock was set or a debugger holds it. */
#include "keeper/patience.h"
#include "unit.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define START apr_time_from_sec(1000)
#define LOOK apr_time_from_sec(10) /* between two of the parent's looks */

/* Looks until it is hung, `most` times at most: how many that took, 0 if it is not. `sign` stays as it is. */
static int looks_until_hung(sl_patience_t *patience, apr_time_t *now, apr_interval_time_t each, int most)
{
    for (int i = 1; i <= most; i++) {
        if (sl_patience_is_over(patience, 7, *now += each))
            return i;
    }
    return 0;
}

static void ten_minutes_of_silence_are_too_much(void **state)
{
    sl_patience_t patience = {0, 0, 0};
    apr_time_t now = START;

    (void)state;
    assert_int_equal(SL_PATIENCE, apr_time_from_sec(600));
    assert_false(sl_patience_is_over(&patience, 7, now));
    assert_int_equal(looks_until_hung(&patience, &now, LOOK, 100), 60);
    assert_int_equal(looks_until_hung(&patience, &now, LOOK, 100), 60); /* and not each time from then on */
}

/* One that hangs before its first sign. */
static void who_never_gave_a_sign_is_hung_as_well(void **state)
{
    sl_patience_t patience = {0, 0, 0};
    apr_time_t now = START;
    int looks = 0;

    (void)state;
    while (!sl_patience_is_over(&patience, 0, now) && ++looks < 100)
        now += LOOK;
    assert_int_equal(looks, 60);
}

static void a_sign_begins_it_anew(void **state)
{
    sl_patience_t patience = {0, 0, 0};
    apr_time_t now = START;

    (void)state;
    for (apr_int64_t sign = 1; sign < 10; sign++) { /* always in the last moment */
        assert_false(sl_patience_is_over(&patience, sign, now += LOOK));
        for (int i = 0; i < 59; i++)
            assert_false(sl_patience_is_over(&patience, sign, now += LOOK));
    }
}

/* The clock goes on while both are stopped, and the parent looks before the helper has had its turn. */
static void a_machine_that_stood_still_is_no_silence(void **state)
{
    sl_patience_t patience = {0, 0, 0};
    apr_time_t now = START;

    (void)state;
    for (apr_int64_t sign = 1; sign < 100; sign++) {
        assert_false(sl_patience_is_over(&patience, sign, now += LOOK));
        now += apr_time_from_sec(7 * 86400);
        assert_false(sl_patience_is_over(&patience, sign, now));
        assert_true(patience.silent <= SL_PATIENCE_STEP);
    }
}

static void looks_in_quick_succession_count_as_long_as_they_take(void **state)
{
    sl_patience_t patience = {0, 0, 0};
    apr_time_t now = START;

    (void)state;
    assert_false(sl_patience_is_over(&patience, 7, now));
    assert_int_equal(looks_until_hung(&patience, &now, 1000, 100000), 0);
}

static void a_debugger_is_seen(void **state)
{
    pid_t child = fork();
    int status;

    (void)state;
    if (!child) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSTOPPED(status))
        assert_true(sl_process_is_traced(child));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_false(sl_process_is_traced(child)); /* there is none */
    assert_false(sl_process_is_traced(1));
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(ten_minutes_of_silence_are_too_much),
    UNIT_TEST(who_never_gave_a_sign_is_hung_as_well),
    UNIT_TEST(a_sign_begins_it_anew),
    UNIT_TEST(a_machine_that_stood_still_is_no_silence),
    UNIT_TEST(looks_in_quick_succession_count_as_long_as_they_take),
    UNIT_TEST(a_debugger_is_seen),
};

UNIT_MAIN(tests)
