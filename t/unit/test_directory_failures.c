/* What can't be used in certificate directories is on a list that everybody can read and children can't write: the
 * newest ones, how many there are, and nothing that was repaired; the keeper looks again at each by and by. */
#include "keeper/directory_failures.h"
#include "unit.h"

#include "keeper/directory_refusals.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND APR_UINT64_C(1000000)

typedef struct setup_t {
    apr_pool_t *pool, *keeper;
    sl_world_t world;
    apr_int64_t seconds; /* since 1970 */
    apr_uint64_t now;
    sl_section_t *section;
    sl_directory_failures_t *failures;
    sl_directory_refusals_t seen;
} setup_t;

static apr_time_t tell_time(void *baton)
{
    return apr_time_from_sec(((setup_t *)baton)->seconds);
}

static void start_keeper(setup_t *t, int looks_again)
{
    apr_pool_create(&t->keeper, t->pool);
    t->failures = sl_directory_failures_make(t->keeper, &t->world, t->section, looks_again);
}

static setup_t *make(apr_pool_t *pool, int looks_again)
{
    setup_t *t = apr_pcalloc(pool, sizeof(*t));

    t->pool = pool;
    t->world.now = tell_time;
    t->world.baton = t;
    t->seconds = 1000;
    t->now = 1000 * SECOND;
    assert_int_equal(sl_directory_refusals_make(&t->section, pool, sl_problem_make(pool)), APR_SUCCESS);
    start_keeper(t, looks_again);
    return t;
}

static void pass(setup_t *t, int seconds)
{
    t->seconds += seconds;
    t->now += (apr_uint64_t)seconds * SECOND;
}

static sl_entry_key_t key_of(int n)
{
    sl_entry_key_t key = {(apr_uint64_t)n * 2 + 1, 0, (apr_uint32_t)n};

    return key;
}

static int note(setup_t *t, int n, const char *words, int is_fresh)
{
    sl_entry_key_t key = key_of(n);

    return sl_directory_failures_note(t->failures, &key, n % 3, apr_psprintf(t->pool, "n%d.test", n), words, is_fresh,
                                      t->now);
}

static int forget(setup_t *t, int n)
{
    sl_entry_key_t key = key_of(n);

    return sl_directory_failures_forget(t->failures, &key);
}

/* The names on the list. */
static const char *listed(setup_t *t)
{
    const char *names = "";

    pass(t, 1);
    assert_true(sl_directory_failures_publish(t->failures, t->now) == 0);
    sl_directory_refusals_read(t->section, &t->seen);
    assert_int_equal(sl_directory_refusals_count(t->section), t->seen.all);
    for (int i = 0; i < t->seen.count; i++)
        names = apr_pstrcat(t->pool, names, i ? " " : "", t->seen.list[i].entry, NULL);
    return names;
}

static void what_can_not_be_used_is_listed(void **state)
{
    setup_t *t = make(*state, 1);

    sl_directory_refusals_read(t->section, &t->seen); /* nothing was published */
    assert_int_equal(t->seen.all + t->seen.count + sl_directory_refusals_count(t->section), 0);
    assert_int_equal(note(t, 1, "broken", 0), 1);
    pass(t, 1);
    assert_int_equal(note(t, 2, "worse", 0), 1);
    assert_int_equal(note(t, 2, "worse", 0), 0);
    assert_string_equal(listed(t), "n2.test n1.test");
    assert_int_equal(t->seen.all, 2);
    assert_int_equal(t->seen.list[0].since, 1001);
    assert_int_equal(t->seen.list[0].directory, 2);
    assert_string_equal(t->seen.list[0].reason, "worse");
    assert_int_equal(t->seen.list[1].since, 1000);
    assert_int_equal(note(t, 1, "broken otherwise", 0), 1);
    assert_string_equal(listed(t), "n1.test n2.test");
    assert_string_equal(t->seen.list[0].reason, "broken otherwise");
    assert_int_equal(forget(t, 1), 1);
    assert_int_equal(forget(t, 1), 0);
    assert_string_equal(listed(t), "n2.test");
    assert_int_equal(forget(t, 2), 1);
    assert_string_equal(listed(t), "");
    assert_int_equal(t->seen.all, 0);
}

static void half_of_a_change_is_not_listed(void **state)
{
    setup_t *t = make(*state, 1);
    char entry[SL_HOST_MAX + 1];
    int place = 0, directory;

    assert_int_equal(note(t, 1, "half", 1), 0);
    assert_string_equal(listed(t), "");
    assert_true(sl_directory_failures_due(t->failures) == t->now - SECOND + SL_DIRECTORY_SETTLING);
    pass(t, 4);
    assert_int_equal(sl_directory_failures_next(t->failures, &place, t->now, &directory, entry), 1);
    assert_string_equal(entry, "n1.test");
    assert_int_equal(directory, 1);
    assert_int_equal(note(t, 1, "half", 1), 1);
    assert_string_equal(listed(t), "n1.test");
}

static void the_newest_are_listed_and_all_are_counted(void **state)
{
    setup_t *t = make(*state, 1);

    for (int n = 0; n < 60; n++) {
        pass(t, 1);
        assert_int_equal(note(t, n * 8, apr_psprintf(t->pool, "%d%1000d", n, n), 0), 1);
    }
    assert_true(strncmp(listed(t), "n472.test n464.test ", 20) == 0);
    assert_int_equal(t->seen.all, 60);
    assert_int_equal(t->seen.count, SL_DIRECTORY_REFUSALS);
    assert_string_equal(t->seen.list[49].entry, "n80.test");
    assert_int_equal(strlen(t->seen.list[49].reason), SL_RELOAD_REASON_MAX - 1);
    assert_int_equal(forget(t, 472), 1);
    assert_int_equal(forget(t, 240), 1);
    assert_true(strncmp(listed(t), "n464.test n456.test ", 20) == 0);
    assert_int_equal(t->seen.all, 58);
    assert_string_equal(t->seen.list[49].entry, "n64.test");
}

/* Whoever comes last has a place, however many there are. */
static void the_table_is_bounded(void **state)
{
    setup_t *t = make(*state, 1);

    for (int n = 0; n < 2 * SL_DIRECTORY_FAILURES; n++) {
        t->now++;
        assert_int_equal(note(t, n, "broken", 0), 1);
    }
    assert_int_equal(note(t, 2 * SL_DIRECTORY_FAILURES - 1, "broken", 0), 0);
    assert_true(strncmp(listed(t), "n8191.test n8190.test ", 22) == 0);
    assert_int_equal(t->seen.all, SL_DIRECTORY_FAILURES);
}

static void it_is_not_published_all_the_time(void **state)
{
    setup_t *t = make(*state, 1);
    apr_uint64_t version;

    assert_true(sl_directory_failures_publish(t->failures, t->now) == 0);
    version = sl_section_version(t->section, 0);
    assert_true(sl_directory_failures_publish(t->failures, t->now + SECOND) == 0); /* nothing has changed */
    assert_int_equal(note(t, 1, "broken", 0), 1);
    assert_in_range(sl_directory_failures_publish(t->failures, t->now + 1), t->now + 2, t->now + SECOND);
    assert_true(sl_section_version(t->section, 0) == version);
    assert_string_equal(listed(t), "n1.test");
    assert_true(sl_section_version(t->section, 0) == version + 1);
}

static int tries(setup_t *t)
{
    char entry[SL_HOST_MAX + 1];
    int place = 0, directory, count = 0;

    while (sl_directory_failures_next(t->failures, &place, t->now, &directory, entry))
        count++;
    return count;
}

static void each_is_looked_at_again(void **state)
{
    setup_t *t = make(*state, 1);

    for (int n = 0; n < 25; n++)
        assert_int_equal(note(t, n, "broken", 0), 1);
    assert_true(sl_directory_failures_due(t->failures) == t->now + SL_DIRECTORY_LOOK_REFUSED);
    pass(t, 59);
    assert_int_equal(tries(t), 0);
    for (int round = 0; round < 3; round++) { /* not all at once */
        pass(t, 1);
        assert_int_equal(tries(t), round < 2 ? SL_DIRECTORY_MOST_REFUSED : 5);
        assert_true(sl_directory_failures_due(t->failures) > t->now);
    }
    pass(t, 1);
    assert_int_equal(tries(t), 0);
    pass(t, 60);
    assert_int_equal(tries(t), SL_DIRECTORY_MOST_REFUSED);
}

static void with_reloading_off_nobody_looks_again(void **state)
{
    setup_t *t = make(*state, 0);

    assert_int_equal(note(t, 1, "broken", 0), 1);
    assert_true(sl_directory_failures_due(t->failures) == 0);
    pass(t, 1000);
    assert_int_equal(tries(t), 0);
}

static void a_new_keeper_begins_with_an_empty_list(void **state)
{
    setup_t *t = make(*state, 1);

    assert_int_equal(note(t, 1, "broken", 0), 1);
    assert_string_equal(listed(t), "n1.test");
    apr_pool_destroy(t->keeper);
    sl_directory_refusals_read(t->section, &t->seen);
    assert_int_equal(t->seen.all, 1); /* while there is none */
    start_keeper(t, 1);
    assert_string_equal(listed(t), "");
}

static void lies_in_the_memory_stay_in_bounds(void **state)
{
    setup_t *t = make(*state, 1);
    sl_directory_refusals_t *lies = &t->seen;

    memset(lies, 'x', sizeof(*lies));
    lies->all = lies->count = 1000;
    assert_int_equal(sl_section_publish(t->section, 0, lies, sizeof(*lies)), APR_SUCCESS);
    sl_directory_refusals_read(t->section, lies);
    assert_int_equal(lies->count, SL_DIRECTORY_REFUSALS);
    assert_int_equal(strlen(lies->list[49].entry), SL_HOST_MAX);
    assert_int_equal(strlen(lies->list[49].reason), SL_RELOAD_REASON_MAX - 1);
    assert_int_equal(sl_section_publish(t->section, 0, lies, 2), APR_SUCCESS);
    sl_directory_refusals_read(t->section, lies);
    assert_int_equal(lies->count + lies->all + sl_directory_refusals_count(t->section), 0);
}

static void children_can_not_write_it(void **state)
{
    setup_t *t = make(*state, 1);
    sl_board_t board = {.directory_refusals = t->section};
    int status;
    pid_t child = fork();

    if (!child) {
        signal(SIGSEGV, SIG_DFL);
        sl_board_only_read(&board, 0);
        sl_directory_refusals_publish(t->section, &t->seen);
        _exit(0);
    }
    assert_true(waitpid(child, &status, 0) == child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) > 0); /* sanitizers exit */
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(what_can_not_be_used_is_listed),
    UNIT_TEST(half_of_a_change_is_not_listed),
    UNIT_TEST(the_newest_are_listed_and_all_are_counted),
    UNIT_TEST(the_table_is_bounded),
    UNIT_TEST(it_is_not_published_all_the_time),
    UNIT_TEST(each_is_looked_at_again),
    UNIT_TEST(with_reloading_off_nobody_looks_again),
    UNIT_TEST(a_new_keeper_begins_with_an_empty_list),
    UNIT_TEST(lies_in_the_memory_stay_in_bounds),
    UNIT_TEST(children_can_not_write_it),
};

UNIT_MAIN(tests)
