/* Making, reading, writing and ending a connection.  The handshake is in machine.c and the steps. */
#include "conn/conn.h"

#include "base/text.h"
#include "crypto/openssl_error.h"

#include <apr_strings.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <string.h>

/* Turns of OpenSSL that give no data, in a row: a key update that is answered takes two. Each costs us far more than
 * the peer. */
#define MOST_BARREN 64

static apr_status_t free_conn(void *baton)
{
    sl_conn_t *conn = baton;

    conn->hello_pool = NULL; /* part of the pool that goes, and gone before it */
    sl_conn_free(conn);
    return APR_SUCCESS;
}

sl_conn_t *sl_conn_make(apr_pool_t *pool, const sl_host_t *host, void *baton)
{
    sl_conn_t *conn = apr_pcalloc(pool, sizeof(*conn));

    conn->pool = pool;
    conn->host = host;
    conn->baton = baton;
    conn->state = SL_STATE_HELLO;
    conn->started = sl_world_now(host->world);
    conn->failure.alert_sent = conn->failure.alert_received = -1;
    apr_pool_cleanup_register(pool, conn, free_conn, apr_pool_cleanup_null);
    return conn;
}

void sl_conn_free(sl_conn_t *conn)
{
    SSL_free(conn->ssl);
    conn->ssl = NULL;
    sk_X509_pop_free(conn->resumed_chain, X509_free);
    conn->resumed_chain = NULL;
    sl_identity_release(conn->challenge);
    conn->challenge = NULL;
    SSL_SESSION_free(conn->fresh_session);
    conn->fresh_session = NULL;
    if (conn->target)
        SSL_SESSION_free(conn->target->session);
    conn->target = NULL;
    sl_identity_release(atomic_exchange(&conn->resumed_identity, NULL));
    for (int i = 0; conn->identities && i < conn->identities->nelts; i++)
        sl_identity_release(APR_ARRAY_IDX(conn->identities, i, sl_identity_t *));
    conn->identities = NULL;
    sl_trust_release(conn->trust);
    conn->trust = NULL;
    if (conn->hello_pool)
        apr_pool_destroy(conn->hello_pool);
    conn->hello_pool = NULL;
    conn->hello = NULL;
    sl_hello_buffer_init(&conn->bytes, NULL);
    conn->bytes_taken = 0;
    if (conn->state != SL_STATE_FAILED)
        conn->state = SL_STATE_CLOSED;
}

/* RFC 5246 section 7.2.2 and RFC 8446 section 6.2: what ended in a fatal alert is not resumed. */
static void forget_session(sl_conn_t *conn)
{
    const SSL_SESSION *session = conn->ssl && conn->session_kept ? SSL_get0_session(conn->ssl) : NULL;
    const unsigned char *id;
    unsigned int length;

    if (!session || (conn->failure.alert_sent < 0 && conn->failure.alert_received < 0))
        return;
    id = SSL_SESSION_get_id(session, &length);
    conn->session_kept = 0;
    if (length && conn->host->remove_session)
        conn->host->remove_session(conn->baton, id, length);
}

void sl_conn_fail(sl_conn_t *conn, sl_failure_reason_t reason, const char *detail)
{
    if (conn->state == SL_STATE_FAILED)
        return;
    conn->state = SL_STATE_FAILED;
    conn->failure.reason = reason;
    forget_session(conn);
    if (detail)
        conn->failure.detail = sl_text_printable(conn->pool, detail, 300);
}

/* An error of TLS: the peer's alert, or what we sent one for. */
static apr_status_t tls_error(sl_conn_t *conn)
{
    sl_conn_fail(conn, conn->failure.alert_received >= 0 ? SL_FAIL_ALERT : SL_FAIL_OTHER,
                 sl_openssl_error_take(conn->pool));
    return APR_ECONNABORTED;
}

static apr_status_t read_error(sl_conn_t *conn, int rv)
{
    apr_status_t status = conn->read_status;

    switch (SSL_get_error(conn->ssl, rv)) {
    case SSL_ERROR_WANT_READ:
        return status; /* APR_SUCCESS: a record without application data */
    case SSL_ERROR_ZERO_RETURN:
        return APR_EOF;
    case SSL_ERROR_SYSCALL:
        sl_conn_fail(conn, SL_FAIL_PEER_CLOSED, NULL);
        return status != APR_SUCCESS ? status : APR_ECONNRESET;
    default:
        return tls_error(conn);
    }
}

/* Until there is data or the host has no more bytes: what is left with the host would wake nobody. */
apr_status_t sl_conn_read(sl_conn_t *conn, void *buffer, apr_size_t *length)
{
    apr_size_t size = *length;

    while (conn->state == SL_STATE_OPEN) {
        apr_status_t status;
        int rv;

        sl_openssl_error_clear();
        conn->read_status = APR_SUCCESS;
        rv = SSL_read_ex(conn->ssl, buffer, size, length);
        if (conn->look_again && !conn->look_again(conn))
            break;
        if (rv == 1) {
            conn->barren = 0;
            return APR_SUCCESS;
        }
        *length = 0;
        status = read_error(conn, rv);
        if (status != APR_SUCCESS)
            return status;
        if (++conn->barren > MOST_BARREN)
            sl_conn_fail(conn, SL_FAIL_OTHER, "too many records without data");
    }
    *length = 0;
    return conn->state == SL_STATE_CLOSED ? APR_EOF : APR_ECONNABORTED;
}

apr_status_t sl_conn_write(sl_conn_t *conn, const void *bytes, apr_size_t length)
{
    const char *at = bytes;

    if (conn->state != SL_STATE_OPEN)
        return APR_ECONNABORTED;
    while (length) {
        size_t written = 0;
        int rv;

        sl_openssl_error_clear();
        rv = SSL_write_ex(conn->ssl, at, length, &written);
        if (rv != 1 && SSL_get_error(conn->ssl, rv) == SSL_ERROR_SYSCALL) {
            sl_conn_fail(conn, SL_FAIL_PEER_CLOSED, NULL);
            return APR_ECONNABORTED;
        }
        if (rv != 1)
            return tls_error(conn);
        at += written;
        length -= written;
    }
    return APR_SUCCESS;
}

void sl_conn_close(sl_conn_t *conn, int notify)
{
    if (conn->state == SL_STATE_OPEN && notify) {
        sl_openssl_error_clear();
        (void)SSL_shutdown(conn->ssl);
        sl_openssl_error_clear();
    }
    if (conn->state != SL_STATE_FAILED)
        conn->state = SL_STATE_CLOSED;
}

apr_status_t sl_conn_await_close(sl_conn_t *conn)
{
    char waste[4096];
    size_t got;
    int rv;

    if (!conn->ssl || conn->state != SL_STATE_CLOSED)
        return APR_EOF;
    do {
        sl_openssl_error_clear();
        conn->read_status = APR_SUCCESS;
        rv = SSL_read_ex(conn->ssl, waste, sizeof(waste), &got);
    } while (rv == 1 || (SSL_get_error(conn->ssl, rv) == SSL_ERROR_WANT_READ && conn->read_status == APR_SUCCESS));
    sl_openssl_error_clear();
    if (sl_conn_peer_closed(conn))
        return APR_SUCCESS;
    return conn->read_status != APR_SUCCESS ? conn->read_status : APR_EOF;
}

int sl_conn_peer_closed(const sl_conn_t *conn)
{
    /* OpenSSL takes the bare end of the stream for a close_notify (SSL_OP_IGNORE_UNEXPECTED_EOF). */
    return conn->ssl && SSL_get_shutdown(conn->ssl) & SSL_RECEIVED_SHUTDOWN && !BIO_eof(SSL_get_rbio(conn->ssl));
}

X509 *sl_conn_peer(const sl_conn_t *conn)
{
    return conn->ssl && conn->verify_error == X509_V_OK ? SSL_get0_peer_certificate(conn->ssl) : NULL;
}
