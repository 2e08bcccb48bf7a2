/* Memory for bytes that hold keys: left out of core dumps.
 *
 * Used in the parent by one thread at a time, before anybody is forked; children read what they inherited. */
#ifndef SL_BASE_VAULT_H
#define SL_BASE_VAULT_H

#include <apr.h>

typedef struct sl_vault_t sl_vault_t;

/* NULL if memory ends. The vault holds no pointers into this code: it may outlive it. */
sl_vault_t *sl_vault_new(void);
/* With all that is in it. */
void sl_vault_free(sl_vault_t *vault);
/* A copy of the bytes; NULL if memory ends. */
unsigned char *sl_vault_keep(sl_vault_t *vault, const void *bytes, apr_size_t length);
/* The copy is no longer wanted: cleansed, and its place given to others. NULL is allowed. */
void sl_vault_drop(sl_vault_t *vault, unsigned char *kept, apr_size_t length);
/* The same for bytes that many have: one copy serves all. NULL if memory ends. */
const unsigned char *sl_vault_share(sl_vault_t *vault, const void *bytes, apr_size_t length);
/* One of them no longer wants it. NULL is allowed. */
void sl_vault_unshare(sl_vault_t *vault, const unsigned char *shared, apr_size_t length);

#endif
