/* Plain text into records.  Small buckets are gathered into full records, large memory is encrypted where it lies,
 * files are read (or mapped) in large pieces; bio_brigade.c collects the records into few writes. */
#include "httpd/filter_out.h"

#include <httpd.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_protocol.h>

#include <mod_securelayer.h>

#include "httpd/bio_brigade.h"
#include "httpd/conn_hooks.h"
#include "httpd/link.h"

#define RECORD_SIZE 16384
/* A file that httpd does not map into memory is read in pieces of this size. */
#define FILE_PIECE 65536

/* Plain text waiting to fill a record; lives on the stack of one pass. */
typedef struct sl_gather_t {
    sl_link_t *link;
    int flushed; /* by this pass */
    apr_size_t length;
    char bytes[RECORD_SIZE];
} sl_gather_t;

static apr_status_t write_gathered(sl_gather_t *gather)
{
    apr_size_t length = gather->length;

    gather->length = 0;
    return length ? sl_conn_write(gather->link->tls, gather->bytes, length) : APR_SUCCESS;
}

static apr_status_t encrypt(sl_gather_t *gather, const char *bytes, apr_size_t length)
{
    apr_size_t whole;
    apr_status_t rv;

    if (gather->length) {
        apr_size_t room = RECORD_SIZE - gather->length;

        if (room > length)
            room = length;
        memcpy(gather->bytes + gather->length, bytes, room);
        gather->length += room;
        bytes += room;
        length -= room;
        if (gather->length < RECORD_SIZE)
            return APR_SUCCESS;
        rv = write_gathered(gather);
        if (rv != APR_SUCCESS)
            return rv;
    }
    whole = length - length % RECORD_SIZE;
    if (whole) {
        rv = sl_conn_write(gather->link->tls, bytes, whole);
        if (rv != APR_SUCCESS)
            return rv;
    }
    memcpy(gather->bytes, bytes + whole, length - whole);
    gather->length = length - whole;
    return APR_SUCCESS;
}

/* Data that is there now; what a pipe or a CGI has not produced yet is waited for after sending what we have. */
static apr_status_t read_bucket(sl_gather_t *gather, apr_bucket *bucket, const char **bytes, apr_size_t *length)
{
    apr_status_t rv;

    if (APR_BUCKET_IS_FILE(bucket))
        apr_bucket_file_set_buf_size(bucket, FILE_PIECE);
    rv = apr_bucket_read(bucket, bytes, length, APR_NONBLOCK_READ);
    if (!APR_STATUS_IS_EAGAIN(rv))
        return rv;
    rv = write_gathered(gather);
    if (rv == APR_SUCCESS)
        rv = sl_brigade_flush(gather->link);
    return rv == APR_SUCCESS ? apr_bucket_read(bucket, bytes, length, APR_BLOCK_READ) : rv;
}

/* The connection ends: close_notify leaves now, for the socket is shut down next. */
static apr_status_t send_end(sl_gather_t *gather)
{
    apr_status_t rv;

    sl_conn_hooks_shutdown(gather->link);
    rv = sl_brigade_flush(gather->link);
    if (rv == APR_SUCCESS && gather->flushed) /* else whoever ends the connection has no time */
        sl_conn_hooks_await_close(gather->link);
    return rv;
}

static apr_status_t send_metadata(sl_gather_t *gather, apr_bucket *bucket)
{
    apr_status_t rv = write_gathered(gather);

    if (APR_BUCKET_IS_FLUSH(bucket))
        gather->flushed = 1;
    if (rv == APR_SUCCESS && AP_BUCKET_IS_EOC(bucket))
        rv = send_end(gather);
    if (rv != APR_SUCCESS)
        return rv;
    APR_BUCKET_REMOVE(bucket);
    return sl_brigade_send_with(gather->link, bucket);
}

static apr_status_t send_brigade(sl_gather_t *gather, apr_bucket_brigade *bb)
{
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && !APR_BRIGADE_EMPTY(bb)) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(bb);
        const char *bytes;
        apr_size_t length;

        if (APR_BUCKET_IS_METADATA(bucket)) {
            rv = send_metadata(gather, bucket);
            continue;
        }
        rv = read_bucket(gather, bucket, &bytes, &length);
        if (rv == APR_SUCCESS && length)
            rv = encrypt(gather, bytes, length);
        if (rv == APR_SUCCESS)
            apr_bucket_delete(bucket);
    }
    return rv == APR_SUCCESS ? write_gathered(gather) : rv;
}

/* A connection that never became TLS, or is no more: nothing can be sent, but requests must end, and whoever still
 * produces data must learn that it is in vain. */
static apr_status_t drop(ap_filter_t *f, apr_bucket_brigade *bb)
{
    apr_bucket *bucket = APR_BRIGADE_FIRST(bb);
    apr_status_t rv;

    while (bucket != APR_BRIGADE_SENTINEL(bb)) {
        apr_bucket *next = APR_BUCKET_NEXT(bucket);

        if (!APR_BUCKET_IS_METADATA(bucket)) {
            apr_bucket_delete(bucket);
            f->c->aborted = 1;
        }
        bucket = next;
    }
    rv = ap_pass_brigade(f->next, bb);
    return f->c->aborted ? APR_ECONNABORTED : rv;
}

/* A connection to a backend begins with what is sent there first; its end is nothing to begin with. */
static int has_data(const sl_link_t *link, const apr_bucket_brigade *bb)
{
    for (apr_bucket *bucket = APR_BRIGADE_FIRST(bb); bucket != APR_BRIGADE_SENTINEL(bb);
         bucket = APR_BUCKET_NEXT(bucket)) {
        if (!APR_BUCKET_IS_METADATA(bucket))
            return 1;
    }
    return link->held_length != 0;
}

/* Encrypts. */
static apr_status_t filter_out(ap_filter_t *f, apr_bucket_brigade *bb)
{
    sl_link_t *link = f->ctx;
    sl_gather_t gather;
    apr_status_t rv;

    if (f->c->aborted) {
        apr_brigade_cleanup(bb);
        return APR_ECONNABORTED;
    }
    if (link->outgoing && link->tls->state < SL_STATE_OPEN && has_data(link, bb)) {
        rv = sl_conn_hooks_complete(link, APR_BLOCK_READ);
        if (rv != APR_SUCCESS) {
            apr_brigade_cleanup(bb);
            return rv;
        }
    }
    if (link->held_length) {
        APR_BRIGADE_PREPEND(bb, link->held);
        link->held_length = 0;
    }
    switch (link->tls->state) {
    case SL_STATE_PLAIN:
        return ap_pass_brigade(f->next, bb);
    case SL_STATE_OPEN:
        break;
    default:
        return drop(f, bb);
    }
    gather.link = link;
    gather.length = 0;
    gather.flushed = 0;
    rv = send_brigade(&gather, bb);
    if (rv == APR_SUCCESS)
        return sl_brigade_send_with(link, NULL);
    f->c->aborted = 1;
    sl_brigade_keep(link);
    apr_brigade_cleanup(bb);
    return rv;
}

/* The bytes of `bb` if it is all small pieces of memory, else 0. */
static apr_size_t small_length(const apr_bucket_brigade *bb)
{
    apr_size_t length = 0;

    for (apr_bucket *bucket = APR_BRIGADE_FIRST(bb); bucket != APR_BRIGADE_SENTINEL(bb);
         bucket = APR_BUCKET_NEXT(bucket)) {
        if (!APR_BUCKET_IS_HEAP(bucket) && !APR_BUCKET_IS_TRANSIENT(bucket) && !APR_BUCKET_IS_IMMORTAL(bucket) &&
            !APR_BUCKET_IS_POOL(bucket))
            return 0;
        length += bucket->length;
    }
    return length;
}

/* Held in the link, so that nothing is lost when this filter is taken away (mod_proxy does, for tunnels). */
/* Above it: holds back small pieces (a response's head) until more comes, so that they share a record. */
static apr_status_t filter_coalesce(ap_filter_t *f, apr_bucket_brigade *bb)
{
    sl_link_t *link = f->ctx;
    apr_size_t length = small_length(bb);

    if (!length || link->held_length + length >= RECORD_SIZE)
        return ap_pass_brigade(f->next, bb);
    link->held_length += length;
    return ap_save_brigade(f, &link->held, &bb, f->c->pool);
}

void sl_filter_out_register(void)
{
    ap_register_output_filter(SECURELAYER_FILTER_NAME, filter_out, NULL, AP_FTYPE_CONNECTION + 5);
    ap_register_output_filter(SECURELAYER_COALESCE_FILTER_NAME, filter_coalesce, NULL, AP_FTYPE_CONNECTION + 4);
}
