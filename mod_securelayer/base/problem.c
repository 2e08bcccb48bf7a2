/* Failures told once.  Everything that can fail in base, crypto, identity, profile and conn fills one of these;
 * httpd/log prints them. */
#include "base/problem.h"

#include <apr_errno.h>
#include <apr_strings.h>
#include <stdarg.h>

sl_problem_t *sl_problem_make(apr_pool_t *pool)
{
    sl_problem_t *why = apr_pcalloc(pool, sizeof(*why));

    why->pool = pool;
    why->gravity = SL_PROBLEM_ERROR;
    return why;
}

apr_status_t sl_problem_set(sl_problem_t *why, apr_status_t status, const char *object, const char *format, ...)
{
    va_list args;

    if (status == APR_SUCCESS)
        status = APR_EGENERAL;
    if (!why || why->status != APR_SUCCESS)
        return status;
    why->status = status;
    why->object = object ? apr_pstrdup(why->pool, object) : NULL;
    va_start(args, format);
    why->reason = apr_pvsprintf(why->pool, format, args);
    va_end(args);
    return status;
}

void sl_problem_advise(sl_problem_t *why, const char *format, ...)
{
    va_list args;

    if (!why || why->advice)
        return;
    va_start(args, format);
    why->advice = apr_pvsprintf(why->pool, format, args);
    va_end(args);
}

void sl_problem_while(sl_problem_t *why, const char *format, ...)
{
    va_list args;
    const char *what;

    if (!why || why->status == APR_SUCCESS)
        return;
    va_start(args, format);
    what = apr_pvsprintf(why->pool, format, args);
    va_end(args);
    why->reason = apr_pstrcat(why->pool, what, ": ", why->reason, NULL);
}

const char *sl_problem_text(const sl_problem_t *why, apr_pool_t *pool)
{
    const char *where = "";

    if (!why || why->status == APR_SUCCESS)
        return "no problem";
    if (why->origin.file)
        where = apr_psprintf(pool, "%s:%d: ", why->origin.file, why->origin.line);
    return apr_pstrcat(pool, where, why->origin.directive ? why->origin.directive : "",
                       why->origin.directive ? ": " : "", why->object ? why->object : "", why->object ? ": " : "",
                       why->reason, why->advice ? ". " : "", why->advice ? why->advice : "", NULL);
}

sl_problems_t *sl_problems_make(apr_pool_t *pool)
{
    sl_problems_t *problems = apr_pcalloc(pool, sizeof(*problems));

    problems->pool = pool;
    problems->all = apr_array_make(pool, 4, sizeof(sl_problem_t *));
    return problems;
}

sl_problem_t *sl_problems_new(sl_problems_t *problems, const sl_origin_t *origin)
{
    sl_problem_t *why = sl_problem_make(problems->pool);

    if (origin)
        why->origin = *origin;
    return why;
}

void sl_problems_keep(sl_problems_t *problems, sl_problem_t *why, sl_gravity_t gravity)
{
    if (why->status == APR_SUCCESS)
        return;
    why->gravity = gravity;
    if (gravity == SL_PROBLEM_ERROR)
        problems->errors++;
    APR_ARRAY_PUSH(problems->all, sl_problem_t *) = why;
}

int sl_problems_soften(sl_problems_t *problems, int first)
{
    int count = 0;

    for (int i = first; i < problems->all->nelts; i++) {
        sl_problem_t *why = APR_ARRAY_IDX(problems->all, i, sl_problem_t *);

        if (why->gravity != SL_PROBLEM_ERROR)
            continue;
        why->gravity = SL_PROBLEM_OF_HOST;
        count++;
    }
    problems->errors -= count;
    return count;
}

void sl_problems_add(sl_problems_t *problems, sl_gravity_t gravity, const char *log_id, const sl_origin_t *origin,
                     const char *object, const char *advice, const char *format, ...)
{
    sl_problem_t *why = sl_problems_new(problems, origin);
    va_list args;

    why->status = APR_EGENERAL;
    why->log_id = log_id;
    why->object = object;
    why->advice = advice;
    va_start(args, format);
    why->reason = apr_pvsprintf(problems->pool, format, args);
    va_end(args);
    sl_problems_keep(problems, why, gravity);
}
