/* What is counted for the status page and metrics: sums over all children that outlive them and graceful restarts, and
 * what each child that lives has at the moment.
 *
 * Shared memory, made once by the parent. A child adds to a slot of its own; adds are atomic and wait for nobody.
 * Readers add up all slots. Children that are too many for that share slots, and only their sums are known. */
#ifndef SL_HTTPD_COUNTERS_H
#define SL_HTTPD_COUNTERS_H

#include <httpd.h>

#include "conn/conn.h"

typedef enum {
    SL_COUNT_VERSION,
    SL_COUNT_KIND,
    SL_COUNT_GROUP,
    SL_COUNT_SUITE,
    SL_COUNT_FAILURE,
    SL_COUNT_BACKEND,
    SL_COUNT_BACKEND_FAILURE,
    SL_COUNT_TICKET,
    SL_COUNT_SESSION,
    SL_COUNT_IDENTITY,
    SL_COUNTERS
} sl_counter_t;

/* Values of SL_COUNT_KIND and SL_COUNT_BACKEND, of SL_COUNT_SESSION, and of SL_COUNT_IDENTITY; SL_COUNT_TICKET has
 * those of sl_ticket_found_t and this one. */
enum { SL_KIND_FULL, SL_KIND_RESUMED, SL_KINDS };
enum { SL_SESSION_HIT, SL_SESSION_MISS, SL_SESSION_STORED, SL_SESSION_FAILED, SL_SESSION_COUNTS };
enum { SL_IDENTITY_FOUND, SL_IDENTITY_MADE, SL_IDENTITY_COUNTS };
enum { SL_TICKET_MADE = SL_TICKET_FIRST_KEY + 1, SL_TICKET_COUNTS };

typedef struct sl_counter_row_t {
    const char *name, *help, *label; /* as in metrics; the name without "_total" */
    const char *key;                 /* as in JSON */
    const char *title;               /* for people */
    int values;                      /* of the label: 0 to values - 1 */
    const char *(*word)(int value);
} sl_counter_row_t;

#define SL_TIME_BOUNDS 12

typedef struct sl_times_t {
    apr_uint64_t up_to[SL_TIME_BOUNDS + 1]; /* handshakes that took no longer than the bound; the last: all */
    apr_uint64_t sum;                       /* microseconds */
} sl_times_t;

/* What parked connections wait for. */
typedef enum { SL_WAIT_HELLO, SL_WAIT_HANDSHAKE, SL_WAIT_REQUEST, SL_WAITS } sl_wait_t;

typedef struct sl_child_t {
    apr_int64_t pid, since; /* seconds since 1970 */
    apr_uint64_t handshakes, identities_found, identities_made;
    apr_int64_t parked[SL_WAITS];
} sl_child_t;

extern const sl_counter_row_t sl_counter_rows[SL_COUNTERS];
extern const apr_interval_time_t sl_time_bounds[SL_TIME_BOUNDS]; /* microseconds */
/* "hello", "handshake", "request" */
extern const char *const sl_wait_words[SL_WAITS];

/* In post_config, not in the rehearsal. */
apr_status_t sl_counters_start(server_rec *main_server, sl_problem_t *why) __attribute__((warn_unused_result));
/* In child_init, before anything is counted. */
void sl_counters_join(apr_pool_t *child_pool);

/* ---- any thread of a child ---- */

void sl_counters_add(sl_counter_t counter, int value);
/* What that one adds to, for others to add to; NULL in a process that has not joined. */
_Atomic apr_uint64_t *sl_counters_cell(sl_counter_t counter, int value);
/* The handshake of that connection has ended, well (SL_STATE_OPEN) or not; in either role. */
void sl_counters_note(const sl_conn_t *conn);
/* So many connections are parked in this child now. */
void sl_counters_park(const int parked[SL_WAITS]);

/* ---- any process ---- */

apr_uint64_t sl_counters_sum(sl_counter_t counter, int value);
/* Of all values. */
apr_uint64_t sl_counters_total(sl_counter_t counter);
void sl_counters_times(sl_times_t *times);
/* sl_child_t of each child that lives. */
apr_array_header_t *sl_counters_children(apr_pool_t *pool);
/* Of all of these. */
apr_int64_t sl_counters_parked(const apr_array_header_t *children, sl_wait_t wait);

#endif
