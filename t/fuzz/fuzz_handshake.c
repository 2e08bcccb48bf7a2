/* Fuzz target: whole connections.  The first byte of the input says what the others are (see kinds below), in what
 * pieces they come, and how the stream ends.
 * Beyond memory errors and leaks it checks that every connection comes to a defined end: plain with its bytes kept,
 * open until the stream ends, or failed with a reason, a word and a hint.
 * Linked with: t/unit/material.c t/unit/memory_host.c */
#include "edits.h"
#include "must.h"
#include "memory_host.h"

#include "conn/hint.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <openssl/err.h>
#include <sanitizer/lsan_interface.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Bits 0 to 2 of the first byte. */
enum {
    FIRST_FLIGHT,      /* all that the client sends */
    BEHIND_HELLO_12,   /* what follows a real hello of TLS 1.2, */
    BEHIND_HELLO_13,   /* of TLS 1.3, */
    BEHIND_RETRY,      /* of TLS 1.3 that is answered with HelloRetryRequest */
    ALTERED_FLIGHTS_12, /* changes to what a real client sends: flight, two bytes of offset, bits to flip */
    ALTERED_FLIGHTS_13,
    BEHIND_HANDSHAKE_12, /* records on an open connection */
    BEHIND_HANDSHAKE_13,
};

typedef struct recorded_t {
    unsigned char *bytes;
    apr_size_t length;
} recorded_t;

/* Made once. */
static apr_pool_t *root;
static const sl_vhost_t *vhosts[2];
static SSL_CTX *client_12, *client_13, *client_retry;
static recorded_t hello_12, hello_13, hello_retry;

static memory_host_t *make_host(apr_pool_t *pool)
{
    memory_host_t *memory = memory_host_make(pool);

    memory_host_add(memory, "a.test", vhosts[0]);
    memory_host_add(memory, "b.test", vhosts[1]);
    memory->protocols = "h2,http/1.1";
    memory->challenge_name = "a.test";
    memory->challenge = memory_identity_of(vhosts[1], 0);
    return memory;
}

static SSL_CTX *make_client(const material_pair_t *pair, int version, const char *groups)
{
    SSL_CTX *ctx = memory_client_ctx(root, NULL);

    memory_client_versions(ctx, version, version);
    MUST(SSL_CTX_use_cert_and_key(ctx, pair->cert, pair->key, NULL, 1) == 1);
    MUST(!groups || SSL_CTX_set1_groups_list(ctx, groups) == 1);
    MUST(SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\x02h2", 3) == 0);
    return ctx;
}

static recorded_t record_hello(SSL_CTX *ctx)
{
    memory_host_t *memory = make_host(root);
    recorded_t recorded;

    memory_host_client(memory, ctx, "a.test");
    memory_client_turn(memory);
    recorded.length = memory->up.sent;
    recorded.bytes = malloc(recorded.length);
    MUST(recorded.bytes);
    memcpy(recorded.bytes, memory->up.bytes, recorded.length);
    memory_host_accept(memory);
    return recorded;
}

/* All this stays; what only the pool points to would look like a leak. */
static void prepare(void)
{
    const material_pair_t *ca, *client;
    apr_pool_t *files;
    const char *dir;

    __lsan_disable();
    apr_initialize();
    MUST(apr_pool_create(&root, NULL) == APR_SUCCESS && apr_pool_create(&files, root) == APR_SUCCESS);
    ca = material_ca(root, "CA", NULL);
    client = material_client(root, "me", "P-256", ca);
    dir = material_dir(files);
    material_file(root, dir, "ca.pem", material_cert_pem(root, ca->cert));
    vhosts[0] = memory_vhost(root, "a.test:443",
                             apr_psprintf(root,
                                          "SSLVerifyClient optional_no_ca\nSSLClientHelloVars on\n"
                                          "SSLCACertificateFile %s/ca.pem",
                                          dir),
                             material_server(root, "a.test", "P-256", ca), NULL);
    vhosts[1] = memory_vhost(root, "b.test:443", "SecureLayerUnknownName refuse\nSSLProtocol TLSv1.3",
                             material_server(root, "b.test", "ED25519", ca), NULL);
    client_12 = make_client(client, TLS1_2_VERSION, NULL);
    client_13 = make_client(client, TLS1_3_VERSION, NULL);
    client_retry = make_client(client, TLS1_3_VERSION, "P-521:P-256");
    hello_12 = record_hello(client_12);
    hello_13 = record_hello(client_13);
    hello_retry = record_hello(client_retry);
    apr_pool_destroy(files);
    __lsan_enable();
}

static void deliver(memory_host_t *memory)
{
    do {
        memory_deliver(&memory->up, memory->piece);
        if (memory->conn->state < SL_STATE_OPEN)
            (void)sl_machine_run(memory->conn);
    } while (memory_under_way(&memory->up));
}

static void send_hostile(memory_host_t *memory, const recorded_t *hello, const uint8_t *data, size_t size)
{
    memory_host_accept(memory);
    if (hello) {
        memory_send(&memory->up, hello->bytes, hello->length);
        deliver(memory);
    }
    memory_send(&memory->up, data, size);
    deliver(memory);
}

static void alter_flight(memory_host_t *memory, int flight)
{
    edit_flight(memory->baton, &memory->up, flight);
}

static void shake_altered(memory_host_t *memory, SSL_CTX *ctx, const uint8_t *data, size_t size)
{
    edits_t edits = {data, data + size};

    memory->on_flight = alter_flight;
    memory->baton = &edits;
    memory_host_client(memory, ctx, "a.test");
    (void)memory_shake(memory);
    memory->on_flight = NULL;
}

static void send_behind_handshake(memory_host_t *memory, SSL_CTX *ctx, const uint8_t *data, size_t size)
{
    memory_host_client(memory, ctx, "a.test");
    MUST(memory_shake(memory) == SL_STATE_OPEN);
    memory_client_write(memory, "GET / ", 6);
    memory_send(&memory->up, data, size);
    memory_deliver(&memory->up, MEMORY_ALL);
}

static void act(memory_host_t *memory, int kind, const uint8_t *data, size_t size)
{
    switch (kind) {
    case FIRST_FLIGHT:
        send_hostile(memory, NULL, data, size);
        break;
    case BEHIND_HELLO_12:
        send_hostile(memory, &hello_12, data, size);
        break;
    case BEHIND_HELLO_13:
        send_hostile(memory, &hello_13, data, size);
        break;
    case BEHIND_RETRY:
        send_hostile(memory, &hello_retry, data, size);
        break;
    case ALTERED_FLIGHTS_12:
        shake_altered(memory, client_12, data, size);
        break;
    case ALTERED_FLIGHTS_13:
        shake_altered(memory, client_13, data, size);
        break;
    case BEHIND_HANDSHAKE_12:
        send_behind_handshake(memory, client_12, data, size);
        break;
    default:
        send_behind_handshake(memory, client_13, data, size);
        break;
    }
}

/* The stream ends. What the host would do about a time-out is done here. */
static void end(memory_host_t *memory, apr_status_t how)
{
    memory_cut(&memory->up, how);
    if (sl_machine_run(memory->conn) == SL_WANT_READ) {
        MUST(APR_STATUS_IS_TIMEUP(how));
        sl_conn_fail(memory->conn, SL_FAIL_TIMEOUT, NULL);
    }
}

static void check_open(sl_conn_t *conn, apr_status_t how)
{
    char bytes[4000];
    apr_size_t length;
    apr_status_t status;

    MUST(conn->ssl && conn->vhost && conn->failure.reason == SL_FAIL_NONE);
    do {
        length = sizeof(bytes);
        status = sl_conn_read(conn, bytes, &length);
        MUST((status == APR_SUCCESS) == (length > 0));
    } while (status == APR_SUCCESS);
    MUST(status == how || status == APR_EOF || status == APR_ECONNABORTED);
    MUST((status == APR_ECONNABORTED || status == APR_ECONNRESET) == (conn->state == SL_STATE_FAILED));
    MUST((sl_conn_write(conn, bytes, sizeof(bytes)) == APR_SUCCESS) == (conn->state == SL_STATE_OPEN));
}

static void check_failed(sl_conn_t *conn, apr_pool_t *pool)
{
    apr_size_t length = 1;
    char byte;

    MUST(conn->failure.reason > SL_FAIL_NONE && conn->failure.reason < SL_FAILURES);
    MUST(*sl_failure_word(conn->failure.reason) && *sl_hint(conn, pool));
    MUST(*sl_failure_alert(pool, conn->failure.alert_sent) && *sl_failure_alert(pool, conn->failure.alert_received));
    MUST(sl_conn_read(conn, &byte, &length) == APR_ECONNABORTED && length == 0);
    MUST(sl_conn_write(conn, "x", 1) == APR_ECONNABORTED);
}

static void check(memory_host_t *memory, apr_status_t how)
{
    sl_conn_t *conn = memory->conn;

    if (conn->state == SL_STATE_OPEN)
        check_open(conn, how);
    if (conn->state == SL_STATE_FAILED) {
        check_failed(conn, memory->conn_pool);
    }
    else if (conn->state == SL_STATE_PLAIN) {
        MUST(!conn->ssl && !memory->down.sent && conn->bytes.length == memory->up.taken);
        MUST(memcmp(conn->bytes.bytes, memory->up.bytes, conn->bytes.length) == 0);
    }
    else {
        MUST(conn->state == SL_STATE_OPEN);
    }
    sl_conn_close(conn, 1);
    MUST(conn->state == SL_STATE_CLOSED || conn->state == SL_STATE_FAILED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const apr_size_t pieces[] = {1, 7, 100, MEMORY_ALL};
    static const apr_status_t ends[] = {APR_EOF, APR_ECONNRESET, APR_TIMEUP, APR_EOF};
    memory_host_t *memory;
    apr_status_t how;
    apr_pool_t *pool;

    if (!root)
        prepare();
    if (!size)
        return 0;
    MUST(apr_pool_create(&pool, root) == APR_SUCCESS);
    memory = make_host(pool);
    memory->piece = pieces[*data >> 3 & 3];
    how = ends[*data >> 5 & 3];
    act(memory, *data & 7, data + 1, size - 1);
    end(memory, how);
    check(memory, how);
    if (*data & 0x80)
        sl_conn_free(memory->conn);
    apr_pool_destroy(pool);
    ERR_clear_error();
    return 0;
}
