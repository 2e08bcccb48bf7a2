/* Identities by number.  Filled by httpd/identities from what httpd/collect_vhosts loaded; asked by connections through
 * the host's table, and by whoever looks at a certificate.
 *
 * The identities of a child that were used last stand in a list, the latest first, and in a table by number. The lock
 * is held for a look into the table only: identities are made outside of it, perhaps twice at the same moment. */
#include "keeper/supply.h"

#include "identity/blob.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

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
    apr_array_header_t *starts; /* of const sl_stored_t *: what the parent put in */
    apr_hash_t *by_stored;      /* sl_stored_t * -> sl_identity_ref_t; gone once it is settled */
    apr_hash_t *by_leaf;        /* digest of the leaf -> sl_identity_ref_t of the first one; likewise */
    apr_pool_t *index_pool;
    const sl_section_t *news;
    cache_t *cache; /* NULL: none */
    _Atomic apr_uint64_t own_made, own_found;
    _Atomic apr_uint64_t *made, *found; /* where it is counted */
};

/* ---- in the parent ---- */

sl_supply_t *sl_supply_make(apr_pool_t *pool)
{
    sl_supply_t *supply = apr_pcalloc(pool, sizeof(*supply));

    supply->made = &supply->own_made;
    supply->found = &supply->own_found;
    supply->starts = apr_array_make(pool, 16, sizeof(const sl_stored_t *));
    apr_pool_create(&supply->index_pool, pool);
    supply->by_stored = apr_hash_make(supply->index_pool);
    supply->by_leaf = apr_hash_make(supply->index_pool);
    return supply;
}

sl_identity_ref_t sl_supply_add(sl_supply_t *supply, const sl_stored_t *stored)
{
    const sl_identity_ref_t *known = apr_hash_get(supply->by_stored, &stored, sizeof(stored)), *twin;
    const sl_stored_t **kept;
    sl_identity_ref_t *ref;

    if (known)
        return *known;
    kept = apr_array_push(supply->starts);
    *kept = stored;
    ref = apr_palloc(supply->index_pool, sizeof(*ref));
    ref->id = ref->twin = supply->starts->nelts - 1;
    twin = apr_hash_get(supply->by_leaf, stored->digest, sizeof(stored->digest));
    if (twin)
        ref->twin = twin->id;
    else
        apr_hash_set(supply->by_leaf, stored->digest, sizeof(stored->digest), ref);
    apr_hash_set(supply->by_stored, apr_pmemdup(supply->index_pool, &stored, sizeof(stored)), sizeof(stored), ref);
    return *ref;
}

int sl_supply_count(const sl_supply_t *supply)
{
    return supply->starts->nelts;
}

const sl_stored_t *sl_supply_start_of(const sl_supply_t *supply, int id)
{
    return id >= 0 && id < supply->starts->nelts ? APR_ARRAY_IDX(supply->starts, id, const sl_stored_t *) : NULL;
}

int sl_supply_is_on_token(const sl_supply_t *supply, int id)
{
    const sl_stored_t *start = sl_supply_start_of(supply, id);

    return start && start->identity;
}

void sl_supply_settle(sl_supply_t *supply, const sl_section_t *news)
{
    supply->news = news;
    supply->by_stored = supply->by_leaf = NULL;
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
    const sl_stored_t *start = sl_supply_start_of(supply, id);
    sl_identity_t *identity = *version ? from_board(supply, id, version, want) : NULL;

    if (identity || !start)
        return identity;
    *version = 0;
    return sl_stored_get(start, want);
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
