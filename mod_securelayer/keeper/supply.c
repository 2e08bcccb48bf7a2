/* Identities by number.  Filled by httpd/identities from what httpd/collect_vhosts loaded; asked by connections through
 * the host's table, and by whoever looks at a certificate.
 *
 * The identities of a child that were used last stand in a list, the latest first, and in a table by number. The lock
 * is held for a look into the table only: identities are made outside of it, perhaps twice at the same moment. */
#include "keeper/supply.h"

#include "base/vault.h"
#include "identity/blob.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* What the parent put in. */
typedef struct start_t {
    const unsigned char *bytes; /* in the vault; NULL: on a token */
    apr_size_t length;
    sl_identity_t *identity; /* until it is settled; for good if there are no bytes */
} start_t;

typedef struct ready_t {
    struct ready_t *next;           /* in its row of the table, or among the free ones */
    struct ready_t *earlier, *later; /* by their last use */
    int id;
    apr_uint64_t version;
    sl_identity_t *identity;
} ready_t;

typedef struct cache_t {
    apr_thread_mutex_t *lock;
    unsigned rows; /* a power of two */
    ready_t **table;
    ready_t *all, *unused;
    ready_t *latest, *earliest;
} cache_t;

/* A child that ends does so with its cache as it is, perhaps in the midst of its use. Who looks for leaks finds it. */
static cache_t *volatile left;

struct sl_supply_t {
    apr_pool_t *pool;
    sl_vault_t *vault;
    apr_array_header_t *starts; /* of start_t */
    apr_hash_t *by_identity;    /* sl_identity_t * -> sl_identity_ref_t; gone once it is settled */
    apr_hash_t *by_leaf;        /* SHA-256 of the leaf -> the first id; likewise */
    apr_pool_t *index_pool;
    const sl_section_t *news;
    cache_t *cache; /* NULL: none */
    _Atomic apr_uint64_t own_made, own_found;
    _Atomic apr_uint64_t *made, *found; /* where it is counted */
};

/* ---- in the parent ---- */

static apr_status_t release_all(void *baton)
{
    sl_supply_t *supply = baton;

    for (int i = 0; i < supply->starts->nelts; i++)
        sl_identity_release(APR_ARRAY_IDX(supply->starts, i, start_t).identity);
    supply->starts->nelts = 0;
    return APR_SUCCESS;
}

sl_supply_t *sl_supply_make(apr_pool_t *pool)
{
    sl_supply_t *supply = apr_pcalloc(pool, sizeof(*supply));

    supply->pool = pool;
    supply->made = &supply->own_made;
    supply->found = &supply->own_found;
    supply->vault = sl_vault_make(pool);
    supply->starts = apr_array_make(pool, 16, sizeof(start_t));
    apr_pool_create(&supply->index_pool, pool);
    supply->by_identity = apr_hash_make(supply->index_pool);
    supply->by_leaf = apr_hash_make(supply->index_pool);
    apr_pool_cleanup_register(pool, supply, release_all, apr_pool_cleanup_null);
    return supply;
}

static int twin_of(sl_supply_t *supply, const sl_identity_t *identity, int id)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    unsigned length = sizeof(digest);
    int *first;

    if (X509_digest(identity->leaf, EVP_sha256(), digest, &length) != 1)
        return id;
    first = apr_hash_get(supply->by_leaf, digest, sizeof(digest));
    if (first)
        return *first;
    first = apr_pmemdup(supply->index_pool, &id, sizeof(id));
    apr_hash_set(supply->by_leaf, apr_pmemdup(supply->index_pool, digest, sizeof(digest)), sizeof(digest), first);
    return id;
}

static apr_status_t keep_bytes(sl_supply_t *supply, start_t *start, sl_problem_t *why)
{
    apr_size_t length;
    unsigned char *bytes = sl_blob_encode(start->identity, &length, why);

    if (!bytes)
        return why && why->status != APR_SUCCESS ? why->status : APR_EGENERAL;
    start->bytes = sl_vault_keep(supply->vault, bytes, length);
    start->length = length;
    OPENSSL_clear_free(bytes, length);
    return start->bytes ? APR_SUCCESS : sl_problem_set(why, APR_ENOMEM, start->identity->origin, "memory ended");
}

apr_status_t sl_supply_add(sl_supply_t *supply, sl_identity_t *identity, int on_token, sl_identity_ref_t *ref,
                           sl_problem_t *why)
{
    const sl_identity_ref_t *known = apr_hash_get(supply->by_identity, &identity, sizeof(identity));
    start_t start = {NULL, 0, identity};
    apr_status_t rv = APR_SUCCESS;

    if (known) {
        *ref = *known;
        return APR_SUCCESS;
    }
    if (!on_token)
        rv = keep_bytes(supply, &start, why);
    if (rv != APR_SUCCESS)
        return rv;
    sl_identity_retain(identity);
    ref->id = supply->starts->nelts;
    ref->twin = twin_of(supply, identity, ref->id);
    APR_ARRAY_PUSH(supply->starts, start_t) = start;
    apr_hash_set(supply->by_identity, apr_pmemdup(supply->index_pool, &identity, sizeof(identity)), sizeof(identity),
                 apr_pmemdup(supply->index_pool, ref, sizeof(*ref)));
    return APR_SUCCESS;
}

int sl_supply_count(const sl_supply_t *supply)
{
    return supply->starts->nelts;
}

static start_t *nth(const sl_supply_t *supply, int id)
{
    return id >= 0 && id < supply->starts->nelts ? &APR_ARRAY_IDX(supply->starts, id, start_t) : NULL;
}

int sl_supply_is_on_token(const sl_supply_t *supply, int id)
{
    const start_t *start = nth(supply, id);

    return start && !start->bytes;
}

void sl_supply_settle(sl_supply_t *supply, const sl_section_t *news)
{
    supply->news = news;
    for (int i = 0; i < supply->starts->nelts; i++) {
        start_t *start = nth(supply, i);

        if (start->bytes) {
            sl_identity_release(start->identity);
            start->identity = NULL;
        }
    }
    supply->by_identity = supply->by_leaf = NULL;
    apr_pool_destroy(supply->index_pool);
}

/* ---- from bytes ---- */

static sl_identity_t *from_board(const sl_supply_t *supply, int id, apr_uint64_t *version, sl_blob_want_t want)
{
    unsigned char *bytes = OPENSSL_malloc(SL_IDENTITY_SIZE_MAX);
    apr_size_t length = bytes ? sl_section_read(supply->news, id, bytes, SL_IDENTITY_SIZE_MAX, version) : 0;
    sl_identity_t *identity = length ? sl_blob_decode(bytes, length, want) : NULL;

    OPENSSL_clear_free(bytes, length);
    return identity;
}

/* *version becomes that of what is returned. */
static sl_identity_t *make(const sl_supply_t *supply, int id, apr_uint64_t *version, sl_blob_want_t want)
{
    const start_t *start = nth(supply, id);
    sl_identity_t *identity = *version ? from_board(supply, id, version, want) : NULL;

    if (identity || !start)
        return identity;
    *version = 0;
    if (!start->identity)
        return sl_blob_decode(start->bytes, start->length, want);
    sl_identity_retain(start->identity);
    return start->identity;
}

/* ---- those that are ready ---- */

static ready_t **row_of(const cache_t *cache, int id)
{
    return &cache->table[((unsigned)id * 2654435761u >> 7) & (cache->rows - 1)];
}

static ready_t *find(const cache_t *cache, int id)
{
    ready_t *ready = *row_of(cache, id);

    while (ready && ready->id != id)
        ready = ready->next;
    return ready;
}

static void take_out_of_order(cache_t *cache, ready_t *ready)
{
    *(ready->later ? &ready->later->earlier : &cache->latest) = ready->earlier;
    *(ready->earlier ? &ready->earlier->later : &cache->earliest) = ready->later;
}

static void put_first(cache_t *cache, ready_t *ready)
{
    ready->later = NULL;
    ready->earlier = cache->latest;
    *(cache->latest ? &cache->latest->later : &cache->earliest) = ready;
    cache->latest = ready;
}

static sl_identity_t *find_ready(cache_t *cache, int id, apr_uint64_t version)
{
    sl_identity_t *identity = NULL;
    ready_t *ready;

    apr_thread_mutex_lock(cache->lock);
    ready = find(cache, id);
    if (ready && ready->version == version) {
        identity = ready->identity;
        sl_identity_retain(identity);
        if (cache->latest != ready) {
            take_out_of_order(cache, ready);
            put_first(cache, ready);
        }
    }
    apr_thread_mutex_unlock(cache->lock);
    return identity;
}

/* A place for one more: an unused one, else that of the identity that was not asked for the longest. */
static ready_t *find_place(cache_t *cache)
{
    ready_t *ready = cache->unused, **at;

    if (ready) {
        cache->unused = ready->next;
        return ready;
    }
    ready = cache->earliest;
    take_out_of_order(cache, ready);
    for (at = row_of(cache, ready->id); *at != ready; at = &(*at)->next)
        continue;
    *at = ready->next;
    return ready;
}

static void keep_ready(cache_t *cache, int id, apr_uint64_t version, sl_identity_t *identity)
{
    sl_identity_t *old;
    ready_t *ready;

    sl_identity_retain(identity);
    apr_thread_mutex_lock(cache->lock);
    ready = find(cache, id);
    if (ready) {
        take_out_of_order(cache, ready);
    }
    else {
        ready = find_place(cache);
        ready->next = *row_of(cache, id);
        *row_of(cache, id) = ready;
    }
    old = ready->identity;
    ready->id = id;
    ready->version = version;
    ready->identity = identity;
    put_first(cache, ready);
    apr_thread_mutex_unlock(cache->lock);
    sl_identity_release(old);
}

static void free_cache(cache_t *cache)
{
    free(cache->table);
    free(cache->all);
    free(cache);
}

static cache_t *make_cache(apr_pool_t *child_pool, int most)
{
    cache_t *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return NULL;
    for (cache->rows = 1; cache->rows < (unsigned)most; cache->rows *= 2)
        continue;
    cache->table = calloc(cache->rows, sizeof(ready_t *));
    cache->all = calloc((size_t)most, sizeof(ready_t));
    if (!cache->table || !cache->all ||
        apr_thread_mutex_create(&cache->lock, APR_THREAD_MUTEX_DEFAULT, child_pool) != APR_SUCCESS) {
        free_cache(cache);
        return NULL;
    }
    for (int i = most - 1; i >= 0; i--) {
        cache->all[i].next = cache->unused;
        cache->unused = &cache->all[i];
    }
    return cache;
}

void sl_supply_start(sl_supply_t *supply, apr_pool_t *child_pool, int most)
{
    if (most > supply->starts->nelts)
        most = supply->starts->nelts;
    supply->cache = most > 0 ? make_cache(child_pool, most) : NULL;
    atomic_store(supply->made, 0);
    atomic_store(supply->found, 0);
    left = supply->cache;
}

void sl_supply_stop(sl_supply_t *supply)
{
    for (ready_t *ready = supply->cache ? supply->cache->latest : NULL; ready; ready = ready->earlier)
        sl_identity_release(ready->identity);
    if (supply->cache)
        free_cache(supply->cache);
    supply->cache = left = NULL;
}

apr_uint64_t sl_supply_version(const sl_supply_t *supply, int id)
{
    return supply->news ? sl_section_version(supply->news, id) : 0;
}

sl_identity_t *sl_supply_get(sl_supply_t *supply, int id)
{
    apr_uint64_t version = sl_supply_version(supply, id);
    cache_t *cache = supply->cache;
    sl_identity_t *identity = cache ? find_ready(cache, id, version) : NULL;

    if (identity) {
        atomic_fetch_add_explicit(supply->found, 1, memory_order_relaxed);
        return identity;
    }
    identity = make(supply, id, &version, SL_BLOB_ALL);
    if (identity)
        atomic_fetch_add_explicit(supply->made, 1, memory_order_relaxed);
    if (identity && cache)
        keep_ready(cache, id, version, identity);
    return identity;
}

void sl_supply_counts(sl_supply_t *supply, apr_uint64_t *made, apr_uint64_t *found)
{
    *made = atomic_load_explicit(supply->made, memory_order_relaxed);
    *found = atomic_load_explicit(supply->found, memory_order_relaxed);
}

void sl_supply_count_at(sl_supply_t *supply, _Atomic apr_uint64_t *made, _Atomic apr_uint64_t *found)
{
    supply->made = made;
    supply->found = found;
}

sl_identity_t *sl_supply_look(const sl_supply_t *supply, int id)
{
    apr_uint64_t version = sl_supply_version(supply, id);

    return make(supply, id, &version, SL_BLOB_CERTIFICATES);
}
