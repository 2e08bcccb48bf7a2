/* Ticket keys: the ring turns by the clock, old keys open for as long as they should; files of keys; sealing; and what
 * connections make of it. */
#include "memory_host.h"
#include "unit.h"

#include "resume/ticket_ring.h"
#include "resume/ticket_seal.h"
#include "resume/ticket_source.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <unistd.h>

#define HOUR 3600
#define START 1000000

static int turn(sl_ticket_ring_t *ring, apr_int64_t now, apr_int64_t rotation, apr_int64_t keep)
{
    int changed;

    assert_int_equal(sl_ticket_ring_turn(ring, now, rotation, keep, &changed, NULL), APR_SUCCESS);
    return changed;
}

static void a_ring_turns_when_it_is_due(void **state)
{
    sl_ticket_ring_t ring = {0};
    unsigned char first[SL_TICKET_NAME_SIZE], second[SL_TICKET_NAME_SIZE];
    sl_ticket_key_t key;

    (void)state;
    assert_int_equal(sl_ticket_ring_find(&ring, NULL, &key), SL_TICKET_NO_KEY);
    assert_int_equal(sl_ticket_ring_due(&ring, START, 12 * HOUR, 24 * HOUR), START);
    assert_true(turn(&ring, START, 12 * HOUR, 24 * HOUR));
    memcpy(first, ring.keys[0].name, sizeof(first));
    assert_int_equal(sl_ticket_ring_find(&ring, NULL, &key), SL_TICKET_FIRST_KEY);
    assert_int_equal(sl_ticket_ring_due(&ring, START, 12 * HOUR, 24 * HOUR), START + 12 * HOUR);
    assert_false(turn(&ring, START + 12 * HOUR - 1, 12 * HOUR, 24 * HOUR));
    assert_true(turn(&ring, START + 12 * HOUR, 12 * HOUR, 24 * HOUR));
    memcpy(second, ring.keys[0].name, sizeof(second));
    assert_memory_not_equal(first, second, sizeof(first));
    assert_memory_not_equal(ring.keys[0].aes, ring.keys[1].aes, 32);
    assert_memory_not_equal(ring.keys[0].hmac, ring.keys[1].hmac, 32);
    assert_memory_not_equal(ring.keys[0].seal, ring.keys[0].aes, 32);
    assert_int_equal(sl_ticket_ring_find(&ring, first, &key), SL_TICKET_OLD_KEY);
    assert_int_equal(sl_ticket_ring_find(&ring, second, &key), SL_TICKET_FIRST_KEY);
    sl_ticket_ring_cleanse(&ring);
}

/* A key opens until `keep` seconds after it sealed its last ticket, and is wiped then. */
static void old_keys_end(void **state)
{
    static const unsigned char nothing[sizeof(sl_ticket_key_t)];
    sl_ticket_ring_t ring = {0};

    (void)state;
    turn(&ring, START, 100, 250);
    turn(&ring, START + 100, 100, 250);
    turn(&ring, START + 200, 100, 250);
    turn(&ring, START + 300, 100, 250);
    assert_int_equal(ring.count, 4);
    assert_int_equal(sl_ticket_ring_due(&ring, START + 300, 100, 250), START + 351);
    assert_false(turn(&ring, START + 350, 100, 250));
    assert_true(turn(&ring, START + 351, 100, 250));
    assert_int_equal(ring.count, 3);
    assert_memory_equal(&ring.keys[3], nothing, sizeof(nothing));
    turn(&ring, START + 100000, 100, 250);
    assert_int_equal(ring.count, 2); /* the last one sealed until now */
    sl_ticket_ring_cleanse(&ring);
}

static void a_full_ring_loses_its_oldest_key(void **state)
{
    sl_ticket_ring_t ring = {0};

    (void)state;
    for (int i = 0; i < 3 * SL_TICKET_KEYS_MAX; i++)
        turn(&ring, START + i, 1, 1000);
    assert_int_equal(ring.count, SL_TICKET_KEYS_MAX);
    for (int i = 0; i < SL_TICKET_KEYS_MAX; i++)
        assert_int_equal(ring.keys[i].made, START + 3 * SL_TICKET_KEYS_MAX - 1 - i);
    assert_int_equal(sl_ticket_ring_size(&ring), sizeof(ring));
}

static void a_clock_that_was_ahead_does_not_stop_the_ring(void **state)
{
    sl_ticket_ring_t ring = {0};
    sl_ticket_key_t key;
    unsigned char ahead[SL_TICKET_NAME_SIZE];

    (void)state;
    turn(&ring, START + 1000 * HOUR, HOUR, HOUR);
    memcpy(ahead, ring.keys[0].name, sizeof(ahead));
    assert_int_equal(sl_ticket_ring_due(&ring, START, HOUR, HOUR), START);
    assert_true(turn(&ring, START, HOUR, HOUR));
    assert_int_equal(sl_ticket_ring_find(&ring, ahead, &key), SL_TICKET_OLD_KEY);
    assert_int_equal(sl_ticket_ring_due(&ring, START, HOUR, HOUR), START + HOUR);
    assert_false(turn(&ring, START, HOUR, HOUR));
    turn(&ring, START + HOUR, HOUR, HOUR);
    turn(&ring, START + 2 * HOUR, HOUR, HOUR);
    turn(&ring, START + 2 * HOUR + 1, HOUR, HOUR);
    assert_int_equal(sl_ticket_ring_find(&ring, ahead, &key), SL_TICKET_NO_KEY);
}

/* ---- files ---- */

static void files_of_keys(void **state)
{
    static const struct {
        int length, keys, size; /* 0 keys: refused */
    } rows[] = {{0, 0, 0},     {1, 0, 0},      {47, 0, 0},     {48, 1, 16},    {49, 0, 0},
                {79, 0, 0},    {80, 1, 32},    {81, 0, 0},     {96, 2, 16},    {160, 2, 32},
                {240, 3, 32},  {144, 3, 16},   {128, 0, 0},    {32 * 48, 32, 16}, {32 * 80, 32, 32},
                {33 * 48, 0, 0}, {33 * 80, 0, 0}, {100000, 0, 0}};
    apr_pool_t *pool = *state;
    static unsigned char bytes[100000];
    char path[] = "/tmp/sl-test-ticketsXXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    RAND_bytes(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sl_problem_t *why = sl_problem_make(pool);
        sl_ticket_ring_t ring, read;
        int ok = sl_ticket_source_parse(&ring, bytes, (apr_size_t)rows[i].length, "keys", why) == APR_SUCCESS;

        if (ok != (rows[i].keys > 0) || (int)ring.count != rows[i].keys)
            fail_msg("%d bytes: %s, %d keys", rows[i].length, sl_problem_text(why, pool), (int)ring.count);
        if (!ok)
            assert_non_null(why->reason);
        else
            assert_int_equal(ring.keys[0].size, rows[i].size);
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, bytes, (size_t)rows[i].length, 0), rows[i].length);
        assert_int_equal(sl_ticket_source_read(&read, path, sl_problem_make(pool)) == APR_SUCCESS, ok);
        assert_int_equal(read.count, ring.count);
        assert_memory_equal(read.keys, ring.keys, ring.count * sizeof(ring.keys[0]));
    }
    close(fd);
    unlink(path);
}

/* Where what lies in the file, and that all of it counts. */
static void the_parts_of_a_key(void **state)
{
    unsigned char bytes[80];
    sl_ticket_ring_t ring, other;

    (void)state;
    for (int i = 0; i < 80; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(sl_ticket_source_parse(&ring, bytes, 80, "", NULL), APR_SUCCESS);
    assert_memory_equal(ring.keys[0].name, bytes, 16);
    assert_memory_equal(ring.keys[0].hmac, bytes + 16, 32);
    assert_memory_equal(ring.keys[0].aes, bytes + 48, 32);
    bytes[79] ^= 1;
    assert_int_equal(sl_ticket_source_parse(&other, bytes, 80, "", NULL), APR_SUCCESS);
    assert_memory_not_equal(ring.keys[0].seal, other.keys[0].seal, 32);
    assert_int_equal(sl_ticket_source_parse(&ring, bytes, 48, "", NULL), APR_SUCCESS);
    assert_memory_equal(ring.keys[0].hmac, bytes + 16, 16);
    assert_memory_equal(ring.keys[0].aes, bytes + 32, 16);
}

static void two_keys_of_one_name_are_refused(void **state)
{
    unsigned char bytes[160];
    sl_ticket_ring_t ring;

    (void)state;
    RAND_bytes(bytes, sizeof(bytes));
    memcpy(bytes + 80, bytes, 16);
    assert_int_equal(sl_ticket_source_parse(&ring, bytes, 160, "", NULL), APR_EINVAL);
    assert_int_equal(ring.count, 0);
}

/* ---- sealing ---- */

static void what_was_sealed_opens_whole_or_not_at_all(void **state)
{
    unsigned char sealed[100 + SL_TICKET_SEAL_OVERHEAD], again[100 + SL_TICKET_SEAL_OVERHEAD], bytes[100];
    unsigned char opened[100 + SL_TICKET_SEAL_OVERHEAD];
    sl_ticket_key_t key, other;

    (void)state;
    RAND_bytes(bytes, sizeof(bytes));
    assert_int_equal(sl_ticket_key_make(&key, START, NULL), APR_SUCCESS);
    assert_int_equal(sl_ticket_key_make(&other, START, NULL), APR_SUCCESS);
    for (apr_size_t length = 0; length <= sizeof(bytes); length += 25) {
        apr_size_t whole = length + SL_TICKET_SEAL_OVERHEAD;

        assert_int_equal(sl_ticket_seal(&key, "id", 2, bytes, length, sealed), APR_SUCCESS);
        assert_int_equal(sl_ticket_seal(&key, "id", 2, bytes, length, again), APR_SUCCESS);
        assert_memory_not_equal(sealed + SL_TICKET_NAME_SIZE, again + SL_TICKET_NAME_SIZE, 28);
        assert_memory_equal(sl_ticket_seal_name(sealed, whole), key.name, SL_TICKET_NAME_SIZE);
        assert_int_equal(sl_ticket_open(&key, "id", 2, sealed, whole, opened), APR_SUCCESS);
        assert_memory_equal(opened, bytes, length);
        assert_int_equal(sl_ticket_open(&key, "ID", 2, sealed, whole, opened), APR_EINVAL);
        assert_int_equal(sl_ticket_open(&key, "id", 1, sealed, whole, opened), APR_EINVAL);
        assert_int_equal(sl_ticket_open(&other, "id", 2, sealed, whole, opened), APR_EINVAL);
        for (apr_size_t i = 0; i < whole; i++) {
            sealed[i] ^= 4;
            assert_int_equal(sl_ticket_open(&key, "id", 2, sealed, whole, opened), APR_EINVAL);
            sealed[i] ^= 4;
        }
        for (apr_size_t i = 0; i < whole; i++)
            assert_int_equal(sl_ticket_open(&key, "id", 2, sealed, i, opened), APR_EINVAL);
    }
    assert_null(sl_ticket_seal_name(sealed, SL_TICKET_SEAL_OVERHEAD - 1));
}

/* ---- connections ---- */

typedef struct setup_t {
    memory_host_t *memory;
    SSL_CTX *client;
    const material_pair_t *ca;
    const sl_vhost_t *vhost;
} setup_t;

static setup_t make(apr_pool_t *pool, const material_pair_t *ca, const char *directives)
{
    setup_t t = {.memory = memory_host_make(pool), .ca = ca};

    t.vhost = memory_vhost(pool, "a.test:443", directives, material_server(pool, "a.test", "P-256", ca), NULL);
    memory_host_add(t.memory, "a.test", t.vhost);
    t.client = memory_client_ctx(pool, ca);
    return t;
}

static SSL_SESSION *last_session(const setup_t *t)
{
    assert_true(t->memory->sessions->nelts > 0);
    return APR_ARRAY_IDX(t->memory->sessions, t->memory->sessions->nelts - 1, SSL_SESSION *);
}

static int has_other_ticket(const SSL_SESSION *a, const SSL_SESSION *b)
{
    const unsigned char *ticket[2];
    size_t length[2];

    SSL_SESSION_get0_ticket(a, &ticket[0], &length[0]);
    SSL_SESSION_get0_ticket(b, &ticket[1], &length[1]);
    return length[0] != length[1] || memcmp(ticket[0], ticket[1], length[0]) != 0;
}

/* Connects, with a session if there is one; was it resumed? *tickets is how many came. */
static int connects(setup_t *t, SSL_SESSION *session, int *tickets)
{
    int before = t->memory->sessions->nelts;
    SSL *client = memory_host_client(t->memory, t->client, "a.test");
    SSL_SESSION *copy = session ? SSL_SESSION_dup(session) : NULL; /* OpenSSL's client uses each one once */

    SSL_set_session(client, copy);
    SSL_SESSION_free(copy);
    assert_int_equal(memory_shake(t->memory), SL_STATE_OPEN);
    if (SSL_session_reused(client) && SSL_version(client) < TLS1_3_VERSION &&
        has_other_ticket(SSL_get_session(client), session))
        APR_ARRAY_PUSH(t->memory->sessions, SSL_SESSION *) = SSL_get1_session(client); /* OpenSSL does not tell */
    *tickets = t->memory->sessions->nelts - before;
    return SSL_session_reused(t->memory->conn->ssl);
}

static void add_key(setup_t *t)
{
    sl_ticket_key_t key;

    assert_int_equal(sl_ticket_key_make(&key, START, NULL), APR_SUCCESS);
    sl_ticket_ring_add(&t->memory->ring, &key);
}

static void older_keys_open_and_tickets_are_renewed(void **state)
{
    setup_t t = make(*state, material_ca(*state, "CA", NULL), "");
    SSL_SESSION *first;
    int tickets;

    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        memory_client_versions(t.client, version, version);
        t.memory->ring.count = 1;
        assert_false(connects(&t, NULL, &tickets));
        first = last_session(&t);
        assert_true(connects(&t, first, &tickets));
        assert_int_equal(tickets, version == TLS1_3_VERSION); /* there each is used once */
        add_key(&t);
        assert_true(connects(&t, first, &tickets));
        assert_int_equal(tickets, 1);
        t.memory->ring.count = 1; /* the older one is gone */
        assert_true(connects(&t, last_session(&t), &tickets));
        assert_false(connects(&t, first, &tickets));
        assert_int_equal(tickets, 1);
    }
}

/* Keys of 16 bytes, as mod_ssl's files have them. */
static void short_keys_work(void **state)
{
    setup_t t = make(*state, material_ca(*state, "CA", NULL), "");
    unsigned char bytes[96];
    int tickets;

    RAND_bytes(bytes, sizeof(bytes));
    assert_int_equal(sl_ticket_source_parse(&t.memory->ring, bytes, sizeof(bytes), "", NULL), APR_SUCCESS);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        memory_client_versions(t.client, version, version);
        assert_false(connects(&t, NULL, &tickets));
        assert_true(connects(&t, last_session(&t), &tickets));
    }
}

/* ---- client certificates ---- */

/* A client whose certificate an intermediate signed that only the client has. */
static const material_pair_t *use_client_certificate(setup_t *t, apr_pool_t *pool)
{
    const material_pair_t *between = material_ca(pool, "between", t->ca);
    const material_pair_t *pair = material_client(pool, "me", "P-256", between);

    assert_int_equal(SSL_CTX_use_cert_and_key(t->client, pair->cert, pair->key, NULL, 1), 1);
    assert_int_equal(SSL_CTX_add1_chain_cert(t->client, between->cert), 1);
    return between;
}

static setup_t make_with_clients(apr_pool_t *pool)
{
    const material_pair_t *ca = material_ca(pool, "CA", NULL);
    const char *dir = material_dir(pool);

    material_file(pool, dir, "ca.pem", material_cert_pem(pool, ca->cert));
    return make(pool, ca,
                apr_psprintf(pool, "SSLVerifyClient require\nSSLVerifyDepth 3\nSSLCACertificateFile %s/ca.pem", dir));
}

static void a_resumed_session_has_the_chain_of_its_first(void **state)
{
    setup_t t = make_with_clients(*state);
    const material_pair_t *between = use_client_certificate(&t, *state);
    int tickets;

    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        memory_client_versions(t.client, version, version);
        assert_false(connects(&t, NULL, &tickets));
        for (int again = 0; again < 3; again++) { /* by tickets of tickets too */
            STACK_OF(X509) *chain;

            assert_true(connects(&t, last_session(&t), &tickets));
            assert_null(SSL_get_peer_cert_chain(t.memory->conn->ssl));
            chain = sl_conn_peer_chain(t.memory->conn);
            assert_int_equal(sk_X509_num(chain), 1);
            assert_int_equal(X509_cmp(sk_X509_value(chain, 0), between->cert), 0);
            assert_int_equal(t.memory->conn->verify_error, X509_V_OK);
            assert_int_equal(SSL_get_verify_result(t.memory->conn->ssl), X509_V_OK);
        }
    }
}

/* Who would be refused today is not let in for the sake of yesterday's ticket. */
static void an_expired_certificate_ends_its_sessions(void **state)
{
    setup_t t = make_with_clients(*state);
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(t.vhost->profile->ctx);
    int tickets;

    use_client_certificate(&t, *state);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL *client;

        memory_client_versions(t.client, version, version);
        assert_false(connects(&t, NULL, &tickets));
        X509_VERIFY_PARAM_set_time(param, (time_t)material_now() + 100L * 365 * 86400);
        client = memory_host_client(t.memory, t.client, "a.test");
        SSL_set_session(client, last_session(&t));
        assert_int_equal(memory_shake(t.memory), SL_STATE_FAILED);
        assert_int_equal(t.memory->conn->failure.reason, SL_FAIL_CLIENT_CERT);
        assert_int_equal(t.memory->conn->verify_error, X509_V_ERR_CERT_HAS_EXPIRED);
        X509_VERIFY_PARAM_set_time(param, (time_t)material_now());
        assert_true(connects(&t, last_session(&t), &tickets));
    }
}

/* Of memory that others might have written to. */
static void a_ring_is_whole_or_none(void **state)
{
    sl_ticket_ring_t ring;

    (void)state;
    memset(&ring, 0, sizeof(ring));
    assert_true(sl_ticket_ring_is_whole(&ring, sl_ticket_ring_size(&ring)));
    assert_false(sl_ticket_ring_is_whole(&ring, 0));
    ring.count = 2;
    assert_true(sl_ticket_ring_is_whole(&ring, sl_ticket_ring_size(&ring)));
    assert_false(sl_ticket_ring_is_whole(&ring, sl_ticket_ring_size(&ring) - 1));
    assert_false(sl_ticket_ring_is_whole(&ring, sizeof(ring)));
    ring.count = SL_TICKET_KEYS_MAX + 1;
    assert_false(sl_ticket_ring_is_whole(&ring, sl_ticket_ring_size(&ring)));
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(a_ring_is_whole_or_none),
    UNIT_TEST(a_ring_turns_when_it_is_due),
    UNIT_TEST(old_keys_end),
    UNIT_TEST(a_full_ring_loses_its_oldest_key),
    UNIT_TEST(a_clock_that_was_ahead_does_not_stop_the_ring),
    UNIT_TEST(files_of_keys),
    UNIT_TEST(the_parts_of_a_key),
    UNIT_TEST(two_keys_of_one_name_are_refused),
    UNIT_TEST(what_was_sealed_opens_whole_or_not_at_all),
    UNIT_TEST(older_keys_open_and_tickets_are_renewed),
    UNIT_TEST(short_keys_work),
    UNIT_TEST(a_resumed_session_has_the_chain_of_its_first),
    UNIT_TEST(an_expired_certificate_ends_its_sessions),
};

UNIT_MAIN(tests)
