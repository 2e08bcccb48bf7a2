/* Pieces of mapped memory, filled from their start; places that are given back are used again for bytes of about the
 * same length.  identity/identity_cache keeps the identities of a configuration here. */
#include "base/vault.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PIECE ((apr_size_t)1 << 20)
#define GRAIN ((apr_size_t)64)
#define ROWS 1024
#define CLASSES 256 /* of places up to 16 KiB; larger ones share the last one's list */

typedef struct piece_t {
    struct piece_t *next;
    apr_size_t size, used; /* this head included */
} piece_t;

/* A place that was given back. */
typedef struct hole_t {
    struct hole_t *next;
    apr_size_t size;
} hole_t;

/* Bytes that are shared, by what they are. */
typedef struct shared_t {
    struct shared_t *next;
    unsigned char *bytes;
    apr_size_t length;
    apr_uint64_t hash;
    unsigned holders;
} shared_t;

struct sl_vault_t {
    piece_t *pieces; /* the one in use first */
    hole_t *holes[CLASSES];
    shared_t *shared[ROWS];
};

sl_vault_t *sl_vault_new(void)
{
    return calloc(1, sizeof(sl_vault_t));
}

static void free_shared(sl_vault_t *vault)
{
    for (int i = 0; i < ROWS; i++) {
        shared_t *next;

        for (shared_t *shared = vault->shared[i]; shared; shared = next) {
            next = shared->next;
            free(shared);
        }
    }
}

void sl_vault_free(sl_vault_t *vault)
{
    piece_t *next;

    if (vault)
        free_shared(vault);

    for (piece_t *piece = vault ? vault->pieces : NULL; piece; piece = next) { /* the system gives out empty pages */
        next = piece->next;
        munmap(piece, piece->size);
    }
    free(vault);
}

static apr_size_t place_for(apr_size_t length)
{
    return (length + GRAIN - 1) / GRAIN * GRAIN;
}

static hole_t **holes_of(sl_vault_t *vault, apr_size_t size)
{
    return &vault->holes[size / GRAIN < CLASSES ? size / GRAIN : 0];
}

static unsigned char *take_hole(sl_vault_t *vault, apr_size_t size)
{
    for (hole_t **at = holes_of(vault, size); *at; at = &(*at)->next) {
        hole_t *hole = *at;

        if (hole->size != size)
            continue;
        *at = hole->next;
        return (unsigned char *)hole;
    }
    return NULL;
}

static int add_piece(sl_vault_t *vault, apr_size_t wanted)
{
    apr_size_t head = place_for(sizeof(piece_t)), size = wanted + head > PIECE ? wanted + head : PIECE;
    piece_t *piece = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (piece == MAP_FAILED)
        return 0;
#ifdef MADV_DONTDUMP
    (void)madvise(piece, size, MADV_DONTDUMP);
#endif
    piece->size = size;
    piece->used = head;
    piece->next = vault->pieces;
    vault->pieces = piece;
    return 1;
}

unsigned char *sl_vault_keep(sl_vault_t *vault, const void *bytes, apr_size_t length)
{
    apr_size_t size = place_for(length ? length : 1);
    unsigned char *kept = take_hole(vault, size);

    if (!kept) {
        if ((!vault->pieces || vault->pieces->size - vault->pieces->used < size) && !add_piece(vault, size))
            return NULL;
        kept = (unsigned char *)vault->pieces + vault->pieces->used;
        vault->pieces->used += size;
    }
    if (length)
        memcpy(kept, bytes, length);
    return kept;
}

/* As OPENSSL_cleanse() does it: the compiler can't know that it is memset(). */
static void *(*const volatile set)(void *, int, size_t) = memset;

void sl_vault_drop(sl_vault_t *vault, unsigned char *kept, apr_size_t length)
{
    apr_size_t size = place_for(length ? length : 1);
    hole_t *hole = (hole_t *)(void *)kept, **at = holes_of(vault, size);

    if (!kept)
        return;
    set(kept, 0, size);
    hole->size = size;
    hole->next = *at;
    *at = hole;
}

/* ---- shared ---- */

static shared_t **place_of(sl_vault_t *vault, const unsigned char *bytes, apr_size_t length, apr_uint64_t hash)
{
    shared_t **at = &vault->shared[hash % ROWS];

    while (*at && ((*at)->hash != hash || (*at)->length != length || memcmp((*at)->bytes, bytes, length) != 0))
        at = &(*at)->next;
    return at;
}

const unsigned char *sl_vault_share(sl_vault_t *vault, const void *bytes, apr_size_t length)
{
    apr_uint64_t hash = sl_hash(SL_HASH_START, bytes, length);
    shared_t **at = place_of(vault, bytes, length, hash), *shared = *at;

    if (!shared) {
        shared = calloc(1, sizeof(*shared));
        if (shared)
            shared->bytes = sl_vault_keep(vault, bytes, length);
        if (!shared || !shared->bytes) {
            free(shared);
            return NULL;
        }
        shared->length = length;
        shared->hash = hash;
        *at = shared;
    }
    shared->holders++;
    return shared->bytes;
}

void sl_vault_unshare(sl_vault_t *vault, const unsigned char *bytes, apr_size_t length)
{
    shared_t **at = bytes ? place_of(vault, bytes, length, sl_hash(SL_HASH_START, bytes, length)) : NULL,
             *shared = at ? *at : NULL;

    if (!shared || --shared->holders)
        return;
    *at = shared->next;
    sl_vault_drop(vault, shared->bytes, shared->length);
    free(shared);
}
