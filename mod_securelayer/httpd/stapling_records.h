/* Which certificates of the configuration are stapled, and by whom; found by the parent, read by
 * children. */
#ifndef SL_HTTPD_STAPLING_RECORDS_H
#define SL_HTTPD_STAPLING_RECORDS_H

#include "base/problem.h"
#include "keeper/staple.h"
#include "profile/settings.h"

#include <httpd.h>

#define SL_STAPLED_ID_SIZE 20

/* A certificate, by its digest: what a connection can tell of the one it shows. */
typedef struct sl_stapled_t {
    X509 *leaf;                           /* held for a module or the staple; NULL: nobody needs it */
    unsigned char id[SL_STAPLED_ID_SIZE]; /* as httpd's hooks name it: SHA-1 of the DER */
    unsigned char key[SL_BOARD_KEY_SIZE]; /* as the board does: SHA-256 */
    unsigned primed : 1;                  /* httpd's hooks have it */
    unsigned hooked : 1;                  /* those of mod_ssl.h have it */
    unsigned told : 1;                    /* what was to be said of it */
    sl_staple_t *staple;                  /* NULL: it is not among the staples */
} sl_stapled_t;

/* In the parent, once the virtual hosts are there. `ask_modules`: other modules may be asked (not in check_config). */
void sl_stapled_collect(apr_pool_t *pool, apr_pool_t *scratch, server_rec *main_server, int ask_modules,
                        sl_problems_t *problems);
/* NULL: the configuration has no such certificate, or nobody staples for it. */
const sl_stapled_t *sl_stapled_find(const X509 *leaf);
/* By the number of its identity. */
const sl_stapled_t *sl_stapled_of(int id);
/* Is it among the staples, with nothing to ask about before the certificate is renewed? */
int sl_stapled_is_vacant(const sl_stapled_t *record);
/* All sl_staple_t *, without entries on the board. */
apr_array_header_t *sl_stapled_staples(void);
/* How answers are asked for, by a host's directives. */
void sl_stapled_set_rules(sl_staple_t *staple, const sl_settings_t *settings);

#endif
