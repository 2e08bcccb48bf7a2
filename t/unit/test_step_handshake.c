/* The handshake: whatever client comes, it gets the certificate it can verify or an alert, and whoever runs the server
 * gets the reason. */
#include "hello_build.h"
#include "memory_host.h"
#include "unit.h"

#include "conn/hint.h"

#include <openssl/err.h>

#define BOTH_VERSIONS(version) for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)

typedef struct setup_t {
    apr_pool_t *pool;
    const material_pair_t *ca;
    memory_host_t *memory;
    SSL_CTX *client;
} setup_t;

/* a.test (the default) with certificates of all key types, b.test with an ECDSA one; both have `directives`. */
static setup_t make(apr_pool_t *pool, const char *directives)
{
    setup_t t = {pool, material_ca(pool, "CA", NULL), memory_host_make(pool), NULL};

    t.client = memory_client_ctx(pool, t.ca);
    memory_host_add(t.memory, "a.test",
                    memory_vhost(pool, "a.test:443", directives, material_server(pool, "a.test", "RSA", t.ca),
                                 material_server(pool, "a.test", "P-256", t.ca),
                                 material_server(pool, "a.test", "ED25519", t.ca), NULL));
    memory_host_add(t.memory, "b.test",
                    memory_vhost(pool, "b.test:443", directives, material_server(pool, "b.test", "P-256", t.ca), NULL));
    return t;
}

static sl_state_t shake(const setup_t *t, const char *name)
{
    memory_host_client(t->memory, t->client, name);
    return memory_shake(t->memory);
}

static void assert_open(const setup_t *t, const char *name)
{
    if (shake(t, name) != SL_STATE_OPEN)
        fail_msg("%s: %s", sl_failure_word(t->memory->conn->failure.reason), t->memory->conn->failure.detail);
    assert_true(SSL_is_init_finished(t->memory->client));
    assert_int_equal(t->memory->conn->failure.reason, SL_FAIL_NONE);
    assert_int_equal(t->memory->conn->failure.alert_sent, -1);
    assert_int_equal(t->memory->conn->failure.alert_received, -1);
}

static void assert_key_type(const setup_t *t, const char *type)
{
    X509 *cert = SSL_get0_peer_certificate(t->memory->client);

    assert_non_null(cert);
    assert_string_equal(sl_identity_key_type_of(X509_get0_pubkey(cert)), type);
}

static void test_key_type_the_client_can_verify(void **state)
{
    static const struct {
        const char *algorithms, *type;
    } clients[] = {{"RSA-PSS+SHA256:RSA+SHA256", "RSA"},
                   {"ECDSA+SHA256", "ECDSA"},
                   {"ed25519", "Ed25519"},
                   {"ed25519:RSA-PSS+SHA256", "Ed25519"}};
    setup_t t = make(*state, "");

    SSL_CTX_set_verify(t.client, SSL_VERIFY_NONE, NULL); /* the CA's ECDSA signature is not in all of the lists */
    BOTH_VERSIONS(version)
    {
        memory_client_versions(t.client, version, version);
        for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
            assert_int_equal(SSL_CTX_set1_sigalgs_list(t.client, clients[i].algorithms), 1);
            assert_open(&t, "a.test");
            assert_int_equal(SSL_version(t.memory->conn->ssl), version);
            assert_key_type(&t, clients[i].type);
        }
    }
}

/* In pieces of any size, from the hello to the end. */
static void test_pieces(void **state)
{
    static const apr_size_t pieces[] = {1, 2, 5, 100};
    setup_t t = make(*state, "");

    BOTH_VERSIONS(version)
    {
        memory_client_versions(t.client, version, version);
        for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
            t.memory->piece = t.memory->most = pieces[i];
            assert_open(&t, "b.test");
            assert_string_equal(t.memory->conn->vhost->id, "b.test:443");
        }
    }
}

static int certificates_received(const setup_t *t)
{
    return sk_X509_num(SSL_get_peer_cert_chain(t->memory->client));
}

/* The chain of the identity is sent as it stands; only without one the issuers are looked for among the CAs. */
static void test_chain(void **state)
{
    apr_pool_t *pool = *state;
    setup_t t = make(pool, "");
    const material_pair_t *issuer = material_ca(pool, "Intermediate", t.ca);
    const material_pair_t *leaf = material_server(pool, "c.test", "P-256", issuer);
    const char *cas =
        material_file(pool, material_dir(pool), "cas.pem",
                      material_join(pool, material_cert_pem(pool, issuer->cert), material_cert_pem(pool, t.ca->cert)));
    sl_vhost_t *vhost = memory_vhost(pool, "c.test:443", "", leaf, NULL);
    sl_vhost_t *with_cas =
        memory_vhost(pool, "d.test:443", apr_pstrcat(pool, "SSLCACertificateFile ", cas, NULL), leaf, NULL);
    sl_vhost_t *own_chain =
        memory_vhost(pool, "e.test:443", apr_pstrcat(pool, "SSLCACertificateFile ", cas, NULL), NULL);

    APR_ARRAY_PUSH(own_chain->identities, sl_identity_ref_t) =
        memory_ref(memory_identity(pool, leaf, material_stack(pool, issuer->cert, NULL)));
    memory_host_add(t.memory, "c.test", vhost);
    memory_host_add(t.memory, "d.test", with_cas);
    memory_host_add(t.memory, "e.test", own_chain);
    SSL_CTX_set_verify(t.client, SSL_VERIFY_NONE, NULL);
    BOTH_VERSIONS(version)
    {
        memory_client_versions(t.client, version, version);
        assert_open(&t, "c.test");
        assert_int_equal(certificates_received(&t), 1);
        assert_open(&t, "d.test");
        assert_int_equal(certificates_received(&t), 3);
        assert_open(&t, "e.test");
        assert_int_equal(certificates_received(&t), 2);
    }
}

/* Group of the elliptic curve parameters beside a certificate. */
/* Each other's issuers: every one is sent once. */
static void test_chain_in_a_ring(void **state)
{
    static const material_cert_t first_ca = {.subject = "/CN=first", .ca = 1},
                                 second_ca = {.subject = "/CN=second", .ca = 1};
    apr_pool_t *pool = *state;
    setup_t t = make(pool, "");
    const material_pair_t *first = material_ca(pool, "first", NULL), *second = material_ca(pool, "second", NULL);
    const material_pair_t *leaf = material_server(pool, "c.test", "P-256", first);
    material_bytes_t cas =
        material_join(pool, material_cert_pem(pool, material_cert(pool, &first_ca, first->key, second)),
                      material_cert_pem(pool, material_cert(pool, &second_ca, second->key, first)));
    const char *path = material_file(pool, material_dir(pool), "cas.pem", cas);

    memory_host_add(
        t.memory, "c.test",
        memory_vhost(pool, "c.test:443", apr_pstrcat(pool, "SSLCACertificateFile ", path, NULL), leaf, NULL));
    SSL_CTX_set_verify(t.client, SSL_VERIFY_NONE, NULL);
    assert_open(&t, "c.test");
    assert_int_equal(certificates_received(&t), 3);
}

static void test_group_of_the_certificate(void **state)
{
    setup_t t = make(*state, "");
    const sl_vhost_t *vhost = APR_ARRAY_IDX(t.memory->names, 1, memory_name_t).vhost;

    memory_identity_of(vhost, 0)->ec_group = strdup("P-384");
    memory_client_versions(t.client, TLS1_2_VERSION, TLS1_2_VERSION);
    assert_open(&t, "b.test");
    assert_int_equal(SSL_get_negotiated_group(t.memory->conn->ssl), NID_secp384r1);
}

/* The client's key share is of a group the server does not take: a second hello has to come. */
static void test_hello_retry(void **state)
{
    static const apr_size_t pieces[] = {0, 1, 50};
    setup_t t = make(*state, "");

    memory_client_versions(t.client, TLS1_3_VERSION, TLS1_3_VERSION);
    assert_int_equal(SSL_CTX_set1_groups_list(t.client, "P-521:P-256"), 1);
    t.memory->protocols = "http/1.1";
    assert_int_equal(SSL_CTX_set_alpn_protos(t.client, (const unsigned char *)"\x08http/1.1", 9), 0);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        t.memory->piece = pieces[i];
        assert_open(&t, "b.test");
        assert_int_equal(t.memory->flights, 3);
        assert_int_equal(SSL_get_negotiated_group(t.memory->conn->ssl), NID_X9_62_prime256v1);
        assert_string_equal(t.memory->conn->vhost->id, "b.test:443");
        assert_string_equal(t.memory->conn->alpn, "http/1.1");
    }
}

typedef struct change_t {
    const char *text, *with;
    int done;
} change_t;

static void change_second_hello(memory_host_t *memory, int flight)
{
    change_t *change = memory->baton;

    if (flight == 2)
        change->done = memory_replace(&memory->up, change->text, change->with);
}

/* The virtual host, a challenge's certificate and whether a client certificate is asked for were decided by the first
 * hello: a second one with another name or other protocols is refused (RFC 8446 section 4.1.2). */
static void test_second_hello_differs(void **state)
{
    static const struct {
        const char *asked, *text, *with;
    } rows[] = {{"a.test", "a.test", "b.test"},
                {"a.test", "a.test", "A.test"},
                {"a.test", "\x08http/1.1", "\x08http/1.0"},
                {"a.test", "\x08http/1.1", "\x02h2\x05spdy1"}};
    setup_t t = make(*state, "");

    memory_client_versions(t.client, TLS1_3_VERSION, TLS1_3_VERSION);
    assert_int_equal(SSL_CTX_set1_groups_list(t.client, "P-521:P-256"), 1);
    assert_int_equal(SSL_CTX_set_alpn_protos(t.client, (const unsigned char *)"\x08http/1.1", 9), 0);
    t.memory->protocols = "http/1.1,http/1.0,h2";
    t.memory->on_flight = change_second_hello;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        change_t change = {rows[i].text, rows[i].with, 0};

        t.memory->baton = &change;
        assert_int_equal(shake(&t, rows[i].asked), SL_STATE_FAILED);
        assert_int_equal(change.done, 1);
        assert_string_equal(sl_failure_word(t.memory->conn->failure.reason), "name-changed");
        assert_int_equal(t.memory->conn->failure.alert_sent, SSL_AD_ILLEGAL_PARAMETER);
        assert_int_equal(t.memory->alert_received, SSL_AD_ILLEGAL_PARAMETER);
        assert_string_equal(t.memory->conn->vhost->id, "a.test:443");
        assert_non_null(strstr(sl_hint(t.memory->conn, t.pool), "changed the name or the protocols"));
    }
}

/* Types that nobody knows. */
#define HIDDEN 0x9900
#define HIDDEN_FLAG 0x99

/* Hides an extension of the second hello behind a type that nobody knows, or shows it. */
static void hide_second(memory_host_t *memory, int flight)
{
    const bytes_t *extension_bytes = memory->baton;
    apr_size_t at;

    for (at = memory->up.arrived; flight == 2 && at + extension_bytes->length <= memory->up.sent; at++) {
        if (memcmp(memory->up.bytes + at, extension_bytes->at, extension_bytes->length) == 0) {
            memory->up.bytes[at] ^= HIDDEN_FLAG;
            memory->baton = NULL;
            return;
        }
    }
}

static void test_second_hello_lacks(void **state)
{
    setup_t t = make(*state, "");
    bytes_t hidden[] = {unhex(t.pool, server_name(t.pool, "a.test")),
                        unhex(t.pool, extension(t.pool, 16, vector(t.pool, 2, "08" "687474702f312e31")))};

    memory_client_versions(t.client, TLS1_3_VERSION, TLS1_3_VERSION);
    assert_int_equal(SSL_CTX_set1_groups_list(t.client, "P-521:P-256"), 1);
    assert_int_equal(SSL_CTX_set_alpn_protos(t.client, (const unsigned char *)"\x08http/1.1", 9), 0);
    t.memory->protocols = "http/1.1";
    t.memory->on_flight = hide_second;
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        t.memory->baton = &hidden[i];
        assert_int_equal(shake(&t, "a.test"), SL_STATE_FAILED);
        assert_null(t.memory->baton);
        assert_int_equal(t.memory->conn->failure.reason, SL_FAIL_NAME_CHANGED);
    }
}

static int add_hidden(SSL *client, unsigned type, unsigned context, const unsigned char **out, size_t *length,
                      X509 *cert, size_t index, int *alert, void *baton)
{
    const bytes_t *whole = baton;

    (void)client, (void)type, (void)context, (void)cert, (void)index, (void)alert;
    *out = whole->at + 4;
    *length = whole->length - 4;
    return 1;
}

static void test_second_hello_adds(void **state)
{
    static const unsigned types[] = {0, 16};
    setup_t t = make(*state, "");

    t.memory->protocols = "http/1.1";
    t.memory->on_flight = hide_second;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        bytes_t hidden = unhex(t.pool, i ? extension(t.pool, 16,
                                                     vector(t.pool, 2,
                                                            "08"
                                                            "687474702f312e31"))
                                         : server_name(t.pool, "b.test"));

        hidden.at[0] ^= HIDDEN_FLAG;
        t.client = memory_client_ctx(t.pool, t.ca);
        memory_client_versions(t.client, TLS1_3_VERSION, TLS1_3_VERSION);
        assert_int_equal(SSL_CTX_set1_groups_list(t.client, "P-521:P-256"), 1);
        assert_int_equal(SSL_CTX_add_custom_ext(t.client, HIDDEN | types[i], SSL_EXT_CLIENT_HELLO, add_hidden, NULL,
                                                &hidden, NULL, NULL),
                         1);
        t.memory->baton = &hidden;
        assert_int_equal(shake(&t, NULL), SL_STATE_FAILED);
        assert_null(t.memory->baton);
        assert_int_equal(t.memory->conn->failure.reason, SL_FAIL_NAME_CHANGED);
    }
}

/* Fills what the connection gave back. */
static void overwrite_freed_memory(apr_pool_t *pool)
{
    for (int i = 0; i < 20; i++) {
        apr_pool_t *again;

        assert_int_equal(apr_pool_create(&again, pool), APR_SUCCESS);
        memset(apr_palloc(again, 5000), 'x', 5000);
    }
}

static void test_alpn(void **state)
{
    setup_t t = make(*state, "");

    BOTH_VERSIONS(version)
    {
        memory_client_versions(t.client, version, version);
        t.memory->protocols = "h2,http/1.1";
        assert_int_equal(SSL_CTX_set_alpn_protos(t.client, (const unsigned char *)"\x08http/1.1\x02h2", 12), 0);
        assert_open(&t, "a.test");
        overwrite_freed_memory(t.memory->conn_pool);
        assert_string_equal(t.memory->conn->alpn, "h2");
        assert_int_equal(SSL_CTX_set_alpn_protos(t.client, (const unsigned char *)"\x08http/1.1", 9), 0);
        assert_open(&t, "a.test");
        assert_string_equal(t.memory->conn->alpn, "http/1.1");
        assert_int_equal(SSL_CTX_set_alpn_protos(t.client, NULL, 0), 0);
        assert_open(&t, "a.test");
        assert_null(t.memory->conn->alpn);
    }
}

/* SecureLayerStrictALPN off: who offers nothing we know is served without. */
static void test_alpn_not_strict(void **state)
{
    setup_t t = make(*state, "SecureLayerStrictALPN off");
    const unsigned char *chosen;
    unsigned int length;

    t.memory->protocols = "h2";
    assert_int_equal(SSL_CTX_set_alpn_protos(t.client, (const unsigned char *)"\x07strange", 8), 0);
    assert_open(&t, "a.test");
    assert_null(t.memory->conn->alpn);
    SSL_get0_alpn_selected(t.memory->client, &chosen, &length);
    assert_int_equal(length, 0);
}

/* From the first byte on: how long a client was silent before does not count. */
static void test_handshake_time(void **state)
{
    setup_t t = make(*state, "");
    sl_conn_t *conn;

    memory_host_client(t.memory, t.client, "a.test");
    conn = t.memory->conn;
    assert_int_equal(sl_machine_run(conn), SL_WANT_READ);
    assert_int_equal(conn->started, t.memory->now);
    t.memory->now += apr_time_from_sec(5);
    memory_client_turn(t.memory);
    memory_deliver(&t.memory->up, 1);
    assert_int_equal(sl_machine_run(conn), SL_WANT_READ);
    t.memory->now += apr_time_from_msec(300);
    memory_deliver(&t.memory->up, MEMORY_ALL);
    assert_int_equal(sl_machine_run(conn), SL_WANT_READ);
    t.memory->now += apr_time_from_msec(30);
    assert_int_equal(conn->handshake_time, 0);
    assert_int_equal(memory_shake(t.memory), SL_STATE_OPEN);
    assert_int_equal(conn->handshake_time, apr_time_from_msec(330));
}

/* ---- failures ---- */

static void assert_failed(const setup_t *t, sl_failure_reason_t reason, int sent, int received, const char *hint)
{
    const sl_conn_t *conn = t->memory->conn;
    const char *said;

    assert_int_equal(conn->state, SL_STATE_FAILED);
    assert_string_equal(sl_failure_word(conn->failure.reason), sl_failure_word(reason));
    assert_int_equal(conn->failure.alert_sent, sent);
    assert_int_equal(conn->failure.alert_received, received);
    if (sent >= 0)
        assert_int_equal(t->memory->alert_received, sent);
    said = sl_hint(conn, t->pool);
    if (!strstr(said, hint))
        fail_msg("the hint '%s' does not say '%s'", said, hint);
    assert_int_equal(sl_machine_run(t->memory->conn), SL_WANT_NOTHING);
}

static void test_no_common_version(void **state)
{
    setup_t t = make(*state, "SSLProtocol TLSv1.3");
    setup_t old = make(*state, "SSLProtocol TLSv1.2");

    memory_client_versions(t.client, TLS1_2_VERSION, TLS1_2_VERSION);
    shake(&t, "a.test");
    assert_failed(&t, SL_FAIL_VERSION, SSL_AD_PROTOCOL_VERSION, -1,
                  "offers only TLSv1.2, and SSLProtocol of a.test:443");

    memory_client_versions(old.client, TLS1_3_VERSION, TLS1_3_VERSION);
    shake(&old, "a.test");
    assert_failed(&old, SL_FAIL_VERSION, SSL_AD_PROTOCOL_VERSION, -1, "offers only TLSv1.3");

    assert_int_equal(SSL_CTX_set_cipher_list(old.client, "ALL:@SECLEVEL=0"), 1);
    memory_client_versions(old.client, TLS1_VERSION, TLS1_1_VERSION);
    shake(&old, "a.test");
    assert_failed(&old, SL_FAIL_VERSION, SSL_AD_PROTOCOL_VERSION, -1, "offers only TLSv1.1");
}

/* A client that tried a newer version and fell back (RFC 7507) is told so: it offers a version we have. */
static void test_fallback(void **state)
{
    setup_t t = make(*state, "");

    memory_client_versions(t.client, TLS1_2_VERSION, TLS1_2_VERSION);
    SSL_CTX_set_mode(t.client, SSL_MODE_SEND_FALLBACK_SCSV);
    shake(&t, "a.test");
    assert_failed(&t, SL_FAIL_VERSION, SSL_AD_INAPPROPRIATE_FALLBACK, -1, "fell back");
}

static void test_no_common_suite(void **state)
{
    setup_t t = make(*state, "SSLCipherSuite ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384\n"
                             "SSLCipherSuite TLSv1.3 TLS_AES_256_GCM_SHA384");

    memory_client_versions(t.client, TLS1_2_VERSION, TLS1_2_VERSION);
    assert_int_equal(SSL_CTX_set_cipher_list(t.client, "ECDHE-RSA-AES128-GCM-SHA256"), 1);
    shake(&t, "a.test");
    assert_failed(&t, SL_FAIL_SUITE, SSL_AD_HANDSHAKE_FAILURE, -1, "client and a.test:443 have no cipher suite");

    memory_client_versions(t.client, TLS1_3_VERSION, TLS1_3_VERSION);
    assert_int_equal(SSL_CTX_set_ciphersuites(t.client, "TLS_AES_128_GCM_SHA256"), 1);
    shake(&t, "a.test");
    assert_failed(&t, SL_FAIL_SUITE, SSL_AD_HANDSHAKE_FAILURE, -1, "no cipher suite");
}

static void test_no_common_group(void **state)
{
    setup_t t = make(*state, "");

    memory_client_versions(t.client, TLS1_3_VERSION, TLS1_3_VERSION);
    assert_int_equal(SSL_CTX_set1_groups_list(t.client, "P-521"), 1);
    shake(&t, "a.test");
    assert_failed(&t, SL_FAIL_SUITE, SSL_AD_HANDSHAKE_FAILURE, -1, "group");
}

static void test_no_common_signature(void **state)
{
    setup_t t = make(*state, "");

    BOTH_VERSIONS(version)
    {
        memory_client_versions(t.client, version, version);
        assert_int_equal(SSL_CTX_set1_sigalgs_list(t.client, "ed25519"), 1);
        shake(&t, "b.test");
        assert_failed(&t, SL_FAIL_SUITE, SSL_AD_HANDSHAKE_FAILURE, -1, "whether the certificate's key type suits");
    }
}

static void test_no_common_protocol(void **state)
{
    setup_t t = make(*state, "");

    t.memory->protocols = "http/1.1";
    assert_int_equal(SSL_CTX_set_alpn_protos(t.client, (const unsigned char *)"\x04ldap", 5), 0);
    BOTH_VERSIONS(version)
    {
        memory_client_versions(t.client, version, version);
        shake(&t, "a.test");
        assert_failed(&t, SL_FAIL_ALPN, 120, -1, "SecureLayerStrictALPN");
    }
}

/* Hellos that no client of ours sends. */
static void test_odd_hellos(void **state)
{
    static const struct {
        unsigned version;
        const char *extensions;
        sl_failure_reason_t reason;
    } rows[] = {{0x0303, "000d00040002fefe" "000a000400020017", SL_FAIL_SUITE},
                {0x0303, "000a00040002fefe" "000d000400020403", SL_FAIL_SUITE},
                {0x0000, NULL, SL_FAIL_VERSION},
                {0x0200, NULL, SL_FAIL_VERSION},
                {0x0300, NULL, SL_FAIL_VERSION},
                {0x0303, "002b00030203" "03", SL_FAIL_SUITE},
                {0x0303, "002b00030203" "02", SL_FAIL_VERSION},
                {0x0303, "002b0003020a" "0a", SL_FAIL_VERSION},
                {0x0303, "002b00030203" "04", SL_FAIL_BAD_HELLO}};
    setup_t t = make(*state, "");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bytes_t hello = unhex(t.pool, record(t.pool, message(t.pool, rows[i].version, "1301c02b", rows[i].extensions)));

        memory_host_accept(t.memory);
        memory_send(&t.memory->up, hello.at, hello.length);
        memory_shake(t.memory);
        assert_int_equal(t.memory->conn->state, SL_STATE_FAILED);
        if (t.memory->conn->failure.reason != rows[i].reason)
            fail_msg("row %d: %s: %s", (int)i, sl_failure_word(t.memory->conn->failure.reason),
                     t.memory->conn->failure.detail);
        assert_true(t.memory->conn->failure.alert_sent > 0);
        assert_non_null(sl_hint(t.memory->conn, t.pool));
    }
}

/* The client refuses the server's certificate; what we know of that is its alert. */
static void test_client_refuses(void **state)
{
    setup_t t = make(*state, "");
    const material_pair_t *other = material_ca(t.pool, "Other CA", NULL);
    const material_cert_t expired = {.subject = "/CN=e.test", .san = "DNS:e.test",
                                     .not_after = material_now() - MATERIAL_DAY / 2};

    BOTH_VERSIONS(version)
    {
        t.client = memory_client_ctx(t.pool, other);
        memory_client_versions(t.client, version, version);
        shake(&t, "a.test");
        assert_failed(&t, SL_FAIL_ALERT, -1, SSL_AD_UNKNOWN_CA, "issued by /CN=CA");
        t.client = memory_client_ctx(t.pool, t.ca);
        memory_client_versions(t.client, version, version);
        memory_host_add(t.memory, "e.test",
                        memory_vhost(t.pool, "e.test:443", "", material_pair(t.pool, &expired, "P-256", t.ca), NULL));
        shake(&t, "e.test");
        assert_failed(&t, SL_FAIL_ALERT, -1, SSL_AD_CERTIFICATE_EXPIRED, "has expired");
    }
}

/* Any alert gets a hint of its own or one for all. */
static void send_alert_at_second(memory_host_t *memory, int flight)
{
    unsigned char record_bytes[] = {21, 3, 3, 0, 2, 2, *(const unsigned char *)memory->baton};

    if (flight != 2)
        return;
    memory_drop(&memory->up, MEMORY_ALL);
    memory_send(&memory->up, record_bytes, sizeof(record_bytes));
}

static void test_alerts_received(void **state)
{
    static const struct {
        unsigned char alert;
        const char *hint;
    } rows[] = {{SSL_AD_BAD_CERTIFICATE, "does not accept"}, {SSL_AD_CERTIFICATE_UNKNOWN, "does not accept"},
                {SSL_AD_CERTIFICATE_REVOKED, "revoked"},     {SSL_AD_UNSUPPORTED_CERTIFICATE, "kind of certificate"},
                {SSL_AD_PROTOCOL_VERSION, "version"},        {SSL_AD_HANDSHAKE_FAILURE, "nothing acceptable"},
                {SSL_AD_USER_CANCELLED, "cancelled"},        {SSL_AD_INTERNAL_ERROR, "gave up"},
                {SSL_AD_UNKNOWN_CA, "intermediate"},         {199, "gave up"}};
    setup_t t = make(*state, "SSLProtocol TLSv1.2");

    t.memory->on_flight = send_alert_at_second;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        t.memory->baton = (void *)&rows[i].alert;
        shake(&t, "a.test");
        assert_failed(&t, SL_FAIL_ALERT, -1, rows[i].alert, rows[i].hint);
    }
}

static void cut_second(memory_host_t *memory, int flight)
{
    if (flight == 2)
        memory_cut(&memory->up, *(const apr_status_t *)memory->baton);
}

static void test_ended_in_the_middle(void **state)
{
    static const struct {
        apr_status_t end;
        sl_failure_reason_t reason;
        const char *hint;
    } rows[] = {{APR_EOF, SL_FAIL_PEER_CLOSED, "closed the connection"},
                {APR_ECONNRESET, SL_FAIL_PEER_CLOSED, "closed the connection"}};
    setup_t t = make(*state, "");

    t.memory->on_flight = cut_second;
    /* OpenSSL is told to take the end of the stream for a close_notify; what if it were not? */
    for (int strict = 0; strict < 2; strict++) {
        if (strict)
            SSL_CTX_clear_options(APR_ARRAY_IDX(t.memory->names, 0, memory_name_t).vhost->profile->ctx,
                                  SSL_OP_IGNORE_UNEXPECTED_EOF);
        BOTH_VERSIONS(version)
        {
            memory_client_versions(t.client, version, version);
            for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                t.memory->baton = (void *)&rows[i].end;
                shake(&t, "a.test");
                (void)sl_machine_run(t.memory->conn);
                assert_int_equal(t.memory->conn->state, SL_STATE_FAILED);
                assert_string_equal(sl_failure_word(t.memory->conn->failure.reason), sl_failure_word(rows[i].reason));
                assert_non_null(strstr(sl_hint(t.memory->conn, t.pool), rows[i].hint));
            }
        }
    }
}

/* The peer cannot be written to any more. */
static void test_write_fails(void **state)
{
    setup_t t = make(*state, "");

    t.memory->write_error = APR_EPIPE;
    for (apr_size_t room = 0; room < 400; room += 100) {
        t.memory->room = room;
        shake(&t, "a.test");
        assert_failed(&t, SL_FAIL_PEER_CLOSED, -1, -1, "closed the connection");
    }
}

static void spoil_second(memory_host_t *memory, int flight)
{
    if (flight == 2)
        *(int *)memory->baton = memory_corrupt(&memory->up, memory_under_way(&memory->up) - 1, 1);
}

/* Bytes altered on the way. */
static void test_corrupted(void **state)
{
    setup_t t = make(*state, "");
    int done = 0;

    t.memory->on_flight = spoil_second;
    t.memory->baton = &done;
    BOTH_VERSIONS(version)
    {
        memory_client_versions(t.client, version, version);
        shake(&t, "a.test");
        assert_int_equal(done, 1);
        assert_failed(&t, SL_FAIL_OTHER, SSL_AD_BAD_RECORD_MAC, -1, "OpenSSL's reason");
        assert_non_null(t.memory->conn->failure.detail);
    }
}

/* What our parser lets through and OpenSSL does not is a bad hello as well. */
static void test_hello_openssl_refuses(void **state)
{
    setup_t t = make(*state, "");
    static const char *const extensions[] = {
        "000a00040002001d" "000d000400020403" "002b00030203" "04" "0033000400020001", /* a key share cut short */
        "0005000101",                                                             /* status_request without a list */
    };
    char name[300 * 2 + 1];

    memset(name, '6', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    for (size_t i = 0; i < 3; i++) {
        /* 300 characters are no host name for OpenSSL (RFC 6066 asks for none so long). */
        const char *bytes = i < 2 ? extensions[i]
                                  : apr_psprintf(t.pool,
                                                 "00000131"
                                                 "012f"
                                                 "00"
                                                 "012c%s",
                                                 name);
        bytes_t hello = unhex(t.pool, record(t.pool, message(t.pool, 0x0303, "1301c02b", bytes)));

        memory_host_accept(t.memory);
        memory_send(&t.memory->up, hello.at, hello.length);
        memory_shake(t.memory);
        assert_int_equal(t.memory->conn->state, SL_STATE_FAILED);
        assert_string_equal(sl_failure_word(t.memory->conn->failure.reason), "bad-hello");
        assert_true(t.memory->conn->failure.alert_sent > 0);
        assert_non_null(t.memory->conn->failure.detail);
    }
}

/* A hello answered with a stream of plain text: unknown to TLS, known to nobody. */
static void test_garbage_behind_the_hello(void **state)
{
    setup_t t = make(*state, "");

    memory_host_client(t.memory, t.client, "a.test");
    memory_client_turn(t.memory);
    memory_send(&t.memory->up, "GET / HTTP/1.0\r\n\r\n", 18);
    memory_deliver(&t.memory->up, MEMORY_ALL);
    assert_int_equal(sl_machine_run(t.memory->conn), SL_WANT_NOTHING);
    assert_int_equal(t.memory->conn->state, SL_STATE_FAILED);
    assert_int_equal(t.memory->conn->failure.reason, SL_FAIL_OTHER);
    assert_true(t.memory->conn->failure.alert_sent > 0);
}

/* Every failure has a word of its own, every alert that we send a name. */
static void test_words(void **state)
{
    static const int alerts[] = {10, 20, 22, 40, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 70, 71, 80, 86, 90, 109, 110,
                                 112, 113, 115, 116, 120};

    for (int i = 0; i < SL_FAILURES; i++) {
        assert_non_null(sl_failure_word((sl_failure_reason_t)i));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(sl_failure_word((sl_failure_reason_t)i), sl_failure_word((sl_failure_reason_t)k));
    }
    for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++) {
        const char *text = sl_failure_alert(*state, alerts[i]);

        if (strncmp(text, "unknown (", 9) == 0)
            fail_msg("alert %d has no name", alerts[i]);
    }
    assert_string_equal(sl_failure_alert(*state, 40), "handshake failure (40)");
    assert_string_equal(sl_failure_alert(*state, 200), "unknown (200)");
    assert_string_equal(sl_failure_alert(*state, -1), "none");
}

/* What only the host can know is told through sl_conn_fail(). */
static void test_told_by_the_host(void **state)
{
    static const struct {
        sl_failure_reason_t reason;
        const char *hint;
    } rows[] = {{SL_FAIL_TIMEOUT, "SecureLayerHandshakeTimeout"}, {SL_FAIL_CROWDED_OUT, "SecureLayerHandshakeQueue"}};
    setup_t t = make(*state, "");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memory_host_client(t.memory, t.client, "a.test");
        memory_client_turn(t.memory);
        memory_deliver(&t.memory->up, MEMORY_ALL);
        assert_int_equal(sl_machine_run(t.memory->conn), SL_WANT_READ);
        sl_conn_fail(t.memory->conn, rows[i].reason, NULL);
        assert_failed(&t, rows[i].reason, -1, -1, rows[i].hint);
    }
}

/* ---- certificates of a directory ---- */

static sl_identity_t *directory_identity;
static const char *directory_trouble;
static int directory_looks;

static sl_identity_t *find_identity(void *baton, const sl_vhost_t *vhost, const char *name, const char **trouble)
{
    (void)baton;
    assert_int_equal(vhost->directory, 3);
    directory_looks++;
    *trouble = directory_trouble;
    if (directory_trouble || strcmp(name, "site.test") != 0)
        return NULL;
    sl_identity_retain(directory_identity);
    return directory_identity;
}

/* `pair` (NULL: none) is the host's own. */
static setup_t make_with_directory(apr_pool_t *pool, const char *directives, const material_pair_t *pair)
{
    setup_t t = {pool, material_ca(pool, "CA", NULL), memory_host_make(pool), NULL};
    sl_vhost_t *vhost = memory_vhost(pool, "own.test:443", directives, pair, NULL);

    t.client = memory_client_ctx(pool, t.ca);
    SSL_CTX_set_verify(t.client, SSL_VERIFY_NONE, NULL);
    vhost->directory = 3;
    memory_host_add(t.memory, "own.test", vhost);
    t.memory->host.find_identity = find_identity;
    directory_identity = memory_identity(pool, material_server(pool, "site.test", "ED25519", t.ca), NULL);
    directory_trouble = NULL;
    directory_looks = 0;
    return t;
}

static void test_directory(void **state)
{
    setup_t t = make_with_directory(*state, "SecureLayerUnknownName refuse",
                                    material_server(*state, "own.test", "P-256", NULL));

    BOTH_VERSIONS(version)
    {
        memory_client_versions(t.client, version, version);
        assert_open(&t, "site.test");
        assert_key_type(&t, "Ed25519");
        assert_true(t.memory->conn->name_known);
        assert_ptr_equal(sl_conn_certificate(t.memory->conn), directory_identity->leaf);
        assert_open(&t, "own.test"); /* nothing there: the host's own */
        assert_key_type(&t, "ECDSA");
    }
    assert_int_equal(directory_looks, 4);
    assert_open(&t, NULL);
    assert_key_type(&t, "ECDSA");
    assert_int_equal(directory_looks, 4);
    shake(&t, "nobody.test");
    assert_failed(&t, SL_FAIL_UNKNOWN_NAME, SSL_AD_UNRECOGNIZED_NAME, -1, "and SecureLayerUnknownName refuses it");
    directory_trouble = "nobody answers"; /* then nobody is refused either */
    assert_open(&t, "site.test");
    assert_key_type(&t, "ECDSA");
}

/* A name may have one identity for each key type there; one that does not cover the name is left out. */
static void test_directory_with_key_types(void **state)
{
    static const char *const algorithms[] = {"ECDSA+SHA256:RSA-PSS+SHA256", "RSA-PSS+SHA256", "ed25519"};
    static const char *const types[] = {"ECDSA", "RSA", "Ed25519"};
    setup_t t = make_with_directory(*state, "", NULL);
    sl_identity_t *other = memory_identity(*state, material_server(*state, "other.test", "ED448", t.ca), NULL);
    sl_identity_t *rsa = memory_identity(*state, material_server(*state, "site.test", "RSA", t.ca), NULL);
    sl_identity_t *ecdsa = memory_identity(*state, material_server(*state, "site.test", "P-256", t.ca), NULL);

    sl_identity_retain(directory_identity);
    rsa->also = directory_identity;
    sl_identity_retain(rsa);
    other->also = rsa;
    sl_identity_retain(other);
    ecdsa->also = other;
    directory_identity = ecdsa;
    BOTH_VERSIONS(version)
    {
        memory_client_versions(t.client, version, version);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(SSL_CTX_set1_sigalgs_list(t.client, algorithms[i]), 1);
            assert_open(&t, "site.test");
            assert_key_type(&t, types[i]);
        }
        assert_int_equal(SSL_CTX_set1_sigalgs_list(t.client, "ed448"), 1);
        shake(&t, "site.test");
        assert_int_equal(t.memory->conn->state, SL_STATE_FAILED);
    }
}

static void test_nothing_but_a_directory(void **state)
{
    setup_t t = make_with_directory(*state, "", NULL);

    assert_open(&t, "site.test");
    assert_key_type(&t, "Ed25519");
    shake(&t, "nobody.test");
    assert_failed(&t, SL_FAIL_UNKNOWN_NAME, SSL_AD_UNRECOGNIZED_NAME, -1, "own.test:443, which has no other");
    shake(&t, NULL);
    assert_failed(&t, SL_FAIL_UNKNOWN_NAME, SSL_AD_UNRECOGNIZED_NAME, -1, "the client sent no name");
    directory_trouble = "nobody answers";
    shake(&t, "site.test");
    assert_failed(&t, SL_FAIL_OTHER, SSL_AD_INTERNAL_ERROR, -1, "the reason stands before");
    assert_string_equal(t.memory->conn->failure.detail, "nobody answers");
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(test_key_type_the_client_can_verify),
    UNIT_TEST(test_pieces),
    UNIT_TEST(test_chain),
    UNIT_TEST(test_chain_in_a_ring),
    UNIT_TEST(test_group_of_the_certificate),
    UNIT_TEST(test_hello_retry),
    UNIT_TEST(test_second_hello_differs),
    UNIT_TEST(test_second_hello_lacks),
    UNIT_TEST(test_second_hello_adds),
    UNIT_TEST(test_alpn),
    UNIT_TEST(test_alpn_not_strict),
    UNIT_TEST(test_handshake_time),
    UNIT_TEST(test_no_common_version),
    UNIT_TEST(test_fallback),
    UNIT_TEST(test_no_common_suite),
    UNIT_TEST(test_no_common_group),
    UNIT_TEST(test_no_common_signature),
    UNIT_TEST(test_no_common_protocol),
    UNIT_TEST(test_odd_hellos),
    UNIT_TEST(test_client_refuses),
    UNIT_TEST(test_alerts_received),
    UNIT_TEST(test_ended_in_the_middle),
    UNIT_TEST(test_write_fails),
    UNIT_TEST(test_corrupted),
    UNIT_TEST(test_hello_openssl_refuses),
    UNIT_TEST(test_garbage_behind_the_hello),
    UNIT_TEST(test_words),
    UNIT_TEST(test_told_by_the_host),
    UNIT_TEST(test_directory),
    UNIT_TEST(test_directory_with_key_types),
    UNIT_TEST(test_nothing_but_a_directory),
};

UNIT_MAIN(tests)
