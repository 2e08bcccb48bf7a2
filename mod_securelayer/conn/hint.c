/* Plain-language explanations, from the failure, the hello and the virtual host's settings.  For httpd/log. */
#include "conn/hint.h"

#include <apr_strings.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

/* The one that was shown to the client; NULL if it got none of ours. */
static const sl_identity_t *shown_identity(const sl_conn_t *conn)
{
    const X509 *leaf = conn->ssl ? SSL_get_certificate(conn->ssl) : NULL;

    for (int i = 0; conn->identities && i < conn->identities->nelts; i++) {
        const sl_identity_t *identity = APR_ARRAY_IDX(conn->identities, i, const sl_identity_t *);

        if (identity->leaf == leaf)
            return identity;
    }
    return NULL;
}

static const char *issuer_of(const sl_conn_t *conn, apr_pool_t *pool)
{
    const sl_identity_t *identity = shown_identity(conn);
    char name[256];

    if (!identity)
        return "the server's certificate";
    X509_NAME_oneline(X509_get_issuer_name(identity->leaf), name, sizeof(name));
    return apr_psprintf(pool, "the certificate in %s, issued by %s", identity->origin, name);
}

static const char *alert_hint(const sl_conn_t *conn, apr_pool_t *pool)
{
    switch (conn->failure.alert_received) {
    case SSL_AD_UNKNOWN_CA:
        return apr_psprintf(pool,
                            "the client trusts no CA that signed %s: it lacks that CA, or the server does not send "
                            "the intermediate certificates",
                            issuer_of(conn, pool));
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_CERTIFICATE_UNKNOWN:
        return apr_psprintf(pool, "the client does not accept %s: wrong name, not trusted, or refused by its user",
                            issuer_of(conn, pool));
    case SSL_AD_CERTIFICATE_EXPIRED:
        return apr_psprintf(pool, "for the client %s has expired: renew it, or the client's clock is wrong",
                            issuer_of(conn, pool));
    case SSL_AD_CERTIFICATE_REVOKED:
        return apr_psprintf(pool, "for the client %s is revoked", issuer_of(conn, pool));
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
        return "the client can't use the server's kind of certificate";
    case SSL_AD_PROTOCOL_VERSION:
        return "the client does not accept the protocol version the server chose";
    case SSL_AD_HANDSHAKE_FAILURE:
        return "the client found nothing acceptable in the server's answer";
    case SSL_AD_USER_CANCELLED:
        return "the client's user cancelled";
    default:
        return "the client gave up with that alert";
    }
}

static const char *version_hint(const sl_conn_t *conn, apr_pool_t *pool)
{
    if (conn->failure.alert_sent == SSL_AD_INAPPROPRIATE_FALLBACK)
        return "the client fell back to an older protocol version than both sides have: its attempt with a newer one "
               "was broken, perhaps by a device on the way";
    if (!conn->hello)
        return "client and server have no protocol version in common";
    return apr_psprintf(pool, "the client offers only %s, and SSLProtocol of %s allows none of that",
                        sl_client_hello_versions_text(conn->hello, pool), conn->vhost->id);
}

/* `whose`: "client's", "backend's". There is an error. */
static const char *not_accepted(const sl_conn_t *conn, const char *whose, apr_pool_t *pool)
{
    return apr_psprintf(pool, "the %s certificate was not accepted: %s", whose,
                        conn->revocation ? conn->revocation : X509_verify_cert_error_string(conn->verify_error));
}

static const char *client_certificate_hint(const sl_conn_t *conn, apr_pool_t *pool)
{
    if (conn->verify_error == X509_V_OK)
        return apr_psprintf(pool, "%s requires a client certificate (SSLVerifyClient) and the client sent none",
                            conn->vhost->id);
    if (conn->certificate_too_large)
        return "the client's certificate is too large for the session ticket that TLS 1.2 has promised by then: use "
               "TLS 1.3, or SSLSessionTickets off";
    return not_accepted(conn, "client's", pool);
}

static const char *unknown_name_hint(const sl_conn_t *conn, apr_pool_t *pool)
{
    const sl_vhost_t *vhost = conn->vhost;

    if (vhost->directory < 0)
        return "no virtual host has that name, and SecureLayerUnknownName refuses it";
    if (!conn->sni)
        return apr_psprintf(pool,
                            "the client sent no name by which a certificate could be found in "
                            "SecureLayerCertificateDirectory, and %s has no other",
                            vhost->id);
    return apr_psprintf(pool, "no certificate for that name is in SecureLayerCertificateDirectory of %s%s", vhost->id,
                        vhost->identities->nelts ? ", and SecureLayerUnknownName refuses it" : ", which has no other");
}

const char *sl_hint(const sl_conn_t *conn, apr_pool_t *pool)
{
    switch (conn->failure.reason) {
    case SL_FAIL_TIMEOUT:
        return "the handshake was not complete within SecureLayerHandshakeTimeout (or handshake= of "
               "RequestReadTimeout)";
    case SL_FAIL_CROWDED_OUT:
        return "ended early: more unfinished handshakes than SecureLayerHandshakeQueue allows";
    case SL_FAIL_PEER_CLOSED:
        return "the client closed the connection before the handshake was complete";
    case SL_FAIL_NOT_TLS:
        return "the client speaks neither TLS nor HTTP";
    case SL_FAIL_BAD_HELLO:
        return "the client's first message is not a usable ClientHello";
    case SL_FAIL_UNKNOWN_NAME:
        return unknown_name_hint(conn, pool);
    case SL_FAIL_LEFT_OUT:
        return apr_psprintf(pool,
                            "%s is left out (SecureLayerBrokenHost skip): what is wrong with it was told when httpd "
                            "started, or its certificate's files changed",
                            conn->vhost->id);
    case SL_FAIL_NAME_CHANGED:
        return "the client changed the name or the protocols it asks for between two hellos";
    case SL_FAIL_VERSION:
        return version_hint(conn, pool);
    case SL_FAIL_SUITE:
        return apr_psprintf(pool,
                            "client and %s have no cipher suite, group or signature algorithm in common: see "
                            "SSLCipherSuite, and whether the certificate's key type suits the client",
                            conn->vhost->id);
    case SL_FAIL_ALPN:
        return "none of the application protocols the client offers is known here: see Protocols, or "
               "SecureLayerStrictALPN off to serve it anyway";
    case SL_FAIL_LOGIN:
        return conn->failure.alert_sent == SSL_AD_UNKNOWN_PSK_IDENTITY
                   ? "SSLSRPVerifierFile has no user of the name the client gave"
                   : "the password is wrong, or with SSLSRPUnknownUserSeed the user may not exist";
    case SL_FAIL_CLIENT_CERT:
        return client_certificate_hint(conn, pool);
    case SL_FAIL_ALERT:
        return alert_hint(conn, pool);
    default:
        return conn->ssl ? "see OpenSSL's reason" : "the reason stands before";
    }
}

/* ---- backends ---- */

static const char *backend_alert_hint(const sl_conn_t *conn)
{
    switch (conn->failure.alert_received) {
    case SSL_AD_UNRECOGNIZED_NAME:
        return "the backend knows no host of the name asked for: see ProxyPreserveHost, and the name in the URL";
    case SSL_AD_PROTOCOL_VERSION:
        return "the backend accepts none of the protocol versions of SSLProxyProtocol";
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
        return "the backend does not accept the certificate of SSLProxyMachineCertificateFile";
    case SSL_AD_HANDSHAKE_FAILURE:
        if (conn->asked_for_certificate && !conn->identities)
            break;
        return "the backend found nothing acceptable: see SSLProxyProtocol and SSLProxyCipherSuite";
    default:
        if (conn->asked_for_certificate && !conn->identities)
            break;
        return "the backend gave up with that alert";
    }
    return "the backend asked for a certificate and got none: see SSLProxyMachineCertificateFile, and whether one of "
           "its certificates is of a CA that the backend accepts";
}

const char *sl_hint_backend(const sl_conn_t *conn, apr_pool_t *pool)
{
    switch (conn->failure.reason) {
    case SL_FAIL_TIMEOUT:
        return "the handshake was not complete within SecureLayerHandshakeTimeout, or the timeout of the worker";
    case SL_FAIL_PEER_CLOSED:
        return "the backend closed the connection before the handshake was complete";
    case SL_FAIL_NOT_TLS:
        return "the backend does not speak TLS on that port: use http:// for it, or another port";
    case SL_FAIL_VERSION:
        return "the backend speaks none of the protocol versions of SSLProxyProtocol";
    case SL_FAIL_SUITE:
        return "the backend has no cipher suite, group or signature algorithm that is allowed: see SSLProxyCipherSuite";
    case SL_FAIL_ALPN:
        return "the backend does not speak the application protocol that the proxy needs";
    case SL_FAIL_BACKEND_CERT:
        return conn->verify_error != X509_V_OK ? not_accepted(conn, "backend's", pool)
                                               : "the backend is not who it should be";
    case SL_FAIL_ALERT:
        return backend_alert_hint(conn);
    default:
        return "see OpenSSL's reason";
    }
}
