/* SetHandler securelayer-status: a page for people, ?json for programs, ?metrics for a monitoring system. */
#ifndef SL_HTTPD_STATUS_PAGE_H
#define SL_HTTPD_STATUS_PAGE_H

#include <apr_pools.h>

void sl_status_page_register(apr_pool_t *pool);

#endif
