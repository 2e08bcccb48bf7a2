/* The hooks of mod_ssl.h and mod_ssl_openssl.h.  Called by collect_vhosts at start, by conn_hooks and ssl_api for
 * connections. */
#include "httpd/module_hooks.h"

#include <http_ssl.h>
#include <mod_ssl.h>
#include <mod_ssl_openssl.h>

#include <apr_optional_hooks.h>

/* Everybody is asked. */
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(ssl, SSL, int, add_cert_files,
                                    (server_rec * s, apr_pool_t *p, apr_array_header_t *cert_files,
                                     apr_array_header_t *key_files),
                                    (s, p, cert_files, key_files), OK, DECLINED)
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(ssl, SSL, int, add_fallback_cert_files,
                                    (server_rec * s, apr_pool_t *p, apr_array_header_t *cert_files,
                                     apr_array_header_t *key_files),
                                    (s, p, cert_files, key_files), OK, DECLINED)
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(ssl, SSL, int, init_server,
                                    (server_rec * s, apr_pool_t *p, int is_proxy, SSL_CTX *ctx), (s, p, is_proxy, ctx),
                                    OK, DECLINED)
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(ssl, SSL, int, pre_handshake, (conn_rec * c, SSL *ssl, int is_proxy),
                                    (c, ssl, is_proxy), OK, DECLINED)
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(ssl, SSL, int, proxy_post_handshake, (conn_rec * c, SSL *ssl), (c, ssl), OK,
                                    DECLINED)
/* The first one who does not decline decides. */
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(ssl, SSL, int, answer_challenge,
                                    (conn_rec * c, const char *server_name, X509 **pcert, EVP_PKEY **pkey),
                                    (c, server_name, pcert, pkey), DECLINED, DECLINED)
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(ssl, SSL, int, init_stapling_status,
                                    (server_rec * s, apr_pool_t *p, X509 *cert, X509 *issuer), (s, p, cert, issuer),
                                    DECLINED, DECLINED)
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(ssl, SSL, int, get_stapling_status,
                                    (unsigned char **pder, int *pderlen, conn_rec *c, server_rec *s, X509 *cert),
                                    (pder, pderlen, c, s, cert), DECLINED, DECLINED)

static int is_agreed(int answer)
{
    return answer == OK || answer == DECLINED;
}

int sl_module_hooks_has(const char *name)
{
    const apr_array_header_t *hooks = apr_optional_hook_get(name);

    return hooks && hooks->nelts;
}

void sl_module_hooks_add_cert_files(server_rec *s, apr_pool_t *pool, apr_array_header_t *certificates,
                                    apr_array_header_t *keys)
{
    /* The status tells nothing: mod_md calls stand-in certificates, which it did bring, an error. */
    (void)ap_ssl_add_cert_files(s, pool, certificates, keys);
    (void)ssl_run_add_cert_files(s, pool, certificates, keys);
}

void sl_module_hooks_add_fallback_cert_files(server_rec *s, apr_pool_t *pool, apr_array_header_t *certificates,
                                             apr_array_header_t *keys)
{
    int before = certificates->nelts;

    (void)ap_ssl_add_fallback_cert_files(s, pool, certificates, keys);
    if (certificates->nelts == before)
        (void)ssl_run_add_fallback_cert_files(s, pool, certificates, keys);
}

int sl_module_hooks_init_server(server_rec *s, apr_pool_t *pool, int is_proxy, SSL_CTX *ctx)
{
    return is_agreed(ssl_run_init_server(s, pool, is_proxy, ctx));
}

int sl_module_hooks_init_stapling_status(server_rec *s, apr_pool_t *pool, X509 *certificate, X509 *issuer)
{
    return ssl_run_init_stapling_status(s, pool, certificate, issuer) != DECLINED;
}

int sl_module_hooks_pre_handshake(conn_rec *c, SSL *ssl, int is_proxy)
{
    return is_agreed(ssl_run_pre_handshake(c, ssl, is_proxy));
}

int sl_module_hooks_proxy_post_handshake(conn_rec *c, SSL *ssl)
{
    return is_agreed(ssl_run_proxy_post_handshake(c, ssl));
}

int sl_module_hooks_answer_challenge(conn_rec *c, const char *name, X509 **certificate, EVP_PKEY **key)
{
    *certificate = NULL;
    *key = NULL;
    if (ssl_run_answer_challenge(c, name, certificate, key) == OK && *certificate && *key)
        return 1;
    X509_free(*certificate);
    EVP_PKEY_free(*key);
    return 0;
}

int sl_module_hooks_get_stapling_status(unsigned char **der, int *length, conn_rec *c, server_rec *s, X509 *certificate)
{
    *der = NULL;
    *length = 0;
    return ssl_run_get_stapling_status(der, length, c, s, certificate) == OK;
}
