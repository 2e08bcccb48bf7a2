/* The keeper's job that takes what has changed in files: load, check, publish; or refuse, and let what was there serve
 * on.
 *
 * Files that do not fit together (a new certificate beside the old key) may be half of a change: they are tried again
 * for some seconds before they are refused. A refusal is told once, and so is its end; what was refused is tried again
 * from time to time, for clocks are set, dates come, and shortages end. So is what was not there at the start and is
 * awaited, whose failure the start has told. What files say is the business
 * of the item (keeper/reload_identity, keeper/reload_tickets, ...). */
#ifndef SL_KEEPER_RELOAD_JOB_H
#define SL_KEEPER_RELOAD_JOB_H

#include "keeper/loop.h"
#include "keeper/reload_state.h"
#include "keeper/watch.h"

#define SL_RELOAD_BY_EVENTS (-1)
/* Of load(): the files are whole, and not to be used; waiting would change nothing. */
#define SL_RELOAD_REFUSED (APR_OS_START_USERERR + 4711)

typedef struct sl_reload_item_t sl_reload_item_t;
struct sl_reload_item_t {
    const char *name;                       /* for messages: "the certificate /etc/ssl/a.pem" */
    const char *paths[SL_WATCH_PATHS + 1];  /* absolute; NULL ends them */
    apr_uint64_t stamp;                     /* of the files when they were loaded (sl_watch_stamp(), taken before) */
    /* Reads, checks and publishes. Any failure but SL_RELOAD_REFUSED is tried again for a while. *news becomes 1 if
     * what is there differs from what is served; *said (may stay NULL) what is to be told of it. `state` has version,
     * changed and the dates of what is served so far. */
    apr_status_t (*load)(sl_reload_item_t *item, sl_loop_t *loop, sl_reload_state_t *state, int *news,
                         const char **said, sl_problem_t *why);
    void *baton;
    int entry; /* in the section of states */
    int is_awaited; /* there was nothing to serve at the start: hosts are left out until it is taken first */
};

/* `items` (of sl_reload_item_t *) and `states` live as long as the job. `interval`: seconds between two looks, or
 * SL_RELOAD_BY_EVENTS. Made in the parent. */
sl_job_t *sl_reload_job_make(apr_pool_t *pool, apr_array_header_t *items, sl_section_t *states, int interval);

#endif
