/* The request is read as any other, so its real request line is in the access log; only the answer is ours. */
#include "httpd/plain_http.h"

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <arpa/inet.h>

#include "base/text.h"
#include "httpd/link.h"

APLOG_USE_MODULE(sl);

/* Nobody is led anywhere by a Host that is none. */
static int is_host(const char *name)
{
    struct in6_addr address;
    const char *at = name;

    if (name && ap_strchr_c(name, ':'))
        return inet_pton(AF_INET6, name, &address) == 1;
    while (at && *at && (apr_isalnum(*at) || ap_strchr_c("-._", *at)))
        at++;
    return at && at > name && at - name <= SL_HOST_MAX && !*at;
}

static const char *https_address(request_rec *r)
{
    const char *host = is_host(r->hostname) ? r->hostname : r->server->server_hostname;
    apr_port_t port = r->connection->local_addr->port;
    const char *name = ap_strchr_c(host, ':') ? apr_pstrcat(r->pool, "[", host, "]", NULL) : host;

    if (port == 443)
        return apr_pstrcat(r->pool, "https://", name, NULL);
    return apr_psprintf(r->pool, "https://%s:%u", name, (unsigned)port);
}

int sl_plain_http_check(request_rec *r)
{
    sl_link_t *link = sl_link_of(r->connection);
    const char *address;

    if (!link || link->tls->state != SL_STATE_PLAIN || !ap_is_initial_req(r))
        return DECLINED;
    address = ap_escape_html(r->pool, https_address(r));
    apr_table_setn(r->notes, "error-notes",
                   apr_pstrcat(r->pool,
                               "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />\n"
                               "Instead use the HTTPS scheme to access this URL, please: <a href=\"",
                               address, "/\">", address, "/</a><br />\n", NULL));
    r->connection->keepalive = AP_CONN_CLOSE;
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "SL0103: plain HTTP on a port for TLS: answered with a link to %s",
                  address);
    return HTTP_BAD_REQUEST;
}
