/* The courier's job that keeps stapled OCSP answers (keeper/staple) fresh. It has a thread of its own, since responders
 * make it wait. */
#ifndef SL_KEEPER_STAPLE_JOB_H
#define SL_KEEPER_STAPLE_JOB_H

#include "keeper/staple.h"

#include <apr_tables.h>

/* One question at a time. While a responder gives no answer at all it is asked about one certificate alone.
 *
 * `staples` (of sl_staple_t *) are all there is; when the shelf's `identities` have a newer version of a certificate's
 * identity, that one takes its place. Made in the parent, which publishes what was kept in files for those that have no
 * answer yet: for those that are urgent, and a thousand of the others, so that a start need not wait for all of
 * them; the thread begins with the rest. `shelf` is copied, what it points to and `staples` live as long as the job. */
sl_job_t *sl_staple_job_make(apr_pool_t *pool, const sl_staple_shelf_t *shelf, apr_array_header_t *staples);

/* Of certificates that come and go: `look` puts them into `staples`, once a second, or takes them out (NULL); it runs
 * in the thread. */
typedef void (*sl_staple_look_t)(void *baton, sl_staple_shelf_t *shelf, apr_array_header_t *staples,
                                 apr_pool_t *scratch);
sl_job_t *sl_staple_job_make_open(apr_pool_t *pool, const sl_staple_shelf_t *shelf, apr_array_header_t *staples,
                                  sl_staple_look_t look, void *baton);

/* Looks at the clock, which says `now` and said *seen before: if it was set back, what is due moves along. */
void sl_staple_notice_clock(apr_array_header_t *staples, apr_time_t *seen, apr_time_t now);

#endif
