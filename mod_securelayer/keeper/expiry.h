/* When a certificate that comes to its end is told of, and in which words: 30, 14, 7, 3 and 1 days before, or for those
 * that live for less than 90 days at the same fractions of their life, and when the end has come.
 *
 * Nothing is remembered here. Runs in the keeper; times are seconds since 1970. */
#ifndef SL_KEEPER_EXPIRY_H
#define SL_KEEPER_EXPIRY_H

#include "keeper/loop.h"

/* Seconds between two looks at most: clocks are set. */
#define SL_EXPIRY_PAUSE 3600
/* Lines of one look; the rest is told as a number. */
#define SL_EXPIRY_LINES 20

typedef struct sl_expiry_t {
    const char *name;                  /* for messages */
    apr_int64_t not_before, not_after;
} sl_expiry_t;

/* How many of the steps are over at `now`. */
int sl_expiry_steps(const sl_expiry_t *what, apr_int64_t now);
/* When the one after `over` steps comes; APR_INT64_MAX: there is no other. */
apr_int64_t sl_expiry_next(const sl_expiry_t *what, int over);
/* Tells of it, whatever the step is. */
void sl_expiry_tell(sl_loop_t *loop, const sl_expiry_t *what, apr_int64_t now);
/* After `count` of them in one look: how many were not told one by one, and `where` those are (ends the sentence). */
void sl_expiry_tell_rest(sl_loop_t *loop, int count, const char *where);

#endif
