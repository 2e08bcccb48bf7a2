/* One TLS connection: state, hello, SSL and what became of it.
 *
 * Made with the connection's pool, which also ends it. Changed by its own machine only; one thread at a time works on
 * it, which thread may change between calls (event MPM). */
#ifndef SL_CONN_CONN_H
#define SL_CONN_CONN_H

#include "conn/failure.h"
#include "conn/host.h"
#include "conn/target.h"
#include "hello/client_hello.h"
#include "vhost/vhost.h"

#include <apr_pools.h>
#include <openssl/ssl.h>

typedef enum {
    SL_STATE_HELLO,     /* reading the ClientHello ourselves */
    SL_STATE_START,     /* virtual host chosen, SSL to be made */
    SL_STATE_HANDSHAKE, /* OpenSSL at work */
    SL_STATE_OPEN,      /* application data may flow */
    SL_STATE_REAUTH,    /* open, and the client is being asked for a certificate or other suites */
    SL_STATE_PLAIN,     /* the client speaks plain HTTP: bytes pass unchanged */
    SL_STATE_CLOSED,    /* close_notify sent, or given up */
    SL_STATE_FAILED,
} sl_state_t;

typedef struct sl_conn_t {
    apr_pool_t *pool;
    const sl_host_t *host;
    void *baton;               /* for the host's callbacks */
    sl_state_t state;
    apr_time_t started;        /* when the connection was made */
    apr_time_t began;          /* when its first byte came; 0 before */
    apr_pool_t *hello_pool;    /* the hello's memory: gone after the handshake unless it is kept */
    sl_hello_buffer_t bytes;   /* raw bytes of the hello */
    apr_size_t bytes_taken;    /* of those, by OpenSSL */
    sl_client_hello_t *hello;  /* NULL before it is complete; after the handshake too unless the host keeps it */
    const char *sni;           /* server name as sent; NULL if none was */
    const char *name;          /* the same as a host name, lower case; NULL if it is none */
    const sl_vhost_t *vhost;   /* NULL before the choice */
    int name_known;            /* a virtual host has that name, or its certificate directory */
    sl_identity_t *challenge;  /* certificate of an ACME challenge; else NULL */
    apr_array_header_t *identities; /* of sl_identity_t *, held: what OpenSSL chooses from, that of a directory or those
                                       of the virtual host; NULL if it never asked for them */
    sl_trust_t *trust;         /* held: in the place of the profile's; NULL: the profile's counts */
    _Atomic(sl_identity_t *) resumed_identity; /* held, for sl_conn_certificate(); NULL before its first call */
    const char *alpn;          /* protocol agreed on; NULL if none */
    int offers_reauth;         /* the hello offered post-handshake authentication (TLS 1.3) */
    sl_target_t *target;       /* the client role (connect.h): there is no hello and no virtual host; else NULL */
    SSL_SESSION *fresh_session; /* client role: held until the peer is accepted; else NULL */
    int (*look_again)(struct sl_conn_t *conn); /* client role: the backend has renegotiated, and must be accepted anew;
                                                  else NULL */
    int asked_for_certificate; /* client role: by the backend */
    SSL *ssl;                  /* NULL before SL_STATE_HANDSHAKE and on plain connections */
    apr_status_t read_status;  /* of the host's last read for OpenSSL; APR_SUCCESS if it was not asked since */
    int session_kept;          /* the host keeps a session of this connection under its id */
    int barren;                /* reads in a row that gave no application data, though bytes came */
    /* What the client was asked for: by the virtual host, later perhaps more by a section (reauth.h) */
    int verify_mode;           /* SL_VERIFY_... */
    int verify_depth;
    int reauthenticated;       /* asked again since the handshake: sessions made from then on lead nowhere */
    int reauth_asked;          /* SL_STATE_REAUTH: the request is sent */
    int reauth_finished;       /* SL_STATE_REAUTH: the client's last message is there */
    /* Facts of the handshake and of what the client was asked later, frozen in SL_STATE_OPEN */
    long verify_error;         /* X509_V_...: first error of the client's chain, X509_V_OK if none */
    int verify_generous;       /* X509_V_... that was forgiven: no CA of ours signed it (optional_no_ca); else 0 */
    const char *revocation;    /* why a certificate of the client did not pass check_revocation(); NULL: none failed */
    int certificate_too_large; /* the client's, for the session ticket that TLS 1.2 had promised */
    STACK_OF(X509) *resumed_chain; /* for sl_conn_peer_chain() */
    apr_interval_time_t handshake_time; /* microseconds from the first byte to the end of the handshake; 0 before */
    sl_failure_t failure;
} sl_conn_t;

/* In SL_STATE_HELLO; cheap: no SSL is made. `host` and `baton` outlive the connection. */
sl_conn_t *sl_conn_make(apr_pool_t *pool, const sl_host_t *host, void *baton);
/* Frees the SSL and the hello; called by the pool's cleanup, may be called earlier: what was open is closed then. */
void sl_conn_free(sl_conn_t *conn);

/* The certificates that the client sent behind its own, also of a resumed session; NULL if there are none. Borrowed.
 * SL_STATE_OPEN only. */
STACK_OF(X509) *sl_conn_peer_chain(const sl_conn_t *conn);

/* Notes the first failure and ends the state machine. `detail` may be NULL; it is escaped here. */
void sl_conn_fail(sl_conn_t *conn, sl_failure_reason_t reason, const char *detail);

/* Application data, SL_STATE_OPEN only.
 * Read: APR_SUCCESS with *length > 0; APR_EAGAIN when the host has no more bytes; APR_TIMEUP when its time is over (may
 * be tried again, and writing works on); APR_EOF (close_notify, end of the stream, sl_conn_close()); the host's error;
 * APR_ECONNABORTED after a TLS error. Write: all of it, in records of at most 16 KiB, or an error. */
apr_status_t sl_conn_read(sl_conn_t *conn, void *buffer, apr_size_t *length);
apr_status_t sl_conn_write(sl_conn_t *conn, const void *bytes, apr_size_t length);

/* Our certificate, borrowed, as long as the connection lives; NULL if there is none. A resumed handshake shows none: it
 * is the newest one of the key type that its first handshake showed, as far as the cipher tells. Any thread. */
X509 *sl_conn_certificate(sl_conn_t *conn);
/* The peer's certificate, borrowed; NULL if it showed none, or one that failed when a section asked for it. */
X509 *sl_conn_peer(const sl_conn_t *conn);

/* Sends close_notify if `notify` and the connection is healthy; nothing may be written afterwards. */
void sl_conn_close(sl_conn_t *conn, int notify);
/* After sl_conn_close(): what the peer still sends is read and thrown away. APR_SUCCESS once its close_notify is there,
 * APR_EAGAIN or APR_TIMEUP as the host has no more bytes, APR_EOF if the stream ended without. */
apr_status_t sl_conn_await_close(sl_conn_t *conn);
/* Has the peer sent its close_notify? The end of the stream alone is none. */
int sl_conn_peer_closed(const sl_conn_t *conn);

#endif
