/* Bounds-checked reading and writing of network bytes (big endian).
 *
 * A reader never touches memory outside what it was given.  The first read past the end makes it `failed`;
 * from then on every read gives 0 or an empty reader, so a parser checks once, at its end.
 * Runs in: any thread; nothing is shared.  Readers borrow the bytes they were given. */
#ifndef SL_BASE_BYTES_H
#define SL_BASE_BYTES_H

#include <apr.h>

typedef struct sl_reader_t {
    const unsigned char *at;
    const unsigned char *end;
    int failed;
} sl_reader_t;

void sl_reader_init(sl_reader_t *r, const void *bytes, apr_size_t length);
apr_size_t sl_reader_left(const sl_reader_t *r);
unsigned sl_reader_u8(sl_reader_t *r);
unsigned sl_reader_u16(sl_reader_t *r);
apr_uint32_t sl_reader_u24(sl_reader_t *r);
apr_uint32_t sl_reader_u32(sl_reader_t *r);
/* The next `length` bytes, NULL (and failed) if there are fewer. */
const unsigned char *sl_reader_take(sl_reader_t *r, apr_size_t length);
/* Is what is left of it the same? Reads nothing. */
int sl_reader_is(const sl_reader_t *r, const void *bytes, apr_size_t length);
int sl_reader_equals(const sl_reader_t *a, const sl_reader_t *b);
/* A vector with a length prefix of 1, 2 or 3 bytes (RFC 8446 section 3.4) becomes a reader of its own.
 * Fails `r` and empties `vector` if the length points past the end. */
void sl_reader_vector(sl_reader_t *r, int prefix_bytes, sl_reader_t *vector);

typedef struct sl_writer_t {
    unsigned char *start;
    unsigned char *at;
    unsigned char *end;
    int failed;
} sl_writer_t;

/* Writes into `buffer` of `size` bytes; what does not fit makes it `failed` and is left out whole. */
void sl_writer_init(sl_writer_t *w, void *buffer, apr_size_t size);
void sl_writer_u8(sl_writer_t *w, unsigned value);
void sl_writer_u16(sl_writer_t *w, unsigned value);
void sl_writer_u32(sl_writer_t *w, apr_uint32_t value);
void sl_writer_bytes(sl_writer_t *w, const void *bytes, apr_size_t length);
apr_size_t sl_writer_length(const sl_writer_t *w);

/* FNV-1a of the bytes, after those that made `hash` what it is: for tables and for seeing changes, not against anybody
 * who chooses bytes to collide. */
#define SL_HASH_START APR_UINT64_C(14695981039346656037)
apr_uint64_t sl_hash(apr_uint64_t hash, const void *bytes, apr_size_t length);

#endif
