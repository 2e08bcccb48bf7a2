/* Warnings of certificates near their end.  Made by httpd/expiry; looks once an hour, and when the next step is due. */
#include "keeper/expiry_job.h"

#include <apr_strings.h>
#include <apr_time.h>

#define DAY 86400
/* A life that the steps are made for; shorter ones have them nearer. */
#define USUAL_LIFE (90 * DAY)
#define LONGEST_PAUSE apr_time_from_sec(3600)
/* Lines of one look; the rest is told as a number. */
#define MOST_LINES 20

static const int steps[] = {30, 14, 7, 3, 1, 0}; /* days */
#define STEPS ((int)(sizeof(steps) / sizeof(steps[0])))

typedef struct watch_t {
    int count;
    sl_expiry_look_t look;
    void *baton;
    int begun;
    unsigned char *told; /* steps of each that are over */
} watch_t;

/* Seconds before the end. */
static apr_int64_t step_of(const sl_expiry_t *what, int step)
{
    apr_int64_t life = what->not_after - what->not_before;

    return life >= USUAL_LIFE || life <= 0 ? (apr_int64_t)steps[step] * DAY : steps[step] * life / 90;
}

static int steps_over(const sl_expiry_t *what, apr_int64_t now)
{
    int over = 0;

    while (over < STEPS && what->not_after - now <= step_of(what, over))
        over++;
    return over;
}

static const char *time_left(apr_pool_t *pool, apr_int64_t seconds)
{
    if (seconds >= 2 * DAY)
        return apr_psprintf(pool, "%" APR_INT64_T_FMT " days", seconds / DAY);
    if (seconds >= 7200)
        return apr_psprintf(pool, "%" APR_INT64_T_FMT " hours", seconds / 3600);
    return apr_psprintf(pool, "%" APR_INT64_T_FMT " minutes", seconds / 60);
}

static void tell(sl_loop_t *loop, const sl_expiry_t *what, apr_int64_t now)
{
    char end[APR_RFC822_DATE_LEN];

    apr_rfc822_date(end, apr_time_from_sec(what->not_after));
    if (what->not_after <= now)
        sl_loop_say(loop, SL_SAY_ERROR, "SL0154: the certificate %s expired on %s: clients refuse it. Renew it",
                    what->name, end);
    else
        sl_loop_say(loop, SL_SAY_WARNING, "SL0154: the certificate %s expires in %s, on %s: renew it", what->name,
                    time_left(loop->scratch, what->not_after - now), end);
}

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
    over = steps_over(&what, now);
    if (is_news(watch, n, over) && ++*lines <= MOST_LINES)
        tell(loop, &what, now);
    return over < STEPS ? what.not_after - step_of(&what, over) : APR_INT64_MAX;
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
    if (lines > MOST_LINES)
        sl_loop_say(loop, SL_SAY_WARNING, "SL0155: so do %d other certificates: the status page lists them",
                    lines - MOST_LINES);
    job->due = apr_time_from_sec(now) + LONGEST_PAUSE;
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
