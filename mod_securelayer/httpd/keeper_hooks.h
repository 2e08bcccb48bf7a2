/* The processes beside httpd's children: the keeper, which keeps the rights the server started with and never touches
 * the network, and the courier, which runs as httpd's User and may.
 *
 * Each is started in the last moment of post_config if it has a job, is started again if it dies, is killed if it hangs
 * (keeper/patience), and ends with the configuration: a graceful restart ends the old ones before new ones start. All
 * of this runs in the parent. */
#ifndef SL_HTTPD_KEEPER_HOOKS_H
#define SL_HTTPD_KEEPER_HOOKS_H

#include <httpd.h>

#include "httpd/helper_health.h"
#include "keeper/board.h"
#include "keeper/loop.h"

/* In post_config, not in the rehearsal: gives the process a job. `pool`: configuration pool. */
void sl_keeper_hooks_add(apr_pool_t *pool, sl_helper_t helper, sl_job_t *job);
/* Where the sections of this configuration's news are: set in post_config, read by children. */
sl_board_t *sl_keeper_hooks_board(void);

void sl_keeper_hooks_register(apr_pool_t *pool);

#endif
