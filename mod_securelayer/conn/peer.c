/* Checks of client certificates beyond OpenSSL's own: the depth, missing revocation lists, optional_no_ca. */
#include "conn/steps.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

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

int sl_peer_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    sl_conn_t *conn = SSL_get_app_data(ssl);
    const sl_profile_t *profile = conn->vhost->profile;
    int error = X509_STORE_CTX_get_error(store);

    if (!ok && error == X509_V_ERR_UNABLE_TO_GET_CRL && profile->crl_missing_ok) {
        X509_STORE_CTX_set_error(store, conn->verify_generous); /* what was found before still stands */
        ok = 1;
    }
    if (ok && X509_STORE_CTX_get_error_depth(store) > profile->verify_depth) {
        X509_STORE_CTX_set_error(store, error = X509_V_ERR_CERT_CHAIN_TOO_LONG);
        ok = 0;
    }
    if (!ok && profile->verify_mode == SL_VERIFY_OPTIONAL_NO_CA && is_issuer_error(error)) {
        conn->verify_generous = error;
        return 1;
    }
    if (!ok && conn->verify_error == X509_V_OK)
        conn->verify_error = error;
    /* certificate_expired would be a lie about the client's certificate. */
    if (!ok && error == X509_V_ERR_CRL_HAS_EXPIRED)
        X509_STORE_CTX_set_error(store, X509_V_ERR_DIFFERENT_CRL_SCOPE);
    return ok;
}
