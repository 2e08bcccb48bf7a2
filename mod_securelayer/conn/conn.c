/* Making, reading, writing and ending a connection.  The handshake is in machine.c and the steps. */
#include "conn/conn.h"

#include "base/text.h"
#include "crypto/openssl_error.h"

#include <apr_strings.h>
#include <limits.h>
#include <openssl/err.h>
#include <string.h>

static apr_status_t free_conn(void *conn)
{
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
    sl_identity_release(conn->challenge);
    conn->challenge = NULL;
}

void sl_conn_fail(sl_conn_t *conn, sl_failure_reason_t reason, const char *detail)
{
    if (conn->state == SL_STATE_FAILED)
        return;
    conn->state = SL_STATE_FAILED;
    conn->failure.reason = reason;
    if (detail)
        conn->failure.detail = sl_text_escape(conn->pool, detail, strlen(detail), 300);
}

static apr_status_t read_error(sl_conn_t *conn, int rv)
{
    switch (SSL_get_error(conn->ssl, rv)) {
    case SSL_ERROR_WANT_READ:
        return APR_EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return APR_EOF;
    case SSL_ERROR_SYSCALL:
        sl_conn_fail(conn, SL_FAIL_PEER_CLOSED, NULL);
        return APR_ECONNRESET;
    default:
        sl_conn_fail(conn, SL_FAIL_OTHER, sl_openssl_error_take(conn->pool));
        return APR_ECONNABORTED;
    }
}

apr_status_t sl_conn_read(sl_conn_t *conn, void *buffer, apr_size_t *length)
{
    size_t got = 0;
    int rv;

    if (conn->state != SL_STATE_OPEN)
        return APR_ECONNABORTED;
    sl_openssl_error_clear();
    rv = SSL_read_ex(conn->ssl, buffer, *length, &got);
    *length = got;
    return rv == 1 ? APR_SUCCESS : read_error(conn, rv);
}

apr_status_t sl_conn_peek(sl_conn_t *conn)
{
    size_t got;
    char byte;
    int rv;

    if (conn->state != SL_STATE_OPEN)
        return APR_ECONNABORTED;
    sl_openssl_error_clear();
    rv = SSL_peek_ex(conn->ssl, &byte, 1, &got);
    return rv == 1 ? APR_SUCCESS : read_error(conn, rv);
}

apr_status_t sl_conn_write(sl_conn_t *conn, const void *bytes, apr_size_t length)
{
    const char *at = bytes;

    if (conn->state != SL_STATE_OPEN)
        return APR_ECONNABORTED;
    while (length) {
        size_t written = 0;

        sl_openssl_error_clear();
        if (SSL_write_ex(conn->ssl, at, length, &written) != 1) {
            sl_conn_fail(conn, SL_FAIL_OTHER, sl_openssl_error_take(conn->pool));
            return APR_ECONNABORTED;
        }
        at += written;
        length -= written;
    }
    return APR_SUCCESS;
}

int sl_conn_has_data(const sl_conn_t *conn)
{
    return conn->state == SL_STATE_OPEN && SSL_has_pending(conn->ssl);
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

int sl_conn_peer_closed(const sl_conn_t *conn)
{
    return conn->ssl && SSL_get_shutdown(conn->ssl) & SSL_RECEIVED_SHUTDOWN;
}
