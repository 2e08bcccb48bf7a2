/* May a certificate take the place of the one that is served, or of none? Asked by the keeper when files changed, and
 * by a restart that finds other files than the start before.
 *
 * Pure; any process and thread. */
#ifndef SL_IDENTITY_REPLACEMENT_H
#define SL_IDENTITY_REPLACEMENT_H

#include <apr_tables.h>

#include "identity/identity.h"

/* APR_EINVAL, told in `why` with `origin`, if `fresh`
 * - has expired, or is not valid yet (five minutes of a clock that is late are allowed for),
 * - does not cover one of `names` (const char *: ServerName and aliases, in any case) that `old` covers,
 * - has a key or signature that is weak (sl_identity_weakness()), and that of `old` is not.
 * `now`: seconds since 1970. Both with their keys. Texts are of `pool`. */
apr_status_t sl_replacement_check(const sl_identity_t *old, const sl_identity_t *fresh, const apr_array_header_t *names,
                                  apr_int64_t now, const sl_origin_t *origin, apr_pool_t *pool, sl_problem_t *why)
    __attribute__((warn_unused_result));
/* The same where nothing was served before: dates and weakness, and it has to cover one of `names` at least; NULL: it
 * may be for any name. */
apr_status_t sl_replacement_check_first(const sl_identity_t *fresh, const apr_array_header_t *names, apr_int64_t now,
                                        const sl_origin_t *origin, apr_pool_t *pool, sl_problem_t *why)
    __attribute__((warn_unused_result));

/* Parts of it, for who has rules of its own about names. They leave the origin in `why` alone. `old` may be NULL. */
apr_status_t sl_replacement_check_dates(const sl_identity_t *fresh, apr_int64_t now, apr_pool_t *pool,
                                        sl_problem_t *why) __attribute__((warn_unused_result));
apr_status_t sl_replacement_check_strength(const sl_identity_t *old, const sl_identity_t *fresh, apr_pool_t *pool,
                                           sl_problem_t *why) __attribute__((warn_unused_result));

#endif
