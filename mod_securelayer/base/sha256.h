/* SHA-256 (FIPS 180-4) for code that must not know OpenSSL: fingerprints of public bytes.  Not for secrets and not for
 * speed; what signs, seals or compares keys asks crypto/ instead.
 * Runs in: any thread; a pure function. */
#ifndef SL_BASE_SHA256_H
#define SL_BASE_SHA256_H

#include <apr.h>

#define SL_SHA256_SIZE 32

/* `bytes` may be NULL if `length` is 0. */
void sl_sha256(unsigned char digest[SL_SHA256_SIZE], const void *bytes, apr_size_t length);

#endif
