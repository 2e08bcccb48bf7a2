/* From the certificates of virtual hosts to those that are stapled.  Called by startup through stapling.h; read by
 * httpd/stapling.
 *
 * Nearly all are looked at by their bytes (crypto/cert_der): OpenSSL's objects of ten thousand certificates would take
 * seconds to make at each start. */
#include "httpd/stapling_records.h"

#include <http_ssl.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "crypto/cert_der.h"
#include "crypto/cert_text.h"
#include "crypto/ocsp_message.h"
#include "httpd/identities.h"
#include "httpd/module_config.h"
#include "httpd/module_hooks.h"
#include "httpd/socache_store.h"

static apr_hash_t *records;         /* id -> sl_stapled_t; read-only in children */
static apr_array_header_t *staples; /* of sl_staple_t * */
static sl_stapled_t **by_identity;  /* by the number of an identity; NULL: nothing is stapled for it */
static int identities;              /* so many */

/* OpenSSL keeps this digest with each certificate. */
const sl_stapled_t *sl_stapled_find(const X509 *leaf)
{
    unsigned char id[SL_STAPLED_ID_SIZE];
    unsigned length;

    return X509_digest(leaf, EVP_sha1(), id, &length) == 1 ? apr_hash_get(records, id, sizeof(id)) : NULL;
}

const sl_stapled_t *sl_stapled_of(int id)
{
    return by_identity && id >= 0 && id < identities ? by_identity[id] : NULL;
}

int sl_stapled_is_vacant(const sl_stapled_t *record)
{
    return record->staple && record->staple->due == SL_NEVER;
}

apr_array_header_t *sl_stapled_staples(void)
{
    return staples;
}

void sl_stapled_set_rules(sl_staple_t *staple, const sl_settings_t *settings)
{
    staple->url = sl_settings_text(settings, SL_STAPLING_URL);
    staple->url_is_forced = staple->url != NULL;
    staple->proxy = sl_settings_text(settings, SL_OCSP_PROXY);
    staple->timeout = apr_time_from_sec(sl_settings_number(settings, SL_STAPLING_TIMEOUT));
    staple->skew = sl_settings_number(settings, SL_STAPLING_SKEW);
    staple->max_age = sl_settings_number(settings, SL_STAPLING_MAX_AGE);
    staple->keep = sl_settings_number(settings, SL_STAPLING_STANDARD_TIMEOUT);
    staple->pause = sl_settings_number(settings, SL_STAPLING_ERROR_TIMEOUT);
    staple->errors_too = sl_settings_number(settings, SL_STAPLING_ERRORS) != 0;
    staple->try_later = sl_settings_number(settings, SL_STAPLING_TRY_LATER) != 0;
}

/* One certificate of one host. */
typedef struct look_t {
    apr_pool_t *pool, *scratch;
    server_rec *server;
    const sl_vhost_t *vhost;
    const sl_identity_t *identity;
    int id;
    sl_problems_t *problems;
    int ask_modules;
} look_t;

static int wants_staples(const look_t *in)
{
    return sl_settings_number(in->vhost->settings, SL_USE_STAPLING) != 0;
}

static X509 *issuer_in_store(const look_t *in)
{
    const sl_trust_t *trust = in->vhost->profile->trust;
    X509_STORE_CTX *ctx = trust && trust->store ? X509_STORE_CTX_new() : NULL;
    X509 *issuer = NULL;

    if (ctx && X509_STORE_CTX_init(ctx, trust->store, in->identity->leaf, NULL) == 1 &&
        X509_STORE_CTX_get1_issuer(&issuer, ctx, in->identity->leaf) != 1)
        issuer = NULL;
    X509_STORE_CTX_free(ctx);
    return issuer;
}

static apr_status_t free_cert(void *cert)
{
    X509_free(cert);
    return APR_SUCCESS;
}

/* From the chain, else among the CAs. NULL if it is nowhere, or the certificate signed itself. */
static X509 *find_issuer(const look_t *in)
{
    X509 *issuer = sl_cert_issuer_among(in->identity->chain, in->identity->leaf);

    if (issuer)
        return issuer;
    issuer = issuer_in_store(in);
    if (issuer)
        apr_pool_cleanup_register(in->pool, issuer, free_cert, apr_pool_cleanup_null);
    return issuer && X509_cmp(issuer, in->identity->leaf) ? issuer : NULL;
}

/* Certificates outlive the identities they were found in. */
static void hold(const look_t *in, X509 *cert)
{
    if (X509_up_ref(cert) == 1)
        apr_pool_cleanup_register(in->pool, cert, free_cert, apr_pool_cleanup_null);
}

static void hold_leaf(const look_t *in, sl_stapled_t *record)
{
    if (record->leaf)
        return;
    record->leaf = in->identity->leaf;
    hold(in, record->leaf);
}

static sl_stapled_t *record_for(const look_t *in, const unsigned char *id, const unsigned char *key)
{
    sl_stapled_t *record = apr_hash_get(records, id, SL_STAPLED_ID_SIZE);

    if (record)
        return record;
    record = apr_pcalloc(in->pool, sizeof(*record));
    memcpy(record->id, id, sizeof(record->id));
    memcpy(record->key, key, sizeof(record->key));
    apr_hash_set(records, record->id, sizeof(record->id), record);
    return record;
}

static sl_stapled_t *record_of(const look_t *in)
{
    unsigned char id[SL_STAPLED_ID_SIZE] = {0}, key[SL_BOARD_KEY_SIZE] = {0};
    unsigned length;

    X509_digest(in->identity->leaf, EVP_sha1(), id, &length);
    X509_digest(in->identity->leaf, EVP_sha256(), key, &length);
    return record_for(in, id, key);
}

static int has_prime_hooks(const look_t *in)
{
    const apr_array_header_t *hooks = in->ask_modules ? ap_hook_get_ssl_ocsp_prime_hook() : NULL;

    return hooks && hooks->nelts;
}

static int has_init_hooks(const look_t *in)
{
    return in->ask_modules && sl_module_hooks_has("init_stapling_status");
}

/* Both in PEM. */
static void prime(const look_t *in, sl_stapled_t *record, const char *leaf, const char *issuer)
{
    const char *pem = apr_pstrcat(in->scratch, leaf, issuer, NULL);

    if (ap_ssl_ocsp_prime(in->server, in->scratch, (const char *)record->id, SL_STAPLED_ID_SIZE, pem) == APR_SUCCESS)
        record->primed = 1;
}

static void ask_modules(const look_t *in, sl_stapled_t *record, X509 *issuer)
{
    if (!issuer)
        return;
    if (has_prime_hooks(in))
        prime(in, record, sl_cert_text_pem(in->scratch, in->identity->leaf), sl_cert_text_pem(in->scratch, issuer));
    if (!record->primed && has_init_hooks(in))
        record->hooked = sl_module_hooks_init_stapling_status(in->server, in->pool, in->identity->leaf, issuer) != 0;
    if (record->hooked)
        hold_leaf(in, record);
}

static const char *url_for(const look_t *in)
{
    const char *forced = sl_settings_text(in->vhost->settings, SL_STAPLING_URL);
    apr_array_header_t *urls;

    if (forced)
        return forced;
    urls = sl_ocsp_urls(in->pool, in->identity->leaf);
    return urls->nelts ? APR_ARRAY_IDX(urls, 0, const char *) : NULL;
}

/* Vacant, for the caller to fill. NULL if there is one that is not. */
static sl_staple_t *list_staple(const look_t *in, sl_stapled_t *record)
{
    sl_staple_t *staple = record->staple;

    by_identity[in->id] = record;
    if (staple && !sl_stapled_is_vacant(record))
        return NULL;
    if (!staple) {
        record->staple = staple = apr_pcalloc(in->pool, sizeof(*staple));
        APR_ARRAY_PUSH(staples, sl_staple_t *) = staple;
        memcpy(staple->key, record->key, sizeof(staple->key));
    }
    staple->name = sl_identities_record(in->id)->shown;
    staple->identity = in->id;
    staple->due = SL_NEVER;
    sl_stapled_set_rules(staple, in->vhost->settings);
    return staple;
}

static void set_url(sl_staple_t *staple, const char *url)
{
    staple->url = url;
    if (url)
        staple->due = 0;
}

static void add_staple(const look_t *in, sl_stapled_t *record, X509 *issuer, const char *url)
{
    sl_staple_t *staple = list_staple(in, record);

    if (!staple || !issuer || !url)
        return;
    hold_leaf(in, record);
    hold(in, issuer);
    staple->cert = record->leaf;
    staple->issuer = issuer;
    staple->is_urgent = sl_ocsp_must_staple(record->leaf);
    set_url(staple, url);
}

/* The courier begins when the certificate comes. Until then its place on the board has a name that no certificate has.
 */
static void add_awaited(const look_t *in)
{
    sl_stapled_t *record = by_identity[in->id];
    unsigned char digest[SL_BOARD_KEY_SIZE];

    if (!wants_staples(in))
        return;
    if (!record) {
        SHA256((const unsigned char *)&in->id, sizeof(in->id), digest);
        record = record_for(in, digest, digest);
    }
    (void)list_staple(in, record);
}

static void warn(const look_t *in, sl_stapled_t *record, const char *log_id, sl_row_id_t row, const char *advice,
                 const char *reason)
{
    sl_origin_t origin = sl_settings_origin(in->vhost->settings, row);

    if (record->told)
        return;
    record->told = 1;
    sl_problems_add(in->problems, SL_PROBLEM_WARNING, log_id, &origin, apr_pstrdup(in->pool, in->identity->origin),
                    advice, "%s", reason);
}

/* Clients refuse a certificate that says that it is always stapled when it is not. Who may have nothing stapled says
 * nothing about it, and hears nothing. */
static void review(const look_t *in, sl_stapled_t *record, const X509 *issuer, const char *url, int wanted)
{
    int must = sl_ocsp_must_staple(in->identity->leaf);

    if (must && !wanted)
        warn(in, record, NULL, SL_USE_STAPLING, "Set SSLUseStapling on",
             "the certificate says that it is only good with a stapled OCSP answer (must-staple), but nothing is "
             "stapled: clients may refuse it");
    else if (must && !url)
        warn(in, record, "AH02218", SL_USE_STAPLING, "Ask its CA for another one, or set SSLStaplingForceURL",
             "the certificate says that it is only good with a stapled OCSP answer (must-staple), but names no "
             "responder: clients may refuse it");
    else if (wanted && url && !issuer)
        warn(in, record, "AH02217", SL_USE_STAPLING, "Append the issuer's certificate to the certificate's file",
             "nothing is stapled, as the certificate of the issuer is not there");
}

static void collect_certificate(const look_t *in)
{
    sl_stapled_t *record = record_of(in);
    X509 *issuer = find_issuer(in);
    const char *url = url_for(in);

    ask_modules(in, record, issuer);
    if (record->primed || record->hooked) {
        by_identity[in->id] = record;
        return;
    }
    review(in, record, issuer, url, wants_staples(in));
    if (wants_staples(in))
        add_staple(in, record, issuer, url);
}

/* ---- the same by bytes, for nearly all ---- */

typedef struct bytes_t {
    sl_reader_t leaf, issuer; /* DER; the second one is empty if ca is there */
    sl_cert_der_t cert;       /* the leaf's */
    X509 *ca;                 /* who issued it; NULL: the issuer is in its chain */
    const char *url;          /* of the responder; NULL: there is none */
} bytes_t;

static int find_in_bytes(const look_t *in, const sl_stored_t *stored, bytes_t *bytes)
{
    const sl_trust_t *trust = in->vhost->profile->trust;
    sl_cert_der_t issuer;

    bytes->ca = NULL;
    if (!sl_reader_left(&bytes->issuer))
        bytes->ca = sl_stored_issuer_among(stored, trust ? trust->cas : NULL);
    if (!sl_reader_left(&bytes->issuer))
        return bytes->ca != NULL;
    return sl_cert_der_read(&issuer, bytes->issuer.at, sl_reader_left(&bytes->issuer)) &&
           sl_cert_der_is_issued_by(&bytes->cert, &issuer);
}

/* 0 if there is anything that only OpenSSL knows. */
static int read_bytes(const look_t *in, const sl_stored_t *stored, bytes_t *bytes)
{
    const char *forced = sl_settings_text(in->vhost->settings, SL_STAPLING_URL);
    sl_reader_t url;

    if (!sl_stored_certificates(stored, &bytes->leaf, &bytes->issuer) ||
        !sl_cert_der_read(&bytes->cert, bytes->leaf.at, sl_reader_left(&bytes->leaf)) ||
        !find_in_bytes(in, stored, bytes))
        return 0;
    bytes->url = forced;
    if (!forced && sl_cert_der_responder(&bytes->cert, &url))
        bytes->url = apr_pstrmemdup(in->pool, (const char *)url.at, sl_reader_left(&url));
    return 1;
}

static const char *pem_of(const look_t *in, const sl_reader_t *der)
{
    return sl_cert_text_pem_of(in->scratch, der->at, sl_reader_left(der));
}

static void add_stored(const look_t *in, sl_stapled_t *record, const sl_stored_t *stored, const bytes_t *bytes)
{
    sl_staple_t *staple = list_staple(in, record);

    if (!staple)
        return;
    staple->start = stored;
    staple->owns_cert = 1;
    staple->owns_issuer = !bytes->ca;
    staple->issuer = bytes->ca;
    if (bytes->ca)
        hold(in, bytes->ca);
    staple->is_urgent = bytes->cert.has_features;
    set_url(staple, bytes->url);
}

/* 0: the certificates have to be made. So they have if review() could have something to tell. */
static int collect_stored(const look_t *in, const sl_stored_t *stored)
{
    unsigned char id[SL_STAPLED_ID_SIZE];
    sl_stapled_t *record;
    bytes_t bytes;

    if (has_init_hooks(in) || !read_bytes(in, stored, &bytes) ||
        (bytes.cert.has_features && !(wants_staples(in) && bytes.url)))
        return 0;
    SHA1(bytes.leaf.at, sl_reader_left(&bytes.leaf), id);
    record = record_for(in, id, stored->digest);
    if (has_prime_hooks(in))
        prime(in, record, pem_of(in, &bytes.leaf),
              bytes.ca ? sl_cert_text_pem(in->scratch, bytes.ca) : pem_of(in, &bytes.issuer));
    if (record->primed)
        by_identity[in->id] = record;
    else if (wants_staples(in))
        add_stored(in, record, stored, &bytes);
    return 1;
}

/* What it names is checked, and never used. */
static void check_cache(apr_pool_t *scratch, server_rec *main_server, sl_problems_t *problems)
{
    const sl_setting_t *setting = sl_settings_get(sl_config_of_server(main_server)->settings, SL_STAPLING_CACHE);
    sl_problem_t *why;
    sl_socache_t *unused;

    if (!setting)
        return;
    why = sl_problems_new(problems, &setting->values[0].origin);
    if (sl_socache_make(&unused, setting->values[0].text, scratch, scratch, why) != APR_SUCCESS)
        sl_problems_keep(problems, why, SL_PROBLEM_ERROR);
}

/* Most certificates need not be made for the question whether they have to be stapled. */
static int is_of_interest(const look_t *in)
{
    return wants_staples(in) || has_prime_hooks(in) || has_init_hooks(in) ||
           sl_supply_start_of(sl_identities_supply(), in->id)->has_features;
}

static void collect_identity(look_t *in)
{
    const sl_stored_t *stored = sl_supply_start_of(sl_identities_supply(), in->id);
    sl_identity_t *identity;

    if (!stored) {
        add_awaited(in);
        return;
    }
    if (!is_of_interest(in) || collect_stored(in, stored))
        return;
    in->identity = identity = sl_supply_look(sl_identities_supply(), in->id);
    if (identity)
        collect_certificate(in);
    sl_identity_release(identity);
}

void sl_stapled_collect(apr_pool_t *pool, apr_pool_t *scratch, server_rec *main_server, int may_ask_modules,
                        sl_problems_t *problems)
{
    look_t in = {pool, NULL, NULL, NULL, NULL, 0, problems, may_ask_modules};

    apr_pool_create(&in.scratch, scratch);
    records = apr_hash_make(pool);
    staples = apr_array_make(pool, 4, sizeof(sl_staple_t *));
    identities = sl_supply_count(sl_identities_supply());
    by_identity = apr_pcalloc(pool, sizeof(sl_stapled_t *) * ((apr_size_t)identities + 1));
    check_cache(scratch, main_server, problems);
    for (in.server = main_server; in.server; in.server = in.server->next) {
        int is_served;

        in.vhost = sl_config_vhost(in.server);
        is_served = in.vhost && in.vhost->left_out != SL_OUT_UNTIL_RESTART;
        for (int i = 0; is_served && i < in.vhost->identities->nelts; i++) {
            in.id = APR_ARRAY_IDX(in.vhost->identities, i, sl_identity_ref_t).id;
            collect_identity(&in);
            apr_pool_clear(in.scratch);
        }
    }
    apr_pool_destroy(in.scratch);
}
