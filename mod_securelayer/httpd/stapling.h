/* OCSP stapling: which certificates get answers, from whom, and the answer for a handshake.
 *
 * Other modules that staple go first (mod_md by httpd's own hooks, others by those of mod_ssl.h). The rest is the
 * courier's (keeper/staple_job), with SSLUseStapling. */
#ifndef SL_HTTPD_STAPLING_H
#define SL_HTTPD_STAPLING_H

#include "base/problem.h"
#include "httpd/link.h"
#include "keeper/staple_job.h"

/* In post_config, not in the rehearsal, after sl_directories_start(): the board's sections, what is left from before,
 * and the courier's jobs. */
apr_status_t sl_stapling_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
    __attribute__((warn_unused_result));

typedef enum {
    SL_STAPLING_OFF,     /* nothing is stapled: not wanted, or nobody to ask */
    SL_STAPLING_MODULE,  /* it is another module's matter */
    SL_STAPLING_WAITING, /* no answer so far */
    SL_STAPLING_GOOD,
    SL_STAPLING_REVOKED,
    SL_STAPLING_MISSING, /* the responder fails, and no answer that counts is left */
    SL_STAPLING_KINDS
} sl_stapling_kind_t;

/* "off", "module", "waiting", "good", "revoked", "missing" */
const char *sl_stapling_word(sl_stapling_kind_t kind);
/* Any process: what is stapled for the identity of that number at `now` (seconds since 1970). */
sl_stapling_kind_t sl_stapling_look(int id, apr_int64_t now, sl_staple_state_t *state);

/* As get_staple() of conn/host.h; never waits. */
unsigned char *sl_stapling_get(sl_link_t *link, X509 *leaf, int *length);

#endif
