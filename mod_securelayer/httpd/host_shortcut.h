/* Requests whose Host header is the name of the handshake go to its virtual host without httpd's walk through all of
 * them, which takes longer than the rest of a small request where there are ten thousand. */
#ifndef SL_HTTPD_HOST_SHORTCUT_H
#define SL_HTTPD_HOST_SHORTCUT_H

#include <apr_pools.h>

void sl_host_shortcut_register(apr_pool_t *pool);

#endif
