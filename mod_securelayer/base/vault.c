/* Pieces of mapped memory, filled from their start.  keeper/supply keeps the identities of the start here. */
#include "base/vault.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PIECE ((apr_size_t)1 << 20)

typedef struct piece_t {
    struct piece_t *next;
    apr_size_t size, used; /* this head included */
} piece_t;

struct sl_vault_t {
    piece_t *pieces; /* the one in use first */
    pid_t maker;
};

/* The system gives pages to others only once they are empty. A child that ends leaves what it shares to its parent. */
static apr_status_t unmap(void *baton)
{
    sl_vault_t *vault = baton;
    piece_t *piece = vault->maker == getpid() ? vault->pieces : NULL;

    while (piece) {
        piece_t *next = piece->next;

        munmap(piece, piece->size);
        piece = next;
    }
    vault->pieces = NULL;
    return APR_SUCCESS;
}

sl_vault_t *sl_vault_make(apr_pool_t *pool)
{
    sl_vault_t *vault = apr_pcalloc(pool, sizeof(*vault));

    vault->maker = getpid();
    apr_pool_cleanup_register(pool, vault, unmap, apr_pool_cleanup_null);
    return vault;
}

static int add_piece(sl_vault_t *vault, apr_size_t wanted)
{
    apr_size_t size = wanted + sizeof(piece_t) > PIECE ? wanted + sizeof(piece_t) : PIECE;
    piece_t *piece = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (piece == MAP_FAILED)
        return 0;
#ifdef MADV_DONTDUMP
    (void)madvise(piece, size, MADV_DONTDUMP);
#endif
    piece->size = size;
    piece->used = sizeof(*piece);
    piece->next = vault->pieces;
    vault->pieces = piece;
    return 1;
}

unsigned char *sl_vault_keep(sl_vault_t *vault, const void *bytes, apr_size_t length)
{
    unsigned char *kept;

    if ((!vault->pieces || vault->pieces->size - vault->pieces->used < length) && !add_piece(vault, length))
        return NULL;
    kept = (unsigned char *)vault->pieces + vault->pieces->used;
    vault->pieces->used += length;
    memcpy(kept, bytes, length);
    return kept;
}
