/* The list of virtual hosts that httpd keeps with a connection (vhost_lookup_data) is out of sight while a request is
 * read, whose server is already that of the handshake's name: the index found it as httpd would. Once the Host header
 * is known and says something else, httpd looks for its host as ever. */
#include "httpd/host_shortcut.h"

#include <http_core.h>
#include <http_protocol.h>
#include <http_vhost.h>

#include <string.h>

#include "httpd/dropin.h"
#include "httpd/link.h"
#include "httpd/module_config.h"

/* With StrictHostCheck httpd asks in the middle of reading who has the name. */
static int is_strict(const server_rec *s)
{
#if AP_MODULE_MAGIC_AT_LEAST(20120211, 110)
    const core_server_config *core = ap_get_core_module_config(s->module_config);

    return core->strict_host_check == AP_CORE_CONFIG_ON;
#else
    (void)s;
    return 0;
#endif
}

static int can_be_short(const sl_link_t *link, const conn_rec *c)
{
    const sl_conn_t *tls = link->tls;

    return link->hosts && tls->ssl && tls->name && tls->name_known && !is_strict(c->base_server) &&
           !is_strict(tls->vhost->owner);
}

static void serve_by(request_rec *r, server_rec *s)
{
    r->server = s;
    r->per_dir_config = s->lookup_defaults;
}

static void pre_read_request(request_rec *r, conn_rec *c)
{
    const sl_link_t *link = sl_link_of(c);

    if (!link || link->outgoing)
        return;
    if (link->hosts) /* a request that could not be read may have left it hidden */
        c->vhost_lookup_data = link->hosts;
    if (!can_be_short(link, c))
        return;
    c->vhost_lookup_data = NULL;
    serve_by(r, link->tls->vhost->owner);
}

/* As httpd does it for a request it reads. */
static void look_up(request_rec *r, conn_rec *c)
{
    const server_rec *before = r->server;

    serve_by(r, c->base_server);
    if (!r->parsed_uri.hostname) /* else httpd would take it for one of the request line */
        r->hostname = NULL;
    ap_update_vhost_from_headers(r);
    serve_by(r, r->server);
    if (r->server->timeout != before->timeout && !c->master)
        apr_socket_timeout_set(ap_get_conn_socket(c), r->server->timeout);
}

static int post_read_request(request_rec *r)
{
    conn_rec *c = r->connection;
    const sl_link_t *link = sl_link_of(c);

    if (!link || link->outgoing || !link->hosts || c->vhost_lookup_data)
        return DECLINED;
    c->vhost_lookup_data = link->hosts;
    if (!r->hostname || strcmp(r->hostname, link->tls->name))
        look_up(r, c);
    return DECLINED;
}

void sl_host_shortcut_register(apr_pool_t *pool)
{
    (void)pool;
    sl_dropin_own_begin();
    ap_hook_pre_read_request(pre_read_request, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_post_read_request(post_read_request, NULL, NULL, APR_HOOK_REALLY_FIRST);
    sl_dropin_own_end();
}
