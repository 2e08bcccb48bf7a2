/* What a connection asks of whoever runs it: bytes, the virtual host for a name, the application protocol.
 * httpd/conn_hooks is one such host, unit tests are another.  All callbacks run in the thread that runs the machine
 * and must not call back into it. */
#ifndef SL_CONN_HOST_H
#define SL_CONN_HOST_H

#include "base/world.h"
#include "resume/ticket_ring.h"
#include "vhost/vhost.h"

#include <apr_tables.h>
#include <openssl/ssl.h>

typedef struct sl_host_t {
    /* Up to *length bytes into `buffer`. APR_SUCCESS with *length > 0, APR_EAGAIN when the peer has sent nothing more
     * yet, APR_EOF, or the error of the connection. */
    apr_status_t (*read)(void *baton, unsigned char *buffer, apr_size_t *length);
    /* Takes all bytes (they may wait in memory until the host sends them), or fails. */
    apr_status_t (*write)(void *baton, const unsigned char *bytes, apr_size_t length);
    /* The virtual host for `name` (as sl_text_host() makes it; NULL: the client sent none that could be one).
     * Never NULL: the default of the address if nobody has that name; *known then is 0. */
    const sl_vhost_t *(*find_vhost)(void *baton, const char *name, int *known);
    /* Is a virtual host with SL_OUT_UNTIL_REPAIRED still left out? May be NULL: it is. */
    int (*is_out)(void *baton, const sl_vhost_t *vhost);
    /* The protocol to use among `offered` (const char *, gone after the handshake); NULL if none is known here. May be
     * asked twice in one handshake. */
    const char *(*select_alpn)(void *baton, const sl_vhost_t *vhost, const apr_array_header_t *offered);
    /* The newest version of an identity of a virtual host (sl_identity_ref_t), with a reference for the caller; NULL
     * only if memory ends. */
    sl_identity_t *(*get_identity)(void *baton, int id);
    /* The identity for `name` in the certificate directory of `vhost` (which has one), with a reference for the caller;
     * those of other key types that it holds (`also`) may not cover the name. NULL: there is none, or *trouble says why
     * nobody knows. May wait for a process of ours, a second at most. May be NULL: then nobody looks. */
    sl_identity_t *(*find_identity)(void *baton, const sl_vhost_t *vhost, const char *name, const char **trouble);
    /* CAs and CRLs for client certificates that are newer than those of the virtual host's profile (trust_id), with a
     * reference for the caller; NULL: there are none. May be NULL. */
    sl_trust_t *(*get_trust)(void *baton, int trust_id);
    /* The certificate that answers an ACME tls-alpn-01 challenge for `name` (RFC 8737), with a reference for the
     * caller; NULL if nobody does. */
    sl_identity_t *(*answer_challenge)(void *baton, const char *name);
    /* The SSL is made, its handshake has not begun: others may change it. 0: it must not begin. May be NULL. */
    int (*show_ssl)(void *baton, SSL *ssl);
    /* In the client role: the peer has passed all checks of ours. 0: it is not accepted. May be NULL. */
    int (*accept_peer)(void *baton, SSL *ssl);
    /* Sessions that clients come back with by their id (TLS 1.2 without tickets, TLS 1.3 with stateful ones), kept for
     * all processes; in the client role put_session gets each one that the backend gives. All three may be NULL: then
     * none are kept. */
    int (*put_session)(void *baton, SSL_SESSION *session); /* 1 if it is kept */
    SSL_SESSION *(*get_session)(void *baton, const unsigned char *id, apr_size_t id_length); /* the caller's, or NULL */
    void (*remove_session)(void *baton, const unsigned char *id, apr_size_t id_length);
    /* Asks whether `cert`, which `issuer` signed (NULL: nobody knows who), is revoked; may wait for the answer.
     * X509_V_OK, or the error (X509_V_ERR_...) and *words for people, which live as long as the connection. Asked only
     * if the profile says so (SSLOCSPEnable). */
    long (*check_revocation)(void *baton, X509 *cert, X509 *issuer, const char **words);
    /* Takes application data that came before the client answered to SL_STATE_REAUTH; a failure ends the connection,
     * and so does NULL. */
    apr_status_t (*keep)(void *baton, const unsigned char *bytes, apr_size_t length);
    /* The key of session tickets with that name (NULL: the one that seals) for `vhost`, copied to `key`. */
    sl_ticket_found_t (*ticket_key)(void *baton, const sl_vhost_t *vhost, const unsigned char *name,
                                    sl_ticket_key_t *key);
    /* The OCSP answer to staple for the certificate `leaf`, made by OPENSSL_malloc() for the caller; NULL: none is at
     * hand. Never waits. May be NULL. */
    unsigned char *(*get_staple)(void *baton, X509 *leaf, int *length);
    const sl_world_t *world;
} sl_host_t;

#endif
