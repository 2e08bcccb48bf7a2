/* Sessions in a store: an SSL_SESSION becomes bytes, sealed for its session id, and back.
 *
 * A store that fails is left alone for a while, longer each time it fails again, so that a dead one costs handshakes
 * nothing.  Made in the parent; used by all threads of a child, each child for itself. */
#ifndef SL_RESUME_SESSION_CACHE_H
#define SL_RESUME_SESSION_CACHE_H

#include "base/world.h"
#include "resume/sealer.h"
#include "resume/store.h"

#include <openssl/ssl.h>

/* Bytes of a session in the store, at most: a client's certificate is a part of it. */
#define SL_SESSION_MOST 70000

typedef struct sl_session_cache_t sl_session_cache_t;

/* `store` and `world` outlive the cache. */
sl_session_cache_t *sl_session_cache_make(apr_pool_t *pool, const sl_store_t *store, const sl_world_t *world);

/* Results of all three, beside APR_SUCCESS:
 *   APR_NOTFOUND  nothing usable is there, or there is nothing to keep
 *   APR_ENOSPC    the session is too large, for us or for the store
 *   APR_EBUSY     the store failed lately and was not asked
 *   others        the store failed just now: at most once per pause in a process, so that it may be logged each time
 * `scratch` is used for memory that may go when the call is over. */

/* Keeps `session` under its id for its time-out (SSL_SESSION_get_timeout()). */
apr_status_t sl_session_cache_put(sl_session_cache_t *cache, const sl_sealer_t *sealer, SSL_SESSION *session,
                                  apr_pool_t *scratch) __attribute__((warn_unused_result));
/* *session is the caller's; NULL unless APR_SUCCESS. */
apr_status_t sl_session_cache_get(sl_session_cache_t *cache, const sl_sealer_t *sealer, const unsigned char *id,
                                  apr_size_t id_length, SSL_SESSION **session, apr_pool_t *scratch)
    __attribute__((warn_unused_result));
apr_status_t sl_session_cache_remove(sl_session_cache_t *cache, const unsigned char *id, apr_size_t id_length,
                                     apr_pool_t *scratch) __attribute__((warn_unused_result));

/* Seconds for which the store is left alone from now on; 0 if it is not. */
apr_int64_t sl_session_cache_pause(const sl_session_cache_t *cache);

#endif
