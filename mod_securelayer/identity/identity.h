/* A certificate, its chain and its private key: shared, counted, immutable.
 *
 * Made by identity/loader in the parent process (or later in whatever process takes it), read by all threads of
 * all children. */
#ifndef SL_IDENTITY_IDENTITY_H
#define SL_IDENTITY_IDENTITY_H

#include "base/problem.h"
#include "base/refcount.h"

#include <apr_pools.h>
#include <apr_tables.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

typedef struct sl_identity_t {
    sl_refcount_t holders;
    X509 *leaf;
    STACK_OF(X509) *chain;   /* intermediates as they will be sent, leaf not included; may be empty, never NULL */
    EVP_PKEY *key;
    EVP_PKEY *dh_parameters; /* NULL if none */
    char *ec_group;          /* NULL if none */
    char *origin;            /* path of the certificate file, for messages; own copy */
    apr_int64_t not_before;  /* seconds since 1970 */
    apr_int64_t not_after;
    int place; /* of a certificate directory: its number among all that are in memory, for what is known besides */
    struct sl_identity_t *also; /* of a certificate directory: one with another key type that is there for the same
                                   entry, held by this one; NULL: none */
} sl_identity_t;

/* An identity as a virtual host names it: what the number means may get a newer version while the server runs. */
typedef struct sl_identity_ref_t {
    int id; /* 0, 1, 2, ... */
} sl_identity_ref_t;

/* Takes over the references given; `origin` is copied. NULL only if memory ends. */
sl_identity_t *sl_identity_new(X509 *leaf, STACK_OF(X509) *chain, EVP_PKEY *key, const char *origin);
void sl_identity_retain(sl_identity_t *identity);
/* NULL is allowed. Key material is cleansed by OpenSSL with the last reference. */
void sl_identity_release(sl_identity_t *identity);

/* Is it the same certificate (and so the same key), from whatever file? */
int sl_identity_is_same(const sl_identity_t *a, const sl_identity_t *b);

/* "RSA", "ECDSA", "Ed25519", "Ed448", "ML-DSA-65", ... or OpenSSL's name of the key type. */
const char *sl_identity_key_type(const sl_identity_t *identity);
/* The same of any key; "unknown" for NULL. */
const char *sl_identity_key_type_of(const EVP_PKEY *key);
/* Does the leaf cover `host` (lower case; RFC 9525: subjectAltName, the CN only without one)?
 * An IP address literal is looked up among the IP entries. */
int sl_identity_covers(const sl_identity_t *identity, const char *host);

/* What is weak about it by today's measure: a key of RSA below 2048 bits or EC below 224, a signature with SHA-1 or
 * MD5; words in `pool`, NULL: nothing. */
const char *sl_identity_weakness(const sl_identity_t *identity, apr_pool_t *pool);

/* What a careful administrator would want to be told of it, as warnings in `problems`, all with `origin`:
 * AH01906 it is a CA certificate; expired; expires within 14 days (or a third of its lifetime if that is shorter); not
 * yet valid; weak key (RSA below 2048, EC below 224) or signature (MD5, SHA-1); disordered chain (a certificate that
 * signs nothing in it; root sent needlessly is no warning); AH01909 when none of `names` (const char *, lower case) is
 * covered, naming the first five. `names` may be NULL. */
void sl_identity_review(const sl_identity_t *identity, const apr_array_header_t *names, apr_int64_t now,
                        const sl_origin_t *origin, sl_problems_t *problems);

/* Is the leaf followed by its issuer, or has it signed itself? */
int sl_identity_is_complete(const sl_identity_t *identity);
/* A warning if it is not: clients may not find the way to a root they know. Without a chain of its own one of `cas`
 * (NULL: there are none) may complete it. */
void sl_identity_review_issuer(const sl_identity_t *identity, STACK_OF(X509) *cas, const sl_origin_t *origin,
                               sl_problems_t *problems);

#endif
