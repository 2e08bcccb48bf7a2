/* httpd -t -D DUMP_CERTS, DUMP_CA_CERTS and DUMP_SSL_POLICIES: what the configuration names, on standard output. */
#ifndef SL_HTTPD_DUMPS_H
#define SL_HTTPD_DUMPS_H

#include <httpd.h>

void sl_dumps_register(apr_pool_t *pool);

#endif
