/* OpenSSL's error queue as text. The queue is per thread: clear it before a call, read it right after. */
#ifndef SL_CRYPTO_OPENSSL_ERROR_H
#define SL_CRYPTO_OPENSSL_ERROR_H

#include "base/problem.h"

void sl_openssl_error_clear(void);
/* The most telling queued error (the first one that has a reason, with its data text), e.g. "bad decrypt", and
 * empties the queue; "no reason given" if it was empty. */
const char *sl_openssl_error_take(apr_pool_t *pool);
/* sl_problem_set() with OpenSSL's reason behind the formatted text: "WHAT: reason". Empties the queue. */
apr_status_t sl_openssl_problem(sl_problem_t *why, const char *object, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
