/* CAs, CRLs and the names of CAs as bytes: from the process that may read the files to those that verify with them.
 * Nothing in it is secret. Runs in: any process and thread; nothing is shared. */
#ifndef SL_IDENTITY_TRUST_BLOB_H
#define SL_IDENTITY_TRUST_BLOB_H

#include "identity/trust.h"

/* Made by OPENSSL_malloc() for the caller; NULL if memory ended, or the trust has no store. */
unsigned char *sl_trust_encode(const sl_trust_t *trust, apr_size_t *length);
/* A new trust for the caller, with what `source` says besides files. NULL if the bytes are none of the above, or memory
 * ended. */
sl_trust_t *sl_trust_decode(const unsigned char *bytes, apr_size_t length, const sl_trust_source_t *source);

#endif
