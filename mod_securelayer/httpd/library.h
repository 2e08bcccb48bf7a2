/* What the configuration asks of the OpenSSL library as a whole: SSLFIPS, SSLCryptoDevice.
 * Follows the configuration over restarts: what we switched on and nobody asks for any more is switched off; what was
 * on without us stays. Runs in: the parent's main thread, before certificates are read. */
#ifndef SL_HTTPD_LIBRARY_H
#define SL_HTTPD_LIBRARY_H

#include <httpd.h>

#include "base/problem.h"

void sl_library_prepare(server_rec *main_server, int tell, sl_problems_t *problems);

#endif
