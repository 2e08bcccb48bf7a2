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

/* We chose by the name we parsed; OpenSSL must have read the same (a second hello after HelloRetryRequest counts). */
static int check_name(SSL *ssl, int *alert, void *unused)
{
    sl_conn_t *conn = SSL_get_app_data(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)unused;
    if (!name && !conn->sni)
        return SSL_TLSEXT_ERR_NOACK;
    if (!name || !conn->sni || strcmp(name, conn->sni)) {
        conn->failure.reason = SL_FAIL_NAME_CHANGED;
        *alert = SSL_AD_ILLEGAL_PARAMETER;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return conn->name_known ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static int select_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_length, const unsigned char *list,
                       unsigned int length, void *unused)
{
    sl_conn_t *conn = SSL_get_app_data(ssl);
    apr_array_header_t *offered = sl_alpn_names(conn->pool, list, length);

    (void)unused;
    if (!offered) {
        conn->failure.reason = SL_FAIL_BAD_HELLO;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    conn->alpn = conn->host->select_alpn(conn->baton, conn->vhost, offered);
    if (!conn->alpn && conn->vhost->strict_alpn)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    if (!conn->alpn)
        return SSL_TLSEXT_ERR_NOACK;
    sl_step_fit_tickets(conn);
    *chosen = (const unsigned char *)conn->alpn;
    *chosen_length = (unsigned char)strlen(conn->alpn);
    return SSL_TLSEXT_ERR_OK;
}

void sl_machine_prepare(SSL_CTX *ctx)
{
    SSL_CTX_set_tlsext_servername_callback(ctx, check_name);
    SSL_CTX_set_alpn_select_cb(ctx, select_alpn, NULL);
}
