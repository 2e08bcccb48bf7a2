/* The steps before a certificate's end.  Used by keeper/expiry_job and keeper/directory_expiry. */
#include "keeper/expiry.h"

#include <apr_strings.h>
#include <apr_time.h>

#define DAY 86400
/* A life that the steps are made for; shorter ones have them nearer. */
#define USUAL_LIFE (90 * DAY)

static const int steps[] = {30, 14, 7, 3, 1, 0}; /* days */
#define STEPS ((int)(sizeof(steps) / sizeof(steps[0])))

/* Seconds before the end. */
static apr_int64_t step_of(const sl_expiry_t *what, int step)
{
    apr_int64_t life = what->not_after - what->not_before;

    return life >= USUAL_LIFE || life <= 0 ? (apr_int64_t)steps[step] * DAY : steps[step] * life / 90;
}

int sl_expiry_steps(const sl_expiry_t *what, apr_int64_t now)
{
    int over = 0;

    while (over < STEPS && what->not_after - now <= step_of(what, over))
        over++;
    return over;
}

apr_int64_t sl_expiry_next(const sl_expiry_t *what, int over)
{
    return over < STEPS ? what->not_after - step_of(what, over) : APR_INT64_MAX;
}

static const char *time_left(apr_pool_t *pool, apr_int64_t seconds)
{
    if (seconds >= 2 * DAY)
        return apr_psprintf(pool, "%" APR_INT64_T_FMT " days", seconds / DAY);
    if (seconds >= 7200)
        return apr_psprintf(pool, "%" APR_INT64_T_FMT " hours", seconds / 3600);
    return apr_psprintf(pool, "%" APR_INT64_T_FMT " minutes", seconds / 60);
}

void sl_expiry_tell(sl_loop_t *loop, const sl_expiry_t *what, apr_int64_t now)
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

void sl_expiry_tell_rest(sl_loop_t *loop, int count, const char *where)
{
    if (count > SL_EXPIRY_LINES)
        sl_loop_say(loop, SL_SAY_WARNING, "SL0155: so do %d other certificates%s", count - SL_EXPIRY_LINES, where);
}
