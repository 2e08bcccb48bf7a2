/* Keys and certificates that are named by a URI and not by a file: "pkcs11:" (RFC 7512) for tokens, or whatever scheme
 * an OpenSSL provider brings (OSSL_STORE).
 *
 * "pkcs11:" is tried with the OpenSSL engine of that name first, where there are engines and it is installed. A PIN is
 * asked for through the asker, once; a PIN written into a URI never shows in a message.
 * Keys work in child processes. Runs in: any process and thread; may wait for whoever types the PIN. */
#ifndef SL_CRYPTO_KEY_URI_H
#define SL_CRYPTO_KEY_URI_H

#include "base/problem.h"
#include "crypto/sealed.h"

/* Has it a scheme (two letters or more before a colon, no slash)? "pkcs11:" counts in lower case only. */
int sl_key_uri_is(const char *text);
/* The URI as it may be shown: without the PIN. Anything else is returned as it is. */
const char *sl_key_uri_shown(const char *text, apr_pool_t *pool);
/* The path in a "file:" URI; NULL for others, and for what is no URI. Points into `text`. */
const char *sl_key_uri_file(const char *text);

/* The caller owns `*key`. */
apr_status_t sl_key_uri_key(EVP_PKEY **key, const char *uri, const sl_asker_t *asker, apr_pool_t *scratch,
                            sl_problem_t *why) __attribute__((warn_unused_result));
/* Adds what is found, at least one, to `certificates`. */
apr_status_t sl_key_uri_certificates(STACK_OF(X509) *certificates, const char *uri, const sl_asker_t *asker,
                                     apr_pool_t *scratch, sl_problem_t *why) __attribute__((warn_unused_result));

#endif
