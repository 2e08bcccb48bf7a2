/* From settings to virtual hosts: identities loaded, profiles compiled, every problem of every host collected.
 * Runs in the parent: in check_config under `httpd -t` and in the first pass of a start, in post_config otherwise. */
#ifndef SL_HTTPD_COLLECT_VHOSTS_H
#define SL_HTTPD_COLLECT_VHOSTS_H

#include <httpd.h>

#include "base/problem.h"
#include "identity/dialog.h"

typedef struct sl_collect_counts_t {
    int hosts;       /* that speak TLS */
    int profiles;    /* distinct settings */
    int read, known; /* identities: read from their files, and known from before */
} sl_collect_counts_t;

/* Is there a module that brings certificates (mod_md)? */
int sl_collect_has_providers(void);

/* Gives each server with TLS its sl_vhost_t. `pool`: configuration pool. Errors and warnings go to `problems`.
 * `ask_modules`: providers have prepared their certificates. Before post_config they have not, and must not be asked
 * (mod_md would end the process); a host without certificates of its own is then left to them. */
void sl_collect_vhosts(apr_pool_t *pool, apr_pool_t *scratch, server_rec *main_server, int ask_modules,
                       sl_dialog_mode_t mode, sl_problems_t *problems, sl_collect_counts_t *counts);

#endif
