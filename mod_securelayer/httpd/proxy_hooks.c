/* Which settings a connection to a backend gets.  httpd asks in ssl_bind_outgoing, before pre_connection. */
#include "httpd/proxy_hooks.h"

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <http_ssl.h>

#include "httpd/conn_hooks.h"
#include "httpd/module_config.h"

APLOG_USE_MODULE(sl);

/* Of the request's section or the worker's, which may have none of our directives; then of the server. */
static const sl_outgoing_t *outgoing_for(const conn_rec *c, const ap_conf_vector_t *section)
{
    const sl_dir_config_t *dir = section ? ap_get_module_config(section, &sl_module) : NULL;

    if (!dir || !dir->has_outgoing)
        dir = ap_get_module_config(c->base_server->lookup_defaults, &sl_module);
    return dir ? dir->outgoing : NULL;
}

/* Before pre_connection, and again each time the connection is used for another request. */
static int bind_outgoing(conn_rec *c, ap_conf_vector_t *section, int require_ssl)
{
    const sl_outgoing_t *outgoing;
    sl_link_t *link;

    if (!require_ssl)
        return DECLINED;
    if (ap_get_module_config(c->conn_config, &sl_module))
        return OK;
    outgoing = outgoing_for(c, section);
    if (!outgoing) {
        ap_log_cerror(APLOG_MARK, APLOG_ERR, 0, c,
                      "AH01961: TLS with a backend is wanted by %s, but SSLProxyEngine is off there. Set it on, in the "
                      "virtual host or in its <Proxy> section",
                      c->base_server->server_hostname ? c->base_server->server_hostname : "a host without ServerName");
        return DECLINED;
    }
    link = sl_conn_hooks_make_link(c);
    link->outgoing = outgoing;
    return OK;
}

void sl_proxy_hooks_register(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_ssl_bind_outgoing(bind_outgoing, NULL, NULL, APR_HOOK_MIDDLE);
}
