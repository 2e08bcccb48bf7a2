/* The one pass over servers and <Proxy> sections for TLS with backends.  Called by collect_vhosts.c, which lends its
 * way of loading certificates; sections are noted by directives.c. */
#include "httpd/proxy_collect.h"

#include <apr_file_info.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "conn/connect.h"
#include "crypto/cert_text.h"
#include "crypto/key_uri.h"
#include "crypto/pem.h"
#include "httpd/module_hooks.h"
#include "profile/profile_set.h"

/* Files of one directory of certificates. */
#define FILES_MAX 1000

typedef struct section_t {
    sl_dir_config_t *dir;
    server_rec *server;
    const char *name; /* "<Proxy https://app.example.org/>" */
} section_t;

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

static apr_array_header_t *sections;
static int asks_responders;

void sl_proxy_begin(apr_pool_t *pool)
{
    sections = apr_array_make(pool, 4, sizeof(section_t));
}

void sl_proxy_note(cmd_parms *cmd, sl_dir_config_t *dir)
{
    const ap_directive_t *parent = cmd->directive ? cmd->directive->parent : NULL;
    section_t *section;

    for (int i = 0; i < sections->nelts; i++) {
        if (APR_ARRAY_IDX(sections, i, section_t).dir == dir)
            return;
    }
    section = apr_array_push(sections);
    section->dir = dir;
    section->server = cmd->server;
    section->name = parent ? apr_psprintf(cmd->pool, "%s %s", parent->directive, parent->args) : cmd->path;
}

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
    sl_cert_settle(cert);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(outgoing->profile->ctx), cert);
    if (!sk_X509_push(outgoing->issuers, cert))
        X509_free(cert);
}

static void add_issuers(const side_t *side, sl_pem_t *pem)
{
    while (sk_X509_num(pem->certificates) > 0)
        add_issuer(side, sk_X509_shift(pem->certificates));
}

static void add_chain_file(const side_t *side)
{
    const char *path = sl_settings_text(side->settings, SL_PROXY_CHAIN_FILE);
    sl_origin_t origin = sl_settings_origin(side->settings, SL_PROXY_CHAIN_FILE);
    sl_problem_t *why = sl_problems_new(side->in->problems, &origin);
    sl_pem_t pem;

    if (!path || sl_settings_is_refused(side->settings, SL_PROXY_CHAIN_FILE))
        return;
    if (sl_pem_read_file(&pem, path, SL_PEM_CERTIFICATES, NULL, NULL, side->in->scratch, why) == APR_SUCCESS) {
        if (!sk_X509_num(pem.certificates))
            sl_problem_set(why, APR_EINVAL, path, "holds no certificate");
        add_issuers(side, &pem);
        sl_pem_clear(&pem);
    }
    sl_problems_keep(side->in->problems, why, SL_PROBLEM_ERROR);
}

static void load_key(side_t *side, const char *place, const sl_origin_t *origin, int number, int is_bundle)
{
    sl_source_t source;

    memset(&source, 0, sizeof(source));
    source.certificate = place;
    source.origin = source.key_origin = *origin;
    source.key_number = number;
    source.is_bundle = is_bundle;
    if (!sl_settings_is_refused(side->settings, SL_PROXY_CHAIN_FILE))
        source.chain = sl_settings_text(side->settings, SL_PROXY_CHAIN_FILE);
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

    if (sl_key_uri_is(path) ||
        sl_pem_read_file(&pem, path, SL_PEM_CERTIFICATES, NULL, NULL, side->in->scratch, why) != APR_SUCCESS) {
        load_key(side, path, origin, 0, 0); /* on a token, sealed as a whole, or broken: the loader asks, or tells */
        return;
    }
    count = pem.keys;
    if (!count)
        add_issuers(side, &pem);
    sl_pem_clear(&pem);
    for (int i = 0; i < count; i++)
        load_key(side, path, origin, i, count > 1);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void take_directory(side_t *side, const char *path, const sl_origin_t *origin)
{
    apr_pool_t *pool = side->in->pool;
    apr_array_header_t *files = apr_array_make(side->in->scratch, 8, sizeof(const char *));
    apr_finfo_t info;
    apr_dir_t *dir;
    apr_status_t rv = apr_dir_open(&dir, path, side->in->scratch);

    while (rv == APR_SUCCESS && files->nelts < FILES_MAX) {
        rv = apr_dir_read(&info, APR_FINFO_NAME | APR_FINFO_TYPE, dir);
        if ((rv == APR_SUCCESS || rv == APR_INCOMPLETE) && info.filetype == APR_REG)
            APR_ARRAY_PUSH(files, const char *) = apr_pstrcat(pool, path, "/", info.name, NULL);
        if (rv == APR_INCOMPLETE)
            rv = APR_SUCCESS;
    }
    if (!APR_STATUS_IS_ENOENT(rv) && rv != APR_SUCCESS) {
        sl_problem_t *why = sl_problems_new(side->in->problems, origin);
        char text[120];

        sl_problem_set(why, rv, path, "%s", apr_strerror(rv, text, sizeof(text)));
        sl_problems_keep(side->in->problems, why, SL_PROBLEM_ERROR);
        return;
    }
    (void)apr_dir_close(dir);
    qsort(files->elts, (size_t)files->nelts, sizeof(const char *), by_name);
    for (int i = 0; i < files->nelts; i++)
        take_file(side, APR_ARRAY_IDX(files, i, const char *), origin);
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
    outgoing->profile = profile;
    outgoing->identities = apr_array_make(pass->in->pool, 1, sizeof(sl_identity_ref_t));
    take_identities(&side);
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

    dir->has_outgoing = 1;
    dir->outgoing = NULL;
    if (!sl_settings_number(settings, SL_PROXY_ENGINE))
        return;
    id = apr_psprintf(pass->in->pool, "%s%sthe proxy of %s:%u", name ? name : "", name ? " of " : "", host,
                      s->port ? s->port : 443U);
    profile = sl_profile_set_get(pass->profiles, settings, id, pass->in->scratch, pass->in->problems);
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
    pass_t pass = {in, sl_profile_set_make_client(in->pool, in->now, sl_connect_prepare), apr_hash_make(in->scratch)};

    asks_responders = 0;
    if (in->ask_modules && sl_module_hooks_has("init_server"))
        sl_profile_set_keep_apart(pass.profiles);
    for (server_rec *s = main_server; s; s = s->next) {
        sl_dir_config_t *dir = defaults_of(s);

        if (dir)
            collect_side(&pass, dir, dir->settings, s, NULL);
    }
    for (int i = 0; sections && i < sections->nelts; i++) {
        const section_t *section = &APR_ARRAY_IDX(sections, i, section_t);
        const sl_settings_t *all =
            sl_settings_merge(in->pool, defaults_of(section->server)->settings, section->dir->settings);

        collect_side(&pass, section->dir, all, section->server, section->name);
    }
}

int sl_proxy_asks_responders(void)
{
    return asks_responders;
}
