/* Memory for bytes that hold keys: left out of core dumps, never freed in pieces, gone with its pool.
 *
 * Filled in the parent, before anybody is forked; children read what they inherited. */
#ifndef SL_BASE_VAULT_H
#define SL_BASE_VAULT_H

#include <apr_pools.h>

typedef struct sl_vault_t sl_vault_t;

sl_vault_t *sl_vault_make(apr_pool_t *pool);
/* A copy of the bytes that lives as long as the vault; NULL if memory ends. */
unsigned char *sl_vault_keep(sl_vault_t *vault, const void *bytes, apr_size_t length);

#endif
