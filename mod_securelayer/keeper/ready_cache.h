/* Identities that are ready for use, in one process: the ones used last, by number and version.
 *
 * Made in a child (or wherever identities are made of bytes); any thread asks. A child that ends leaves it as it is. */
#ifndef SL_KEEPER_READY_CACHE_H
#define SL_KEEPER_READY_CACHE_H

#include "identity/identity.h"

typedef struct sl_ready_cache_t sl_ready_cache_t;

/* Keeps up to `most` of them. NULL if memory ends, or `most` is 0: the calls below then find and keep nothing. */
sl_ready_cache_t *sl_ready_cache_make(apr_pool_t *child_pool, int most);
/* For who goes on after its end; those it holds are given up. */
void sl_ready_cache_free(sl_ready_cache_t *cache);

/* That version of it, with a reference for the caller; NULL: it is not there. `name`: has to be the one it was kept
 * with, for numbers that come to mean something else; NULL for those that never do. */
sl_identity_t *sl_ready_cache_find(sl_ready_cache_t *cache, int number, apr_uint64_t version, const char *name);
/* Takes the place of any other version, and of the one that was not asked for the longest if all places are taken. The
 * caller keeps its reference. */
void sl_ready_cache_keep(sl_ready_cache_t *cache, int number, apr_uint64_t version, const char *name,
                         sl_identity_t *identity);

#endif
