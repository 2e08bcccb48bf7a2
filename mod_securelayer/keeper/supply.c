/* Identities by number.  Filled by httpd/identities from what httpd/collect_vhosts loaded; asked by connections through
 * the host's table, and by whoever looks at a certificate. A child keeps those it used last in a ready_cache. */
#include "keeper/supply.h"

#include "identity/blob.h"
#include "keeper/ready_cache.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define SEEN 64 /* certificates of which a digest is remembered */

/* The digest of a leaf that came after the start; version 0: none. */
typedef struct seen_t {
    int id;
    apr_uint64_t version;
    unsigned char digest[SL_STORED_DIGEST];
} seen_t;

struct sl_supply_t {
    apr_array_header_t *starts; /* of const sl_stored_t *: what the parent put in; NULL: it comes later */
    apr_hash_t *by_stored;      /* sl_stored_t * -> sl_identity_ref_t; gone once it is settled */
    apr_pool_t *index_pool;
    const sl_section_t *news;
    sl_ready_cache_t *ready; /* NULL: none */
    pthread_mutex_t lock;    /* of `seen` */
    int has_lock;
    seen_t seen[SEEN];
    _Atomic apr_uint64_t own_made, own_found;
    _Atomic apr_uint64_t *made, *found; /* where it is counted */
};

/* ---- in the parent ---- */

sl_supply_t *sl_supply_make(apr_pool_t *pool)
{
    sl_supply_t *supply = apr_pcalloc(pool, sizeof(*supply));

    supply->has_lock = pthread_mutex_init(&supply->lock, NULL) == 0;
    supply->made = &supply->own_made;
    supply->found = &supply->own_found;
    supply->starts = apr_array_make(pool, 16, sizeof(const sl_stored_t *));
    apr_pool_create(&supply->index_pool, pool);
    supply->by_stored = apr_hash_make(supply->index_pool);
    return supply;
}

sl_identity_ref_t sl_supply_add(sl_supply_t *supply, const sl_stored_t *stored)
{
    const sl_identity_ref_t *known = apr_hash_get(supply->by_stored, &stored, sizeof(stored));
    const sl_stored_t **kept;
    sl_identity_ref_t *ref;

    if (known)
        return *known;
    kept = apr_array_push(supply->starts);
    *kept = stored;
    ref = apr_palloc(supply->index_pool, sizeof(*ref));
    ref->id = supply->starts->nelts - 1;
    apr_hash_set(supply->by_stored, apr_pmemdup(supply->index_pool, &stored, sizeof(stored)), sizeof(stored), ref);
    return *ref;
}

sl_identity_ref_t sl_supply_await(sl_supply_t *supply)
{
    sl_identity_ref_t ref;

    ref.id = supply->starts->nelts;
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
    supply->by_stored = NULL;
    apr_pool_destroy(supply->index_pool);
}

/* ---- from bytes ---- */

sl_identity_t *sl_supply_newer(const sl_section_t *news, int id, sl_blob_want_t want, apr_uint64_t *version)
{
    apr_size_t length;
    unsigned char *bytes = sl_section_copy(news, id, &length, version);
    sl_identity_t *identity = bytes ? sl_blob_decode(bytes, length, want) : NULL;

    OPENSSL_clear_free(bytes, length);
    return identity;
}

/* *version becomes that of what is returned. */
static sl_identity_t *make(const sl_supply_t *supply, int id, apr_uint64_t *version, sl_blob_want_t want)
{
    const sl_stored_t *start = sl_supply_start_of(supply, id);
    sl_identity_t *identity = *version ? sl_supply_newer(supply->news, id, want, version) : NULL;

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

/* ---- which certificate it is ---- */

static int recall(sl_supply_t *supply, int id, apr_uint64_t version, unsigned char *digest)
{
    const seen_t *at = &supply->seen[(unsigned)id % SEEN];
    int is_known;

    if (!supply->has_lock)
        return 0;
    pthread_mutex_lock(&supply->lock);
    is_known = at->version == version && at->id == id;
    if (is_known)
        memcpy(digest, at->digest, sizeof(at->digest));
    pthread_mutex_unlock(&supply->lock);
    return is_known;
}

static void remember(sl_supply_t *supply, int id, apr_uint64_t version, const unsigned char *digest)
{
    seen_t *at = &supply->seen[(unsigned)id % SEEN];

    if (!supply->has_lock)
        return;
    pthread_mutex_lock(&supply->lock);
    at->id = id;
    at->version = version;
    memcpy(at->digest, digest, sizeof(at->digest));
    pthread_mutex_unlock(&supply->lock);
}

static int digest_of_newer(sl_supply_t *supply, int id, apr_uint64_t version, unsigned char *digest)
{
    sl_identity_t *identity;
    int ok;

    if (recall(supply, id, version, digest))
        return 1;
    identity = make(supply, id, &version, SL_BLOB_CERTIFICATES);
    ok = identity && X509_digest(identity->leaf, EVP_sha256(), digest, NULL) == 1;
    sl_identity_release(identity);
    if (ok && version)
        remember(supply, id, version, digest);
    return ok;
}

/* 0: it is not known. */
static int digest_of(sl_supply_t *supply, int id, unsigned char *digest)
{
    apr_uint64_t version = sl_supply_version(supply, id);
    const sl_stored_t *start = sl_supply_start_of(supply, id);

    if (version)
        return digest_of_newer(supply, id, version, digest);
    if (start)
        memcpy(digest, start->digest, SL_STORED_DIGEST);
    return start != NULL;
}

int sl_supply_is_same(sl_supply_t *supply, int a, int b)
{
    unsigned char of_a[SL_STORED_DIGEST], of_b[SL_STORED_DIGEST];

    return a == b || (digest_of(supply, a, of_a) && digest_of(supply, b, of_b) && !memcmp(of_a, of_b, sizeof(of_a)));
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
