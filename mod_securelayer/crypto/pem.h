/* Certificates, keys and parameters from the bytes of a file, in whatever form OpenSSL reads: PEM blocks in any
 * order, PKCS#8 or traditional keys, DER (certificate, PKCS#8, traditional), PKCS#12.
 *
 * Unencrypted keys of a known type are decoded by d2i with that type (0.03 ms instead of 0.9 ms for P-256).
 * Key bytes are cleansed before their memory is given back. Owner of every object in a sl_pem_t is the sl_pem_t.
 * Runs in: any process and thread. */
#ifndef SL_CRYPTO_PEM_H
#define SL_CRYPTO_PEM_H

#include "base/problem.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

/* Asks for the pass phrase of `object`; writes at most `size` bytes and returns their number, -1 if there is none. */
typedef int (*sl_pem_passphrase_t)(char *phrase, int size, const char *object, void *baton);

typedef struct sl_pem_t {
    STACK_OF(X509) *certificates; /* in the order of the file; never NULL after success */
    STACK_OF(X509_CRL) *crls;
    EVP_PKEY *key;                /* NULL if none was found; the first one if there were several */
    int keys;                     /* how many were found */
    int key_was_encrypted;
    EVP_PKEY *dh_parameters;      /* DH PARAMETERS block, NULL if none */
    char *ec_group;               /* group name of an EC PARAMETERS block ("prime256v1"), malloc'ed; NULL if none */
} sl_pem_t;

/* Reads `length` bytes that came from `object` (a path, for messages). `passphrase` may be NULL (an encrypted key is
 * then an error that says so). Nothing recognisable at all: an error that says what the bytes look like
 * ("holds a certificate request, not a certificate", "is empty", "is HTML", ...). */
apr_status_t sl_pem_read(sl_pem_t *pem, const unsigned char *bytes, apr_size_t length, const char *object,
                         sl_pem_passphrase_t passphrase, void *baton, sl_problem_t *why)
    __attribute__((warn_unused_result));
/* Reads the file at `path` (at most 16 MiB; regular) and does the above; the buffer is cleansed. `scratch` pool for
 * the duration of the call. */
apr_status_t sl_pem_read_file(sl_pem_t *pem, const char *path, sl_pem_passphrase_t passphrase, void *baton,
                              apr_pool_t *scratch, sl_problem_t *why) __attribute__((warn_unused_result));
/* Frees everything the record holds and clears it. */
void sl_pem_clear(sl_pem_t *pem);

#endif
