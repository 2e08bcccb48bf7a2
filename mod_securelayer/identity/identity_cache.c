/* The cache of loaded identities.  httpd/collect_vhosts keeps one in the process pool. */
#include "identity/identity_cache.h"

#include <apr_file_info.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

typedef struct sl_cached_t {
    struct sl_cached_t *next;
    char *stamp; /* malloc'ed: the source and what its files looked like */
    sl_identity_t *identity;
    int wanted;
} sl_cached_t;

#define BUCKETS 16384

struct sl_identity_cache_t {
    sl_cached_t *buckets[BUCKETS];
};

sl_identity_cache_t *sl_identity_cache_make(apr_pool_t *pool)
{
    return apr_pcalloc(pool, sizeof(sl_identity_cache_t));
}

static const char *stamp_file(const char *path, apr_pool_t *scratch)
{
    apr_finfo_t info;

    if (!path)
        return "-\n";
    memset(&info, 0, sizeof(info));
    apr_stat(&info, path, APR_FINFO_IDENT | APR_FINFO_SIZE | APR_FINFO_MTIME, scratch);
    return apr_psprintf(scratch, "%s %" APR_UINT64_T_FMT " %" APR_UINT64_T_FMT " %" APR_OFF_T_FMT " %" APR_TIME_T_FMT
                        "\n", path, (apr_uint64_t)info.device, (apr_uint64_t)info.inode, info.size, info.mtime);
}

static const char *stamp_source(const sl_source_t *source, apr_pool_t *scratch)
{
    return apr_pstrcat(scratch, source->first ? "first\n" : "", stamp_file(source->certificate, scratch),
                       stamp_file(source->key, scratch), stamp_file(source->chain, scratch), NULL);
}

static unsigned bucket_of(const char *stamp)
{
    apr_ssize_t length = APR_HASH_KEY_STRING;

    return apr_hashfunc_default(stamp, &length) % BUCKETS;
}

apr_status_t sl_identity_cache_load(sl_identity_cache_t *cache, sl_identity_t **identity, const sl_source_t *source,
                                    sl_pem_passphrase_t passphrase, void *baton, apr_pool_t *scratch,
                                    sl_problems_t *problems, sl_problem_t *why)
{
    const char *stamp = stamp_source(source, scratch);
    sl_cached_t **bucket = &cache->buckets[bucket_of(stamp)], *cached;
    apr_status_t rv;

    for (cached = *bucket; cached; cached = cached->next) {
        if (!strcmp(cached->stamp, stamp))
            break;
    }
    if (!cached) {
        rv = sl_loader_load(identity, source, passphrase, baton, scratch, problems, why);
        if (rv != APR_SUCCESS)
            return rv;
        cached = calloc(1, sizeof(*cached));
        if (!cached || !(cached->stamp = strdup(stamp)))
            abort();
        cached->identity = *identity;
        cached->next = *bucket;
        *bucket = cached;
    }
    cached->wanted = 1;
    *identity = cached->identity;
    sl_identity_retain(*identity);
    return APR_SUCCESS;
}

void sl_identity_cache_sweep(sl_identity_cache_t *cache)
{
    for (int i = 0; i < BUCKETS; i++) {
        sl_cached_t **at = &cache->buckets[i];

        while (*at) {
            sl_cached_t *cached = *at;

            if (cached->wanted) {
                cached->wanted = 0;
                at = &cached->next;
                continue;
            }
            *at = cached->next;
            sl_identity_release(cached->identity);
            free(cached->stamp);
            free(cached);
        }
    }
}
