/* Layout, count, facts of each identity; then blobs one behind the other, each with its length before it in four bytes.
 * The keeper's directory_slots encodes; children decode in keeper/directory, and show facts by httpd/survey_directories
 * without a look at any key. */
#include "keeper/directory_bundle.h"

#include "base/bytes.h"

#include <apr_strings.h>
#include <openssl/crypto.h>
#include <string.h>

#define LAYOUT 2 /* 0: the first byte of what had no facts */

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

/* ---- facts ---- */

static void write_time(sl_writer_t *w, apr_int64_t seconds)
{
    sl_writer_u32(w, (apr_uint32_t)((apr_uint64_t)seconds >> 32));
    sl_writer_u32(w, (apr_uint32_t)seconds);
}

static apr_int64_t read_time(sl_reader_t *r)
{
    apr_uint64_t high = sl_reader_u32(r);

    return (apr_int64_t)(high << 32 | sl_reader_u32(r));
}

static void write_facts(sl_writer_t *w, const sl_directory_bundle_t *bundle)
{
    sl_writer_u8(w, LAYOUT);
    sl_writer_u8(w, (unsigned)bundle->count);
    for (int i = 0; i < bundle->count; i++) {
        char key_type[sizeof(((sl_directory_facts_t *)0)->key_type)] = "";

        apr_cpystrn(key_type, sl_identity_key_type(bundle->of[i]), sizeof(key_type));
        write_time(w, bundle->of[i]->not_before);
        write_time(w, bundle->of[i]->not_after);
        sl_writer_bytes(w, key_type, sizeof(key_type));
    }
}

static int read_facts(sl_reader_t *r, sl_directory_facts_t facts[SL_DIRECTORY_KINDS])
{
    int is_ours = sl_reader_left(r) && sl_reader_u8(r) == LAYOUT, count = (int)sl_reader_u8(r);

    if (!is_ours || count > SL_DIRECTORY_KINDS)
        return 0;
    for (int i = 0; i < count; i++) {
        const unsigned char *key_type;

        facts[i].not_before = read_time(r);
        facts[i].not_after = read_time(r);
        key_type = sl_reader_take(r, sizeof(facts[i].key_type));
        if (!key_type)
            return 0;
        memcpy(facts[i].key_type, key_type, sizeof(facts[i].key_type));
        facts[i].key_type[sizeof(facts[i].key_type) - 1] = '\0';
    }
    return count;
}

int sl_directory_bundle_facts(const unsigned char *bytes, apr_size_t length,
                              sl_directory_facts_t facts[SL_DIRECTORY_KINDS])
{
    sl_reader_t r;

    sl_reader_init(&r, bytes, length);
    return read_facts(&r, facts);
}

/* ---- all of it ---- */

static unsigned char *join(const sl_directory_bundle_t *bundle, const blob_t *blobs, apr_size_t *length)
{
    apr_size_t room = SL_DIRECTORY_FACTS_SIZE;
    unsigned char *bytes;
    sl_writer_t w;

    for (int i = 0; i < bundle->count; i++)
        room += 4 + blobs[i].length;
    bytes = OPENSSL_malloc(room);
    if (!bytes)
        return NULL;
    sl_writer_init(&w, bytes, room);
    write_facts(&w, bundle);
    for (int i = 0; i < bundle->count; i++) {
        sl_writer_u32(&w, (apr_uint32_t)blobs[i].length);
        sl_writer_bytes(&w, blobs[i].bytes, blobs[i].length);
    }
    *length = sl_writer_length(&w);
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
    if (count == bundle->count && !(bytes = join(bundle, blobs, length)))
        sl_problem_set(why, APR_ENOMEM, bundle->of[0]->origin, "memory ended");
    for (int i = 0; i < count; i++)
        OPENSSL_clear_free(blobs[i].bytes, blobs[i].length);
    return bytes;
}

void sl_directory_bundle_decode(sl_directory_bundle_t *bundle, const unsigned char *bytes, apr_size_t length,
                                sl_blob_want_t want)
{
    sl_directory_facts_t facts[SL_DIRECTORY_KINDS];
    sl_reader_t r;

    memset(bundle, 0, sizeof(*bundle));
    sl_reader_init(&r, bytes, length);
    if (!read_facts(&r, facts))
        return;
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
