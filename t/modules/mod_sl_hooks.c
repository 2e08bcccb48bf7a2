/* A module for tests: attends to every hook that mod_ssl.h and mod_ssl_openssl.h offer for servers, and says in the log
 * what it was shown.  `SLHook WHAT VALUE` makes it do something about it.  Built by the test with apxs. */
#include <httpd.h>

#include <http_config.h>
#include <http_log.h>
#include <http_protocol.h>
#include <mod_ssl.h>
#include <mod_ssl_openssl.h>

#include <apr_optional_hooks.h>
#include <apr_strings.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACME "acme-tls/1"

extern module AP_MODULE_DECLARE_DATA sl_hooks_module;
APLOG_USE_MODULE(sl_hooks);

static apr_table_t *wishes;

static const char *set_wish(cmd_parms *cmd, void *unused, const char *what, const char *value)
{
    (void)cmd;
    (void)unused;
    apr_table_set(wishes, what, value);
    return NULL;
}

/* Is `what` wished for this name? */
static int is_wished(const char *what, const char *name)
{
    const char *value = apr_table_get(wishes, what);

    return value && name && !strcmp(value, name);
}

static const char *subject_of(apr_pool_t *pool, X509 *certificate)
{
    char line[256] = "no certificate";

    if (certificate)
        X509_NAME_oneline(X509_get_subject_name(certificate), line, sizeof(line));
    return apr_pstrdup(pool, line);
}

static int init_server(server_rec *s, apr_pool_t *p, int is_proxy, SSL_CTX *ctx)
{
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s, "HOOK init_server %s proxy %d: %s", s->server_hostname, is_proxy,
                 subject_of(p, SSL_CTX_get0_certificate(ctx)));
    if (is_wished("old", s->server_hostname))
        SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    return is_wished("refuse", s->server_hostname) ? HTTP_INTERNAL_SERVER_ERROR : OK;
}

static int pre_handshake(conn_rec *c, SSL *ssl, int is_proxy)
{
    ap_log_cerror(APLOG_MARK, APLOG_NOTICE, 0, c, "HOOK pre_handshake proxy %d: %s", is_proxy,
                  SSL_in_before(ssl) ? "before" : "too late");
    ap_set_module_config(c->conn_config, &sl_hooks_module, ssl);
    return apr_table_get(wishes, "forbid") ? HTTP_FORBIDDEN : DECLINED;
}

static int proxy_post_handshake(conn_rec *c, SSL *ssl)
{
    ap_log_cerror(APLOG_MARK, APLOG_NOTICE, 0, c, "HOOK proxy_post_handshake: %s, outgoing %d",
                  SSL_is_init_finished(ssl) ? "done" : "too early", c->outgoing);
    return apr_table_get(wishes, "reject") ? HTTP_FORBIDDEN : OK;
}

/* Callbacks that a module sets on an SSL find the connection in its app data. */
static int log_transaction(request_rec *r)
{
    SSL *ssl = ap_get_module_config(r->connection->conn_config, &sl_hooks_module);

    if (ssl)
        ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, r, "HOOK app data: %s",
                      SSL_get_app_data(ssl) == (void *)r->connection ? "the connection" : "something else");
    return DECLINED;
}

static void add(apr_array_header_t *certificates, apr_array_header_t *keys, const char *file)
{
    APR_ARRAY_PUSH(certificates, const char *) = file;
    APR_ARRAY_PUSH(keys, const char *) = file;
}

static int add_cert_files(server_rec *s, apr_pool_t *p, apr_array_header_t *certificates, apr_array_header_t *keys)
{
    (void)p;
    if (is_wished("bring", s->server_hostname))
        add(certificates, keys, apr_table_get(wishes, "file"));
    return OK;
}

static int add_fallback(server_rec *s, apr_pool_t *p, apr_array_header_t *certificates, apr_array_header_t *keys)
{
    (void)p;
    if (is_wished("stand-in", s->server_hostname))
        add(certificates, keys, apr_table_get(wishes, "file"));
    return DECLINED;
}

static int answer_challenge(conn_rec *c, const char *name, X509 **certificate, EVP_PKEY **key)
{
    const char *path = apr_table_get(wishes, "challenge");
    FILE *file = path ? fopen(path, "r") : NULL;

    ap_log_cerror(APLOG_MARK, APLOG_NOTICE, 0, c, "HOOK answer_challenge %s", name);
    if (!file)
        return DECLINED;
    *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    rewind(file);
    *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    return OK;
}

static int propose(conn_rec *c, request_rec *r, server_rec *s, const apr_array_header_t *offers,
                   apr_array_header_t *proposals)
{
    (void)c;
    (void)r;
    (void)s;
    if (!apr_table_get(wishes, "challenge") || !ap_array_str_contains(offers, ACME))
        return DECLINED;
    APR_ARRAY_PUSH(proposals, const char *) = ACME;
    return OK;
}

static int switch_to(conn_rec *c, request_rec *r, server_rec *s, const char *protocol)
{
    (void)c;
    (void)r;
    (void)s;
    return strcmp(protocol, ACME) ? DECLINED : OK;
}

static int begin(apr_pool_t *p, apr_pool_t *log_pool, apr_pool_t *scratch)
{
    (void)log_pool;
    (void)scratch;
    wishes = apr_table_make(p, 4);
    return OK;
}

static int init_stapling_status(server_rec *s, apr_pool_t *p, X509 *certificate, X509 *issuer)
{
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s, "HOOK init_stapling_status %s by %s", subject_of(p, certificate),
                 subject_of(p, issuer));
    return apr_table_get(wishes, "staple") ? OK : DECLINED;
}

static int get_stapling_status(unsigned char **der, int *length, conn_rec *c, server_rec *s, X509 *certificate)
{
    const char *path = apr_table_get(wishes, "staple");
    unsigned char bytes[8192];
    FILE *file = path ? fopen(path, "r") : NULL;

    ap_log_cerror(APLOG_MARK, APLOG_NOTICE, 0, c, "HOOK get_stapling_status %s: %s", s->server_hostname,
                  subject_of(c->pool, certificate));
    if (!path)
        return DECLINED;
    *der = NULL;
    *length = file ? (int)fread(bytes, 1, sizeof(bytes), file) : 0;
    if (file)
        fclose(file);
    if (*length && (*der = malloc((size_t)*length)))
        memcpy(*der, bytes, (size_t)*length);
    return APR_SUCCESS;
}

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_pre_config(begin, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_protocol_propose(propose, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_protocol_switch(switch_to, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ssl, init_server, init_server, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_log_transaction(log_transaction, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ssl, pre_handshake, pre_handshake, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ssl, proxy_post_handshake, proxy_post_handshake, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ssl, add_cert_files, add_cert_files, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ssl, add_fallback_cert_files, add_fallback, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ssl, answer_challenge, answer_challenge, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ssl, init_stapling_status, init_stapling_status, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ssl, get_stapling_status, get_stapling_status, NULL, NULL, APR_HOOK_MIDDLE);
}

static const command_rec commands[] = {
    AP_INIT_TAKE2("SLHook", set_wish, NULL, RSRC_CONF, "what value: what to do about a hook"),
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL},
};

module AP_MODULE_DECLARE_DATA sl_hooks_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, commands, register_hooks, 0,
};
