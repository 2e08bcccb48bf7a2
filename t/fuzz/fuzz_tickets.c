/* Fuzz target: a file of ticket keys; and the same bytes as something sealed. Beyond memory errors it checks that each
 * key lies where the format says, that a failure has a reason and leaves no key, and that nothing opens that was not
 * sealed. */
#include "resume/ticket_seal.h"
#include "resume/ticket_source.h"

#include <apr_general.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_keys(const sl_ticket_ring_t *ring, const uint8_t *data, size_t size)
{
    size_t each = ring->count ? size / ring->count : 0;

    if (!ring->count || ring->count > SL_TICKET_KEYS_MAX || each * ring->count != size)
        abort();
    for (apr_uint32_t i = 0; i < ring->count; i++) {
        const sl_ticket_key_t *key = &ring->keys[i];

        if (each != SL_TICKET_NAME_SIZE + 2 * key->size || memcmp(key->name, data + i * each, SL_TICKET_NAME_SIZE) ||
            memcmp(key->hmac, data + i * each + SL_TICKET_NAME_SIZE, key->size) ||
            memcmp(key->aes, data + i * each + SL_TICKET_NAME_SIZE + key->size, key->size))
            abort();
    }
}

static void check_sealed(const uint8_t *data, size_t size)
{
    const unsigned char *name = sl_ticket_seal_name(data, size);
    sl_ticket_key_t key = {.size = 32};
    unsigned char *bytes = malloc(size ? size : 1);

    if (name)
        memcpy(key.name, name, sizeof(key.name));
    if (!bytes || !sl_ticket_key_derive_seal(&key) || sl_ticket_open(&key, "id", 2, data, size, bytes) == APR_SUCCESS)
        abort();
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int started;
    sl_ticket_ring_t ring;
    sl_problem_t *why;
    apr_pool_t *pool;

    if (!started++)
        apr_initialize();
    apr_pool_create(&pool, NULL);
    why = sl_problem_make(pool);
    if (sl_ticket_source_parse(&ring, data, size, "keys", why) == APR_SUCCESS)
        check_keys(&ring, data, size);
    else if (ring.count || !why->reason)
        abort();
    check_sealed(data, size);
    apr_pool_destroy(pool);
    return 0;
}
