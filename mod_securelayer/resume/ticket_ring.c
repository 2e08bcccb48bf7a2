/* The ring of ticket keys.  Turned by keeper/ticket_job (and the parent, for the first key), asked by
 * conn/tickets through its host; resume/ticket_source fills one from a file. */
#include "resume/ticket_ring.h"

#include "crypto/openssl_error.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stddef.h>
#include <string.h>

static const char seal_label[] = "securelayer: seal";

void sl_ticket_key_cleanse(sl_ticket_key_t *key)
{
    OPENSSL_cleanse(key, sizeof(*key));
}

void sl_ticket_ring_cleanse(sl_ticket_ring_t *ring)
{
    OPENSSL_cleanse(ring, sizeof(*ring));
}

int sl_ticket_key_derive_seal(sl_ticket_key_t *key)
{
    unsigned char secret[sizeof(key->aes) + sizeof(key->hmac)];
    unsigned int length = sizeof(key->seal);
    int ok;

    memcpy(secret, key->aes, sizeof(key->aes));
    memcpy(secret + sizeof(key->aes), key->hmac, sizeof(key->hmac));
    ok = HMAC(EVP_sha256(), secret, (int)sizeof(secret), (const unsigned char *)seal_label, sizeof(seal_label) - 1,
              key->seal, &length) != NULL;
    OPENSSL_cleanse(secret, sizeof(secret));
    return ok;
}

apr_status_t sl_ticket_key_make(sl_ticket_key_t *key, apr_int64_t now, sl_problem_t *why)
{
    memset(key, 0, sizeof(*key));
    sl_openssl_error_clear();
    if (RAND_bytes(key->name, sizeof(key->name)) != 1 || RAND_priv_bytes(key->aes, sizeof(key->aes)) != 1 ||
        RAND_priv_bytes(key->hmac, sizeof(key->hmac)) != 1 || !sl_ticket_key_derive_seal(key)) {
        sl_ticket_key_cleanse(key);
        return sl_problem_set(why, APR_EGENERAL, NULL, "no key for session tickets could be made: %s",
                              why ? sl_openssl_error_take(why->pool) : "");
    }
    key->size = sizeof(key->aes);
    key->made = now;
    return APR_SUCCESS;
}

sl_ticket_found_t sl_ticket_ring_find(const sl_ticket_ring_t *ring, const unsigned char *name, sl_ticket_key_t *key)
{
    for (apr_uint32_t i = 0; i < ring->count; i++) {
        if (!name || !memcmp(ring->keys[i].name, name, SL_TICKET_NAME_SIZE)) {
            *key = ring->keys[i];
            return i ? SL_TICKET_OLD_KEY : SL_TICKET_FIRST_KEY;
        }
    }
    return SL_TICKET_NO_KEY;
}

void sl_ticket_ring_add(sl_ticket_ring_t *ring, const sl_ticket_key_t *key)
{
    apr_uint32_t stay = ring->count < SL_TICKET_KEYS_MAX ? ring->count : SL_TICKET_KEYS_MAX - 1;

    memmove(ring->keys + 1, ring->keys, stay * sizeof(ring->keys[0]));
    ring->keys[0] = *key;
    ring->count = stay + 1;
}

int sl_ticket_ring_expire(sl_ticket_ring_t *ring, apr_int64_t now, apr_int64_t keep)
{
    apr_uint32_t before = ring->count;

    while (ring->count > 1 && now - ring->keys[ring->count - 2].made > keep)
        sl_ticket_key_cleanse(&ring->keys[--ring->count]);
    return (int)(before - ring->count);
}

apr_size_t sl_ticket_ring_size(const sl_ticket_ring_t *ring)
{
    return offsetof(sl_ticket_ring_t, keys) + ring->count * sizeof(ring->keys[0]);
}

int sl_ticket_ring_is_whole(const sl_ticket_ring_t *ring, apr_size_t length)
{
    return length >= offsetof(sl_ticket_ring_t, keys) && ring->count <= SL_TICKET_KEYS_MAX &&
           length == sl_ticket_ring_size(ring);
}

/* A clock that was set back must not keep one key for years. */
static int needs_key(const sl_ticket_ring_t *ring, apr_int64_t now, apr_int64_t rotation)
{
    return !ring->count || ring->keys[0].made > now || now - ring->keys[0].made >= rotation;
}

apr_int64_t sl_ticket_ring_due(const sl_ticket_ring_t *ring, apr_int64_t now, apr_int64_t rotation, apr_int64_t keep)
{
    apr_int64_t due, end;

    if (needs_key(ring, now, rotation))
        return now;
    due = ring->keys[0].made + rotation;
    if (ring->count > 1) {
        end = ring->keys[ring->count - 2].made + keep + 1;
        due = end < due ? end : due;
    }
    return due > now ? due : now;
}

apr_status_t sl_ticket_ring_turn(sl_ticket_ring_t *ring, apr_int64_t now, apr_int64_t rotation, apr_int64_t keep,
                                 int *changed, sl_problem_t *why)
{
    sl_ticket_key_t key;
    apr_status_t rv;

    *changed = sl_ticket_ring_expire(ring, now, keep) > 0;
    if (!needs_key(ring, now, rotation))
        return APR_SUCCESS;
    rv = sl_ticket_key_make(&key, now, why);
    if (rv != APR_SUCCESS)
        return rv;
    for (apr_uint32_t i = 0; i < ring->count; i++) { /* of a clock that was ahead */
        if (ring->keys[i].made > now)
            ring->keys[i].made = now;
    }
    sl_ticket_ring_add(ring, &key);
    sl_ticket_key_cleanse(&key);
    *changed = 1;
    return APR_SUCCESS;
}
