/* What the chosen virtual host brings into a handshake: its profile, its tickets, the answer to an ACME challenge.
 * Sessions stay with the host, the policy and the name they were made for, and tell the same facts again. */
#include "memory_host.h"
#include "unit.h"

#include <openssl/evp.h>

#define BOTH_VERSIONS(version) for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
#define ACME                                                                                                           \
    ((const unsigned char *)"\x0a"                                                                                     \
                            "acme-tls/1")
#define ACME_SIZE 11

typedef struct setup_t {
    apr_pool_t *pool;
    const material_pair_t *ca;
    const char *ca_file;
    memory_host_t *memory;
    SSL_CTX *client;
} setup_t;

static setup_t make(apr_pool_t *pool)
{
    setup_t t = {pool, material_ca(pool, "CA", NULL), NULL, memory_host_make(pool), NULL};

    t.ca_file = material_file(pool, material_dir(pool), "ca.pem", material_cert_pem(pool, t.ca->cert));
    t.client = memory_client_ctx(pool, t.ca);
    return t;
}

/* A virtual host with a certificate of its own; "CA_FILE" in the directives becomes the path of the CA. */
static sl_vhost_t *add(const setup_t *t, const char *name, const char *directives)
{
    const char *place = strstr(directives, "CA_FILE");
    const char *all = place ? apr_psprintf(t->pool, "%.*s%s%s", (int)(place - directives), directives, t->ca_file,
                                           place + strlen("CA_FILE"))
                            : directives;
    sl_vhost_t *vhost = memory_vhost(t->pool, apr_pstrcat(t->pool, name, ":443", NULL), all,
                                     material_server(t->pool, name, "P-256", t->ca), NULL);

    memory_host_add(t->memory, name, vhost);
    return vhost;
}

static void use_client_certificate(const setup_t *t, const char *name, const material_pair_t *issuer)
{
    const material_pair_t *pair = material_client(t->pool, name, "P-256", issuer);

    assert_int_equal(SSL_CTX_use_cert_and_key(t->client, pair->cert, pair->key, NULL, 1), 1);
}

static void offer(const setup_t *t, const unsigned char *protocols, unsigned length)
{
    assert_int_equal(SSL_CTX_set_alpn_protos(t->client, protocols, length), 0);
}

static sl_state_t shake(const setup_t *t, const char *name)
{
    memory_host_client(t->memory, t->client, name);
    return memory_shake(t->memory);
}

static void assert_open(const setup_t *t, const char *name)
{
    if (shake(t, name) != SL_STATE_OPEN)
        fail_msg("%s: %s: %s", name, sl_failure_word(t->memory->conn->failure.reason),
                 t->memory->conn->failure.detail ? t->memory->conn->failure.detail : "");
}

/* With a session made before. */
static sl_state_t shake_again(const setup_t *t, const char *name, SSL_SESSION *session)
{
    SSL *client = memory_host_client(t->memory, t->client, name);

    assert_int_equal(SSL_set_session(client, session), 1);
    return memory_shake(t->memory);
}

static SSL_SESSION *last_session(const setup_t *t)
{
    assert_true(t->memory->sessions->nelts > 0);
    return APR_ARRAY_IDX(t->memory->sessions, t->memory->sessions->nelts - 1, SSL_SESSION *);
}

static int is_resumed(const setup_t *t)
{
    assert_int_equal(t->memory->conn->state, SL_STATE_OPEN);
    assert_int_equal(SSL_session_reused(t->memory->client), SSL_session_reused(t->memory->conn->ssl));
    return SSL_session_reused(t->memory->conn->ssl);
}

static int tickets_after(const setup_t *t, const char *name)
{
    int before = t->memory->sessions->nelts;

    assert_open(t, name);
    return t->memory->sessions->nelts - before;
}

/* Each name gets the versions, suites, and client certificate policy of its own host, from the first byte on. */
static void test_profile_of_the_virtual_host(void **state)
{
    setup_t t = make(*state);
    const sl_conn_t *conn;

    add(&t, "old.test", "SSLProtocol TLSv1.2\nSSLCipherSuite ECDHE-ECDSA-CHACHA20-POLY1305");
    add(&t, "new.test", "SSLProtocol TLSv1.3\nSSLCipherSuite TLSv1.3 TLS_AES_256_GCM_SHA384");
    add(&t, "cert.test", "SSLVerifyClient require\nSSLCACertificateFile CA_FILE");
    use_client_certificate(&t, "me", t.ca);

    assert_open(&t, "old.test");
    conn = t.memory->conn;
    assert_int_equal(SSL_version(conn->ssl), TLS1_2_VERSION);
    assert_string_equal(SSL_get_cipher_name(conn->ssl), "ECDHE-ECDSA-CHACHA20-POLY1305");
    assert_null(SSL_get0_peer_certificate(conn->ssl));
    assert_open(&t, "new.test");
    conn = t.memory->conn;
    assert_int_equal(SSL_version(conn->ssl), TLS1_3_VERSION);
    assert_string_equal(SSL_get_cipher_name(conn->ssl), "TLS_AES_256_GCM_SHA384");
    assert_null(SSL_get0_peer_certificate(conn->ssl));
    assert_open(&t, "cert.test");
    conn = t.memory->conn;
    assert_non_null(SSL_get0_peer_certificate(conn->ssl));
    assert_int_equal(sk_X509_NAME_num(SSL_get0_peer_CA_list(t.memory->client)), 1);
    assert_int_equal(SSL_get_verify_result(conn->ssl), X509_V_OK);
    assert_int_equal(conn->verify_error, X509_V_OK);
    assert_int_equal(conn->verify_generous, 0);
}

/* Nothing of one connection stays for the next one: not even the mode of verification. */
static void test_connections_are_apart(void **state)
{
    setup_t t = make(*state);
    sl_vhost_t *vhost = add(&t, "a.test", "SSLVerifyClient require\nSSLCACertificateFile CA_FILE");

    t.memory->challenge_name = "a.test";
    t.memory->challenge = memory_identity(t.pool, material_server(t.pool, "a.test", "P-256", t.ca), NULL);
    t.memory->protocols = "acme-tls/1,http/1.1";
    offer(&t, ACME, ACME_SIZE);
    assert_open(&t, "a.test");
    offer(&t, (const unsigned char *)"\x08http/1.1", 9);
    assert_int_equal(shake(&t, "a.test"), SL_STATE_FAILED);
    assert_int_equal(t.memory->conn->failure.reason, SL_FAIL_CLIENT_CERT);
    assert_null(SSL_CTX_get0_certificate(vhost->profile->ctx));
    assert_int_equal(SSL_CTX_get_verify_mode(vhost->profile->ctx), SSL_VERIFY_NONE);
}

static void test_resumption(void **state)
{
    setup_t t = make(*state);
    sl_conn_t *conn;

    add(&t, "a.test", "SSLVerifyClient optional\nSSLCACertificateFile CA_FILE");
    use_client_certificate(&t, "me", t.ca);
    t.memory->protocols = "h2";
    offer(&t, (const unsigned char *)"\x02h2", 3);
    BOTH_VERSIONS(version)
    {
        X509 *cert;

        memory_client_versions(t.client, version, version);
        assert_open(&t, "A.test");
        assert_false(is_resumed(&t));
        assert_int_equal(shake_again(&t, "a.TEST.", last_session(&t)), SL_STATE_OPEN);
        assert_true(is_resumed(&t));
        conn = t.memory->conn;
        assert_string_equal(conn->sni, "a.TEST.");
        assert_string_equal(conn->name, "a.test");
        assert_string_equal(conn->alpn, "h2");
        assert_string_equal(conn->vhost->id, "a.test:443");
        assert_int_equal(SSL_version(conn->ssl), version);
        cert = SSL_get0_peer_certificate(conn->ssl);
        assert_non_null(cert);
        assert_int_equal(X509_cmp(cert, SSL_CTX_get0_certificate(t.client)), 0);
        assert_int_equal(SSL_get_verify_result(conn->ssl), X509_V_OK);
        assert_int_equal(conn->verify_error, X509_V_OK);
        assert_int_equal(conn->verify_generous, 0);
        assert_int_equal(conn->name_known, 1);
    }
}

/* A name that no virtual host has, and no name at all: OpenSSL keeps neither in a session of TLS 1.2. */
static void test_resumption_without_a_known_name(void **state)
{
    setup_t t = make(*state);

    add(&t, "a.test", "");
    BOTH_VERSIONS(version)
    {
        memory_client_versions(t.client, version, version);
        assert_open(&t, "nobody.test");
        shake_again(&t, "nobody.test", last_session(&t));
        assert_true(is_resumed(&t));
        assert_string_equal(t.memory->conn->sni, "nobody.test");
        assert_open(&t, NULL);
        shake_again(&t, NULL, last_session(&t));
        assert_true(is_resumed(&t));
        assert_null(t.memory->conn->sni);
    }
}

/* Tickets that could be decrypted lead nowhere but where they were made. */
static void test_session_scope(void **state)
{
    setup_t t = make(*state);
    sl_vhost_t *a = add(&t, "a.test", "");
    sl_vhost_t *alias = sl_vhost_make(t.pool, "a.test:443", a->settings, a->profile, a->identities, NULL);
    sl_vhost_t *other_port = sl_vhost_make(t.pool, "a.test:444", a->settings, a->profile, a->identities, NULL);
    SSL_SESSION *session;

    add(&t, "b.test", "");
    memory_host_add(t.memory, "c.test", alias);
    SSL_CTX_set_verify(t.client, SSL_VERIFY_NONE, NULL);
    BOTH_VERSIONS(version)
    {
        memory_client_versions(t.client, version, version);
        assert_open(&t, "a.test");
        session = last_session(&t);
        shake_again(&t, "b.test", session);
        assert_false(is_resumed(&t));
        assert_string_equal(t.memory->conn->vhost->id, "b.test:443");
        /* Another name of the same host (RFC 6066 section 3 asks for a full handshake), and none. */
        shake_again(&t, "c.test", session);
        assert_false(is_resumed(&t));
        shake_again(&t, NULL, session);
        assert_false(is_resumed(&t));
        /* The same name on another port. */
        APR_ARRAY_IDX(t.memory->names, 0, memory_name_t).vhost = other_port;
        shake_again(&t, "a.test", session);
        assert_false(is_resumed(&t));
        APR_ARRAY_IDX(t.memory->names, 0, memory_name_t).vhost = a;
        shake_again(&t, "a.test", session);
        assert_true(is_resumed(&t));
    }
}

/* The same host and name, but its policy on client certificates became another. */
static void test_session_scope_of_the_policy(void **state)
{
    static const char *const policies[] = {"SSLVerifyClient require\nSSLCACertificateFile CA_FILE",
                                           "SSLVerifyClient optional\nSSLCACertificateFile CA_FILE",
                                           "SSLVerifyClient optional\nSSLVerifyDepth 3\nSSLCACertificateFile CA_FILE",
                                           "SSLVerifyClient optional_no_ca\nSSLCACertificateFile CA_FILE", ""};
    const int count = sizeof(policies) / sizeof(policies[0]);
    setup_t t = make(*state);
    const sl_vhost_t *hosts[sizeof(policies) / sizeof(policies[0])];

    for (int i = 0; i < count; i++)
        hosts[i] = add(&t, "a.test", policies[i]);
    use_client_certificate(&t, "me", t.ca);
    BOTH_VERSIONS(version)
    {
        memory_client_versions(t.client, version, version);
        for (int i = 0; i < count; i++) {
            SSL_SESSION *session;

            APR_ARRAY_IDX(t.memory->names, 0, memory_name_t).vhost = hosts[i];
            assert_open(&t, "a.test");
            session = last_session(&t);
            for (int k = 0; k < count; k++) {
                APR_ARRAY_IDX(t.memory->names, 0, memory_name_t).vhost = hosts[k];
                shake_again(&t, "a.test", session);
                assert_int_equal(is_resumed(&t), i == k);
            }
        }
    }
}

static void test_number_of_tickets(void **state)
{
    static const struct {
        const char *name;
        const char *protocols; /* offered */
        int length, tickets;
    } rows[] = {{"a.test", "\x08http/1.1", 9, 2},
                {"a.test", "\x02h2", 3, 1},
                {"a.test", "\x02h2\x08http/1.1", 12, 1},
                {"a.test", "", 0, 1},
                {"a.test", "\x03odd", 4, 2},
                {"off.test", "\x08http/1.1", 9, 0},
                {"many.test", "\x02h2", 3, 4}};
    setup_t t = make(*state);

    add(&t, "a.test", "SecureLayerStrictALPN off");
    add(&t, "off.test", "SSLSessionTickets off");
    add(&t, "many.test", "SSLOpenSSLConfCmd NumTickets 4");
    t.memory->protocols = "h2,http/1.1";
    memory_client_versions(t.client, TLS1_3_VERSION, TLS1_3_VERSION);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].length)
            offer(&t, (const unsigned char *)rows[i].protocols, (unsigned)rows[i].length);
        else
            offer(&t, NULL, 0);
        assert_int_equal(tickets_after(&t, rows[i].name), rows[i].tickets);
    }
    /* The same when the protocol is known only after a second hello. */
    assert_int_equal(SSL_CTX_set1_groups_list(t.client, "P-521:P-256"), 1);
    offer(&t, (const unsigned char *)"\x02h2\x08http/1.1", 12);
    assert_int_equal(tickets_after(&t, "a.test"), 1);
    memory_client_versions(t.client, TLS1_2_VERSION, TLS1_2_VERSION);
    assert_int_equal(tickets_after(&t, "a.test"), 1);
    offer(&t, (const unsigned char *)"\x08http/1.1", 9);
    assert_int_equal(tickets_after(&t, "off.test"), 0);
}

/* ---- ACME challenges (RFC 8737) ---- */

static int shows_challenge(const setup_t *t)
{
    X509 *cert = SSL_get0_peer_certificate(t->memory->client);

    assert_non_null(cert);
    return X509_cmp(cert, t->memory->challenge->leaf) == 0;
}

static setup_t make_challenge(apr_pool_t *pool, const char *directives)
{
    setup_t t = make(pool);

    add(&t, "a.test", directives);
    add(&t, "b.test", directives);
    t.memory->challenge_name = "a.test";
    t.memory->challenge = memory_identity(pool, material_server(pool, "a.test", "P-256", NULL), NULL);
    t.memory->protocols = "acme-tls/1,http/1.1";
    SSL_CTX_set_verify(t.client, SSL_VERIFY_NONE, NULL);
    return t;
}

static void test_challenge(void **state)
{
    setup_t t = make_challenge(*state, "SSLVerifyClient require\nSSLCACertificateFile CA_FILE");

    offer(&t, ACME, ACME_SIZE);
    BOTH_VERSIONS(version)
    {
        memory_client_versions(t.client, version, version);
        assert_open(&t, "a.test");
        assert_true(shows_challenge(&t));
        assert_string_equal(t.memory->conn->alpn, "acme-tls/1");
        assert_non_null(t.memory->conn->challenge);
    }
    assert_int_equal(t.memory->challenges, 2);
}

/* Only who asks for nothing else, and by a name, is answered; others are served as usual. */
static void test_no_challenge(void **state)
{
    static const struct {
        const char *name, *protocols;
        int length, asked;
    } rows[] = {{"a.test", "\x0a" "acme-tls/1\x08http/1.1", 20, 0},
                {"a.test", "\x08http/1.1", 9, 0},
                {NULL, "\x0a" "acme-tls/1", 11, 0},
                {"b.test", "\x0a" "acme-tls/1", 11, 1}};
    setup_t t = make_challenge(*state, "");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        t.memory->challenges = 0;
        offer(&t, (const unsigned char *)rows[i].protocols, (unsigned)rows[i].length);
        assert_open(&t, rows[i].name);
        assert_int_equal(t.memory->challenges, rows[i].asked);
        assert_false(shows_challenge(&t));
        assert_null(t.memory->conn->challenge);
    }
}

/* A challenge asks for no client certificate. Nothing may come of it that does: no session, no other protocol. */
static void test_challenge_leads_nowhere(void **state)
{
    setup_t t =
        make_challenge(*state, "SecureLayerStrictALPN off\nSSLVerifyClient require\nSSLCACertificateFile CA_FILE");

    offer(&t, ACME, ACME_SIZE);
    BOTH_VERSIONS(version)
    {
        memory_client_versions(t.client, version, version);
        assert_int_equal(tickets_after(&t, "a.test"), 0);
        assert_int_equal(SSL_SESSION_is_resumable(SSL_get0_session(t.memory->client)), 0);
    }
    t.memory->protocols = "http/1.1";
    assert_int_equal(shake(&t, "a.test"), SL_STATE_FAILED);
    assert_int_equal(t.memory->conn->failure.reason, SL_FAIL_ALPN);
}

/* A session made with a client certificate is not taken up in a challenge, which has its own certificate to show. */
static void test_challenge_does_not_resume(void **state)
{
    setup_t t = make_challenge(*state, "SSLVerifyClient require\nSSLCACertificateFile CA_FILE");

    use_client_certificate(&t, "me", t.ca);
    BOTH_VERSIONS(version)
    {
        memory_client_versions(t.client, version, version);
        offer(&t, (const unsigned char *)"\x08http/1.1", 9);
        assert_open(&t, "a.test");
        offer(&t, ACME, ACME_SIZE);
        shake_again(&t, "a.test", last_session(&t));
        assert_false(is_resumed(&t));
        assert_true(shows_challenge(&t));
    }
}

/* The challenge's certificate belongs to whoever made it: the connection gives back the reference it got. */
static void test_challenge_is_released(void **state)
{
    setup_t t = make_challenge(*state, "");

    offer(&t, ACME, ACME_SIZE);
    assert_open(&t, "a.test");
    assert_int_equal(atomic_load(&t.memory->challenge->holders.holders), 2);
    sl_conn_free(t.memory->conn);
    assert_int_equal(atomic_load(&t.memory->challenge->holders.holders), 1);
    assert_null(t.memory->conn->challenge);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(test_profile_of_the_virtual_host),
    UNIT_TEST(test_connections_are_apart),
    UNIT_TEST(test_resumption),
    UNIT_TEST(test_resumption_without_a_known_name),
    UNIT_TEST(test_session_scope),
    UNIT_TEST(test_session_scope_of_the_policy),
    UNIT_TEST(test_number_of_tickets),
    UNIT_TEST(test_challenge),
    UNIT_TEST(test_no_challenge),
    UNIT_TEST(test_challenge_leads_nowhere),
    UNIT_TEST(test_challenge_does_not_resume),
    UNIT_TEST(test_challenge_is_released),
};

UNIT_MAIN(tests)
