/* Three tables: exact names, "*.suffix" patterns by their suffix, and the rare other patterns in a list.  Each entry
 * knows its place in the order of the configuration; the lowest place among the matches wins. */
#include "vhost/sni_index.h"

#include "base/text.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <string.h>

typedef struct sl_sni_entry_t {
    const char *pattern;
    const sl_vhost_t *vhost;
    int place;
} sl_sni_entry_t;

struct sl_sni_index_t {
    apr_pool_t *pool;
    apr_hash_t *exact;          /* "www.example.org" -> sl_sni_entry_t */
    apr_hash_t *suffixes;       /* ".example.org" for "*.example.org" */
    apr_array_header_t *others; /* of sl_sni_entry_t * */
    int count;
};

sl_sni_index_t *sl_sni_index_make(apr_pool_t *pool)
{
    sl_sni_index_t *index = apr_palloc(pool, sizeof(*index));

    index->pool = pool;
    index->exact = apr_hash_make(pool);
    index->suffixes = apr_hash_make(pool);
    index->others = apr_array_make(pool, 0, sizeof(sl_sni_entry_t *));
    index->count = 0;
    return index;
}

static void add_once(apr_hash_t *table, const char *key, const sl_sni_entry_t *entry)
{
    if (!apr_hash_get(table, key, APR_HASH_KEY_STRING))
        apr_hash_set(table, key, APR_HASH_KEY_STRING, entry);
}

void sl_sni_index_add(sl_sni_index_t *index, const char *name, const sl_vhost_t *vhost)
{
    char host[SL_HOST_MAX + 1];
    sl_sni_entry_t *entry;

    if (!vhost || !sl_text_host(host, name, strlen(name)))
        return;
    entry = apr_palloc(index->pool, sizeof(*entry));
    entry->pattern = apr_pstrdup(index->pool, host);
    entry->vhost = vhost;
    entry->place = index->count++;
    if (!strpbrk(host, "*?"))
        add_once(index->exact, entry->pattern, entry);
    else if (host[0] == '*' && host[1] == '.' && !strpbrk(host + 1, "*?"))
        add_once(index->suffixes, entry->pattern + 1, entry);
    else
        APR_ARRAY_PUSH(index->others, const sl_sni_entry_t *) = entry;
}

static const sl_sni_entry_t *earlier(const sl_sni_entry_t *a, const sl_sni_entry_t *b)
{
    return !a || (b && b->place < a->place) ? b : a;
}

const sl_vhost_t *sl_sni_index_find(const sl_sni_index_t *index, const char *host)
{
    const sl_sni_entry_t *best = apr_hash_get(index->exact, host, APR_HASH_KEY_STRING);

    if (apr_hash_count(index->suffixes)) {
        for (const char *dot = strchr(host, '.'); dot; dot = strchr(dot + 1, '.'))
            best = earlier(best, apr_hash_get(index->suffixes, dot, APR_HASH_KEY_STRING));
    }
    for (int i = 0; i < index->others->nelts; i++) {
        const sl_sni_entry_t *other = APR_ARRAY_IDX(index->others, i, const sl_sni_entry_t *);

        if ((!best || other->place < best->place) && sl_text_match(other->pattern, host))
            best = other;
    }
    return best ? best->vhost : NULL;
}

int sl_sni_index_count(const sl_sni_index_t *index)
{
    return index->count;
}
