/* What httpd and other modules ask their TLS module: http_ssl.h's hooks, mod_ssl.h's optional functions, scheme and
 * port of URLs. */
#ifndef SL_HTTPD_SSL_API_H
#define SL_HTTPD_SSL_API_H

#include <httpd.h>

#include "identity/identity.h"

/* In register_hooks. */
void sl_ssl_api_register(apr_pool_t *pool);

/* Asks httpd's modules (mod_md) for the certificate of an ACME tls-alpn-01 challenge; NULL if nobody has one.
 * The caller owns the reference. */
sl_identity_t *sl_ssl_api_answer_challenge(conn_rec *c, server_rec *s, const char *name);
/* Asks httpd's modules which protocol to use among `offered`, and switches to it. NULL if none is known. acme-tls/1 is
 * never chosen but for a challenge, as nothing else may be said in it (RFC 8737 section 3). */
const char *sl_ssl_api_select_protocol(conn_rec *c, server_rec *s, const apr_array_header_t *offered);

#endif
