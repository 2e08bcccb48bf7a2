/* Sections of the configuration that say something about handshakes: noted while it is read, looked at in
 * post_config. */
#ifndef SL_HTTPD_SECTIONS_H
#define SL_HTTPD_SECTIONS_H

#include <httpd.h>
#include <http_config.h>

#include "base/problem.h"
#include "httpd/module_config.h"

/* What they speak of: handshakes with clients, or TLS with backends. */
typedef enum { SL_SECTIONS_OF_CLIENTS, SL_SECTIONS_OF_BACKENDS, SL_SECTION_KINDS } sl_sections_t;

typedef struct sl_config_section_t {
    sl_dir_config_t *dir;
    server_rec *server;
    const char *name; /* "<Location /private>" */
} sl_config_section_t;

/* In pre_config: forgets what an earlier reading noted. */
void sl_sections_begin(apr_pool_t *pool);
/* The directive of `cmd` was put into `dir`, a section's record. */
void sl_sections_note(cmd_parms *cmd, sl_dir_config_t *dir, sl_sections_t kind);
/* Those of a kind, sl_config_section_t, in the order of the configuration. */
const apr_array_header_t *sl_sections_noted(sl_sections_t kind);
/* When the virtual hosts are known: tells of lists that name no suite, and of what no browser can do. */
void sl_sections_review(server_rec *main_server, sl_problems_t *problems);

#endif
