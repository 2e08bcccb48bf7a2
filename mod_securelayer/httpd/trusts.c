/* The newest trust of each profile that has CAs.  Items of the keeper's reloading are made here in the parent; a child
 * keeps what it made of the newest bytes, one for each. */
#include "httpd/trusts.h"

#include <http_config.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "httpd/keeper_hooks.h"
#include "httpd/module_config.h"
#include "httpd/reload.h"
#include "identity/trust_blob.h"
#include "keeper/reload_trust.h"

/* One for each profile with CAs. */
typedef struct newest_t {
    sl_trust_t *trust; /* NULL: none is newer than the start's */
    apr_uint64_t version;
} newest_t;

static apr_array_header_t *records; /* of sl_reload_trust_t *; NULL: none */
static apr_thread_mutex_t *lock;    /* of the child */
static newest_t *newest;            /* of the child, one for each record; never freed */

static apr_status_t forget(void *unused)
{
    (void)unused;
    records = NULL;
    return APR_SUCCESS;
}

static void add_path(sl_reload_item_t *item, const char *path)
{
    int i = 0;

    while (item->paths[i])
        i++;
    if (path)
        item->paths[i] = path;
}

static sl_reload_trust_t *make_record(apr_pool_t *pool, const sl_vhost_t *vhost)
{
    sl_reload_trust_t *record = apr_pcalloc(pool, sizeof(*record));

    unsigned char *bytes;
    apr_size_t length;

    sl_profile_trust_source(&record->source, vhost->settings);
    bytes = sl_trust_encode(vhost->profile->trust, &length);
    if (bytes)
        (void)EVP_Digest(bytes, length, record->digest, NULL, EVP_sha256(), NULL);
    OPENSSL_free(bytes);
    record->id = records->nelts;
    APR_ARRAY_PUSH(records, sl_reload_trust_t *) = record;
    return record;
}

static void reload(apr_pool_t *pool, sl_reload_trust_t *record, sl_section_t *news)
{
    const sl_trust_source_t *source = &record->source;
    sl_reload_item_t *item = sl_reload_add(pool);

    record->news = news;
    add_path(item, source->ca_file);
    add_path(item, source->ca_path);
    add_path(item, source->names_file);
    add_path(item, source->names_path);
    add_path(item, source->crl_file);
    add_path(item, source->crl_path);
    item->name = apr_pstrcat(pool, "what client certificates are checked against (", item->paths[0],
                             item->paths[1] ? ", ..." : "", ")", NULL);
    item->load = sl_reload_trust; /* once in any case: the files may have changed since they were read */
    item->baton = record;
}

static void number_all(apr_pool_t *pool, server_rec *main_server)
{
    apr_hash_t *known = apr_hash_make(pool); /* profile -> record */

    for (server_rec *s = main_server; s; s = s->next) {
        sl_vhost_t *vhost = sl_config_of_server(s)->vhost;
        sl_reload_trust_t *record;

        if (!vhost || !vhost->profile->trust || !vhost->profile->trust->store)
            continue;
        record = apr_hash_get(known, &vhost->profile, sizeof(vhost->profile));
        if (!record) {
            record = make_record(pool, vhost);
            apr_hash_set(known, &vhost->profile, sizeof(vhost->profile), record);
        }
        vhost->trust_id = record->id;
    }
}

apr_status_t sl_trusts_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
{
    sl_section_t **news = &sl_keeper_hooks_board()->trusts;
    apr_status_t rv;

    records = apr_array_make(pool, 4, sizeof(sl_reload_trust_t *));
    apr_pool_cleanup_register(pool, NULL, forget, apr_pool_cleanup_null);
    if (!sl_reload_is_on(main_server))
        return APR_SUCCESS;
    number_all(pool, main_server);
    if (!records->nelts)
        return APR_SUCCESS;
    rv = sl_section_make_large(news, pool, records->nelts, SL_TRUST_SIZE_MAX, 262144, why);
    for (int i = 0; rv == APR_SUCCESS && i < records->nelts; i++)
        reload(pool, APR_ARRAY_IDX(records, i, sl_reload_trust_t *), *news);
    return rv;
}

/* ---- in a child ---- */

static sl_trust_t *read_board(const sl_reload_trust_t *record, apr_uint64_t *version)
{
    unsigned char *bytes = OPENSSL_malloc(SL_TRUST_SIZE_MAX);
    apr_size_t length = bytes ? sl_section_read(record->news, record->id, bytes, SL_TRUST_SIZE_MAX, version) : 0;
    sl_trust_t *trust = length ? sl_trust_decode(bytes, length, &record->source) : NULL;

    OPENSSL_free(bytes);
    return trust;
}

static void refresh(const sl_reload_trust_t *record, newest_t *now, apr_uint64_t version)
{
    sl_trust_t *fresh = read_board(record, &version);

    if (!fresh) /* no memory: the next connection tries again */
        return;
    sl_trust_release(now->trust);
    now->trust = fresh;
    now->version = version;
}

sl_trust_t *sl_trusts_get(const sl_vhost_t *vhost)
{
    const sl_reload_trust_t *record =
        vhost->trust_id >= 0 && lock ? APR_ARRAY_IDX(records, vhost->trust_id, sl_reload_trust_t *) : NULL;
    apr_uint64_t version = record ? sl_section_version(record->news, record->id) : 0;
    sl_trust_t *trust;

    if (!version)
        return NULL;
    apr_thread_mutex_lock(lock);
    if (newest[record->id].version != version)
        refresh(record, &newest[record->id], version);
    trust = newest[record->id].trust;
    if (trust)
        sl_trust_retain(trust);
    apr_thread_mutex_unlock(lock);
    return trust;
}

static void child_init(apr_pool_t *pool, server_rec *s)
{
    (void)s;
    lock = NULL;
    newest = records && records->nelts ? calloc((size_t)records->nelts, sizeof(*newest)) : NULL;
    if (newest && apr_thread_mutex_create(&lock, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS)
        lock = NULL;
}

void sl_trusts_register(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
}
