/* Certificates of ours as OpenSSL's objects, made in a twentieth of the time that its decoders take.
 *
 * What takes the time is the search for a decoder of the public key. So the certificate is decoded in a library context
 * whose provider is the default one without its decoders, and is given its public key, which was taken apart here. The
 * result is compared with the bytes; whatever is not as expected goes to OpenSSL's decoders.
 * Not for certificates of peers: what they are verified with comes from the library's own context. */
#ifndef SL_CRYPTO_CERT_QUICK_H
#define SL_CRYPTO_CERT_QUICK_H

#include <apr_pools.h>
#include <openssl/x509.h>

/* In the parent, at the begin of a configuration; ends with the pool in this process. Without it, where the default
 * provider is not in use, and in FIPS mode certificates are decoded the usual way. */
void sl_cert_quick_prepare(apr_pool_t *pool);

/* The whole of the bytes is one certificate: the caller's. NULL if it is none, or memory ended. Any thread. */
X509 *sl_cert_quick(const unsigned char *der, apr_size_t length);

#endif
