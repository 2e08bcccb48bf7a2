/* The life of a small process beside httpd's children: jobs that run when they are due or when a descriptor is ready,
 * until the process is asked to end (SIGTERM) or its parent is gone.
 *
 * One thread. Jobs are made in the parent, before the process is forked, and run in the process. A job must not take
 * long (a second at most): what waits for somebody waits through `fds`. One that has to work through many things at
 * once asks sl_loop_is_over() between them. Time and log lines come and go through callbacks, nothing of httpd is known
 * here. */
#ifndef SL_KEEPER_LOOP_H
#define SL_KEEPER_LOOP_H

#include "base/problem.h"
#include "base/world.h"

#include <poll.h>

#define SL_NEVER APR_INT64_MAX

typedef enum { SL_SAY_ERROR, SL_SAY_WARNING, SL_SAY_NOTICE, SL_SAY_INFO, SL_SAY_DEBUG } sl_say_t;

typedef struct sl_loop_t sl_loop_t;
typedef struct sl_job_t sl_job_t;

struct sl_job_t {
    const char *name;                           /* for messages */
    void (*begin)(sl_job_t *job, sl_loop_t *loop); /* once in the process, privileges settled; may be NULL */
    /* When `due` has come, or a descriptor is ready (look at revents). Sets `due` anew: it is SL_NEVER when called. */
    void (*run)(sl_job_t *job, sl_loop_t *loop);
    void (*end)(sl_job_t *job, sl_loop_t *loop);   /* before the process ends, of what has begun; may be NULL */
    void *baton;
    apr_time_t due;                             /* 0: at once; SL_NEVER: only descriptors count */
    struct pollfd *fds;                         /* the job's own, may become others in each run */
    int fd_count;
};

struct sl_loop_t {
    apr_pool_t *pool;            /* of the process */
    apr_pool_t *scratch;         /* cleared after each run of a job */
    const sl_world_t *world;
    void (*say)(void *baton, sl_say_t level, const char *line); /* a line of the log; begins with its id */
    void (*alive)(void *baton);  /* a sign of life, amid long work; may be NULL */
    void *baton;                 /* of both */
    apr_array_header_t *jobs;    /* of sl_job_t * */
    pid_t parent;                /* ends with it; 0: with nobody */
    int end_fd;                  /* something to read from it ends the loop as well; 0: there is none */
    apr_time_t seen;             /* the loop's own: when it last looked at the clock */
    volatile int stopped;        /* set to end the loop; SIGTERM does while the loop sleeps */
};

/* Runs the jobs until the loop is stopped. SIGTERM stops it if sl_loop_catch_signals() was called. */
void sl_loop_run(sl_loop_t *loop);
/* Is the loop to end? For a job, in begin() too, between the many things it works through: SIGTERM does not come in
 * while a job runs, so the system is asked (some 0.2 microseconds). It also gives a sign of life. */
int sl_loop_is_over(sl_loop_t *loop);
/* Does nothing for that long, unless the loop is stopped. */
void sl_loop_pause(sl_loop_t *loop, apr_interval_time_t length);
/* For the process that runs this loop and nothing else: SIGTERM ends it, other signals of httpd are left to httpd, and
 * the end of the parent ends it too. To be called again after a change of user. */
void sl_loop_catch_signals(sl_loop_t *loop);
/* One line of the log, made like printf's. */
void sl_loop_say(sl_loop_t *loop, sl_say_t level, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
