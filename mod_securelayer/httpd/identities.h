/* The identities of this configuration: their supply, from collecting to the children. */
#ifndef SL_HTTPD_IDENTITIES_H
#define SL_HTTPD_IDENTITIES_H

#include <httpd.h>

#include "keeper/supply.h"

/* In the parent, at the begin of each pass over the configuration. */
sl_supply_t *sl_identities_make(apr_pool_t *pool);
/* That of this configuration; in every process. NULL before the first one. */
sl_supply_t *sl_identities_supply(void);
/* In post_config, not in the rehearsal, once everybody has looked at the identities. */
apr_status_t sl_identities_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
    __attribute__((warn_unused_result));

void sl_identities_register(apr_pool_t *pool);

#endif
