/* Ways in to the variables that httpd's own languages have: log formats (%{...}x, %{...}c) and expressions.
 * Registered in register_hooks; mod_rewrite, mod_headers and other modules come through ssl_api.c. */
#include "httpd/variables.h"

#include <ap_expr.h>
#include <http_config.h>
#include <http_ssl.h>
#include <mod_log_config.h>

#include <apr_optional.h>
#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "crypto/cert_text.h"
#include "httpd/variable_getters.h"

#define FAILED "FAILED:"

/* ---- log formats ---- */

static const char *for_log(request_rec *r, const char *name)
{
    const char *value = sl_variable_get(r->pool, r->server, r->connection, r, name);

    return value ? ap_escape_logitem(r->pool, value) : "-";
}

static const char *log_variable(request_rec *r, char *name)
{
    return for_log(r, name);
}

/* The short names that mod_ssl keeps from its first years. */
static const char *log_short_name(request_rec *r, char *name)
{
    static const struct {
        const char *name, *variable;
    } short_names[] = {
        {"version", "SSL_PROTOCOL"},
        {"cipher", "SSL_CIPHER"},
        {"subjectdn", "SSL_CLIENT_S_DN"},
        {"clientcert", "SSL_CLIENT_S_DN"},
        {"issuerdn", "SSL_CLIENT_I_DN"},
        {"cacert", "SSL_CLIENT_I_DN"},
    };
    const char *verdict;

    for (apr_size_t i = 0; i < sizeof(short_names) / sizeof(short_names[0]); i++) {
        if (!strcasecmp(name, short_names[i].name))
            return for_log(r, short_names[i].variable);
    }
    if (strcasecmp(name, "errstr"))
        return "-";
    verdict = for_log(r, "SSL_CLIENT_VERIFY");
    return strncmp(verdict, FAILED, sizeof(FAILED) - 1) ? "-" : verdict + sizeof(FAILED) - 1;
}

static int pre_config(apr_pool_t *pool, apr_pool_t *log_pool, apr_pool_t *scratch)
{
    APR_OPTIONAL_FN_TYPE(ap_register_log_handler) *add = APR_RETRIEVE_OPTIONAL_FN(ap_register_log_handler);

    (void)log_pool;
    (void)scratch;
    sl_cert_text_init();
    if (add) {
        add(pool, "x", log_variable, 0);
        add(pool, "c", log_short_name, 0);
    }
    return OK;
}

/* ---- expressions ---- */

typedef struct expr_name_t {
    const sl_variable_t *row;
    const char *rest;
} expr_name_t;

static const char *expr_variable(ap_expr_eval_ctx_t *ctx, const void *data)
{
    const expr_name_t *name = data;
    const char *value;

    if (!name->row || !ap_ssl_conn_is_ssl(ctx->c))
        return "";
    value = sl_variable_value(ctx->p, ctx->s, ctx->c, ctx->r, name->row, name->rest);
    return value ? value : "";
}

static const char *expr_ssl(ap_expr_eval_ctx_t *ctx, const void *data, const char *name)
{
    const char *value = sl_variable_get(ctx->p, ctx->s, ctx->c, ctx->r, name);

    (void)data;
    return value ? value : "";
}

static apr_array_header_t *expr_peer_extensions(ap_expr_eval_ctx_t *ctx, const void *data, const char *oid)
{
    X509 *certificate = ctx->c ? sl_variable_certificate(ctx->c, 1) : NULL;

    (void)data;
    return certificate ? sl_cert_text_extensions(ctx->p, certificate, oid) : NULL;
}

/* An unknown SSL_ name is no error: a configuration may be written for another version of the module. */
static expr_name_t *resolve(apr_pool_t *pool, const char *name)
{
    expr_name_t *resolved = apr_pcalloc(pool, sizeof(*resolved));

    resolved->row = sl_variable_find(apr_pstrdup(pool, name), &resolved->rest);
    return resolved;
}

static int expr_lookup(ap_expr_lookup_parms *parms)
{
    switch (parms->type) {
    case AP_EXPR_FUNC_VAR:
        if (strncasecmp(parms->name, "SSL_", 4))
            return DECLINED;
        *parms->func = expr_variable;
        *parms->data = resolve(parms->pool, parms->name);
        return OK;
    case AP_EXPR_FUNC_STRING:
        if (strcasecmp(parms->name, "SSL"))
            return DECLINED;
        *parms->func = expr_ssl;
        *parms->data = NULL;
        return OK;
    case AP_EXPR_FUNC_LIST:
        if (strcasecmp(parms->name, "PeerExtList"))
            return DECLINED;
        *parms->func = expr_peer_extensions;
        *parms->data = NULL;
        return OK;
    default:
        return DECLINED;
    }
}

void sl_variables_register(apr_pool_t *pool)
{
    (void)pool;
    sl_variables_prepare();
    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_expr_lookup(expr_lookup, NULL, NULL, APR_HOOK_MIDDLE);
}
