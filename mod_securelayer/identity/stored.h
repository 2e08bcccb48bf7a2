/* An identity as a start keeps it: its bytes, and what is asked of it without making OpenSSL's objects of them.
 *
 * 100,000 of them fit where the objects of some thousands would. Made in the parent, by identity_cache; read by all
 * processes that inherit it. */
#ifndef SL_IDENTITY_STORED_H
#define SL_IDENTITY_STORED_H

#include "base/vault.h"
#include "identity/blob.h"
#include "identity/source.h"

#define SL_STORED_DIGEST 32

typedef struct sl_stored_t {
    unsigned char *bytes;    /* an identity/blob without its chain, in a vault; NULL if its key shows none (it lies on
                                a token) */
    apr_size_t length;
    const unsigned char *chain; /* shared with others in the vault */
    apr_size_t chain_length, chain_at; /* `chain_at`: where it was in `bytes` */
    sl_identity_t *identity; /* where there are no bytes; else NULL */
    unsigned char digest[SL_STORED_DIGEST]; /* SHA-256 of the leaf */
    apr_int64_t not_before, not_after;      /* seconds since 1970 */
    char *names;             /* DNS names as sl_cert_der_names() has them, own; NULL: not known, or none */
    int is_plain;            /* but for its dates sl_identity_review() has nothing to say of it */
    int is_complete;         /* as sl_identity_is_complete() */
    int has_features;        /* the leaf may say that it has to be stapled (RFC 7633) */
    unsigned key_mode;       /* permissions of the key's file (S_IWOTH, S_IROTH) that everybody has */
} sl_stored_t;

/* Of one that was loaded, which stays the caller's. `on_token`: its key can't be had as bytes. NULL, told in `why`. */
sl_stored_t *sl_stored_new(sl_identity_t *identity, int on_token, sl_vault_t *vault, sl_problem_t *why);
/* Reads the files of an ordinary source: PEM, the leaf and its chain in order (or none), a key that is open, on a NIST
 * curve or RSA, and belongs to the leaf. Whatever is not as expected, wrong or merely rare: NULL, and the loader has to
 * look at it, who also knows what to say. Keeps nothing in the vault. Any thread; several at a time.
 * *bytes (OPENSSL_malloc, of the caller) and their length are to be given to sl_stored_keep(). */
sl_stored_t *sl_stored_read(const sl_source_t *source, unsigned char **bytes, apr_size_t *length);
/* Puts the bytes into the vault and frees them. 0 if memory ended. */
int sl_stored_keep(sl_stored_t *stored, unsigned char *bytes, apr_size_t length, sl_vault_t *vault);
/* The same in memory of this thread, without bytes. NULL if memory ended. */
sl_stored_t *sl_stored_copy(const sl_stored_t *stored);
/* NULL is allowed. */
void sl_stored_free(sl_stored_t *stored, sl_vault_t *vault);

/* The identity itself, with a reference for the caller; NULL if memory ended. One with its key on a token always has
 * it. */
sl_identity_t *sl_stored_get(const sl_stored_t *stored, sl_blob_want_t want);
/* The one of `cas` (NULL: there are none) with the name, and the key identifier, that the leaf says of its issuer;
 * borrowed. NULL: none has them, or only OpenSSL reads the leaf. */
X509 *sl_stored_issuer_among(const sl_stored_t *stored, const STACK_OF(X509) *cas);
/* The DER of the leaf and of the first certificate behind it (empty: there is none), as long as it lives. 0 if there
 * are no bytes. */
int sl_stored_certificates(const sl_stored_t *stored, sl_reader_t *leaf, sl_reader_t *next);
/* Is there surely nothing for sl_identity_review() to tell, at this moment? */
int sl_stored_is_in_order(const sl_stored_t *stored, apr_int64_t now);
/* As sl_identity_covers(). */
int sl_stored_covers(const sl_stored_t *stored, const char *host);

#endif
