/* Who may pass: SSLRequireSSL, SSLRequire, SSLUserName, FakeBasicAuth, StrictRequire, `Require ssl` and `Require
 * ssl-verify-client`. */
#ifndef SL_HTTPD_ACCESS_H
#define SL_HTTPD_ACCESS_H

#include <httpd.h>

void sl_access_register(apr_pool_t *pool);

#endif
