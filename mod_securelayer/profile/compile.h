/* A profile: settings compiled into an SSL_CTX that holds no certificate of ours. Shared, counted, immutable.
 * Made in the parent during start, used by all threads of all children. Two virtual hosts with equal settings
 * share one (profile_set). */
#ifndef SL_PROFILE_COMPILE_H
#define SL_PROFILE_COMPILE_H

#include "base/problem.h"
#include "base/refcount.h"
#include "crypto/openssl_compat.h"
#include "identity/trust.h"
#include "profile/settings.h"

#include <apr_hash.h>
#include <openssl/ssl.h>

#define SL_SCOPE_SIZE 32

/* Which of a backend's names are looked at: none, the first CN, or all after RFC 9525. */
typedef enum { SL_CHECK_NO_NAME, SL_CHECK_FIRST_CN, SL_CHECK_NAMES } sl_check_name_t;

typedef struct sl_profile_t {
    sl_refcount_t holders;
    SSL_CTX *ctx;
    sl_trust_t *trust;       /* without a store if no CA was given */
    int verify_mode;         /* SL_VERIFY_... */
    int verify_depth;        /* longest chain above the client's certificate */
    int crl_missing_ok;
    int ocsp_check;          /* SL_OCSP_...: of which client certificates a responder is asked; more in the settings */
    int ocsp_missing_ok;     /* a certificate without a responder passes */
    sl_srp_t *srp;           /* users with passwords; NULL: none */
    int tickets_by_client;   /* nobody set a number of TLS 1.3 tickets: the connection decides by its client */
    int has_own_certificate; /* SSLOpenSSLConfCmd Certificate put one into ctx */
    /* of a client */
    sl_check_name_t check_name;
    int check_expire;
    int must_staple;
    const sl_setting_t *pins; /* borrowed from the settings; NULL: none */
    unsigned char scope[SL_SCOPE_SIZE]; /* SHA-256 of what decides about client certificates; in the session scope */
} sl_profile_t;

/* How the connection layer gets its callbacks into every SSL_CTX; may be NULL (tests). */
typedef void (*sl_profile_prepare_t)(SSL_CTX *ctx);

/* Everything wrong with the settings goes to `problems` with its origin; `host` names the virtual host in messages.
 * NULL if there was an error. `now`: seconds since 1970. `trusts`: text -> sl_trust_t * with a reference, those that
 * were built before, so that equal files make one; what is new is added. NULL: nothing is shared. */
sl_profile_t *sl_profile_new(const sl_settings_t *settings, const char *host, apr_int64_t now,
                             sl_profile_prepare_t prepare, apr_hash_t *trusts, apr_pool_t *scratch,
                             sl_problems_t *problems);
/* The same for the side that connects to backends: from the SSLProxy... rows of `settings`, which live as long as the
 * profile. */
sl_profile_t *sl_profile_new_client(const sl_settings_t *settings, const char *host, apr_int64_t now,
                                    sl_profile_prepare_t prepare, apr_hash_t *trusts, apr_pool_t *scratch,
                                    sl_problems_t *problems);
/* What the trust of a profile with these settings is built from; text is borrowed from the settings. */
void sl_profile_trust_source(sl_trust_source_t *source, const sl_settings_t *settings);
void sl_profile_client_trust_source(sl_trust_source_t *source, const sl_settings_t *settings);
void sl_profile_retain(sl_profile_t *profile);
void sl_profile_release(sl_profile_t *profile);

/* The colon separated groups of `wanted` that this OpenSSL knows, in `pool`; NULL if it knows none. */
const char *sl_profile_known_groups(const char *wanted, apr_pool_t *pool);

#endif
