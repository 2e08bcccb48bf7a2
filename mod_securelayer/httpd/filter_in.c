/* Decrypted bytes for httpd.  Records are decrypted into buckets of their exact size, kept in link->plain until the
 * reader's mode says how much it takes; a plain HTTP connection takes the same way without decryption. */
#include "httpd/filter_in.h"

#include <httpd.h>
#include <http_connection.h>

#include <mod_securelayer.h>

#include "httpd/conn_hooks.h"
#include "httpd/decrypt.h"
#include "httpd/link.h"

#define LONGEST_LINE 8192

/* Reads until `wanted` bytes are in link->plain, waiting for the first at most. APR_SUCCESS if there is any. */
static apr_status_t gather(sl_link_t *link, apr_read_type_e block, apr_off_t wanted)
{
    apr_off_t there = 0;
    apr_status_t rv = sl_decrypt_is_empty(link) ? sl_decrypt_more(link, block) : APR_SUCCESS;

    while (rv == APR_SUCCESS && apr_brigade_length(link->plain, 0, &there) == APR_SUCCESS && there < wanted)
        rv = sl_decrypt_more(link, APR_NONBLOCK_READ);
    return sl_decrypt_is_empty(link) ? rv : APR_SUCCESS;
}

static int ends_with_newline(const apr_bucket_brigade *bb)
{
    apr_bucket *last = APR_BRIGADE_LAST(bb);
    const char *bytes;
    apr_size_t length;

    return !APR_BRIGADE_EMPTY(bb) && apr_bucket_read(last, &bytes, &length, APR_BLOCK_READ) == APR_SUCCESS && length &&
           bytes[length - 1] == '\n';
}

static apr_status_t get_line(sl_link_t *link, apr_bucket_brigade *bb, apr_read_type_e block)
{
    apr_off_t got = 0;
    apr_bucket *after;
    apr_status_t rv;

    do {
        rv = sl_decrypt_is_empty(link) ? sl_decrypt_more(link, block) : APR_SUCCESS;
        if (rv == APR_SUCCESS) /* where no line ends buckets are taken as they are */
            rv = apr_brigade_partition(link->plain, LONGEST_LINE - got, &after);
        if (rv == APR_SUCCESS || rv == APR_INCOMPLETE)
            rv = apr_brigade_split_line(bb, link->plain, block, LONGEST_LINE - got);
        if (rv == APR_SUCCESS)
            rv = apr_brigade_length(bb, 0, &got);
    } while (rv == APR_SUCCESS && got < LONGEST_LINE && !ends_with_newline(bb));
    return got && (APR_STATUS_IS_EAGAIN(rv) || rv == APR_EOF) ? APR_SUCCESS : rv;
}

static apr_status_t get_bytes(sl_link_t *link, apr_bucket_brigade *bb, apr_read_type_e block, apr_off_t wanted)
{
    apr_bucket *after;
    apr_status_t rv = sl_decrypt_is_empty(link) ? sl_decrypt_more(link, block) : APR_SUCCESS;

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
    apr_status_t rv = gather(link, block, wanted);

    if (rv != APR_SUCCESS)
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

/* How many bytes does the blank line take that `start` begins with? A CR alone is none. */
static apr_off_t blank_line(const char start[2])
{
    if (start[0] == '\n')
        return 1;
    return start[0] == '\r' && start[1] == '\n' ? 2 : 0;
}

/* Blank lines between pipelined requests. */
static apr_status_t eat_newlines(sl_link_t *link)
{
    apr_status_t rv;

    while ((rv = gather(link, APR_NONBLOCK_READ, 2)) == APR_SUCCESS) {
        char start[2] = "";
        apr_size_t length = sizeof(start);
        apr_bucket *after;
        apr_off_t blank;

        rv = apr_brigade_flatten(link->plain, start, &length);
        blank = blank_line(start);
        if (rv != APR_SUCCESS || !blank || (rv = apr_brigade_partition(link->plain, blank, &after)) != APR_SUCCESS)
            break;
        while (APR_BRIGADE_FIRST(link->plain) != after)
            apr_bucket_delete(APR_BRIGADE_FIRST(link->plain));
    }
    return APR_STATUS_IS_EAGAIN(rv) ? APR_SUCCESS : rv;
}

static apr_status_t take_all(sl_link_t *link, apr_bucket_brigade *bb, apr_read_type_e block)
{
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS)
        rv = sl_decrypt_more(link, block);
    if (sl_decrypt_is_empty(link))
        return rv;
    APR_BRIGADE_CONCAT(bb, link->plain);
    return APR_SUCCESS;
}

static apr_status_t filter_in(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode, apr_read_type_e block,
                              apr_off_t readbytes)
{
    sl_link_t *link = f->ctx;

    if (f->c->aborted) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(f->c->bucket_alloc));
        return APR_ECONNABORTED;
    }
    /* What was decrypted is delivered, whatever has become of the connection since. */
    if (mode == AP_MODE_INIT || sl_decrypt_is_empty(link)) {
        apr_status_t rv = sl_conn_hooks_complete(link, block);

        if (rv != APR_SUCCESS || mode == AP_MODE_INIT)
            return rv;
    }
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

void sl_filter_in_register(void)
{
    ap_register_input_filter(SECURELAYER_FILTER_NAME, filter_in, NULL, AP_FTYPE_CONNECTION + 5);
}
