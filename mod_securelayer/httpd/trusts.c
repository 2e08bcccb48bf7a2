/* The newest trust of each profile that has CAs.  Items of the keeper's reloading are made here in the parent; a child
 * keeps what it made of the newest bytes, one for each. */
#include "httpd/trusts.h"

#include <http_config.h>
#include <http_log.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "httpd/keeper_hooks.h"
#include "httpd/module_config.h"
#include "httpd/proxy_collect.h"
#include "httpd/reload.h"
#include "identity/trust_blob.h"
#include "identity/trust_slot.h"
#include "keeper/reload_trust.h"

APLOG_USE_MODULE(sl);

/* Of clients or of backends. */
typedef struct record_t {
    sl_reload_trust_t what;
    const char *name; /* for messages */
    const sl_outgoing_t *outgoing; /* NULL: it is for client certificates */
} record_t;

static apr_array_header_t *records; /* of record_t *; NULL: none */
static sl_trust_slot_t **slots;     /* of the child, one for each record; NULL: none */
static server_rec *child_server;

static apr_status_t forget(void *unused)
{
    (void)unused;
    records = NULL;
    return APR_SUCCESS;
}

/* The profile that has no CAs has nothing to reload. */
static int has_cas(const sl_profile_t *profile)
{
    return profile->trust && profile->trust->store;
}

static void digest_trust(const sl_trust_t *trust, unsigned char digest[SL_BOARD_KEY_SIZE])
{
    apr_size_t length;
    unsigned char *bytes = sl_trust_encode(trust, &length);

    if (bytes)
        (void)EVP_Digest(bytes, length, digest, NULL, EVP_sha256(), NULL);
    OPENSSL_free(bytes);
}

static record_t *make_record(apr_pool_t *pool)
{
    record_t *record = apr_pcalloc(pool, sizeof(*record));

    record->what.id = records->nelts;
    APR_ARRAY_PUSH(records, record_t *) = record;
    return record;
}

static void reload(apr_pool_t *pool, record_t *record, sl_section_t *news)
{
    sl_reload_item_t *item = sl_reload_add(pool);

    record->what.news = news;
    sl_trust_paths(&record->what.source, item->paths);
    record->name = item->name =
        apr_pstrcat(pool, "what ", record->outgoing ? "backends" : "client certificates", " are checked against (",
                    item->paths[0], item->paths[1] ? ", ..." : "", ")", NULL);
    item->stamp = record->what.source.stamp;
    item->load = sl_reload_trust;
    item->baton = &record->what;
}

/* One for each profile and each set of files: several files with the same CAs make one profile, but change one by
 * one. */
typedef struct known_t {
    apr_hash_t *digests; /* profile -> the digest of its trust */
    apr_hash_t *records; /* profile and source -> record_t * */
} known_t;

static const unsigned char *digest_of(const known_t *known, const sl_vhost_t *vhost)
{
    unsigned char *digest = apr_hash_get(known->digests, &vhost->profile, sizeof(vhost->profile));

    if (digest)
        return digest;
    digest = apr_pcalloc(apr_hash_pool_get(known->digests), SL_BOARD_KEY_SIZE);
    digest_trust(vhost->profile->trust, digest);
    apr_hash_set(known->digests, &vhost->profile, sizeof(vhost->profile), digest);
    return digest;
}

static record_t *record_of(apr_pool_t *pool, apr_pool_t *scratch, const known_t *known, const sl_vhost_t *vhost)
{
    sl_trust_source_t source;
    record_t *record;
    const char *key;

    sl_profile_trust_source(&source, vhost->settings);
    key = apr_psprintf(scratch, "%pp\n%s", (void *)vhost->profile, sl_trust_source_text(&source, scratch));
    record = apr_hash_get(known->records, key, APR_HASH_KEY_STRING);
    if (record)
        return record;
    record = make_record(pool);
    record->what.source = source;
    memcpy(record->what.digest, digest_of(known, vhost), sizeof(record->what.digest));
    apr_hash_set(known->records, apr_pstrdup(apr_hash_pool_get(known->records), key), APR_HASH_KEY_STRING, record);
    return record;
}

static void number_clients(apr_pool_t *pool, server_rec *main_server)
{
    known_t known;
    apr_pool_t *scratch, *each;

    apr_pool_create(&scratch, pool);
    apr_pool_create(&each, scratch);
    known.digests = apr_hash_make(scratch);
    known.records = apr_hash_make(scratch);
    for (server_rec *s = main_server; s; s = s->next) {
        sl_vhost_t *vhost = sl_config_of_server(s)->vhost;

        if (!vhost || !has_cas(vhost->profile))
            continue;
        vhost->trust_id = record_of(pool, each, &known, vhost)->what.id;
        apr_pool_clear(each);
    }
    apr_pool_destroy(scratch);
}

static void number_backends(apr_pool_t *pool)
{
    const apr_array_header_t *all = sl_proxy_outgoings();

    for (int i = 0; all && i < all->nelts; i++) {
        sl_outgoing_t *outgoing = APR_ARRAY_IDX(all, i, sl_outgoing_t *);
        record_t *record;

        if (!has_cas(outgoing->profile))
            continue;
        record = make_record(pool);
        record->outgoing = outgoing;
        digest_trust(outgoing->profile->trust, record->what.digest);
        sl_profile_client_trust_source(&record->what.source, outgoing->settings);
        outgoing->trust_id = record->what.id;
    }
}

apr_status_t sl_trusts_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
{
    sl_section_t **news = &sl_keeper_hooks_board()->trusts;
    apr_status_t rv;

    records = apr_array_make(pool, 4, sizeof(record_t *));
    apr_pool_cleanup_register(pool, NULL, forget, apr_pool_cleanup_null);
    if (!sl_reload_is_on(main_server))
        return APR_SUCCESS;
    number_clients(pool, main_server);
    number_backends(pool);
    if (!records->nelts)
        return APR_SUCCESS;
    rv = sl_section_make_large(news, pool, records->nelts, SL_TRUST_SIZE_MAX, 262144, why);
    for (int i = 0; rv == APR_SUCCESS && i < records->nelts; i++)
        reload(pool, APR_ARRAY_IDX(records, i, record_t *), *news);
    return rv;
}

/* ---- in a child ---- */

/* What the files of our own certificates hold besides is no file of CAs, and stays as at the start. */
static int add_issuers(const record_t *record, const sl_trust_t *trust)
{
    const STACK_OF(X509) *issuers = record->outgoing ? record->outgoing->issuers : NULL;
    int ok = 1;

    for (int i = 0; ok && i < sk_X509_num(issuers); i++)
        ok = X509_STORE_add_cert(trust->store, sk_X509_value(issuers, i)) == 1;
    return ok;
}

static sl_trust_t *read_board(const record_t *record)
{
    const sl_reload_trust_t *what = &record->what;
    apr_uint64_t version;
    apr_size_t length;
    unsigned char *bytes = sl_section_copy(what->news, what->id, &length, &version);
    sl_trust_t *trust = bytes ? sl_trust_decode(bytes, length, &what->source) : NULL;

    OPENSSL_free(bytes);
    if (trust && !add_issuers(record, trust)) {
        sl_trust_release(trust);
        return NULL;
    }
    if (trust)
        trust->version = version;
    return trust;
}

static sl_trust_t *make_newest(void *baton)
{
    return read_board(baton);
}

static void tell_of_failure(const record_t *record)
{
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, child_server,
                 "SL0202: %s: the newer version could not be made use of, as memory ended; what was believed before is "
                 "believed on, and it is tried again",
                 record->name);
}

sl_trust_t *sl_trusts_get(int id)
{
    record_t *record = id >= 0 && slots ? APR_ARRAY_IDX(records, id, record_t *) : NULL;
    apr_uint64_t version = record ? sl_section_version(record->what.news, id) : 0;
    sl_trust_t *trust;
    int failed;

    if (!version)
        return NULL;
    if (slots[id]) {
        trust = sl_trust_slot_get(slots[id], version, sl_world_real(), make_newest, record, &failed);
    }
    else { /* there was no memory for a slot: each connection makes its own, which is slow but right */
        trust = read_board(record);
        failed = !trust;
    }
    if (failed)
        tell_of_failure(record);
    return trust;
}

static void child_init(apr_pool_t *pool, server_rec *s)
{
    int count = records ? records->nelts : 0;

    child_server = s;
    slots = count ? apr_pcalloc(pool, sizeof(sl_trust_slot_t *) * (apr_size_t)count) : NULL;
    for (int i = 0; i < count; i++) {
        const record_t *record = APR_ARRAY_IDX(records, i, record_t *);

        slots[i] = sl_trust_slot_new(record->what.news && sl_section_version(record->what.news, i) > 0);
    }
}

void sl_trusts_register(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
}
