/* The way in for mod_proxy and whoever else connects to somewhere: ssl_bind_outgoing of http_ssl.h. */
#ifndef SL_HTTPD_PROXY_HOOKS_H
#define SL_HTTPD_PROXY_HOOKS_H

#include <apr_pools.h>

void sl_proxy_hooks_register(apr_pool_t *pool);

#endif
