/* Sessions that the host keeps under their id: which are kept, who may come back with them, and which are dropped. */
#include "memory_host.h"
#include "unit.h"

#define BOTH_VERSIONS(version) for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
#define CACHE "SSLSessionCache some:where"

typedef struct setup_t {
    apr_pool_t *pool;
    const material_pair_t *ca;
    memory_host_t *memory;
    SSL_CTX *client;
} setup_t;

static setup_t make(apr_pool_t *pool)
{
    setup_t t = {pool, material_ca(pool, "CA", NULL), memory_host_make(pool), NULL};

    t.memory->kept = apr_hash_make(pool);
    t.client = memory_client_ctx(pool, NULL);
    return t;
}

static sl_vhost_t *add(const setup_t *t, const char *name, const char *directives)
{
    sl_vhost_t *vhost = memory_vhost(t->pool, apr_pstrcat(t->pool, name, ":443", NULL), directives,
                                     material_server(t->pool, name, "P-256", t->ca), NULL);

    memory_host_add(t->memory, name, vhost);
    return vhost;
}

/* A handshake with the session (NULL: without); is it resumed? */
static int shake(const setup_t *t, const char *name, SSL_SESSION *session)
{
    SSL *client = memory_host_client(t->memory, t->client, name);

    if (session)
        assert_int_equal(SSL_set_session(client, session), 1);
    if (memory_shake(t->memory) != SL_STATE_OPEN)
        fail_msg("%s: %s", name, sl_failure_word(t->memory->conn->failure.reason));
    return SSL_session_reused(t->memory->conn->ssl);
}

static SSL_SESSION *last_session(const setup_t *t)
{
    assert_true(t->memory->sessions->nelts > 0);
    return APR_ARRAY_IDX(t->memory->sessions, t->memory->sessions->nelts - 1, SSL_SESSION *);
}

static unsigned kept(const setup_t *t)
{
    return apr_hash_count(t->memory->kept);
}

/* Without tickets: session ids with TLS 1.2, tickets that name a kept session with TLS 1.3. */
static void test_resumption(void **state)
{
    setup_t t = make(*state);

    add(&t, "a.test", CACHE "\nSSLSessionTickets off");
    BOTH_VERSIONS(version)
    {
        SSL_SESSION *session;

        apr_hash_clear(t.memory->kept);
        memory_client_versions(t.client, version, version);
        assert_false(shake(&t, "a.test", NULL));
        assert_int_equal(kept(&t), 1);
        session = last_session(&t);
        assert_int_equal(SSL_SESSION_has_ticket(session), version == TLS1_3_VERSION);
        assert_true(shake(&t, "a.test", session));
        assert_int_equal(t.memory->conn->session_kept, 1);
        apr_hash_clear(t.memory->kept);
        assert_false(shake(&t, "a.test", session));
    }
}

/* A client that takes tickets keeps its session itself: nothing is kept for it, and nothing is looked for. */
static void test_tickets_need_no_cache(void **state)
{
    setup_t t = make(*state);

    add(&t, "a.test", CACHE);
    BOTH_VERSIONS(version)
    {
        memory_client_versions(t.client, version, version);
        assert_false(shake(&t, "a.test", NULL));
        assert_true(shake(&t, "a.test", last_session(&t)));
    }
    assert_int_equal(t.memory->puts, 0);
    assert_int_equal(t.memory->gets, 0);
}

/* A client of TLS 1.3 makes up an id for the sake of middleboxes; one that knows no tickets is helped by its id. */
static void test_ids_beside_tickets(void **state)
{
    setup_t t = make(*state);

    add(&t, "a.test", CACHE "\nSSLProtocol TLSv1.2");
    memory_client_versions(t.client, TLS1_2_VERSION, TLS1_3_VERSION);
    assert_false(shake(&t, "a.test", NULL));
    assert_int_equal(t.memory->gets, 0);
    assert_int_equal(kept(&t), 0);
    SSL_CTX_set_options(t.client, SSL_OP_NO_TICKET);
    assert_false(shake(&t, "a.test", NULL));
    assert_int_equal(kept(&t), 1);
    assert_true(shake(&t, "a.test", last_session(&t)));
}

/* Without a store there is nothing to come back with. "nonenotnull" gives ids all the same, for old clients' sake. */
static void test_no_store(void **state)
{
    static const char *const settings[] = {"SSLSessionTickets off", "SSLSessionTickets off\nSSLSessionCache none",
                                           "SSLSessionTickets off\nSSLSessionCache nonenotnull"};
    setup_t t = make(*state);

    add(&t, "a.test", "");
    for (int i = 0; i < 3; i++) {
        sl_vhost_t *vhost =
            memory_vhost(t.pool, "a.test:443", settings[i], material_server(t.pool, "a.test", "P-256", t.ca), NULL);
        unsigned int length;
        int before;

        APR_ARRAY_IDX(t.memory->names, 0, memory_name_t).vhost = vhost;
        t.memory->kept = NULL;
        memory_client_versions(t.client, TLS1_2_VERSION, TLS1_2_VERSION);
        assert_false(shake(&t, "a.test", NULL));
        SSL_SESSION_get_id(SSL_get0_session(t.memory->client), &length);
        assert_int_equal(length, i == 2 ? 32 : 0);
        assert_int_equal(t.memory->conn->session_kept, 0);
        memory_client_versions(t.client, TLS1_3_VERSION, TLS1_3_VERSION);
        before = t.memory->sessions->nelts;
        assert_false(shake(&t, "a.test", NULL));
        assert_int_equal(t.memory->sessions->nelts, before);
    }
}

/* The scope is the host, its policy on client certificates, and the name. */
static void test_scope(void **state)
{
    setup_t t = make(*state);
    const sl_vhost_t *asks, *plain = add(&t, "a.test", CACHE "\nSSLSessionTickets off");

    add(&t, "b.test", CACHE "\nSSLSessionTickets off");
    asks = memory_vhost(t.pool, "a.test:443", CACHE "\nSSLSessionTickets off\nSSLVerifyClient optional_no_ca",
                        material_server(t.pool, "a.test", "P-256", t.ca), NULL);
    BOTH_VERSIONS(version)
    {
        SSL_SESSION *session;

        memory_client_versions(t.client, version, version);
        APR_ARRAY_IDX(t.memory->names, 0, memory_name_t).vhost = plain;
        assert_false(shake(&t, "a.test", NULL));
        session = last_session(&t);
        assert_false(shake(&t, "b.test", session));
        APR_ARRAY_IDX(t.memory->names, 0, memory_name_t).vhost = asks;
        assert_false(shake(&t, "a.test", session));
        APR_ARRAY_IDX(t.memory->names, 0, memory_name_t).vhost = plain;
        assert_true(shake(&t, "a.test", session));
    }
}

/* The settings are the same, what stands in the file is not: who would fail in a full handshake is not resumed. */
static void test_certificate_is_verified_again(void **state)
{
    setup_t t = make(*state);
    const material_pair_t *other = material_ca(t.pool, "Other CA", NULL);
    const material_pair_t *mine = material_client(t.pool, "me", "P-256", t.ca);
    const char *dir = material_dir(t.pool);
    const char *settings = apr_psprintf(t.pool,
                                        "%s\nSSLSessionTickets off\nSSLVerifyClient optional\n"
                                        "SSLCACertificateFile %s/ca.pem",
                                        CACHE, dir);
    const sl_vhost_t *before, *after;

    material_file(t.pool, dir, "ca.pem", material_cert_pem(t.pool, t.ca->cert));
    before = add(&t, "a.test", settings);
    material_file(t.pool, dir, "ca.pem", material_cert_pem(t.pool, other->cert));
    after = memory_vhost(t.pool, "a.test:443", settings, material_server(t.pool, "a.test", "P-256", t.ca), NULL);
    assert_memory_equal(before->session_scope, after->session_scope, sizeof(before->session_scope));
    BOTH_VERSIONS(version)
    {
        SSL_SESSION *session;

        memory_client_versions(t.client, version, version);
        APR_ARRAY_IDX(t.memory->names, 0, memory_name_t).vhost = before;
        assert_int_equal(SSL_CTX_use_cert_and_key(t.client, mine->cert, mine->key, NULL, 1), 1);
        assert_false(shake(&t, "a.test", NULL));
        session = last_session(&t);
        assert_true(shake(&t, "a.test", session));
        assert_non_null(SSL_get0_peer_certificate(t.memory->conn->ssl));
        APR_ARRAY_IDX(t.memory->names, 0, memory_name_t).vhost = after;
        memory_host_client(t.memory, t.client, "a.test");
        assert_int_equal(SSL_set_session(t.memory->client, session), 1);
        assert_int_equal(memory_shake(t.memory), SL_STATE_FAILED); /* a full handshake, and its end */
        assert_int_equal(t.memory->conn->failure.reason, SL_FAIL_CLIENT_CERT);
    }
}

/* A fatal alert ends a session too; a connection that just breaks off does not. */
static void test_alert_drops_the_session(void **state)
{
    setup_t t = make(*state);
    apr_status_t end;
    SSL_SESSION *session;

    add(&t, "a.test", CACHE "\nSSLSessionTickets off");
    memory_client_versions(t.client, TLS1_2_VERSION, TLS1_2_VERSION);
    assert_false(shake(&t, "a.test", NULL));
    session = last_session(&t);
    memory_cut(&t.memory->up, APR_ECONNRESET);
    (void)memory_server_read(t.memory, t.pool, &end);
    assert_int_equal(kept(&t), 1);
    assert_int_equal(t.memory->removals, 0);

    assert_true(shake(&t, "a.test", session));
    memory_send(&t.memory->up, "\x17\x03\x03\x00\x20 this is no record of that key...", 37);
    memory_deliver(&t.memory->up, MEMORY_ALL);
    (void)memory_server_read(t.memory, t.pool, &end);
    assert_int_equal(t.memory->conn->state, SL_STATE_FAILED);
    assert_int_equal(t.memory->removals, 1);
    assert_int_equal(kept(&t), 0);
    assert_false(shake(&t, "a.test", session));
}

/* Whoever answers an ACME challenge leaves no session behind. */
static void test_challenge(void **state)
{
    setup_t t = make(*state);

    add(&t, "a.test", CACHE "\nSSLSessionTickets off");
    t.memory->challenge = memory_identity(t.pool, material_server(t.pool, "a.test", "P-256", t.ca), NULL);
    t.memory->challenge_name = "a.test";
    t.memory->protocols = "acme-tls/1";
    assert_int_equal(SSL_CTX_set_alpn_protos(t.client,
                                             (const unsigned char *)"\x0a"
                                                                    "acme-tls/1",
                                             11),
                     0);
    BOTH_VERSIONS(version)
    {
        memory_client_versions(t.client, version, version);
        assert_false(shake(&t, "a.test", NULL));
    }
    assert_int_equal(t.memory->challenges, 2);
    assert_int_equal(t.memory->puts, 0);
}

static void test_timeout(void **state)
{
    setup_t t = make(*state);

    add(&t, "a.test", CACHE "\nSSLSessionCacheTimeout 77\nSSLSessionTickets off");
    add(&t, "b.test", "SSLSessionCacheTimeout 78");
    memory_client_versions(t.client, TLS1_3_VERSION, TLS1_3_VERSION);
    assert_false(shake(&t, "a.test", NULL));
    assert_int_equal(SSL_SESSION_get_ticket_lifetime_hint(last_session(&t)), 77);
    assert_false(shake(&t, "b.test", NULL));
    assert_int_equal(SSL_SESSION_get_ticket_lifetime_hint(last_session(&t)), 78);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(test_resumption),
    UNIT_TEST(test_tickets_need_no_cache),
    UNIT_TEST(test_ids_beside_tickets),
    UNIT_TEST(test_no_store),
    UNIT_TEST(test_scope),
    UNIT_TEST(test_alert_drops_the_session),
    UNIT_TEST(test_challenge),
    UNIT_TEST(test_certificate_is_verified_again),
    UNIT_TEST(test_timeout),
};

UNIT_MAIN(tests)
