/* Third step: OpenSSL's handshake, and a class for whatever ends it early. */
#include "conn/steps.h"

#include "crypto/openssl_error.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>

#define ALERT_RECORD_SIZE 7 /* in plain text */

/* What OpenSSL's reasons mean in either role; SL_FAIL_NONE: nothing in particular. */
static const struct {
    int openssl_reason;
    sl_failure_reason_t as_server, as_client;
} reasons[] = {
    {SSL_R_UNSUPPORTED_PROTOCOL, SL_FAIL_VERSION, SL_FAIL_VERSION},
    {SSL_R_VERSION_TOO_LOW, SL_FAIL_VERSION, SL_FAIL_VERSION},
    {SSL_R_NO_PROTOCOLS_AVAILABLE, SL_FAIL_VERSION, SL_FAIL_VERSION},
    {SSL_R_INAPPROPRIATE_FALLBACK, SL_FAIL_VERSION, SL_FAIL_VERSION},
    {SSL_R_NO_SHARED_CIPHER, SL_FAIL_SUITE, SL_FAIL_SUITE},
    {SSL_R_NO_SUITABLE_KEY_SHARE, SL_FAIL_SUITE, SL_FAIL_SUITE},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SL_FAIL_SUITE, SL_FAIL_SUITE},
    {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, SL_FAIL_SUITE, SL_FAIL_SUITE},
    {SSL_R_NO_SHARED_GROUPS, SL_FAIL_SUITE, SL_FAIL_SUITE},
    {SSL_R_NO_APPLICATION_PROTOCOL, SL_FAIL_ALPN, SL_FAIL_ALPN},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, SL_FAIL_CLIENT_CERT, SL_FAIL_CLIENT_CERT},
    {SSL_R_CERTIFICATE_VERIFY_FAILED, SL_FAIL_CLIENT_CERT, SL_FAIL_BACKEND_CERT},
    {SSL_R_PSK_IDENTITY_NOT_FOUND, SL_FAIL_LOGIN, SL_FAIL_LOGIN},
    {SSL_R_UNEXPECTED_EOF_WHILE_READING, SL_FAIL_PEER_CLOSED, SL_FAIL_PEER_CLOSED},
    {SSL_R_WRONG_VERSION_NUMBER, SL_FAIL_NONE, SL_FAIL_NOT_TLS},
    {SSL_R_HTTP_REQUEST, SL_FAIL_NONE, SL_FAIL_NOT_TLS},
    {SSL_R_PACKET_LENGTH_TOO_LONG, SL_FAIL_NONE, SL_FAIL_NOT_TLS},
    {SSL_R_RECORD_LENGTH_MISMATCH, SL_FAIL_NONE, SL_FAIL_NOT_TLS},
    {SSL_R_BAD_RECORD_TYPE, SL_FAIL_NONE, SL_FAIL_NOT_TLS},
};

/* Did we answer the hello with nothing but an alert that blames it? */
static int is_hello_refused(const sl_conn_t *conn)
{
    return conn->failure.alert_sent >= 0 && conn->failure.alert_sent != SSL_AD_INTERNAL_ERROR &&
           BIO_number_written(SSL_get_wbio(conn->ssl)) <= ALERT_RECORD_SIZE;
}

/* The keys that a wrong password leads to open nothing. */
static int is_wrong_password(SSL *ssl, unsigned long error)
{
    const SSL_CIPHER *cipher = SSL_get_pending_cipher(ssl);

    return ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC &&
           cipher && SSL_CIPHER_get_kx_nid(cipher) == NID_kx_srp;
}

static sl_failure_reason_t meaning(const sl_conn_t *conn, unsigned long error)
{
    for (apr_size_t i = 0; ERR_GET_LIB(error) == ERR_LIB_SSL && i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (ERR_GET_REASON(error) == reasons[i].openssl_reason)
            return conn->target ? reasons[i].as_client : reasons[i].as_server;
    }
    return SL_FAIL_NONE;
}

static sl_failure_reason_t classify(const sl_conn_t *conn, unsigned long error)
{
    sl_failure_reason_t known = conn->failure.reason != SL_FAIL_NONE ? conn->failure.reason : meaning(conn, error);

    if (known != SL_FAIL_NONE)
        return known;
    if (is_wrong_password(conn->ssl, error))
        return SL_FAIL_LOGIN;
    if (conn->failure.alert_received >= 0)
        return SL_FAIL_ALERT;
    if (!conn->target && is_hello_refused(conn))
        return SL_FAIL_BAD_HELLO;
    return error ? SL_FAIL_OTHER : SL_FAIL_PEER_CLOSED;
}

/* The hello's memory goes unless its variables are wanted; what OpenSSL has not read of it must stay. */
static void let_hello_go(sl_conn_t *conn)
{
    if (!conn->vhost || conn->vhost->keep_hello || conn->bytes_taken < conn->bytes.length)
        return;
    conn->hello = NULL;
    sl_hello_buffer_init(&conn->bytes, NULL);
    conn->bytes_taken = 0;
    apr_pool_destroy(conn->hello_pool);
    conn->hello_pool = NULL;
}

static void freeze_facts(sl_conn_t *conn)
{
    long result = SSL_get_verify_result(conn->ssl);

    conn->handshake_time = sl_world_now(conn->host->world) - conn->began;
    /* A resumed session brings the result of its first handshake along: the same scope means the same policy. */
    if (conn->verify_mode == SL_VERIFY_OPTIONAL_NO_CA && result != X509_V_OK)
        conn->verify_generous = (int)result;
    if (!conn->target)
        sl_tickets_take_chain(conn);
    conn->failure.alert_received = conn->failure.alert_sent = -1;
    let_hello_go(conn);
}

void sl_step_prepare(sl_conn_t *conn)
{
    sl_openssl_error_clear();
    conn->read_status = APR_SUCCESS;
}

sl_step_t sl_step_look(sl_conn_t *conn, int rv)
{
    unsigned long error;

    if (SSL_get_error(conn->ssl, rv) == SSL_ERROR_WANT_READ)
        return conn->read_status == APR_SUCCESS ? SL_STEP_ON : SL_STEP_READ;
    error = ERR_peek_error();
    sl_conn_fail(conn, classify(conn, error), error ? sl_openssl_error_take(conn->pool) : NULL);
    return SL_STEP_DONE;
}

sl_step_t sl_step_handshake(sl_conn_t *conn)
{
    int rv;

    sl_step_prepare(conn);
    rv = SSL_do_handshake(conn->ssl);
    if (rv != 1)
        return sl_step_look(conn, rv);
    /* OpenSSL asks nobody for a certificate who logs in with nothing but a password. */
    if (!conn->target && conn->verify_mode == SL_VERIFY_REQUIRE && !SSL_get0_peer_certificate(conn->ssl)) {
        sl_conn_fail(conn, SL_FAIL_CLIENT_CERT, "a password is no certificate");
        return SL_STEP_DONE;
    }
    conn->state = SL_STATE_OPEN;
    freeze_facts(conn);
    if (conn->target)
        (void)sl_connect_accepts(conn);
    return SL_STEP_DONE;
}
