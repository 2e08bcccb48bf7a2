/* What is reloaded while httpd runs (SecureLayerReload): items that others add, the keeper's job, and what became of
 * them. */
#ifndef SL_HTTPD_RELOAD_H
#define SL_HTTPD_RELOAD_H

#include <httpd.h>

#include "keeper/reload_job.h"

/* In post_config, not in the rehearsal. */
int sl_reload_is_on(const server_rec *main_server);
/* A new item, zeroed but for its entry, for the caller to fill in. `pool`: configuration pool. */
sl_reload_item_t *sl_reload_add(apr_pool_t *pool);
/* When all items are there. */
apr_status_t sl_reload_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
    __attribute__((warn_unused_result));

/* Any process: how many items there are, and one of them (from 0). */
int sl_reload_count(void);
const sl_reload_item_t *sl_reload_item(int n);
/* Any process: the section of states for sl_reload_state_read(); NULL if nothing is reloaded. */
const sl_section_t *sl_reload_states(void);

#endif
