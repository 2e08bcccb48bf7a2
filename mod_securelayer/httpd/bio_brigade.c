/* Encrypted bytes in and out.
 *
 * Outgoing records gather in scratch memory of the thread, several records to one write, and go down as one transient
 * bucket: a connection that is idle owns no output buffer.  Incoming bytes stay in the buckets the network filter
 * gave us until OpenSSL takes them.  Called by the BIO (through sl_host_t), by the filters and by conn_hooks. */
#include "httpd/bio_brigade.h"

#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>

#include <pthread.h>
#include <stdlib.h>

#include "httpd/trace.h"

/* Four full records and their overhead (RFC 8446 section 5.2: at most 256 bytes each). */
#define SCRATCH_SIZE (4 * (16384 + 256 + 5))
/* What the network filter may hold back (THRESHOLD_MIN_WRITE of httpd's core). */
#define SMALL_WRITE 4096
/* No value that a socket's timeout can have. */
#define NOT_CHANGED -2

typedef struct sl_scratch_t {
    int is_threads;     /* belongs to the thread, else made for this one use */
    int taken;
    apr_size_t length;
    unsigned char bytes[SCRATCH_SIZE];
} sl_scratch_t;

/* Never deleted: threads may outlive any cleanup; at the end of one free() runs, no code of ours. */
static pthread_key_t scratch_key;
static int has_scratch_key;

void sl_brigade_start(void)
{
    has_scratch_key = pthread_key_create(&scratch_key, free) == 0;
}

static sl_scratch_t *take_scratch(void)
{
    sl_scratch_t *scratch;

    scratch = has_scratch_key ? pthread_getspecific(scratch_key) : NULL;
    if (!scratch || scratch->taken) {
        int is_threads = has_scratch_key && !scratch;

        scratch = malloc(sizeof(*scratch));
        if (!scratch)
            return NULL;
        scratch->is_threads = is_threads && pthread_setspecific(scratch_key, scratch) == 0;
    }
    scratch->taken = 1;
    scratch->length = 0;
    return scratch;
}

static void give_back_scratch(sl_scratch_t *scratch)
{
    if (!scratch)
        return;
    if (scratch->is_threads)
        scratch->taken = 0;
    else
        free(scratch);
}

/* ---- incoming ---- */

static apr_status_t wait_limit(sl_link_t *link, apr_read_type_e block, apr_interval_time_t *saved)
{
    apr_socket_t *socket = ap_get_conn_socket(link->c);
    apr_interval_time_t left;

    *saved = NOT_CHANGED;
    if (block != APR_BLOCK_READ || !link->deadline || !socket)
        return APR_SUCCESS;
    left = link->deadline - apr_time_now();
    if (left <= 0)
        return APR_TIMEUP;
    apr_socket_timeout_get(socket, saved);
    if (*saved < 0 || *saved > left)
        apr_socket_timeout_set(socket, left);
    else
        *saved = NOT_CHANGED;
    return APR_SUCCESS;
}

/* Asks for just what OpenSSL wants (a record's header, then its rest): the network filter would otherwise try the
 * socket once more after every read. */
static apr_status_t read_below(sl_link_t *link, apr_read_type_e block, apr_size_t wanted)
{
    apr_interval_time_t saved;
    apr_status_t rv = wait_limit(link, block, &saved);

    if (rv != APR_SUCCESS)
        return rv;
    rv = ap_get_brigade(link->input->next, link->received, AP_MODE_READBYTES, block, (apr_off_t)wanted);
    if (saved != NOT_CHANGED)
        apr_socket_timeout_set(ap_get_conn_socket(link->c), saved);
    if (rv == APR_SUCCESS && APR_BRIGADE_EMPTY(link->received))
        return block == APR_BLOCK_READ ? APR_EOF : APR_EAGAIN;
    return rv;
}

/* Before it waits the peer must have what was written; but if the peer has sent already, that may leave with the
 * answer. */
static apr_status_t fill(sl_link_t *link, apr_size_t wanted)
{
    apr_status_t rv;

    if (!link->received)
        link->received = apr_brigade_create(link->c->pool, link->c->bucket_alloc);
    if (link->block == APR_BLOCK_READ && sl_brigade_has_output(link)) {
        rv = read_below(link, APR_NONBLOCK_READ, wanted);
        if (!APR_STATUS_IS_EAGAIN(rv))
            return rv;
        rv = sl_brigade_flush(link);
        if (rv != APR_SUCCESS)
            return rv;
    }
    return read_below(link, link->block, wanted);
}

/* Makes link->at point to unread bytes. */
static apr_status_t find_bytes(sl_link_t *link, apr_size_t wanted)
{
    while (!link->at_length) {
        apr_bucket *bucket;
        apr_status_t rv;

        if (!link->received || APR_BRIGADE_EMPTY(link->received)) {
            rv = fill(link, wanted);
            if (rv != APR_SUCCESS)
                return rv;
        }
        bucket = APR_BRIGADE_FIRST(link->received);
        if (APR_BUCKET_IS_EOS(bucket))
            return APR_EOF;
        rv = apr_bucket_read(bucket, &link->at, &link->at_length, link->block);
        if (rv != APR_SUCCESS)
            return rv;
        if (!link->at_length)
            apr_bucket_delete(bucket); /* empty, or metadata */
    }
    return APR_SUCCESS;
}

static void take_bytes(sl_link_t *link, unsigned char *to, apr_size_t length)
{
    memcpy(to, link->at, length);
    link->at += length;
    link->at_length -= length;
    if (!link->at_length)
        apr_bucket_delete(APR_BRIGADE_FIRST(link->received));
}

apr_status_t sl_brigade_read(void *baton, unsigned char *buffer, apr_size_t *length)
{
    sl_link_t *link = baton;
    apr_status_t rv = link->broken ? link->broken : find_bytes(link, *length);
    apr_size_t wanted = *length;

    if (rv != APR_SUCCESS) {
        *length = 0;
        sl_trace_read(link, rv, NULL, 0, wanted);
        if (!APR_STATUS_IS_EAGAIN(rv) && !APR_STATUS_IS_TIMEUP(rv))
            link->broken = rv;
        return rv;
    }
    if (*length > link->at_length)
        *length = link->at_length;
    take_bytes(link, buffer, *length);
    link->bytes_read += (apr_off_t)*length;
    sl_trace_read(link, APR_SUCCESS, buffer, *length, wanted);
    return APR_SUCCESS;
}

void sl_brigade_take_input(sl_link_t *link, apr_bucket_brigade *bb)
{
    if (link->at_length) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(link->received);

        apr_bucket_split(bucket, bucket->length - link->at_length);
        apr_bucket_delete(bucket);
        link->at_length = 0;
    }
    if (link->received)
        APR_BRIGADE_CONCAT(bb, link->received);
}

/* ---- outgoing ---- */

static void make_to_send(sl_link_t *link)
{
    if (!link->to_send)
        link->to_send = apr_brigade_create(link->c->pool, link->c->bucket_alloc);
}

apr_bucket *sl_brigade_copy(sl_link_t *link, const void *bytes, apr_size_t length)
{
    char *copy = malloc(length);

    if (!copy)
        abort();
    memcpy(copy, bytes, length);
    return apr_bucket_heap_create(copy, length, free, link->c->bucket_alloc);
}

/* What is small may be kept by the network filter until there is more: copied now it is copied once, and to a better
 * place. */
static apr_bucket *bucket_of_scratch(sl_link_t *link, const sl_scratch_t *scratch)
{
    if (scratch->length < SMALL_WRITE)
        return sl_brigade_copy(link, scratch->bytes, scratch->length);
    return apr_bucket_transient_create((const char *)scratch->bytes, scratch->length, link->c->bucket_alloc);
}

apr_status_t sl_brigade_send_with(sl_link_t *link, apr_bucket *last)
{
    sl_scratch_t *scratch = link->scratch;
    apr_bucket_brigade *bb;
    apr_status_t rv = APR_SUCCESS;

    make_to_send(link);
    bb = link->to_send;
    /* A bucket that is destroyed on the way may write to this connection. */
    link->to_send = NULL;
    link->scratch = NULL;
    if (scratch && scratch->length)
        APR_BRIGADE_INSERT_TAIL(bb, bucket_of_scratch(link, scratch));
    if (last)
        APR_BRIGADE_INSERT_TAIL(bb, last);
    if (!APR_BRIGADE_EMPTY(bb)) {
        rv = ap_pass_brigade(link->output->next, bb);
        apr_brigade_cleanup(bb);
    }
    if (!link->to_send)
        link->to_send = bb;
    give_back_scratch(scratch);
    if (rv != APR_SUCCESS && !link->broken)
        link->broken = rv;
    return rv;
}

void sl_brigade_keep(sl_link_t *link)
{
    if (link->scratch && link->scratch->length) {
        make_to_send(link);
        APR_BRIGADE_INSERT_TAIL(link->to_send, sl_brigade_copy(link, link->scratch->bytes, link->scratch->length));
    }
    give_back_scratch(link->scratch);
    link->scratch = NULL;
}

int sl_brigade_has_output(const sl_link_t *link)
{
    return (link->scratch && link->scratch->length) || (link->to_send && !APR_BRIGADE_EMPTY(link->to_send));
}

apr_status_t sl_brigade_flush(sl_link_t *link)
{
    if (sl_brigade_has_output(link))
        return sl_brigade_send_with(link, apr_bucket_flush_create(link->c->bucket_alloc));
    give_back_scratch(link->scratch);
    link->scratch = NULL;
    return APR_SUCCESS;
}

static apr_status_t gather(sl_link_t *link, const unsigned char *bytes, apr_size_t length)
{
    while (length) {
        apr_size_t room;

        if (!link->scratch && !(link->scratch = take_scratch()))
            return APR_ENOMEM;
        room = SCRATCH_SIZE - link->scratch->length;
        if (room < length && link->scratch->length) {
            apr_status_t rv = sl_brigade_send_with(link, NULL);

            if (rv != APR_SUCCESS)
                return rv;
            continue;
        }
        if (room > length)
            room = length;
        memcpy(link->scratch->bytes + link->scratch->length, bytes, room);
        link->scratch->length += room;
        bytes += room;
        length -= room;
    }
    return APR_SUCCESS;
}

apr_status_t sl_brigade_write(void *baton, const unsigned char *bytes, apr_size_t length)
{
    sl_link_t *link = baton;
    apr_status_t rv = gather(link, bytes, length);

    sl_trace_write(link, rv, bytes, length);
    return rv;
}
