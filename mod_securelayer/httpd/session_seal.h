/* Which key seals the sessions of a virtual host in the session cache, and which ones open them. */
#ifndef SL_HTTPD_SESSION_SEAL_H
#define SL_HTTPD_SESSION_SEAL_H

#include "base/problem.h"
#include "resume/sealer.h"
#include "vhost/vhost.h"

/* In the parent: makes the key, once; it is kept over restarts. */
apr_status_t sl_session_seal_start(sl_problem_t *why) __attribute__((warn_unused_result));
/* Fills in `sealer`, for the calls of one connection. */
void sl_session_seal(sl_sealer_t *sealer, const sl_vhost_t *vhost);

#endif
