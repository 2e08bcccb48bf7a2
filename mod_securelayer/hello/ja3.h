/* JA3, the fingerprint of a ClientHello as Salesforce published it (2017): decimal
 * "SSLVersion,Ciphers,Extensions,EllipticCurves,EllipticCurvePointFormats", GREASE left out, and its MD5.
 * Pure functions over a parsed hello; results live in the pool. */
#ifndef SL_HELLO_JA3_H
#define SL_HELLO_JA3_H

#include "hello/client_hello.h"

/* "771,4865-4866,0-11-10,29-23,0" */
const char *sl_ja3_text(const sl_client_hello_t *hello, apr_pool_t *pool);
/* 32 lower-case hex digits: MD5 of sl_ja3_text(). */
const char *sl_ja3_hash(const sl_client_hello_t *hello, apr_pool_t *pool);

#endif
