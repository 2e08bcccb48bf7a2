/* The table of states and the loop that walks it; the callbacks that belong to an SSL_CTX.
 * Called by httpd/conn_hooks (and by unit tests) whenever bytes may have come. */
#include "conn/machine.h"

#include "conn/steps.h"
#include "hello/alpn.h"

#include <apr_strings.h>
#include <string.h>

typedef sl_step_t (*sl_step_function_t)(sl_conn_t *conn);

static const sl_step_function_t steps[] = {
    [SL_STATE_HELLO] = sl_step_hello,
    [SL_STATE_START] = sl_step_start,
    [SL_STATE_HANDSHAKE] = sl_step_handshake,
    [SL_STATE_OPEN] = NULL,
    [SL_STATE_REAUTH] = sl_step_reauth,
    [SL_STATE_PLAIN] = NULL,
    [SL_STATE_CLOSED] = NULL,
    [SL_STATE_FAILED] = NULL,
};

sl_want_t sl_machine_run(sl_conn_t *conn)
{
    while (steps[conn->state]) {
        if (steps[conn->state](conn) == SL_STEP_READ)
            return SL_WANT_READ;
    }
    return SL_WANT_NOTHING;
}

/* Is the extension in the hello that OpenSSL reads what it was in the one that we read? */
static int is_same(SSL *ssl, const sl_client_hello_t *hello, unsigned type)
{
    const unsigned char *theirs;
    size_t length;
    sl_reader_t ours;
    int sent = SSL_client_hello_get0_ext(ssl, type, &theirs, &length);

    if (!sl_client_hello_extension(hello, type, &ours))
        return !sent;
    return sent && length == sl_reader_left(&ours) && (!length || !memcmp(theirs, ours.at, length));
}

/* By name and protocols we chose the virtual host, and whether this is a challenge that needs no client certificate.
 * A second hello, behind a HelloRetryRequest, must not ask for others (RFC 8446 section 4.1.2). */
static int check_hello(SSL *ssl, int *alert, void *unused)
{
    sl_conn_t *conn = sl_bio_host_conn(ssl);

    (void)unused;
    if (conn->state == SL_STATE_REAUTH) /* its name is looked at by check_name(), its protocols by select_alpn() */
        return SSL_CLIENT_HELLO_SUCCESS;
    if (conn->hello && is_same(ssl, conn->hello, TLSEXT_TYPE_server_name) &&
        is_same(ssl, conn->hello, TLSEXT_TYPE_application_layer_protocol_negotiation))
        return SSL_CLIENT_HELLO_SUCCESS;
    conn->failure.reason = SL_FAIL_NAME_CHANGED;
    *alert = SSL_AD_ILLEGAL_PARAMETER;
    return SSL_CLIENT_HELLO_ERROR;
}

/* We chose by the name we parsed; OpenSSL must have parsed the same. For a resumed session of TLS 1.2 it only knows the
 * name that the session was made with, if at all; sl_step_start() keeps sessions to their name. */
static int check_name(SSL *ssl, int *alert, void *unused)
{
    sl_conn_t *conn = sl_bio_host_conn(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    int is_of_session = SSL_session_reused(ssl) && SSL_version(ssl) < TLS1_3_VERSION;

    (void)unused;
    if (!name && !conn->sni)
        return SSL_TLSEXT_ERR_NOACK;
    if (!is_of_session && (!name || !conn->sni || strcmp(name, conn->sni))) {
        conn->failure.reason = SL_FAIL_NAME_CHANGED;
        *alert = SSL_AD_ILLEGAL_PARAMETER;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return conn->name_known ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* A renegotiation keeps the protocol that the connection has. */
static int select_same(const sl_conn_t *conn, const unsigned char **chosen, unsigned char *chosen_length,
                       const unsigned char *list, unsigned int length)
{
    apr_size_t wanted = conn->alpn ? strlen(conn->alpn) : 0;

    for (unsigned int at = 0; wanted && at < length && list[at] < length - at; at += list[at] + 1u) {
        if (list[at] == wanted && !memcmp(list + at + 1, conn->alpn, wanted)) {
            *chosen = (const unsigned char *)conn->alpn;
            *chosen_length = (unsigned char)wanted;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return wanted ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK;
}

static int select_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_length, const unsigned char *list,
                       unsigned int length, void *unused)
{
    sl_conn_t *conn = sl_bio_host_conn(ssl);
    apr_array_header_t *offered;
    const char *name;

    (void)unused;
    if (conn->state == SL_STATE_REAUTH)
        return select_same(conn, chosen, chosen_length, list, length);
    offered = sl_alpn_names(conn->hello_pool, list, length);
    if (!offered) {
        conn->failure.reason = SL_FAIL_BAD_HELLO;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    name = conn->host->select_alpn(conn->baton, conn->vhost, offered);
    if (!name)
        return conn->vhost->strict_alpn || conn->challenge ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK;
    conn->alpn = apr_pstrdup(conn->pool, name); /* the offered names go with the hello */
    sl_step_fit_tickets(conn);
    *chosen = (const unsigned char *)conn->alpn;
    *chosen_length = (unsigned char)strlen(conn->alpn);
    return SSL_TLSEXT_ERR_OK;
}

/* The client asks for an OCSP answer about the certificate that it is shown. */
static int staple(SSL *ssl, void *unused)
{
    sl_conn_t *conn = sl_bio_host_conn(ssl);
    X509 *leaf = SSL_get_certificate(ssl);
    unsigned char *answer = NULL;
    int length = 0;

    (void)unused;
    if (leaf && conn->host->get_staple)
        answer = conn->host->get_staple(conn->baton, leaf, &length);
    if (!answer)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, answer, length);
    return SSL_TLSEXT_ERR_OK;
}

void sl_machine_prepare(SSL_CTX *ctx)
{
    SSL_CTX_set_tlsext_status_cb(ctx, staple);
    SSL_CTX_set_client_hello_cb(ctx, check_hello, NULL);
    SSL_CTX_set_tlsext_servername_callback(ctx, check_name);
    SSL_CTX_set_alpn_select_cb(ctx, select_alpn, NULL);
    sl_sessions_prepare(ctx);
    sl_tickets_prepare(ctx);
}
