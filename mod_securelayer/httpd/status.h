/* What /server-status shows of us (mod_status). */
#ifndef SL_HTTPD_STATUS_H
#define SL_HTTPD_STATUS_H

#include <apr_pools.h>

void sl_status_register(apr_pool_t *pool);

#endif
