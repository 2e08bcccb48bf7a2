/* Where sealed sessions are kept: bytes under a key, until a time.  Shared by the processes of a server, perhaps by
 * servers; not trusted: it may lose, alter or invent entries.
 * httpd/socache_store is one, unit tests have another.  Called by any thread of a child, several at a time. */
#ifndef SL_RESUME_STORE_H
#define SL_RESUME_STORE_H

#include <apr_pools.h>
#include <apr_time.h>

typedef struct sl_store_t {
    /* The bytes under this key from now on; gone at `expiry` at the latest. APR_ENOSPC: these bytes are too many for
     * the store, which is fine otherwise. */
    apr_status_t (*put)(void *baton, const unsigned char *key, apr_size_t key_length, const unsigned char *bytes,
                        apr_size_t length, apr_time_t expiry, apr_pool_t *scratch);
    /* At most *length of them into `bytes`; *length is then how many. APR_NOTFOUND: there are none. */
    apr_status_t (*get)(void *baton, const unsigned char *key, apr_size_t key_length, unsigned char *bytes,
                        apr_size_t *length, apr_pool_t *scratch);
    /* APR_SUCCESS or APR_NOTFOUND: nothing is under this key any more. */
    apr_status_t (*remove)(void *baton, const unsigned char *key, apr_size_t key_length, apr_pool_t *scratch);
    void *baton;
} sl_store_t;

#endif
