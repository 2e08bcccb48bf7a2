/* Keys and PKCS#12 files that a pass phrase opens.
 *
 * The phrase is asked for as often as sl_pem_passphrase_t says; phrases are cleansed from our memory. A wrong phrase,
 * a missing one and a method OpenSSL no longer reads are told apart.
 * Runs in: any process and thread; may wait for whoever types the phrase. */
#ifndef SL_CRYPTO_SEALED_H
#define SL_CRYPTO_SEALED_H

#include "base/problem.h"
#include "crypto/passphrase.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

typedef struct sl_asker_t {
    sl_pem_passphrase_t ask; /* NULL: nobody can be asked */
    void *baton;
    const char *object;
} sl_asker_t;

/* PKCS#8 EncryptedPrivateKeyInfo. */
apr_status_t sl_sealed_pkcs8(EVP_PKEY **key, const unsigned char *der, apr_size_t length, const sl_asker_t *asker,
                             sl_problem_t *why) __attribute__((warn_unused_result));
/* A traditional key under PEM headers (Proc-Type: 4,ENCRYPTED; DEK-Info). */
apr_status_t sl_sealed_traditional(EVP_PKEY **key, const unsigned char *bytes, apr_size_t length,
                                   const unsigned char *headers, apr_size_t headers_length, const char *label,
                                   const sl_asker_t *asker, sl_problem_t *why) __attribute__((warn_unused_result));

typedef struct sl_sealed_bag_t {
    EVP_PKEY *key;       /* NULL if there is none */
    X509 *certificate;   /* the one that belongs to the key; NULL if there is none */
    STACK_OF(X509) *others; /* NULL if there are none */
    int phrase_needed;
} sl_sealed_bag_t;

/* A PKCS#12 file; without asking if it has no phrase or an empty one. The caller owns what is in the bag. */
apr_status_t sl_sealed_pkcs12(sl_sealed_bag_t *bag, const unsigned char *der, apr_size_t length,
                              const sl_asker_t *asker, sl_problem_t *why) __attribute__((warn_unused_result));

#endif
