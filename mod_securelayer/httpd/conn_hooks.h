/* A connection's way through httpd: pre_connection, process_connection, close. */
#ifndef SL_HTTPD_CONN_HOOKS_H
#define SL_HTTPD_CONN_HOOKS_H

#include "httpd/link.h"

/* Registers filters and hooks; in register_hooks. */
void sl_conn_hooks_register(apr_pool_t *pool);

/* The link of a connection, not begun; filters come in pre_connection. */
sl_link_t *sl_conn_hooks_make_link(conn_rec *c);
/* Brings the handshake to its end if it is not there yet, waiting if `block` allows. APR_SUCCESS when bytes may flow
 * (TLS or plain), APR_EAGAIN, or why not. */
apr_status_t sl_conn_hooks_complete(sl_link_t *link, apr_read_type_e block);
/* The end of the connection as the shutdown settings have it: writes close_notify or not. Once per connection. */
void sl_conn_hooks_shutdown(sl_link_t *link);
/* ssl-accurate-shutdown: waits for the peer's close_notify, two seconds at most. After sl_conn_hooks_shutdown(), when
 * what it wrote is sent. */
void sl_conn_hooks_await_close(sl_link_t *link);

#endif
