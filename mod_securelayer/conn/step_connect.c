/* What is particular to the SSL of a connection to a backend, in the place of hello and virtual host. And what is
 * looked at once the handshake is complete: dates, name, pins, stapled OCSP answer and protocol. */
#include "conn/connect.h"
#include "conn/steps.h"

#include "base/text.h"
#include "crypto/cert_text.h"
#include "crypto/ocsp_message.h"
#include "crypto/openssl_error.h"

#include <apr_strings.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>

/* Steps from a certificate to the CA that a backend names. */
#define LONGEST_CHAIN 16
/* Seconds that the clocks of responder and server may differ. */
#define STAPLE_SKEW 300

void sl_conn_aim(sl_conn_t *conn, sl_target_t *target)
{
    conn->target = target;
    conn->trust = target->trust;
    target->trust = NULL;
    conn->state = SL_STATE_START;
    conn->started = conn->began = sl_world_now(conn->host->world);
}

/* ---- our certificate ---- */

static int is_named(const STACK_OF(X509_NAME) *names, X509 *cert)
{
    for (int i = 0; i < sk_X509_NAME_num(names); i++) {
        if (X509_NAME_cmp(sk_X509_NAME_value(names, i), X509_get_issuer_name(cert)) == 0)
            return 1;
    }
    return 0;
}

/* Does one of the CAs that the backend names stand above the identity? */
static int leads_to(const sl_identity_t *identity, const STACK_OF(X509_NAME) *names, const STACK_OF(X509) *issuers)
{
    X509 *cert = identity->leaf, *above;

    for (int i = 0; i < sk_X509_num(identity->chain); i++) {
        if (is_named(names, sk_X509_value(identity->chain, i)))
            return 1;
    }
    for (int i = 0; cert && i < LONGEST_CHAIN; i++) {
        if (is_named(names, cert))
            return 1;
        above = sl_cert_issuer_among(issuers, cert);
        cert = above ? above : sl_cert_issuer_among(identity->chain, cert);
    }
    return 0;
}

/* The first of ours, or the first that the backend's CAs lead to; NULL if none does. */
static sl_identity_t *find_identity(sl_conn_t *conn, const STACK_OF(X509_NAME) *names)
{
    const sl_outgoing_t *outgoing = conn->target->outgoing;

    for (int i = 0; i < outgoing->identities->nelts; i++) {
        int id = APR_ARRAY_IDX(outgoing->identities, i, sl_identity_ref_t).id;
        sl_identity_t *identity = conn->host->get_identity(conn->baton, id);

        if (identity && (sk_X509_NAME_num(names) <= 0 || leads_to(identity, names, outgoing->issuers)))
            return identity;
        sl_identity_release(identity);
    }
    return NULL;
}

/* The backend asks for a certificate, in the handshake or later. */
static int choose_identity(SSL *ssl, void *baton)
{
    sl_conn_t *conn = baton;
    sl_identity_t *identity = find_identity(conn, SSL_get0_peer_CA_list(ssl));
    int ok;

    conn->asked_for_certificate = 1;
    if (!identity)
        return 1;
    ok = SSL_use_cert_and_key(ssl, identity->leaf, identity->key,
                              sk_X509_num(identity->chain) > 0 ? identity->chain : NULL, 1) == 1;
    if (!conn->identities)
        conn->identities = apr_array_make(conn->pool, 1, sizeof(sl_identity_t *));
    if (conn->identities->nelts) /* it has asked before, and may go on to */
        sl_identity_release(*(sl_identity_t **)apr_array_pop(conn->identities));
    APR_ARRAY_PUSH(conn->identities, sl_identity_t *) = identity;
    return ok;
}

/* ---- sessions ---- */

/* Worth keeping only once the peer is accepted: TLS 1.2 has them before. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    sl_conn_t *conn = sl_bio_host_conn(ssl);

    if (!conn || !conn->host->put_session)
        return 0;
    if (conn->state == SL_STATE_OPEN) {
        (void)conn->host->put_session(conn->baton, session);
        return 0;
    }
    if (SSL_SESSION_up_ref(session) == 1) {
        SSL_SESSION_free(conn->fresh_session);
        conn->fresh_session = session;
    }
    return 0; /* the reference is not taken */
}

void sl_connect_prepare(SSL_CTX *ctx)
{
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
}

/* ---- the backend's certificate ---- */

static int is_address(const char *name)
{
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(name);
    int yes = address != NULL;

    ASN1_OCTET_STRING_free(address);
    sl_openssl_error_clear();
    return yes;
}

static const char *join(apr_pool_t *pool, const char *list, const apr_array_header_t *more)
{
    for (int i = 0; i < more->nelts; i++)
        list = apr_pstrcat(pool, list, *list ? ", " : "", APR_ARRAY_IDX(more, i, const char *), NULL);
    return list;
}

static const char *names_of(apr_pool_t *pool, X509 *cert)
{
    const char *list = join(pool, "", sl_cert_text_san(pool, cert, SL_SAN_DNS));

    list = join(pool, list, sl_cert_text_san(pool, cert, SL_SAN_IP));
    if (!*list)
        list = join(pool, "", sl_cert_text_dn_parts(pool, cert, SL_DN_SUBJECT, NID_commonName));
    return *list ? list : "no name";
}

static int is_first_cn(apr_pool_t *pool, X509 *cert, const char *name)
{
    apr_array_header_t *names = sl_cert_text_dn_parts(pool, cert, SL_DN_SUBJECT, NID_commonName);
    const char *cn = names->nelts ? APR_ARRAY_IDX(names, 0, const char *) : NULL;
    const char *rest = strchr(name, '.');

    if (cn && !strncmp(cn, "*.", 2))
        return rest && rest != name && !strcasecmp(rest, cn + 1);
    return cn && !strcasecmp(cn, name);
}

/* RFC 9525: the subjectAltName counts; the CN stands in for it only where there is none, for backends of old. */
static int has_name(X509 *cert, const char *name)
{
    int has = X509_check_host(cert, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;

    if (!has && is_address(name))
        has = X509_check_ip_asc(cert, name, 0) == 1;
    sl_openssl_error_clear();
    return has;
}

static const char *wrong_name(const sl_conn_t *conn, X509 *cert)
{
    const char *name = conn->target->name;
    int ok = 1;

    if (!name)
        return NULL;
    switch (conn->target->outgoing->profile->check_name) {
    case SL_CHECK_NAMES:
        ok = has_name(cert, name);
        break;
    case SL_CHECK_FIRST_CN:
        ok = is_first_cn(conn->pool, cert, name);
        break;
    case SL_CHECK_NO_NAME:
        break;
    }
    return ok ? NULL
              : apr_psprintf(conn->pool, "its certificate is not for %s, but for %s", name, names_of(conn->pool, cert));
}

static const char *out_of_date(const sl_conn_t *conn, X509 *cert)
{
    apr_int64_t now = apr_time_sec(sl_world_now(conn->host->world));

    if (!conn->target->outgoing->profile->check_expire)
        return NULL;
    if (sl_cert_not_after(cert) < now)
        return apr_pstrcat(conn->pool, "its certificate expired on ", sl_cert_text_not_after(conn->pool, cert), NULL);
    if (sl_cert_not_before(cert) > now)
        return apr_pstrcat(conn->pool, "its certificate is valid only from ", sl_cert_text_not_before(conn->pool, cert),
                           " on", NULL);
    return NULL;
}

static int is_pinned(const sl_setting_t *pins, X509 *cert)
{
    unsigned char *der = NULL, digest[32];
    char pin[sizeof(SL_PIN_PREFIX) + 44];
    int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der), found = 0;

    if (length <= 0 || EVP_Digest(der, (size_t)length, digest, NULL, EVP_sha256(), NULL) != 1) {
        OPENSSL_free(der);
        return 0;
    }
    OPENSSL_free(der);
    memcpy(pin, SL_PIN_PREFIX, sizeof(SL_PIN_PREFIX));
    EVP_EncodeBlock((unsigned char *)pin + strlen(SL_PIN_PREFIX), digest, sizeof(digest));
    for (int i = 0; i < pins->count; i++)
        found |= !strcmp(pins->values[i].text, pin);
    return found;
}

/* The leaf's key, or that of a CA above it where the chain was verified. */
static const char *not_pinned(const sl_conn_t *conn, X509 *cert)
{
    const sl_setting_t *pins = conn->target->outgoing->profile->pins;
    STACK_OF(X509) *chain =
        conn->target->outgoing->profile->verify_mode == SL_VERIFY_REQUIRE ? SSL_get0_verified_chain(conn->ssl) : NULL;

    if (!pins || is_pinned(pins, cert))
        return NULL;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        if (is_pinned(pins, sk_X509_value(chain, i)))
            return NULL;
    }
    return "the key of its certificate is none that SecureLayerProxyPin allows";
}

static X509 *issuer_of(const sl_conn_t *conn, X509 *cert)
{
    STACK_OF(X509) *chain = SSL_get0_verified_chain(conn->ssl);

    if (sk_X509_num(chain) > 1)
        return sk_X509_value(chain, 1);
    return sl_cert_issuer_among(SSL_get_peer_cert_chain(conn->ssl), cert);
}

static const char *read_staple(const sl_conn_t *conn, X509 *cert)
{
    sl_problem_t *why = sl_problem_make(conn->pool);
    sl_ocsp_rules_t rules = {apr_time_sec(sl_world_now(conn->host->world)), STAPLE_SKEW, -1, 0, NULL};
    X509 *issuer = issuer_of(conn, cert);
    sl_ocsp_question_t *question;
    sl_ocsp_answer_t answer;
    unsigned char *bytes = NULL;
    long length = SSL_get_tlsext_status_ocsp_resp(conn->ssl, &bytes);

    if (!bytes || length <= 0)
        return "it stapled no OCSP answer, and SecureLayerProxyMustStaple wants one";
    if (!issuer)
        return "the issuer of its certificate is not known, so its stapled OCSP answer can't be checked";
    question = sl_ocsp_question_make(conn->pool, cert, issuer, 0, why);
    if (!question ||
        sl_ocsp_answer_read(&answer, bytes, (apr_size_t)length, question, &rules, conn->pool, why) != APR_SUCCESS)
        return apr_pstrcat(conn->pool, "its stapled OCSP answer can't be believed: ", why->reason, NULL);
    if (answer.status != SL_OCSP_GOOD)
        return apr_psprintf(conn->pool, "its stapled OCSP answer says that its certificate is %s",
                            sl_ocsp_status_word(answer.status));
    return NULL;
}

/* A session that is resumed brings no answer along: its first handshake had one. */
static const char *not_stapled(const sl_conn_t *conn, X509 *cert)
{
    if (!conn->target->outgoing->profile->must_staple || SSL_session_reused(conn->ssl))
        return NULL;
    return read_staple(conn, cert);
}

static const char *wrong_certificate(const sl_conn_t *conn)
{
    const sl_profile_t *profile = conn->target->outgoing->profile;
    X509 *cert = SSL_get0_peer_certificate(conn->ssl);
    const char *reason;

    if (!cert)
        return profile->verify_mode == SL_VERIFY_NONE && !profile->pins && !profile->must_staple
                   ? NULL
                   : "it showed no certificate";
    reason = out_of_date(conn, cert);
    if (!reason)
        reason = wrong_name(conn, cert);
    if (!reason)
        reason = not_pinned(conn, cert);
    if (!reason)
        reason = not_stapled(conn, cert);
    return reason;
}

/* RFC 7301 section 3.2: one that was offered. Who chooses none speaks HTTP/1.1. */
static const char *wrong_protocol(sl_conn_t *conn)
{
    const apr_array_header_t *offered = conn->target->alpn;
    const unsigned char *chosen = NULL;
    unsigned int length = 0;

    SSL_get0_alpn_selected(conn->ssl, &chosen, &length);
    if (!conn->alpn && length)
        conn->alpn = apr_pstrmemdup(conn->pool, (const char *)chosen, length);
    if (!offered)
        return NULL;
    for (int i = 0; i < offered->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(offered, i, const char *), conn->alpn ? conn->alpn : "http/1.1"))
            return NULL;
    }
    return apr_psprintf(conn->pool, "it speaks %s, and %s is wanted",
                        conn->alpn ? sl_text_printable(conn->pool, conn->alpn, 40) : "no protocol of those offered",
                        join(conn->pool, "", offered));
}

int sl_connect_accepts(sl_conn_t *conn)
{
    const char *reason = wrong_certificate(conn);

    conn->look_again = NULL;
    if (reason) {
        sl_conn_fail(conn, SL_FAIL_BACKEND_CERT, reason);
        return 0;
    }
    reason = wrong_protocol(conn);
    if (reason) {
        sl_conn_fail(conn, SL_FAIL_ALPN, reason);
        return 0;
    }
    if (conn->host->accept_peer && !conn->host->accept_peer(conn->baton, conn->ssl)) {
        sl_conn_fail(conn, SL_FAIL_OTHER, "another module does not accept the backend");
        return 0;
    }
    if (conn->fresh_session && conn->host->put_session)
        (void)conn->host->put_session(conn->baton, conn->fresh_session);
    SSL_SESSION_free(conn->fresh_session);
    conn->fresh_session = NULL;
    return 1;
}

/* ---- the SSL ---- */

static int offer(SSL *ssl, const apr_array_header_t *protocols, apr_pool_t *pool)
{
    apr_size_t size = 0;
    unsigned char *wire, *at;

    for (int i = 0; protocols && i < protocols->nelts; i++)
        size += 1 + strlen(APR_ARRAY_IDX(protocols, i, const char *));
    if (!size)
        return 1;
    at = wire = apr_palloc(pool, size);
    for (int i = 0; i < protocols->nelts; i++) {
        const char *name = APR_ARRAY_IDX(protocols, i, const char *);
        apr_size_t length = strlen(name);

        if (length > 255)
            return 0;
        *at++ = (unsigned char)length;
        memcpy(at, name, length);
        at += length;
    }
    return SSL_set_alpn_protos(ssl, wire, (unsigned int)size) == 0;
}

int sl_connect_set_up(sl_conn_t *conn)
{
    sl_target_t *target = conn->target;
    const sl_profile_t *profile = target->outgoing->profile;
    SSL *ssl = conn->ssl;
    int ok = 1;

    conn->verify_mode = profile->verify_mode;
    conn->verify_depth = profile->verify_depth;
    if (profile->verify_mode != SL_VERIFY_NONE)
        SSL_set_verify(ssl, SSL_VERIFY_PEER, sl_peer_verify);
    SSL_set_cert_cb(ssl, choose_identity, conn);
    SSL_set_post_handshake_auth(ssl, 1);
    SSL_set_connect_state(ssl);
    if (target->name && !is_address(target->name)) /* RFC 6066 section 3 */
        ok = SSL_set_tlsext_host_name(ssl, target->name) == 1;
    if (profile->must_staple)
        ok = ok && SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp) == 1;
    ok = ok && sl_step_use_trust(conn) && offer(ssl, target->alpn, conn->pool);
    if (target->session) { /* one that OpenSSL does not take costs a full handshake */
        (void)SSL_set_session(ssl, target->session);
        SSL_SESSION_free(target->session);
        target->session = NULL;
    }
    return ok;
}
