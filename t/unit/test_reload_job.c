/* Reloading: a change is taken once, half of one waits, what is refused is told once and tried again, however clocks
 * are set; a keeper that starts anew knows what the one before it has done. */
#include "keeper/reload_job.h"
#include "material.h"
#include "unit.h"

#include <apr_strings.h>
#include <apr_tables.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define YEAR apr_time_from_sec(365 * 86400)

typedef struct setup_t {
    sl_loop_t loop;
    sl_world_t world;
    apr_time_t now, ticks;
    apr_array_header_t *items;
    sl_reload_item_t item;
    sl_section_t *states;
    sl_job_t *job;
    char path[64];
    /* What load() finds, and how often it was asked. */
    apr_status_t outcome;
    int is_news, loads, said;
    int removes, rewrites; /* while it reads */
    char last[300];
} setup_t;

static apr_time_t clock_of(void *baton)
{
    return ((setup_t *)baton)->now;
}

static apr_time_t ticks_of(void *baton)
{
    return ((setup_t *)baton)->ticks;
}

static void say(void *baton, sl_say_t level, const char *line)
{
    setup_t *t = baton;

    (void)level;
    t->said++;
    apr_cpystrn(t->last, line, sizeof(t->last));
}

static void write_file(const setup_t *t, const char *text)
{
    char fresh[80];
    FILE *file;

    snprintf(fresh, sizeof(fresh), "%s.new", t->path);
    file = fopen(fresh, "w");
    fputs(text, file);
    fclose(file);
    assert_int_equal(rename(fresh, t->path), 0); /* another inode */
}

static apr_status_t load(sl_reload_item_t *item, sl_loop_t *loop, sl_reload_state_t *state, int *news,
                         const char **said, sl_problem_t *why)
{
    setup_t *t = item->baton;

    (void)loop;
    (void)state;
    (void)said;
    t->loads++;
    if (t->removes) {
        t->removes = 0;
        unlink(t->path);
        return sl_problem_set(why, APR_ENOENT, item->name, "vanished");
    }
    if (t->rewrites) {
        t->rewrites = 0;
        write_file(t, "and yet another text");
    }
    *news = t->is_news;
    return t->outcome == APR_SUCCESS ? APR_SUCCESS : sl_problem_set(why, t->outcome, item->name, "is no good");
}

/* A keeper that starts. */
static void begin(setup_t *t, apr_pool_t *pool)
{
    t->job = sl_reload_job_make(pool, t->items, t->states, 1);
    t->job->begin(t->job, &t->loop);
}

static setup_t *make(apr_pool_t *pool)
{
    setup_t *t = apr_pcalloc(pool, sizeof(*t));

    t->now = apr_time_from_sec(1000000000);
    t->ticks = apr_time_from_sec(1000);
    t->world.now = clock_of;
    t->world.ticks = ticks_of;
    t->world.baton = t;
    t->loop.pool = pool;
    apr_pool_create(&t->loop.scratch, pool);
    t->loop.world = &t->world;
    t->loop.say = say;
    t->loop.baton = t;
    snprintf(t->path, sizeof(t->path), "/tmp/sl-reload-job-%d-%p", (int)getpid(), (void *)t);
    write_file(t, "first");
    t->is_news = 1;
    t->item.name = "the file";
    t->item.paths[0] = t->path;
    t->item.stamp = sl_watch_stamp(t->item.paths);
    t->item.load = load;
    t->item.baton = t;
    t->items = apr_array_make(pool, 1, sizeof(sl_reload_item_t *));
    APR_ARRAY_PUSH(t->items, sl_reload_item_t *) = &t->item;
    assert_int_equal(sl_section_make(&t->states, pool, 1, sizeof(sl_reload_state_t), NULL, NULL), APR_SUCCESS);
    begin(t, pool);
    return t;
}

/* Time goes by, in steps of a tenth of a second, and the job runs when it wants to. */
static void pass(setup_t *t, double seconds)
{
    for (apr_time_t end = t->ticks + (apr_time_t)(seconds * 1e6); t->ticks < end;) {
        t->ticks += 100000;
        t->now += 100000;
        if (t->job->due <= t->now)
            t->job->run(t->job, &t->loop);
    }
}

static sl_reload_state_t state_of(const setup_t *t)
{
    sl_reload_state_t state;

    sl_reload_state_read(t->states, 0, &state);
    return state;
}

static void assert_said(const setup_t *t, int times, const char *id)
{
    assert_int_equal(t->said, times);
    assert_int_equal(strncmp(t->last, id, strlen(id)), 0);
}

static void a_change_is_taken_once(void **state)
{
    setup_t *t = make(*state);

    pass(t, 10);
    assert_int_equal(t->loads, 0);
    write_file(t, "second");
    pass(t, 3);
    assert_said(t, 1, "SL0150");
    pass(t, 300);
    assert_int_equal(t->loads, 1);
    assert_int_equal(state_of(t).version, 1);
    t->is_news = 0; /* touched, and the same in it */
    write_file(t, "second");
    pass(t, 100);
    assert_int_equal(t->loads, 2);
    assert_int_equal(t->said, 1);
    unlink(t->path);
}

static void what_changes_while_it_is_read_is_another_change(void **state)
{
    setup_t *t = make(*state);

    t->rewrites = 1;
    write_file(t, "second");
    pass(t, 10);
    assert_int_equal(t->loads, 2);
    assert_said(t, 2, "SL0150");
    unlink(t->path);
}

static void a_file_that_vanishes_while_it_is_read_may_come_back(void **state)
{
    setup_t *t = make(*state);

    t->removes = 1;
    write_file(t, "second");
    pass(t, 2);
    assert_int_equal(t->loads, 2); /* and again, without it */
    unlink(t->path);
    t->said = 0;
    write_file(t, "third");
    pass(t, 4);
    assert_said(t, 1, "SL0150");
    unlink(t->path);
}

/* Patience is measured by the clock that nobody sets. */
static void half_of_a_change_waits_for_its_time_whatever_the_clock_says(void **state)
{
    static const apr_time_t jumps[] = {0, YEAR, -YEAR};

    for (int i = 0; i < 3; i++) {
        setup_t *t = make(*state);

        t->outcome = APR_EGENERAL;
        write_file(t, "half");
        pass(t, 3);
        assert_true(t->loads > 2);
        t->now += jumps[i];
        if (jumps[i] < 0)
            t->job->due += jumps[i]; /* as the loop does */
        pass(t, 1);
        assert_int_equal(t->said, 0);
        pass(t, 3);
        assert_said(t, 1, "SL0152");
        pass(t, 300);
        assert_int_equal(t->said, 1);
        assert_string_equal(state_of(t).reason, "the file: is no good");
        unlink(t->path);
    }
}

static void patience_begins_anew_with_each_part_of_a_change(void **state)
{
    setup_t *t = make(*state);

    t->outcome = APR_EGENERAL;
    write_file(t, "a certificate");
    pass(t, 4);
    write_file(t, "and half of its key");
    pass(t, 4);
    assert_int_equal(t->said, 0);
    pass(t, 3);
    assert_said(t, 1, "SL0152");
    unlink(t->path);
    t = make(*state);
    t->outcome = APR_EGENERAL;
    for (int seconds = 3; seconds <= 36; seconds += 3) { /* not without end */
        write_file(t, "another part");
        pass(t, 3);
        assert_int_equal(t->said, seconds > 31);
    }
    unlink(t->path);
}

static void put_link(const char *directory, const char *name, const char *to)
{
    char fresh[120], place[120];

    snprintf(fresh, sizeof(fresh), "%s/fresh", directory);
    snprintf(place, sizeof(place), "%s/%s", directory, name);
    assert_int_equal(symlink(to, fresh), 0);
    assert_int_equal(rename(fresh, place), 0);
}

/* now -> this -> one/file becomes now -> that -> one/file, and then that -> two/file. */
static void a_new_way_to_the_same_file_is_watched(void **state)
{
    setup_t *t = make(*state), file = {.path = ""};
    const char *directory = material_dir(*state);

    unlink(t->path);
    for (int i = 0; i < 2; i++) {
        snprintf(file.path, sizeof(file.path), "%.44s/%s", directory, i ? "two" : "one");
        assert_int_equal(mkdir(file.path, 0700), 0);
        snprintf(file.path, sizeof(file.path), "%.44s/%s/file", directory, i ? "two" : "one");
        write_file(&file, i ? "second" : "first");
    }
    put_link(directory, "this", "one");
    put_link(directory, "that", "one");
    put_link(directory, "now", "this");
    snprintf(t->path, sizeof(t->path), "%.44s/now/file", directory);
    t->item.stamp = sl_watch_stamp(t->item.paths);
    t->job = sl_reload_job_make(*state, t->items, t->states, SL_RELOAD_BY_EVENTS);
    t->job->begin(t->job, &t->loop);
    pass(t, 2);
    put_link(directory, "now", "that");
    t->job->run(t->job, &t->loop); /* the event is there */
    pass(t, 2);
    assert_int_equal(t->loads, 0);
    put_link(directory, "that", "two");
    t->job->run(t->job, &t->loop);
    pass(t, 2);
    assert_int_equal(t->loads, 1);
}

static void what_was_refused_is_tried_again_as_it_is(void **state)
{
    setup_t *t = make(*state);
    int loads;

    t->outcome = SL_RELOAD_REFUSED;
    write_file(t, "of tomorrow");
    pass(t, 3);
    assert_said(t, 1, "SL0152");
    loads = t->loads;
    assert_int_equal(loads, 1);
    pass(t, 120);
    assert_true(t->loads >= loads + 2 && t->loads <= loads + 5);
    assert_int_equal(t->said, 1);
    t->outcome = APR_SUCCESS; /* tomorrow has come */
    pass(t, 60);
    assert_said(t, 2, "SL0150");
    assert_int_equal(state_of(t).refused, 0);
    loads = t->loads;
    pass(t, 300);
    assert_int_equal(t->loads, loads);
    unlink(t->path);
}

static void a_keeper_knows_what_the_one_before_has_done(void **state)
{
    setup_t *t = make(*state);

    write_file(t, "second");
    pass(t, 3);
    assert_int_equal(t->loads, 1);
    begin(t, *state);
    pass(t, 100);
    assert_int_equal(t->loads, 1); /* taken */
    t->outcome = SL_RELOAD_REFUSED;
    write_file(t, "third");
    pass(t, 3);
    assert_said(t, 2, "SL0152");
    begin(t, *state);
    pass(t, 100);
    assert_said(t, 2, "SL0152"); /* refused, and told */
    write_file(t, "fourth");
    t->outcome = APR_SUCCESS;
    begin(t, *state);
    pass(t, 3);
    assert_said(t, 3, "SL0150"); /* what changed while there was none */
    assert_int_equal(state_of(t).version, 2);
    unlink(t->path);
}

#define MANY 100 /* beyond those whose way is walked one by one */

/* With events: what is known of a file from the time it is watched is not asked for again. */
static void of_many_files_in_a_directory_those_that_changed_are_taken(void **state)
{
    setup_t *t = make(*state);
    setup_t *many = apr_pcalloc(*state, sizeof(*many) * MANY);

    for (int i = 0; i < MANY; i++) {
        snprintf(many[i].path, sizeof(many[i].path), "%.60s%02d", t->path, i);
        write_file(&many[i], "first");
        many[i].is_news = 1;
        many[i].item = t->item;
        many[i].item.baton = &many[i];
        many[i].item.paths[0] = many[i].path;
        many[i].item.stamp = sl_watch_stamp(many[i].item.paths);
        APR_ARRAY_PUSH(t->items, sl_reload_item_t *) = &many[i].item;
    }
    write_file(&many[80], "second"); /* before there is a keeper */
    write_file(&many[90], "second");
    t->job = sl_reload_job_make(*state, t->items, t->states, SL_RELOAD_BY_EVENTS);
    t->job->begin(t->job, &t->loop);
    pass(t, 3);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(many[i].loads, i == 80 || i == 90);
    write_file(&many[85], "second");
    t->job->run(t->job, &t->loop); /* the event is there */
    pass(t, 3);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(many[i].loads, i == 80 || i == 85 || i == 90);
    for (int i = 0; i < MANY; i++)
        unlink(many[i].path);
    unlink(t->path);
}

/* The start has told what is wrong; only another wrong is told, and the end of all. */
static void what_is_awaited_is_tried_and_told_when_it_comes(void **state)
{
    setup_t *t = make(*state);

    t->item.is_awaited = 1;
    t->outcome = APR_ENOENT;
    begin(t, *state);
    pass(t, 100);
    assert_true(t->loads >= 1 && t->loads <= 4);
    assert_int_equal(t->said, 0);
    assert_string_equal(state_of(t).reason, "the file: is no good");
    t->outcome = SL_RELOAD_REFUSED;
    write_file(t, "of another host");
    memset(t->last, 0, sizeof(t->last));
    pass(t, 3);
    assert_int_equal(t->said, 0); /* the same reason */
    t->item.name = "the other file";
    write_file(t, "of a third one");
    pass(t, 3);
    assert_said(t, 1, "SL0192");
    begin(t, *state); /* another keeper */
    pass(t, 100);
    assert_int_equal(t->said, 1);
    t->outcome = APR_SUCCESS;
    write_file(t, "good");
    pass(t, 2);
    assert_said(t, 2, "SL0191");
    assert_int_equal(state_of(t).version, 1);
    t->outcome = SL_RELOAD_REFUSED;
    write_file(t, "bad");
    pass(t, 2);
    assert_said(t, 3, "SL0152"); /* as of any other from now on */
    t->outcome = APR_SUCCESS;
    write_file(t, "better");
    pass(t, 2);
    assert_said(t, 4, "SL0150");
    unlink(t->path);
}

/* What was wrong may end without a change of the files: a clock was set, memory is there again. */
static void what_is_awaited_comes_without_a_change_too(void **state)
{
    setup_t *t = make(*state);

    t->item.is_awaited = 1;
    begin(t, *state);
    pass(t, 100);
    assert_int_equal(t->loads, 1);
    assert_said(t, 1, "SL0191");
    unlink(t->path);
}

    static const struct CMUnitTest tests[] = {
        UNIT_TEST(a_change_is_taken_once),
        UNIT_TEST(what_changes_while_it_is_read_is_another_change),
        UNIT_TEST(a_file_that_vanishes_while_it_is_read_may_come_back),
        UNIT_TEST(half_of_a_change_waits_for_its_time_whatever_the_clock_says),
        UNIT_TEST(patience_begins_anew_with_each_part_of_a_change),
        UNIT_TEST(a_new_way_to_the_same_file_is_watched),
        UNIT_TEST(what_was_refused_is_tried_again_as_it_is),
        UNIT_TEST(a_keeper_knows_what_the_one_before_has_done),
        UNIT_TEST(of_many_files_in_a_directory_those_that_changed_are_taken),
        UNIT_TEST(what_is_awaited_is_tried_and_told_when_it_comes),
        UNIT_TEST(what_is_awaited_comes_without_a_change_too),
    };

    UNIT_MAIN(tests)
