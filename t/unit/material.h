/* Keys, certificates, CRLs and files for tests, made when they are needed.
 *
 * Everything belongs to the pool it was made from and is freed with it; a caller that gives an object away takes a
 * reference of its own (X509_up_ref). What cannot be made fails the test, except for keys of types that the OpenSSL at
 * hand does not know. Dates default to "valid since yesterday, for a year". */
#ifndef SL_T_MATERIAL_H
#define SL_T_MATERIAL_H

#include "identity/identity.h"

#include <apr_pools.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#define MATERIAL_DAY 86400

/* "RSA" (2048 bits), "RSA-1024" (any size), "RSA-PSS", "P-256" (any curve name), "ED25519", "ED448", "DSA", or any
 * other type OpenSSL knows ("ML-DSA-65"); NULL if it does not. RSA and DSA keys are made once per process and type:
 * they are slow to make. */
EVP_PKEY *material_key(apr_pool_t *pool, const char *type);
/* A key of its own even if one of the type was made before. */
EVP_PKEY *material_new_key(apr_pool_t *pool, const char *type);

typedef struct material_pair_t {
    X509 *cert;
    EVP_PKEY *key;
} material_pair_t;

typedef struct material_cert_t {
    const char *subject;           /* "/C=US/O=Example/CN=a.test", a "+" instead of the slash adds to the same RDN;
                                      UTF-8; NULL: "/CN=test" */
    const X509_NAME *subject_name; /* instead of `subject` */
    const char *san;               /* "DNS:a.test,IP:127.0.0.1,email:a@b,URI:http://x/,otherName:1.2.3;UTF8:x"; NULL: none */
    const char *const *extensions; /* name, value, name, value, ... NULL, as in openssl.cnf; NULL: none */
    const char *serial;            /* decimal or 0x hexadecimal, may be negative; NULL: a random one */
    apr_int64_t not_before, not_after; /* seconds since 1970; 0: the defaults */
    const char *digest;            /* "SHA256" if NULL; ignored for keys that bring their own */
    int ca;                        /* BasicConstraints CA:TRUE and the usages of a CA */
    int version1;                  /* no extensions at all */
} material_cert_t;

/* Signed by `issuer`, or by itself if that is NULL. */
X509 *material_cert(apr_pool_t *pool, const material_cert_t *what, EVP_PKEY *key, const material_pair_t *issuer);
/* A key of `key_type` and its certificate. */
material_pair_t *material_pair(apr_pool_t *pool, const material_cert_t *what, const char *key_type,
                               const material_pair_t *issuer);
/* A CA named "/CN=NAME" on P-256; below `issuer` or self-signed (NULL). */
material_pair_t *material_ca(apr_pool_t *pool, const char *name, const material_pair_t *issuer);
/* A server certificate for the DNS name `host`. */
material_pair_t *material_server(apr_pool_t *pool, const char *host, const char *key_type,
                                 const material_pair_t *issuer);
/* A client certificate "/CN=NAME". */
material_pair_t *material_client(apr_pool_t *pool, const char *name, const char *key_type,
                                 const material_pair_t *issuer);

/* CRL of `ca` that revokes `revoked` (NULL: nothing); `next_update` in seconds since 1970, 0: in a month. */
X509_CRL *material_crl(apr_pool_t *pool, const material_pair_t *ca, X509 *revoked, apr_int64_t next_update);

/* Bytes of a file in some form. PEM ends in NUL, which `length` does not count. */
typedef struct material_bytes_t {
    const char *data;
    apr_size_t length;
} material_bytes_t;

material_bytes_t material_text(const char *text);
material_bytes_t material_join(apr_pool_t *pool, material_bytes_t first, material_bytes_t second);
material_bytes_t material_base64(apr_pool_t *pool, material_bytes_t bytes); /* in lines of 64 */
material_bytes_t material_cert_pem(apr_pool_t *pool, X509 *cert);
material_bytes_t material_cert_der(apr_pool_t *pool, X509 *cert);
material_bytes_t material_trusted_pem(apr_pool_t *pool, X509 *cert);
material_bytes_t material_crl_pem(apr_pool_t *pool, X509_CRL *crl);
material_bytes_t material_request_pem(apr_pool_t *pool, EVP_PKEY *key, const char *subject);
material_bytes_t material_public_pem(apr_pool_t *pool, EVP_PKEY *key);
/* PKCS#8; encrypted with `cipher` ("AES-256-CBC") if that is not NULL. */
material_bytes_t material_key_pem(apr_pool_t *pool, EVP_PKEY *key, const char *cipher, const char *phrase);
material_bytes_t material_key_der(apr_pool_t *pool, EVP_PKEY *key, const char *cipher, const char *phrase);
/* "BEGIN RSA PRIVATE KEY" and its like. */
material_bytes_t material_key_traditional_pem(apr_pool_t *pool, EVP_PKEY *key, const char *cipher, const char *phrase);
material_bytes_t material_key_traditional_der(apr_pool_t *pool, EVP_PKEY *key);
/* `chain` and `phrase` may be NULL (no phrase is not the same as an empty one). */
material_bytes_t material_pkcs12(apr_pool_t *pool, const material_pair_t *pair, STACK_OF(X509) *chain,
                                 const char *phrase);
/* Certificates only (.p7b). */
material_bytes_t material_pkcs7_der(apr_pool_t *pool, STACK_OF(X509) *certificates);
material_bytes_t material_pkcs7_pem(apr_pool_t *pool, STACK_OF(X509) *certificates);
/* An answer of `ca` as OCSP responder, for the next hour: the certificate is good. */
material_bytes_t material_ocsp_good(apr_pool_t *pool, X509 *cert, const material_pair_t *ca);
/* Any DER under any PEM label. */
material_bytes_t material_pem(apr_pool_t *pool, const char *label, material_bytes_t der);

/* An identity of the pair, with `issuer` as its chain (NULL: it has none), for the caller to release. */
sl_identity_t *material_identity(const material_pair_t *pair, const material_pair_t *issuer, const char *origin);
/* A stack of `certs` (borrowed, NULL at the end); the stack itself dies with the pool. */
STACK_OF(X509) *material_stack(apr_pool_t *pool, X509 *first, ...) __attribute__((sentinel));

/* A new temporary directory, removed with everything in it when the pool goes. */
const char *material_dir(apr_pool_t *pool);
/* Writes DIR/NAME (mode 0600) and returns its path. */
const char *material_file(apr_pool_t *pool, const char *dir, const char *name, material_bytes_t bytes);
/* DIR/HASH.0 (HASH.r0 with `crl`) -> NAME, as `openssl rehash` makes it. */
void material_hash_link(apr_pool_t *pool, const char *dir, const char *name, const X509_NAME *of, int crl);

/* Seconds since 1970, now. */
apr_int64_t material_now(void);

#endif
