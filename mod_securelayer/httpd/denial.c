/* The words for each way in which a client certificate or a cipher suite falls short.  Called by demand.c. */
#include "httpd/denial.h"

#include <http_log.h>

#include <apr_strings.h>
#include <openssl/x509_vfy.h>

#include "httpd/module_config.h"

APLOG_USE_MODULE(sl);

#define NOTE "securelayer-denied"

typedef struct words_t {
    const char *log_id, *log;
    const char *reason, *way_out; /* HTML */
} words_t;

static const words_t words[] = {
    [SL_DENY_NO_CERTIFICATE] = {"SL0120", "a client certificate is required, and the client sent none",
                                "This page needs a client certificate, and your browser or program sent none.",
                                "Install the certificate that you were given, close all windows of the browser, and "
                                "choose the certificate when you are asked for it."},
    [SL_DENY_NOT_OFFERED] = {"AH10158",
                             "a client certificate is required, but the client can't be asked for one on an open "
                             "connection: with TLS 1.3 that takes post-handshake authentication, which it did not "
                             "offer (no browser does). SSLVerifyClient optional for the whole host asks in time",
                             "This page needs a client certificate. Your browser or program can't send one on a "
                             "connection that is open already (it lacks the post-handshake authentication of TLS "
                             "1.3).",
                             "Another program may, or this one with TLS 1.2. The administrator can have the server "
                             "ask for the certificate when the connection is made."},
    [SL_DENY_INSECURE] = {"SL0121",
                          "a new handshake is needed, but the client lacks secure renegotiation (RFC 5746)",
                          "This page needs a new handshake, which is not safe with your browser or program: it lacks "
                          "secure renegotiation (RFC 5746).",
                          "Update it."},
    [SL_DENY_CIPHER] = {"SL0122", "the connection's cipher suite is none of the SSLCipherSuite of this section",
                        "This page needs stronger encryption than your connection has, and the connection can't change "
                        "it.",
                        "Update your browser or program, or have it use stronger cipher suites only."},
    [SL_DENY_OTHER_HOST] = {"SL0123",
                            "client certificates are checked against other CAs here than where the handshake was made",
                            "The client certificate of your connection was checked for another host.",
                            "Close all windows of the browser and come here first."},
};

/* What the page says of a certificate that failed. */
static const char *reason_of_error(request_rec *r, int error)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "Your client certificate has expired, or one of those that vouch for it has.";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "Your client certificate, or one of those that vouch for it, is not valid yet.";
    case X509_V_ERR_CERT_REVOKED:
        return "Your client certificate has been revoked.";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED:
        return "Your client certificate was not issued by an authority that this server trusts.";
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
        return "Your client certificate was not issued directly enough by an authority that this server trusts.";
    default:
        return apr_psprintf(r->pool, "Your client certificate was not accepted: %s.",
                            ap_escape_html(r->pool, X509_verify_cert_error_string(error)));
    }
}

static words_t words_for(request_rec *r, const sl_link_t *link, sl_denial_t reason)
{
    words_t bad;
    int error = (int)link->tls->verify_error;
    const char *cause = link->tls->revocation ? link->tls->revocation : X509_verify_cert_error_string(error);

    if (reason != SL_DENY_BAD_CERTIFICATE)
        return words[reason];
    bad.log_id = "SL0124";
    bad.log = apr_pstrcat(r->pool, "the client's certificate was not accepted: ", cause, NULL);
    bad.reason = reason_of_error(r, error);
    bad.way_out =
        "Close all windows of the browser, and choose another certificate when you are asked for one; else ask "
        "whoever gave it to you for a new one.";
    return bad;
}

int sl_denial(request_rec *r, const sl_link_t *link, sl_denial_t reason)
{
    words_t say = words_for(r, link, reason);

    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "%s: access to %s denied: %s", say.log_id, r->uri, say.log);
    apr_table_setn(r->notes, "error-notes",
                   apr_pstrcat(r->pool, "<br />\nReason: ", say.reason, "<br />\n", say.way_out, "<br />\n", NULL));
    apr_table_setn(r->notes, NOTE, "1");
    if (!r->connection->master)
        r->connection->keepalive = AP_CONN_CLOSE;
    return HTTP_FORBIDDEN;
}

int sl_denial_stands(const request_rec *r)
{
    return apr_table_get(r->notes, NOTE) != NULL;
}
