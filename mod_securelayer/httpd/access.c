/* Access control by TLS facts.  The hooks run per request that httpd checks; all look at the request's section. */
#include "httpd/access.h"

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <http_ssl.h>
#include <mod_auth.h>

#include <ap_expr.h>
#include <ap_provider.h>
#include <apr_strings.h>
#include <openssl/x509_vfy.h>
#include <string.h>
#include <mod_securelayer.h>

#include "crypto/cert_text.h"
#include "httpd/demand.h"
#include "httpd/denial.h"
#include "httpd/link.h"
#include "httpd/module_config.h"
#include "httpd/variables.h"

APLOG_USE_MODULE(sl);

/* The password every FakeBasicAuth user has in password files: a convention of mod_auth_basic's AuthBasicFake too. */
#define FAKE_PASSWORD "password"

static int forbid(request_rec *r, const char *reason)
{
    apr_table_setn(r->notes, SECURELAYER_NOTE_FORBIDDEN, "1");
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "AH02219: access to %s failed, reason: %s", r->filename, reason);
    return HTTP_FORBIDDEN;
}

/* ---- SSLUserName ---- */

/* The value of SSLUserName's variable; NULL if it has none. */
static const char *user_name(request_rec *r, const sl_settings_t *settings)
{
    const char *variable = sl_settings_text(settings, SL_USER_NAME);

    return variable ? sl_variable_get(r->pool, r->server, r->connection, r, variable) : NULL;
}

static void set_user(request_rec *r, const sl_settings_t *settings)
{
    const char *name, *variable = sl_settings_text(settings, SL_USER_NAME);

    if (!variable || sl_config_options(r) & SL_OPT_FAKE_BASIC_AUTH)
        return;
    name = user_name(r, settings);
    if (!name) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "AH02227: Failed to set r->user to '%s'", variable);
        return;
    }
    r->user = apr_pstrdup(r->pool, name);
    r->ap_auth_type = "ClientCert";
}

/* ---- SSLRequire ---- */

static int check_expressions(request_rec *r, const sl_settings_t *settings)
{
    const sl_setting_t *all = sl_settings_get(settings, SL_REQUIRE);

    for (int i = 0; all && i < all->count; i++) {
        const char *error = NULL;
        int is_true = ap_expr_exec(r, all->values[i].made, &error);

        if (is_true < 0)
            return forbid(r, apr_pstrcat(r->pool, "Failed to execute SSL requirement expression: ",
                                         error ? error : all->values[i].text, NULL));
        if (!is_true)
            return forbid(r, "SSL requirement expression not fulfilled");
    }
    return DECLINED;
}

static int check_access(request_rec *r)
{
    sl_link_t *link = sl_link_of(r->connection);
    const sl_settings_t *settings = sl_config_of_request(r)->settings;
    int is_tls = link && link->tls->ssl, rv;

    if (is_tls && link->tls->state < SL_STATE_OPEN)
        return HTTP_FORBIDDEN;
    if (sl_settings_number(settings, SL_REQUIRE_SSL) && !ap_ssl_conn_is_ssl(r->connection))
        return forbid(r, "SSL connection required");
    if (!is_tls || !sl_config_vhost(r->server))
        return DECLINED;
    rv = sl_demand_check(r, link);
    if (rv != DECLINED)
        return rv;
    set_user(r, settings);
    return check_expressions(r, settings);
}

/* ---- FakeBasicAuth ---- */

/* A client that sends such a name and the fixed password itself pretends to have had its certificate checked. */
static int is_forged(request_rec *r)
{
    const char *header = apr_table_get(r->headers_in, "Authorization");
    const char *scheme = header ? ap_getword(r->pool, &header, ' ') : NULL;
    char *credentials, *password;

    if (!scheme || strcasecmp(scheme, "Basic"))
        return 0;
    credentials = ap_pbase64decode(r->pool, header);
    password = strchr(credentials, ':');
    return credentials[0] == '/' && password && !strcmp(password + 1, FAKE_PASSWORD);
}

static int fake_basic_auth(request_rec *r)
{
    const sl_settings_t *settings = sl_config_of_request(r)->settings;
    X509 *certificate = sl_variable_certificate(r->connection, 1);
    const char *name;

    if (r->user || !certificate)
        return DECLINED;
    if (sl_settings_text(settings, SL_USER_NAME))
        name = user_name(r, settings);
    else
        name = sl_cert_text_dn(r->pool, certificate, SL_DN_SUBJECT, 1);
    if (!name)
        return DECLINED;
    if (strchr(name, ':')) {
        ap_log_rerror(
            APLOG_MARK, APLOG_WARNING, 0, r,
            "SL0106: FakeBasicAuth: the client certificate's subject (or what SSLUserName names) holds a colon and "
            "can't be a user name: access forbidden");
        return HTTP_FORBIDDEN;
    }
    apr_table_setn(r->headers_in, "Authorization",
                   apr_pstrcat(r->pool, "Basic ",
                               ap_pbase64encode(r->pool, apr_pstrcat(r->pool, name, ":" FAKE_PASSWORD, NULL)), NULL));
    return DECLINED;
}

static int is_strictly_forbidden(const request_rec *r)
{
    return sl_denial_stands(r) ||
           (sl_config_options(r) & SL_OPT_STRICT_REQUIRE && apr_table_get(r->notes, SECURELAYER_NOTE_FORBIDDEN));
}

static int check_authn(request_rec *r)
{
    if (is_strictly_forbidden(r))
        return HTTP_FORBIDDEN;
    if (!ap_is_initial_req(r))
        return DECLINED;
    if (is_forged(r)) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "AH02035: encountered FakeBasicAuth spoof: the client sent such credentials itself");
        return HTTP_FORBIDDEN;
    }
    if (!(sl_config_options(r) & SL_OPT_FAKE_BASIC_AUTH) || !ap_ssl_conn_is_ssl(r->connection))
        return DECLINED;
    return fake_basic_auth(r);
}

static int check_authz(request_rec *r)
{
    return is_strictly_forbidden(r) ? HTTP_FORBIDDEN : DECLINED;
}

/* ---- Require ssl, Require ssl-verify-client ---- */

static const char *takes_nothing(cmd_parms *cmd, const char *line, const void **parsed)
{
    (void)parsed;
    (void)cmd;
    return *line ? "Require ssl and Require ssl-verify-client take no arguments" : NULL;
}

static authz_status require_ssl(request_rec *r, const char *line, const void *parsed)
{
    (void)line;
    (void)parsed;
    return sl_config_vhost(r->server) && ap_ssl_conn_is_ssl(r->connection) ? AUTHZ_GRANTED : AUTHZ_DENIED;
}

static authz_status require_client(request_rec *r, const char *line, const void *parsed)
{
    const sl_link_t *link = sl_link_of(r->connection);

    (void)line;
    (void)parsed;
    if (!sl_config_vhost(r->server) || !link || !link->tls->ssl || !sl_variable_certificate(r->connection, 1))
        return AUTHZ_DENIED;
    return SSL_get_verify_result(link->tls->ssl) == X509_V_OK && !link->tls->verify_generous ? AUTHZ_GRANTED
                                                                                             : AUTHZ_DENIED;
}

static const authz_provider provider_ssl = {require_ssl, takes_nothing};
static const authz_provider provider_client = {require_client, takes_nothing};

void sl_access_register(apr_pool_t *pool)
{
    ap_hook_check_access(check_access, NULL, NULL, APR_HOOK_MIDDLE, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_authn(check_authn, NULL, NULL, APR_HOOK_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_authz(check_authz, NULL, NULL, APR_HOOK_MIDDLE, AP_AUTH_INTERNAL_PER_CONF);
    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, "ssl", AUTHZ_PROVIDER_VERSION, &provider_ssl,
                              AP_AUTH_INTERNAL_PER_CONF);
    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, "ssl-verify-client", AUTHZ_PROVIDER_VERSION, &provider_client,
                              AP_AUTH_INTERNAL_PER_CONF);
}
