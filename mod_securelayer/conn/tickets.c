/* Session tickets: OpenSSL seals and opens them with keys that the host has for the connection's virtual host, and asks
 * whether a session that was opened may be resumed.  Prepared by machine.c for each SSL_CTX; sl_tickets_may_resume() is
 * for whoever finds sessions elsewhere as well. */
#include "conn/steps.h"

#include "crypto/openssl_error.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the certificates behind the client's own that a session takes along, at most. */
#define MOST_OF_CHAIN 16384

/* ---- keys ---- */

static int set_up(const sl_ticket_key_t *key, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seals)
{
    const EVP_CIPHER *kind = key->size == 16 ? EVP_aes_128_cbc() : EVP_aes_256_cbc();
    char digest[] = "SHA256";
    unsigned char hmac[sizeof(key->hmac)];
    OSSL_PARAM params[3];
    int ok;

    memcpy(hmac, key->hmac, sizeof(hmac));
    params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, hmac, key->size);
    params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
    params[2] = OSSL_PARAM_construct_end();
    ok = EVP_MAC_CTX_set_params(mac, params) == 1 && EVP_CipherInit_ex(cipher, kind, NULL, key->aes, iv, seals) == 1;
    OPENSSL_cleanse(hmac, sizeof(hmac));
    return ok;
}

/* 1, 2: done, with 2 the client is to get a new ticket; 0: no ticket, or none that we know; -1: failed. */
static int use_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                   int seals)
{
    sl_conn_t *conn = sl_bio_host_conn(ssl);
    sl_ticket_key_t key;
    sl_ticket_found_t found = conn->host->ticket_key(conn->baton, conn->vhost, seals ? NULL : name, &key);
    int ok;

    if (found == SL_TICKET_NO_KEY)
        return seals ? -1 : 0; /* a ticket of no bytes would break TLS 1.3 */
    ok = 1;
    if (seals) {
        memcpy(name, key.name, SL_TICKET_NAME_SIZE);
        ok = RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1;
    }
    ok = ok && set_up(&key, iv, cipher, mac, seals);
    sl_ticket_key_cleanse(&key);
    if (!ok)
        return -1;
    return found == SL_TICKET_OLD_KEY ? 2 : 1;
}

/* ---- the client's chain: OpenSSL keeps only the certificate itself in a session ---- */

static apr_size_t chain_size(const STACK_OF(X509) *chain)
{
    apr_size_t size = 0;

    for (int i = 0; i < sk_X509_num(chain); i++) {
        int length = i2d_X509(sk_X509_value(chain, i), NULL);

        if (length <= 0 || (size += (apr_size_t)length) > MOST_OF_CHAIN)
            return 0;
    }
    return size;
}

int sl_tickets_keep_chain(SSL *ssl, SSL_SESSION *session)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    apr_size_t size = chain ? chain_size(chain) : 0;
    unsigned char *bytes, *at;
    int ok;

    if (!size) /* a resumed session has what it needs already */
        return 1;
    at = bytes = malloc(size);
    for (int i = 0; bytes && i < sk_X509_num(chain); i++)
        i2d_X509(sk_X509_value(chain, i), &at);
    ok = bytes && SSL_SESSION_set1_ticket_appdata(session, bytes, size) == 1;
    free(bytes);
    return ok;
}

/* An empty chain if none was kept; NULL if what was kept is none, or memory ran out. */
static STACK_OF(X509) *chain_of(SSL_SESSION *session)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    const unsigned char *at;
    void *kept = NULL;
    size_t length = 0;

    if (!chain || SSL_SESSION_get0_ticket_appdata(session, &kept, &length) != 1)
        return chain;
    at = kept;
    for (const unsigned char *end = at + length; length && at < end;) {
        X509 *cert = d2i_X509(NULL, &at, end - at);

        if (!cert || !sk_X509_push(chain, cert)) {
            X509_free(cert);
            sk_X509_pop_free(chain, X509_free);
            return NULL;
        }
    }
    return chain;
}

void sl_tickets_take_chain(sl_conn_t *conn)
{
    if (SSL_session_reused(conn->ssl) && SSL_get0_peer_certificate(conn->ssl) && !conn->resumed_chain)
        conn->resumed_chain = chain_of(SSL_get_session(conn->ssl));
}

STACK_OF(X509) *sl_conn_peer_chain(const sl_conn_t *conn)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(conn->ssl);

    return chain ? chain : conn->resumed_chain;
}

/* ---- may it be resumed? ---- */

static X509_STORE *store_of(const sl_conn_t *conn)
{
    return conn->trust ? conn->trust->store : SSL_CTX_get_cert_store(SSL_get_SSL_CTX(conn->ssl));
}

/* As OpenSSL verifies in a handshake. */
static int verify(sl_conn_t *conn, X509 *cert, STACK_OF(X509) *chain)
{
    X509_STORE_CTX *store = X509_STORE_CTX_new();
    int ok = store && X509_STORE_CTX_init(store, store_of(conn), cert, chain) == 1 &&
             X509_STORE_CTX_set_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx(), conn->ssl) == 1;

    if (ok) {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(store);

        X509_VERIFY_PARAM_set_auth_level(param, SSL_get_security_level(conn->ssl));
        X509_STORE_CTX_set_default(store, "ssl_client");
        X509_VERIFY_PARAM_set1(param, SSL_get0_param(conn->ssl));
        X509_STORE_CTX_set_verify_cb(store, sl_peer_verify);
        ok = X509_verify_cert(store) == 1;
    }
    X509_STORE_CTX_free(store);
    return ok;
}

/* The policy is the one the session was made under: it is part of the scope. But time goes on, and certificates are
 * revoked; who would fail in a full handshake gets one, and the alert that belongs to it. */
int sl_tickets_may_resume(sl_conn_t *conn, SSL_SESSION *session)
{
    X509 *cert = SSL_SESSION_get0_peer(session);
    long error = conn->verify_error;
    int generous = conn->verify_generous, too_large = conn->certificate_too_large, ok;
    STACK_OF(X509) *chain;

    if (!cert)
        return 1;
    chain = chain_of(session);
    conn->verify_error = X509_V_OK;
    ok = chain && verify(conn, cert, chain) && conn->verify_error == X509_V_OK;
    conn->verify_error = error;
    conn->verify_generous = generous;
    conn->certificate_too_large = too_large;
    sk_X509_pop_free(chain, X509_free);
    sl_openssl_error_clear();
    return ok;
}

static int seal_more(SSL *ssl, void *unused)
{
    (void)unused;
    return sl_tickets_keep_chain(ssl, SSL_get_session(ssl));
}

/* TLS 1.3 wants each ticket to be used once (RFC 8446 appendix C.4): who resumes gets another one. */
static SSL_TICKET_RETURN look_at(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t length,
                                 SSL_TICKET_STATUS status, void *unused)
{
    int renew = status == SSL_TICKET_SUCCESS_RENEW || SSL_version(ssl) >= TLS1_3_VERSION;

    (void)name;
    (void)length;
    (void)unused;
    if (status == SSL_TICKET_FATAL_ERR_MALLOC || status == SSL_TICKET_FATAL_ERR_OTHER)
        return SSL_TICKET_RETURN_ABORT;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    if (!sl_tickets_may_resume(sl_bio_host_conn(ssl), session))
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    return renew ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_USE;
}

void sl_tickets_prepare(SSL_CTX *ctx)
{
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, use_key);
    SSL_CTX_set_session_ticket_cb(ctx, seal_more, look_at, NULL);
}
