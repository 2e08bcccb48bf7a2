/* Variables about the TLS connection itself.  Some may be asked in the middle of the handshake (mod_http2 does so while
 * the application protocol is chosen): what is not decided by then has no value. */
#include "httpd/variable_getters.h"

#include <ap_release.h>
#include <apr_strings.h>
#include <openssl/crypto.h>
#include <string.h>

#include "base/text.h"
#include "crypto/openssl_compat.h"

const char *sl_var_https(const sl_question_t *q, int argument)
{
    (void)argument;
    return q->tls ? "on" : "off";
}

const char *sl_var_sni(const sl_question_t *q, int argument)
{
    (void)argument;
    return q->tls->sni;
}

const char *sl_var_protocol(const sl_question_t *q, int argument)
{
    (void)argument;
    return SSL_get_version(q->tls->ssl);
}

const char *sl_var_session_id(const sl_question_t *q, int argument)
{
    const SSL_SESSION *session = SSL_get_session(q->tls->ssl);
    unsigned int length = 0;
    const unsigned char *id = session ? SSL_SESSION_get_id(session, &length) : NULL;

    (void)argument;
    return id ? sl_text_hex(q->pool, id, length) : NULL;
}

const char *sl_var_resumed(const sl_question_t *q, int argument)
{
    (void)argument;
    return SSL_session_reused(q->tls->ssl) ? "Resumed" : "Initial";
}

const char *sl_var_secure_reneg(const sl_question_t *q, int argument)
{
    (void)argument;
    return SSL_get_secure_renegotiation_support(q->tls->ssl) ? "true" : "false";
}

const char *sl_var_compression(const sl_question_t *q, int argument)
{
    const SSL_SESSION *session = SSL_get_session(q->tls->ssl);

    (void)argument;
    switch (session ? SSL_SESSION_get_compress_id(session) : 0) {
    case 0:
        return "NULL";
    case 1: /* RFC 3749 */
        return "DEFLATE";
    case 0x40: /* RFC 3943 */
        return "LZS";
    default:
        return "UNKNOWN";
    }
}

static const char *shared_ciphers(const sl_question_t *q)
{
    char list[8192];

    return SSL_get_shared_ciphers(q->tls->ssl, list, sizeof(list)) ? apr_pstrdup(q->pool, list) : NULL;
}

const char *sl_var_cipher(const sl_question_t *q, int argument)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(q->tls->ssl);
    int all_bits = 0, used_bits;

    if (argument == SL_CIPHER_SHARED)
        return shared_ciphers(q);
    if (!cipher)
        cipher = SSL_get_pending_cipher(q->tls->ssl);
    if (!cipher)
        return NULL;
    used_bits = SSL_CIPHER_get_bits(cipher, &all_bits);
    switch (argument) {
    case SL_CIPHER_NAME:
        return SSL_CIPHER_get_name(cipher);
    case SL_CIPHER_EXPORT:
        return used_bits < 56 ? "true" : "false";
    case SL_CIPHER_USED_BITS:
        return apr_itoa(q->pool, used_bits);
    default:
        return apr_itoa(q->pool, all_bits);
    }
}

/* Scripts match on mod_ssl's name. */
const char *sl_var_interface(const sl_question_t *q, int argument)
{
    ap_version_t version;

    (void)argument;
    ap_get_server_revision(&version);
    return apr_psprintf(q->pool, "mod_ssl/%d.%d.%d", version.major, version.minor, version.patch);
}

/* "OpenSSL 3.0.22 29 Sep 2026" as a product token: "OpenSSL/3.0.22". */
const char *sl_var_library(const sl_question_t *q, int argument)
{
    char *text =
        apr_pstrdup(q->pool, argument == SL_LIBRARY_RUNNING ? OpenSSL_version(OPENSSL_VERSION) : OPENSSL_VERSION_TEXT);
    char *blank = strchr(text, ' ');

    if (blank) {
        *blank = '/';
        blank = strchr(blank, ' ');
    }
    if (blank)
        *blank = '\0';
    return text;
}

/* X509_V_OK, or what is wrong with the client's certificate, forgiven by optional_no_ca or not. */
static long verify_error(const sl_conn_t *tls)
{
    return tls->verify_error != X509_V_OK ? tls->verify_error : SSL_get_verify_result(tls->ssl);
}

const char *sl_var_verify(const sl_question_t *q, int argument)
{
    long error = verify_error(q->tls);

    (void)argument;
    if (q->tls->verify_generous && q->tls->verify_error == X509_V_OK)
        return "GENEROUS";
    if (error != X509_V_OK)
        return apr_pstrcat(q->pool, "FAILED:", X509_verify_cert_error_string(error), NULL);
    return SSL_get0_peer_certificate(q->tls->ssl) ? "SUCCESS" : "NONE";
}

const char *sl_var_verify_error(const sl_question_t *q, int argument)
{
    long error = verify_error(q->tls);

    (void)argument;
    return error != X509_V_OK ? X509_verify_cert_error_string(error) : NULL;
}

const char *sl_var_alpn(const sl_question_t *q, int argument)
{
    (void)argument;
    return q->tls->alpn;
}

const char *sl_var_group(const sl_question_t *q, int argument)
{
    (void)argument;
    return sl_openssl_group_name(q->tls->ssl);
}

const char *sl_var_sigalg(const sl_question_t *q, int argument)
{
    return argument == SL_SIGALG_SERVER ? sl_openssl_server_sigalg(q->tls->ssl) : sl_openssl_client_sigalg(q->tls->ssl);
}

const char *sl_var_handshake_ms(const sl_question_t *q, int argument)
{
    apr_interval_time_t took = q->tls->handshake_time;

    (void)argument;
    return took > 0 ? apr_psprintf(q->pool, "%" APR_INT64_T_FMT, (took + 500) / 1000) : NULL;
}

const char *sl_var_handshake_rtt(const sl_question_t *q, int argument)
{
    apr_uint64_t microseconds;

    (void)argument;
    if (!sl_openssl_handshake_rtt(q->tls->ssl, &microseconds))
        return NULL;
    return apr_psprintf(q->pool, "%" APR_UINT64_T_FMT, microseconds);
}

const char *sl_var_srp(const sl_question_t *q, int argument)
{
    return argument == SL_SRP_USER ? sl_openssl_srp_user(q->tls->ssl) : sl_openssl_srp_note(q->tls->ssl);
}
