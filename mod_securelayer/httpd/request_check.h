/* Does the request belong on this handshake? SNI against Host, challenges, stand-in certificates, shutdown
 * variables. */
#ifndef SL_HTTPD_REQUEST_CHECK_H
#define SL_HTTPD_REQUEST_CHECK_H

#include <httpd.h>

void sl_request_check_register(apr_pool_t *pool);

#endif
