/* From settings to virtual hosts: identities loaded, profiles compiled, every problem of every host collected.
 * Runs in the parent: in post_config of both passes, and in check_config under `httpd -t`. */
#ifndef SL_HTTPD_COLLECT_VHOSTS_H
#define SL_HTTPD_COLLECT_VHOSTS_H

#include <httpd.h>

#include "base/problem.h"

typedef struct sl_collect_counts_t {
    int hosts;       /* that speak TLS */
    int profiles;    /* distinct settings */
    int read, known; /* identities: read from their files, and known from before */
} sl_collect_counts_t;

/* Gives each server with TLS its sl_vhost_t. `pool`: configuration pool. Errors and warnings go to `problems`. */
void sl_collect_vhosts(apr_pool_t *pool, apr_pool_t *scratch, server_rec *main_server, sl_problems_t *problems,
                       sl_collect_counts_t *counts);

#endif
