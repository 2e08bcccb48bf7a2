/* Last step, for some connections: a renegotiation or a post-handshake authentication, begun by reauth.c.
 *
 * The client may be sending when it is asked. What it sends before it answers goes to the host. */
#include "conn/steps.h"

#include <openssl/ssl.h>

#define PIECE 4096

/* 1: read, or nothing there; 0: the connection failed; -1: OpenSSL waits. */
static int read_data(sl_conn_t *conn, int *rv)
{
    unsigned char bytes[PIECE];
    size_t length = 0;

    *rv = SSL_read_ex(conn->ssl, bytes, sizeof(bytes), &length);
    if (*rv != 1)
        return -1;
    if (conn->host->keep && conn->host->keep(conn->baton, bytes, length) == APR_SUCCESS)
        return 1;
    sl_conn_fail(conn, SL_FAIL_OTHER, "the client sent too much before it answered the request for a certificate");
    return 0;
}

static void close_window(sl_conn_t *conn)
{
    SSL_set_options(conn->ssl, SSL_OP_NO_RENEGOTIATION);
    SSL_set_msg_callback(conn->ssl, NULL);
    conn->failure.alert_received = conn->failure.alert_sent = -1;
    conn->state = SL_STATE_OPEN;
}

/* OpenSSL asks for a renegotiation only when nothing it received is left to be read. */
static int ask(sl_conn_t *conn, int *rv)
{
    while (SSL_has_pending(conn->ssl)) {
        int got = read_data(conn, rv);

        if (got != 1)
            return got;
    }
    *rv = SSL_do_handshake(conn->ssl);
    conn->reauth_asked = *rv == 1;
    return *rv == 1 ? 1 : -1;
}

/* While OpenSSL is in the middle of the client's messages only it may read. */
static int go_on(sl_conn_t *conn, int *rv)
{
    if (!conn->reauth_asked)
        return ask(conn, rv);
    if (!SSL_in_init(conn->ssl))
        return read_data(conn, rv);
    *rv = SSL_do_handshake(conn->ssl);
    return *rv == 1 ? 1 : -1;
}

sl_step_t sl_step_reauth(sl_conn_t *conn)
{
    int rv = 0, went;

    sl_step_prepare(conn);
    went = go_on(conn, &rv);
    if (went == 0)
        return SL_STEP_DONE;
    if (conn->reauth_finished && !SSL_in_init(conn->ssl)) {
        close_window(conn);
        return SL_STEP_DONE;
    }
    return went == 1 ? SL_STEP_ON : sl_step_look(conn, rv);
}
