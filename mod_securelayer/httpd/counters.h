/* What is counted for the status page and metrics: sums over all children that outlive them and graceful restarts.
 *
 * Shared memory, made once by the parent. A child adds to a slot of its own (two share one when there are many
 * children); adds are atomic and wait for nobody. Readers add up all slots. */
#ifndef SL_HTTPD_COUNTERS_H
#define SL_HTTPD_COUNTERS_H

#include <httpd.h>

#include "conn/conn.h"

typedef enum { SL_COUNT_VERSION, SL_COUNT_KIND, SL_COUNT_FAILURE, SL_COUNTERS } sl_counter_t;

typedef struct sl_counter_row_t {
    const char *name, *help, *label; /* as in metrics; the name without "_total" */
    const char *title;               /* for people */
    int values;                      /* of the label: 0 to values - 1 */
    const char *(*word)(int value);
} sl_counter_row_t;

#define SL_TIME_BOUNDS 12

typedef struct sl_times_t {
    apr_uint64_t up_to[SL_TIME_BOUNDS + 1]; /* handshakes that took no longer than the bound; the last: all */
    apr_uint64_t sum;                       /* microseconds */
} sl_times_t;

extern const sl_counter_row_t sl_counter_rows[SL_COUNTERS];
extern const apr_interval_time_t sl_time_bounds[SL_TIME_BOUNDS]; /* microseconds */

/* In post_config, not in the rehearsal. */
apr_status_t sl_counters_start(server_rec *main_server, sl_problem_t *why) __attribute__((warn_unused_result));
/* In child_init. */
void sl_counters_join(void);

/* Any thread of a child: the handshake of that connection has ended, well (SL_STATE_OPEN) or not. */
void sl_counters_note(const sl_conn_t *conn);

/* Any process. */
apr_uint64_t sl_counters_sum(sl_counter_t counter, int value);
void sl_counters_times(sl_times_t *times);

#endif
