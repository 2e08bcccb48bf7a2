/* Bounds-checked readers and writers: the only code that moves pointers over bytes from the peer. */
#include "base/bytes.h"

#include <string.h>

void sl_reader_init(sl_reader_t *r, const void *bytes, apr_size_t length)
{
    r->at = bytes;
    r->end = r->at + length;
    r->failed = 0;
}

apr_size_t sl_reader_left(const sl_reader_t *r)
{
    return (apr_size_t)(r->end - r->at);
}

const unsigned char *sl_reader_take(sl_reader_t *r, apr_size_t length)
{
    const unsigned char *bytes = r->at;

    if (r->failed || sl_reader_left(r) < length) {
        r->failed = 1;
        r->at = r->end;
        return NULL;
    }
    r->at += length;
    return bytes;
}

static apr_uint32_t take_number(sl_reader_t *r, int size)
{
    const unsigned char *bytes = sl_reader_take(r, (apr_size_t)size);
    apr_uint32_t value = 0;

    for (int i = 0; bytes && i < size; i++)
        value = value << 8 | bytes[i];
    return value;
}

unsigned sl_reader_u8(sl_reader_t *r)
{
    return take_number(r, 1);
}

unsigned sl_reader_u16(sl_reader_t *r)
{
    return take_number(r, 2);
}

apr_uint32_t sl_reader_u24(sl_reader_t *r)
{
    return take_number(r, 3);
}

apr_uint32_t sl_reader_u32(sl_reader_t *r)
{
    return take_number(r, 4);
}

int sl_reader_is(const sl_reader_t *r, const void *bytes, apr_size_t length)
{
    return sl_reader_left(r) == length && memcmp(r->at, bytes, length) == 0;
}

int sl_reader_equals(const sl_reader_t *a, const sl_reader_t *b)
{
    return sl_reader_is(a, b->at, sl_reader_left(b));
}

void sl_reader_vector(sl_reader_t *r, int prefix_bytes, sl_reader_t *vector)
{
    apr_size_t length = take_number(r, prefix_bytes);
    const unsigned char *bytes = sl_reader_take(r, length);

    if (bytes)
        sl_reader_init(vector, bytes, length);
    else
        sl_reader_init(vector, r->end, 0);
}

void sl_writer_init(sl_writer_t *w, void *buffer, apr_size_t size)
{
    w->start = w->at = buffer;
    w->end = w->start + size;
    w->failed = 0;
}

void sl_writer_bytes(sl_writer_t *w, const void *bytes, apr_size_t length)
{
    if (w->failed || (apr_size_t)(w->end - w->at) < length) {
        w->failed = 1;
        return;
    }
    if (length)
        memcpy(w->at, bytes, length);
    w->at += length;
}

void sl_writer_u8(sl_writer_t *w, unsigned value)
{
    unsigned char byte = (unsigned char)value;

    sl_writer_bytes(w, &byte, 1);
}

void sl_writer_u16(sl_writer_t *w, unsigned value)
{
    unsigned char bytes[2] = {(unsigned char)(value >> 8), (unsigned char)value};

    sl_writer_bytes(w, bytes, 2);
}

void sl_writer_u32(sl_writer_t *w, apr_uint32_t value)
{
    sl_writer_u16(w, value >> 16);
    sl_writer_u16(w, value & 0xffff);
}

apr_size_t sl_writer_length(const sl_writer_t *w)
{
    return (apr_size_t)(w->at - w->start);
}

apr_uint64_t sl_hash(apr_uint64_t hash, const void *bytes, apr_size_t length)
{
    const unsigned char *at = bytes;

    for (apr_size_t i = 0; i < length; i++)
        hash = (hash ^ at[i]) * APR_UINT64_C(1099511628211);
    return hash;
}
