/* A virtual host as TLS sees it: what it is called, its profile, its identities and its policies.
 * Made in the parent while post_config runs, in the configuration's pool; fixed from then on, read by all threads.
 * The profile is held by the set it came from, which lives as long; identities are numbers (keeper/supply). */
#ifndef SL_VHOST_VHOST_H
#define SL_VHOST_VHOST_H

#include "identity/identity.h"
#include "profile/compile.h"
#include "profile/settings.h"

#include <apr_tables.h>

/* SecureLayerBrokenHost skip: no handshake and no request gets through to a host that is left out. */
typedef enum {
    SL_NOT_LEFT_OUT,
    SL_OUT_UNTIL_REPAIRED, /* it is served as soon as all of its identities are there (conn/host, is_out) */
    SL_OUT_UNTIL_RESTART
} sl_left_out_t;

typedef struct sl_vhost_t {
    const char *id;                  /* "www.example.org:443", for messages and the session scope */
    const sl_settings_t *settings;
    sl_profile_t *profile;
    apr_array_header_t *identities;  /* of sl_identity_ref_t: one per key type, in the order of the configuration */
    int trust_id;                    /* newer CAs and CRLs than the profile's may come by this number; -1: none do */
    unsigned char session_scope[32]; /* sessions are resumed within one scope only (RFC 8446 section 4.6.1) */
    int refuse_unknown_name;         /* as the default of its address: answer unknown names with unrecognized_name */
    int strict_alpn;
    int keep_hello;                  /* SSLClientHelloVars */
    int directory;                   /* SecureLayerCertificateDirectory: its number; -1: none */
    int unavailable;                 /* has only a stand-in certificate: requests get 503 */
    sl_left_out_t left_out;
    apr_interval_time_t handshake_timeout;
    void *owner;                     /* the server_rec; not looked at here */
} sl_vhost_t;

/* `identities` is borrowed. The session scope covers the id and what decides about client certificates. */
sl_vhost_t *sl_vhost_make(apr_pool_t *pool, const char *id, const sl_settings_t *settings, sl_profile_t *profile,
                          apr_array_header_t *identities, void *owner);

/* Do two identities, by their numbers, have the same certificate at this moment? */
typedef int (*sl_same_certificate_t)(int a, int b);

/* May a request for virtual host `asked` be served over a handshake made for `shaken`, under SSLVHostSNIPolicy
 * `policy` (SL_SNI_...)? NULL if it may, else the name of the setting that differs. */
const char *sl_vhost_differs(const sl_vhost_t *shaken, const sl_vhost_t *asked, int policy, sl_same_certificate_t same,
                             apr_pool_t *pool);

/* Do they check client certificates against the same CAs and lists, whatever certificates they ask for? */
int sl_vhost_trusts_alike(const sl_vhost_t *a, const sl_vhost_t *b, apr_pool_t *pool);

#endif
