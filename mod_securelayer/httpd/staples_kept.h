/* Stapled answers from one configuration to the next: what the board has when a configuration ends was verified when it
 * came, and is not verified again while all clients wait for a restart. In the parent. */
#ifndef SL_HTTPD_STAPLES_KEPT_H
#define SL_HTTPD_STAPLES_KEPT_H

#include <apr_pools.h>

#include "keeper/staple.h"

/* In post_config, when the board of this configuration is made: what is there when `pool` goes is kept. */
void sl_staples_kept_watch(apr_pool_t *pool);
/* Publishes what was kept for the certificate of `staple`, if it is good yet. */
void sl_staples_kept_give(const sl_staple_shelf_t *shelf, sl_staple_t *staple);
/* What nobody asked for is of no use any more. */
void sl_staples_kept_forget(void);

#endif
