/* Warnings of certificates on the directory_board that come to their end (keeper/expiry): each step once for each
 * certificate, however often it leaves the board and comes back. No file is looked at.
 *
 * What was told is a bit in a table, found by a fingerprint: after very many certificates some lines stay away, none is
 * written twice. Runs in the keeper, one thread. */
#ifndef SL_KEEPER_DIRECTORY_EXPIRY_H
#define SL_KEEPER_DIRECTORY_EXPIRY_H

#include "keeper/directory_slots.h"

sl_directory_expiry_t *sl_directory_expiry_make(apr_pool_t *pool);

#define SL_DIRECTORY_TOLD_ALL (~0u)

/* What is on the slot was put there. `told`, a bit for each of its identities: what there is to tell of it at this
 * moment was told, as at a start. */
void sl_directory_expiry_note(sl_directory_work_t *work, int slot, unsigned told);

/* When to call the other one, by the clock of the loop's world. */
apr_time_t sl_directory_expiry_due(const sl_directory_work_t *work);
/* Looks at all slots, if that is due. */
void sl_directory_expiry_look(sl_directory_work_t *work);

#endif
