/* How long a helper process may be silent before it counts as hung.
 *
 * Asked by the parent each time it comes by (every ten seconds or so). What counts is the time in which the parent came
 * by and there was no new sign of life: at most SL_PATIENCE_STEP for each time. So nothing is held against a helper
 * that was stopped together with the parent, as on a machine that is suspended, a virtual one that is paused or a
 * container that is frozen; clocks that are set play no part.
 * Runs in: the parent. */
#ifndef SL_KEEPER_PATIENCE_H
#define SL_KEEPER_PATIENCE_H

#include <apr_time.h>
#include <sys/types.h>

#define SL_PULSE 5              /* seconds between two signs of life of a helper that has nothing else to do */
#define SL_PATIENCE_PERIODS                                                                                            \
    120 /* so many of them without a sign: ten minutes. A job takes a second, on a storage that
                                   is slow or amid 100,000 files minutes; what fails to come is only news. */
#define SL_PATIENCE apr_time_from_sec(SL_PATIENCE_PERIODS *SL_PULSE)
#define SL_PATIENCE_STEP apr_time_from_sec(15)

/* Zeroed when the helper is started. */
typedef struct sl_patience_t {
    apr_int64_t sign;
    apr_time_t looked;          /* 0: never */
    apr_interval_time_t silent;
} sl_patience_t;

/* `ticks`: of the clock that is never set. `sign` is another one after each sign of life. Is it hung? Once told, its
 * patience begins anew. */
int sl_patience_is_over(sl_patience_t *patience, apr_int64_t sign, apr_time_t ticks);
/* A debugger holds the process: nobody can say what it would do otherwise. 0 where the system does not tell. */
int sl_process_is_traced(pid_t pid);

#endif
