/* Sections of shared memory.  Made by httpd/keeper_hooks, written by jobs of keeper and courier, read by children.
 *
 * Each entry has two places for its bytes. Publication n goes to place n mod 2 and counts once it is complete, so a
 * writer that dies in between has spoiled nothing. A reader whose place was written to while it read (publication n+2
 * has begun) reads anew. Bytes are copied word by word, with release and acquire: who sees a word of publication n+2
 * also sees that it has begun. */
#include "keeper/board.h"

#include <apr_strings.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef atomic_uint_least64_t word_t;

typedef struct entry_t {
    word_t begun; /* the publication that is being written, or was */
    word_t version;
    word_t length[2];
} entry_t;

struct sl_section_t {
    int entries;
    apr_size_t words; /* of a place */
    entry_t *entry;   /* shared */
    word_t *places;   /* shared: two for each entry */
    unsigned char *keys;
    apr_size_t mapped;
    pid_t maker;
};

static apr_status_t unmap(void *baton)
{
    sl_section_t *section = baton;

    if (section->maker != getpid()) /* a child that ends: others go on reading */
        return APR_SUCCESS;
    munmap(section->entry, section->mapped);
    return APR_SUCCESS;
}

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, SL_BOARD_KEY_SIZE);
}

apr_status_t sl_section_make(sl_section_t **made, apr_pool_t *pool, int entries, apr_size_t size,
                             const unsigned char *keys, sl_problem_t *why)
{
    sl_section_t *section = apr_pcalloc(pool, sizeof(*section));
    apr_size_t heads = sizeof(entry_t) * (apr_size_t)entries;
    void *memory;

    *made = NULL;
    section->entries = entries;
    section->words = (size + sizeof(word_t) - 1) / sizeof(word_t);
    section->mapped = heads + 2 * section->words * sizeof(word_t) * (apr_size_t)entries;
    section->maker = getpid();
    if (entries < 1)
        return sl_problem_set(why, APR_EINVAL, NULL, "shared memory without entries was asked for");
    memory = mmap(NULL, section->mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return sl_problem_set(why, errno, NULL, "no shared memory of %" APR_SIZE_T_FMT " bytes could be had",
                              section->mapped);
#ifdef MADV_DONTDUMP
    (void)madvise(memory, section->mapped, MADV_DONTDUMP);
#endif
    section->entry = memory;
    section->places = (word_t *)((unsigned char *)memory + heads);
    if (keys) {
        section->keys = apr_pmemdup(pool, keys, (apr_size_t)entries * SL_BOARD_KEY_SIZE);
        qsort(section->keys, (size_t)entries, SL_BOARD_KEY_SIZE, compare_keys);
    }
    apr_pool_cleanup_register(pool, section, unmap, apr_pool_cleanup_null);
    *made = section;
    return APR_SUCCESS;
}

apr_status_t sl_section_make_large(sl_section_t **section, apr_pool_t *pool, int entries, apr_size_t most,
                                   apr_size_t least, sl_problem_t *why)
{
    for (apr_size_t size = most; size / 2 >= least; size /= 2) {
        if (sl_section_make(section, pool, entries, size, NULL, NULL) == APR_SUCCESS)
            return APR_SUCCESS;
    }
    return sl_section_make(section, pool, entries, least, NULL, why);
}

void sl_section_stay(sl_section_t *section, apr_pool_t *pool)
{
    apr_pool_cleanup_kill(pool, section, unmap);
}

int sl_section_entries(const sl_section_t *section)
{
    return section->entries;
}

const unsigned char *sl_section_key(const sl_section_t *section, int entry)
{
    return section->keys ? section->keys + (apr_size_t)entry * SL_BOARD_KEY_SIZE : NULL;
}

int sl_section_find(const sl_section_t *section, const unsigned char *key)
{
    const unsigned char *found = NULL;

    if (section->keys)
        found = bsearch(key, section->keys, (size_t)section->entries, SL_BOARD_KEY_SIZE, compare_keys);
    return found ? (int)((apr_size_t)(found - section->keys) / SL_BOARD_KEY_SIZE) : -1;
}

static word_t *place_of(const sl_section_t *section, int entry, apr_uint64_t version)
{
    return section->places + ((apr_size_t)entry * 2 + (version & 1)) * section->words;
}

/* What was there may have been a key. */
static void wipe(word_t *place, apr_uint64_t from, apr_uint64_t until)
{
    for (apr_uint64_t at = (from + sizeof(word_t) - 1) / sizeof(word_t); at * sizeof(word_t) < until; at++)
        atomic_store_explicit(&place[at], 0, memory_order_release);
}

apr_status_t sl_section_publish(sl_section_t *section, int at, const void *bytes, apr_size_t length)
{
    entry_t *entry = &section->entry[at];
    apr_uint64_t next = atomic_load_explicit(&entry->version, memory_order_relaxed) + 1;
    word_t *place = place_of(section, at, next);
    const unsigned char *from = bytes;
    apr_uint64_t before = atomic_load_explicit(&entry->length[next & 1], memory_order_relaxed);

    if (length > section->words * sizeof(word_t))
        return APR_ENOSPC;
    atomic_store_explicit(&entry->begun, next, memory_order_relaxed);
    atomic_store_explicit(&entry->length[next & 1], length, memory_order_release);
    for (apr_size_t done = 0; done < length; done += sizeof(word_t)) {
        apr_uint64_t word = 0;
        apr_size_t left = length - done;

        memcpy(&word, from + done, left < sizeof(word) ? left : sizeof(word));
        atomic_store_explicit(&place[done / sizeof(word_t)], word, memory_order_release);
    }
    wipe(place, length, before);
    atomic_store_explicit(&entry->version, next, memory_order_release);
    return APR_SUCCESS;
}

void sl_section_withdraw(sl_section_t *section, int at)
{
    entry_t *entry = &section->entry[at];

    for (int places = 0; places < 2; places++) {
        apr_uint64_t next = atomic_load_explicit(&entry->version, memory_order_relaxed) + 1;
        apr_uint64_t length = atomic_load_explicit(&entry->length[next & 1], memory_order_relaxed);
        word_t *place = place_of(section, at, next);

        atomic_store_explicit(&entry->begun, next, memory_order_relaxed);
        wipe(place, 0, length);
        atomic_store_explicit(&entry->length[next & 1], 0, memory_order_release);
        atomic_store_explicit(&entry->version, next, memory_order_release);
    }
}

apr_uint64_t sl_section_version(const sl_section_t *section, int at)
{
    return atomic_load_explicit(&section->entry[at].version, memory_order_acquire);
}

static void copy(unsigned char *to, const word_t *place, apr_size_t length)
{
    for (apr_size_t done = 0; done < length; done += sizeof(word_t)) {
        apr_uint64_t word = atomic_load_explicit(&place[done / sizeof(word_t)], memory_order_acquire);
        apr_size_t left = length - done;

        memcpy(to + done, &word, left < sizeof(word) ? left : sizeof(word));
    }
}

apr_size_t sl_section_read(const sl_section_t *section, int at, void *buffer, apr_size_t room, apr_uint64_t *version)
{
    entry_t *entry = &section->entry[at];
    apr_uint64_t seen, length;

    do {
        seen = atomic_load_explicit(&entry->version, memory_order_acquire);
        length = seen ? atomic_load_explicit(&entry->length[seen & 1], memory_order_acquire) : 0;
        if (length <= room)
            copy(buffer, place_of(section, at, seen), (apr_size_t)length);
    } while (atomic_load_explicit(&entry->begun, memory_order_relaxed) > seen + 1);
    if (version)
        *version = seen;
    return length <= room ? (apr_size_t)length : 0;
}
