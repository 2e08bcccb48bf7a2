/* SSLOptions StdEnvVars and ExportCertData: variables into a request's environment, in fixups. */
#ifndef SL_HTTPD_ENV_EXPORT_H
#define SL_HTTPD_ENV_EXPORT_H

#include <httpd.h>

void sl_env_export_register(apr_pool_t *pool);

#endif
