/* Records of a TLS connection become heap buckets of their exact size in link->plain; a plain HTTP connection's bytes
 * get there without decryption.  Called by filter_in, and by conn_hooks to see whether a request has come. */
#include "httpd/decrypt.h"

#include "httpd/bio_brigade.h"
#include "httpd/proxy.h"

/* Plain text of one TLS record (RFC 8446 section 5.1). */
#define RECORD_SIZE 16384

static apr_status_t decrypt_record(sl_link_t *link, apr_read_type_e block)
{
    unsigned char record[RECORD_SIZE];
    apr_size_t length = sizeof(record);
    apr_status_t rv;

    link->block = block;
    rv = sl_conn_read(link->tls, record, &length);
    if (rv == APR_SUCCESS)
        APR_BRIGADE_INSERT_TAIL(link->plain, sl_brigade_copy(link, record, length));
    else if (link->outgoing)
        sl_proxy_note_failure(link);
    return rv;
}

/* What OpenSSL wrote while it read (an alert, a key update): it must not wait for the next response, nor pile up here
 * while the peer goes on sending. */
static void send_written(sl_link_t *link, apr_status_t read_status)
{
    if (read_status != APR_SUCCESS)
        (void)sl_brigade_flush(link);
    else if (link->scratch)
        (void)sl_brigade_send_with(link, NULL);
}

/* A bucket whose bytes were all taken as lines stays behind with none. */
int sl_decrypt_is_empty(sl_link_t *link)
{
    while (link->plain && !APR_BRIGADE_EMPTY(link->plain)) {
        apr_bucket *first = APR_BRIGADE_FIRST(link->plain);

        if (first->length || APR_BUCKET_IS_METADATA(first))
            return 0;
        apr_bucket_delete(first);
    }
    return 1;
}

/* A connection without TLS: first the bytes in which we looked for a hello, then what follows them. */
static apr_status_t pass_plain(sl_link_t *link, apr_read_type_e block)
{
    sl_conn_t *tls = link->tls;
    apr_size_t left = tls->bytes.length - tls->bytes_taken;
    apr_status_t rv;

    if (left) {
        APR_BRIGADE_INSERT_TAIL(link->plain, sl_brigade_copy(link, tls->bytes.bytes + tls->bytes_taken, left));
        tls->bytes_taken = tls->bytes.length;
        return APR_SUCCESS;
    }
    sl_brigade_take_input(link, link->plain);
    if (!sl_decrypt_is_empty(link))
        return APR_SUCCESS;
    rv = ap_get_brigade(link->input->next, link->plain, AP_MODE_READBYTES, block, RECORD_SIZE);
    if (rv != APR_SUCCESS)
        return rv;
    if (!sl_decrypt_is_empty(link) && APR_BUCKET_IS_EOS(APR_BRIGADE_FIRST(link->plain)))
        apr_brigade_cleanup(link->plain);
    if (sl_decrypt_is_empty(link))
        return block == APR_BLOCK_READ ? APR_EOF : APR_EAGAIN;
    return APR_SUCCESS;
}

static void make_plain(sl_link_t *link)
{
    if (!link->plain)
        link->plain = apr_brigade_create(link->c->pool, link->c->bucket_alloc);
}

apr_status_t sl_decrypt_more(sl_link_t *link, apr_read_type_e block)
{
    apr_status_t rv;

    make_plain(link);
    if (link->tls->state == SL_STATE_PLAIN)
        return pass_plain(link, block);
    rv = decrypt_record(link, block);
    send_written(link, rv);
    return rv;
}

apr_status_t sl_decrypt_ahead(sl_link_t *link)
{
    make_plain(link);
    return sl_decrypt_is_empty(link) ? decrypt_record(link, APR_NONBLOCK_READ) : APR_SUCCESS;
}
