/* Reloading CAs, CRLs and names of CAs (keeper/reload_job): they go to the board as an identity/trust_blob. */
#ifndef SL_KEEPER_RELOAD_TRUST_H
#define SL_KEEPER_RELOAD_TRUST_H

#include "identity/trust.h"
#include "keeper/reload_job.h"

typedef struct sl_reload_trust_t {
    sl_trust_source_t source;
    sl_section_t *news; /* board->trusts */
    int id;
    unsigned char digest[SL_BOARD_KEY_SIZE]; /* SHA-256 of the start's bytes (sl_trust_encode()) */
} sl_reload_trust_t;

/* An sl_reload_item_t's load() whose baton is an sl_reload_trust_t. */
apr_status_t sl_reload_trust(sl_reload_item_t *item, sl_loop_t *loop, sl_reload_state_t *state, int *news,
                             const char **said, sl_problem_t *why) __attribute__((warn_unused_result));

#endif
