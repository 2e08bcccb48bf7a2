/* httpd's command table, made from profile/settings_rows.h.
 *
 * Wrong arguments in the server's configuration files do not end the reading at once: they are gathered, so that one
 * start tells all of them. In .htaccess, where a request waits for the answer, they do. */
#ifndef SL_HTTPD_DIRECTIVES_H
#define SL_HTTPD_DIRECTIVES_H

#include <httpd.h>
#include <http_config.h>

#include "base/problem.h"

extern const command_rec sl_directives[];

/* A new reading of the configuration begins; `pool` is the configuration's. */
void sl_directives_begin(apr_pool_t *pool);
/* What was refused since then. */
const sl_problems_t *sl_directives_refused(void);

#endif
