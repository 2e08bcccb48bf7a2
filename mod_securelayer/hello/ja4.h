/* JA4, the TLS client fingerprint as FoxIO published it (2023), "t13d1516h2_8daaf6152771_e5627efa2ab1".
 * Pure function over a parsed hello; the result lives in the pool. */
#ifndef SL_HELLO_JA4_H
#define SL_HELLO_JA4_H

#include "hello/client_hello.h"

const char *sl_ja4(const sl_client_hello_t *hello, apr_pool_t *pool);

#endif
