/* Certificates, keys and parameters from the bytes of a file, in whatever form OpenSSL reads: PEM blocks in any
 * order with text between them, PKCS#8 or traditional keys, DER (one or several elements), bare base64 of DER,
 * PKCS#7 and PKCS#12.
 *
 * Unencrypted keys of a known type are decoded by their type (0.03 ms instead of 0.9 ms for P-256).
 * Key bytes are cleansed before their memory is given back. Owner of every object in a sl_pem_t is the sl_pem_t.
 * Runs in: any process and thread. */
#ifndef SL_CRYPTO_PEM_H
#define SL_CRYPTO_PEM_H

#include "base/problem.h"
#include "crypto/passphrase.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#define SL_PEM_BYTES_MAX (16 * 1024 * 1024)
#define SL_PEM_ITEMS_MAX 100000 /* certificates, and as many CRLs */

/* What the caller is after. Keys are only counted when they are not wanted, so nobody is asked for the pass phrase of
 * a key that nobody needs. (PKCS#12 files are one sealed whole: their phrase is asked for in any case.) */
typedef enum { SL_PEM_CERTIFICATES = -1, SL_PEM_ALL = 0 } sl_pem_want_t;
/* All, with the n-th key (0: the first) where there are several. */
#define SL_PEM_KEY(n) ((sl_pem_want_t)(SL_PEM_ALL + (n)))

typedef struct sl_pem_t {
    STACK_OF(X509) *certificates; /* in the order of the file; never NULL after success */
    STACK_OF(X509_CRL) *crls;     /* never NULL after success */
    EVP_PKEY *key;                /* NULL if none was found or wanted; of several the one that was wanted */
    int keys;                     /* how many were found */
    int key_was_encrypted;        /* that one; of keys that are not wanted the first */
    EVP_PKEY *dh_parameters;      /* DH PARAMETERS block, NULL if none */
    char *ec_group;               /* group name of an EC PARAMETERS block ("prime256v1"), malloc'ed; NULL if none */
    const char *other;            /* what else there is, "a certificate request"; static text, NULL if nothing */
} sl_pem_t;

/* Reads `length` bytes that came from `object` (a path, for messages). `passphrase` may be NULL (an encrypted key is
 * then an error that says so). Nothing recognisable at all: an error that says what the bytes look like
 * ("holds a certificate request, not a certificate", "is empty", "is HTML", ...). A damaged block is an error that
 * names its line. On failure `pem` is empty. */
apr_status_t sl_pem_read(sl_pem_t *pem, const unsigned char *bytes, apr_size_t length, const char *object,
                         sl_pem_want_t want, sl_pem_passphrase_t passphrase, void *baton, sl_problem_t *why)
    __attribute__((warn_unused_result));
/* Reads the file at `path` (at most 16 MiB; regular) and does the above; the buffer is cleansed. */
apr_status_t sl_pem_read_file(sl_pem_t *pem, const char *path, sl_pem_want_t want, sl_pem_passphrase_t passphrase,
                              void *baton, sl_problem_t *why) __attribute__((warn_unused_result));
/* Its certificates alone, the caller's; NULL, and an error in `problems`, if it can't be read or holds none. */
STACK_OF(X509) *sl_pem_read_certificates(const char *path, const sl_origin_t *origin, sl_problems_t *problems);
/* Frees everything the record holds and clears it. */
void sl_pem_clear(sl_pem_t *pem);

/* "2 certificates and a private key", for messages that say what was found instead. */
const char *sl_pem_describe(const sl_pem_t *pem, apr_pool_t *pool);

#endif
