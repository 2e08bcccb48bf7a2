/* From configuration to a serving module: pre_config, check_config (-t), post_config. */
#ifndef SL_HTTPD_STARTUP_H
#define SL_HTTPD_STARTUP_H

#include <httpd.h>

void sl_startup_register(apr_pool_t *pool);

#endif
