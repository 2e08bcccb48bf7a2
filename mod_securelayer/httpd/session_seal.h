/* Sealing of a virtual host's sessions for the session cache: with the first key of its SSLSessionTicketKeyFile, or of
 * the ring that all others share. */
#ifndef SL_HTTPD_SESSION_SEAL_H
#define SL_HTTPD_SESSION_SEAL_H

#include "resume/sealer.h"
#include "vhost/vhost.h"

/* Fills in `sealer`, for the calls of one connection. */
void sl_session_seal(sl_sealer_t *sealer, const sl_vhost_t *vhost);

#endif
