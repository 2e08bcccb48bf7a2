/* Files of ticket keys.  Read by httpd/tickets at start. */
#include "resume/ticket_source.h"

#include <apr_file_io.h>
#include <openssl/crypto.h>
#include <string.h>

#define SHORT_KEY 48
#define LONG_KEY 80

static apr_status_t refuse_size(const char *object, apr_size_t length, sl_problem_t *why)
{
    sl_problem_set(why, APR_EINVAL, object,
                   "its size of %" APR_SIZE_T_FMT " bytes is that of no ticket keys: 48 or 80 bytes each", length);
    sl_problem_advise(why, "Make one with `openssl rand -out FILE 80`");
    return APR_EINVAL;
}

static void take_key(sl_ticket_key_t *key, const unsigned char *bytes, apr_uint32_t size)
{
    memset(key, 0, sizeof(*key));
    key->size = size;
    memcpy(key->name, bytes, SL_TICKET_NAME_SIZE);
    memcpy(key->hmac, bytes + SL_TICKET_NAME_SIZE, size);
    memcpy(key->aes, bytes + SL_TICKET_NAME_SIZE + size, size);
}

static int has_name(const sl_ticket_ring_t *ring, const unsigned char *name)
{
    for (apr_uint32_t i = 0; i < ring->count; i++) {
        if (!memcmp(ring->keys[i].name, name, SL_TICKET_NAME_SIZE))
            return 1;
    }
    return 0;
}

apr_status_t sl_ticket_source_parse(sl_ticket_ring_t *ring, const unsigned char *bytes, apr_size_t length,
                                    const char *object, sl_problem_t *why)
{
    apr_size_t each = length % LONG_KEY ? SHORT_KEY : LONG_KEY;

    memset(ring, 0, sizeof(*ring));
    if (length && length % each == 0 && length / each > SL_TICKET_KEYS_MAX)
        return sl_problem_set(why, APR_EINVAL, object, "it holds more than %d keys", SL_TICKET_KEYS_MAX);
    if (!length || length % each)
        return refuse_size(object, length, why);
    for (apr_size_t at = 0; at < length; at += each) {
        sl_ticket_key_t *key = &ring->keys[ring->count];

        if (has_name(ring, bytes + at)) {
            sl_ticket_ring_cleanse(ring);
            return sl_problem_set(why, APR_EINVAL, object, "two of its keys have the same name, their first 16 bytes");
        }
        take_key(key, bytes + at, each == LONG_KEY ? 32 : 16);
        if (!sl_ticket_key_derive_seal(key)) {
            sl_ticket_ring_cleanse(ring);
            return sl_problem_set(why, APR_EGENERAL, object, "OpenSSL can't derive a key from it");
        }
        ring->count++;
    }
    return APR_SUCCESS;
}

apr_status_t sl_ticket_source_read(sl_ticket_ring_t *ring, const char *path, apr_pool_t *scratch, sl_problem_t *why)
{
    unsigned char bytes[SL_TICKET_KEYS_MAX * LONG_KEY + LONG_KEY];
    apr_size_t length = 0;
    apr_file_t *file;
    apr_status_t rv = apr_file_open(&file, path, APR_READ | APR_BINARY, APR_OS_DEFAULT, scratch);
    char text[120];

    ring->count = 0;
    if (rv == APR_SUCCESS) {
        rv = apr_file_read_full(file, bytes, sizeof(bytes), &length);
        apr_file_close(file);
    }
    if (rv == APR_SUCCESS) /* there is even more */
        rv = sl_problem_set(why, APR_EINVAL, path, "it holds more than %d keys", SL_TICKET_KEYS_MAX);
    else if (APR_STATUS_IS_EOF(rv))
        rv = sl_ticket_source_parse(ring, bytes, length, path, why);
    else
        sl_problem_set(why, rv, path, "can't be read: %s", apr_strerror(rv, text, sizeof(text)));
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return rv;
}
