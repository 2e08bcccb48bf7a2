/* An identity as bytes: what goes from the process that may read its files to those that show it.
 *
 * The bytes hold the private key: whoever has them keeps them in memory that is left out of core dumps (base/vault, the
 * board) and cleanses copies. Runs in: any process and thread; nothing is shared. */
#ifndef SL_IDENTITY_BLOB_H
#define SL_IDENTITY_BLOB_H

#include "base/bytes.h"
#include "base/problem.h"
#include "identity/identity.h"

#define SL_BLOB_CERTIFICATES_MAX 1000 /* of a chain */

typedef enum { SL_BLOB_ALL, SL_BLOB_CERTIFICATES } sl_blob_want_t;

/* Made by OPENSSL_malloc(), for the caller, to be given to OPENSSL_clear_free() with its length. NULL (told in `why`):
 * the key does not show its bytes (it lies on a token), or memory ended. */
unsigned char *sl_blob_encode(const sl_identity_t *identity, apr_size_t *length, sl_problem_t *why);
/* The same from what the files of an ordinary identity hold: DER of the leaf, of `count` others, and a PrivateKeyInfo.
 * NULL if memory ended. */
unsigned char *sl_blob_pack(const char *origin, const sl_reader_t *leaf, const sl_reader_t *chain, int count,
                            const sl_reader_t *key, apr_size_t *length);
/* Where its chain is: *at to *at + *size. Of two identities that have the same one these bytes are equal. 0 if the
 * bytes are none of the above. */
int sl_blob_chain(const unsigned char *bytes, apr_size_t length, apr_size_t *at, apr_size_t *size);
/* The DER of its leaf, and of the first of a chain that sl_blob_chain() found; borrowed from the bytes. 0 if the bytes
 * are none of the above, or the chain is empty. */
int sl_blob_leaf(const unsigned char *bytes, apr_size_t length, sl_reader_t *leaf);
int sl_blob_first_of_chain(const unsigned char *chain, apr_size_t length, sl_reader_t *cert);
/* A new identity for the caller. Without its key if only the certificates are wanted. NULL if the bytes are none of the
 * above, or memory ended; the bytes are not trusted to be whole. */
sl_identity_t *sl_blob_decode(const unsigned char *bytes, apr_size_t length, sl_blob_want_t want);

#endif
