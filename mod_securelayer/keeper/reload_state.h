/* What became of reloading: written by the keeper, read by whoever wants to show it. */
#ifndef SL_KEEPER_RELOAD_STATE_H
#define SL_KEEPER_RELOAD_STATE_H

#include "keeper/board.h"

#define SL_RELOAD_REASON_MAX 600

typedef struct sl_reload_state_t {
    apr_uint64_t version;   /* how often newer files were taken; 0: what is served is that of the start */
    apr_int64_t changed;    /* seconds since 1970 when that was last; 0: never */
    apr_int64_t not_before, not_after; /* of what is served, if it has dates; 0: as at the start */
    apr_int64_t refused;    /* when the files that are there now were refused; 0: they were not */
    apr_uint64_t stamp;     /* of the files that were taken or refused last; 0: those of the start */
    char reason[SL_RELOAD_REASON_MAX]; /* why: file, reason, what to do; "" */
} sl_reload_state_t;

/* Any process. Zeroes if nothing happened yet, or `section` is NULL (nothing is reloaded). */
void sl_reload_state_read(const sl_section_t *section, int entry, sl_reload_state_t *state);

#endif
