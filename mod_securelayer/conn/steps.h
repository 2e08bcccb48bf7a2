/* The steps of the machine, one per state: each does its part and says whether the machine goes on with the state it
 * set (SL_STEP_ON), waits for bytes (SL_STEP_READ), or is at an end (SL_STEP_DONE). For conn/ only. */
#ifndef SL_CONN_STEPS_H
#define SL_CONN_STEPS_H

#include "conn/conn.h"

typedef enum { SL_STEP_ON, SL_STEP_READ, SL_STEP_DONE } sl_step_t;

sl_step_t sl_step_hello(sl_conn_t *conn);     /* step_hello.c: bytes -> hello -> virtual host */
sl_step_t sl_step_start(sl_conn_t *conn);     /* step_start.c: profile -> SSL */
sl_step_t sl_step_handshake(sl_conn_t *conn); /* step_handshake.c */
sl_step_t sl_step_reauth(sl_conn_t *conn);    /* step_reauth.c */

/* Before OpenSSL works on messages, and what an `rv` other than 1 says afterwards (step_handshake.c). */
void sl_step_prepare(sl_conn_t *conn);
sl_step_t sl_step_look(sl_conn_t *conn, int rv);
/* The scope of the sessions that the connection makes from now on; 0 if OpenSSL fails (step_start.c). */
int sl_step_set_scope(sl_conn_t *conn);
/* Newer CAs and CRLs than the profile's, if the connection has some. False: OpenSSL has no memory. */
int sl_step_use_trust(const sl_conn_t *conn);

/* Of the virtual host, or of the side that connects to a backend (step_start.c). */
const sl_profile_t *sl_step_profile(const sl_conn_t *conn);
/* Client role: what its SSL needs before the handshake; 0 if OpenSSL fails (step_connect.c). */
int sl_connect_set_up(sl_conn_t *conn);
/* Client role, after a handshake: is the peer who it should be? Fails the connection if not (step_connect.c). */
int sl_connect_accepts(sl_conn_t *conn);

/* How many TLS 1.3 tickets this client gets; again once ALPN is known (step_start.c). */
void sl_step_fit_tickets(sl_conn_t *conn);

/* cert_cb: the identities of the virtual host onto the SSL (step_identity.c). */
int sl_step_identity(SSL *ssl, void *conn);
/* Verification of client certificates (peer.c). */
int sl_peer_verify(int ok, X509_STORE_CTX *store);

/* Callbacks of an SSL_CTX for sessions under their id (sessions.c). */
void sl_sessions_prepare(SSL_CTX *ctx);
/* Session tickets (tickets.c): the callbacks of an SSL_CTX. */
void sl_tickets_prepare(SSL_CTX *ctx);
/* May this session be resumed? Its client certificate is verified again: it may have expired, or been revoked. */
int sl_tickets_may_resume(sl_conn_t *conn, SSL_SESSION *session);
/* Before a session is kept: puts the client's chain into it. 0 if memory ran out. */
int sl_tickets_keep_chain(SSL *ssl, SSL_SESSION *session);
/* After the handshake: the other way round. */
void sl_tickets_take_chain(sl_conn_t *conn);

/* A BIO that reads and writes through the connection's host (bio_host.c). One method per process. */
BIO *sl_bio_host_new(sl_conn_t *conn);
/* The connection that an SSL belongs to; NULL if it has no such BIO. Its app data are for others: modules look for the
 * conn_rec there. */
sl_conn_t *sl_bio_host_conn(const SSL *ssl);

#endif
