/* Settings into an SSL_CTX.  Called once per distinct settings at start, through profile_set. */
#include "profile/compile.h"

#include "base/file_stamp.h"
#include "base/text.h"
#include "crypto/cert_text.h"
#include "crypto/openssl_error.h"
#include "crypto/pem.h"
#include "profile/conf_cmd.h"
#include "profile/policy.h"

#include <apr_strings.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* TLS 1.3 tickets for a client that may open several connections; what stands in their place until SSLOpenSSLConfCmd
 * had its chance to set another number. */
#define TICKETS 2
#define NOBODY_SAID 10000

/* The rows that both sides have. */
typedef struct rows_t {
    sl_row_id_t protocol, ciphers, suites, ca_file, ca_path, crl_file, crl_path, crl_check;
    int names_cas; /* to the peer: SSLCADNRequest... */
} rows_t;

static const rows_t server_rows = {SL_PROTOCOL, SL_CIPHERS,  SL_SUITES,   SL_CA_FILE, SL_CA_PATH,
                                   SL_CRL_FILE, SL_CRL_PATH, SL_CRL_CHECK, 1};
static const rows_t client_rows = {SL_PROXY_PROTOCOL, SL_PROXY_CIPHERS,  SL_PROXY_SUITES,   SL_PROXY_CA_FILE,
                                   SL_PROXY_CA_PATH,  SL_PROXY_CRL_FILE, SL_PROXY_CRL_PATH, SL_PROXY_CRL_CHECK, 0};

typedef struct sl_compile_t {
    const rows_t *rows;
    const sl_settings_t *settings;
    const char *host;
    sl_profile_t *profile;
    apr_hash_t *trusts; /* NULL: none are shared */
    apr_pool_t *scratch;
    sl_problems_t *problems;
} sl_compile_t;

static void complain(const sl_compile_t *in, sl_row_id_t row, const char *log_id, const char *advice,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));
static void complain(const sl_compile_t *in, sl_row_id_t row, const char *log_id, const char *advice,
                     const char *format, ...)
{
    sl_origin_t origin = sl_settings_origin(in->settings, row);
    va_list args;
    const char *text;

    va_start(args, format);
    text = apr_pvsprintf(in->problems->pool, format, args);
    va_end(args);
    sl_problems_add(in->problems, SL_PROBLEM_ERROR, log_id, &origin, in->host, advice, "%s", text);
}

static void warn_of_hole(const sl_compile_t *in)
{
    sl_origin_t origin = sl_settings_origin(in->settings, in->rows->protocol);

    sl_problems_add(in->problems, SL_PROBLEM_WARNING, NULL, &origin, in->host,
                    "Name the versions between as well, or leave the older ones out",
                    "versions older than a version that is left out are not offered");
}

static void set_versions(const sl_compile_t *in)
{
    static const struct {
        long bit;
        int version;
    } versions[] = {{SL_TLS1_3, TLS1_3_VERSION},
                    {SL_TLS1_2, TLS1_2_VERSION},
                    {SL_TLS1_1, TLS1_1_VERSION},
                    {SL_TLS1, TLS1_VERSION},
                    {SL_SSL3, SSL3_VERSION}};
    long wanted = sl_settings_number(in->settings, in->rows->protocol);
    int highest = 0, lowest = 0, hole = 0;

    for (apr_size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        if (!(wanted & versions[i].bit)) {
            hole = highest;
        }
        else if (hole) {
            warn_of_hole(in); /* what lies below can't be offered: OpenSSL knows a range of versions */
            break;
        }
        else {
            highest = highest ? highest : versions[i].version;
            lowest = versions[i].version;
        }
    }
    if (!highest) {
        complain(in, in->rows->protocol, "AH02231", "Name at least one, e.g. TLSv1.2 TLSv1.3",
                 "no protocol version is left");
        return;
    }
    if (SSL_CTX_set_min_proto_version(in->profile->ctx, lowest) != 1 ||
        SSL_CTX_set_max_proto_version(in->profile->ctx, highest) != 1)
        complain(in, in->rows->protocol, "AH02231", "Leave the oldest versions out",
                 "this OpenSSL does not offer these protocol versions");
}

static void set_suites(const sl_compile_t *in)
{
    const char *ciphers = sl_settings_text(in->settings, in->rows->ciphers);
    const char *suites = sl_settings_text(in->settings, in->rows->suites);

    sl_openssl_error_clear();
    if (ciphers &&
        SSL_CTX_set_cipher_list(in->profile->ctx, apr_pstrcat(in->scratch, ciphers, SL_NEVER_SUITES, NULL)) != 1)
        complain(in, in->rows->ciphers, "AH01898", "`openssl ciphers -v 'LIST'` shows what a list stands for",
                 "no usable cipher suite in '%s': %s", ciphers, sl_openssl_error_take(in->scratch));
    if (suites && SSL_CTX_set_ciphersuites(in->profile->ctx, suites) != 1)
        complain(in, in->rows->suites, "AH10127", "TLS 1.3 has suites of its own, e.g. TLS_AES_128_GCM_SHA256",
                 "not usable as TLS 1.3 cipher suites: '%s': %s", suites, sl_openssl_error_take(in->scratch));
}

const char *sl_profile_known_groups(const char *wanted, apr_pool_t *pool)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    char *rest = apr_pstrdup(pool, wanted), *last, *name;
    const char *known = NULL;

    for (name = apr_strtok(rest, ":", &last); ctx && name; name = apr_strtok(NULL, ":", &last)) {
        if (SSL_CTX_set1_groups_list(ctx, name) == 1)
            known = known ? apr_pstrcat(pool, known, ":", name, NULL) : name;
    }
    SSL_CTX_free(ctx);
    sl_openssl_error_clear();
    return known;
}

static void set_options(const sl_compile_t *in)
{
    SSL_CTX *ctx = in->profile->ctx;
    const sl_settings_t *settings = in->settings;
    const char *groups =
        sl_profile_known_groups(sl_policy(sl_settings_number(settings, SL_POLICY))->groups, in->scratch);

    SSL_CTX_set_options(ctx, SSL_OP_ALL | SSL_OP_SINGLE_DH_USE | SSL_OP_SINGLE_ECDH_USE |
                                 SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (sl_settings_number(settings, SL_HONOR_ORDER))
        SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    if (sl_settings_number(settings, SL_INSECURE_RENEGOTIATION))
        SSL_CTX_set_options(ctx, SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION);
    if (!sl_settings_number(settings, SL_COMPRESSION))
        SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION);
    else if (!SSL_COMP_get_compression_methods() || !sk_SSL_COMP_num(SSL_COMP_get_compression_methods()))
        complain(in, SL_COMPRESSION, NULL, "Remove the directive: TLS compression is unsafe (CRIME)",
                 "this OpenSSL has no compression methods");
    else
        SSL_CTX_clear_options(ctx, SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_dh_auto(ctx, 1);
    if (groups)
        SSL_CTX_set1_groups_list(ctx, groups);
}

/* Where tickets may not hold the session, those of TLS 1.3 name one in the cache: no use where there is none. */
static void set_sessions(const sl_compile_t *in)
{
    SSL_CTX *ctx = in->profile->ctx;
    long cache = sl_settings_number(in->settings, SL_SESSION_CACHE);
    int tickets = (int)sl_settings_number(in->settings, SL_TICKETS);

    if (!tickets)
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(ctx, tickets || cache == SL_CACHE_PROVIDER ? NOBODY_SAID : 0);
    SSL_CTX_set_timeout(ctx, sl_settings_number(in->settings, SL_SESSION_TIMEOUT));
    SSL_CTX_set_session_cache_mode(ctx, cache == SL_CACHE_NONE ? SSL_SESS_CACHE_OFF
                                                               : SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL);
}

/* Debian's, Red Hat's, Alpine's and SUSE's, after what OpenSSL was told. */
static const char *system_cas(void)
{
    static const char *const bundles[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                          "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem"};
    const char *told = getenv(X509_get_default_cert_file_env());

    if (told && *told)
        return told;
    for (apr_size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++) {
        if (access(bundles[i], R_OK) == 0)
            return bundles[i];
    }
    return X509_get_default_cert_file();
}

/* In the order of sl_trust_paths(). What is in a directory has no stamp of its own. */
static const char *take_path(sl_trust_source_t *source, const sl_settings_t *settings, sl_row_id_t row,
                             sl_origin_t *origin)
{
    const char *path = sl_settings_text(settings, row);
    const sl_setting_t *setting = path && sl_row(row)->kind != SL_KIND_DIR ? sl_settings_get(settings, row) : NULL;
    apr_uint64_t stamp = setting ? setting->values[0].stamp : 0;

    if (path)
        source->stamp = source->stamp && stamp ? sl_file_stamp_add(source->stamp, stamp) : 0;
    *origin = sl_settings_origin(settings, row);
    return path;
}

static void fill_server_source(sl_trust_source_t *source, const sl_settings_t *settings)
{
    source->names_file = take_path(source, settings, SL_NAMES_FILE, &source->names_file_origin);
    source->names_path = take_path(source, settings, SL_NAMES_PATH, &source->names_path_origin);
    if ((sl_settings_number(settings, SL_OCSP_ENABLE) & ~SL_OCSP_MISSING_OK) != SL_OCSP_OFF &&
        !sl_settings_is_refused(settings, SL_OCSP_RESPONDER_CERTS))
        source->responder_file = take_path(source, settings, SL_OCSP_RESPONDER_CERTS, &source->responder_file_origin);
}

static void fill_client_source(sl_trust_source_t *source, const sl_settings_t *settings)
{
    if (!sl_settings_is_refused(settings, SL_PROXY_CHAIN_FILE))
        source->chain_file = take_path(source, settings, SL_PROXY_CHAIN_FILE, &source->chain_file_origin);
}

static void fill_trust_source(sl_trust_source_t *source, const sl_settings_t *settings, const rows_t *rows)
{
    long crl = sl_settings_number(settings, rows->crl_check);

    memset(source, 0, sizeof(*source));
    source->stamp = SL_FILE_STAMPS;
    source->ca_file = take_path(source, settings, rows->ca_file, &source->ca_file_origin);
    if (source->ca_file && sl_row(rows->ca_file)->words && !strcasecmp(source->ca_file, SL_SYSTEM_CAS))
        source->ca_file = system_cas();
    source->ca_path = take_path(source, settings, rows->ca_path, &source->ca_path_origin);
    source->crl_file = take_path(source, settings, rows->crl_file, &source->crl_file_origin);
    source->crl_path = take_path(source, settings, rows->crl_path, &source->crl_path_origin);
    source->crl_check = (sl_crl_check_t)(crl & ~SL_CRL_MISSING_OK);
    source->crl_missing_ok = (crl & SL_CRL_MISSING_OK) != 0;
    source->crl_check_origin = sl_settings_origin(settings, rows->crl_check);
    (rows->names_cas ? fill_server_source : fill_client_source)(source, settings);
}

void sl_profile_trust_source(sl_trust_source_t *source, const sl_settings_t *settings)
{
    fill_trust_source(source, settings, &server_rows);
}

void sl_profile_client_trust_source(sl_trust_source_t *source, const sl_settings_t *settings)
{
    fill_trust_source(source, settings, &client_rows);
}

/* NULL if it can't be built, which is told each time. */
static sl_trust_t *get_trust(const sl_compile_t *in, const sl_trust_source_t *source, apr_int64_t now)
{
    const char *text = sl_trust_source_text(source, in->scratch);
    sl_trust_t *trust = in->trusts ? apr_hash_get(in->trusts, text, APR_HASH_KEY_STRING) : NULL;

    if (!trust && sl_trust_new(&trust, source, now, in->scratch, in->problems) != APR_SUCCESS)
        return NULL;
    if (!in->trusts)
        return trust;
    if (!apr_hash_get(in->trusts, text, APR_HASH_KEY_STRING))
        apr_hash_set(in->trusts, apr_pstrdup(apr_hash_pool_get(in->trusts), text), APR_HASH_KEY_STRING, trust);
    sl_trust_retain(trust);
    return trust;
}

static void set_trust(const sl_compile_t *in, apr_int64_t now)
{
    sl_profile_t *profile = in->profile;
    sl_trust_source_t source;

    fill_trust_source(&source, in->settings, in->rows);
    profile->trust = get_trust(in, &source, now);
    if (!profile->trust)
        return;
    if (profile->trust->store)
        SSL_CTX_set1_cert_store(profile->ctx, profile->trust->store);
    if (profile->trust->names && in->rows->names_cas)
        SSL_CTX_set_client_CA_list(profile->ctx, SSL_dup_CA_list(profile->trust->names));
}

static void warn_of_ocsp(const sl_compile_t *in, sl_row_id_t row, const char *advice, const char *reason)
{
    sl_origin_t origin = sl_settings_origin(in->settings, row);

    sl_problems_add(in->problems, SL_PROBLEM_WARNING, NULL, &origin, in->host, advice, "%s", reason);
}

static void set_ocsp(const sl_compile_t *in)
{
    const sl_settings_t *settings = in->settings;
    long check = sl_settings_number(settings, SL_OCSP_ENABLE);
    const char *responder = sl_settings_text(settings, SL_OCSP_RESPONDER);

    in->profile->ocsp_check = (int)(check & ~SL_OCSP_MISSING_OK);
    in->profile->ocsp_missing_ok = (check & SL_OCSP_MISSING_OK) != 0;
    if (in->profile->ocsp_check == SL_OCSP_OFF)
        return;
    if (responder && !sl_text_is_web(responder, strlen(responder)))
        warn_of_ocsp(in, SL_OCSP_RESPONDER, "Write a URL as http://host:port/", "is no URL that can be asked");
    if (!responder && sl_settings_number(settings, SL_OCSP_OVERRIDE))
        warn_of_ocsp(in, SL_OCSP_OVERRIDE, "Set SSLOCSPDefaultResponder",
                     "the responders that certificates name are not to be asked, and there is no other");
    if (sl_settings_number(settings, SL_OCSP_NO_VERIFY))
        warn_of_ocsp(in, SL_OCSP_NO_VERIFY, "Remove the directive",
                     "whoever is on the way to a responder can make revoked certificates good");
}

static void set_verification(const sl_compile_t *in, apr_int64_t now)
{
    const sl_settings_t *settings = in->settings;
    sl_profile_t *profile = in->profile;
    sl_origin_t origin = sl_settings_origin(settings, SL_VERIFY_CLIENT);
    int errors = in->problems->errors;

    profile->verify_mode = (int)sl_settings_number(settings, SL_VERIFY_CLIENT);
    profile->verify_depth = (int)sl_settings_number(settings, SL_VERIFY_DEPTH);
    profile->crl_missing_ok = (sl_settings_number(settings, SL_CRL_CHECK) & SL_CRL_MISSING_OK) != 0;
    set_trust(in, now);
    set_ocsp(in);
    if (in->problems->errors == errors && profile->verify_mode == SL_VERIFY_REQUIRE &&
        (!profile->trust || !profile->trust->store))
        sl_problems_add(in->problems, SL_PROBLEM_WARNING, "AH01897", &origin, in->host,
                        "Set SSLCACertificateFile to the CA that signs your clients' certificates",
                        "client certificates are required, but no CA to check them against is configured");
}

static void set_srp(const sl_compile_t *in)
{
    const char *path = sl_settings_text(in->settings, SL_SRP_VERIFIERS);
    const char *reason = NULL;

    if (!path || sl_settings_is_refused(in->settings, SL_SRP_VERIFIERS))
        return;
    in->profile->srp = sl_openssl_srp_new(path, sl_settings_text(in->settings, SL_SRP_SEED), &reason);
    if (in->profile->srp && !sl_openssl_srp_serve(in->profile->ctx, in->profile->srp))
        reason = "can't be used";
    if (!reason)
        return;
    complain(in, SL_SRP_VERIFIERS, "AH02310",
             sl_openssl_has_srp() ? "Make it with `openssl srp -srpvfile FILE -add USER`" : "Remove the directive",
             "SRP verifiers: %s: %s", path, reason);
}

static void set_server(const sl_compile_t *in, apr_int64_t now)
{
    set_options(in);
    set_sessions(in);
    set_verification(in, now);
    set_srp(in);
}

/* Others have prepared the SSL_CTX; the administrator's own commands go last. */
static void finish_server(const sl_compile_t *in)
{
    sl_profile_t *profile = in->profile;

    sl_conf_cmd_run(profile->ctx, sl_settings_get(in->settings, SL_CONF_CMD), in->host, in->scratch, in->problems);
    if (SSL_CTX_get_num_tickets(profile->ctx) == NOBODY_SAID) {
        SSL_CTX_set_num_tickets(profile->ctx, TICKETS);
        profile->tickets_by_client = 1;
    }
    profile->has_own_certificate = SSL_CTX_get0_certificate(profile->ctx) != NULL;
}

/* ---- the side that connects to backends ---- */

/* As mod_ssl combines the two: CN off by itself switches names off as well, and so does Name off. */
static sl_check_name_t check_name_of(const sl_settings_t *settings)
{
    long name = sl_settings_number(settings, SL_PROXY_CHECK_NAME), cn = sl_settings_number(settings, SL_PROXY_CHECK_CN);

    if (name != 0 && (cn != 0 || name == 1))
        return SL_CHECK_NAMES;
    return cn == 1 ? SL_CHECK_FIRST_CN : SL_CHECK_NO_NAME;
}

static void set_client_ocsp(const sl_compile_t *in)
{
    sl_profile_t *profile = in->profile;
    long check = sl_settings_number(in->settings, SL_PROXY_OCSP);

    profile->ocsp_check = (int)(check & ~SL_OCSP_MISSING_OK);
    profile->ocsp_missing_ok = (check & SL_OCSP_MISSING_OK) != 0;
    if (profile->ocsp_check != SL_OCSP_OFF && profile->verify_mode != SL_VERIFY_REQUIRE &&
        profile->verify_mode != SL_VERIFY_OPTIONAL)
        complain(in, SL_PROXY_OCSP, NULL, "Set SSLProxyVerify require",
                 "a responder can be asked only about certificates that are verified");
}

static void warn_of_trust(const sl_compile_t *in)
{
    const sl_profile_t *profile = in->profile;
    sl_origin_t origin = sl_settings_origin(in->settings, SL_PROXY_VERIFY);

    if (profile->verify_mode == SL_VERIFY_NONE && !profile->pins)
        sl_problems_add(in->problems, SL_PROBLEM_WARNING, "SL0170", &origin, in->host,
                        "Set SSLProxyVerify require and SSLProxyCACertificateFile, to a file or to system, or "
                        "SecureLayerProxyPin",
                        "backends are not verified: whoever is on the way to them can read and change everything");
    if (profile->verify_mode != SL_VERIFY_NONE && profile->verify_mode != SL_VERIFY_OPTIONAL_NO_CA &&
        (!profile->trust || !profile->trust->store))
        sl_problems_add(in->problems, SL_PROBLEM_WARNING, "SL0171", &origin, in->host,
                        "Set SSLProxyCACertificateFile to the CA of your backends, or to system",
                        "backends are verified, but no CA to check them against is configured");
}

/* Where nobody looks at the chain it need not be built. */
static int accept_any(X509_STORE_CTX *store, void *unused)
{
    (void)store;
    (void)unused;
    return 1;
}

static void set_client_options(const sl_compile_t *in)
{
    SSL_CTX *ctx = in->profile->ctx;
    const char *wanted = sl_settings_text(in->settings, SL_PROXY_GROUPS);
    const char *groups = wanted ? sl_profile_known_groups(wanted, in->scratch) : NULL;

    SSL_CTX_set_options(ctx, SSL_OP_ALL | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (groups)
        SSL_CTX_set1_groups_list(ctx, groups);
}

static void set_client(const sl_compile_t *in, apr_int64_t now)
{
    const sl_settings_t *settings = in->settings;
    sl_profile_t *profile = in->profile;
    int errors = in->problems->errors;

    set_client_options(in);
    profile->verify_mode = (int)sl_settings_number(settings, SL_PROXY_VERIFY);
    profile->verify_depth = (int)sl_settings_number(settings, SL_PROXY_VERIFY_DEPTH);
    profile->crl_missing_ok = (sl_settings_number(settings, SL_PROXY_CRL_CHECK) & SL_CRL_MISSING_OK) != 0;
    profile->check_name = check_name_of(settings);
    profile->check_expire = sl_settings_number(settings, SL_PROXY_CHECK_EXPIRE) != 0;
    profile->must_staple = sl_settings_number(settings, SL_PROXY_MUST_STAPLE) != 0;
    profile->pins = sl_settings_get(settings, SL_PROXY_PIN);
    set_trust(in, now);
    set_client_ocsp(in);
    if (profile->verify_mode == SL_VERIFY_NONE)
        SSL_CTX_set_cert_verify_callback(profile->ctx, accept_any, NULL);
    if (in->problems->errors == errors)
        warn_of_trust(in);
}

/* ---- either side ---- */

typedef struct side_t {
    const SSL_METHOD *(*method)(void);
    const rows_t *rows;
    int scope; /* weight of the rows that the profile's scope is made of */
    void (*set)(const sl_compile_t *in, apr_int64_t now);
    void (*finish)(const sl_compile_t *in); /* once the SSL_CTX is prepared; may be NULL */
} side_t;

static const side_t server_side = {TLS_server_method, &server_rows, SL_FOR_AUTH, set_server, finish_server};
static const side_t client_side = {TLS_client_method, &client_rows, SL_IN_CLIENT_PROFILE, set_client, NULL};

static sl_profile_t *compile(const side_t *side, const sl_settings_t *settings, const char *host, apr_int64_t now,
                             sl_profile_prepare_t prepare, apr_hash_t *trusts, apr_pool_t *scratch,
                             sl_problems_t *problems)
{
    sl_profile_t *profile = calloc(1, sizeof(*profile));
    sl_compile_t in = {side->rows, settings, host, profile, trusts, scratch, problems};
    const char *digest = sl_settings_digest(settings, side->scope, scratch);
    int errors = problems->errors;

    if (!profile)
        abort();
    sl_refcount_init(&profile->holders);
    profile->ctx = SSL_CTX_new(side->method());
    if (!profile->ctx) {
        sl_problems_add(problems, SL_PROBLEM_ERROR, NULL, NULL, host, NULL, "OpenSSL makes no SSL_CTX: %s",
                        sl_openssl_error_take(scratch));
        sl_profile_release(profile);
        return NULL;
    }
    EVP_Digest(digest, strlen(digest), profile->scope, NULL, EVP_sha256(), NULL);
    set_versions(&in);
    set_suites(&in);
    side->set(&in, now);
    if (prepare)
        prepare(profile->ctx);
    if (side->finish)
        side->finish(&in);
    if (problems->errors > errors) {
        sl_profile_release(profile);
        return NULL;
    }
    return profile;
}

sl_profile_t *sl_profile_new(const sl_settings_t *settings, const char *host, apr_int64_t now,
                             sl_profile_prepare_t prepare, apr_hash_t *trusts, apr_pool_t *scratch,
                             sl_problems_t *problems)
{
    return compile(&server_side, settings, host, now, prepare, trusts, scratch, problems);
}

sl_profile_t *sl_profile_new_client(const sl_settings_t *settings, const char *host, apr_int64_t now,
                                    sl_profile_prepare_t prepare, apr_hash_t *trusts, apr_pool_t *scratch,
                                    sl_problems_t *problems)
{
    return compile(&client_side, settings, host, now, prepare, trusts, scratch, problems);
}

void sl_profile_retain(sl_profile_t *profile)
{
    sl_refcount_retain(&profile->holders);
}

void sl_profile_release(sl_profile_t *profile)
{
    if (!profile || !sl_refcount_release(&profile->holders))
        return;
    SSL_CTX_free(profile->ctx);
    sl_openssl_srp_free(profile->srp);
    sl_trust_release(profile->trust);
    free(profile);
}
