/* The newest version of one trust in a process whose threads all want it.
 *
 * Making it takes long (32 MiB of CRLs: seconds), so one thread does, and the others go on with the one before. They
 * wait only in a process that was born when the trust of the start was outdated already: nobody is to be believed there
 * who was revoked long ago.
 * Runs in: a child, any thread. */
#ifndef SL_IDENTITY_TRUST_SLOT_H
#define SL_IDENTITY_TRUST_SLOT_H

#include "base/world.h"
#include "identity/trust.h"

typedef struct sl_trust_slot_t sl_trust_slot_t;

/* The newest one as a new trust for the slot, its `version` set; NULL if it can't be made. */
typedef sl_trust_t *(*sl_trust_maker_t)(void *baton);

/* `is_behind`: there is a newer one than that of the start already. NULL if memory ends. */
sl_trust_slot_t *sl_trust_slot_new(int is_behind);
void sl_trust_slot_free(sl_trust_slot_t *slot);
/* What is to be used now that `version` is the newest one, with a reference for the caller; NULL: that of the start.
 * `make` is called for a version that is not there yet, outside of the lock, by one thread at a time; where it fails it
 * is called again a second later at the earliest, until then the one before serves. *failed becomes 1 if it failed for
 * the first time with this version: to be told. */
sl_trust_t *sl_trust_slot_get(sl_trust_slot_t *slot, apr_uint64_t version, const sl_world_t *world,
                              sl_trust_maker_t make, void *baton, int *failed);

#endif
