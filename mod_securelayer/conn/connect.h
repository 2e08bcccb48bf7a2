/* The client role of a connection: whom it connects to, and how it begins.  The machine is the one that servers use;
 * step_connect.c stands in the place of the hello and of the virtual host. */
#ifndef SL_CONN_CONNECT_H
#define SL_CONN_CONNECT_H

#include "conn/conn.h"
#include "vhost/outgoing.h"

/* Borrowed, lives as long as the connection. */
typedef struct sl_target_t {
    const sl_outgoing_t *outgoing;
    const char *backend;               /* "app.example.org (192.0.2.7:443)", for messages */
    const char *name;                  /* host name or IP address that is asked for and checked; NULL: none is known */
    const apr_array_header_t *alpn;    /* const char *: protocols to offer, best first; NULL: no ALPN */
    SSL_SESSION *session;              /* to resume; the connection takes the reference; NULL: none */
} sl_target_t;

/* Before the machine runs for the first time: it goes to the backend, and the time for the handshake begins. */
void sl_conn_aim(sl_conn_t *conn, sl_target_t *target);

/* Sets the callbacks that a client's SSL_CTX must have: an sl_profile_prepare_t. */
void sl_connect_prepare(SSL_CTX *ctx);

#endif
