/* Private keys from unencrypted DER, quickly when the type is a usual one.
 *
 * OpenSSL's decoders try everything they know (0.9 ms for a P-256 key); RSA, EC on the NIST curves, Ed25519 and Ed448
 * are taken apart here and handed over as numbers (0.03 ms). Every other type, and every key that is not as
 * expected, goes to OpenSSL's decoders, so the result and the error are always theirs.
 * Copies of secret numbers are cleansed; the DER belongs to the caller.
 * Runs in: any process and thread. */
#ifndef SL_CRYPTO_KEY_DER_H
#define SL_CRYPTO_KEY_DER_H

#include "crypto/cert_der.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

/* A PKCS#8 PrivateKeyInfo. NULL with OpenSSL's error queued if it is none or of a type OpenSSL does not know. */
EVP_PKEY *sl_key_der_pkcs8(const unsigned char *der, apr_size_t length);
/* A traditional RSAPrivateKey, ECPrivateKey or DSA key; `label` is its PEM label ("RSA PRIVATE KEY"). */
EVP_PKEY *sl_key_der_traditional(const unsigned char *der, apr_size_t length, const char *label);

/* Without decoding it: is this PrivateKeyInfo, as far as the public half that it holds says, surely the key of that
 * certificate, and a strong one (RSA of 2048 bits or more, EC on a NIST curve)? 0: it takes OpenSSL to tell. */
int sl_key_der_is_of(const unsigned char *der, apr_size_t length, const sl_cert_der_t *cert);
/* The public key of a certificate as OpenSSL made keys before it had providers: with its parts at hand, so that nothing
 * has to be decoded to put it into a certificate. NULL unless it is RSA or on a NIST curve. */
EVP_PKEY *sl_key_der_public(const sl_cert_der_t *cert);
/* A traditional key as PrivateKeyInfo; RSA, and EC keys that name a NIST curve. Returns its length, 0 if it is another
 * one or needs more than `room` bytes. */
apr_size_t sl_key_der_wrap(unsigned char *to, apr_size_t room, const unsigned char *der, apr_size_t length,
                           const char *label);

#endif
