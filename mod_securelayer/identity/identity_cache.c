/* The cache of loaded identities.  httpd/collect_vhosts keeps one in the process pool. */
#include "identity/identity_cache.h"

#include "crypto/key_uri.h"

#include <apr_file_info.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

/* What the loader warned of, told again whenever the identity is asked for. Texts are malloc'ed, as everything here. */
typedef struct sl_kept_warning_t {
    struct sl_kept_warning_t *next;
    char *log_id, *object, *reason, *advice;
    int is_of_key; /* it happened to the key's directive */
} sl_kept_warning_t;

typedef struct sl_cached_t {
    struct sl_cached_t *next;
    char *paths; /* of the source */
    char *stamp; /* what its files looked like */
    sl_identity_t *identity;
    sl_kept_warning_t *warnings;
    int wanted;
} sl_cached_t;

#define BUCKETS 16384

struct sl_identity_cache_t {
    sl_cached_t *buckets[BUCKETS]; /* by paths; the newest first */
    int read, known;               /* since the last sweep */
};

sl_identity_cache_t *sl_identity_cache_make(apr_pool_t *pool)
{
    return apr_pcalloc(pool, sizeof(sl_identity_cache_t));
}

static const char *stamp_file(const char *path, apr_pool_t *scratch)
{
    apr_finfo_t info;

    if (sl_key_uri_is(path)) /* what a token holds has no date */
        path = sl_key_uri_file(path);
    if (!path)
        return "-\n";
    memset(&info, 0, sizeof(info));
    apr_stat(&info, path, APR_FINFO_IDENT | APR_FINFO_SIZE | APR_FINFO_MTIME | APR_FINFO_CTIME, scratch);
    return apr_psprintf(scratch,
                        "%" APR_UINT64_T_FMT " %" APR_UINT64_T_FMT " %" APR_OFF_T_FMT " %" APR_TIME_T_FMT
                        " %" APR_TIME_T_FMT "\n",
                        (apr_uint64_t)info.device, (apr_uint64_t)info.inode, info.size, info.mtime, info.ctime);
}

static const char *stamp_of(const sl_source_t *source, apr_pool_t *scratch)
{
    return apr_pstrcat(scratch, stamp_file(source->certificate, scratch), stamp_file(source->key, scratch),
                       stamp_file(source->chain, scratch), NULL);
}

static const char *paths_of(const sl_source_t *source, apr_pool_t *scratch)
{
    return apr_psprintf(scratch, "%s\n%d%s\n%s\n%s\n%s", source->first ? "first" : "", source->key_number,
                        source->is_bundle ? " bundle" : "", source->certificate, source->key ? source->key : "",
                        source->chain ? source->chain : "");
}

static sl_cached_t **bucket_of(sl_identity_cache_t *cache, const char *paths)
{
    apr_ssize_t length = APR_HASH_KEY_STRING;

    return &cache->buckets[apr_hashfunc_default(paths, &length) % BUCKETS];
}

static char *keep_text(const char *text)
{
    char *copy = text ? strdup(text) : NULL;

    if (text && !copy)
        abort();
    return copy;
}

static void *keep_zeroed(size_t size)
{
    void *memory = calloc(1, size);

    if (!memory)
        abort();
    return memory;
}

static int is_of_key(const sl_source_t *source, const sl_origin_t *origin)
{
    return origin->directive && source->key_origin.directive &&
           !strcmp(origin->directive, source->key_origin.directive);
}

static sl_kept_warning_t *keep_warnings(const sl_source_t *source, const sl_problems_t *problems)
{
    sl_kept_warning_t *first = NULL, **end = &first;

    for (int i = 0; i < problems->all->nelts; i++) {
        const sl_problem_t *why = APR_ARRAY_IDX(problems->all, i, const sl_problem_t *);
        sl_kept_warning_t *kept = *end = keep_zeroed(sizeof(*kept));

        kept->log_id = keep_text(why->log_id);
        kept->object = keep_text(why->object);
        kept->reason = keep_text(why->reason);
        kept->advice = keep_text(why->advice);
        kept->is_of_key = is_of_key(source, &why->origin);
        end = &kept->next;
    }
    return first;
}

static void tell(const sl_cached_t *cached, const sl_source_t *source, sl_problems_t *problems)
{
    for (const sl_kept_warning_t *kept = cached->warnings; kept; kept = kept->next)
        sl_problems_add(problems, SL_PROBLEM_WARNING, kept->log_id ? apr_pstrdup(problems->pool, kept->log_id) : NULL,
                        kept->is_of_key ? &source->key_origin : &source->origin,
                        kept->object ? apr_pstrdup(problems->pool, kept->object) : NULL,
                        kept->advice ? apr_pstrdup(problems->pool, kept->advice) : NULL, "%s", kept->reason);
}

static void drop(sl_cached_t *cached)
{
    sl_kept_warning_t *next;

    for (sl_kept_warning_t *kept = cached->warnings; kept; kept = next) {
        next = kept->next;
        free(kept->log_id);
        free(kept->object);
        free(kept->reason);
        free(kept->advice);
        free(kept);
    }
    sl_identity_release(cached->identity);
    free(cached->paths);
    free(cached->stamp);
    free(cached);
}

/* `stamp` NULL: whatever the files looked like; the newest is found first. */
static sl_cached_t *find(sl_identity_cache_t *cache, const char *paths, const char *stamp)
{
    sl_cached_t *cached = *bucket_of(cache, paths);

    while (cached && (strcmp(cached->paths, paths) || (stamp && strcmp(cached->stamp, stamp))))
        cached = cached->next;
    return cached;
}

static void keep(sl_identity_cache_t *cache, sl_cached_t *cached)
{
    sl_cached_t **bucket = bucket_of(cache, cached->paths);

    cached->next = *bucket;
    *bucket = cached;
}

static apr_status_t load(sl_cached_t **cached, const sl_source_t *source, sl_pem_passphrase_t passphrase, void *baton,
                         apr_pool_t *scratch, sl_problem_t *why)
{
    const char *stamp = stamp_of(source, scratch); /* before the files are read: a change meanwhile is seen next time */
    sl_problems_t *warnings = sl_problems_make(scratch);
    sl_identity_t *identity = NULL;
    apr_status_t rv = sl_loader_load(&identity, source, passphrase, baton, scratch, warnings, why);

    if (rv != APR_SUCCESS)
        return rv;
    *cached = keep_zeroed(sizeof(**cached));
    (*cached)->paths = keep_text(paths_of(source, scratch));
    (*cached)->stamp = keep_text(stamp);
    (*cached)->identity = identity;
    (*cached)->warnings = keep_warnings(source, warnings);
    return APR_SUCCESS;
}

static sl_identity_t *hand_out(sl_cached_t *cached)
{
    cached->wanted = 1;
    sl_identity_retain(cached->identity);
    return cached->identity;
}

apr_status_t sl_identity_cache_load(sl_identity_cache_t *cache, sl_identity_t **identity, const sl_source_t *source,
                                    sl_pem_passphrase_t passphrase, void *baton, apr_pool_t *scratch,
                                    sl_problems_t *problems, sl_problem_t *why)
{
    sl_cached_t *cached = find(cache, paths_of(source, scratch), stamp_of(source, scratch));
    apr_status_t rv;

    *identity = NULL;
    if (cached) {
        cache->known += !cached->wanted;
    }
    else {
        rv = load(&cached, source, passphrase, baton, scratch, why);
        if (rv != APR_SUCCESS)
            return rv;
        keep(cache, cached);
        cache->read++;
    }
    /* Hosts that share an identity share its warnings: once in each pass over the configuration. */
    if (!cached->wanted)
        tell(cached, source, problems);
    *identity = hand_out(cached);
    return APR_SUCCESS;
}

sl_identity_t *sl_identity_cache_last(sl_identity_cache_t *cache, const sl_source_t *source, apr_pool_t *scratch)
{
    sl_cached_t *cached = find(cache, paths_of(source, scratch), NULL);

    if (!cached)
        return NULL;
    cache->known += !cached->wanted;
    return hand_out(cached);
}

void sl_identity_cache_count(const sl_identity_cache_t *cache, int *read, int *known)
{
    *read = cache->read;
    *known = cache->known;
}

void sl_identity_cache_sweep(sl_identity_cache_t *cache)
{
    cache->read = cache->known = 0;
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
            drop(cached);
        }
    }
}
