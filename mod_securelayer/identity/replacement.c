/* What keeps a certificate from being served after another one.  Called by keeper/reload_identity and
 * httpd/collect_vhosts. */
#include "identity/replacement.h"

#include "base/text.h"
#include "crypto/cert_text.h"

#include <apr_strings.h>
#include <string.h>

#define CLOCK_SKEW 300 /* seconds that a certificate may be from the future */

typedef struct check_t {
    const sl_identity_t *old; /* NULL: there was none */
    const sl_identity_t *fresh;
    const apr_array_header_t *names;
    apr_int64_t now;
    const sl_origin_t *origin;
    apr_pool_t *pool;
    sl_problem_t *why;
} check_t;

static apr_status_t refuse(const sl_identity_t *fresh, sl_problem_t *why, const char *advice, const char *reason)
{
    sl_problem_set(why, APR_EINVAL, fresh->origin, "%s", reason);
    sl_problem_advise(why, "%s", advice);
    return APR_EINVAL;
}

apr_status_t sl_replacement_check_dates(const sl_identity_t *fresh, apr_int64_t now, apr_pool_t *pool,
                                        sl_problem_t *why)
{
    if (fresh->not_after < now)
        return refuse(fresh, why, "Renew it",
                      apr_psprintf(pool, "the certificate expired on %s", sl_cert_text_not_after(pool, fresh->leaf)));
    if (fresh->not_before > now + CLOCK_SKEW)
        return refuse(
            fresh, why, "Check the clock of this machine, or put it there later",
            apr_psprintf(pool, "the certificate is not valid before %s", sl_cert_text_not_before(pool, fresh->leaf)));
    return APR_SUCCESS;
}

apr_status_t sl_replacement_check_strength(const sl_identity_t *old, const sl_identity_t *fresh, apr_pool_t *pool,
                                           sl_problem_t *why)
{
    const char *weak = sl_identity_weakness(fresh, pool);

    if (!weak || (old && sl_identity_weakness(old, pool)))
        return APR_SUCCESS;
    return refuse(fresh, why, "Make a new key of at least 2048 bits (RSA) or on P-256, and have it signed with SHA-256",
                  weak);
}

/* A host may have names that its certificate is not meant for, but not only such ones. */
static apr_status_t check_first_names(const check_t *check)
{
    const char *missed = NULL;
    int others = 0;

    for (int i = 0; check->names && i < check->names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(check->names, i, const char *);
        char host[SL_HOST_MAX + 1];

        if (!sl_text_host(host, name, strlen(name)))
            continue;
        if (sl_identity_covers(check->fresh, host))
            return APR_SUCCESS;
        others += missed != NULL;
        missed = missed ? missed : apr_pstrdup(check->pool, host);
    }
    if (!missed)
        return APR_SUCCESS;
    return refuse(check->fresh, check->why, "Get a certificate for that name, or restart httpd if this is wanted",
                  apr_psprintf(check->pool, "the certificate does not cover %s%s", missed,
                               others ? ", nor any other name of its hosts" : ""));
}

static apr_status_t check_names(const check_t *check)
{
    if (!check->old)
        return check_first_names(check);
    for (int i = 0; i < check->names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(check->names, i, const char *);
        char host[SL_HOST_MAX + 1];

        if (!sl_text_host(host, name, strlen(name)) || !sl_identity_covers(check->old, host) ||
            sl_identity_covers(check->fresh, host))
            continue;
        return refuse(
            check->fresh, check->why, "Get a certificate for that name too, or stop and start httpd if this is wanted",
            apr_psprintf(check->pool, "the certificate does not cover %s, which the one before covers", host));
    }
    return APR_SUCCESS;
}

static apr_status_t check_all(const check_t *check)
{
    apr_status_t rv = sl_replacement_check_dates(check->fresh, check->now, check->pool, check->why);

    if (rv == APR_SUCCESS)
        rv = check_names(check);
    if (rv == APR_SUCCESS)
        rv = sl_replacement_check_strength(check->old, check->fresh, check->pool, check->why);
    if (rv != APR_SUCCESS)
        check->why->origin = *check->origin;
    return rv;
}

apr_status_t sl_replacement_check(const sl_identity_t *old, const sl_identity_t *fresh, const apr_array_header_t *names,
                                  apr_int64_t now, const sl_origin_t *origin, apr_pool_t *pool, sl_problem_t *why)
{
    const check_t check = {old, fresh, names, now, origin, pool, why};

    return check_all(&check);
}

apr_status_t sl_replacement_check_first(const sl_identity_t *fresh, const apr_array_header_t *names, apr_int64_t now,
                                        const sl_origin_t *origin, apr_pool_t *pool, sl_problem_t *why)
{
    const check_t check = {NULL, fresh, names, now, origin, pool, why};

    return check_all(&check);
}
