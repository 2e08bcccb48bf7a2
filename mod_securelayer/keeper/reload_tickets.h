/* Reloading a file of ticket keys (SSLSessionTicketKeyFile): a newer ring takes its place on the board. */
#ifndef SL_KEEPER_RELOAD_TICKETS_H
#define SL_KEEPER_RELOAD_TICKETS_H

#include "keeper/reload_job.h"

typedef struct sl_reload_tickets_t {
    const char *path;
    sl_section_t *rings; /* board->ticket_files */
    int entry;
} sl_reload_tickets_t;

/* An sl_reload_item_t's load() whose baton is an sl_reload_tickets_t. */
apr_status_t sl_reload_tickets(sl_reload_item_t *item, sl_loop_t *loop, sl_reload_state_t *state, int *news,
                               const char **said, sl_problem_t *why) __attribute__((warn_unused_result));

#endif
