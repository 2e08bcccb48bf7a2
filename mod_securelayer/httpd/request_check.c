/* post_read_request: the first look at a request, when its Host header is known. */
#include "httpd/request_check.h"

#include <http_core.h>
#include <http_log.h>
#include <http_main.h>
#include <http_protocol.h>
#include <http_request.h>
#include <http_ssl.h>

#include <apr_strings.h>
#include <string.h>

#include "httpd/broken_hosts.h"
#include "httpd/identities.h"
#include "httpd/link.h"
#include "httpd/module_config.h"
#include "httpd/plain_http.h"

APLOG_USE_MODULE(sl);

/* SetEnvIf and BrowserMatch say how old clients want their connection closed; the first request decides. The streams of
 * an HTTP/2 connection run in threads of their own and must not write here; its clients need no such help. */
static void decide_shutdown(request_rec *r, sl_link_t *link)
{
    const apr_array_header_t *env = apr_table_elts(r->subprocess_env);
    const apr_table_entry_t *entry = (const apr_table_entry_t *)env->elts;

    if (link->shutdown_decided || r->connection->master)
        return;
    link->shutdown_decided = 1;
    for (int i = 0; i < env->nelts; i++) {
        if (!strncmp(entry[i].key, "ssl-unclean-shutdown", 20))
            link->unclean_shutdown = 1, link->accurate_shutdown = 0;
        else if (!strncmp(entry[i].key, "ssl-accurate-shutdown", 21))
            link->accurate_shutdown = 1, link->unclean_shutdown = 0;
    }
}

static int check_host_is_named(request_rec *r, const sl_link_t *link)
{
    if (!link->tls->sni || r->hostname)
        return DECLINED;
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  "AH02031: Hostname %s provided via SNI, but no hostname provided in HTTP request",
                  ap_escape_logitem(r->pool, link->tls->sni));
    return HTTP_BAD_REQUEST;
}

static int check_name_was_sent(request_rec *r, const sl_link_t *link)
{
    if (link->tls->sni || !r->connection->vhost_lookup_data)
        return DECLINED;
    if (!sl_settings_number(sl_config_of_server(r->server)->settings, SL_STRICT_SNI) &&
        !sl_settings_number(sl_config_of_server(link->server)->settings, SL_STRICT_SNI))
        return DECLINED;
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  "AH02033: No hostname was provided via SNI for a name based virtual host");
    apr_table_setn(r->notes, "error-notes",
                   "Reason: The client software did not provide a hostname using Server Name Indication (SNI), "
                   "which is required to access this server.<br />\n");
    return HTTP_FORBIDDEN;
}

static int is_same_certificate(int a, int b)
{
    return sl_supply_is_same(sl_identities_supply(), a, b);
}

static int check_policy(request_rec *r, const sl_link_t *link)
{
    int policy = (int)sl_settings_number(sl_config_of_server(ap_server_conf)->settings, SL_SNI_POLICY);
    const char *difference =
        sl_vhost_differs(link->tls->vhost, sl_config_vhost(r->server), policy, is_same_certificate, r->pool);

    if (!difference)
        return DECLINED;
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  "AH02032: Hostname %s (default host as no SNI was provided: %s) and hostname %s provided via HTTP "
                  "have no compatible SSL setup: they differ in %s (SSLVHostSNIPolicy)",
                  link->tls->sni ? ap_escape_logitem(r->pool, link->tls->sni) : link->server->server_hostname,
                  link->tls->sni ? "no" : "yes", r->hostname ? ap_escape_logitem(r->pool, r->hostname) : "(none)",
                  difference);
    return HTTP_MISDIRECTED_REQUEST;
}

/* Not by any other host's handshake, whatever the policy, and not in plain text. */
static int refuse_left_out(request_rec *r, const sl_vhost_t *vhost)
{
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                  "SL0182: a request for %s, which is left out (SecureLayerBrokenHost skip), came over %s", vhost->id,
                  ap_ssl_conn_is_ssl(r->connection) ? "another host's handshake" : "a connection without TLS");
    return HTTP_MISDIRECTED_REQUEST;
}

static int check_names(request_rec *r, const sl_link_t *link)
{
    int rv = check_host_is_named(r, link);

    if (rv == DECLINED)
        rv = check_name_was_sent(r, link);
    return rv == DECLINED ? check_policy(r, link) : rv;
}

static int post_read_request(request_rec *r)
{
    sl_link_t *link = sl_link_of(r->connection);
    const sl_vhost_t *vhost = sl_config_vhost(r->server);
    int rv = sl_plain_http_check(r);

    if (rv != DECLINED || !ap_is_initial_req(r))
        return rv;
    if (vhost && sl_broken_hosts_is_out(vhost))
        return refuse_left_out(r, vhost);
    if (!link || !link->tls->ssl)
        return DECLINED;
    if (link->tls->challenge || (vhost && vhost->unavailable))
        return HTTP_SERVICE_UNAVAILABLE;
    decide_shutdown(r, link);
    return r->proxyreq == PROXYREQ_PROXY ? DECLINED : check_names(r, link);
}

void sl_request_check_register(apr_pool_t *pool)
{
    static const char *const setenvif[] = {"mod_setenvif.c", NULL};

    (void)pool;
    ap_hook_post_read_request(post_read_request, setenvif, NULL, APR_HOOK_MIDDLE);
}
