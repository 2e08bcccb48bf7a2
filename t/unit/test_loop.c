/* The loop of keeper and courier: jobs run when they are due or their descriptor is ready, in a process that ends when
 * it is asked to and when its parent dies. The keeper's first job turns the ring on the board. */
#include "keeper/ticket_job.h"
#include "resume/ticket_ring.h"
#include "unit.h"

#include <apr_tables.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct setup_t {
    sl_loop_t loop;
    sl_world_t world;
    apr_time_t now;
    int said, signs;
    sl_say_t level;
} setup_t;

static apr_time_t still(void *baton)
{
    return ((setup_t *)baton)->now;
}

static void say(void *baton, sl_say_t level, const char *line)
{
    setup_t *t = baton;

    assert_true(strncmp(line, "SL01", 4) == 0);
    t->said++;
    t->level = level;
}

static void make(setup_t *t, apr_pool_t *pool)
{
    memset(t, 0, sizeof(*t));
    t->now = apr_time_from_sec(1000000);
    t->world.now = still;
    t->world.baton = t;
    t->loop.pool = pool;
    apr_pool_create(&t->loop.scratch, pool);
    t->loop.world = &t->world;
    t->loop.say = say;
    t->loop.baton = t;
    t->loop.jobs = apr_array_make(pool, 4, sizeof(sl_job_t *));
}

static void add(setup_t *t, sl_job_t *job)
{
    APR_ARRAY_PUSH(t->loop.jobs, sl_job_t *) = job;
}

/* ---- by the clock ---- */

typedef struct count_t {
    int begun, runs, ended, most;
    apr_interval_time_t every;
    setup_t *t;
} count_t;

static void begin(sl_job_t *job, sl_loop_t *loop)
{
    (void)loop;
    ((count_t *)job->baton)->begun++;
}

/* Time goes on with each run, as far as the next one is away. */
static void run(sl_job_t *job, sl_loop_t *loop)
{
    count_t *count = job->baton;

    assert_int_equal(job->due, SL_NEVER);
    count->t->now += count->every;
    job->due = count->t->now;
    if (++count->runs == count->most)
        loop->stopped = 1;
}

static void end(sl_job_t *job, sl_loop_t *loop)
{
    (void)loop;
    ((count_t *)job->baton)->ended++;
}

static void jobs_run_when_they_are_due(void **state)
{
    setup_t t;
    count_t often = {.most = 100, .every = 1000, .t = &t}, never = {.t = &t};
    sl_job_t first = {.name = "often", .begin = begin, .run = run, .end = end, .baton = &often};
    sl_job_t second = {.name = "never", .begin = begin, .run = run, .end = end, .baton = &never, .due = SL_NEVER};

    make(&t, *state);
    add(&t, &first);
    add(&t, &second);
    sl_loop_run(&t.loop);
    assert_int_equal(often.begun + often.ended + never.begun + never.ended, 4);
    assert_int_equal(often.runs, 100);
    assert_int_equal(never.runs, 0);
}

/* The clock is set while a job runs, after it has said when it is due. */
static void run_and_set_clock(sl_job_t *job, sl_loop_t *loop)
{
    count_t *count = job->baton;

    job->due = sl_world_now(loop->world) + 1000;
    if (count->runs == 2)
        count->t->now -= apr_time_from_sec(365 * 86400);
    if (count->runs == 4)
        count->t->now += apr_time_from_sec(2 * 365 * 86400L);
    if (++count->runs == count->most)
        loop->stopped = 1;
}

/* So much ahead of the machine's. */
static apr_time_t going(void *baton)
{
    return apr_time_now() + ((setup_t *)baton)->now;
}

static void a_clock_that_is_set_delays_nothing(void **state)
{
    setup_t t;
    count_t count = {.most = 8, .t = &t}, never = {.t = &t};
    sl_job_t job = {.run = run_and_set_clock, .baton = &count}, other = {.run = run, .baton = &never, .due = SL_NEVER};
    apr_time_t begun = apr_time_now();

    make(&t, *state);
    t.world.now = going;
    add(&t, &job);
    add(&t, &other);
    sl_loop_run(&t.loop);
    assert_int_equal(count.runs, 8);
    assert_int_equal(never.runs, 0);
    assert_true(apr_time_now() - begun < apr_time_from_sec(5)); /* a sleep takes ten seconds at most */
}

static void take_byte(sl_job_t *job, sl_loop_t *loop)
{
    count_t *count = job->baton;
    char byte;

    assert_int_equal(job->fds[0].revents, 0);
    assert_true(job->fds[1].revents & POLLIN);
    assert_int_equal(read(job->fds[1].fd, &byte, 1), 1);
    if (++count->runs == count->most)
        loop->stopped = 1;
}

static void jobs_run_when_a_descriptor_is_ready(void **state)
{
    setup_t t;
    count_t count = {.most = 3, .t = &t}, never = {.t = &t};
    int silent[2], busy[2];
    struct pollfd fds[2], other;
    sl_job_t bystander = {.run = run, .baton = &never, .due = SL_NEVER, .fds = &other, .fd_count = 1};
    sl_job_t job = {.run = take_byte, .baton = &count, .due = SL_NEVER, .fds = fds, .fd_count = 2};

    make(&t, *state);
    assert_int_equal(pipe(silent) | pipe(busy), 0);
    assert_int_equal(write(busy[1], "abc", 3), 3);
    fds[0].fd = other.fd = silent[0];
    fds[1].fd = busy[0];
    fds[0].events = fds[1].events = other.events = POLLIN;
    add(&t, &bystander);
    add(&t, &job);
    sl_loop_run(&t.loop);
    assert_int_equal(count.runs, 3);
    assert_int_equal(never.runs, 0);
    for (int i = 0; i < 2; i++) {
        close(silent[i]);
        close(busy[i]);
    }
}

static void a_byte_ends_it(void **state)
{
    setup_t t;
    count_t never = {.t = &t};
    sl_job_t job = {.run = run, .end = end, .baton = &never, .due = SL_NEVER};
    int way[2];

    make(&t, *state);
    add(&t, &job);
    assert_int_equal(pipe(way), 0);
    assert_int_equal(write(way[1], "", 1), 1);
    t.loop.end_fd = way[0];
    sl_loop_run(&t.loop);
    assert_int_equal(never.begun + never.runs + never.ended, 0);
    close(way[0]);
    close(way[1]);
}

/* A job with much to do: the byte comes while it works. */
typedef struct much_t {
    int to, steps, ended, in_begin;
} much_t;

static void work(much_t *much, sl_loop_t *loop)
{
    while (!sl_loop_is_over(loop) && ++much->steps < 1000) {
        if (much->steps == 100)
            assert_int_equal(write(much->to, "", 1), 1);
    }
}

static void begin_much(sl_job_t *job, sl_loop_t *loop)
{
    much_t *much = job->baton;

    if (much->in_begin)
        work(much, loop);
}

static void run_much(sl_job_t *job, sl_loop_t *loop)
{
    work(job->baton, loop);
}

static void end_much(sl_job_t *job, sl_loop_t *loop)
{
    (void)loop;
    ((much_t *)job->baton)->ended++;
}

static void count_sign(void *baton)
{
    ((setup_t *)baton)->signs++;
}

static void a_byte_ends_work_that_takes_long(void **state)
{
    for (int in_begin = 0; in_begin < 2; in_begin++) {
        setup_t t;
        much_t much = {.in_begin = in_begin};
        count_t never = {.t = &t};
        sl_job_t job = {.begin = begin_much, .run = run_much, .end = end_much, .baton = &much};
        sl_job_t behind = {.begin = begin, .run = run, .end = end, .baton = &never};
        int way[2];

        make(&t, *state);
        t.loop.alive = count_sign;
        add(&t, &job);
        add(&t, &behind);
        assert_int_equal(pipe(way), 0);
        t.loop.end_fd = way[0];
        much.to = way[1];
        sl_loop_run(&t.loop);
        assert_int_equal(much.steps, 100);
        assert_int_equal(much.ended, 1);
        assert_int_equal(never.begun, !in_begin);
        assert_int_equal(never.ended, never.begun); /* what has not begun does not end */
        assert_int_equal(never.runs, 0);
        assert_true(t.signs >= 101); /* and each step is a sign of life */
        close(way[0]);
        close(way[1]);
    }
}

/* ---- as a process ---- */

static void tell(sl_job_t *job, sl_loop_t *loop)
{
    const int *to = job->baton;

    (void)loop;
    if (write(*to, "r", 1) != 1)
        _exit(3);
}

static void tell_end(sl_job_t *job, sl_loop_t *loop)
{
    const int *to = job->baton;

    (void)loop;
    if (write(*to, "e", 1) != 1)
        _exit(3);
}

static void live_with(apr_pool_t *pool, pid_t parent, sl_job_t *job)
{
    setup_t t;

    make(&t, pool);
    t.loop.world = sl_world_real();
    t.loop.parent = parent;
    add(&t, job);
    sl_loop_catch_signals(&t.loop);
    sl_loop_run(&t.loop);
    _exit(0);
}

static void live(apr_pool_t *pool, pid_t parent, int *to)
{
    sl_job_t job = {.run = tell, .end = tell_end, .baton = to};

    live_with(pool, parent, &job);
}

static void it_ends_when_asked(void **state)
{
    int way[2], status;
    char byte;
    pid_t parent = getpid(), child;

    assert_int_equal(pipe(way), 0);
    child = fork();
    if (!child)
        live(*state, parent, &way[1]);
    assert_int_equal(read(way[0], &byte, 1), 1);
    assert_int_equal(byte, 'r');
    kill(child, SIGHUP); /* httpd's restart tells the whole group */
    kill(child, SIGUSR1);
    kill(child, SIGINT);
    kill(child, SIGTERM);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(read(way[0], &byte, 1), 1);
    assert_int_equal(byte, 'e');
    close(way[0]);
    close(way[1]);
}

/* SIGTERM is blocked while jobs run. */
static void tell_and_work(sl_job_t *job, sl_loop_t *loop)
{
    apr_time_t begun = apr_time_now();

    tell(job, loop);
    while (!sl_loop_is_over(loop)) {
        if (apr_time_now() - begun > apr_time_from_sec(30))
            _exit(4);
    }
}

static void it_ends_amid_long_work(void **state)
{
    for (int in_begin = 0; in_begin < 2; in_begin++) {
        int way[2], status;
        char byte;
        pid_t parent = getpid(), child;

        assert_int_equal(pipe(way), 0);
        child = fork();
        if (!child) {
            sl_job_t job = {.begin = in_begin ? tell_and_work : NULL, .run = tell_and_work, .end = tell_end};

            job.baton = &way[1];
            live_with(*state, parent, &job);
        }
        assert_int_equal(read(way[0], &byte, 1), 1);
        assert_int_equal(byte, 'r');
        kill(child, SIGTERM);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(read(way[0], &byte, 1), 1);
        assert_int_equal(byte, 'e');
        close(way[0]);
        close(way[1]);
    }
}

static void it_ends_with_its_parent(void **state)
{
    int way[2];
    char byte;
    pid_t child;

    assert_int_equal(pipe(way), 0);
    child = fork();
    if (!child) {
        pid_t middle = getpid();

        if (!fork())
            live(*state, middle, &way[1]);
        for (;;)
            pause();
    }
    assert_int_equal(read(way[0], &byte, 1), 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(way[1]);
    assert_int_equal(read(way[0], &byte, 1), 1);
    assert_int_equal(byte, 'e');
    assert_int_equal(read(way[0], &byte, 1), 0); /* nobody holds the other end any more */
    close(way[0]);
}

/* ---- the keeper's job ---- */

static sl_ticket_ring_t ring_of(const sl_section_t *section)
{
    sl_ticket_ring_t ring;

    assert_true(sl_section_read(section, 0, &ring, sizeof(ring), NULL) > 0);
    return ring;
}

static void the_ring_is_turned(void **state)
{
    setup_t t;
    sl_section_t *section;
    sl_ticket_ring_t before, after;
    sl_job_t *job;

    make(&t, *state);
    assert_int_equal(sl_section_make(&section, *state, 1, sizeof(before), NULL, NULL), APR_SUCCESS);
    assert_int_equal(sl_ticket_job_turn(section, 1000000, 60, 60, NULL, NULL), APR_SUCCESS);
    before = ring_of(section);
    assert_int_equal(before.count, 1);
    job = sl_ticket_job_make(*state, section, 60, 60);
    job->run(job, &t.loop); /* a keeper that starts anew finds nothing to do */
    assert_int_equal(sl_section_version(section, 0), 1);
    assert_int_equal(job->due, apr_time_from_sec(1000060));
    t.now = job->due;
    job->run(job, &t.loop);
    after = ring_of(section);
    assert_int_equal(after.count, 2);
    assert_memory_equal(&after.keys[1], &before.keys[0], sizeof(sl_ticket_key_t));
    assert_int_equal(t.said, 1);
    assert_int_equal(t.level, SL_SAY_DEBUG);
}

/* Ahead by a year, and back: a key is there at any time, and none serves longer than it should. */
static void the_ring_turns_with_a_clock_that_is_set(void **state)
{
    static const apr_int64_t jumps[] = {365 * 86400, -365 * 86400, -365 * 86400, 365 * 86400};
    setup_t t;
    sl_section_t *section;
    sl_job_t *job;

    make(&t, *state);
    assert_int_equal(sl_section_make(&section, *state, 1, sizeof(sl_ticket_ring_t), NULL, NULL), APR_SUCCESS);
    t.now = apr_time_from_sec(1000000000);
    assert_int_equal(sl_ticket_job_turn(section, 1000000000, 60, 60, NULL, NULL), APR_SUCCESS);
    job = sl_ticket_job_make(*state, section, 60, 60);
    for (int i = 0; i < 4; i++) {
        sl_ticket_ring_t ring;

        t.now += apr_time_from_sec(jumps[i]);
        job->run(job, &t.loop);
        ring = ring_of(section);
        assert_true(ring.count >= 1);
        assert_true(ring.keys[0].made == apr_time_sec(t.now));
        assert_true(job->due > t.now && job->due <= t.now + apr_time_from_sec(61));
    }
}

/* A section too small for a ring: what is there stays, it is told, and tried again. */
static void a_turn_that_fails_is_told(void **state)
{
    setup_t t;
    sl_section_t *section;
    sl_job_t *job;

    make(&t, *state);
    assert_int_equal(sl_section_make(&section, *state, 1, 8, NULL, NULL), APR_SUCCESS);
    job = sl_ticket_job_make(*state, section, 60, 60);
    job->run(job, &t.loop);
    assert_int_equal(t.said, 1);
    assert_int_equal(t.level, SL_SAY_ERROR);
    assert_true(job->due > t.now && job->due < t.now + apr_time_from_sec(61));
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(jobs_run_when_they_are_due),
    UNIT_TEST(a_clock_that_is_set_delays_nothing),
    UNIT_TEST(jobs_run_when_a_descriptor_is_ready),
    UNIT_TEST(a_byte_ends_it),
    UNIT_TEST(a_byte_ends_work_that_takes_long),
    UNIT_TEST(it_ends_when_asked),
    UNIT_TEST(it_ends_amid_long_work),
    UNIT_TEST(it_ends_with_its_parent),
    UNIT_TEST(the_ring_is_turned),
    UNIT_TEST(the_ring_turns_with_a_clock_that_is_set),
    UNIT_TEST(a_turn_that_fails_is_told),
};

UNIT_MAIN(tests)
