/* The hooks that mod_ssl.h and mod_ssl_openssl.h offer to other modules, asked in one place.
 *
 * Modules attach with APR_OPTIONAL_HOOK(ssl, NAME, function, ...). What they get of OpenSSL is of the library this
 * module was built with: a module that uses another one must keep to http_ssl.h. Files, init_server and
 * init_stapling_status are asked in the parent, in post_config; the others in the thread that works on the
 * connection. */
#ifndef SL_HTTPD_MODULE_HOOKS_H
#define SL_HTTPD_MODULE_HOOKS_H

#include <httpd.h>

#include <apr_tables.h>
#include <openssl/ssl.h>

/* Does anybody attend to the hook of this name? */
int sl_module_hooks_has(const char *name);

/* Files of certificates and keys (const char *) appended to those that are there; what httpd's own hook of the same
 * purpose brings, first. */
void sl_module_hooks_add_cert_files(server_rec *s, apr_pool_t *pool, apr_array_header_t *certificates,
                                    apr_array_header_t *keys);
void sl_module_hooks_add_fallback_cert_files(server_rec *s, apr_pool_t *pool, apr_array_header_t *certificates,
                                             apr_array_header_t *keys);

/* A module may change `ctx` of server `s`. 0: one of them says that the server must not start. */
int sl_module_hooks_init_server(server_rec *s, apr_pool_t *pool, int is_proxy, SSL_CTX *ctx);
/* Somebody else staples for this certificate: the response then comes from sl_module_hooks_get_stapling_status(). */
int sl_module_hooks_init_stapling_status(server_rec *s, apr_pool_t *pool, X509 *certificate, X509 *issuer);

/* A module may change `ssl`. 0: one of them says that there must be no handshake. */
int sl_module_hooks_pre_handshake(conn_rec *c, SSL *ssl, int is_proxy);
/* A module may look at the backend that `ssl` has shaken hands with. 0: one of them does not accept it. */
int sl_module_hooks_proxy_post_handshake(conn_rec *c, SSL *ssl);
/* Certificate and key for a challenge, with references for the caller. 0: nobody has them. */
int sl_module_hooks_answer_challenge(conn_rec *c, const char *name, X509 **certificate, EVP_PKEY **key);
/* 1: somebody attends to this certificate; *der is malloc()ed and the caller's, or NULL if there is no response now. */
int sl_module_hooks_get_stapling_status(unsigned char **der, int *length, conn_rec *c, server_rec *s,
                                        X509 *certificate);

#endif
