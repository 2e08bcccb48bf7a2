/* Second step: an SSL straight from the profile of the chosen virtual host, or of the side that connects to
 * backends. */
#include "conn/steps.h"

#include "base/text.h"
#include "crypto/openssl_error.h"
#include "hello/alpn.h"

#include <openssl/ssl.h>
#include <string.h>

#define ACME_TLS_1 "acme-tls/1" /* RFC 8737 */

static int is_challenge(sl_conn_t *conn)
{
    apr_array_header_t *names;

    if (!conn->hello->has_alpn || !conn->name)
        return 0;
    names = sl_alpn_names(conn->hello_pool, conn->hello->alpn.at, sl_reader_left(&conn->hello->alpn));
    return names && names->nelts == 1 && !strcmp(APR_ARRAY_IDX(names, 0, const char *), ACME_TLS_1);
}

static void note_alert(const SSL *ssl, int where, int value)
{
    sl_conn_t *conn = sl_bio_host_conn(ssl);

    if (where & SSL_CB_ALERT && (value >> 8 == SSL3_AL_FATAL || (value & 0xff) != SSL_AD_CLOSE_NOTIFY))
        *(where & SSL_CB_READ ? &conn->failure.alert_received : &conn->failure.alert_sent) = value & 0xff;
    if (where & SSL_CB_HANDSHAKE_DONE && conn->target && conn->state == SL_STATE_OPEN &&
        SSL_version(ssl) < TLS1_3_VERSION)
        conn->look_again = sl_connect_accepts;
}

/* Browsers that speak HTTP/1.1 open several connections at a time, and use each TLS 1.3 ticket once; everybody else
 * needs one (RFC 8446 section 4.6.1). Whoever set another number through OpenSSL's configuration keeps it. */
void sl_step_fit_tickets(sl_conn_t *conn)
{
    int wants_two = conn->alpn ? !strcmp(conn->alpn, "http/1.1") : conn->hello->has_alpn;

    if (conn->challenge)
        return;
    if (conn->vhost->profile->tickets_by_client)
        SSL_set_num_tickets(conn->ssl, wants_two ? 2 : 1);
}

/* Whoever answers a challenge shows no client certificate: a session of it must lead nowhere. */
static void forbid_sessions(SSL *ssl)
{
    SSL_set_options(ssl, SSL_OP_NO_TICKET);
    SSL_set_num_tickets(ssl, 0);
}

/* Sessions belong to a virtual host, its policy, and the name that was asked for (RFC 6066 section 3). What a section
 * asked for is no virtual host's policy: no handshake has that scope. */
int sl_step_set_scope(sl_conn_t *conn)
{
    const sl_vhost_t *vhost = conn->vhost;
    unsigned char both[sizeof(vhost->session_scope) + SL_HOST_MAX + 1], digest[sizeof(vhost->session_scope)];
    apr_size_t length = conn->name ? strlen(conn->name) : 0;

    memcpy(both, vhost->session_scope, sizeof(vhost->session_scope));
    if (length)
        memcpy(both + sizeof(vhost->session_scope), conn->name, length);
    if (conn->reauthenticated)
        both[sizeof(vhost->session_scope) + length++] = '/';
    return EVP_Digest(both, sizeof(vhost->session_scope) + length, digest, NULL, EVP_sha256(), NULL) == 1 &&
           SSL_set_session_id_context(conn->ssl, digest, sizeof(digest)) == 1;
}

static void set_verification(sl_conn_t *conn)
{
    static const int modes[] = {
        [SL_VERIFY_NONE] = SSL_VERIFY_NONE,
        [SL_VERIFY_OPTIONAL] = SSL_VERIFY_PEER,
        [SL_VERIFY_REQUIRE] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
        [SL_VERIFY_OPTIONAL_NO_CA] = SSL_VERIFY_PEER,
    };

    conn->verify_mode = conn->challenge ? SL_VERIFY_NONE : conn->vhost->profile->verify_mode;
    conn->verify_depth = conn->vhost->profile->verify_depth;
    SSL_set_verify(conn->ssl, modes[conn->verify_mode], sl_peer_verify);
}

/* The profile stays as it is; the connection is told of what is newer. */
int sl_step_use_trust(const sl_conn_t *conn)
{
    return !conn->trust || (SSL_set1_verify_cert_store(conn->ssl, conn->trust->store) == 1 &&
                            SSL_set1_chain_cert_store(conn->ssl, conn->trust->store) == 1);
}

static int use_newer_trust(sl_conn_t *conn)
{
    conn->trust = conn->host->get_trust ? conn->host->get_trust(conn->baton, conn->vhost->trust_id) : NULL;
    if (conn->trust)
        SSL_set_client_CA_list(conn->ssl, SSL_dup_CA_list(conn->trust->names));
    return sl_step_use_trust(conn);
}

static int set_up(sl_conn_t *conn)
{
    sl_reader_t extension;

    conn->offers_reauth = sl_client_hello_extension(conn->hello, TLSEXT_TYPE_post_handshake_auth, &extension);
    if (is_challenge(conn))
        conn->challenge = conn->host->answer_challenge(conn->baton, conn->name);
    set_verification(conn);
    if (conn->challenge)
        forbid_sessions(conn->ssl);
    if (!use_newer_trust(conn) || !sl_step_set_scope(conn))
        return 0;
    SSL_set_cert_cb(conn->ssl, sl_step_identity, conn);
    sl_step_fit_tickets(conn);
    SSL_set_accept_state(conn->ssl);
    return 1;
}

const sl_profile_t *sl_step_profile(const sl_conn_t *conn)
{
    return conn->target ? conn->target->outgoing->profile : conn->vhost->profile;
}

sl_step_t sl_step_start(sl_conn_t *conn)
{
    BIO *bio = sl_bio_host_new(conn);

    sl_openssl_error_clear();
    conn->ssl = bio ? SSL_new(sl_step_profile(conn)->ctx) : NULL;
    if (!conn->ssl) {
        BIO_free(bio);
        sl_conn_fail(conn, SL_FAIL_OTHER, sl_openssl_error_take(conn->pool));
        return SL_STEP_DONE;
    }
    SSL_set_bio(conn->ssl, bio, bio);
    SSL_set_info_callback(conn->ssl, note_alert);
    if (!(conn->target ? sl_connect_set_up(conn) : set_up(conn))) {
        sl_conn_fail(conn, SL_FAIL_OTHER, sl_openssl_error_take(conn->pool));
        return SL_STEP_DONE;
    }
    if (conn->host->show_ssl && !conn->host->show_ssl(conn->baton, conn->ssl)) {
        sl_conn_fail(conn, SL_FAIL_OTHER, "another module does not allow the handshake");
        return SL_STEP_DONE;
    }
    conn->state = SL_STATE_HANDSHAKE;
    return SL_STEP_ON;
}
