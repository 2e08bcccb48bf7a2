/* Whom a connection in the client role goes to. Borrowed, lives as long as the connection. */
#ifndef SL_CONN_TARGET_H
#define SL_CONN_TARGET_H

#include "vhost/outgoing.h"

#include <apr_tables.h>
#include <openssl/ssl.h>

typedef struct sl_target_t {
    const sl_outgoing_t *outgoing;
    const char *backend;               /* "app.example.org (192.0.2.7:443)", for messages */
    const char *name;                  /* host name or IP address that is asked for and checked; NULL: none is known */
    const apr_array_header_t *alpn;    /* const char *: protocols to offer, best first; NULL: no ALPN */
    SSL_SESSION *session;              /* to resume; the connection takes the reference; NULL: none */
    sl_trust_t *trust;                 /* newer CAs and CRLs than the profile's; likewise */
} sl_target_t;

#endif
