/* The SSL_... variables (and the other names mod_ssl's lookup answers): one row each in variable_rows.h.
 * Values are computed when asked. Runs in the thread that handles the request or connection. */
#ifndef SL_HTTPD_VARIABLES_H
#define SL_HTTPD_VARIABLES_H

#include <httpd.h>

#include <openssl/x509.h>

/* The value of `name` (case-insensitive) for whatever of server, connection and request is given (any may be NULL;
 * an HTTP/2 stream's connection stands for its main connection). NULL: no such variable, or it has no value here.
 * Values live in the pool, or as long as the connection. */
const char *sl_variable_get(apr_pool_t *pool, server_rec *s, conn_rec *c, request_rec *r, const char *name);
/* Connection-level variables only: what the ALPN callback may ask. */
const char *sl_variable_get_conn(apr_pool_t *pool, conn_rec *c, const char *name);
/* The certificate of the client (`peer`) or the one we showed; borrowed, lives as long as the connection; NULL if there
 * is none. */
X509 *sl_variable_certificate(conn_rec *c, int peer);

/* The same in two steps, for a name that is asked often: the row, NULL if there is no such variable. `*rest` is the
 * part of `name` that stands for the row's placeholder. */
typedef struct sl_variable_t sl_variable_t;
const sl_variable_t *sl_variable_find(const char *name, const char **rest);
const char *sl_variable_value(apr_pool_t *pool, server_rec *s, conn_rec *c, request_rec *r, const sl_variable_t *row,
                              const char *rest);

/* Which rows an export takes. */
enum {
    SL_EXPORT_STD = 1,    /* SSLOptions StdEnvVars */
    SL_EXPORT_CERT = 2,   /* SSLOptions ExportCertData */
    SL_EXPORT_BASE64 = 4, /* SSLOptions ExportBase64CertData */
    SL_EXPORT_TIMED = 8,  /* of StdEnvVars: changes while the connection lasts */
    SL_EXPORT_EMPTY = 16, /* with its other bit: taken even without a value, as "" */
};
typedef void sl_variable_take_t(void *baton, const char *name, const char *value);
/* Hands every variable that has a value and one of the bits `which` to `take`. `name` and `value` live at least as
 * long as r->pool. */
void sl_variables_export(request_rec *r, int which, sl_variable_take_t *take, void *baton);

/* In register_hooks: the table, expressions, log formats. */
void sl_variables_register(apr_pool_t *pool);

#endif
