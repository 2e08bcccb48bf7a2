/* The one pass over servers and <Proxy> sections for TLS with backends.  Called by collect_vhosts.c, which lends its
 * way of loading certificates. */
#include "httpd/proxy_collect.h"

#include <apr_file_info.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <string.h>

#include "conn/connect.h"
#include "crypto/cert_text.h"
#include "crypto/file_list.h"
#include "crypto/key_uri.h"
#include "crypto/pem.h"
#include "httpd/module_hooks.h"
#include "httpd/sections.h"
#include "profile/profile_set.h"

/* Files of one directory of certificates. */
#define FILES_MAX 1000

typedef struct pass_t {
    const sl_proxy_collect_t *in;
    sl_profile_set_t *profiles;
    apr_hash_t *by_profile; /* &sl_profile_t -> sl_outgoing_t */
} pass_t;

/* One side that connects to backends, while its certificates are looked for. */
typedef struct side_t {
    const sl_proxy_collect_t *in;
    server_rec *server;
    const sl_settings_t *settings;
    sl_outgoing_t *outgoing;
    int keys; /* found so far */
} side_t;

static int asks_responders;
static apr_array_header_t *outgoings; /* of sl_outgoing_t *, in the configuration's pool */

/* ---- certificates that backends may ask for ---- */

static apr_status_t free_issuers(void *baton)
{
    sk_X509_pop_free(((sl_outgoing_t *)baton)->issuers, X509_free);
    return APR_SUCCESS;
}

/* A certificate without a key: an issuer of those that have one. As in mod_ssl it is one for backends, too. */
static void add_issuer(const side_t *side, X509 *cert)
{
    sl_outgoing_t *outgoing = side->outgoing;

    if (!outgoing->issuers) {
        outgoing->issuers = sk_X509_new_null();
        apr_pool_cleanup_register(side->in->pool, outgoing, free_issuers, apr_pool_cleanup_null);
    }
    (void)sl_cert_settle(cert);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(outgoing->profile->ctx), cert);
    if (!sk_X509_push(outgoing->issuers, cert))
        X509_free(cert);
}

static void add_issuers(const side_t *side, STACK_OF(X509) *certificates)
{
    while (sk_X509_num(certificates) > 0)
        add_issuer(side, sk_X509_shift(certificates));
}

/* NULL if there is none that can be used. */
static const char *chain_file_of(const side_t *side)
{
    return sl_settings_is_refused(side->settings, SL_PROXY_CHAIN_FILE)
               ? NULL
               : sl_settings_text(side->settings, SL_PROXY_CHAIN_FILE);
}

static void add_chain_file(const side_t *side)
{
    const sl_trust_t *trust = side->outgoing->profile->trust;
    const char *path = trust && trust->store ? NULL : chain_file_of(side); /* else the trust has read it */
    sl_origin_t origin = sl_settings_origin(side->settings, SL_PROXY_CHAIN_FILE);
    STACK_OF(X509) *certificates = path ? sl_pem_read_certificates(path, &origin, side->in->problems) : NULL;

    add_issuers(side, certificates);
    sk_X509_free(certificates);
}

static void load_key(side_t *side, const char *place, const sl_origin_t *origin, int number, int is_bundle)
{
    sl_source_t source;

    memset(&source, 0, sizeof(source));
    source.certificate = place;
    source.origin = source.key_origin = *origin;
    source.key_number = number;
    source.is_bundle = is_bundle;
    source.chain = chain_file_of(side);
    source.chain_origin = sl_settings_origin(side->settings, SL_PROXY_CHAIN_FILE);
    side->in->load(side->in->baton, side->server, &source, side->keys++, side->outgoing->id,
                   side->outgoing->identities);
}

/* As many certificates as keys are leaves, wherever they stand; which, is for the loader to find. */
static void take_file(side_t *side, const char *path, const sl_origin_t *origin)
{
    sl_problem_t *why = sl_problem_make(side->in->scratch);
    sl_pem_t pem;
    int count;

    if (sl_key_uri_is(path) || sl_pem_read_file(&pem, path, SL_PEM_CERTIFICATES, NULL, NULL, why) != APR_SUCCESS) {
        load_key(side, path, origin, 0, 0); /* on a token, sealed as a whole, or broken: the loader asks, or tells */
        return;
    }
    count = pem.keys;
    if (!count)
        add_issuers(side, pem.certificates);
    sl_pem_clear(&pem);
    for (int i = 0; i < count; i++)
        load_key(side, path, origin, i, count > 1);
}

/* Of the file itself: links to it, as for hashed directories, would only give it twice. */
static int is_file(const char *path, apr_pool_t *pool)
{
    apr_finfo_t info;
    apr_status_t rv = apr_stat(&info, path, APR_FINFO_TYPE | APR_FINFO_LINK, pool);

    return (rv == APR_SUCCESS || rv == APR_INCOMPLETE) && info.filetype == APR_REG;
}

static void take_directory(side_t *side, const char *path, const sl_origin_t *origin)
{
    sl_problem_t *why = sl_problems_new(side->in->problems, origin);
    apr_array_header_t *names;

    if (sl_file_list(&names, path, FILES_MAX, side->in->scratch, why) != APR_SUCCESS)
        sl_problems_keep(side->in->problems, why, SL_PROBLEM_ERROR);
    for (int i = 0; why->status == APR_SUCCESS && i < names->nelts; i++) {
        const char *file = apr_pstrcat(side->in->pool, path, "/", APR_ARRAY_IDX(names, i, const char *), NULL);

        if (is_file(file, side->in->scratch))
            take_file(side, file, origin);
    }
}

static void take_identities(side_t *side)
{
    const char *file = sl_settings_text(side->settings, SL_PROXY_IDENTITY_FILE);
    const char *path = sl_settings_text(side->settings, SL_PROXY_IDENTITY_PATH);
    sl_origin_t origin = sl_settings_origin(side->settings, file ? SL_PROXY_IDENTITY_FILE : SL_PROXY_IDENTITY_PATH);
    sl_origin_t path_origin = sl_settings_origin(side->settings, SL_PROXY_IDENTITY_PATH);
    int errors = side->in->problems->errors;

    add_chain_file(side);
    if (file && !sl_settings_is_refused(side->settings, SL_PROXY_IDENTITY_FILE))
        take_file(side, file, &origin);
    if (path && !sl_settings_is_refused(side->settings, SL_PROXY_IDENTITY_PATH))
        take_directory(side, path, &path_origin);
    if ((file || path) && !side->keys && errors == side->in->problems->errors)
        sl_problems_add(side->in->problems, SL_PROBLEM_WARNING, "AH02206", &origin, file ? file : path,
                        "Put the private key into the file of its certificate",
                        "no certificate with its key was found: backends that ask for one get none");
}

/* ---- sides ---- */

static sl_outgoing_t *make_outgoing(const pass_t *pass, const sl_settings_t *settings, sl_profile_t *profile,
                                    server_rec *s, const char *id)
{
    sl_outgoing_t *outgoing = apr_pcalloc(pass->in->pool, sizeof(*outgoing));
    side_t side = {pass->in, s, settings, outgoing, 0};

    outgoing->id = id;
    outgoing->settings = settings;
    outgoing->profile = profile;
    outgoing->trust_id = -1;
    outgoing->identities = apr_array_make(pass->in->pool, 1, sizeof(sl_identity_ref_t));
    take_identities(&side);
    APR_ARRAY_PUSH(outgoings, sl_outgoing_t *) = outgoing;
    if (pass->in->ask_modules && !sl_module_hooks_init_server(s, pass->in->pool, 1, profile->ctx))
        sl_problems_add(pass->in->problems, SL_PROBLEM_ERROR, "SL0175", NULL, id, "See the messages of that module",
                        "another module does not let it start");
    return outgoing;
}

static void collect_side(const pass_t *pass, sl_dir_config_t *dir, const sl_settings_t *settings, server_rec *s,
                         const char *name)
{
    const char *host = s->server_hostname ? s->server_hostname : "(no ServerName)";
    const char *id;
    sl_profile_t *profile;
    apr_pool_t *scratch;

    dir->has_outgoing = 1;
    dir->outgoing = NULL;
    if (!sl_settings_number(settings, SL_PROXY_ENGINE))
        return;
    id = apr_psprintf(pass->in->pool, "%s%sthe proxy of %s:%u", name ? name : "", name ? " of " : "", host,
                      s->port ? s->port : 443U);
    apr_pool_create(&scratch, pass->in->scratch);
    profile = sl_profile_set_get(pass->profiles, settings, id, scratch, pass->in->problems);
    apr_pool_destroy(scratch);
    if (!profile)
        return;
    asks_responders |= profile->ocsp_check != SL_OCSP_OFF;
    dir->outgoing = apr_hash_get(pass->by_profile, &profile, sizeof(profile));
    if (dir->outgoing)
        return;
    dir->outgoing = make_outgoing(pass, settings, profile, s, id);
    apr_hash_set(pass->by_profile, apr_pmemdup(pass->in->scratch, &profile, sizeof(profile)), sizeof(profile),
                 dir->outgoing);
}

static sl_dir_config_t *defaults_of(const server_rec *s)
{
    return ap_get_module_config(s->lookup_defaults, &sl_module);
}

void sl_proxy_collect(const sl_proxy_collect_t *in, server_rec *main_server)
{
    const apr_array_header_t *noted = sl_sections_noted(SL_SECTIONS_OF_BACKENDS);
    pass_t pass = {in, sl_profile_set_make_client(in->pool, in->now, sl_connect_prepare), apr_hash_make(in->scratch)};

    asks_responders = 0;
    outgoings = apr_array_make(in->pool, 4, sizeof(sl_outgoing_t *));
    if (in->ask_modules && sl_module_hooks_has("init_server"))
        sl_profile_set_keep_apart(pass.profiles);
    for (server_rec *s = main_server; s; s = s->next) {
        sl_dir_config_t *dir = defaults_of(s);

        if (dir)
            collect_side(&pass, dir, dir->settings, s, NULL);
    }
    for (int i = 0; noted && i < noted->nelts; i++) {
        const sl_config_section_t *section = &APR_ARRAY_IDX(noted, i, sl_config_section_t);
        const sl_settings_t *all =
            sl_settings_merge(in->pool, defaults_of(section->server)->settings, section->dir->settings);

        collect_side(&pass, section->dir, all, section->server, section->name);
    }
}

const apr_array_header_t *sl_proxy_outgoings(void)
{
    return outgoings;
}

int sl_proxy_asks_responders(void)
{
    return asks_responders;
}
