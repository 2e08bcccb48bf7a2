/* Reads a request's body through the filters that decode it, and stands in their place afterwards.  Called by
 * demand.c. */
#include "httpd/body_buffer.h"

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <util_filter.h>

#include <apr_strings.h>
#include <mod_securelayer.h>

#include "httpd/module_config.h"

APLOG_USE_MODULE(sl);

#define PIECE 8192

int sl_body_buffer_is_due(const request_rec *r)
{
    const char *length = apr_table_get(r->headers_in, "Content-Length");

    if (r->expecting_100)
        return 0;
    return apr_table_get(r->headers_in, "Transfer-Encoding") || (length && strcmp(length, "0"));
}

/* ---- the filter ---- */

static apr_status_t take(apr_bucket_brigade *from, apr_bucket_brigade *to, apr_off_t wanted)
{
    apr_bucket *after;
    apr_status_t rv = apr_brigade_partition(from, wanted, &after);

    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE)
        return rv;
    while (APR_BRIGADE_FIRST(from) != after) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(from);

        APR_BUCKET_REMOVE(bucket);
        APR_BRIGADE_INSERT_TAIL(to, bucket);
    }
    return APR_SUCCESS;
}

/* After the last byte comes one EOS, then the end. */
static apr_status_t filter(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode, apr_read_type_e block,
                           apr_off_t wanted)
{
    apr_bucket_brigade *body = f->ctx;

    if (mode == AP_MODE_INIT)
        return APR_SUCCESS;
    if (APR_BRIGADE_EMPTY(body))
        return APR_EOF;
    switch (mode) {
    case AP_MODE_READBYTES:
        return take(body, bb, wanted);
    case AP_MODE_GETLINE:
        return apr_brigade_split_line(bb, body, block, HUGE_STRING_LEN);
    case AP_MODE_EXHAUSTIVE:
        APR_BRIGADE_CONCAT(bb, body);
        return APR_SUCCESS;
    default:
        return APR_ENOTIMPL;
    }
}

/* ---- filling it ---- */

static int too_large(request_rec *r, apr_off_t limit)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  "AH02018: request body exceeds maximum size (%" APR_OFF_T_FMT
                  ") for SSL buffer: it has to be read before "
                  "the client can be asked for a certificate; see SSLRenegBufferSize",
                  limit);
    r->connection->keepalive = AP_CONN_CLOSE;
    return HTTP_REQUEST_ENTITY_TOO_LARGE;
}

/* Moves the data of `piece` to `body`; 1 once the end was there. */
static int keep(request_rec *r, apr_bucket_brigade *piece, apr_bucket_brigade *body, apr_off_t *length,
                apr_status_t *status)
{
    *status = APR_SUCCESS;
    while (!APR_BRIGADE_EMPTY(piece)) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(piece);
        const char *bytes;
        apr_size_t size = 0;

        if (APR_BUCKET_IS_EOS(bucket))
            return 1;
        if (!APR_BUCKET_IS_METADATA(bucket)) {
            *status = apr_bucket_read(bucket, &bytes, &size, APR_BLOCK_READ);
            if (*status == APR_SUCCESS)
                *status = apr_bucket_setaside(bucket, r->pool);
            if (*status != APR_SUCCESS)
                return 0;
        }
        *length += (apr_off_t)size;
        APR_BUCKET_REMOVE(bucket);
        if (size)
            APR_BRIGADE_INSERT_TAIL(body, bucket);
        else
            apr_bucket_destroy(bucket);
    }
    return 0;
}

static int read_body(request_rec *r, apr_bucket_brigade *body, apr_off_t limit)
{
    apr_bucket_brigade *piece = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    apr_off_t length = 0;
    apr_status_t rv = APR_SUCCESS;
    int is_end = 0;

    while (!is_end) {
        rv = ap_get_brigade(r->proto_input_filters, piece, AP_MODE_READBYTES, APR_BLOCK_READ, PIECE);
        if (rv == APR_EOF) /* all of it was read before */
            break;
        if (rv == APR_SUCCESS)
            is_end = keep(r, piece, body, &length, &rv);
        if (rv != APR_SUCCESS) {
            ap_log_rerror(APLOG_MARK, APLOG_ERR, rv, r, "AH02015: could not read request body for SSL buffer");
            return ap_map_http_request_error(rv, HTTP_INTERNAL_SERVER_ERROR);
        }
        if (length > limit)
            return too_large(r, limit);
    }
    APR_BRIGADE_INSERT_TAIL(body, apr_bucket_eos_create(r->connection->bucket_alloc));
    return OK;
}

/* What decoded the body has seen its end and would ask the connection for more. */
static void replace_decoder(request_rec *r, apr_bucket_brigade *body)
{
    for (ap_filter_t *f = r->proto_input_filters, *next; f && f->frec->ftype < AP_FTYPE_CONNECTION; f = next) {
        next = f->next;
        if (!strcasecmp(f->frec->name, "HTTP_IN"))
            ap_remove_input_filter(f);
    }
    ap_add_input_filter(SECURELAYER_BUFFER_FILTER_NAME, body, r, r->connection);
}

int sl_body_buffer_fill(request_rec *r, apr_off_t limit)
{
    const char *length = apr_table_get(r->headers_in, "Content-Length");
    apr_bucket_brigade *body;
    int rv;

    if (limit == 0 || (length && apr_atoi64(length) > limit))
        return too_large(r, limit);
    body = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    rv = read_body(r, body, limit);
    if (rv == OK)
        replace_decoder(r, body);
    return rv;
}

void sl_body_buffer_register(void)
{
    ap_register_input_filter(SECURELAYER_BUFFER_FILTER_NAME, filter, NULL, AP_FTYPE_PROTOCOL);
}
