/* httpd's command table, made from profile/settings_rows.h.
 *
 * Wrong arguments in the server's configuration files do not end the reading at once: they are gathered, so that one
 * start tells all of them. In .htaccess, where a request waits for the answer, they do. */
#ifndef SL_HTTPD_DIRECTIVES_H
#define SL_HTTPD_DIRECTIVES_H

#include <httpd.h>
#include <http_config.h>

#include "base/problem.h"
#include "profile/settings.h"

extern const command_rec sl_directives[];

/* A new reading of the configuration begins; `pool` is the configuration's. */
void sl_directives_begin(apr_pool_t *pool);

/* A line whose arguments were refused. */
typedef struct sl_refused_t {
    sl_problem_t *why;
    const server_rec *server; /* that the line belongs to */
    sl_row_id_t row;
    int is_path; /* the file or directory is not as it should be: a matter of the hosts that need it alone */
    unsigned uses; /* what became of hosts that need it (broken_hosts.c) */
    int next;      /* index of the next one of the same place; -1: there is none */
} sl_refused_t;

/* What was refused since then: sl_refused_t, in the order of the configuration. */
apr_array_header_t *sl_directives_refused(void);
/* The index of the first one of that file and line; -1: there is none. One line may stand for several: included by
 * several hosts, with variables in it. */
int sl_directives_refused_at(const sl_origin_t *origin);

#endif
