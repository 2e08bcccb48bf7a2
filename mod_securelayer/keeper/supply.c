/* Identities by number.  Filled by httpd/identities from what httpd/collect_vhosts loaded; asked by connections through
 * the host's table, and by whoever looks at a certificate. A child keeps those it used last in a ready_cache. */
#include "keeper/supply.h"

#include "identity/blob.h"
#include "keeper/ready_cache.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <string.h>

struct sl_supply_t {
    apr_array_header_t *starts; /* of const sl_stored_t *: what the parent put in; NULL: it comes later */
    apr_hash_t *by_stored;      /* sl_stored_t * -> sl_identity_ref_t; gone once it is settled */
    apr_hash_t *by_leaf;        /* digest of the leaf -> sl_identity_ref_t of the first one; likewise */
    apr_pool_t *index_pool;
    const sl_section_t *news;
    sl_ready_cache_t *ready; /* NULL: none */
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

sl_identity_ref_t sl_supply_await(sl_supply_t *supply)
{
    sl_identity_ref_t ref;

    ref.id = ref.twin = supply->starts->nelts;
    APR_ARRAY_PUSH(supply->starts, const sl_stored_t *) = NULL;
    return ref;
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
    apr_size_t length;
    unsigned char *bytes = sl_section_copy(supply->news, id, &length, version);
    sl_identity_t *identity = bytes ? sl_blob_decode(bytes, length, want) : NULL;

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

/* ---- in a child ---- */

void sl_supply_start(sl_supply_t *supply, apr_pool_t *child_pool, int most)
{
    int all = supply->starts->nelts;

    supply->ready = sl_ready_cache_make(child_pool, most < all ? most : all);
    atomic_store(supply->made, 0);
    atomic_store(supply->found, 0);
}

void sl_supply_stop(sl_supply_t *supply)
{
    sl_ready_cache_free(supply->ready);
    supply->ready = NULL;
}

apr_uint64_t sl_supply_version(const sl_supply_t *supply, int id)
{
    return supply->news ? sl_section_version(supply->news, id) : 0;
}

int sl_supply_is_vacant(const sl_supply_t *supply, int id)
{
    return !sl_supply_start_of(supply, id) && !sl_supply_version(supply, id);
}

sl_identity_t *sl_supply_get(sl_supply_t *supply, int id)
{
    apr_uint64_t version = sl_supply_version(supply, id);
    sl_identity_t *identity = sl_ready_cache_find(supply->ready, id, version, NULL);

    if (identity) {
        atomic_fetch_add_explicit(supply->found, 1, memory_order_relaxed);
        return identity;
    }
    identity = make(supply, id, &version, SL_BLOB_ALL);
    if (!identity)
        return NULL;
    atomic_fetch_add_explicit(supply->made, 1, memory_order_relaxed);
    sl_ready_cache_keep(supply->ready, id, version, NULL, identity);
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
