/* The SSL_... variables (and the other names mod_ssl's lookup answers): one row each in variable_rows.h.
 * Values are computed when asked. Runs in the thread that handles the request or connection. */
#ifndef SL_HTTPD_VARIABLES_H
#define SL_HTTPD_VARIABLES_H

#include <httpd.h>

#include <openssl/x509.h>

/* The value of `name` (case-insensitive) for whatever of server, connection and request is given (any may be NULL;
 * an HTTP/2 stream's connection stands for its main connection). NULL: no such variable, or it has no value here. */
const char *sl_variable_get(apr_pool_t *pool, server_rec *s, conn_rec *c, request_rec *r, const char *name);
/* Connection-level variables only: what %{SSL_...} in expressions and the ALPN callback may ask. */
const char *sl_variable_get_conn(apr_pool_t *pool, conn_rec *c, const char *name);
/* The certificate of the client (`peer`) or the one we showed; borrowed, lives as long as the connection; NULL if there
 * is none. */
X509 *sl_variable_certificate(conn_rec *c, int peer);

/* In register_hooks: expressions, log formats. */
void sl_variables_register(apr_pool_t *pool);

#endif
