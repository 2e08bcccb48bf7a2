/* Private keys from unencrypted DER, quickly when the type is a usual one.
 *
 * OpenSSL's decoders try everything they know (0.9 ms for a P-256 key); RSA, EC on the NIST curves, Ed25519 and Ed448
 * are taken apart here and handed over as numbers (0.03 ms). Every other type, and every key that is not as
 * expected, goes to OpenSSL's decoders, so the result and the error are always theirs.
 * Copies of secret numbers are cleansed; the DER belongs to the caller.
 * Runs in: any process and thread. */
#ifndef SL_CRYPTO_KEY_DER_H
#define SL_CRYPTO_KEY_DER_H

#include <apr.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

/* A PKCS#8 PrivateKeyInfo. NULL with OpenSSL's error queued if it is none or of a type OpenSSL does not know. */
EVP_PKEY *sl_key_der_pkcs8(const unsigned char *der, apr_size_t length);
/* A traditional RSAPrivateKey, ECPrivateKey or DSA key; `label` is its PEM label ("RSA PRIVATE KEY"). */
EVP_PKEY *sl_key_der_traditional(const unsigned char *der, apr_size_t length, const char *label);

#endif
