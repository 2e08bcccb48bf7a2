/* The keeper's job that warns of certificates that come to their end (keeper/expiry), by numbers: those of the
 * configuration. Each step is told once; what the start has told is not told again. */
#ifndef SL_KEEPER_EXPIRY_JOB_H
#define SL_KEEPER_EXPIRY_JOB_H

#include "keeper/expiry.h"

/* Fills in what is served under number `n` now; runs in the keeper. 0: there is nothing to watch. */
typedef int (*sl_expiry_look_t)(void *baton, int n, sl_expiry_t *what);

/* `count` certificates. Made in the parent; `baton` lives as long as the job. */
sl_job_t *sl_expiry_job_make(apr_pool_t *pool, int count, sl_expiry_look_t look, void *baton);

#endif
