/* Decrypted bytes for httpd.  Records are decrypted into buckets of their exact size, kept in link->plain until the
 * reader's mode says how much it takes; a plain HTTP connection takes the same way without decryption. */
#include "httpd/filter_in.h"

#include <http_connection.h>

#include "httpd/bio_brigade.h"
#include "httpd/conn_hooks.h"

/* Plain text of one TLS record (RFC 8446 section 5.1). */
#define RECORD_SIZE 16384
#define LONGEST_LINE 8192

static apr_status_t decrypt(sl_link_t *link)
{
    unsigned char record[RECORD_SIZE];
    apr_size_t length = sizeof(record);
    apr_status_t rv = sl_conn_read(link->tls, record, &length);

    if (rv != APR_SUCCESS) {
        /* What OpenSSL wanted to tell the peer (an alert, a key update) must not wait for the next response. */
        if (sl_brigade_has_output(link))
            (void)sl_brigade_flush(link);
        return rv;
    }
    APR_BRIGADE_INSERT_TAIL(link->plain, sl_brigade_copy(link, record, length));
    return APR_SUCCESS;
}

/* A connection without TLS: first the bytes in which we looked for a hello, then what follows them. */
static apr_status_t pass_plain(sl_link_t *link, apr_read_type_e block)
{
    sl_conn_t *tls = link->tls;
    apr_size_t left = tls->bytes.length - tls->bytes_taken;
    apr_status_t rv;

    if (left) {
        APR_BRIGADE_INSERT_TAIL(link->plain, apr_bucket_heap_create((char *)tls->bytes.bytes + tls->bytes_taken, left,
                                                                   NULL, link->c->bucket_alloc));
        tls->bytes_taken = tls->bytes.length;
        return APR_SUCCESS;
    }
    if (link->received && !APR_BRIGADE_EMPTY(link->received)) {
        APR_BRIGADE_CONCAT(link->plain, link->received);
        return APR_SUCCESS;
    }
    rv = ap_get_brigade(link->input->next, link->plain, AP_MODE_READBYTES, block, RECORD_SIZE);
    if (rv == APR_SUCCESS && APR_BRIGADE_EMPTY(link->plain))
        return block == APR_BLOCK_READ ? APR_EOF : APR_EAGAIN;
    return rv;
}

/* At least one more byte into link->plain. */
static apr_status_t fetch(sl_link_t *link, apr_read_type_e block)
{
    if (!link->plain)
        link->plain = apr_brigade_create(link->c->pool, link->c->bucket_alloc);
    if (link->tls->state == SL_STATE_PLAIN)
        return pass_plain(link, block);
    link->block = block;
    return decrypt(link);
}

static int is_empty(const sl_link_t *link)
{
    return !link->plain || APR_BRIGADE_EMPTY(link->plain);
}

static int ends_with_newline(const apr_bucket_brigade *bb)
{
    const apr_bucket *last = APR_BRIGADE_LAST(bb);
    const char *bytes;
    apr_size_t length;

    if (APR_BRIGADE_EMPTY(bb) || APR_BUCKET_IS_METADATA(last))
        return 0;
    return apr_bucket_read((apr_bucket *)last, &bytes, &length, APR_BLOCK_READ) == APR_SUCCESS && length
           && bytes[length - 1] == '\n';
}

static apr_status_t get_line(sl_link_t *link, apr_bucket_brigade *bb, apr_read_type_e block)
{
    apr_off_t got = 0;
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS) {
        if (is_empty(link) && (rv = fetch(link, block)) != APR_SUCCESS)
            break;
        rv = apr_brigade_split_line(bb, link->plain, block, LONGEST_LINE);
        if (rv == APR_SUCCESS && ends_with_newline(bb))
            return APR_SUCCESS;
        apr_brigade_length(bb, 0, &got);
        if (got >= LONGEST_LINE)
            return rv;
    }
    return got && (APR_STATUS_IS_EAGAIN(rv) || rv == APR_EOF) ? APR_SUCCESS : rv;
}

static apr_status_t get_bytes(sl_link_t *link, apr_bucket_brigade *bb, apr_read_type_e block, apr_off_t wanted)
{
    apr_bucket *after;
    apr_status_t rv = is_empty(link) ? fetch(link, block) : APR_SUCCESS;

    if (rv != APR_SUCCESS)
        return rv;
    rv = apr_brigade_partition(link->plain, wanted, &after);
    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE)
        return rv;
    while (APR_BRIGADE_FIRST(link->plain) != after) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(link->plain);

        APR_BUCKET_REMOVE(bucket);
        APR_BRIGADE_INSERT_TAIL(bb, bucket);
    }
    return APR_SUCCESS;
}

static apr_status_t peek_bytes(sl_link_t *link, apr_bucket_brigade *bb, apr_read_type_e block, apr_off_t wanted)
{
    apr_bucket *after;
    apr_off_t there = 0;
    apr_status_t rv = is_empty(link) ? fetch(link, block) : APR_SUCCESS;

    while (rv == APR_SUCCESS && apr_brigade_length(link->plain, 0, &there) == APR_SUCCESS && there < wanted)
        rv = fetch(link, APR_NONBLOCK_READ);
    if (!there)
        return rv;
    rv = apr_brigade_partition(link->plain, wanted, &after);
    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE)
        return rv;
    for (apr_bucket *bucket = APR_BRIGADE_FIRST(link->plain); bucket != after; bucket = APR_BUCKET_NEXT(bucket)) {
        apr_bucket *copy;

        rv = apr_bucket_copy(bucket, &copy);
        if (rv != APR_SUCCESS)
            return rv;
        APR_BRIGADE_INSERT_TAIL(bb, copy);
    }
    return APR_SUCCESS;
}

/* Blank lines between pipelined requests. */
static apr_status_t eat_newlines(sl_link_t *link)
{
    apr_status_t rv = APR_SUCCESS;

    while (!is_empty(link) || (rv = fetch(link, APR_NONBLOCK_READ)) == APR_SUCCESS) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(link->plain);
        const char *bytes;
        apr_size_t length, blank = 0;

        if (APR_BUCKET_IS_METADATA(bucket) || apr_bucket_read(bucket, &bytes, &length, APR_BLOCK_READ) != APR_SUCCESS)
            break;
        while (blank < length && (bytes[blank] == '\r' || bytes[blank] == '\n'))
            blank++;
        if (blank && blank < length)
            apr_bucket_split(bucket, blank);
        if (blank)
            apr_bucket_delete(bucket);
        if (blank < length)
            break;
    }
    return APR_STATUS_IS_EAGAIN(rv) ? APR_SUCCESS : rv;
}

static apr_status_t take_all(sl_link_t *link, apr_bucket_brigade *bb, apr_read_type_e block)
{
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS)
        rv = fetch(link, block);
    APR_BRIGADE_CONCAT(bb, link->plain);
    return rv == APR_EOF || APR_STATUS_IS_EAGAIN(rv) ? APR_SUCCESS : rv;
}

apr_status_t sl_filter_in(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode, apr_read_type_e block,
                          apr_off_t readbytes)
{
    sl_link_t *link = f->ctx;
    apr_status_t rv;

    if (f->c->aborted) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(f->c->bucket_alloc));
        return APR_ECONNABORTED;
    }
    rv = sl_conn_hooks_complete(link, block);
    if (rv != APR_SUCCESS || mode == AP_MODE_INIT)
        return rv;
    switch (mode) {
    case AP_MODE_READBYTES:
        return get_bytes(link, bb, block, readbytes);
    case AP_MODE_GETLINE:
        return get_line(link, bb, block);
    case AP_MODE_SPECULATIVE:
        return peek_bytes(link, bb, block, readbytes);
    case AP_MODE_EATCRLF:
        return eat_newlines(link);
    case AP_MODE_EXHAUSTIVE:
        return take_all(link, bb, block);
    default:
        return APR_ENOTIMPL;
    }
}
