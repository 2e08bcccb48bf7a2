/* Client certificates: who is let in, who is not and learns why, and what is remembered of both. */
#include "memory_host.h"
#include "unit.h"

#include "conn/hint.h"
#include "conn/reauth.h"

#include <openssl/err.h>

#define BOTH_VERSIONS(version) for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)

/* Our CA, the one below it, theirs, and a client below each. */
typedef struct setup_t {
    apr_pool_t *pool;
    const char *dir;
    const material_pair_t *ca, *intermediate, *other_ca;
    const material_pair_t *direct, *below, *stranger;
    memory_host_t *memory;
    SSL_CTX *client;
} setup_t;

static setup_t make(apr_pool_t *pool)
{
    setup_t t;

    t.pool = pool;
    t.dir = material_dir(pool);
    t.ca = material_ca(pool, "CA", NULL);
    t.intermediate = material_ca(pool, "Intermediate", t.ca);
    t.other_ca = material_ca(pool, "Other CA", NULL);
    t.direct = material_client(pool, "direct", "P-256", t.ca);
    t.below = material_client(pool, "below", "P-256", t.intermediate);
    t.stranger = material_client(pool, "stranger", "P-256", t.other_ca);
    t.memory = memory_host_make(pool);
    t.client = memory_client_ctx(pool, NULL);
    material_file(pool, t.dir, "ca.pem", material_cert_pem(pool, t.ca->cert));
    return t;
}

/* The virtual host a.test; it trusts ca.pem, and "DIR" in the directives becomes the directory of the files. */
static void serve(setup_t *t, const char *directives)
{
    const char *rest, *all = apr_psprintf(t->pool, "SSLCACertificateFile %s/ca.pem\n", t->dir);

    while ((rest = strstr(directives, "DIR")) != NULL) {
        all = apr_psprintf(t->pool, "%s%.*s%s", all, (int)(rest - directives), directives, t->dir);
        directives = rest + strlen("DIR");
    }
    all = apr_pstrcat(t->pool, all, directives, NULL);
    apr_array_clear(t->memory->names);
    memory_host_add(t->memory, "a.test",
                    memory_vhost(t->pool, "a.test:443", all, material_server(t->pool, "a.test", "P-256", t->ca), NULL));
}

/* The client shows `pair` (NULL: nothing), with `issuer` as its chain if that is not NULL. */
static sl_state_t shake_with(setup_t *t, int version, const material_pair_t *pair, const material_pair_t *issuer)
{
    STACK_OF(X509) *chain = issuer ? material_stack(t->pool, issuer->cert, NULL) : NULL;

    t->client = memory_client_ctx(t->pool, NULL);
    memory_client_versions(t->client, version, version);
    SSL_CTX_set_mode(t->client, SSL_MODE_NO_AUTO_CHAIN);
    if (pair)
        assert_int_equal(SSL_CTX_use_cert_and_key(t->client, pair->cert, pair->key, chain, 1), 1);
    memory_host_client(t->memory, t->client, "a.test");
    return memory_shake(t->memory);
}

static void assert_accepted(setup_t *t, int version, const material_pair_t *pair, const material_pair_t *issuer)
{
    const sl_conn_t *conn;

    if (shake_with(t, version, pair, issuer) != SL_STATE_OPEN)
        fail_msg("%s: %s", sl_failure_word(t->memory->conn->failure.reason),
                 X509_verify_cert_error_string(t->memory->conn->verify_error));
    conn = t->memory->conn;
    assert_int_equal(conn->verify_error, X509_V_OK);
    if (pair)
        assert_int_equal(X509_cmp(SSL_get0_peer_certificate(conn->ssl), pair->cert), 0);
    else
        assert_null(SSL_get0_peer_certificate(conn->ssl));
}

static void assert_success(setup_t *t, int version, const material_pair_t *pair, const material_pair_t *issuer)
{
    assert_accepted(t, version, pair, issuer);
    assert_int_equal(t->memory->conn->verify_generous, 0);
    assert_int_equal(SSL_get_verify_result(t->memory->conn->ssl), X509_V_OK);
}

/* The client learns its fate by an alert, in TLS 1.3 behind its own end of the handshake. */
static void assert_refused(setup_t *t, int version, const material_pair_t *pair, const material_pair_t *issuer,
                           int error, int alert)
{
    const sl_conn_t *conn;
    const char *hint;

    assert_int_equal(shake_with(t, version, pair, issuer), SL_STATE_FAILED);
    conn = t->memory->conn;
    assert_string_equal(sl_failure_word(conn->failure.reason), "client-certificate");
    if (conn->verify_error != error)
        fail_msg("%s", X509_verify_cert_error_string(conn->verify_error));
    assert_int_equal(conn->failure.alert_sent, alert);
    assert_int_equal(t->memory->alert_received, alert);
    hint = sl_hint(conn, t->pool);
    assert_non_null(strstr(hint, pair ? X509_verify_cert_error_string(error) : "the client sent none"));
}

static void test_none(void **state)
{
    setup_t t = make(*state);

    serve(&t, "SSLVerifyClient none");
    BOTH_VERSIONS(version)
    {
        assert_int_equal(shake_with(&t, version, t.stranger, NULL), SL_STATE_OPEN);
        assert_null(SSL_get0_peer_certificate(t.memory->conn->ssl));
    }
}

static void test_optional(void **state)
{
    setup_t t = make(*state);

    serve(&t, "SSLVerifyClient optional");
    BOTH_VERSIONS(version)
    {
        assert_success(&t, version, NULL, NULL);
        assert_success(&t, version, t.direct, NULL);
        assert_refused(&t, version, t.stranger, NULL, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, SSL_AD_UNKNOWN_CA);
    }
}

static void test_require(void **state)
{
    setup_t t = make(*state);

    serve(&t, "SSLVerifyClient require");
    BOTH_VERSIONS(version)
    {
        assert_success(&t, version, t.direct, NULL);
        assert_refused(&t, version, NULL, NULL, X509_V_OK,
                       version == TLS1_3_VERSION ? SSL_AD_CERTIFICATE_REQUIRED : SSL_AD_HANDSHAKE_FAILURE);
        assert_refused(&t, version, t.stranger, NULL, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, SSL_AD_UNKNOWN_CA);
        assert_refused(&t, version, t.stranger, t.other_ca, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, SSL_AD_UNKNOWN_CA);
    }
}

/* Certificates above the client's own: none with depth 0, one with 1. A self-signed one that is trusted has none. */
static void test_depth(void **state)
{
    static const struct {
        int depth, takes_direct, takes_below;
    } rows[] = {{0, 0, 0}, {1, 1, 0}, {2, 1, 1}, {1000, 1, 1}};
    setup_t t = make(*state);
    const material_pair_t *self = material_client(t.pool, "self", "P-256", NULL);

    material_file(t.pool, t.dir, "ca.pem",
                  material_join(t.pool, material_cert_pem(t.pool, t.ca->cert), material_cert_pem(t.pool, self->cert)));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        serve(&t, apr_psprintf(t.pool, "SSLVerifyClient require\nSSLVerifyDepth %d", rows[i].depth));
        BOTH_VERSIONS(version)
        {
            assert_success(&t, version, self, NULL);
            if (rows[i].takes_direct)
                assert_success(&t, version, t.direct, NULL);
            else
                assert_refused(&t, version, t.direct, NULL, X509_V_ERR_CERT_CHAIN_TOO_LONG, SSL_AD_UNKNOWN_CA);
            if (rows[i].takes_below)
                assert_success(&t, version, t.below, t.intermediate);
            else
                assert_refused(&t, version, t.below, t.intermediate, X509_V_ERR_CERT_CHAIN_TOO_LONG, SSL_AD_UNKNOWN_CA);
        }
    }
}

/* The default depth of 1 leaves no room for an intermediate CA. */
static void test_default_depth(void **state)
{
    setup_t t = make(*state);

    serve(&t, "SSLVerifyClient require");
    assert_refused(&t, TLS1_3_VERSION, t.below, t.intermediate, X509_V_ERR_CERT_CHAIN_TOO_LONG, SSL_AD_UNKNOWN_CA);
}

static void assert_generous(const setup_t *t, int error)
{
    const sl_conn_t *conn = t->memory->conn;

    assert_int_equal(conn->state, SL_STATE_OPEN);
    assert_int_equal(conn->verify_generous, error);
    assert_int_equal(conn->verify_error, X509_V_OK);
    assert_int_equal(SSL_get_verify_result(conn->ssl), error);
    assert_non_null(SSL_get0_peer_certificate(conn->ssl));
}

static void resume(const setup_t *t)
{
    SSL_SESSION *session;
    SSL *client;

    assert_true(t->memory->sessions->nelts > 0);
    session = APR_ARRAY_IDX(t->memory->sessions, t->memory->sessions->nelts - 1, SSL_SESSION *);
    client = memory_host_client(t->memory, t->client, "a.test");
    assert_int_equal(SSL_set_session(client, session), 1);
    assert_int_equal(memory_shake(t->memory), SL_STATE_OPEN);
    assert_true(SSL_session_reused(t->memory->conn->ssl));
}

/* A client of a CA we do not know is let in, and marked as such, also when it comes back. */
static void test_optional_no_ca(void **state)
{
    setup_t t = make(*state);
    const material_pair_t *self = material_client(t.pool, "self", "P-256", NULL);
    const material_pair_t *their_intermediate = material_ca(t.pool, "Their intermediate", t.other_ca);
    const struct {
        const material_pair_t *pair, *issuer;
        int error;
    } rows[] = {{t.stranger, NULL, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE},
                {t.stranger, t.other_ca, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN},
                {self, NULL, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT},
                {material_client(t.pool, "b", "P-256", their_intermediate), their_intermediate,
                 X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY}};

    serve(&t, "SSLVerifyClient optional_no_ca");
    BOTH_VERSIONS(version)
    {
        assert_success(&t, version, NULL, NULL);
        resume(&t);
        assert_int_equal(t.memory->conn->verify_generous, 0);
        assert_success(&t, version, t.direct, NULL);
        resume(&t);
        assert_int_equal(t.memory->conn->verify_generous, 0);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            assert_accepted(&t, version, rows[i].pair, rows[i].issuer);
            assert_generous(&t, rows[i].error);
            resume(&t);
            assert_generous(&t, rows[i].error);
        }
    }
}

/* Only an unknown issuer is forgiven. */
static void test_optional_no_ca_has_limits(void **state)
{
    setup_t t = make(*state);
    const material_cert_t expired = {.subject = "/CN=expired", .not_after = material_now() - MATERIAL_DAY / 2};
    const material_cert_t early = {.subject = "/CN=early", .not_before = material_now() + MATERIAL_DAY};

    serve(&t, "SSLVerifyClient optional_no_ca");
    BOTH_VERSIONS(version)
    {
        assert_refused(&t, version, material_pair(t.pool, &expired, "P-256", t.other_ca), NULL,
                       X509_V_ERR_CERT_HAS_EXPIRED, SSL_AD_CERTIFICATE_EXPIRED);
        assert_refused(&t, version, material_pair(t.pool, &early, "P-256", t.ca), NULL, X509_V_ERR_CERT_NOT_YET_VALID,
                       SSL_AD_BAD_CERTIFICATE);
        assert_refused(&t, version, t.below, t.intermediate, X509_V_ERR_CERT_CHAIN_TOO_LONG, SSL_AD_UNKNOWN_CA);
    }
}

static void test_expired(void **state)
{
    setup_t t = make(*state);
    const material_cert_t expired = {.subject = "/CN=expired", .not_after = material_now() - MATERIAL_DAY / 2};

    serve(&t, "SSLVerifyClient optional");
    BOTH_VERSIONS(version)
    assert_refused(&t, version, material_pair(t.pool, &expired, "P-256", t.ca), NULL, X509_V_ERR_CERT_HAS_EXPIRED,
                   SSL_AD_CERTIFICATE_EXPIRED);
}

/* A server's certificate is none for a client. */
static void test_wrong_purpose(void **state)
{
    setup_t t = make(*state);

    serve(&t, "SSLVerifyClient require");
    BOTH_VERSIONS(version)
    assert_refused(&t, version, material_server(t.pool, "b.test", "P-256", t.ca), NULL, X509_V_ERR_INVALID_PURPOSE,
                   SSL_AD_UNSUPPORTED_CERTIFICATE);
}

/* Someone else's certificate without its key. */
static void spoil_signature(memory_host_t *memory, int flight)
{
    (void)flight;
    for (apr_size_t at = memory->up.arrived; at + 5 < memory->up.sent;) {
        const unsigned char *handshake = memory->up.bytes + at;
        apr_size_t length = (apr_size_t)handshake[3] << 8 | handshake[4];

        if (handshake[0] == 22 && handshake[5] == 15) { /* CertificateVerify */
            memory->up.bytes[at + 5 + length - 1] ^= 1;
            *(int *)memory->baton = 1;
        }
        at += 5 + length;
    }
}

static void test_signature_is_checked(void **state)
{
    setup_t t = make(*state);
    int done = 0;

    serve(&t, "SSLVerifyClient optional");
    t.memory->on_flight = spoil_signature;
    t.memory->baton = &done;
    assert_int_equal(shake_with(&t, TLS1_2_VERSION, t.direct, NULL), SL_STATE_FAILED);
    assert_int_equal(done, 1);
    assert_int_equal(t.memory->conn->failure.alert_sent, SSL_AD_DECRYPT_ERROR);
}

static void write_crls(const setup_t *t, X509 *revoked, apr_int64_t next_update, int both)
{
    material_bytes_t crl = material_crl_pem(t->pool, material_crl(t->pool, t->ca, revoked, next_update));

    if (both)
        crl = material_join(t->pool, crl,
                            material_crl_pem(t->pool, material_crl(t->pool, t->intermediate, NULL, next_update)));
    material_file(t->pool, t->dir, "crl.pem", crl);
}

#define WITH_CRL "SSLVerifyClient require\nSSLVerifyDepth 2\nSSLCARevocationFile DIR/crl.pem\nSSLCARevocationCheck "

static void test_revoked(void **state)
{
    setup_t t = make(*state);
    const material_pair_t *second = material_client(t.pool, "second", "P-256", t.ca);

    write_crls(&t, t.direct->cert, 0, 0);
    serve(&t, WITH_CRL "leaf");
    BOTH_VERSIONS(version)
    {
        assert_success(&t, version, second, NULL);
        assert_refused(&t, version, t.direct, NULL, X509_V_ERR_CERT_REVOKED, SSL_AD_CERTIFICATE_REVOKED);
    }
}

/* "leaf" asks for a CRL of the client's issuer only, "chain" for one of every CA. */
static void test_leaf_and_chain(void **state)
{
    setup_t t = make(*state);

    write_crls(&t, t.intermediate->cert, 0, 1);
    serve(&t, WITH_CRL "leaf");
    assert_success(&t, TLS1_3_VERSION, t.below, t.intermediate);
    serve(&t, WITH_CRL "chain");
    assert_refused(&t, TLS1_3_VERSION, t.below, t.intermediate, X509_V_ERR_CERT_REVOKED, SSL_AD_CERTIFICATE_REVOKED);
}

static void test_missing_crl(void **state)
{
    setup_t t = make(*state);

    write_crls(&t, NULL, 0, 0);
    BOTH_VERSIONS(version)
    {
        serve(&t, WITH_CRL "leaf");
        assert_success(&t, version, t.direct, NULL);
        assert_refused(&t, version, t.below, t.intermediate, X509_V_ERR_UNABLE_TO_GET_CRL, SSL_AD_UNKNOWN_CA);
        serve(&t, WITH_CRL "leaf no_crl_for_cert_ok");
        assert_success(&t, version, t.below, t.intermediate);
        serve(&t, WITH_CRL "chain no_crl_for_cert_ok");
        assert_success(&t, version, t.below, t.intermediate);
        write_crls(&t, t.direct->cert, 0, 0);
        serve(&t, WITH_CRL "leaf no_crl_for_cert_ok");
        assert_refused(&t, version, t.direct, NULL, X509_V_ERR_CERT_REVOKED, SSL_AD_CERTIFICATE_REVOKED);
        write_crls(&t, NULL, 0, 0);
    }
}

/* A missing CRL that is forgiven does not make an unknown issuer known: neither now nor when the session is resumed. */
static void test_missing_crl_of_an_unknown_ca(void **state)
{
    setup_t t = make(*state);

    write_crls(&t, NULL, 0, 0);
    serve(&t, "SSLVerifyClient optional_no_ca\nSSLCARevocationFile DIR/crl.pem\nSSLCARevocationCheck chain "
              "no_crl_for_cert_ok");
    BOTH_VERSIONS(version)
    {
        assert_accepted(&t, version, t.stranger, t.other_ca);
        assert_true(t.memory->conn->verify_generous != 0);
        assert_true(SSL_get_verify_result(t.memory->conn->ssl) != X509_V_OK);
        resume(&t);
        assert_true(t.memory->conn->verify_generous != 0);
        assert_true(SSL_get_verify_result(t.memory->conn->ssl) != X509_V_OK);
        assert_accepted(&t, version, t.stranger, NULL);
        assert_true(t.memory->conn->verify_generous != 0);
        resume(&t);
        assert_true(t.memory->conn->verify_generous != 0);
    }
}

/* An expired CRL refuses everybody below it, but tells nobody that his certificate has expired. */
static void test_expired_crl(void **state)
{
    setup_t t = make(*state);

    write_crls(&t, NULL, material_now() - MATERIAL_DAY, 0);
    serve(&t, WITH_CRL "leaf no_crl_for_cert_ok");
    BOTH_VERSIONS(version)
    assert_refused(&t, version, t.direct, NULL, X509_V_ERR_CRL_HAS_EXPIRED, SSL_AD_CERTIFICATE_UNKNOWN);
}

/* The first error is the one that is told. */
static void test_first_error(void **state)
{
    setup_t t = make(*state);
    const material_cert_t expired = {.subject = "/CN=expired", .not_after = material_now() - MATERIAL_DAY / 2};

    serve(&t, "SSLVerifyClient require");
    assert_refused(&t, TLS1_3_VERSION, material_pair(t.pool, &expired, "P-256", t.other_ca), NULL,
                   X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, SSL_AD_UNKNOWN_CA);
}

/* The CRL of a hashed directory counts although it came after the start. */
static void test_crl_directory(void **state)
{
    setup_t t = make(*state);

    serve(&t, "SSLVerifyClient require\nSSLCARevocationPath DIR\nSSLCARevocationCheck leaf");
    write_crls(&t, t.direct->cert, 0, 0);
    material_hash_link(t.pool, t.dir, "crl.pem", X509_get_subject_name(t.ca->cert), 1);
    assert_refused(&t, TLS1_3_VERSION, t.direct, NULL, X509_V_ERR_CERT_REVOKED, SSL_AD_CERTIFICATE_REVOKED);
}

/* A certificate of nearly the size that OpenSSL takes from a client. */
static const material_pair_t *huge_client(apr_pool_t *pool, const material_pair_t *issuer, apr_size_t size)
{
    char *comment = apr_palloc(pool, size + 1);
    const char *extensions[] = {"nsComment", comment, NULL};
    const material_cert_t what = {.subject = "/CN=huge", .extensions = extensions};

    memset(comment, 'x', size);
    comment[size] = '\0';
    return material_pair(pool, &what, "P-256", issuer);
}

/* What fits into no ticket gets none. TLS 1.2 promises one before it sees the certificate: there it is refused, and the
 * log has the way out. */
static void test_too_large_for_a_ticket(void **state)
{
    setup_t t = make(*state);
    const material_pair_t *huge = huge_client(t.pool, t.ca, 80000);
    const material_pair_t *stranger = huge_client(t.pool, t.other_ca, 80000);
    int tickets;

    serve(&t, "SSLVerifyClient optional_no_ca");
    BOTH_VERSIONS(version)
    {
        assert_success(&t, version, huge_client(t.pool, t.ca, 59000), NULL);
        resume(&t);
    }
    tickets = t.memory->sessions->nelts;
    assert_success(&t, TLS1_3_VERSION, huge, NULL);
    assert_accepted(&t, TLS1_3_VERSION, stranger, NULL);
    assert_int_equal(t.memory->sessions->nelts, tickets);

    assert_int_equal(shake_with(&t, TLS1_2_VERSION, huge, NULL), SL_STATE_FAILED);
    assert_string_equal(sl_failure_word(t.memory->conn->failure.reason), "client-certificate");
    assert_int_equal(t.memory->alert_received, SSL_AD_HANDSHAKE_FAILURE);
    assert_non_null(strstr(sl_hint(t.memory->conn, t.pool), "SSLSessionTickets off"));
    serve(&t, "SSLVerifyClient optional_no_ca\nSSLSessionTickets off");
    BOTH_VERSIONS(version)
    assert_success(&t, version, huge, NULL);
}

/* Which certificates the host is asked about, and that its word counts. */
static void test_revocation_is_asked_for(void **state)
{
    setup_t t = make(*state);

    BOTH_VERSIONS(version)
    {
        t.memory->revoked = NULL;
        t.memory->revocation_checks = 0;
        serve(&t, "SSLVerifyClient require\nSSLVerifyDepth 2");
        assert_int_equal(shake_with(&t, version, t.below, t.intermediate), SL_STATE_OPEN);
        assert_int_equal(t.memory->revocation_checks, 0);
        serve(&t, "SSLVerifyClient require\nSSLVerifyDepth 2\nSSLOCSPEnable leaf");
        assert_int_equal(shake_with(&t, version, t.below, t.intermediate), SL_STATE_OPEN);
        assert_int_equal(t.memory->revocation_checks, 1);
        t.memory->revoked = t.intermediate->cert;
        assert_int_equal(shake_with(&t, version, t.below, t.intermediate), SL_STATE_OPEN);
        serve(&t, "SSLVerifyClient require\nSSLVerifyDepth 2\nSSLOCSPEnable on");
        assert_int_equal(shake_with(&t, version, t.below, t.intermediate), SL_STATE_FAILED);
        assert_int_equal(t.memory->conn->verify_error, X509_V_ERR_CERT_REVOKED);
        assert_int_equal(t.memory->alert_received, SSL_AD_CERTIFICATE_REVOKED);
        assert_string_equal(sl_hint(t.memory->conn, t.pool),
                            "the client's certificate was not accepted: the responder says so");
        t.memory->revoked = NULL;
        t.memory->revocation_checks = 0;
        assert_int_equal(shake_with(&t, version, t.below, t.intermediate), SL_STATE_OPEN);
        assert_int_equal(t.memory->revocation_checks, 2); /* the root is nobody's to revoke */
    }
}

/* What has not passed is not asked about, and optional_no_ca forgives nothing that nobody can be asked about. */
static void test_revocation_and_strangers(void **state)
{
    setup_t t = make(*state);

    BOTH_VERSIONS(version)
    {
        t.memory->revocation_checks = 0;
        serve(&t, "SSLVerifyClient optional\nSSLOCSPEnable on");
        assert_int_equal(shake_with(&t, version, t.stranger, NULL), SL_STATE_FAILED);
        serve(&t, "SSLVerifyClient optional_no_ca\nSSLOCSPEnable on");
        assert_int_equal(shake_with(&t, version, t.stranger, NULL), SL_STATE_FAILED);
        assert_int_equal(t.memory->revocation_checks, 0);
        assert_int_equal(shake_with(&t, version, t.direct, NULL), SL_STATE_OPEN);
        assert_int_equal(t.memory->revocation_checks, 1);
    }
}

/* ---- asked again on an open connection ---- */

static char kept[64];

static apr_status_t keep(void *baton, const unsigned char *bytes, apr_size_t length)
{
    (void)baton;
    assert_true(strlen(kept) + length < sizeof(kept));
    strncat(kept, (const char *)bytes, length);
    return APR_SUCCESS;
}

/* The handshake is over; a section now asks for `mode`. Bytes come in pieces of `piece`. */
static sl_conn_t *ask_again(setup_t *t, int version, const material_pair_t *pair, int mode, apr_size_t piece)
{
    sl_demand_t demand = {mode, 1, NULL};

    serve(t, "SSLVerifyClient none");
    t->client = memory_client_ctx(t->pool, NULL);
    memory_client_versions(t->client, version, version);
    SSL_CTX_set_post_handshake_auth(t->client, 1);
    if (pair)
        assert_int_equal(SSL_CTX_use_cert_and_key(t->client, pair->cert, pair->key, NULL, 1), 1);
    memory_host_client(t->memory, t->client, "a.test");
    assert_int_equal(memory_shake(t->memory), SL_STATE_OPEN);
    assert_null(sl_conn_peer(t->memory->conn));
    assert_int_equal(sl_reauth_is_met(t->memory->conn, mode, 1), 0);
    assert_int_equal(sl_reauth_bar(t->memory->conn), SL_REAUTH_POSSIBLE);
    t->memory->piece = piece;
    kept[0] = '\0';
    sl_reauth_begin(t->memory->conn, &demand);
    return t->memory->conn;
}

static void test_asked_again(void **state)
{
    setup_t t = make(*state);

    BOTH_VERSIONS(version)
    {
        for (apr_size_t piece = 0; piece <= 1; piece++) {
            sl_conn_t *conn = ask_again(&t, version, t.direct, SL_VERIFY_REQUIRE, piece);

            assert_int_equal(memory_shake(t.memory), SL_STATE_OPEN);
            assert_int_equal(X509_cmp(sl_conn_peer(conn), t.direct->cert), 0);
            assert_int_equal(sl_reauth_is_met(conn, SL_VERIFY_REQUIRE, 1), 1);
            assert_int_equal(sl_reauth_is_met(conn, SL_VERIFY_REQUIRE, 0), 0);
            assert_true(SSL_get_options(conn->ssl) & SSL_OP_NO_RENEGOTIATION);
            t.memory->piece = 0;
        }
    }
}

/* Nobody is thrown out, but nobody is known either. */
static void test_asked_in_vain(void **state)
{
    setup_t t = make(*state);

    BOTH_VERSIONS(version)
    {
        sl_conn_t *conn = ask_again(&t, version, t.stranger, SL_VERIFY_REQUIRE, 0);

        assert_int_equal(memory_shake(t.memory), SL_STATE_OPEN);
        assert_int_equal(conn->verify_error, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
        assert_null(sl_conn_peer(conn));
        assert_int_equal(sl_reauth_is_met(conn, SL_VERIFY_OPTIONAL_NO_CA, 1), 0);
        conn = ask_again(&t, version, NULL, SL_VERIFY_OPTIONAL, 0);
        assert_int_equal(memory_shake(t.memory), SL_STATE_OPEN);
        assert_int_equal(sl_reauth_is_met(conn, SL_VERIFY_OPTIONAL, 1), 1);
        assert_int_equal(sl_reauth_is_met(conn, SL_VERIFY_REQUIRE, 1), 0);
    }
}

/* What the client was sending goes to the host; without one that takes it, the connection ends. */
static void test_data_before_the_answer(void **state)
{
    setup_t t = make(*state);

    BOTH_VERSIONS(version)
    {
        sl_conn_t *conn;

        t.memory->host.keep = keep;
        conn = ask_again(&t, version, t.direct, SL_VERIFY_REQUIRE, 0);
        memory_client_write(t.memory, "on its way", 10);
        assert_int_equal(memory_shake(t.memory), SL_STATE_OPEN);
        assert_string_equal(kept, "on its way");
        assert_non_null(sl_conn_peer(conn));
        t.memory->host.keep = NULL;
        ask_again(&t, version, t.direct, SL_VERIFY_REQUIRE, 0);
        memory_client_write(t.memory, "on its way", 10);
        assert_int_equal(memory_shake(t.memory), SL_STATE_FAILED);
    }
}

static void test_stronger(void **state)
{
    (void)state;
    assert_int_equal(sl_reauth_stronger(SL_VERIFY_OPTIONAL, SL_VERIFY_OPTIONAL_NO_CA), SL_VERIFY_OPTIONAL);
    assert_int_equal(sl_reauth_stronger(SL_VERIFY_OPTIONAL_NO_CA, SL_VERIFY_OPTIONAL), SL_VERIFY_OPTIONAL);
    assert_int_equal(sl_reauth_stronger(SL_VERIFY_REQUIRE, SL_VERIFY_NONE), SL_VERIFY_REQUIRE);
    assert_int_equal(sl_reauth_stronger(SL_VERIFY_NONE, SL_VERIFY_OPTIONAL_NO_CA), SL_VERIFY_OPTIONAL_NO_CA);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(test_none),
    UNIT_TEST(test_optional),
    UNIT_TEST(test_require),
    UNIT_TEST(test_depth),
    UNIT_TEST(test_default_depth),
    UNIT_TEST(test_optional_no_ca),
    UNIT_TEST(test_optional_no_ca_has_limits),
    UNIT_TEST(test_expired),
    UNIT_TEST(test_wrong_purpose),
    UNIT_TEST(test_signature_is_checked),
    UNIT_TEST(test_revoked),
    UNIT_TEST(test_leaf_and_chain),
    UNIT_TEST(test_missing_crl),
    UNIT_TEST(test_missing_crl_of_an_unknown_ca),
    UNIT_TEST(test_expired_crl),
    UNIT_TEST(test_first_error),
    UNIT_TEST(test_crl_directory),
    UNIT_TEST(test_too_large_for_a_ticket),
    UNIT_TEST(test_revocation_is_asked_for),
    UNIT_TEST(test_revocation_and_strangers),
    UNIT_TEST(test_asked_again),
    UNIT_TEST(test_asked_in_vain),
    UNIT_TEST(test_data_before_the_answer),
    UNIT_TEST(test_stronger),
};

UNIT_MAIN(tests)
