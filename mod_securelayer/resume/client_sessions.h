/* Sessions with backends, kept by a child for all its threads: bounded, the oldest goes first.
 *
 * A key stands for all that a session depends on: backend, name, profile, certificates. Sessions of TLS 1.3 are given
 * out once (RFC 8446 appendix C.4), others again and again until they are an hour old.
 * Locked inside; any thread of the process that made it. */
#ifndef SL_RESUME_CLIENT_SESSIONS_H
#define SL_RESUME_CLIENT_SESSIONS_H

#include <apr_pools.h>
#include <openssl/ssl.h>

#define SL_CLIENT_SESSION_KEY 32 /* bytes */

typedef struct sl_client_sessions_t sl_client_sessions_t;

/* Room for about `most` sessions. NULL if memory or the lock fails. Sessions are freed with the pool. */
sl_client_sessions_t *sl_client_sessions_make(apr_pool_t *pool, int most);
/* Keeps a reference of its own. `now`: seconds since 1970. */
void sl_client_sessions_put(sl_client_sessions_t *sessions, const unsigned char key[SL_CLIENT_SESSION_KEY],
                            SSL_SESSION *session, apr_int64_t now);
/* The newest one, with a reference for the caller; NULL if there is none. */
SSL_SESSION *sl_client_sessions_take(sl_client_sessions_t *sessions, const unsigned char key[SL_CLIENT_SESSION_KEY],
                                     apr_int64_t now);
/* Forgets all of the key. */
void sl_client_sessions_drop(sl_client_sessions_t *sessions, const unsigned char key[SL_CLIENT_SESSION_KEY]);

#endif
