/* The side of a server, or of one of its <Proxy> sections, that connects to backends by TLS: its profile and the
 * certificates it may show. Made in the parent while the configuration is collected, in its pool; fixed from then on,
 * read by all threads. The profile is held by the set it came from, which lives as long. */
#ifndef SL_VHOST_OUTGOING_H
#define SL_VHOST_OUTGOING_H

#include "identity/identity.h"
#include "profile/compile.h"

#include <apr_tables.h>

typedef struct sl_outgoing_t {
    const char *id;                 /* of the first server or section that has these settings, for messages */
    const sl_settings_t *settings;
    sl_profile_t *profile;          /* of sl_profile_new_client() */
    int trust_id;                   /* newer CAs and CRLs than the profile's may come by this number; -1: none do */
    apr_array_header_t *identities; /* of sl_identity_ref_t, in the order of the configuration; may be empty */
    STACK_OF(X509) *issuers;        /* intermediates of the identities, by which a backend's CA may be found; or NULL */
} sl_outgoing_t;

#endif
