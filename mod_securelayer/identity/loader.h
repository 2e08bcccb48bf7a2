/* From a source to an identity: reads the files, finds leaf, chain and key in any order and form, and checks that
 * they belong together. Runs in the parent at start; blocking file reads. */
#ifndef SL_IDENTITY_LOADER_H
#define SL_IDENTITY_LOADER_H

#include "crypto/pem.h"
#include "identity/identity.h"
#include "identity/source.h"

/* The leaf is the certificate that matches the key (the first one if several do, or if there is none that does the
 * error names the file, both key types and what to do); the rest of the certificate's file, or the chain file, is its
 * chain, ordered by issuer; certificates that belong to neither stay at the end of the chain.
 * Errors carry the ids mod_ssl logs them with where there is one: AH02572 (no key, no match), AH01903 (chain file).
 * `scratch` serves the duration of the call. On success `*identity` holds one reference for the caller.
 * Warnings that need only the files go to `problems`: key file readable (when the key is not encrypted) or writable by
 * others than its owner and group. */
apr_status_t sl_loader_load(sl_identity_t **identity, const sl_source_t *source, sl_pem_passphrase_t passphrase,
                            void *baton, apr_pool_t *scratch, sl_problems_t *problems, sl_problem_t *why)
    __attribute__((warn_unused_result));

/* The warnings of permissions: S_IWOTH and S_IROTH of `mode`, of the file with the key. */
void sl_loader_review_mode(const sl_source_t *source, unsigned mode, sl_problems_t *problems);

#endif
