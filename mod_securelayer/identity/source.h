/* Where an identity comes from: the files (or other places) of one certificate, as the configuration names them.
 * Borrowed text, lives as long as the configuration. */
#ifndef SL_IDENTITY_SOURCE_H
#define SL_IDENTITY_SOURCE_H

#include "base/problem.h"

#include <apr_pools.h>

typedef struct sl_source_t {
    const char *certificate; /* path: leaf, then intermediates; may hold the key as well; or a URI (crypto/key_uri) */
    const char *key;         /* path or URI; NULL: in the certificate's file */
    const char *chain;       /* path of SSLCertificateChainFile: the certificate's file then gives its leaf only; NULL:
                                none */
    int first;               /* first certificate of its host: DH and EC parameters are looked for in it */
    sl_origin_t origin;      /* of the certificate's directive */
    sl_origin_t key_origin;
    sl_origin_t chain_origin;
    int key_number;          /* which of the keys in its file: 0, 1, ... */
    int is_bundle;           /* the file holds other certificates too: only the leaf's issuers are its chain */
} sl_source_t;

/* Equal for sources that are read alike from the same places, whatever directives named them. */
const char *sl_source_text(const sl_source_t *source, apr_pool_t *pool);

#endif
