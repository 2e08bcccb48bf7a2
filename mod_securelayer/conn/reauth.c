/* What a section asks of a client, compared with what is known of it; the beginning of a renegotiation or
 * post-handshake authentication.  httpd/reauth asks and begins, step_reauth.c does the rest. */
#include "conn/reauth.h"

#include "conn/steps.h"
#include "crypto/openssl_error.h"

#include <apr_strings.h>
#include <openssl/ssl.h>
#include <string.h>

int sl_reauth_stronger(int a, int b)
{
    static const int rank[] = {
        [SL_VERIFY_NONE] = 0,
        [SL_VERIFY_OPTIONAL_NO_CA] = 1,
        [SL_VERIFY_OPTIONAL] = 2,
        [SL_VERIFY_REQUIRE] = 3,
    };

    return rank[b] > rank[a] ? b : a;
}

/* Chains of resumed sessions are not known. */
static int is_short_enough(const sl_conn_t *conn, int depth)
{
    const STACK_OF(X509) *chain = SSL_get0_verified_chain(conn->ssl);

    return depth >= conn->verify_depth || (chain && sk_X509_num(chain) - 1 <= depth);
}

int sl_reauth_is_met(const sl_conn_t *conn, int verify_mode, int verify_depth)
{
    int is_shown = SSL_get0_peer_certificate(conn->ssl) != NULL && conn->verify_error == X509_V_OK;
    int is_good = is_shown && !conn->verify_generous && SSL_get_verify_result(conn->ssl) == X509_V_OK;

    if (verify_mode == SL_VERIFY_NONE)
        return 1;
    if (verify_mode == SL_VERIFY_OPTIONAL_NO_CA && is_shown)
        return is_short_enough(conn, verify_depth);
    if (is_shown)
        return is_good && is_short_enough(conn, verify_depth);
    return verify_mode != SL_VERIFY_REQUIRE && conn->verify_mode != SL_VERIFY_NONE && conn->verify_error == X509_V_OK;
}

/* ---- cipher suites ---- */

static int is_tls1_3(const SSL_CIPHER *cipher)
{
    return !strcmp(SSL_CIPHER_get_version(cipher), "TLSv1.3");
}

static int is_same_list(const STACK_OF(SSL_CIPHER) *a, const STACK_OF(SSL_CIPHER) *b)
{
    if (sk_SSL_CIPHER_num(a) != sk_SSL_CIPHER_num(b))
        return 0;
    for (int i = 0; i < sk_SSL_CIPHER_num(a); i++) {
        if (sk_SSL_CIPHER_value(a, i) != sk_SSL_CIPHER_value(b, i))
            return 0;
    }
    return 1;
}

/* TLS_AES_256_GCM_SHA384 is as good as the suites of TLS 1.2 that encrypt with AES-256-GCM. */
static int allows(const STACK_OF(SSL_CIPHER) *list, const SSL_CIPHER *used)
{
    for (int i = 0; i < sk_SSL_CIPHER_num(list); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(list, i);

        if (!is_tls1_3(used) && SSL_CIPHER_get_id(cipher) == SSL_CIPHER_get_id(used))
            return 1;
        if (is_tls1_3(used) && !is_tls1_3(cipher) &&
            SSL_CIPHER_get_cipher_nid(cipher) == SSL_CIPHER_get_cipher_nid(used))
            return 1;
    }
    return 0;
}

sl_ciphers_t sl_reauth_look_at_ciphers(const sl_conn_t *conn, const char *list)
{
    SSL *ssl = SSL_new(SSL_get_SSL_CTX(conn->ssl));
    const SSL_CIPHER *used = SSL_get_current_cipher(conn->ssl);
    sl_ciphers_t meaning = SL_CIPHERS_BROKEN;

    if (ssl && used && SSL_set_cipher_list(ssl, list) == 1) {
        if (!is_tls1_3(used) && is_same_list(SSL_get_ciphers(conn->ssl), SSL_get_ciphers(ssl)))
            meaning = SL_CIPHERS_SAME;
        else
            meaning = allows(SSL_get_ciphers(ssl), used) ? SL_CIPHERS_ALLOW : SL_CIPHERS_FORBID;
    }
    SSL_free(ssl);
    sl_openssl_error_clear();
    return meaning;
}

int sl_reauth_has_suite(const sl_conn_t *conn, const char *suites)
{
    const char *used = SSL_get_cipher_name(conn->ssl);
    apr_size_t length = strlen(used);

    while (*suites) {
        apr_size_t word = strcspn(suites, ":");

        if (word == length && !strncmp(suites, used, length))
            return 1;
        suites += word + (suites[word] == ':');
    }
    return 0;
}

/* ---- the beginning ---- */

sl_reauth_bar_t sl_reauth_bar(const sl_conn_t *conn)
{
    if (SSL_version(conn->ssl) >= TLS1_3_VERSION)
        return conn->offers_reauth ? SL_REAUTH_POSSIBLE : SL_REAUTH_NOT_OFFERED;
    if (SSL_get_secure_renegotiation_support(conn->ssl) ||
        SSL_get_options(conn->ssl) & SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION)
        return SL_REAUTH_POSSIBLE;
    return SL_REAUTH_INSECURE;
}

/* A Finished of the client ends what it was asked for. */
static void see_message(int is_written, int version, int type, const void *bytes, size_t length, SSL *ssl, void *baton)
{
    sl_conn_t *conn = baton;

    (void)version;
    (void)ssl;
    if (!is_written && type == SSL3_RT_HANDSHAKE && length && *(const unsigned char *)bytes == SSL3_MT_FINISHED)
        conn->reauth_finished = 1;
}

static int ask_again(SSL *ssl)
{
    if (SSL_version(ssl) >= TLS1_3_VERSION)
        return SSL_verify_client_post_handshake(ssl) == 1;
    SSL_set_options(ssl, SSL_OP_NO_TICKET);
    SSL_clear_options(ssl, SSL_OP_NO_RENEGOTIATION);
    return SSL_renegotiate(ssl) == 1;
}

void sl_reauth_begin(sl_conn_t *conn, const sl_demand_t *demand)
{
    SSL *ssl = conn->ssl;

    conn->verify_mode = sl_reauth_stronger(conn->verify_mode, demand->verify_mode);
    conn->verify_depth = demand->verify_depth;
    conn->verify_error = X509_V_OK;
    conn->verify_generous = 0;
    conn->reauth_asked = conn->reauth_finished = 0;
    conn->reauthenticated = 1;
    conn->failure.alert_received = conn->failure.alert_sent = -1;
    sl_openssl_error_clear();
    SSL_set_num_tickets(ssl, 0);
    SSL_set_verify(ssl, conn->verify_mode == SL_VERIFY_NONE ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, sl_peer_verify);
    SSL_set_msg_callback(ssl, see_message);
    SSL_set_msg_callback_arg(ssl, conn);
    if (!sl_step_set_scope(conn) || (demand->ciphers && SSL_set_cipher_list(ssl, demand->ciphers) != 1) ||
        !ask_again(ssl)) {
        sl_conn_fail(conn, SL_FAIL_OTHER, sl_openssl_error_take(conn->pool));
        return;
    }
    conn->state = SL_STATE_REAUTH;
}
