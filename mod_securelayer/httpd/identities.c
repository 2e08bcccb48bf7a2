/* Holds the supply that collect_vhosts fills and conn_hooks asks; called by startup. */
#include "httpd/identities.h"

#include <http_config.h>

#include "httpd/module_config.h"

static sl_supply_t *supply;
static apr_int64_t ready_most;

static apr_status_t forget(void *made)
{
    if (supply == made)
        supply = NULL;
    return APR_SUCCESS;
}

sl_supply_t *sl_identities_make(apr_pool_t *pool)
{
    supply = sl_supply_make(pool);
    apr_pool_cleanup_register(pool, supply, forget, apr_pool_cleanup_null);
    return supply;
}

sl_supply_t *sl_identities_supply(void)
{
    return supply;
}

apr_status_t sl_identities_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
{
    (void)pool;
    (void)why;
    ready_most = sl_settings_number(sl_config_of_server(main_server)->settings, SL_IDENTITY_CACHE);
    sl_supply_settle(supply, NULL);
    return APR_SUCCESS;
}

static void child_init(apr_pool_t *pool, server_rec *s)
{
    (void)s;
    if (supply)
        sl_supply_start(supply, pool, (int)ready_most);
}

void sl_identities_register(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
}
