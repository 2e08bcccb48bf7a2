/* Sections of shared memory.  Made by httpd/keeper_hooks, written by jobs of keeper and courier, read by children.
 *
 * Each entry has two places for its bytes. Publication n goes to place n mod 2 and counts once it is complete, so a
 * writer that dies in between has spoiled nothing. Then publication n+1 counts as begun: the place that it will go to,
 * that of n-1, is wiped. A reader whose place was written to while it read reads anew. Bytes are copied word by word,
 * with release and acquire: who sees a word of publication n+2 also sees that it has begun.
 *
 * Children can read alone, and nothing that they could do makes the memory writable again: they let go of the mapping
 * that they were born with, and map what a descriptor refers to that was opened for reading. All the same nothing here
 * believes a length that is in the memory. */
#include "keeper/board.h"

#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADDRESSES ((apr_uint64_t)1 << 38) /* bytes that a section has at most if it can do with less */

typedef atomic_uint_least64_t word_t;

typedef struct entry_t {
    word_t begun; /* the publication that is being written, or was */
    word_t version;
    word_t length[2];
} entry_t;

struct sl_section_t {
    int entries;
    apr_size_t most;  /* bytes of a publication */
    apr_size_t words; /* of a place */
    entry_t *entry;   /* shared */
    word_t *places;   /* shared: two for each entry */
    unsigned char *keys;
    apr_size_t heads, mapped; /* bytes */
    int fd; /* of the memory, for reading; -1: there is none */
    pid_t maker;
};

static apr_size_t size_of(const sl_section_t *section)
{
    return section->words * sizeof(word_t);
}

static apr_size_t page_size(void)
{
    return (apr_size_t)sysconf(_SC_PAGESIZE);
}

static void use_memory(sl_section_t *section, void *memory)
{
#ifdef MADV_DONTDUMP
    (void)madvise(memory, section->mapped, MADV_DONTDUMP);
#endif
    section->entry = memory;
    section->places = (word_t *)(void *)((unsigned char *)memory + section->heads);
}

static void close_fd(sl_section_t *section)
{
    if (section->fd >= 0)
        close(section->fd);
    section->fd = -1;
}

static apr_status_t unmap(void *baton)
{
    sl_section_t *section = baton;

    if (section->maker != getpid()) /* a child that ends: others go on reading */
        return APR_SUCCESS;
    munmap(section->entry, section->mapped);
    close_fd(section);
    return APR_SUCCESS;
}

#ifdef MFD_CLOEXEC

/* A file in memory that has no name, and nobody may open. -1: there is none to be had. */
static int open_memory(apr_size_t length)
{
    int fd = memfd_create("securelayer", MFD_CLOEXEC);

    if (fd < 0)
        return -1;
    if (fchmod(fd, 0) == 0 && ftruncate(fd, (off_t)length) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The same file, for reading alone. */
static int reopen(int fd)
{
    char path[40];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC);
}

#else

static int open_memory(apr_size_t length)
{
    (void)length;
    return -1;
}

static int reopen(int fd)
{
    (void)fd;
    return -1;
}

#endif

static void *map_memory(sl_section_t *section)
{
    int fd = open_memory(section->mapped);
    int flags = MAP_SHARED | MAP_NORESERVE | (fd < 0 ? MAP_ANONYMOUS : 0);
    void *memory = mmap(NULL, section->mapped, PROT_READ | PROT_WRITE, flags, fd, 0);

    section->fd = -1;
    if (fd < 0)
        return memory;
    if (memory != MAP_FAILED)
        section->fd = reopen(fd);
    close(fd);
    return memory;
}

void sl_section_only_read(sl_section_t *section)
{
    void *memory = MAP_FAILED;

    if (!section || section->maker == getpid())
        return;
    if (section->fd >= 0)
        memory = mmap(NULL, section->mapped, PROT_READ, MAP_SHARED | MAP_NORESERVE, section->fd, 0);
    close_fd(section);
    if (memory == MAP_FAILED) {
        (void)mprotect(section->entry, section->mapped, PROT_READ);
        return;
    }
    munmap(section->entry, section->mapped);
    use_memory(section, memory);
}

/* Places that are larger than a page are whole pages, so that they can be given back. */
static apr_size_t words_for(apr_size_t size)
{
    apr_size_t unit = size > page_size() ? page_size() : sizeof(word_t);

    return (size + unit - 1) / unit * unit / sizeof(word_t);
}

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, SL_BOARD_KEY_SIZE);
}

apr_status_t sl_section_make(sl_section_t **made, apr_pool_t *pool, int entries, apr_size_t size,
                             const unsigned char *keys, sl_problem_t *why)
{
    sl_section_t *section = apr_pcalloc(pool, sizeof(*section));
    void *memory;

    *made = NULL;
    section->entries = entries;
    section->most = size;
    section->words = words_for(size);
    section->heads = sizeof(entry_t) * (apr_size_t)entries;
    if (size_of(section) % page_size() == 0)
        section->heads = (section->heads + page_size() - 1) / page_size() * page_size();
    section->mapped = section->heads + 2 * size_of(section) * (apr_size_t)entries;
    section->maker = getpid();
    if (entries < 1)
        return sl_problem_set(why, APR_EINVAL, NULL, "shared memory without entries was asked for");
    memory = map_memory(section);
    if (memory == MAP_FAILED)
        return sl_problem_set(why, errno, NULL, "no shared memory of %" APR_SIZE_T_FMT " bytes could be had",
                              section->mapped);
    use_memory(section, memory);
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
        if ((apr_uint64_t)size * 2 * (apr_uint64_t)entries <= ADDRESSES &&
            sl_section_make(section, pool, entries, size, NULL, NULL) == APR_SUCCESS)
            return APR_SUCCESS;
    }
    return sl_section_make(section, pool, entries, least, NULL, why);
}

void sl_section_stay(sl_section_t *section, apr_pool_t *pool)
{
    apr_pool_cleanup_kill(pool, section, unmap);
}

void sl_section_free(sl_section_t *section)
{
    (void)unmap(section);
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

static apr_uint64_t length_at(const sl_section_t *section, int at, apr_uint64_t version)
{
    apr_uint64_t length = atomic_load_explicit(&section->entry[at].length[version & 1], memory_order_acquire);

    return length <= size_of(section) ? length : size_of(section);
}

/* What is there of an older publication: it may be a key. The pages go back to the system, where the places are made of
 * whole ones. */
static void wipe(sl_section_t *section, int at, apr_uint64_t version)
{
    word_t *place = place_of(section, at, version);
    apr_uint64_t length = length_at(section, at, version);

    if (!length)
        return;
    for (apr_uint64_t i = 0; i * sizeof(word_t) < length; i++)
        atomic_store_explicit(&place[i], 0, memory_order_release);
    atomic_store_explicit(&section->entry[at].length[version & 1], 0, memory_order_release);
#ifdef MADV_REMOVE
    if (size_of(section) % page_size() == 0)
        (void)madvise(place, size_of(section), MADV_REMOVE);
#endif
}

static void write_words(word_t *place, const unsigned char *bytes, apr_size_t length)
{
    for (apr_size_t done = 0; done < length; done += sizeof(word_t)) {
        apr_uint64_t word = 0;
        apr_size_t left = length - done;

        memcpy(&word, bytes + done, left < sizeof(word) ? left : sizeof(word));
        atomic_store_explicit(&place[done / sizeof(word_t)], word, memory_order_release);
    }
}

apr_status_t sl_section_publish(sl_section_t *section, int at, const void *bytes, apr_size_t length)
{
    entry_t *entry = &section->entry[at];
    apr_uint64_t next = atomic_load_explicit(&entry->version, memory_order_relaxed) + 1;

    if (length > section->most)
        return APR_ENOSPC;
    atomic_store_explicit(&entry->begun, next, memory_order_relaxed);
    wipe(section, at, next); /* of a writer that was killed */
    atomic_store_explicit(&entry->length[next & 1], length, memory_order_release);
    write_words(place_of(section, at, next), bytes, length);
    atomic_store_explicit(&entry->version, next, memory_order_release);
    atomic_store_explicit(&entry->begun, next + 1, memory_order_relaxed);
    wipe(section, at, next + 1);
    return APR_SUCCESS;
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

/* Was the place of that publication written to since? */
static int is_over(const sl_section_t *section, int at, apr_uint64_t version)
{
    return atomic_load_explicit(&section->entry[at].begun, memory_order_relaxed) > version + 1;
}

apr_size_t sl_section_read(const sl_section_t *section, int at, void *buffer, apr_size_t room, apr_uint64_t *version)
{
    apr_uint64_t seen, length;

    do {
        seen = sl_section_version(section, at);
        length = seen ? length_at(section, at, seen) : 0;
        if (length <= room)
            copy(buffer, place_of(section, at, seen), (apr_size_t)length);
    } while (is_over(section, at, seen));
    if (version)
        *version = seen;
    return length <= room ? (apr_size_t)length : 0;
}

apr_size_t sl_section_peek(const sl_section_t *section, int at, void *buffer, apr_size_t room)
{
    apr_uint64_t seen, length;

    do {
        seen = sl_section_version(section, at);
        length = seen ? length_at(section, at, seen) : 0;
        length = length < room ? length : room;
        copy(buffer, place_of(section, at, seen), (apr_size_t)length);
    } while (is_over(section, at, seen));
    return (apr_size_t)length;
}

unsigned char *sl_section_copy(const sl_section_t *section, int at, apr_size_t *length, apr_uint64_t *version)
{
    unsigned char *bytes = NULL;
    apr_uint64_t seen;

    *length = 0;
    do {
        OPENSSL_clear_free(bytes, *length);
        seen = sl_section_version(section, at);
        *length = seen ? (apr_size_t)length_at(section, at, seen) : 0;
        bytes = *length ? OPENSSL_malloc(*length) : NULL;
        if (bytes)
            copy(bytes, place_of(section, at, seen), *length);
    } while (is_over(section, at, seen));
    if (version)
        *version = seen;
    if (!bytes)
        *length = 0;
    return bytes;
}

void sl_board_only_read(const sl_board_t *board, int is_courier)
{
    sl_section_only_read(board->identities);
    sl_section_only_read(board->trusts);
    sl_section_only_read(board->tickets);
    sl_section_only_read(board->ticket_files);
    sl_section_only_read(board->reload_states);
    sl_section_only_read(board->directories);
    sl_section_only_read(board->directory_refusals);
    if (is_courier)
        return;
    sl_section_only_read(board->staples);
    sl_section_only_read(board->staple_states);
    sl_section_only_read(board->directory_staples);
}
