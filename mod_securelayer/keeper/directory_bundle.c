/* Blobs one behind the other, each with its length before it in four bytes.  The keeper's directory_slots encodes;
 * children decode in keeper/directory. */
#include "keeper/directory_bundle.h"

#include "base/bytes.h"

#include <openssl/crypto.h>
#include <string.h>

typedef struct blob_t {
    unsigned char *bytes;
    apr_size_t length;
} blob_t;

void sl_directory_bundle_clear(sl_directory_bundle_t *bundle)
{
    for (int i = 0; i < bundle->count; i++)
        sl_identity_release(bundle->of[i]);
    memset(bundle, 0, sizeof(*bundle));
}

static unsigned char *join(const blob_t *blobs, int count, apr_size_t *length)
{
    apr_size_t room = 0;
    unsigned char *bytes;
    sl_writer_t w;

    for (int i = 0; i < count; i++)
        room += 4 + blobs[i].length;
    bytes = OPENSSL_malloc(room);
    if (!bytes)
        return NULL;
    sl_writer_init(&w, bytes, room);
    for (int i = 0; i < count; i++) {
        sl_writer_u32(&w, (apr_uint32_t)blobs[i].length);
        sl_writer_bytes(&w, blobs[i].bytes, blobs[i].length);
    }
    *length = room;
    return bytes;
}

unsigned char *sl_directory_bundle_encode(const sl_directory_bundle_t *bundle, apr_size_t *length, sl_problem_t *why)
{
    blob_t blobs[SL_DIRECTORY_KINDS] = {{NULL, 0}};
    unsigned char *bytes = NULL;
    int count = 0;

    *length = 0;
    while (count < bundle->count &&
           (blobs[count].bytes = sl_blob_encode(bundle->of[count], &blobs[count].length, why)) != NULL)
        count++;
    if (count == bundle->count && !(bytes = join(blobs, count, length)))
        sl_problem_set(why, APR_ENOMEM, bundle->of[0]->origin, "memory ended");
    for (int i = 0; i < count; i++)
        OPENSSL_clear_free(blobs[i].bytes, blobs[i].length);
    return bytes;
}

void sl_directory_bundle_decode(sl_directory_bundle_t *bundle, const unsigned char *bytes, apr_size_t length,
                                sl_blob_want_t want)
{
    sl_reader_t r;

    memset(bundle, 0, sizeof(*bundle));
    sl_reader_init(&r, bytes, length);
    while (sl_reader_left(&r)) {
        apr_size_t size = sl_reader_u32(&r);
        const unsigned char *blob = sl_reader_take(&r, size);
        sl_identity_t *identity =
            blob && !r.failed && bundle->count < SL_DIRECTORY_KINDS ? sl_blob_decode(blob, size, want) : NULL;

        if (!identity) {
            sl_directory_bundle_clear(bundle);
            return;
        }
        bundle->of[bundle->count++] = identity;
    }
}

sl_identity_t *sl_directory_bundle_chain(sl_directory_bundle_t *bundle)
{
    sl_identity_t *first = bundle->of[0];

    for (int i = 1; i < bundle->count; i++)
        bundle->of[i - 1]->also = bundle->of[i];
    memset(bundle, 0, sizeof(*bundle));
    return first;
}
