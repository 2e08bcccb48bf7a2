/* Which certificate is stapled by whom is found out in post_config; handshakes look up the certificate they show.
 * The status callback of conn/machine.c comes here through conn_hooks. */
#include "httpd/stapling.h"

#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_ssl.h>
#include <unixd.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/cert_text.h"
#include "crypto/ocsp_message.h"
#include "httpd/directories.h"
#include "httpd/identities.h"
#include "httpd/keeper_hooks.h"
#include "httpd/module_config.h"
#include "httpd/module_hooks.h"
#include "httpd/socache_store.h"
#include "httpd/staples_kept.h"
#include "keeper/directory_staples.h"

APLOG_USE_MODULE(sl);

#define ID_SIZE 20

/* A certificate, by its digest: what a connection can tell of the one it shows. */
typedef struct record_t {
    X509 *leaf;                           /* that of the start, held; NULL unless it is stapled, or a module's */
    unsigned char id[ID_SIZE];            /* as httpd's hooks name it: SHA-1 of the DER */
    unsigned char key[SL_BOARD_KEY_SIZE]; /* as the board does */
    unsigned primed : 1;                  /* httpd's hooks have it */
    unsigned hooked : 1;                  /* those of mod_ssl.h have it */
    unsigned told : 1;
    unsigned is_listed : 1;               /* among the staples */
    int entry;                            /* on the board, -1: none */
} record_t;

static apr_hash_t *records;         /* id -> record_t; read-only in children */
static apr_array_header_t *staples; /* of sl_staple_t * */
static record_t **by_identity;      /* by the number of an identity; NULL: nothing is stapled for it */
static int identities;              /* so many */

/* One certificate of one host under collection. */
typedef struct look_t {
    apr_pool_t *pool, *scratch;
    server_rec *server;
    const sl_vhost_t *vhost;
    const sl_identity_t *identity;
    int id;
    sl_problems_t *problems;
    int ask_modules;
} look_t;

/* ---- collecting ---- */

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
    X509 *issuer;

    for (int i = 0; i < sk_X509_num(in->identity->chain); i++) {
        issuer = sk_X509_value(in->identity->chain, i);
        if (X509_check_issued(issuer, in->identity->leaf) == X509_V_OK)
            return issuer;
    }
    issuer = issuer_in_store(in);
    if (issuer)
        apr_pool_cleanup_register(in->pool, issuer, free_cert, apr_pool_cleanup_null);
    return issuer && X509_cmp(issuer, in->identity->leaf) ? issuer : NULL;
}

/* OpenSSL keeps this digest with each certificate. */
static record_t *find_record(const X509 *leaf)
{
    unsigned char id[ID_SIZE];
    unsigned length;

    return X509_digest(leaf, EVP_sha1(), id, &length) == 1 ? apr_hash_get(records, id, sizeof(id)) : NULL;
}

/* Certificates outlive the identities they were found in. */
static void hold(const look_t *in, X509 *cert)
{
    if (X509_up_ref(cert) == 1)
        apr_pool_cleanup_register(in->pool, cert, free_cert, apr_pool_cleanup_null);
}

static void hold_leaf(const look_t *in, record_t *record)
{
    if (record->leaf)
        return;
    record->leaf = in->identity->leaf;
    hold(in, record->leaf);
}

static record_t *record_of(const look_t *in)
{
    record_t *record = find_record(in->identity->leaf);
    unsigned length;

    if (record)
        return record;
    record = apr_pcalloc(in->pool, sizeof(*record));
    record->entry = -1;
    X509_digest(in->identity->leaf, EVP_sha1(), record->id, &length);
    X509_digest(in->identity->leaf, EVP_sha256(), record->key, &length);
    apr_hash_set(records, record->id, sizeof(record->id), record);
    return record;
}

static int has_prime_hooks(const look_t *in)
{
    const apr_array_header_t *hooks = in->ask_modules ? ap_hook_get_ssl_ocsp_prime_hook() : NULL;

    return (hooks && hooks->nelts) || (in->ask_modules && sl_module_hooks_has("init_stapling_status"));
}

static void ask_modules(const look_t *in, record_t *record, X509 *issuer)
{
    const char *pem;

    if (!in->ask_modules || !issuer)
        return;
    pem = apr_pstrcat(in->scratch, sl_cert_text_pem(in->scratch, in->identity->leaf),
                      sl_cert_text_pem(in->scratch, issuer), NULL);
    if (ap_ssl_ocsp_prime(in->server, in->scratch, (const char *)record->id, ID_SIZE, pem) == APR_SUCCESS)
        record->primed = 1;
    else if (sl_module_hooks_init_stapling_status(in->server, in->pool, in->identity->leaf, issuer))
        record->hooked = 1;
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

static void set_rules(sl_staple_t *staple, const sl_settings_t *settings)
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

/* NULL if it is listed already. */
static sl_staple_t *list_staple(const look_t *in, record_t *record, const char *name)
{
    sl_staple_t *staple;

    by_identity[in->id] = record;
    if (record->is_listed)
        return NULL;
    record->is_listed = 1;
    staple = apr_pcalloc(in->pool, sizeof(*staple));
    APR_ARRAY_PUSH(staples, sl_staple_t *) = staple;
    memcpy(staple->key, record->key, sizeof(staple->key));
    staple->name = name;
    staple->identity = in->id;
    set_rules(staple, in->vhost->settings);
    return staple;
}

static void add_staple(const look_t *in, record_t *record, X509 *issuer, const char *url)
{
    sl_staple_t *staple = list_staple(in, record, apr_pstrdup(in->pool, in->identity->origin));

    if (!staple)
        return;
    hold_leaf(in, record);
    hold(in, issuer);
    staple->cert = record->leaf;
    staple->issuer = issuer;
    staple->url = url;
}

/* The courier begins when the certificate comes. Until then its place on the board has a name that no certificate has.
 */
static void add_awaited(const look_t *in)
{
    record_t *record = by_identity[in->id];
    sl_staple_t *staple;

    if (!sl_settings_number(in->vhost->settings, SL_USE_STAPLING))
        return;
    if (!record) {
        record = apr_pcalloc(in->pool, sizeof(*record));
        record->entry = -1;
        SHA256((const unsigned char *)&in->id, sizeof(in->id), record->key);
        memcpy(record->id, record->key, sizeof(record->id));
        apr_hash_set(records, record->id, sizeof(record->id), record);
    }
    staple = list_staple(in, record, sl_identities_record(in->id)->shown);
    if (staple)
        staple->due = SL_NEVER;
}

static void warn(const look_t *in, record_t *record, const char *log_id, sl_row_id_t row, const char *advice,
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
static void review(const look_t *in, record_t *record, const X509 *issuer, const char *url, int wanted)
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
    record_t *record = record_of(in);
    X509 *issuer = find_issuer(in);
    const char *url = url_for(in);
    int wanted = sl_settings_number(in->vhost->settings, SL_USE_STAPLING) != 0;

    ask_modules(in, record, issuer);
    if (record->primed || record->hooked) {
        by_identity[in->id] = record;
        return;
    }
    review(in, record, issuer, url, wanted);
    if (wanted && issuer && url)
        add_staple(in, record, issuer, url);
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
    return sl_settings_number(in->vhost->settings, SL_USE_STAPLING) || has_prime_hooks(in) ||
           sl_supply_start_of(sl_identities_supply(), in->id)->has_features;
}

static void collect_identity(look_t *in)
{
    sl_identity_t *identity;

    if (!sl_supply_start_of(sl_identities_supply(), in->id)) {
        add_awaited(in);
        return;
    }
    if (!is_of_interest(in))
        return;
    in->identity = identity = sl_supply_look(sl_identities_supply(), in->id);
    if (identity)
        collect_certificate(in);
    sl_identity_release(identity);
}

void sl_stapling_collect(apr_pool_t *pool, apr_pool_t *scratch, server_rec *main_server, int may_ask_modules,
                         sl_problems_t *problems)
{
    look_t in = {pool, scratch, NULL, NULL, NULL, 0, problems, may_ask_modules};

    records = apr_hash_make(pool);
    staples = apr_array_make(pool, 4, sizeof(sl_staple_t *));
    identities = sl_supply_count(sl_identities_supply());
    by_identity = apr_pcalloc(pool, sizeof(record_t *) * ((apr_size_t)identities + 1));
    check_cache(scratch, main_server, problems);
    for (in.server = main_server; in.server; in.server = in.server->next) {
        int is_served;

        in.vhost = sl_config_vhost(in.server);
        is_served = in.vhost && in.vhost->left_out != SL_OUT_UNTIL_RESTART;
        for (int i = 0; is_served && i < in.vhost->identities->nelts; i++) {
            in.id = APR_ARRAY_IDX(in.vhost->identities, i, sl_identity_ref_t).id;
            collect_identity(&in);
        }
    }
}

/* ---- starting ---- */

/* The courier runs as httpd's User, and so must what it writes to. A link that waits there is none of ours. */
static const char *prepare_directory(const char *path, sl_problem_t *why)
{
    struct stat info;

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        sl_problem_set(why, errno, path, "can't be made: %s", strerror(errno));
    else if (lstat(path, &info) < 0 || !S_ISDIR(info.st_mode))
        sl_problem_set(why, APR_EINVAL, path, "is no directory");
    else if (geteuid() == 0 && info.st_uid != ap_unixd_config.user_id &&
             lchown(path, ap_unixd_config.user_id, ap_unixd_config.group_id) < 0)
        sl_problem_set(why, errno, path, "can't be given to httpd's user: %s", strerror(errno));
    else
        return path;
    return NULL;
}

static const char *state_directory(apr_pool_t *pool, server_rec *main_server)
{
    const sl_settings_t *settings = sl_config_of_server(main_server)->settings;
    const char *configured = sl_settings_text(settings, SL_STATE_DIRECTORY);
    const char *path =
        configured ? ap_server_root_relative(pool, configured) : ap_runtime_dir_relative(pool, "securelayer");
    sl_problem_t *why = sl_problem_make(pool);

    why->origin = sl_settings_origin(settings, SL_STATE_DIRECTORY);
    path = prepare_directory(path, why);
    if (!path)
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, main_server,
                     "SL0144: what is to survive restarts can't be kept in files: %s", sl_problem_text(why, pool));
    return path;
}

static void find_entries(void)
{
    const sl_section_t *section = sl_keeper_hooks_board()->staples;

    for (int i = 0; i < staples->nelts; i++) {
        sl_staple_t *staple = APR_ARRAY_IDX(staples, i, sl_staple_t *);

        staple->entry = sl_section_find(section, staple->key);
    }

    for (apr_hash_index_t *at = apr_hash_first(NULL, records); at; at = apr_hash_next(at)) {
        void *record;

        apr_hash_this(at, NULL, NULL, &record);
        ((record_t *)record)->entry = sl_section_find(section, ((record_t *)record)->key);
    }
}

/* What the configuration names. */
static apr_status_t start_hosts(apr_pool_t *pool, const char *directory, sl_problem_t *why)
{
    sl_board_t *board = sl_keeper_hooks_board();
    sl_staple_shelf_t shelf;
    unsigned char *keys;
    apr_status_t rv;

    keys = apr_palloc(pool, (apr_size_t)staples->nelts * SL_BOARD_KEY_SIZE);
    for (int i = 0; i < staples->nelts; i++)
        memcpy(keys + i * SL_BOARD_KEY_SIZE, APR_ARRAY_IDX(staples, i, sl_staple_t *)->key, SL_BOARD_KEY_SIZE);
    rv = sl_section_make(&board->staples, pool, staples->nelts, SL_STAPLE_ENTRY_SIZE, keys, why);
    if (rv == APR_SUCCESS)
        rv = sl_section_make(&board->staple_states, pool, staples->nelts, sizeof(sl_staple_state_t), NULL, why);
    if (rv != APR_SUCCESS)
        return rv;
    find_entries();
    memset(&shelf, 0, sizeof(shelf));
    shelf.section = board->staples;
    shelf.states = board->staple_states;
    shelf.directory = directory;
    for (int i = 0; i < staples->nelts; i++)
        sl_staples_kept_give(&shelf, APR_ARRAY_IDX(staples, i, sl_staple_t *));
    sl_staples_kept_watch(pool);
    sl_keeper_hooks_add(pool, SL_COURIER, sl_staple_job_make(pool, &shelf, staples, board->identities));
    return APR_SUCCESS;
}

/* How answers are asked for by the directories' numbers, as the first host that wants them says it. NULL: nobody wants
 * any. */
static apr_array_header_t *directory_rules(apr_pool_t *pool, server_rec *main_server)
{
    apr_array_header_t *rules = NULL;

    for (server_rec *s = main_server; s; s = s->next) {
        const sl_vhost_t *vhost = sl_config_vhost(s);
        sl_staple_t **place;

        if (!vhost || vhost->left_out || vhost->directory < 0 || !sl_settings_number(vhost->settings, SL_USE_STAPLING))
            continue;
        if (!rules)
            rules = apr_array_make(pool, vhost->directory + 1, sizeof(sl_staple_t *));
        while (rules->nelts <= vhost->directory)
            APR_ARRAY_PUSH(rules, sl_staple_t *) = NULL;
        place = &APR_ARRAY_IDX(rules, vhost->directory, sl_staple_t *);
        if (!*place) {
            *place = apr_pcalloc(pool, sizeof(**place));
            set_rules(*place, vhost->settings);
        }
    }
    return rules;
}

/* What certificate directories have. */
static apr_status_t start_directories(apr_pool_t *pool, const apr_array_header_t *rules, const char *directory,
                                      sl_problem_t *why)
{
    const sl_directory_board_t *from = sl_directories_board();
    sl_section_t **section = &sl_keeper_hooks_board()->directory_staples;
    sl_staple_shelf_t shelf;
    apr_status_t rv =
        sl_section_make_large(section, pool, sl_directory_staples_places(from), SL_STAPLE_ENTRY_SIZE, 2048, why);

    if (rv != APR_SUCCESS)
        return rv;
    memset(&shelf, 0, sizeof(shelf));
    shelf.section = *section;
    shelf.directory = directory;
    sl_keeper_hooks_add(pool, SL_COURIER, sl_directory_staples_make(pool, from, &shelf, rules));
    return APR_SUCCESS;
}

apr_status_t sl_stapling_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
{
    const apr_array_header_t *rules = directory_rules(pool, main_server);
    const char *directory = NULL;
    apr_status_t rv = APR_SUCCESS;

    sl_keeper_hooks_board()->directory_staples = NULL;
    if (staples->nelts || rules)
        directory = state_directory(pool, main_server);
    if (staples->nelts)
        rv = start_hosts(pool, directory, why);
    sl_staples_kept_forget();
    if (rv == APR_SUCCESS && rules)
        rv = start_directories(pool, rules, directory, why);
    return rv;
}

/* ---- the handshake ---- */

typedef struct copy_t {
    unsigned char *der;
    int length;
} copy_t;

static void copy_answer(const unsigned char *der, apr_size_t length, void *baton)
{
    copy_t *copy = baton;

    if (!der || !length || copy->der || length > SL_OCSP_BYTES_MAX)
        return;
    copy->der = OPENSSL_memdup(der, length);
    copy->length = copy->der ? (int)length : 0;
}

static void ask_hook(const sl_link_t *link, const record_t *record, copy_t *copy)
{
    unsigned char *der = NULL;
    int length = 0;

    if (!sl_module_hooks_get_stapling_status(&der, &length, link->c, link->server, record->leaf))
        return;
    if (length > 0)
        copy_answer(der, (apr_size_t)length, copy);
    free(der);
}

static void read_board(const record_t *record, const unsigned char *key, copy_t *copy)
{
    const sl_section_t *section = sl_keeper_hooks_board()->staples;
    unsigned char answer[SL_STAPLE_SIZE_MAX];

    if (section && record->entry >= 0)
        copy_answer(answer, sl_staple_read(section, record->entry, key, apr_time_sec(apr_time_now()), answer), copy);
}

/* A certificate that came after the start is answered for where the one before it was. */
static void read_for_renewed(const sl_vhost_t *vhost, const X509 *leaf, copy_t *copy)
{
    unsigned char key[SL_BOARD_KEY_SIZE];
    unsigned length;

    if (!sl_settings_number(vhost->settings, SL_USE_STAPLING) || X509_digest(leaf, EVP_sha256(), key, &length) != 1)
        return;
    for (int i = 0; i < vhost->identities->nelts; i++) {
        const record_t *record = by_identity[APR_ARRAY_IDX(vhost->identities, i, sl_identity_ref_t).id];

        if (record)
            read_board(record, key, copy);
    }
}

/* By the identity of the connection. What is there may be about another certificate, and is not taken then. */
static void read_for_directory(const sl_conn_t *tls, const X509 *leaf, copy_t *copy)
{
    const sl_section_t *section = sl_keeper_hooks_board()->directory_staples;
    unsigned char key[SL_BOARD_KEY_SIZE], answer[SL_STAPLE_SIZE_MAX];
    unsigned length;

    if (!section || !sl_settings_number(tls->vhost->settings, SL_USE_STAPLING))
        return;
    for (int i = 0; tls->identities && i < tls->identities->nelts; i++) {
        const sl_identity_t *identity = APR_ARRAY_IDX(tls->identities, i, const sl_identity_t *);

        if (identity->leaf == leaf && X509_digest(leaf, EVP_sha256(), key, &length) == 1)
            copy_answer(answer, sl_staple_read(section, identity->place, key, apr_time_sec(apr_time_now()), answer),
                        copy);
    }
}

unsigned char *sl_stapling_get(sl_link_t *link, X509 *leaf, int *length)
{
    const record_t *record = find_record(leaf);
    copy_t copy = {NULL, 0};

    if (!record) {
        read_for_renewed(link->tls->vhost, leaf, &copy);
        if (!copy.der && link->tls->vhost->directory >= 0)
            read_for_directory(link->tls, leaf, &copy);
    }
    else if (record->primed)
        (void)ap_ssl_ocsp_get_resp(link->server, link->c, (const char *)record->id, ID_SIZE, copy_answer, &copy);
    else if (record->hooked)
        ask_hook(link, record, &copy);
    else if (sl_settings_number(link->tls->vhost->settings, SL_USE_STAPLING))
        read_board(record, record->key, &copy);
    *length = copy.length;
    return copy.der;
}

/* ---- for the status page ---- */

const char *sl_stapling_word(sl_stapling_kind_t kind)
{
    static const char *const words[SL_STAPLING_KINDS] = {"off", "module", "waiting", "good", "revoked", "missing"};

    return words[kind];
}

sl_stapling_kind_t sl_stapling_look(int id, apr_int64_t now, sl_staple_state_t *state)
{
    const record_t *record = by_identity && id >= 0 && id < identities ? by_identity[id] : NULL;
    const sl_section_t *section = sl_keeper_hooks_board()->staple_states;

    memset(state, 0, sizeof(*state));
    if (record && (record->primed || record->hooked))
        return SL_STAPLING_MODULE;
    if (!record || !section || record->entry < 0)
        return SL_STAPLING_OFF;
    sl_staple_state_read(section, record->entry, state);
    if (state->is_unasked)
        return SL_STAPLING_OFF;
    if (state->until > now)
        return state->status == SL_OCSP_REVOKED ? SL_STAPLING_REVOKED : SL_STAPLING_GOOD;
    return state->until || state->failures ? SL_STAPLING_MISSING : SL_STAPLING_WAITING;
}
