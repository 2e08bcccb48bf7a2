/* SecureLayerKeyLog: the secrets of all connections in a file, for tools that look into recorded traffic.
 * The file is opened by the parent, before it gives up its privileges; children write whole lines to it. */
#ifndef SL_HTTPD_KEY_LOG_H
#define SL_HTTPD_KEY_LOG_H

#include <httpd.h>

#include "base/problem.h"

/* SSLKEYLOGFILE is taken out of the environment, where a library would obey it unasked; what it said is kept over
 * restarts. Before OpenSSL makes its first context. */
void sl_key_log_take_environment(void);
/* Opens the file if the configuration asks for it, and has every host's connections written there. Tells what there
 * is to tell: that keys are logged, or that the environment alone does not do. */
apr_status_t sl_key_log_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
    __attribute__((warn_unused_result));

#endif
