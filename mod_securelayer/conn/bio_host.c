/* The BIO below every SSL: first gives OpenSSL the bytes of the hello that we read already, then asks the host. */
#include "conn/steps.h"

#include <openssl/bio.h>
#include <pthread.h>
#include <string.h>

/* Made by the first connection of a process, so by children alone, and never freed: BIOs live as long as the process,
 * and at its end threads may still use them. */
static BIO_METHOD *method;
static int type;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int host_read(BIO *bio, char *buffer, int size)
{
    sl_conn_t *conn = BIO_get_data(bio);
    apr_size_t kept = conn->bytes.length - conn->bytes_taken;
    apr_size_t length = (apr_size_t)size;
    apr_status_t rv;

    BIO_clear_retry_flags(bio);
    if (size <= 0)
        return 0;
    if (kept) {
        if (length > kept)
            length = kept;
        memcpy(buffer, conn->bytes.bytes + conn->bytes_taken, length);
        conn->bytes_taken += length;
        return (int)length;
    }
    rv = conn->host->read(conn->baton, (unsigned char *)buffer, &length);
    conn->read_status = rv;
    if (rv == APR_SUCCESS)
        return (int)length;
    if (APR_STATUS_IS_EAGAIN(rv) || APR_STATUS_IS_TIMEUP(rv)) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (rv == APR_EOF)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return rv == APR_EOF ? 0 : -1;
}

static int host_write(BIO *bio, const char *bytes, int length)
{
    sl_conn_t *conn = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (length <= 0)
        return 0;
    return conn->host->write(conn->baton, (const unsigned char *)bytes, (apr_size_t)length) == APR_SUCCESS ? length
                                                                                                           : -1;
}

static long host_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH: /* the host sends when the machine waits */
        return 1;
    case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    default:
        return 0;
    }
}

static void make_method(void)
{
    type = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK;
    method = BIO_meth_new(type, "httpd connection");
    if (!method)
        return;
    BIO_meth_set_read(method, host_read);
    BIO_meth_set_write(method, host_write);
    BIO_meth_set_ctrl(method, host_ctrl);
}

BIO *sl_bio_host_new(sl_conn_t *conn)
{
    BIO *bio;

    pthread_once(&once, make_method);
    bio = method ? BIO_new(method) : NULL;
    if (bio) {
        BIO_set_data(bio, conn);
        BIO_set_init(bio, 1);
    }
    return bio;
}

sl_conn_t *sl_bio_host_conn(const SSL *ssl)
{
    BIO *bio = SSL_get_rbio(ssl);

    bio = bio ? BIO_find_type(bio, type) : NULL;
    return bio ? BIO_get_data(bio) : NULL;
}
