/* httpd's small object caches behind sl_store_t.  Called by sessions.c.
 *
 * Providers that say they are not safe for several processes (shmcb, dbm) are used under one mutex; the others (redis,
 * memcache) without.  The mutex lives as long as the server: children of the generation before still use it. */
#include "httpd/socache_store.h"

#include <ap_provider.h>
#include <http_main.h>
#include <util_mutex.h>

#include <apr_global_mutex.h>
#include <apr_strings.h>
#include <string.h>

struct sl_socache_t {
    const char *spec;
    const ap_socache_provider_t *provider;
    ap_socache_instance_t *instance;
    apr_global_mutex_t *mutex; /* NULL: none is needed */
    server_rec *server;
    sl_store_t store;
};

/* ---- the store ---- */

static apr_status_t lock(const sl_socache_t *cache)
{
    return cache->mutex ? apr_global_mutex_lock(cache->mutex) : APR_SUCCESS;
}

static void unlock(const sl_socache_t *cache)
{
    if (cache->mutex)
        apr_global_mutex_unlock(cache->mutex);
}

static apr_status_t put(void *baton, const unsigned char *key, apr_size_t key_length, const unsigned char *bytes,
                        apr_size_t length, apr_time_t expiry, apr_pool_t *scratch)
{
    sl_socache_t *cache = baton;
    apr_status_t rv = lock(cache);

    if (rv != APR_SUCCESS)
        return rv;
    rv = cache->provider->store(cache->instance, cache->server, key, (unsigned)key_length, expiry,
                                (unsigned char *)bytes, (unsigned)length, scratch);
    unlock(cache);
    return rv;
}

static apr_status_t get(void *baton, const unsigned char *key, apr_size_t key_length, unsigned char *bytes,
                        apr_size_t *length, apr_pool_t *scratch)
{
    sl_socache_t *cache = baton;
    unsigned most = (unsigned)*length, got = most;
    apr_status_t rv = lock(cache);

    *length = 0;
    if (rv != APR_SUCCESS)
        return rv;
    rv = cache->provider->retrieve(cache->instance, cache->server, key, (unsigned)key_length, bytes, &got, scratch);
    unlock(cache);
    if (rv == APR_SUCCESS)
        *length = got < most ? got : most;
    return rv;
}

static apr_status_t take_out(void *baton, const unsigned char *key, apr_size_t key_length, apr_pool_t *scratch)
{
    sl_socache_t *cache = baton;
    apr_status_t rv = lock(cache);

    if (rv != APR_SUCCESS)
        return rv;
    rv = cache->provider->remove(cache->instance, cache->server, key, (unsigned)key_length, scratch);
    unlock(cache);
    return rv;
}

/* ---- its life ---- */

static const char *known_names(apr_pool_t *pool)
{
    apr_array_header_t *providers =
        ap_list_provider_names(pool, AP_SOCACHE_PROVIDER_GROUP, AP_SOCACHE_PROVIDER_VERSION);
    const char *names = NULL;

    for (int i = 0; i < providers->nelts; i++) {
        const char *name = APR_ARRAY_IDX(providers, i, ap_list_provider_names_t).provider_name;

        names = names ? apr_pstrcat(pool, names, ", ", name, NULL) : name;
    }
    return names ? names : "none";
}

apr_status_t sl_socache_make(sl_socache_t **made, const char *spec, apr_pool_t *pool, apr_pool_t *scratch,
                             sl_problem_t *why)
{
    static const sl_store_t store = {put, get, take_out, NULL};
    const char *colon = strchr(spec, ':'), *said;
    const char *name = colon ? apr_pstrmemdup(pool, spec, (apr_size_t)(colon - spec)) : spec;
    sl_socache_t *cache = apr_pcalloc(pool, sizeof(*cache));

    *made = NULL;
    cache->spec = apr_pstrdup(pool, spec);
    cache->store = store;
    cache->store.baton = cache;
    cache->provider = ap_lookup_provider(AP_SOCACHE_PROVIDER_GROUP, name, AP_SOCACHE_PROVIDER_VERSION);
    if (!cache->provider) {
        sl_problem_set(why, APR_EINVAL, NULL, "'%s' is no cache provider that is loaded (known names: %s)", name,
                       known_names(scratch));
        sl_problem_advise(why, "Maybe mod_socache_%s has to be loaded", name);
        return APR_EINVAL;
    }
    said = cache->provider->create(&cache->instance, colon ? colon + 1 : NULL, scratch, pool);
    if (said)
        return sl_problem_set(why, APR_EINVAL, NULL, "%s", said);
    *made = cache;
    return APR_SUCCESS;
}

static apr_status_t find_mutex(sl_socache_t *cache, const char *type, server_rec *s, sl_problem_t *why)
{
    const char *key = apr_pstrcat(s->process->pconf, "securelayer mutex ", type, NULL);
    void *known = NULL;
    char text[120];
    apr_status_t rv;

    apr_pool_userdata_get(&known, key, ap_pglobal);
    if (!known) {
        rv = ap_global_mutex_create(&cache->mutex, NULL, type, NULL, s, ap_pglobal, 0);
        if (rv != APR_SUCCESS)
            return sl_problem_set(why, rv, cache->spec, "the mutex '%s' can't be made: %s", type,
                                  apr_strerror(rv, text, sizeof(text)));
        known = cache->mutex;
        apr_pool_userdata_set(known, key, apr_pool_cleanup_null, ap_pglobal);
    }
    cache->mutex = known;
    return APR_SUCCESS;
}

static apr_status_t end(void *baton)
{
    sl_socache_t *cache = baton;

    cache->provider->destroy(cache->instance, cache->server);
    return APR_SUCCESS;
}

apr_status_t sl_socache_start(sl_socache_t *cache, const sl_socache_use_t *use, server_rec *s, apr_pool_t *pool,
                              sl_problem_t *why)
{
    apr_status_t rv = APR_SUCCESS;
    char text[120];

    cache->server = s;
    if (cache->provider->flags & AP_SOCACHE_FLAG_NOTMPSAFE)
        rv = find_mutex(cache, use->mutex, s, why);
    if (rv != APR_SUCCESS)
        return rv;
    rv = cache->provider->init(cache->instance, use->name, &use->hints, s, pool);
    if (rv != APR_SUCCESS)
        return sl_problem_set(why, rv, cache->spec, "the cache can't be set up: %s",
                              apr_strerror(rv, text, sizeof(text)));
    apr_pool_cleanup_register(pool, cache, end, apr_pool_cleanup_null);
    return APR_SUCCESS;
}

apr_status_t sl_socache_child(sl_socache_t *cache, apr_pool_t *pool, sl_problem_t *why)
{
    apr_status_t rv;
    char text[120];

    if (!cache->mutex)
        return APR_SUCCESS;
    rv = apr_global_mutex_child_init(&cache->mutex, apr_global_mutex_lockfile(cache->mutex), pool);
    if (rv == APR_SUCCESS)
        return APR_SUCCESS;
    return sl_problem_set(why, rv, cache->spec, "the mutex can't be used: %s", apr_strerror(rv, text, sizeof(text)));
}

const sl_store_t *sl_socache_store(const sl_socache_t *cache)
{
    return &cache->store;
}

const char *sl_socache_spec(const sl_socache_t *cache)
{
    return cache->spec;
}

void sl_socache_status(sl_socache_t *cache, request_rec *r, int flags)
{
    if (lock(cache) != APR_SUCCESS)
        return;
    cache->provider->status(cache->instance, r, flags);
    unlock(cache);
}
