/* A connection may go from thread to thread between two calls, as on the event MPM; what virtual hosts share is used by
 * many threads at once. Says most under ThreadSanitizer. */
#include "memory_host.h"
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define THREADS 4
#define CONNECTIONS 8
#define ROUNDS 5
#define PIECE 150

typedef struct shared_t {
    apr_pool_t *pool;
    const material_pair_t *ca, *client;
    const sl_vhost_t *vhosts[2];
    atomic_int failures;
} shared_t;

static void note(shared_t *shared, int ok, const char *what)
{
    if (ok)
        return;
    atomic_fetch_add(&shared->failures, 1);
    fprintf(stderr, "# %s\n", what);
}

/* Two virtual hosts of one CA; the second one requires client certificates that a CRL in a directory does not
 * revoke. */
static shared_t make_shared(apr_pool_t *pool)
{
    shared_t shared = {.pool = pool, .ca = material_ca(pool, "CA", NULL)};
    const char *dir = material_dir(pool);
    const char *directives = apr_psprintf(pool,
                                          "SSLVerifyClient require\nSSLCACertificateFile %s/ca.pem\n"
                                          "SSLCARevocationPath %s\nSSLCARevocationCheck leaf",
                                          dir, dir);

    material_file(pool, dir, "ca.pem", material_cert_pem(pool, shared.ca->cert));
    material_file(pool, dir, "crl.pem", material_crl_pem(pool, material_crl(pool, shared.ca, NULL, 0)));
    material_hash_link(pool, dir, "crl.pem", X509_get_subject_name(shared.ca->cert), 1);
    shared.client = material_client(pool, "me", "P-256", shared.ca);
    shared.vhosts[0] = memory_vhost(pool, "a.test:443", "", material_server(pool, "a.test", "P-256", shared.ca),
                                    material_server(pool, "a.test", "RSA", shared.ca), NULL);
    shared.vhosts[1] =
        memory_vhost(pool, "b.test:443", directives, material_server(pool, "b.test", "ED25519", shared.ca), NULL);
    return shared;
}

static memory_host_t *make_host(const shared_t *shared, apr_pool_t *pool)
{
    memory_host_t *memory = memory_host_make(pool);

    memory_host_add(memory, "a.test", shared->vhosts[0]);
    memory_host_add(memory, "b.test", shared->vhosts[1]);
    memory->protocols = "h2,http/1.1";
    return memory;
}

/* The n-th connection: both versions and both hosts, every other one resumed. */
static void start(memory_host_t *memory, SSL_CTX *ctx, int number)
{
    SSL *client = memory_host_client(memory, ctx, number & 2 ? "b.test" : "a.test");
    int resumes = number & 1 && memory->sessions->nelts;

    SSL_set_max_proto_version(client, number & 4 ? TLS1_2_VERSION : TLS1_3_VERSION);
    if (resumes)
        SSL_set_session(client, APR_ARRAY_IDX(memory->sessions, memory->sessions->nelts - 1, SSL_SESSION *));
}

static SSL_CTX *make_client(const shared_t *shared, apr_pool_t *pool)
{
    SSL_CTX *ctx = memory_client_ctx(pool, NULL);

    if (SSL_CTX_use_cert_and_key(ctx, shared->client->cert, shared->client->key, NULL, 1) != 1)
        return NULL;
    SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\x02h2", 3);
    return ctx;
}

static int exchange(memory_host_t *memory)
{
    char text[16];
    apr_size_t length = sizeof(text);

    memory_client_write(memory, "ping", 4);
    if (sl_conn_read(memory->conn, text, &length) != APR_SUCCESS)
        return 0;
    if (length != 4 || memcmp(text, "ping", 4) != 0 || sl_conn_write(memory->conn, "pong", 4) != APR_SUCCESS)
        return 0;
    return strcmp(memory_client_read(memory, NULL), "pong") == 0;
}

/* ---- one connection, two threads ---- */

typedef struct relay_t {
    shared_t *shared;
    pthread_mutex_t mutex;
    pthread_cond_t handed_over;
    int turn;       /* whose */
    int over;
    memory_host_t *memory;
    SSL_CTX *ctx;
    int connection; /* number of the one under way, 0: none yet */
    int round;
    int steps[2];   /* that each thread did */
} relay_t;

/* A bit of the life of a connection; 0 when all lives are over. */
static int step(relay_t *relay)
{
    memory_host_t *memory = relay->memory;

    if (!memory->conn || memory->conn->state == SL_STATE_CLOSED) {
        if (relay->connection == CONNECTIONS)
            return 0;
        start(memory, relay->ctx, relay->connection++);
        relay->round = 0;
    }
    if (memory->conn->state < SL_STATE_OPEN) {
        if (!memory_under_way(&memory->up))
            memory_client_turn(memory);
        memory_deliver(&memory->up, PIECE);
        (void)sl_machine_run(memory->conn);
        return 1;
    }
    if (memory->conn->state == SL_STATE_FAILED) {
        note(relay->shared, 0, memory->conn->failure.detail ? memory->conn->failure.detail : "a handshake failed");
        return 0;
    }
    memory_client_turn(memory);
    note(relay->shared, exchange(memory), "a round trip failed");
    if (++relay->round == ROUNDS)
        sl_conn_close(memory->conn, 1);
    return 1;
}

typedef struct runner_t {
    relay_t *relay;
    int number;
} runner_t;

static void *run_in_turn(void *baton)
{
    const runner_t *me = baton;
    relay_t *relay = me->relay;

    pthread_mutex_lock(&relay->mutex);
    while (!relay->over) {
        if (relay->turn != me->number) {
            pthread_cond_wait(&relay->handed_over, &relay->mutex);
            continue;
        }
        relay->over = !step(relay);
        relay->steps[me->number]++;
        relay->turn = !me->number;
        pthread_cond_signal(&relay->handed_over);
    }
    pthread_cond_signal(&relay->handed_over);
    pthread_mutex_unlock(&relay->mutex);
    return NULL;
}

static void test_handed_over(void **state)
{
    shared_t shared = make_shared(*state);
    relay_t relay = {.shared = &shared, .mutex = PTHREAD_MUTEX_INITIALIZER, .handed_over = PTHREAD_COND_INITIALIZER};
    runner_t runners[2] = {{&relay, 0}, {&relay, 1}};
    pthread_t threads[2];

    relay.memory = make_host(&shared, *state);
    relay.ctx = make_client(&shared, *state);
    assert_non_null(relay.ctx);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_in_turn, &runners[i]), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&shared.failures), 0);
    assert_int_equal(relay.connection, CONNECTIONS);
    assert_true(relay.steps[0] > CONNECTIONS * ROUNDS / 2);
    assert_true(relay.steps[0] - relay.steps[1] <= 1 && relay.steps[1] - relay.steps[0] <= 1);
}

/* ---- many connections, many threads ---- */

static void *run_alone(void *baton)
{
    shared_t *shared = baton;
    apr_pool_t *pool;
    memory_host_t *memory;
    SSL_CTX *ctx;

    if (apr_pool_create(&pool, NULL) != APR_SUCCESS)
        return NULL;
    memory = make_host(shared, pool);
    ctx = make_client(shared, pool);
    note(shared, ctx != NULL, "no client");
    for (int i = 0; ctx && i < CONNECTIONS; i++) {
        start(memory, ctx, i);
        note(shared, memory_shake(memory) == SL_STATE_OPEN, "a handshake failed");
        if (memory->conn->state != SL_STATE_OPEN)
            break;
        note(shared, exchange(memory), "a round trip failed");
        sl_conn_close(memory->conn, 1);
    }
    apr_pool_destroy(pool);
    return NULL;
}

static void test_side_by_side(void **state)
{
    shared_t shared = make_shared(*state);
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_alone, &shared), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&shared.failures), 0);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(test_handed_over),
    UNIT_TEST(test_side_by_side),
};

UNIT_MAIN(tests)
