/* Virtual hosts for the connection layer: made by httpd/collect_vhosts. */
#include "vhost/vhost.h"

#include <apr_strings.h>
#include <string.h>

#include "base/sha256.h"

static void digest_scope(sl_vhost_t *vhost, apr_pool_t *scratch)
{
    apr_size_t id_length = strlen(vhost->id);
    unsigned char *both = apr_palloc(scratch, id_length + sizeof(vhost->profile->scope));

    memcpy(both, vhost->id, id_length);
    memcpy(both + id_length, vhost->profile->scope, sizeof(vhost->profile->scope));
    sl_sha256(vhost->session_scope, both, id_length + sizeof(vhost->profile->scope));
}

sl_vhost_t *sl_vhost_make(apr_pool_t *pool, const char *id, const sl_settings_t *settings, sl_profile_t *profile,
                          apr_array_header_t *identities, void *owner)
{
    sl_vhost_t *vhost = apr_pcalloc(pool, sizeof(*vhost));

    vhost->id = id;
    vhost->settings = settings;
    vhost->profile = profile;
    vhost->identities = identities;
    vhost->trust_id = -1;
    vhost->directory = -1;
    vhost->refuse_unknown_name = sl_settings_number(settings, SL_UNKNOWN_NAME) == SL_NAME_REFUSE;
    vhost->strict_alpn = (int)sl_settings_number(settings, SL_STRICT_ALPN);
    vhost->keep_hello = (int)sl_settings_number(settings, SL_HELLO_VARS);
    vhost->handshake_timeout = apr_time_from_sec(sl_settings_number(settings, SL_HANDSHAKE_TIMEOUT));
    vhost->owner = owner;
    digest_scope(vhost, pool);
    return vhost;
}

static int holds(const apr_array_header_t *identities, const sl_identity_ref_t *wanted, sl_same_certificate_t same)
{
    for (int i = 0; i < identities->nelts; i++) {
        if (same(APR_ARRAY_IDX(identities, i, sl_identity_ref_t).id, wanted->id))
            return 1;
    }
    return 0;
}

static int hold_all(const apr_array_header_t *identities, const apr_array_header_t *wanted, sl_same_certificate_t same)
{
    for (int i = 0; i < wanted->nelts; i++) {
        if (!holds(identities, &APR_ARRAY_IDX(wanted, i, sl_identity_ref_t), same))
            return 0;
    }
    return 1;
}

/* The same certificates, in whatever order and files. */
static int same_identities(const sl_vhost_t *a, const sl_vhost_t *b, sl_same_certificate_t same)
{
    return a->identities->nelts == b->identities->nelts && hold_all(a->identities, b->identities, same) &&
           hold_all(b->identities, a->identities, same);
}

/* Files with the same CAs make one profile, but may change one by one. */
static int is_one_policy(const sl_vhost_t *a, const sl_vhost_t *b)
{
    return a->profile == b->profile && a->trust_id == b->trust_id;
}

const char *sl_vhost_differs(const sl_vhost_t *shaken, const sl_vhost_t *asked, int policy, sl_same_certificate_t same,
                             apr_pool_t *pool)
{
    const char *difference;

    if (shaken == asked || policy == SL_SNI_INSECURE)
        return NULL;
    if (!asked || !shaken)
        return "SSLEngine";
    if (policy == SL_SNI_STRICT)
        return "the virtual host";
    if (!is_one_policy(shaken, asked)) {
        difference = sl_settings_difference(shaken->settings, asked->settings, SL_FOR_AUTH, pool);
        if (difference)
            return difference;
    }
    if (policy == SL_SNI_AUTHONLY)
        return NULL;
    difference = sl_settings_difference(shaken->settings, asked->settings, SL_FOR_SECURITY & ~SL_FOR_AUTH, pool);
    if (difference)
        return difference;
    if (shaken->directory >= 0) /* the same one; but which certificate a name has there is another matter */
        return "the certificate in SecureLayerCertificateDirectory";
    return same_identities(shaken, asked, same) ? NULL : "SSLCertificateFile";
}

int sl_vhost_trusts_alike(const sl_vhost_t *a, const sl_vhost_t *b, apr_pool_t *pool)
{
    return is_one_policy(a, b) ||
           !sl_settings_difference(a->settings, b->settings, SL_FOR_AUTH | SL_NOT_OF_SECTIONS, pool);
}
