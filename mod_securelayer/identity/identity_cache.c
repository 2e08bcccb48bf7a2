/* The cache of loaded identities.  httpd/collect_vhosts keeps one in the process pool.
 *
 * Ordinary sources are read by identity/stored, many of them by several threads at once; the others by the loader. */
#include "identity/identity_cache.h"

#include "crypto/key_uri.h"

#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the loader warned of, told again whenever the identity is asked for. Texts are malloc'ed, as everything here. */
typedef struct sl_kept_warning_t {
    struct sl_kept_warning_t *next;
    char *log_id, *object, *reason, *advice;
    int is_of_key; /* it happened to the key's directive */
} sl_kept_warning_t;

typedef struct sl_cached_t {
    struct sl_cached_t *next;
    unsigned char paths[SHA256_DIGEST_LENGTH]; /* digest of those of the source, and of what else it says */
    apr_uint64_t stamp;                        /* what its files looked like */
    sl_stored_t *stored; /* NULL: what was offered */
    unsigned char *offered; /* an identity/blob in the vault; NULL once it is `stored` */
    apr_size_t offered_length;
    sl_kept_warning_t *warnings;
    int wanted;
    int is_new; /* read in this pass, ahead of need */
} sl_cached_t;

#define BUCKETS 16384
#define FEW 64 /* sources that are not worth a thread */
#define MOST_THREADS 16

struct sl_identity_cache_t {
    sl_vault_t *vault;             /* NULL: there is nothing to keep */
    sl_cached_t *buckets[BUCKETS]; /* by paths; the newest first */
    int read, known;               /* since the last sweep */
    int records;
    int older; /* of those, how many have a newer one of the same paths; may be counted too high until the sweep */
};

typedef struct paths_t {
    unsigned char digest[SHA256_DIGEST_LENGTH];
} paths_t;

/* Paths are long, and would take more room than the rest. */
static paths_t paths_of(const sl_source_t *source, apr_pool_t *scratch)
{
    const char *text = sl_source_text(source, scratch);
    paths_t paths;

    SHA256((const unsigned char *)text, strlen(text), paths.digest);
    return paths;
}

static int is_of(const sl_cached_t *cached, const paths_t *paths)
{
    return !memcmp(cached->paths, paths->digest, sizeof(paths->digest));
}

static sl_cached_t **bucket_of(sl_identity_cache_t *cache, const paths_t *paths)
{
    return &cache->buckets[(paths->digest[0] << 8 | paths->digest[1]) % BUCKETS];
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

sl_identity_cache_t *sl_identity_cache_make(apr_pool_t *pool)
{
    return apr_pcalloc(pool, sizeof(sl_identity_cache_t));
}

static void need_vault(sl_identity_cache_t *cache)
{
    if (!cache->vault)
        cache->vault = sl_vault_new();
    if (!cache->vault)
        abort();
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
    sl_loader_review_mode(source, cached->stored->key_mode, problems);
}

static void drop(sl_identity_cache_t *cache, sl_cached_t *cached)
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
    cache->records--;
    sl_stored_free(cached->stored, cache->vault);
    sl_vault_drop(cache->vault, cached->offered, cached->offered_length);
    free(cached);
}

/* From that record on. */
static sl_cached_t *next_of(sl_cached_t *cached, const paths_t *paths)
{
    while (cached && !is_of(cached, paths))
        cached = cached->next;
    return cached;
}

/* Makes of an offer what the others are; 0 if it can't be done. */
static int take_offer(sl_identity_cache_t *cache, sl_cached_t *cached, apr_pool_t *scratch)
{
    sl_problem_t *why = sl_problem_make(scratch);
    sl_identity_t *identity;

    if (!cached->offered)
        return cached->stored != NULL;
    identity = sl_blob_decode(cached->offered, cached->offered_length, SL_BLOB_ALL);
    cached->stored = identity ? sl_stored_new(identity, 0, cache->vault, why) : NULL;
    sl_identity_release(identity);
    sl_vault_drop(cache->vault, cached->offered, cached->offered_length);
    cached->offered = NULL;
    cached->stamp = 0; /* its files will be another record's */
    return cached->stored != NULL;
}

static sl_cached_t *find(sl_identity_cache_t *cache, const paths_t *paths, apr_uint64_t stamp)
{
    sl_cached_t *cached = *bucket_of(cache, paths);

    while (cached && (cached->stamp != stamp || !cached->stored || !is_of(cached, paths)))
        cached = cached->next;
    return cached;
}

static sl_cached_t *keep(sl_identity_cache_t *cache, const paths_t *paths, apr_uint64_t stamp, sl_stored_t *stored)
{
    sl_cached_t **bucket = bucket_of(cache, paths), *cached = keep_zeroed(sizeof(*cached));

    cache->older += next_of(*bucket, paths) != NULL;
    memcpy(cached->paths, paths->digest, sizeof(cached->paths));
    cached->stamp = stamp;
    cached->stored = stored;
    cached->next = *bucket;
    *bucket = cached;
    cache->read++;
    cache->records++;
    return cached;
}

/* ---- reading ---- */

static sl_cached_t *keep_read(sl_identity_cache_t *cache, const paths_t *paths, apr_uint64_t stamp, sl_stored_t *stored,
                              unsigned char *bytes, apr_size_t length)
{
    if (sl_stored_keep(stored, bytes, length, cache->vault))
        return keep(cache, paths, stamp, stored);
    sl_stored_free(stored, cache->vault);
    return NULL;
}

static int is_on_token(const char *place)
{
    return place && sl_key_uri_is(place) && !sl_key_uri_file(place);
}

static apr_status_t load(sl_identity_cache_t *cache, sl_cached_t **cached, const paths_t *paths, apr_uint64_t stamp,
                         const sl_source_t *source, sl_pem_passphrase_t passphrase, void *baton, apr_pool_t *scratch,
                         sl_problem_t *why)
{
    sl_problems_t *warnings = sl_problems_make(scratch);
    sl_identity_t *identity = NULL;
    sl_stored_t *stored;
    apr_status_t rv = sl_loader_load(&identity, source, passphrase, baton, scratch, warnings, why);

    if (rv != APR_SUCCESS)
        return rv;
    stored = sl_stored_new(identity, is_on_token(source->certificate) || is_on_token(source->key), cache->vault, why);
    sl_identity_release(identity);
    if (!stored) {
        why->origin = source->origin;
        return why->status;
    }
    *cached = keep(cache, paths, stamp, stored);
    (*cached)->warnings = keep_warnings(source, warnings);
    return APR_SUCCESS;
}

static apr_status_t read_source(sl_identity_cache_t *cache, sl_cached_t **cached, const paths_t *paths,
                                apr_uint64_t stamp, const sl_source_t *source, sl_pem_passphrase_t passphrase,
                                void *baton, apr_pool_t *scratch, sl_problem_t *why)
{
    unsigned char *bytes;
    apr_size_t length;
    sl_stored_t *stored = sl_stored_read(source, &bytes, &length);

    *cached = stored ? keep_read(cache, paths, stamp, stored, bytes, length) : NULL;
    return *cached ? APR_SUCCESS : load(cache, cached, paths, stamp, source, passphrase, baton, scratch, why);
}

static const sl_stored_t *hand_out(sl_cached_t *cached)
{
    cached->wanted = 1;
    return cached->stored;
}

apr_status_t sl_identity_cache_load(sl_identity_cache_t *cache, const sl_stored_t **stored, const sl_source_t *source,
                                    apr_uint64_t stamp, sl_pem_passphrase_t passphrase, void *baton,
                                    apr_pool_t *scratch, sl_problems_t *problems, sl_problem_t *why)
{
    paths_t paths = paths_of(source, scratch);
    sl_cached_t *cached = find(cache, &paths, stamp);
    apr_status_t rv;

    *stored = NULL;
    need_vault(cache);
    if (cached) {
        cache->known += !cached->wanted && !cached->is_new;
    }
    else {
        rv = read_source(cache, &cached, &paths, stamp, source, passphrase, baton, scratch, why);
        if (rv != APR_SUCCESS)
            return rv;
    }
    /* Hosts that share an identity share its warnings: once in each pass over the configuration. */
    if (!cached->wanted)
        tell(cached, source, problems);
    *stored = hand_out(cached);
    return APR_SUCCESS;
}

/* ---- what was served before ---- */

void sl_identity_cache_offer(sl_identity_cache_t *cache, const sl_source_t *source, apr_uint64_t stamp,
                             const unsigned char *bytes, apr_size_t length, apr_pool_t *scratch)
{
    paths_t paths = paths_of(source, scratch);
    unsigned char *kept;
    sl_cached_t *cached;

    need_vault(cache);
    kept = sl_vault_keep(cache->vault, bytes, length);
    if (!kept)
        return;
    cached = keep(cache, &paths, stamp, NULL);
    cache->read--;
    cached->offered = kept;
    cached->offered_length = length;
}

/* The newest one of the paths that can be used, but for `fresh`. */
static sl_cached_t *find_usable(sl_identity_cache_t *cache, const paths_t *paths, const sl_stored_t *fresh,
                                apr_pool_t *scratch)
{
    sl_cached_t *cached = next_of(*bucket_of(cache, paths), paths);

    while (cached && ((fresh && cached->stored == fresh) || !take_offer(cache, cached, scratch)))
        cached = next_of(cached->next, paths);
    return cached;
}

const sl_stored_t *sl_identity_cache_last(sl_identity_cache_t *cache, const sl_source_t *source, apr_pool_t *scratch)
{
    paths_t paths = paths_of(source, scratch);
    sl_cached_t *cached = find_usable(cache, &paths, NULL, scratch);

    if (!cached)
        return NULL;
    cache->known += !cached->wanted;
    return hand_out(cached);
}

const sl_stored_t *sl_identity_cache_before(sl_identity_cache_t *cache, const sl_source_t *source, apr_uint64_t stamp,
                                            const sl_stored_t *fresh, apr_pool_t *scratch)
{
    paths_t paths;
    sl_cached_t *cached;

    if (!cache->older) /* asked for each host */
        return NULL;
    paths = paths_of(source, scratch);
    for (cached = next_of(*bucket_of(cache, &paths), &paths); cached; cached = next_of(cached->next, &paths)) {
        if (cached->offered && cached->stamp == stamp)
            return NULL;
    }
    cached = find_usable(cache, &paths, fresh, scratch);
    return cached ? cached->stored : NULL;
}

void sl_identity_cache_want(sl_identity_cache_t *cache, const sl_source_t *source, const sl_stored_t *before,
                            apr_pool_t *scratch)
{
    paths_t paths = paths_of(source, scratch);
    sl_cached_t *cached = next_of(*bucket_of(cache, &paths), &paths);

    while (cached && cached->stored != before)
        cached = next_of(cached->next, &paths);
    if (cached)
        (void)hand_out(cached);
}

/* ---- reading many ---- */

typedef struct read_t {
    const sl_wanted_t *wanted;
    paths_t paths;
    sl_stored_t *stored; /* NULL: the loader's business */
    unsigned char *bytes;
    apr_size_t length;
} read_t;

typedef struct reading_t {
    read_t *all;
    int count;
    atomic_int next;
} reading_t;

static void read_some(reading_t *reading)
{
    int i;

    while ((i = atomic_fetch_add(&reading->next, 1)) < reading->count) {
        read_t *one = &reading->all[i];

        one->stored = sl_stored_read(&one->wanted->source, &one->bytes, &one->length);
    }
}

static void *APR_THREAD_FUNC run_reader(apr_thread_t *thread, void *baton)
{
    (void)thread;
    read_some(baton);
    return NULL;
}

/* This thread reads too: without any other it takes longer, that is all. */
static void read_all(reading_t *reading, apr_pool_t *scratch)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    apr_thread_t *threads[MOST_THREADS];
    int started = 0;
    apr_status_t rv;

    while (started < processors - 1 && started < MOST_THREADS &&
           apr_thread_create(&threads[started], NULL, run_reader, reading, scratch) == APR_SUCCESS)
        started++;
    read_some(reading);
    while (started > 0)
        (void)apr_thread_join(&rv, threads[--started]);
}

/* Those that are not known, each of them once. */
static void list_unknown(sl_identity_cache_t *cache, const apr_array_header_t *sources, reading_t *reading,
                         apr_pool_t *scratch)
{
    apr_hash_t *listed = apr_hash_make(scratch);

    reading->all = apr_pcalloc(scratch, sizeof(read_t) * ((apr_size_t)sources->nelts + 1));
    for (int i = 0; i < sources->nelts; i++) {
        const sl_wanted_t *wanted = &APR_ARRAY_IDX(sources, i, const sl_wanted_t);
        read_t *one = &reading->all[reading->count];

        one->paths = paths_of(&wanted->source, scratch);
        if (find(cache, &one->paths, wanted->stamp) ||
            apr_hash_get(listed, one->paths.digest, sizeof(one->paths.digest)))
            continue;
        one->wanted = wanted;
        apr_hash_set(listed, one->paths.digest, sizeof(one->paths.digest), one);
        reading->count++;
    }
}

static void keep_one(sl_identity_cache_t *cache, const read_t *one, sl_stored_t *stored)
{
    sl_cached_t *cached;

    if (!stored) {
        OPENSSL_clear_free(one->bytes, one->length);
        return;
    }
    cached = keep_read(cache, &one->paths, one->wanted->stamp, stored, one->bytes, one->length);
    if (cached)
        cached->is_new = 1;
}

/* All that stays is allocated anew before what the threads have allocated is given up: else it would lie scattered over
 * their memory, and hold it. */
static void keep_all(sl_identity_cache_t *cache, const reading_t *reading, apr_pool_t *scratch)
{
    sl_stored_t **copies = apr_pcalloc(scratch, sizeof(*copies) * (apr_size_t)reading->count);

    for (int i = 0; i < reading->count; i++)
        copies[i] = reading->all[i].stored ? sl_stored_copy(reading->all[i].stored) : NULL;
    for (int i = 0; i < reading->count; i++) {
        if (reading->all[i].stored)
            keep_one(cache, &reading->all[i], copies[i]);
    }
    for (int i = 0; i < reading->count; i++)
        sl_stored_free(reading->all[i].stored, cache->vault);
}

void sl_identity_cache_read(sl_identity_cache_t *cache, const apr_array_header_t *sources, apr_pool_t *scratch)
{
    reading_t reading;

    if (sources->nelts < FEW)
        return;
    memset(&reading, 0, sizeof(reading));
    list_unknown(cache, sources, &reading, scratch);
    if (reading.count < FEW)
        return;
    need_vault(cache);
    read_all(&reading, scratch);
    keep_all(cache, &reading, scratch);
}

int sl_identity_cache_is_empty(const sl_identity_cache_t *cache)
{
    return !cache->records;
}

void sl_identity_cache_count(const sl_identity_cache_t *cache, int *read, int *known)
{
    *read = cache->read;
    *known = cache->known;
}

static int count_older(const sl_cached_t *first)
{
    int count = 0;

    for (; first; first = first->next) {
        paths_t paths;

        memcpy(paths.digest, first->paths, sizeof(paths.digest));
        count += next_of(first->next, &paths) != NULL;
    }
    return count;
}

void sl_identity_cache_sweep(sl_identity_cache_t *cache)
{
    cache->read = cache->known = cache->older = 0;
    for (int i = 0; i < BUCKETS; i++) {
        sl_cached_t **at = &cache->buckets[i];

        while (*at) {
            sl_cached_t *cached = *at;

            if (cached->wanted) {
                cached->wanted = cached->is_new = 0;
                at = &cached->next;
                continue;
            }
            *at = cached->next;
            drop(cache, cached);
        }
        cache->older += count_older(cache->buckets[i]);
    }
    if (!cache->records) {
        sl_vault_free(cache->vault);
        cache->vault = NULL;
    }
}
