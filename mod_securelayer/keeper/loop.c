/* The loop of keeper and courier. */
#include "keeper/loop.h"

#include <apr_strings.h>
#include <apr_tables.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

/* Nobody sleeps longer: clocks are set, and parents die where the system does not tell. */
#define LONGEST_SLEEP apr_time_from_sec(10)

static sl_loop_t *caught;

static void stop(int signal_number)
{
    (void)signal_number;
    caught->stopped = 1;
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

void sl_loop_catch_signals(sl_loop_t *loop)
{
    static const int others[] = {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGWINCH, SIGPIPE};
    static const int plain[] = {SIGCHLD, SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGXCPU, SIGXFSZ};
    sigset_t term;

    caught = loop;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_SETMASK, &term, NULL); /* it comes in while the loop sleeps, and not between test and sleep */
    handle(SIGTERM, stop);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        handle(others[i], SIG_IGN);
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        handle(plain[i], SIG_DFL);
#ifdef __linux__
    if (loop->parent)
        prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
}

void sl_loop_say(sl_loop_t *loop, sl_say_t level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    loop->say(loop->baton, level, apr_pvsprintf(loop->scratch, format, args));
    va_end(args);
}

static int is_asked_to_end(const sl_loop_t *loop)
{
    struct pollfd end = {loop->end_fd, POLLIN, 0};
    sigset_t waiting;

    if (caught == loop && sigpending(&waiting) == 0 && sigismember(&waiting, SIGTERM) == 1)
        return 1;
    return loop->end_fd && poll(&end, 1, 0) > 0;
}

int sl_loop_is_over(sl_loop_t *loop)
{
    if (loop->alive)
        loop->alive(loop->baton);
    if (!loop->stopped && is_asked_to_end(loop))
        loop->stopped = 1;
    return loop->stopped;
}

static sl_job_t *nth(const sl_loop_t *loop, int n)
{
    return APR_ARRAY_IDX(loop->jobs, n, sl_job_t *);
}

static void run_job(sl_loop_t *loop, sl_job_t *job)
{
    job->due = SL_NEVER;
    job->run(job, loop);
    apr_pool_clear(loop->scratch);
}

/* Whoever set the clock back did not want jobs to wait the longer. */
static void shift_dues(const sl_loop_t *loop, apr_interval_time_t back)
{
    for (int i = 0; i < loop->jobs->nelts; i++) {
        if (nth(loop, i)->due != SL_NEVER)
            nth(loop, i)->due -= back;
    }
}

static apr_time_t look_at_clock(sl_loop_t *loop)
{
    apr_time_t now = sl_world_now(loop->world);

    if (now < loop->seen)
        shift_dues(loop, loop->seen - now);
    loop->seen = now;
    return now;
}

static apr_interval_time_t time_to_sleep(sl_loop_t *loop)
{
    apr_time_t now = look_at_clock(loop);
    apr_interval_time_t sleep = LONGEST_SLEEP;

    for (int i = 0; i < loop->jobs->nelts; i++) {
        apr_time_t due = nth(loop, i)->due;

        if (due <= now)
            return 0;
        if (due - now < sleep)
            sleep = due - now;
    }
    return sleep;
}

/* Sleeps, and notes in each job's descriptors which are ready. */
static void sleep_until_due(sl_loop_t *loop)
{
    apr_interval_time_t sleep = time_to_sleep(loop);
    struct timespec limit = {apr_time_sec(sleep), apr_time_usec(sleep) * 1000};
    struct pollfd *all;
    sigset_t none;
    int count = 1, ready;

    for (int i = 0; i < loop->jobs->nelts; i++)
        count += nth(loop, i)->fd_count;
    all = apr_pcalloc(loop->scratch, sizeof(*all) * (apr_size_t)count);
    all[0].fd = loop->end_fd ? loop->end_fd : -1;
    all[0].events = POLLIN;
    count = 1;
    for (int i = 0; i < loop->jobs->nelts; i++) {
        const sl_job_t *job = nth(loop, i);

        for (int k = 0; k < job->fd_count; k++)
            all[count++] = job->fds[k];
    }
    sigemptyset(&none);
    ready = ppoll(all, (nfds_t)count, &limit, caught == loop ? &none : NULL);
    if (ready > 0 && all[0].revents)
        loop->stopped = 1;
    count = 1;
    for (int i = 0; i < loop->jobs->nelts; i++) {
        sl_job_t *job = nth(loop, i);

        for (int k = 0; k < job->fd_count; k++)
            job->fds[k].revents = ready > 0 ? all[count++].revents : 0;
    }
    apr_pool_clear(loop->scratch);
}

void sl_loop_pause(sl_loop_t *loop, apr_interval_time_t length)
{
    apr_time_t start = sl_world_now(loop->world), passed = 0;
    sigset_t none;

    sigemptyset(&none);
    while (!loop->stopped && passed >= 0 && passed < length) {
        struct timespec limit = {apr_time_sec(length - passed), apr_time_usec(length - passed) * 1000};

        ppoll(NULL, 0, &limit, caught == loop ? &none : NULL);
        passed = sl_world_now(loop->world) - start;
    }
}

static int is_ready(sl_loop_t *loop, const sl_job_t *job)
{
    apr_time_t now = look_at_clock(loop);

    if (job->due <= now)
        return 1;
    for (int k = 0; k < job->fd_count; k++) {
        if (job->fds[k].revents)
            return 1;
    }
    return 0;
}

void sl_loop_run(sl_loop_t *loop)
{
    int begun = 0;

    for (; begun < loop->jobs->nelts && !sl_loop_is_over(loop); begun++) {
        if (nth(loop, begun)->begin)
            nth(loop, begun)->begin(nth(loop, begun), loop);
    }
    while (!loop->stopped && (!loop->parent || getppid() == loop->parent)) {
        sleep_until_due(loop);
        for (int i = 0; i < loop->jobs->nelts && !sl_loop_is_over(loop); i++) {
            if (is_ready(loop, nth(loop, i)))
                run_job(loop, nth(loop, i));
        }
    }
    for (int i = 0; i < begun; i++) {
        if (nth(loop, i)->end)
            nth(loop, i)->end(nth(loop, i), loop);
    }
}
