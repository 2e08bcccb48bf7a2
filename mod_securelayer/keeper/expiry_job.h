/* The keeper's job that warns of certificates that come to their end: 30, 14, 7, 3 and 1 days before, or for those that
 * live for less than 90 days at the same fractions of their life, and when it has come.  What the start has told is not
 * told again. */
#ifndef SL_KEEPER_EXPIRY_JOB_H
#define SL_KEEPER_EXPIRY_JOB_H

#include "keeper/loop.h"

typedef struct sl_expiry_t {
    const char *name;                  /* for messages */
    apr_int64_t not_before, not_after; /* seconds since 1970 */
} sl_expiry_t;

/* Fills in what is served under number `n` now; runs in the keeper. 0: there is nothing to watch. */
typedef int (*sl_expiry_look_t)(void *baton, int n, sl_expiry_t *what);

/* `count` certificates. Made in the parent; `baton` lives as long as the job. */
sl_job_t *sl_expiry_job_make(apr_pool_t *pool, int count, sl_expiry_look_t look, void *baton);

#endif
