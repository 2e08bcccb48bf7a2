/* Warnings of certificates near their end.  Made by httpd/identities; looks once an hour, and when the next step is
 * due. */
#include "keeper/expiry_job.h"

#include <apr_time.h>

typedef struct watch_t {
    int count;
    sl_expiry_look_t look;
    void *baton;
    int begun;
    unsigned char *told; /* steps of each that are over */
} watch_t;

/* A certificate that was renewed begins anew. */
static int is_news(watch_t *watch, int n, int over)
{
    int was = watch->told[n];

    watch->told[n] = (unsigned char)over;
    return watch->begun && over > was;
}

static apr_int64_t look_at(watch_t *watch, int n, sl_loop_t *loop, apr_int64_t now, int *lines)
{
    sl_expiry_t what;
    int over;

    if (!watch->look(watch->baton, n, &what))
        return APR_INT64_MAX;
    over = sl_expiry_steps(&what, now);
    if (is_news(watch, n, over) && ++*lines <= SL_EXPIRY_LINES)
        sl_expiry_tell(loop, &what, now);
    return sl_expiry_next(&what, over);
}

static void run(sl_job_t *job, sl_loop_t *loop)
{
    watch_t *watch = job->baton;
    apr_int64_t now = apr_time_sec(sl_world_now(loop->world)), next = APR_INT64_MAX;
    int lines = 0;

    for (int n = 0; n < watch->count && !sl_loop_is_over(loop); n++) {
        apr_int64_t due = look_at(watch, n, loop, now, &lines);

        next = due < next ? due : next;
    }
    watch->begun = 1;
    sl_expiry_tell_rest(loop, lines, ": the status page lists them");
    job->due = apr_time_from_sec(now) + apr_time_from_sec(SL_EXPIRY_PAUSE);
    if (next < apr_time_sec(job->due))
        job->due = apr_time_from_sec(next > now ? next : now + 1);
}

sl_job_t *sl_expiry_job_make(apr_pool_t *pool, int count, sl_expiry_look_t look, void *baton)
{
    sl_job_t *job = apr_pcalloc(pool, sizeof(*job));
    watch_t *watch = apr_pcalloc(pool, sizeof(*watch));

    watch->count = count;
    watch->look = look;
    watch->baton = baton;
    watch->told = apr_pcalloc(pool, (apr_size_t)(count > 0 ? count : 1));
    job->name = "expiry";
    job->run = run;
    job->baton = watch;
    return job;
}
