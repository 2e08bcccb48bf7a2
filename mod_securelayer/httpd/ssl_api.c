/* Answers to httpd and to other modules.  Registered in register_hooks. */
#include "httpd/ssl_api.h"

#include <http_log.h>
#include <http_protocol.h>
#include <http_ssl.h>
#include <mod_ssl.h>

#include <apr_strings.h>
#include <string.h>

#include "crypto/cert_text.h"
#include "crypto/pem.h"
#include "httpd/link.h"
#include "httpd/module_config.h"
#include "httpd/module_hooks.h"
#include "httpd/variables.h"

APLOG_USE_MODULE(sl);

#define ACME_TLS_1 "acme-tls/1" /* RFC 8737 */

static int conn_is_ssl(conn_rec *c)
{
    const sl_link_t *link = sl_link_of(c);

    return link && (link->tls->ssl || link->outgoing) ? OK : DECLINED;
}

static int is_https(const request_rec *r)
{
    return sl_config_vhost(r->server) && conn_is_ssl(r->connection) == OK;
}

static const char *http_scheme(const request_rec *r)
{
    return is_https(r) ? "https" : NULL;
}

static apr_port_t default_port(const request_rec *r)
{
    return is_https(r) ? 443 : 0;
}

static char *var_lookup(apr_pool_t *pool, server_rec *s, conn_rec *c, request_rec *r, char *name)
{
    const char *value = sl_variable_get(pool, s, c, r, name);

    return apr_pstrdup(pool, value ? value : "");
}

static apr_array_header_t *ext_list(apr_pool_t *pool, conn_rec *c, int peer, const char *extension)
{
    X509 *certificate = c && extension ? sl_variable_certificate(c, peer) : NULL;

    return certificate ? sl_cert_text_extensions(pool, certificate, extension) : NULL;
}

static sl_identity_t *identity_of_pem(conn_rec *c, const char *certificate, const char *key)
{
    const char *both = key ? apr_pstrcat(c->pool, certificate, "\n", key, NULL) : certificate;
    sl_problem_t *why = sl_problem_make(c->pool);
    sl_identity_t *identity = NULL;
    sl_pem_t pem;

    if (sl_pem_read(&pem, (const unsigned char *)both, strlen(both), "ACME challenge", SL_PEM_ALL, NULL, NULL, why) !=
        APR_SUCCESS) {
        ap_log_cerror(APLOG_MARK, APLOG_ERR, 0, c, "SL0102: the certificate of the ACME challenge can't be read: %s",
                      sl_problem_text(why, c->pool));
        return NULL;
    }
    if (pem.key && sk_X509_num(pem.certificates) > 0) {
        X509 *leaf = sk_X509_shift(pem.certificates);

        identity = sl_identity_new(leaf, pem.certificates, pem.key, "ACME challenge");
        pem.certificates = NULL;
        pem.key = NULL;
    }
    sl_pem_clear(&pem);
    return identity;
}

static sl_identity_t *ask_for_challenge(conn_rec *c, const char *name)
{
    const char *pem = NULL, *pem_key = NULL;
    X509 *certificate;
    EVP_PKEY *key;

    if (ap_ssl_answer_challenge(c, name, &pem, &pem_key) && pem)
        return identity_of_pem(c, pem, pem_key);
    if (!sl_module_hooks_answer_challenge(c, name, &certificate, &key))
        return NULL;
    return sl_identity_new(certificate, sk_X509_new_null(), key, "ACME challenge");
}

sl_identity_t *sl_ssl_api_answer_challenge(conn_rec *c, server_rec *s, const char *name)
{
    apr_array_header_t *offered = apr_array_make(c->pool, 1, sizeof(const char *));
    const char *chosen;

    APR_ARRAY_PUSH(offered, const char *) = ACME_TLS_1;
    chosen = ap_select_protocol(c, NULL, s, offered);
    /* mod_md answers only on a connection that was switched. */
    if (!chosen || strcmp(chosen, ACME_TLS_1) || ap_switch_protocol(c, NULL, s, chosen) != APR_SUCCESS)
        return NULL;
    return ask_for_challenge(c, name);
}

static apr_array_header_t *without_challenge(apr_pool_t *pool, const apr_array_header_t *offered)
{
    apr_array_header_t *rest = apr_array_make(pool, offered->nelts, sizeof(const char *));

    for (int i = 0; i < offered->nelts; i++) {
        const char *name = APR_ARRAY_IDX(offered, i, const char *);

        if (strcmp(name, ACME_TLS_1))
            APR_ARRAY_PUSH(rest, const char *) = name;
    }
    return rest;
}

const char *sl_ssl_api_select_protocol(conn_rec *c, server_rec *s, const apr_array_header_t *offered)
{
    const char *chosen;

    if (sl_link_of(c)->tls->challenge)
        return ACME_TLS_1;
    if (ap_array_str_contains(offered, ACME_TLS_1))
        offered = without_challenge(c->pool, offered);
    chosen = ap_select_protocol(c, NULL, s, offered);
    if (!chosen || !ap_array_str_contains(offered, chosen))
        return NULL;
    if (strcmp(chosen, ap_get_protocol(c)) && ap_switch_protocol(c, NULL, s, chosen) != APR_SUCCESS)
        return NULL;
    return chosen;
}

void sl_ssl_api_register(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_ssl_conn_is_ssl(conn_is_ssl, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_http_scheme(http_scheme, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_default_port(default_port, NULL, NULL, APR_HOOK_MIDDLE);
    apr_dynamic_fn_register("ssl_var_lookup", (apr_opt_fn_t *)var_lookup);
    apr_dynamic_fn_register("ssl_ext_list", (apr_opt_fn_t *)ext_list);
}
