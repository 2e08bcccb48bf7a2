/* The list of items, and the job made of it.  Called by startup; items come from identities and tickets. */
#include "httpd/reload.h"

#include <http_config.h>

#include <string.h>

#include "httpd/keeper_hooks.h"
#include "httpd/module_config.h"

static apr_array_header_t *items; /* of sl_reload_item_t *; NULL: none */

static apr_status_t forget(void *unused)
{
    (void)unused;
    items = NULL;
    return APR_SUCCESS;
}

static long interval_of(const server_rec *main_server)
{
    return sl_settings_number(sl_config_of_server(main_server)->settings, SL_RELOAD);
}

int sl_reload_is_on(const server_rec *main_server)
{
    return interval_of(main_server) != 0;
}

sl_reload_item_t *sl_reload_add(apr_pool_t *pool)
{
    sl_reload_item_t *item = apr_pcalloc(pool, sizeof(*item));

    if (!items) {
        items = apr_array_make(pool, 16, sizeof(sl_reload_item_t *));
        apr_pool_cleanup_register(pool, NULL, forget, apr_pool_cleanup_null);
    }
    item->entry = items->nelts;
    APR_ARRAY_PUSH(items, sl_reload_item_t *) = item;
    return item;
}

apr_status_t sl_reload_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
{
    long interval = interval_of(main_server);
    sl_section_t **states = &sl_keeper_hooks_board()->reload_states;
    apr_status_t rv;

    if (!items)
        return APR_SUCCESS;
    rv = sl_section_make(states, pool, items->nelts, sizeof(sl_reload_state_t), NULL, why);
    if (rv == APR_SUCCESS)
        sl_keeper_hooks_add(
            pool, SL_KEEPER,
            sl_reload_job_make(pool, items, *states, interval < 0 ? SL_RELOAD_BY_EVENTS : (int)interval));
    return rv;
}

const sl_section_t *sl_reload_states(void)
{
    return sl_keeper_hooks_board()->reload_states;
}

int sl_reload_count(void)
{
    return items ? items->nelts : 0;
}

const sl_reload_item_t *sl_reload_item(int n)
{
    return APR_ARRAY_IDX(items, n, const sl_reload_item_t *);
}
