/* Checks of the peer's certificates beyond OpenSSL's own: the depth, missing revocation lists, what a responder says,
 * optional_no_ca. */
#include "conn/steps.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

/* Bytes of a certificate. OpenSSL's limit for a whole session is 65,280; and tickets come back in a ClientHello, which
 * may have 64 KB. */
#define MOST_IN_TICKET 60000

/* The certificate may be fine, only we do not know who signed it. */
static int is_issuer_error(int error)
{
    switch (error) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED:
        return 1;
    default:
        return 0;
    }
}

/* OpenSSL ends a handshake whose session fits into no ticket, and the client's certificate is part of it. TLS 1.3 goes
 * on without a ticket; TLS 1.2 promises one in the ServerHello, before the certificate is known. */
static int is_too_large(sl_conn_t *conn, X509 *certificate)
{
    sl_reader_t extension;

    if (SSL_get_options(conn->ssl) & SSL_OP_NO_TICKET || i2d_X509(certificate, NULL) <= MOST_IN_TICKET)
        return 0;
    if (SSL_version(conn->ssl) >= TLS1_3_VERSION) {
        SSL_set_num_tickets(conn->ssl, 0);
        return 0;
    }
    return sl_client_hello_extension(conn->hello, TLSEXT_TYPE_session_ticket, &extension);
}

/* Of a certificate that has passed everything else. A certificate that issued itself is nobody's to revoke. */
static long check_revocation(sl_conn_t *conn, X509_STORE_CTX *store)
{
    const sl_profile_t *profile = sl_step_profile(conn);
    int depth = X509_STORE_CTX_get_error_depth(store);
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store);

    if (profile->ocsp_check == SL_OCSP_OFF || (profile->ocsp_check == SL_OCSP_LEAF && depth > 0))
        return X509_V_OK;
    if (!cert || X509_get_extension_flags(cert) & EXFLAG_SI)
        return X509_V_OK;
    return conn->host->check_revocation(
        conn->baton, cert, depth + 1 < sk_X509_num(chain) ? sk_X509_value(chain, depth + 1) : NULL, &conn->revocation);
}

int sl_peer_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    sl_conn_t *conn = sl_bio_host_conn(ssl);
    const sl_profile_t *profile = sl_step_profile(conn);
    int error = X509_STORE_CTX_get_error(store);

    if (!conn->target && is_too_large(conn, X509_STORE_CTX_get0_cert(store))) {
        conn->certificate_too_large = 1;
        X509_STORE_CTX_set_error(store, conn->verify_error = X509_V_ERR_APPLICATION_VERIFICATION);
        return 0;
    }
    if (!ok && error == X509_V_ERR_UNABLE_TO_GET_CRL && profile->crl_missing_ok) {
        X509_STORE_CTX_set_error(store, conn->verify_generous); /* what was found before still stands */
        ok = 1;
    }
    if (ok && X509_STORE_CTX_get_error_depth(store) > conn->verify_depth) {
        X509_STORE_CTX_set_error(store, error = X509_V_ERR_CERT_CHAIN_TOO_LONG);
        ok = 0;
    }
    if (ok && (error = (int)check_revocation(conn, store)) != X509_V_OK) {
        X509_STORE_CTX_set_error(store, error);
        ok = 0;
    }
    /* Who is to be asked about the certificate, if nobody knows who signed it? */
    if (!ok && conn->verify_mode == SL_VERIFY_OPTIONAL_NO_CA && is_issuer_error(error) &&
        profile->ocsp_check == SL_OCSP_OFF) {
        conn->verify_generous = error;
        return 1;
    }
    if (!ok && conn->verify_error == X509_V_OK)
        conn->verify_error = error;
    /* certificate_expired would be a lie about the client's certificate. */
    if (!ok && error == X509_V_ERR_CRL_HAS_EXPIRED)
        X509_STORE_CTX_set_error(store, X509_V_ERR_DIFFERENT_CRL_SCOPE);
    return ok || conn->state == SL_STATE_REAUTH; /* there the answer to the request says what is wrong */
}
