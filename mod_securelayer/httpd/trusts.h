/* CAs and CRLs that are newer than those of the start, for connections with clients and with backends. */
#ifndef SL_HTTPD_TRUSTS_H
#define SL_HTTPD_TRUSTS_H

#include <httpd.h>

#include "base/problem.h"
#include "identity/trust.h"
#include "vhost/vhost.h"

/* In post_config, not in the rehearsal: numbers the trusts of all virtual hosts and of what connects to backends, and
 * has them reloaded. */
apr_status_t sl_trusts_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
    __attribute__((warn_unused_result));
/* As get_trust() of conn/host.h. In children. */
sl_trust_t *sl_trusts_get(int trust_id);

void sl_trusts_register(apr_pool_t *pool);

#endif
