/* An open connection: reads, writes and ends as its contract says, whatever the peer does, and keeps no memory that it
 * does not need. */
#include "memory_host.h"
#include "unit.h"

#include "hello/ja4.h"

#include <openssl/err.h>

#define BOTH_VERSIONS(version) for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
#define RECORD_HEADER 5
#define RECORD_MOST 16384
#define RECORD_OVERHEAD 256 /* RFC 8446 section 5.2 */
#define MEGABYTE 1048576

static memory_host_t *make(apr_pool_t *pool, const char *directives)
{
    memory_host_t *memory = memory_host_make(pool);

    memory_host_add(memory, "a.test",
                    memory_vhost(pool, "a.test:443", directives, material_server(pool, "a.test", "P-256", NULL), NULL));
    return memory;
}

/* An open connection of that version, with nothing on the wires. */
static sl_conn_t *open_conn(memory_host_t *memory, int version)
{
    SSL_CTX *ctx = memory_client_ctx(memory->pool, NULL);

    memory_client_versions(ctx, version, version);
    memory_host_client(memory, ctx, "a.test");
    assert_int_equal(memory_shake(memory), SL_STATE_OPEN);
    assert_int_equal(SSL_version(memory->conn->ssl), version);
    return memory->conn;
}

static apr_status_t read_some(sl_conn_t *conn, char *buffer, apr_size_t size)
{
    apr_size_t length = size - 1;
    apr_status_t status = sl_conn_read(conn, buffer, &length);

    assert_true(status == APR_SUCCESS ? length > 0 : length == 0);
    buffer[length] = '\0';
    return status;
}

static apr_status_t read_status(sl_conn_t *conn)
{
    char buffer[100];

    return read_some(conn, buffer, sizeof(buffer));
}

static void assert_dead(sl_conn_t *conn, sl_failure_reason_t reason)
{
    apr_size_t sent = ((memory_host_t *)conn->baton)->down.sent;

    assert_int_equal(conn->state, SL_STATE_FAILED);
    assert_string_equal(sl_failure_word(conn->failure.reason), sl_failure_word(reason));
    assert_int_equal(read_status(conn), APR_ECONNABORTED);
    assert_int_equal(sl_conn_write(conn, "x", 1), APR_ECONNABORTED);
    sl_conn_close(conn, 1);
    assert_int_equal(conn->state, SL_STATE_FAILED);
    assert_int_equal(((memory_host_t *)conn->baton)->down.sent, sent);
}

static void test_read(void **state)
{
    memory_host_t *memory = make(*state, "");
    char text[100];

    BOTH_VERSIONS(version)
    {
        sl_conn_t *conn = open_conn(memory, version);

        assert_int_equal(read_some(conn, text, sizeof(text)), APR_EAGAIN);
        memory_client_write(memory, "hello", 5);
        assert_int_equal(read_some(conn, text, sizeof(text)), APR_SUCCESS);
        assert_string_equal(text, "hello");
        assert_int_equal(read_some(conn, text, sizeof(text)), APR_EAGAIN);
        memory_client_write(memory, "one", 3);
        memory_client_write(memory, "two", 3);
        assert_int_equal(read_some(conn, text, sizeof(text)), APR_SUCCESS);
        assert_string_equal(text, "one");
        assert_int_equal(read_some(conn, text, 2), APR_SUCCESS);
        assert_string_equal(text, "t");
        assert_int_equal(read_some(conn, text, sizeof(text)), APR_SUCCESS);
        assert_string_equal(text, "wo");
        assert_int_equal(read_some(conn, text, sizeof(text)), APR_EAGAIN);
        assert_int_equal(conn->state, SL_STATE_OPEN);
    }
}

/* A record gives nothing before its last byte is there, however it comes. */
static void test_read_in_pieces(void **state)
{
    memory_host_t *memory = make(*state, "");
    char text[100];

    BOTH_VERSIONS(version)
    {
        sl_conn_t *conn = open_conn(memory, version);

        memory_client_write(memory, "hello", 5);
        memory->up.arrived = memory->up.taken;
        while (memory_under_way(&memory->up) > 1) {
            memory_deliver(&memory->up, 1);
            assert_int_equal(read_some(conn, text, sizeof(text)), APR_EAGAIN);
            assert_int_equal(memory->up.taken, memory->up.arrived);
        }
        memory_deliver(&memory->up, 1);
        assert_int_equal(read_some(conn, text, sizeof(text)), APR_SUCCESS);
        assert_string_equal(text, "hello");
        memory->most = 1;
        memory_client_write(memory, "again", 5);
        assert_int_equal(read_some(conn, text, sizeof(text)), APR_SUCCESS);
        assert_string_equal(text, "again");
        memory->most = 0;
    }
}

/* What comes right behind the client's end of the handshake. */
static void test_early_bird(void **state)
{
    memory_host_t *memory = make(*state, "");
    char text[100];

    memory_host_client(memory, memory_client_ctx(*state, NULL), "a.test");
    memory_client_turn(memory);
    memory_deliver(&memory->up, MEMORY_ALL);
    assert_int_equal(sl_machine_run(memory->conn), SL_WANT_READ);
    memory_client_turn(memory);
    memory_client_write(memory, "GET / HTTP/1.1", 14);
    assert_int_equal(sl_machine_run(memory->conn), SL_WANT_NOTHING);
    assert_int_equal(memory->conn->state, SL_STATE_OPEN);
    assert_true(memory->up.taken < memory->up.arrived);
    assert_int_equal(read_some(memory->conn, text, sizeof(text)), APR_SUCCESS);
    assert_string_equal(text, "GET / HTTP/1.1");
}

/* Only with close_notify has the peer said that this is all; without, it still is the end. */
static void test_end_of_stream(void **state)
{
    memory_host_t *memory = make(*state, "");
    char text[100];

    BOTH_VERSIONS(version)
    {
        for (int notify = 0; notify < 2; notify++) {
            sl_conn_t *conn = open_conn(memory, version);

            memory_client_write(memory, "last", 4);
            if (notify) {
                SSL_shutdown(memory->client);
                memory_client_turn(memory);
                memory_deliver(&memory->up, MEMORY_ALL);
            }
            memory->up.end = APR_EOF;
            assert_int_equal(sl_conn_peer_closed(conn), 0);
            assert_int_equal(read_some(conn, text, sizeof(text)), APR_SUCCESS);
            assert_string_equal(text, "last");
            assert_int_equal(read_status(conn), APR_EOF);
            assert_int_equal(read_status(conn), APR_EOF);
            assert_int_equal(sl_conn_peer_closed(conn), notify);
            assert_int_equal(conn->state, SL_STATE_OPEN);
            /* Half closed: the answer still goes out, and our own close_notify behind it. */
            assert_int_equal(sl_conn_write(conn, "answer", 6), APR_SUCCESS);
            sl_conn_close(conn, 1);
            SSL_set_shutdown(memory->client, 0);
            assert_string_equal(memory_client_read(memory, NULL), "answer");
            assert_true(SSL_get_shutdown(memory->client) & SSL_RECEIVED_SHUTDOWN);
        }
    }
}

/* Cut off inside a record: what was whole is delivered, the rest is not, and the end is no close_notify. */
static void test_truncated(void **state)
{
    memory_host_t *memory = make(*state, "");
    char text[100];

    BOTH_VERSIONS(version)
    {
        for (apr_size_t kept = 1; kept < 20; kept += 6) {
            sl_conn_t *conn = open_conn(memory, version);
            apr_size_t whole;

            memory_client_write(memory, "whole", 5);
            whole = memory->up.arrived;
            memory_client_write(memory, "cut off", 7);
            memory->up.arrived = whole + kept;
            memory_cut(&memory->up, APR_EOF);
            assert_int_equal(read_some(conn, text, sizeof(text)), APR_SUCCESS);
            assert_string_equal(text, "whole");
            assert_int_equal(read_status(conn), APR_EOF);
            assert_int_equal(sl_conn_peer_closed(conn), 0);
        }
    }
}

static void test_reset(void **state)
{
    memory_host_t *memory = make(*state, "");

    BOTH_VERSIONS(version)
    {
        sl_conn_t *conn = open_conn(memory, version);

        memory_cut(&memory->up, APR_ECONNRESET);
        assert_int_equal(read_status(conn), APR_ECONNRESET);
        assert_dead(conn, SL_FAIL_PEER_CLOSED);
    }
}

/* The host waited long enough: the connection may go on all the same, and tell the client. */
static void test_timeout(void **state)
{
    memory_host_t *memory = make(*state, "");
    char text[100];

    BOTH_VERSIONS(version)
    {
        sl_conn_t *conn = open_conn(memory, version);

        memory->up.end = APR_TIMEUP;
        assert_int_equal(read_status(conn), APR_TIMEUP);
        assert_int_equal(conn->state, SL_STATE_OPEN);
        assert_int_equal(sl_conn_write(conn, "408", 3), APR_SUCCESS);
        assert_string_equal(memory_client_read(memory, NULL), "408");
        memory_client_write(memory, "late", 4);
        assert_int_equal(read_some(conn, text, sizeof(text)), APR_SUCCESS);
        assert_string_equal(text, "late");
    }
}

/* Every record on the wire is application data and no longer than a record may be; their number. */
static int count_records(const memory_wire_t *wire, apr_size_t at)
{
    int count = 0;

    while (at < wire->sent) {
        apr_size_t length = (apr_size_t)wire->bytes[at + 3] << 8 | wire->bytes[at + 4];

        assert_int_equal(wire->bytes[at], 23);
        assert_true(length <= RECORD_MOST + RECORD_OVERHEAD);
        at += RECORD_HEADER + length;
        count++;
    }
    assert_int_equal(at, wire->sent);
    return count;
}

static char *pattern(apr_pool_t *pool, apr_size_t length)
{
    char *bytes = apr_palloc(pool, length);

    for (apr_size_t i = 0; i < length; i++)
        bytes[i] = (char)(i * 7 + i / 255);
    return bytes;
}

static const apr_size_t sizes[] = {1, 100, RECORD_MOST - 1, RECORD_MOST, RECORD_MOST + 1, 100000, MEGABYTE};

static void test_write_sizes(void **state)
{
    memory_host_t *memory = make(*state, "");
    const char *bytes = pattern(*state, MEGABYTE);

    BOTH_VERSIONS(version)
    {
        sl_conn_t *conn = open_conn(memory, version);

        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            apr_size_t before = memory->down.sent, length;
            const char *got;

            assert_int_equal(sl_conn_write(conn, bytes, sizes[i]), APR_SUCCESS);
            assert_int_equal(count_records(&memory->down, before), (sizes[i] + RECORD_MOST - 1) / RECORD_MOST);
            got = memory_client_read(memory, &length);
            assert_int_equal(length, sizes[i]);
            assert_memory_equal(got, bytes, length);
        }
        assert_int_equal(sl_conn_write(conn, "", 0), APR_SUCCESS);
        assert_int_equal(memory->down.sent, memory->down.arrived);
    }
}

static void test_read_sizes(void **state)
{
    memory_host_t *memory = make(*state, "");
    const char *bytes = pattern(*state, MEGABYTE);
    char *got = apr_palloc(*state, MEGABYTE + 1);

    BOTH_VERSIONS(version)
    {
        sl_conn_t *conn = open_conn(memory, version);

        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            apr_size_t total = 0, length = 5000;
            apr_status_t status;

            memory_client_write(memory, bytes, sizes[i]);
            while ((status = sl_conn_read(conn, got + total, &length)) == APR_SUCCESS) {
                total += length;
                length = MEGABYTE + 1 - total < 5000 ? MEGABYTE + 1 - total : 5000;
            }
            assert_int_equal(status, APR_EAGAIN);
            assert_int_equal(total, sizes[i]);
            assert_memory_equal(got, bytes, total);
        }
    }
}

/* Nobody else's errors of OpenSSL, which the thread may have left, become those of a connection. */
static void test_errors_of_others(void **state)
{
    memory_host_t *memory = make(*state, "");
    sl_conn_t *conn = open_conn(memory, TLS1_3_VERSION);
    char text[100];

    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    assert_int_equal(read_status(conn), APR_EAGAIN);
    memory_client_write(memory, "hello", 5);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    assert_int_equal(read_some(conn, text, sizeof(text)), APR_SUCCESS);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    assert_int_equal(sl_conn_write(conn, "x", 1), APR_SUCCESS);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    sl_conn_close(conn, 1);
    assert_int_equal(ERR_peek_error(), 0);

    memory_host_client(memory, memory_client_ctx(*state, NULL), "a.test");
    memory_client_turn(memory);
    memory_deliver(&memory->up, MEMORY_ALL);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    assert_int_equal(sl_machine_run(memory->conn), SL_WANT_READ);
    memory_client_turn(memory);
    memory_deliver(&memory->up, 10);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    assert_int_equal(sl_machine_run(memory->conn), SL_WANT_READ);
    assert_int_equal(memory_shake(memory), SL_STATE_OPEN);
}

static void test_close(void **state)
{
    memory_host_t *memory = make(*state, "");

    BOTH_VERSIONS(version)
    {
        for (int notify = 0; notify < 2; notify++) {
            sl_conn_t *conn = open_conn(memory, version);
            apr_size_t sent = memory->down.sent;

            sl_conn_close(conn, notify);
            assert_int_equal(conn->state, SL_STATE_CLOSED);
            assert_int_equal(memory->down.sent > sent, notify);
            sent = memory->down.sent;
            assert_int_equal(sl_conn_write(conn, "x", 1), APR_ECONNABORTED);
            assert_int_equal(read_status(conn), APR_EOF);
            sl_conn_close(conn, 1);
            assert_int_equal(sl_machine_run(conn), SL_WANT_NOTHING);
            assert_int_equal(memory->down.sent, sent);
            assert_string_equal(memory_client_read(memory, NULL), "");
            assert_int_equal((SSL_get_shutdown(memory->client) & SSL_RECEIVED_SHUTDOWN) != 0, notify);
        }
    }
}

/* Before and after it is open no application data passes. */
static void test_not_open(void **state)
{
    memory_host_t *memory = make(*state, "");
    sl_conn_t *conn = memory_host_accept(memory);

    assert_int_equal(read_status(conn), APR_ECONNABORTED);
    assert_int_equal(sl_conn_write(conn, "x", 1), APR_ECONNABORTED);
    assert_int_equal(sl_conn_peer_closed(conn), 0);
    sl_conn_close(conn, 1);
    assert_int_equal(conn->state, SL_STATE_CLOSED);
    assert_int_equal(memory->down.sent, 0);

    memory_host_client(memory, memory_client_ctx(*state, NULL), "a.test");
    conn = memory->conn;
    memory_client_turn(memory);
    memory_deliver(&memory->up, MEMORY_ALL);
    assert_int_equal(sl_machine_run(conn), SL_WANT_READ);
    assert_int_equal(read_status(conn), APR_ECONNABORTED);
    assert_int_equal(sl_conn_write(conn, "x", 1), APR_ECONNABORTED);
    sl_conn_close(conn, 1);
    assert_int_equal(conn->state, SL_STATE_CLOSED);
    assert_int_equal(sl_machine_run(conn), SL_WANT_NOTHING);

    memory_host_accept(memory);
    memory_send(&memory->up, "GET / HTTP/1.0\r\n", 16);
    memory_shake(memory);
    assert_int_equal(memory->conn->state, SL_STATE_PLAIN);
    assert_int_equal(read_status(memory->conn), APR_ECONNABORTED);
    assert_int_equal(sl_conn_write(memory->conn, "x", 1), APR_ECONNABORTED);
    assert_int_equal(memory->down.sent, 0);
}

static void test_write_fails(void **state)
{
    memory_host_t *memory = make(*state, "");
    const char *bytes = pattern(*state, MEGABYTE);

    BOTH_VERSIONS(version)
    {
        sl_conn_t *conn = open_conn(memory, version);

        memory->write_error = APR_EPIPE;
        memory->room = 100000;
        ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH); /* somebody else's */
        assert_int_equal(sl_conn_write(conn, bytes, MEGABYTE), APR_ECONNABORTED);
        assert_dead(conn, SL_FAIL_PEER_CLOSED);
        memory->write_error = APR_SUCCESS;
    }
}

static void test_corrupted(void **state)
{
    memory_host_t *memory = make(*state, "");

    BOTH_VERSIONS(version)
    {
        sl_conn_t *conn = open_conn(memory, version);

        memory_client_write(memory, "hello", 5);
        memory->up.arrived = memory->up.taken;
        assert_int_equal(memory_corrupt(&memory->up, RECORD_HEADER + 3, 0x40), 1);
        memory_deliver(&memory->up, MEMORY_ALL);
        assert_int_equal(read_status(conn), APR_ECONNABORTED);
        assert_int_equal(conn->failure.alert_sent, SSL_AD_BAD_RECORD_MAC);
        assert_non_null(conn->failure.detail);
        assert_dead(conn, SL_FAIL_OTHER);
        memory_client_turn(memory);
        assert_int_equal(memory->alert_received, SSL_AD_BAD_RECORD_MAC);
    }
}

/* A record that was lost on the way is missed: nothing behind it is believed. */
static void test_dropped(void **state)
{
    memory_host_t *memory = make(*state, "");

    BOTH_VERSIONS(version)
    {
        sl_conn_t *conn = open_conn(memory, version);
        apr_size_t length;

        memory_client_write(memory, "one", 3);
        length = memory->up.arrived - memory->up.taken;
        memory_client_write(memory, "two", 3);
        memory->up.arrived = memory->up.taken;
        memory_drop(&memory->up, length);
        memory_deliver(&memory->up, MEMORY_ALL);
        assert_int_equal(read_status(conn), APR_ECONNABORTED);
        assert_dead(conn, SL_FAIL_OTHER);
    }
}

/* A client that finds something wrong behind the handshake says so by an alert. */
static void test_alert_received(void **state)
{
    memory_host_t *memory = make(*state, "");

    BOTH_VERSIONS(version)
    {
        sl_conn_t *conn = open_conn(memory, version);

        assert_int_equal(sl_conn_write(conn, "hello", 5), APR_SUCCESS);
        memory_corrupt(&memory->down, RECORD_HEADER + 3, 1);
        memory_client_turn(memory);
        memory_deliver(&memory->up, MEMORY_ALL);
        assert_int_equal(read_status(conn), APR_ECONNABORTED);
        assert_int_equal(conn->failure.alert_received, SSL_AD_BAD_RECORD_MAC);
        assert_dead(conn, SL_FAIL_ALERT);
    }
}

/* The peer's new keys (TLS 1.3) are no data, and no reason to wait for any: what comes behind them is read. */
static void test_key_update(void **state)
{
    static const int kinds[] = {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED};
    memory_host_t *memory = make(*state, "");
    char text[100];

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        for (apr_size_t most = 0; most < 2; most++) {
            sl_conn_t *conn = open_conn(memory, TLS1_3_VERSION);

            memory->most = most;
            for (int round = 0; round < 3; round++) {
                assert_int_equal(SSL_key_update(memory->client, kinds[i]), 1);
                memory_client_write(memory, "hello", 5);
                assert_int_equal(read_some(conn, text, sizeof(text)), APR_SUCCESS);
                assert_string_equal(text, "hello");
                assert_int_equal(sl_conn_write(conn, "answer", 6), APR_SUCCESS);
                assert_string_equal(memory_client_read(memory, NULL), "answer");
            }
            /* Alone it is nothing to read. */
            assert_int_equal(SSL_key_update(memory->client, kinds[i]), 1);
            assert_int_equal(SSL_do_handshake(memory->client), 1);
            memory_client_turn(memory);
            memory_deliver(&memory->up, MEMORY_ALL);
            assert_int_equal(read_status(conn), APR_EAGAIN);
            assert_int_equal(memory->up.taken, memory->up.sent);
            assert_int_equal(conn->state, SL_STATE_OPEN);
            memory->most = 0;
        }
    }
}

/* Key updates cost us more than the peer: many of them in a row are an attack. Between data they are none. */
static void test_flood_of_key_updates(void **state)
{
    memory_host_t *memory = make(*state, "");
    sl_conn_t *conn = open_conn(memory, TLS1_3_VERSION);
    char text[100];

    for (int i = 0; i < 100; i++) {
        assert_int_equal(SSL_key_update(memory->client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        memory_client_write(memory, "x", 1);
        assert_int_equal(read_some(conn, text, sizeof(text)), APR_SUCCESS);
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(SSL_key_update(memory->client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(memory->client), 1);
    }
    memory_client_turn(memory);
    memory_deliver(&memory->up, MEMORY_ALL);
    assert_int_equal(read_status(conn), APR_ECONNABORTED);
    assert_true(memory->up.taken < memory->up.sent);
    assert_dead(conn, SL_FAIL_OTHER);
}

/* TLS 1.2: no new handshake on an open connection; the client is told so, and nothing else changes. */
static void test_renegotiation_is_refused(void **state)
{
    memory_host_t *memory = make(*state, "");
    sl_conn_t *conn = open_conn(memory, TLS1_2_VERSION);
    const SSL_SESSION *session = SSL_get0_session(conn->ssl);

    assert_int_equal(SSL_renegotiate(memory->client), 1);
    assert_int_equal(SSL_do_handshake(memory->client), -1);
    memory_client_turn(memory);
    memory_deliver(&memory->up, MEMORY_ALL);
    assert_int_equal(read_status(conn), APR_EAGAIN);
    assert_int_equal(conn->state, SL_STATE_OPEN);
    assert_true(SSL_is_init_finished(conn->ssl));
    assert_ptr_equal(SSL_get0_session(conn->ssl), session);
    assert_int_equal(memory->searches, 1);
    assert_int_equal(sl_conn_write(conn, "still here", 10), APR_SUCCESS);
    memory_client_turn(memory);
    assert_int_equal(memory->alert_received, SSL_AD_NO_RENEGOTIATION);
}

/* ---- memory ---- */

static void test_hello_goes(void **state)
{
    memory_host_t *memory = make(*state, "");

    BOTH_VERSIONS(version)
    {
        const sl_conn_t *conn = open_conn(memory, version);

        assert_null(conn->hello);
        assert_null(conn->hello_pool);
        assert_null(conn->bytes.bytes);
        assert_int_equal(conn->bytes.length, 0);
        assert_int_equal(conn->bytes_taken, 0);
        assert_string_equal(conn->sni, "a.test");
        assert_string_equal(conn->name, "a.test");
    }
}

static void test_hello_is_kept(void **state)
{
    memory_host_t *memory = make(*state, "SSLClientHelloVars on");

    BOTH_VERSIONS(version)
    {
        const sl_conn_t *conn = open_conn(memory, version);
        const char *expected = version == TLS1_3_VERSION ? "t13d" : "t12d";

        assert_non_null(conn->hello);
        assert_memory_equal(sl_ja4(conn->hello, *state), expected, 4);
        assert_int_equal(sl_reader_left(&conn->hello->server_name), 6);
    }
}

static apr_status_t count_down(void *count)
{
    --*(int *)count;
    return APR_SUCCESS;
}

/* May be freed before its pool goes; what is left answers, but leads nowhere. */
static void test_freed_early(void **state)
{
    memory_host_t *memory = make(*state, "SSLClientHelloVars on");
    sl_conn_t *conn = open_conn(memory, TLS1_3_VERSION);
    int pools = 1;

    apr_pool_cleanup_register(conn->hello_pool, &pools, count_down, apr_pool_cleanup_null);
    sl_conn_free(conn);
    assert_int_equal(pools, 0);
    assert_int_equal(conn->state, SL_STATE_CLOSED);
    assert_null(conn->ssl);
    assert_null(conn->hello);
    assert_null(conn->hello_pool);
    assert_null(conn->bytes.bytes);
    assert_int_equal(read_status(conn), APR_EOF);
    assert_int_equal(sl_conn_write(conn, "x", 1), APR_ECONNABORTED);
    assert_int_equal(sl_conn_peer_closed(conn), 0);
    sl_conn_close(conn, 1);
    sl_conn_free(conn);
    assert_int_equal(sl_machine_run(conn), SL_WANT_NOTHING);
    apr_pool_destroy(memory->conn_pool);
    memory->conn_pool = NULL;
}

/* In each state a connection may end with its pool. */
static void test_pool_ends(void **state)
{
    memory_host_t *memory = make(*state, "SSLClientHelloVars on");
    SSL_CTX *ctx = memory_client_ctx(*state, NULL);

    memory_host_accept(memory);
    memory_host_accept(memory);
    memory_send(&memory->up, "\x16\x03\x01", 3);
    memory_shake(memory);
    assert_int_equal(memory->conn->state, SL_STATE_HELLO);
    memory_host_client(memory, ctx, "a.test");
    memory_client_turn(memory);
    memory_deliver(&memory->up, MEMORY_ALL);
    assert_int_equal(sl_machine_run(memory->conn), SL_WANT_READ);
    assert_int_equal(memory->conn->state, SL_STATE_HANDSHAKE);
    open_conn(memory, TLS1_3_VERSION);
    memory_host_accept(memory);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(test_read),
    UNIT_TEST(test_read_in_pieces),
    UNIT_TEST(test_early_bird),
    UNIT_TEST(test_end_of_stream),
    UNIT_TEST(test_truncated),
    UNIT_TEST(test_reset),
    UNIT_TEST(test_timeout),
    UNIT_TEST(test_write_sizes),
    UNIT_TEST(test_read_sizes),
    UNIT_TEST(test_errors_of_others),
    UNIT_TEST(test_close),
    UNIT_TEST(test_not_open),
    UNIT_TEST(test_write_fails),
    UNIT_TEST(test_corrupted),
    UNIT_TEST(test_dropped),
    UNIT_TEST(test_alert_received),
    UNIT_TEST(test_key_update),
    UNIT_TEST(test_flood_of_key_updates),
    UNIT_TEST(test_renegotiation_is_refused),
    UNIT_TEST(test_hello_goes),
    UNIT_TEST(test_hello_is_kept),
    UNIT_TEST(test_freed_early),
    UNIT_TEST(test_pool_ends),
};

UNIT_MAIN(tests)
