/* The first step of the machine: nothing but a whole ClientHello gets an SSL, and what is not one ends at once, with
 * the answer its sender understands. */
#include "hello_build.h"
#include "memory_host.h"
#include "unit.h"

#include "conn/hint.h"

#include <stdio.h>

#define ALERT_RECORD_SIZE 7

static memory_host_t *make_host(apr_pool_t *pool, const char *directives)
{
    memory_host_t *memory = memory_host_make(pool);
    const material_pair_t *ca = material_ca(pool, "CA", NULL);

    memory_host_add(memory, "a.test",
                    memory_vhost(pool, "a.test:443", directives, material_server(pool, "a.test", "P-256", ca), NULL));
    memory_host_add(memory, "www.b.test",
                    memory_vhost(pool, "b.test:443", directives, material_server(pool, "b.test", "P-256", ca), NULL));
    memory_host_accept(memory);
    return memory;
}

/* Bytes of a client's hello for `name`, under way. */
static void send_hello(memory_host_t *memory, const char *name)
{
    memory_host_client(memory, memory_client_ctx(memory->pool, NULL), name);
    memory_client_turn(memory);
}

static void send_hex(memory_host_t *memory, const char *hex)
{
    bytes_t bytes = unhex(memory->pool, hex);

    memory_send(&memory->up, bytes.at, bytes.length);
}

static sl_state_t run_with(memory_host_t *memory, const void *bytes, apr_size_t length)
{
    memory_host_accept(memory);
    memory_send(&memory->up, bytes, length);
    memory_deliver(&memory->up, MEMORY_ALL);
    (void)sl_machine_run(memory->conn);
    return memory->conn->state;
}

static void assert_failed(const memory_host_t *memory, sl_failure_reason_t reason)
{
    assert_int_equal(memory->conn->state, SL_STATE_FAILED);
    assert_string_equal(sl_failure_word(memory->conn->failure.reason), sl_failure_word(reason));
    assert_null(memory->conn->ssl);
    assert_non_null(sl_hint(memory->conn, memory->pool));
}

static void assert_alert(const memory_host_t *memory, int alert)
{
    const unsigned char record[ALERT_RECORD_SIZE] = {21, 3, 3, 0, 2, 2, (unsigned char)alert};

    assert_int_equal(memory->down.sent, sizeof(record));
    assert_memory_equal(memory->down.bytes, record, sizeof(record));
    assert_int_equal(memory->conn->failure.alert_sent, alert);
}

/* Until the last byte is there the machine wants to read and has made nothing; then it goes on by itself. */
static void test_one_byte_at_a_time(void **state)
{
    memory_host_t *memory = make_host(*state, "");
    sl_conn_t *conn;

    send_hello(memory, "a.test");
    conn = memory->conn;
    assert_true(memory_under_way(&memory->up) > 100);
    while (memory_under_way(&memory->up) > 1) {
        memory_deliver(&memory->up, 1);
        assert_int_equal(sl_machine_run(conn), SL_WANT_READ);
        assert_int_equal(memory->up.taken, memory->up.arrived);
        assert_int_equal(conn->state, SL_STATE_HELLO);
        assert_null(conn->ssl);
        assert_null(conn->hello);
        assert_int_equal(memory->searches, 0);
    }
    memory_deliver(&memory->up, 1);
    assert_int_equal(sl_machine_run(conn), SL_WANT_READ);
    assert_int_equal(conn->state, SL_STATE_HANDSHAKE);
    assert_non_null(conn->ssl);
    assert_string_equal(conn->name, "a.test");
    assert_int_equal(memory->searches, 1);
    assert_int_equal(memory_shake(memory), SL_STATE_OPEN);
}

/* A read that gives less than it was asked for is no reason to wait: bytes left behind would wake nobody. */
static void test_short_reads(void **state)
{
    memory_host_t *memory = make_host(*state, "");

    for (apr_size_t most = 1; most < 8; most++) {
        memory->most = most;
        send_hello(memory, "a.test");
        memory_deliver(&memory->up, MEMORY_ALL);
        assert_int_equal(sl_machine_run(memory->conn), SL_WANT_READ);
        assert_int_equal(memory->conn->state, SL_STATE_HANDSHAKE);
        assert_int_equal(memory->up.taken, memory->up.sent);
        assert_int_equal(memory_shake(memory), SL_STATE_OPEN);
    }
}

/* Nothing is read beyond the hello before an SSL can take it. */
static void test_takes_no_more_than_the_hello(void **state)
{
    memory_host_t *memory = make_host(*state, "SecureLayerUnknownName refuse");
    apr_size_t length;

    send_hello(memory, "nobody.test");
    length = memory->up.sent;
    memory_send(&memory->up, "what follows", 12);
    memory_deliver(&memory->up, MEMORY_ALL);
    (void)sl_machine_run(memory->conn);
    assert_failed(memory, SL_FAIL_UNKNOWN_NAME);
    assert_int_equal(memory->up.taken, length);
}

static void test_plain_http(void **state)
{
    static const char request[] = "GET /index.html HTTP/1.1\r\nHost: a.test\r\n\r\n";
    memory_host_t *memory = make_host(*state, "");
    const sl_conn_t *conn;

    for (apr_size_t most = 0; most < 4; most++) {
        memory->most = most;
        assert_int_equal(run_with(memory, request, strlen(request)), SL_STATE_PLAIN);
        conn = memory->conn;
        assert_int_equal(conn->bytes.length, memory->up.taken);
        assert_int_equal(conn->bytes_taken, 0);
        assert_true(conn->bytes.length >= 4);
        assert_memory_equal(conn->bytes.bytes, request, conn->bytes.length);
        assert_null(conn->ssl);
        assert_int_equal(memory->down.sent, 0);
        assert_int_equal(conn->failure.reason, SL_FAIL_NONE);
        assert_int_equal(sl_machine_run(memory->conn), SL_WANT_NOTHING);
        assert_int_equal(conn->state, SL_STATE_PLAIN);
    }
    assert_int_equal(memory->searches, 0);
}

static void test_garbage(void **state)
{
    static const char *const inputs[] = {"SSH-2.0-OpenSSH_9.2\r\n", "\x03\x00\x00\x13\x0e\xe0", "PROXY TCP4 1.2.3.4 ",
                                         "\x17\x03\x03\x01\x01"};
    memory_host_t *memory = make_host(*state, "");

    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        apr_size_t length = i == 1 ? 6 : strlen(inputs[i]);

        run_with(memory, inputs[i], length);
        assert_failed(memory, SL_FAIL_NOT_TLS);
        assert_int_equal(memory->down.sent, 0);
        assert_non_null(memory->conn->failure.detail);
        assert_int_equal(memory->conn->failure.alert_sent, -1);
    }
    run_with(memory, "SSH-2.0-OpenSSH_9.2\r\n", 21);
    assert_non_null(strstr(memory->conn->failure.detail, "SSH-2.0"));
}

/* Each is refused by its own words and with decode_error (50). */
static void test_malformed(void **state)
{
    apr_pool_t *pool = *state;
    memory_host_t *memory = make_host(pool, "");
    const char *good = message(pool, 0x0303, "1301", server_name(pool, "a.test"));
    const struct {
        const char *hex, *words;
    } inputs[] = {
        {"1603010000", "empty handshake record"},
        {"160301ffff", "65535 bytes"},
        {"160401", "version 4"},
        {"160301000402000000", "type 2"},
        {record(pool, apr_pstrcat(pool, good, "00", NULL)), "bytes follow the hello"},
        {record(pool, message(pool, 0x0303, "1301", "0000ffff")), "runs past"},
        {record(pool, message(pool, 0x0303, "1301", "002a0000002a0000")), "twice"},
        {record(pool, message(pool, 0x0303, "13", NULL)), "cipher suites"},
        {"802e010002", "SSLv2"},
    };

    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        memory_host_accept(memory);
        send_hex(memory, inputs[i].hex);
        memory_deliver(&memory->up, MEMORY_ALL);
        assert_int_equal(sl_machine_run(memory->conn), SL_WANT_NOTHING);
        assert_failed(memory, SL_FAIL_BAD_HELLO);
        assert_alert(memory, 50);
        assert_non_null(strstr(memory->conn->failure.detail, inputs[i].words));
    }
    assert_int_equal(memory->searches, 0);
}

static void test_closed_early(void **state)
{
    static const struct {
        apr_status_t end;
        sl_failure_reason_t reason;
    } ends[] = {{APR_EOF, SL_FAIL_PEER_CLOSED}, {APR_ECONNRESET, SL_FAIL_PEER_CLOSED}, {APR_TIMEUP, SL_FAIL_TIMEOUT}};
    static const apr_size_t lengths[] = {0, 1, 4, 5, 6, 100};
    memory_host_t *memory = make_host(*state, "");

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
            send_hello(memory, "a.test");
            memory_deliver(&memory->up, lengths[k]);
            memory_cut(&memory->up, ends[i].end);
            assert_int_equal(sl_machine_run(memory->conn), SL_WANT_NOTHING);
            assert_failed(memory, ends[i].reason);
            assert_int_equal(memory->down.sent, 0);
        }
    }
}

/* A failure is told once: what comes later neither changes the state nor the reason. */
static void test_failure_is_final(void **state)
{
    memory_host_t *memory = make_host(*state, "");

    run_with(memory, "\x01\x02\x03", 3);
    assert_failed(memory, SL_FAIL_NOT_TLS);
    sl_conn_fail(memory->conn, SL_FAIL_TIMEOUT, "later");
    assert_int_equal(sl_machine_run(memory->conn), SL_WANT_NOTHING);
    assert_failed(memory, SL_FAIL_NOT_TLS);
    sl_conn_close(memory->conn, 1);
    assert_failed(memory, SL_FAIL_NOT_TLS);
    assert_int_equal(memory->down.sent, 0);
}

static void test_detail_is_escaped(void **state)
{
    memory_host_t *memory = make_host(*state, "");

    memory_host_accept(memory);
    sl_conn_fail(memory->conn, SL_FAIL_OTHER, "a\nb\"\x1b[0m");
    assert_string_equal(memory->conn->failure.detail, "a\\x0ab\"\\x1b[0m");
}

static void test_unknown_name(void **state)
{
    memory_host_t *memory = make_host(*state, "SecureLayerUnknownName refuse");

    send_hello(memory, "nobody.test");
    memory_shake(memory);
    assert_failed(memory, SL_FAIL_UNKNOWN_NAME);
    assert_alert(memory, 112);
    assert_int_equal(memory->alert_received, 112);
    assert_string_equal(memory->conn->sni, "nobody.test");

    /* Who asks for no name asks for no unknown one. */
    send_hello(memory, NULL);
    assert_int_equal(memory_shake(memory), SL_STATE_OPEN);
    assert_null(memory->conn->sni);
    assert_null(memory->conn->name);
    assert_int_equal(memory->conn->name_known, 0);
}

static void test_left_out(void **state)
{
    memory_host_t *memory = memory_host_make(*state);
    const material_pair_t *ca = material_ca(*state, "CA", NULL);
    sl_vhost_t *first = memory_vhost(*state, "a.test:443", "", material_server(*state, "a.test", "P-256", ca), NULL);
    static const char *const names[] = {"a.test", "nobody.test", NULL};

    first->left_out = SL_OUT_UNTIL_RESTART;
    memory_host_add(memory, "a.test", first);
    memory_host_add(memory, "b.test",
                    memory_vhost(*state, "b.test:443", "", material_server(*state, "b.test", "P-256", ca), NULL));
    memory_host_accept(memory);
    for (apr_size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        send_hello(memory, names[i]);
        memory_shake(memory);
        assert_failed(memory, SL_FAIL_LEFT_OUT);
        assert_alert(memory, 112);
        assert_non_null(strstr(sl_hint(memory->conn, *state), "a.test:443 is left out"));
    }
    send_hello(memory, "b.test");
    assert_int_equal(memory_shake(memory), SL_STATE_OPEN);
}

static int is_out(void *baton, const sl_vhost_t *vhost)
{
    (void)vhost;
    return *(const int *)((memory_host_t *)baton)->baton;
}

/* Its host says for each connection whether it is still left out; who can't say leaves it so. */
static void test_left_out_until_repaired(void **state)
{
    memory_host_t *memory = memory_host_make(*state);
    const material_pair_t *ca = material_ca(*state, "CA", NULL);
    sl_vhost_t *host = memory_vhost(*state, "a.test:443", "", material_server(*state, "a.test", "P-256", ca), NULL);
    int out = 1;

    host->left_out = SL_OUT_UNTIL_REPAIRED;
    memory->baton = &out;
    memory_host_add(memory, "a.test", host);
    memory_host_accept(memory);
    send_hello(memory, "a.test");
    memory_shake(memory);
    assert_failed(memory, SL_FAIL_LEFT_OUT);
    memory->host.is_out = is_out;
    send_hello(memory, "a.test");
    memory_shake(memory);
    assert_failed(memory, SL_FAIL_LEFT_OUT);
    assert_alert(memory, 112);
    out = 0;
    send_hello(memory, "a.test");
    assert_int_equal(memory_shake(memory), SL_STATE_OPEN);
    host->left_out = SL_OUT_UNTIL_RESTART; /* nobody is asked */
    send_hello(memory, "a.test");
    memory_shake(memory);
    assert_failed(memory, SL_FAIL_LEFT_OUT);
}

static void test_unknown_name_served(void **state)
{
    memory_host_t *memory = make_host(*state, "");

    send_hello(memory, "nobody.test");
    assert_int_equal(memory_shake(memory), SL_STATE_OPEN);
    assert_string_equal(memory->conn->vhost->id, "a.test:443");
    assert_string_equal(memory->conn->name, "nobody.test");
    assert_int_equal(memory->conn->name_known, 0);
}

static void test_raw_name(void **state)
{
    memory_host_t *memory = make_host(*state, "");

    send_hello(memory, "WWW.B.Test.");
    assert_int_equal(memory_shake(memory), SL_STATE_OPEN);
    assert_string_equal(memory->conn->sni, "WWW.B.Test.");
    assert_string_equal(memory->conn->name, "www.b.test");
    assert_string_equal(memory->conn->vhost->id, "b.test:443");
    assert_int_equal(memory->conn->name_known, 1);
}

/* What can't be a host name finds the default. */
static void test_impossible_name(void **state)
{
    memory_host_t *memory = make_host(*state, "");

    send_hello(memory, "a b\xc3\xa4.test");
    assert_int_equal(memory_shake(memory), SL_STATE_OPEN);
    assert_string_equal(memory->conn->sni, "a b\xc3\xa4.test");
    assert_null(memory->conn->name);
    assert_string_equal(memory->conn->vhost->id, "a.test:443");
}

/* The plain-text records under way, cut into records of at most `size` bytes. */
static void cut_records(memory_wire_t *wire, apr_pool_t *pool, apr_size_t size)
{
    apr_size_t length = memory_under_way(wire);
    const unsigned char *at = apr_pmemdup(pool, wire->bytes + wire->arrived, length), *end = at + length;

    memory_drop(wire, length);
    while (at < end) {
        apr_size_t body = (apr_size_t)at[3] << 8 | at[4];

        at += 5;
        while (body) {
            apr_size_t now = body < size ? body : size;
            unsigned char header[5] = {22, 3, 1, (unsigned char)(now >> 8), (unsigned char)now};

            memory_send(wire, header, sizeof(header));
            memory_send(wire, at, now);
            at += now;
            body -= now;
        }
    }
}

static void test_many_records(void **state)
{
    static const apr_size_t sizes[] = {1, 3, 4, 30, 200}, pieces[] = {0, 1, 7, 1000};
    memory_host_t *memory = make_host(*state, "");

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++) {
            send_hello(memory, "www.b.test");
            cut_records(&memory->up, *state, sizes[i]);
            memory->piece = pieces[k];
            do {
                memory_deliver(&memory->up, pieces[k] ? pieces[k] : MEMORY_ALL);
                assert_int_equal(sl_machine_run(memory->conn), SL_WANT_READ);
            } while (memory_under_way(&memory->up));
            assert_int_equal(memory_shake(memory), SL_STATE_OPEN);
            assert_string_equal(memory->conn->vhost->id, "b.test:443");
        }
    }
}

/* A hello that says how long it will be is refused by that; one that never ends when 64 KiB are read. */
static void test_bounds(void **state)
{
    memory_host_t *memory = make_host(*state, "");

    memory_host_accept(memory);
    send_hex(memory, "160301400001"
                     "00fffc");
    memory_deliver(&memory->up, MEMORY_ALL);
    assert_int_equal(sl_machine_run(memory->conn), SL_WANT_NOTHING);
    assert_failed(memory, SL_FAIL_BAD_HELLO);
    assert_alert(memory, 50);

    memory_host_accept(memory);
    send_hex(memory, "1603010004010"
                     "0fff0");
    for (int i = 0; i < 20000; i++)
        send_hex(memory, "160301000100");
    memory_deliver(&memory->up, MEMORY_ALL);
    assert_int_equal(sl_machine_run(memory->conn), SL_WANT_NOTHING);
    assert_failed(memory, SL_FAIL_BAD_HELLO);
    assert_alert(memory, 50);
    assert_int_equal(memory->up.taken, SL_HELLO_MAX);
}

/* The largest that is taken: 65,531 bytes of message in four records' worth of headers would be too long, so just
 * below. */
static void test_large_hello(void **state)
{
    apr_pool_t *pool = *state;
    memory_host_t *memory = make_host(pool, "");
    char *padding = apr_palloc(pool, 60000 * 2 + 1);
    bytes_t whole;

    memset(padding, '0', 60000 * 2);
    padding[60000 * 2] = '\0';
    whole = unhex(pool, message(pool, 0x0303, "c02b",
                                apr_pstrcat(pool, server_name(pool, "www.b.test"), "000a00060004001d0017",
                                            "000d000400020403", extension(pool, 21, padding), NULL)));
    memory_host_accept(memory);
    for (apr_size_t at = 0; at < whole.length; at += 16384) {
        apr_size_t length = whole.length - at < 16384 ? whole.length - at : 16384;
        unsigned char header[5] = {22, 3, 1, (unsigned char)(length >> 8), (unsigned char)length};

        memory_send(&memory->up, header, sizeof(header));
        memory_send(&memory->up, whole.at + at, length);
    }
    memory_deliver(&memory->up, MEMORY_ALL);
    assert_int_equal(sl_machine_run(memory->conn), SL_WANT_READ);
    assert_int_equal(memory->conn->state, SL_STATE_HANDSHAKE);
    assert_string_equal(memory->conn->vhost->id, "b.test:443");
    assert_true(memory->down.sent > 100); /* OpenSSL has answered it */
    assert_int_equal(memory->down.bytes[0], 22);
}

/* Pages of memory this process has. */
static long pages(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld", &size), 1);
    fclose(file);
    return size;
}

/* A peer that drips costs what its bytes cost, not something for each of them. */
static void test_dripping_costs_little(void **state)
{
    static const char zeros[15000];
    memory_host_t *memory = make_host(*state, "");
    apr_allocator_t *allocator;
    long before;

    /* The allocator of the other pools would serve from what earlier tests freed. */
    assert_int_equal(apr_allocator_create(&allocator), APR_SUCCESS);
    assert_int_equal(apr_pool_create_ex(&memory->pool, *state, NULL, allocator), APR_SUCCESS);
    apr_allocator_owner_set(allocator, memory->pool);
    memory->conn_pool = NULL;
    memory_host_accept(memory);
    memory_send(&memory->up, "\x16\x03\x01\x40\x00\x01\x00\xff\xf0", 9);
    memory_send(&memory->up, zeros, sizeof(zeros));
    before = pages();
    while (memory_under_way(&memory->up)) {
        memory_deliver(&memory->up, 1);
        assert_int_equal(sl_machine_run(memory->conn), SL_WANT_READ);
    }
    assert_true(pages() - before < 64);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(test_one_byte_at_a_time),
    UNIT_TEST(test_short_reads),
    UNIT_TEST(test_takes_no_more_than_the_hello),
    UNIT_TEST(test_plain_http),
    UNIT_TEST(test_garbage),
    UNIT_TEST(test_malformed),
    UNIT_TEST(test_closed_early),
    UNIT_TEST(test_failure_is_final),
    UNIT_TEST(test_detail_is_escaped),
    UNIT_TEST(test_unknown_name),
    UNIT_TEST(test_left_out),
    UNIT_TEST(test_left_out_until_repaired),
    UNIT_TEST(test_unknown_name_served),
    UNIT_TEST(test_raw_name),
    UNIT_TEST(test_impossible_name),
    UNIT_TEST(test_many_records),
    UNIT_TEST(test_bounds),
    UNIT_TEST(test_large_hello),
    UNIT_TEST(test_dripping_costs_little),
};

UNIT_MAIN(tests)
