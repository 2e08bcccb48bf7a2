/* A list in the order of their last use and a table by number.  Used by keeper/supply and keeper/directory.
 *
 * The lock is held for a look into the table only: identities are made outside of it, perhaps twice at the same
 * moment. */
#include "keeper/ready_cache.h"

#include <apr_thread_mutex.h>
#include <stdlib.h>
#include <string.h>

typedef struct ready_t {
    struct ready_t *next;            /* in its row of the table, or among the free ones */
    struct ready_t *earlier, *later; /* by their last use */
    int number;
    apr_uint64_t version;
    char *name; /* NULL: none */
    sl_identity_t *identity;
} ready_t;

struct sl_ready_cache_t {
    sl_ready_cache_t *other; /* in the list of those that were not freed */
    apr_thread_mutex_t *lock;
    unsigned rows; /* a power of two */
    ready_t **table;
    ready_t *all, *unused;
    ready_t *latest, *earliest;
};

/* A child that ends does so with its caches as they are, perhaps in the midst of their use. Who looks for leaks finds
 * them here. */
static sl_ready_cache_t *volatile left;

static ready_t **row_of(const sl_ready_cache_t *cache, int number)
{
    return &cache->table[((unsigned)number * 2654435761u >> 7) & (cache->rows - 1)];
}

static ready_t *find(const sl_ready_cache_t *cache, int number)
{
    ready_t *ready = *row_of(cache, number);

    while (ready && ready->number != number)
        ready = ready->next;
    return ready;
}

static void take_out_of_order(sl_ready_cache_t *cache, ready_t *ready)
{
    *(ready->later ? &ready->later->earlier : &cache->latest) = ready->earlier;
    *(ready->earlier ? &ready->earlier->later : &cache->earliest) = ready->later;
}

static void put_first(sl_ready_cache_t *cache, ready_t *ready)
{
    ready->later = NULL;
    ready->earlier = cache->latest;
    *(cache->latest ? &cache->latest->later : &cache->earliest) = ready;
    cache->latest = ready;
}

static int is_named(const ready_t *ready, const char *name)
{
    return name && ready->name ? !strcmp(ready->name, name) : !name && !ready->name;
}

sl_identity_t *sl_ready_cache_find(sl_ready_cache_t *cache, int number, apr_uint64_t version, const char *name)
{
    sl_identity_t *identity = NULL;
    ready_t *ready;

    if (!cache)
        return NULL;
    apr_thread_mutex_lock(cache->lock);
    ready = find(cache, number);
    if (ready && ready->version == version && is_named(ready, name)) {
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
static ready_t *find_place(sl_ready_cache_t *cache)
{
    ready_t *ready = cache->unused, **at;

    if (ready) {
        cache->unused = ready->next;
        return ready;
    }
    ready = cache->earliest;
    take_out_of_order(cache, ready);
    for (at = row_of(cache, ready->number); *at != ready; at = &(*at)->next)
        continue;
    *at = ready->next;
    return ready;
}

static ready_t *place_for(sl_ready_cache_t *cache, int number)
{
    ready_t *ready = find(cache, number);

    if (ready) {
        take_out_of_order(cache, ready);
        return ready;
    }
    ready = find_place(cache);
    ready->number = number;
    ready->next = *row_of(cache, number);
    *row_of(cache, number) = ready;
    return ready;
}

void sl_ready_cache_keep(sl_ready_cache_t *cache, int number, apr_uint64_t version, const char *name,
                         sl_identity_t *identity)
{
    char *copy = name ? strdup(name) : NULL, *old_name;
    sl_identity_t *old;
    ready_t *ready;

    if (!cache || (name && !copy)) {
        free(copy);
        return;
    }
    sl_identity_retain(identity);
    apr_thread_mutex_lock(cache->lock);
    ready = place_for(cache, number);
    old = ready->identity;
    old_name = ready->name;
    ready->version = version;
    ready->name = copy;
    ready->identity = identity;
    put_first(cache, ready);
    apr_thread_mutex_unlock(cache->lock);
    sl_identity_release(old);
    free(old_name);
}

static void free_memory(sl_ready_cache_t *cache)
{
    free(cache->table);
    free(cache->all);
    free(cache);
}

sl_ready_cache_t *sl_ready_cache_make(apr_pool_t *child_pool, int most)
{
    sl_ready_cache_t *cache = most > 0 ? calloc(1, sizeof(*cache)) : NULL;

    if (!cache)
        return NULL;
    for (cache->rows = 1; cache->rows < (unsigned)most; cache->rows *= 2)
        continue;
    cache->table = calloc(cache->rows, sizeof(ready_t *));
    cache->all = calloc((size_t)most, sizeof(ready_t));
    if (!cache->table || !cache->all ||
        apr_thread_mutex_create(&cache->lock, APR_THREAD_MUTEX_DEFAULT, child_pool) != APR_SUCCESS) {
        free_memory(cache);
        return NULL;
    }
    for (int i = most - 1; i >= 0; i--) {
        cache->all[i].next = cache->unused;
        cache->unused = &cache->all[i];
    }
    cache->other = left;
    left = cache;
    return cache;
}

void sl_ready_cache_free(sl_ready_cache_t *cache)
{
    if (!cache)
        return;
    for (ready_t *ready = cache->latest; ready; ready = ready->earlier) {
        sl_identity_release(ready->identity);
        free(ready->name);
    }
    if (left == cache) {
        left = cache->other;
    }
    else {
        for (sl_ready_cache_t *other = left; other; other = other->other)
            other->other = other->other == cache ? cache->other : other->other;
    }
    free_memory(cache);
}
