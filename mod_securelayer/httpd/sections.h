/* Sections of the configuration that say something about handshakes: noted while it is read, looked at in
 * post_config. */
#ifndef SL_HTTPD_SECTIONS_H
#define SL_HTTPD_SECTIONS_H

#include <httpd.h>
#include <http_config.h>

#include "base/problem.h"
#include "profile/settings.h"

/* In pre_config: forgets what an earlier reading noted. */
void sl_sections_begin(apr_pool_t *pool);
/* The directive of `cmd` was put into `settings`, a section's record. */
void sl_sections_note(cmd_parms *cmd, const sl_settings_t *settings);
/* When the virtual hosts are known: tells of lists that name no suite, and of what no browser can do. */
void sl_sections_review(server_rec *main_server, sl_problems_t *problems);

#endif
