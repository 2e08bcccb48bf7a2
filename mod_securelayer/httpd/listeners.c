/* By default httpd asks the kernel to keep connections without a byte back for 30 seconds (TCP_DEFER_ACCEPT). On an MPM
 * where every waiting connection holds a thread that is right; where it does not, the kernel's own short queue becomes
 * the bottleneck: a flood of silent connections fills it and nobody else gets in.  One second lets a hello that
 * comes at once arrive together with its connection, and no longer. */
#include "httpd/listeners.h"

#include <ap_listen.h>
#include <ap_mpm.h>
#include <apr_portable.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "httpd/module_config.h"

#if defined(AP_MPMQ_CAN_WAITIO) && defined(TCP_DEFER_ACCEPT)

static int serves_tls(const ap_listen_rec *listener, server_rec *main_server)
{
    for (server_rec *s = main_server; s; s = s->next) {
        if (!sl_config_vhost(s))
            continue;
        for (server_addr_rec *address = s->addrs; address; address = address->next) {
            if (!address->host_port || address->host_port == listener->bind_addr->port)
                return 1;
        }
        if (!s->is_virtual)
            return 1;
    }
    return 0;
}

/* `AcceptFilter ... none` wants nothing of it. */
static int is_deferred(apr_os_sock_t socket)
{
    int seconds = 0;
    socklen_t size = sizeof(seconds);

    return getsockopt(socket, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, &size) == 0 && seconds > 0;
}

void sl_listeners_prepare(server_rec *s)
{
    int can = 0, seconds = 1;

    if (ap_mpm_query(AP_MPMQ_CAN_WAITIO, &can) != APR_SUCCESS || !can)
        return;
    for (ap_listen_rec *listener = ap_listeners; listener; listener = listener->next) {
        apr_os_sock_t socket;

        if (listener->sd && serves_tls(listener, s) && apr_os_sock_get(&socket, listener->sd) == APR_SUCCESS &&
            is_deferred(socket))
            setsockopt(socket, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
    }
}

#else

void sl_listeners_prepare(server_rec *s)
{
    (void)s;
}

#endif
