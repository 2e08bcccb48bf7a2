/* Files of ticket keys.  Read by httpd/tickets at start. */
#include "resume/ticket_source.h"

#include "crypto/file_read.h"

#include <string.h>

#define SHORT_KEY 48
#define LONG_KEY 80
#define FILE_MAX 65536 /* none of a size near it is one of keys, and its size is told */

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

apr_status_t sl_ticket_source_read(sl_ticket_ring_t *ring, const char *path, sl_problem_t *why)
{
    sl_file_t file;
    apr_status_t rv = sl_file_read(&file, path, FILE_MAX, why);

    memset(ring, 0, sizeof(*ring));
    if (rv != APR_SUCCESS)
        return rv;
    rv = sl_ticket_source_parse(ring, file.bytes, file.length, path, why);
    sl_file_clear(&file);
    return rv;
}
