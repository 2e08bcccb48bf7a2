/* Reloading a certificate with its chain and key (keeper/reload_job): what is new goes to the board as an
 * identity/blob, from where keeper/supply has it. */
#ifndef SL_KEEPER_RELOAD_IDENTITY_H
#define SL_KEEPER_RELOAD_IDENTITY_H

#include "identity/phrases.h"
#include "identity/source.h"
#include "keeper/reload_job.h"
#include "keeper/supply.h"

typedef struct sl_reload_identity_t {
    int id;
    int any_name; /* of the first one, if it is awaited: it may be for whatever name */
    const sl_source_t *source; /* borrowed */
    apr_array_header_t
        *names; /* const char *, of all hosts that show it; those that are covered have to stay covered */
    sl_supply_t *supply;
    sl_section_t *news;
    const sl_phrases_t *phrases; /* tried on keys that are sealed; NULL: none */
} sl_reload_identity_t;

/* An sl_reload_item_t's load() whose baton is an sl_reload_identity_t.
 *
 * Refused: what can't be read or does not match; expired or not yet valid; a name that the one before covers and the
 * new one does not, or, where there was none before, all names; a key or signature that is weak (RSA below 2048 bits,
 * EC below 224, SHA-1, MD5) and was not before. */
apr_status_t sl_reload_identity(sl_reload_item_t *item, sl_loop_t *loop, sl_reload_state_t *state, int *news,
                                const char **said, sl_problem_t *why) __attribute__((warn_unused_result));

#endif
