/* hello/client_hello and hello/first_bytes: whatever way the bytes come, a well-formed hello is read the same, and
 * anything else is told apart by as few bytes as possible. */
#include "unit.h"

#include "hello/alpn.h"

#include "hello_build.h"
#include "hello_samples.h"

#include <stdlib.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static const char *text_of(apr_pool_t *pool, const sl_reader_t *field)
{
    return sl_text_hex(pool, field->at, sl_reader_left(field));
}

/* All of a parsed hello as text, to compare two of them. */
static const char *dump(apr_pool_t *pool, const sl_client_hello_t *hello)
{
    return apr_psprintf(
        pool, "%04x %04x %04x %d%d%d%d %s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s", hello->record_version, hello->legacy_version,
        hello->highest_version, hello->has_server_name, hello->has_alpn, hello->has_post_handshake_auth,
        hello->has_pre_shared_key, text_of(pool, &hello->random), text_of(pool, &hello->session_id),
        text_of(pool, &hello->cipher_suites), text_of(pool, &hello->compressions), text_of(pool, &hello->extensions),
        text_of(pool, &hello->server_name), text_of(pool, &hello->groups), text_of(pool, &hello->point_formats),
        text_of(pool, &hello->signature_algorithms), text_of(pool, &hello->alpn), text_of(pool, &hello->versions));
}

/* A post-quantum hello as browsers send it: its key shares alone are longer than a packet. */
static const char *post_quantum(apr_pool_t *pool)
{
    char *share = apr_palloc(pool, 1216 * 2 + 1);
    const char *shares, *extensions;

    memset(share, 'a', 1216 * 2);
    share[1216 * 2] = '\0';
    shares =
        apr_pstrcat(pool, "5a5a 000100", "11ec", vector(pool, 2, share), "001d", vector(pool, 2, RANDOM_HEX), NULL);
    extensions = apr_pstrcat(pool, extension(pool, 0x7a7a, ""), server_name(pool, "pq.example.org"),
                             extension(pool, 10, vector(pool, 2, "5a5a 11ec 001d 0017")),
                             extension(pool, 13, vector(pool, 2, "0403 0804")),
                             extension(pool, 43, vector(pool, 1, "baba 0304 0303")),
                             extension(pool, 51, vector(pool, 2, shares)), extension(pool, 49, ""),
                             extension(pool, 65037,
                                       apr_pstrcat(pool, "00", RANDOM_HEX, RANDOM_HEX, RANDOM_HEX, RANDOM_HEX,
                                                   RANDOM_HEX, RANDOM_HEX, RANDOM_HEX, NULL)),
                             NULL);
    return message(pool, 0x0303, "1a1a 1301 1302 1303", extensions);
}

static const char *sample(apr_pool_t *pool, apr_size_t i)
{
    return i < HELLO_SAMPLES ? hello_samples[i].hex : record(pool, post_quantum(pool));
}

#define SAMPLES (HELLO_SAMPLES + 1)

/* The message of a one-record hello, cut into records of `most` bytes. */
static bytes_t in_records(apr_pool_t *pool, bytes_t whole, apr_size_t most)
{
    bytes_t out = {apr_palloc(pool, whole.length * 6 + 5), 0};

    for (apr_size_t at = 5; at < whole.length; at += most) {
        apr_size_t body = whole.length - at < most ? whole.length - at : most;
        unsigned char header[5] = {22, 3, 1, (unsigned char)(body >> 8), (unsigned char)body};

        memcpy(out.at + out.length, header, 5);
        memcpy(out.at + out.length + 5, whole.at + at, body);
        out.length += 5 + body;
    }
    return out;
}

static void real_hellos_are_read(void **state)
{
    for (apr_size_t i = 0; i < HELLO_SAMPLES; i++) {
        const hello_sample_t *client = &hello_samples[i];
        sl_client_hello_t hello;

        assert_int_equal(feed_hex(*state, &hello, client->hex, NULL), SL_HELLO_DONE);
        assert_int_equal(hello.record_version, 0x0301);
        assert_int_equal(hello.legacy_version, 0x0303);
        assert_int_equal(sl_reader_left(&hello.random), 32);
        assert_true(hello.has_server_name);
        assert_int_equal(sl_reader_left(&hello.server_name), 15);
        assert_memory_equal(hello.server_name.at, "www.example.org", 15);
        assert_string_equal(sl_alpn_text(*state, hello.alpn.at, sl_reader_left(&hello.alpn)), client->alpn);
        assert_int_equal(hello.has_alpn, strcmp(client->alpn, "-") != 0);
        assert_string_equal(sl_client_hello_versions_text(&hello, *state), client->versions);
        assert_int_equal(hello.highest_version, strstr(client->versions, "TLSv1.3") ? 0x0304 : 0x0303);
        assert_true(sl_reader_left(&hello.groups) >= 4);
        assert_true(sl_reader_left(&hello.signature_algorithms) >= 16);
    }
}

static void a_post_quantum_hello_is_read_across_packets(void **state)
{
    bytes_t bytes = unhex(*state, record(*state, post_quantum(*state)));
    sl_hello_buffer_t buffer;
    sl_client_hello_t hello;

    assert_true(bytes.length > 1500);
    sl_hello_buffer_init(&buffer, *state);
    assert_int_equal(feed(&hello, &buffer, bytes, 1460, NULL), SL_HELLO_DONE);
    assert_memory_equal(hello.server_name.at, "pq.example.org", 14);
    assert_int_equal(hello.highest_version, 0x0304);
    assert_true(hello.has_post_handshake_auth);
    assert_false(hello.has_alpn);
    assert_string_equal(sl_hello_list_u16(*state, hello.groups), "5a5a,11ec,001d,0017");
}

/* Each prefix lies in memory of its own size, so that a sanitizer sees a read behind it. */
static void every_truncation_asks_for_more(void **state)
{
    for (apr_size_t i = 0; i < SAMPLES; i++) {
        bytes_t whole = unhex(*state, sample(*state, i));

        for (apr_size_t length = 0; length < whole.length; length++) {
            sl_hello_buffer_t buffer = {.pool = *state, .bytes = malloc(length + !length), .length = length,
                                        .size = length};
            sl_client_hello_t hello;
            sl_problem_t *why = sl_problem_make(*state);

            memcpy(buffer.bytes, whole.at, length);
            assert_int_equal(sl_client_hello_read(&hello, &buffer, why), SL_HELLO_MORE);
            assert_int_equal(why->status, APR_SUCCESS);
            free(buffer.bytes);
        }
    }
}

static void packet_borders_change_nothing(void **state)
{
    for (apr_size_t i = 0; i < SAMPLES; i++) {
        bytes_t bytes = unhex(*state, sample(*state, i));
        sl_hello_buffer_t buffer;
        sl_client_hello_t hello;
        const char *expected;

        sl_hello_buffer_init(&buffer, *state);
        assert_int_equal(feed(&hello, &buffer, bytes, SL_HELLO_MAX, NULL), SL_HELLO_DONE);
        expected = dump(*state, &hello);
        for (apr_size_t piece = 1; piece < bytes.length; piece++) {
            apr_pool_t *pool;

            apr_pool_create(&pool, *state);
            sl_hello_buffer_init(&buffer, pool);
            assert_int_equal(feed(&hello, &buffer, bytes, piece, NULL), SL_HELLO_DONE);
            assert_int_equal(buffer.length, bytes.length);
            assert_string_equal(dump(pool, &hello), expected);
            apr_pool_destroy(pool);
        }
    }
}

/* One split at each byte, in one record and in records of one byte. */
static void every_single_split_changes_nothing(void **state)
{
    for (apr_size_t i = 0; i < SAMPLES * 2; i++) {
        bytes_t bytes = unhex(*state, sample(*state, i / 2));
        const char *expected = NULL;

        if (i % 2)
            bytes = in_records(*state, bytes, 1);
        for (apr_size_t split = 0; split < bytes.length; split++) {
            bytes_t front = {bytes.at, split}, back = {bytes.at + split, bytes.length - split};
            sl_client_hello_t hello;
            sl_hello_buffer_t buffer;
            apr_pool_t *pool;

            apr_pool_create(&pool, *state);
            sl_hello_buffer_init(&buffer, pool);
            assert_int_equal(feed(&hello, &buffer, front, SL_HELLO_MAX, NULL), SL_HELLO_MORE);
            assert_int_equal(feed(&hello, &buffer, back, SL_HELLO_MAX, NULL), SL_HELLO_DONE);
            if (!expected)
                expected = apr_pstrdup(*state, dump(pool, &hello));
            assert_string_equal(dump(pool, &hello), expected);
            apr_pool_destroy(pool);
        }
    }
}

static void record_borders_change_nothing(void **state)
{
    static const apr_size_t sizes[] = {1, 2, 3, 4, 5, 7, 64, 300};

    for (apr_size_t i = 0; i < SAMPLES * ROWS(sizes); i++) {
        bytes_t whole = unhex(*state, sample(*state, i / ROWS(sizes)));
        bytes_t cut = in_records(*state, whole, sizes[i % ROWS(sizes)]);
        sl_hello_buffer_t buffer;
        sl_client_hello_t hello;
        const char *expected;

        sl_hello_buffer_init(&buffer, *state);
        assert_int_equal(feed(&hello, &buffer, whole, SL_HELLO_MAX, NULL), SL_HELLO_DONE);
        expected = dump(*state, &hello);
        for (apr_size_t piece = 1; piece <= 1000; piece += 333) {
            sl_hello_buffer_init(&buffer, *state);
            assert_int_equal(feed(&hello, &buffer, cut, piece, NULL), SL_HELLO_DONE);
            assert_string_equal(dump(*state, &hello), expected);
        }
    }
}

static int lies_in(const sl_hello_buffer_t *buffer, const unsigned char *at)
{
    return (uintptr_t)at >= (uintptr_t)buffer->bytes && (uintptr_t)at < (uintptr_t)(buffer->bytes + buffer->length);
}

static void a_hello_in_one_record_is_not_copied(void **state)
{
    bytes_t whole = unhex(*state, hello_samples[0].hex);
    sl_hello_buffer_t buffer;
    sl_client_hello_t hello;

    sl_hello_buffer_init(&buffer, *state);
    feed(&hello, &buffer, whole, SL_HELLO_MAX, NULL);
    assert_true(lies_in(&buffer, hello.random.at));
    assert_true(lies_in(&buffer, hello.server_name.at));
    sl_hello_buffer_init(&buffer, *state);
    feed(&hello, &buffer, in_records(*state, whole, 200), SL_HELLO_MAX, NULL);
    assert_false(lies_in(&buffer, hello.random.at));
}

/* Early data, a ChangeCipherSpec or anything: it is OpenSSL's to judge. Asking again gives the same. */
static void what_lies_behind_the_hello_is_left_alone(void **state)
{
    const char *hex = apr_pstrcat(*state, hello_samples[0].hex, "140303000101 170303", NULL);
    bytes_t bytes = unhex(*state, hex);
    sl_hello_buffer_t buffer;
    sl_client_hello_t hello;

    sl_hello_buffer_init(&buffer, *state);
    assert_int_equal(feed(&hello, &buffer, bytes, SL_HELLO_MAX, NULL), SL_HELLO_DONE);
    assert_int_equal(buffer.length, bytes.length);
    assert_int_equal(sl_client_hello_read(&hello, &buffer, NULL), SL_HELLO_DONE);
    assert_memory_equal(hello.server_name.at, "www.example.org", 15);
}

static void the_buffer_starts_small_and_ends_at_its_bound(void **state)
{
    sl_hello_buffer_t buffer;
    apr_size_t space;

    sl_hello_buffer_init(&buffer, *state);
    assert_null(buffer.bytes);
    for (apr_size_t i = 0; i < SL_HELLO_MAX; i++) {
        unsigned char *room = sl_hello_buffer_room(&buffer, &space);

        assert_non_null(room);
        assert_true(space > 0);
        assert_true(buffer.size <= 2048 || buffer.size <= 2 * i);
        *room = (unsigned char)(i * 7);
        buffer.length++;
    }
    assert_null(sl_hello_buffer_room(&buffer, &space));
    assert_int_equal(space, 0);
    for (apr_size_t i = 0; i < SL_HELLO_MAX; i++)
        assert_int_equal(buffer.bytes[i], (unsigned char)(i * 7));
}

/* The last byte of each row decides: the state before it is MORE. */
typedef struct first_bytes_t {
    const char *bytes;
    apr_size_t length;
    sl_hello_state_t state;
    const char *reason;
} first_bytes_t;

#define BYTES(text) text, sizeof(text) - 1

static void check_first_bytes(apr_pool_t *pool, const first_bytes_t *row)
{
    bytes_t bytes = {(unsigned char *)apr_pmemdup(pool, row->bytes, row->length), row->length - 1};
    sl_problem_t *why = sl_problem_make(pool);
    sl_hello_buffer_t buffer;
    sl_client_hello_t hello;

    sl_hello_buffer_init(&buffer, pool);
    if (feed(&hello, &buffer, bytes, 1, why) != SL_HELLO_MORE || why->status != APR_SUCCESS)
        fail_msg("%s: told before the last byte: %s", sl_text_escape(pool, row->bytes, row->length, 60), why->reason);
    bytes.at += bytes.length;
    bytes.length = 1;
    if (feed(&hello, &buffer, bytes, 1, why) != row->state)
        fail_msg("%s: another state", sl_text_escape(pool, row->bytes, row->length, 60));
    assert_non_null(why->reason);
    if (!strstr(why->reason, row->reason))
        fail_msg("\"%s\" is not in \"%s\"", row->reason, why->reason);
}

static void first_bytes_are_told_apart_at_the_byte_that_decides(void **state)
{
    static const first_bytes_t rows[] = {
        {BYTES("GET "), SL_HELLO_HTTP, "plain HTTP: \"GET \""},
        {BYTES("HEAD "), SL_HELLO_HTTP, "plain HTTP"},
        {BYTES("POST "), SL_HELLO_HTTP, "plain HTTP"},
        {BYTES("PROPFIND "), SL_HELLO_HTTP, "plain HTTP"},
        {BYTES("VERSION-CONTROL "), SL_HELLO_HTTP, "plain HTTP"},
        {BYTES("M-SEARCH "), SL_HELLO_HTTP, "plain HTTP"},
        {BYTES("Xyzzy!#$%&'*+.^_`|~9 "), SL_HELLO_HTTP, "plain HTTP"},
        {BYTES("A "), SL_HELLO_HTTP, "plain HTTP"},
        {BYTES("Zaz09 "), SL_HELLO_HTTP, "plain HTTP"},
        {BYTES("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF "), SL_HELLO_HTTP, "plain HTTP"},
        {BYTES("\r\nGET "), SL_HELLO_HTTP, "plain HTTP: \"GET \""},
        {BYTES("PRI "), SL_HELLO_HTTP, "plain HTTP"},
        {BYTES("PROXYS "), SL_HELLO_HTTP, "plain HTTP"},
        {BYTES("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG"), SL_HELLO_GARBAGE, "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG"},
        {BYTES("g"), SL_HELLO_GARBAGE, "neither TLS nor HTTP: \"g\""},
        {BYTES("GET\t"), SL_HELLO_GARBAGE, "GET\\x09"},
        {BYTES("GET/"), SL_HELLO_GARBAGE, "GET/"},
        {BYTES("GET\0"), SL_HELLO_GARBAGE, "GET\\x00"},
        {BYTES("G\xc3"), SL_HELLO_GARBAGE, "G\\xc3"},
        {BYTES("SSH-2.0-OpenSSH_9.2\r"), SL_HELLO_GARBAGE, "neither TLS nor HTTP: \"SSH-2.0-OpenSSH_9.2\\x0d\""},
        {BYTES("\0"), SL_HELLO_GARBAGE, "neither TLS nor HTTP: \"\\x00\""},
        {BYTES(" "), SL_HELLO_GARBAGE, "\" \""},
        {BYTES("\n"), SL_HELLO_GARBAGE, "\\x0a"},
        {BYTES("\x15"), SL_HELLO_GARBAGE, "\\x15"},
        {BYTES("\xff"), SL_HELLO_GARBAGE, "\\xff"},
        {BYTES("\rG"), SL_HELLO_GARBAGE, "\\x0dG"},
        {BYTES("\r\ng"), SL_HELLO_GARBAGE, "\\x0d\\x0ag"},
        {BYTES("\r\n\r\nG"), SL_HELLO_GARBAGE, "\\x0d\\x0a\\x0d\\x0aG"},
        {BYTES("PROXY "), SL_HELLO_GARBAGE, "PROXY protocol header (version 1) was seen, RemoteIPProxyProtocol On"},
        {BYTES("\r\n\r\n\0\r\nQUIT\n"), SL_HELLO_GARBAGE, "PROXY protocol header (version 2) was seen, RemoteIPProxy"},
        {BYTES("\r\n\r\n\0\r\nQUIT "), SL_HELLO_GARBAGE, "neither TLS nor HTTP"},
        {BYTES("\x80\x2e\x01"), SL_HELLO_BAD, "speaks SSLv2"},
        {BYTES("\x80\x2e\x02"), SL_HELLO_GARBAGE, "\\x80.\\x02"},
        {BYTES("\x16\x02"), SL_HELLO_BAD, "a record of version 2.x"},
        {BYTES("\x16\x03\x01\x00\x00"), SL_HELLO_BAD, "an empty handshake record"},
        {BYTES("\x16\x03\x01\x40\x01"), SL_HELLO_BAD, "a record of 16385 bytes, at most 16384"},
        {BYTES("\x16\x03\x01\x02\x00\x02"), SL_HELLO_BAD, "handshake message has type 2, not a ClientHello"},
        {BYTES("\x16\x03\x01\x02\x00\x01\x01\x00\x00"), SL_HELLO_BAD, "a hello of 65540 bytes, at most 65536"},
        {BYTES("\x16\x03\x01\x02\x00\x01\x00\xff\xf8"), SL_HELLO_BAD, "a hello of 65532 bytes, at most 65536"},
        {BYTES("\x16\x03\x01\x00\x05\x01\x00\x00\x00"), SL_HELLO_BAD, "bytes follow the hello inside its record"},
        {BYTES("\x16\x03\x01\x00\x01\x01\x17"), SL_HELLO_BAD, "a record of type 23 inside the hello"},
        {BYTES("\x16\x03\x01\x00\x01\x01\x16\x03\x01\x00\x00"), SL_HELLO_BAD, "an empty handshake record"},
        {BYTES("\x16\x03\x01\x00\x01\x01\x16\x04"), SL_HELLO_BAD, "a record of version 4.x"},
        {BYTES("\x16\x03\x01\x00\x02\x01\x00\x16\x03\x01\x00\x02\x00\x00"), SL_HELLO_BAD, "ends inside its random"},
    };

    for (apr_size_t i = 0; i < ROWS(rows); i++)
        check_first_bytes(*state, &rows[i]);
}

static void an_http_request_is_shown_by_its_first_line(void **state)
{
    static const struct {
        const char *bytes, *reason;
    } rows[] = {
        {"GET /a\"\x7f HTTP/1.1\r\nCookie: secret\r\n\r\n", "plain HTTP: \"GET /a\\x22\\x7f HTTP/1.1\""},
        {"\r\nPUT / HTTP/1.0\r\n\r\n", "plain HTTP: \"PUT / HTTP/1.0\""},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "plain HTTP/2 without TLS: \"PRI * HTTP/2.0\""},
        {"GET /123456789012345678901234567890123456789012345 HTTP/1.1\r\n",
         "plain HTTP: \"GET /1234567890123456789012345678901234567890123...\""},
    };

    for (apr_size_t i = 0; i < ROWS(rows); i++) {
        sl_problem_t *why = sl_problem_make(*state);
        sl_client_hello_t hello;
        const char *hex = sl_text_hex(*state, rows[i].bytes, strlen(rows[i].bytes));

        assert_int_equal(feed_hex(*state, &hello, hex, why), SL_HELLO_HTTP);
        assert_string_equal(why->reason, rows[i].reason);
    }
}

/* 1-byte records: the bound is on what is read, not only on what the hello says of itself. */
static void a_hello_that_never_ends_is_given_up_at_the_bound(void **state)
{
    bytes_t bytes = {apr_palloc(*state, SL_HELLO_MAX), 0};
    sl_problem_t *why = sl_problem_make(*state);
    static const unsigned char header[4] = {1, 0, 0x80, 0};
    sl_hello_buffer_t buffer;
    sl_client_hello_t hello;

    for (apr_size_t i = 0; bytes.length < SL_HELLO_MAX; i++, bytes.length++) {
        static const unsigned char record_of_one[5] = {22, 3, 1, 0, 1};

        bytes.at[bytes.length] = i % 6 < 5 ? record_of_one[i % 6] : i / 6 < 4 ? header[i / 6] : 0;
    }
    bytes.length--;
    sl_hello_buffer_init(&buffer, *state);
    assert_int_equal(feed(&hello, &buffer, bytes, 1000, why), SL_HELLO_MORE);
    bytes.at += bytes.length;
    bytes.length = 1;
    assert_int_equal(feed(&hello, &buffer, bytes, 1, why), SL_HELLO_BAD);
    assert_string_equal(why->reason, "the hello is not complete after 65536 bytes");
}

static void a_hello_as_long_as_allowed_is_read(void **state)
{
    /* 65,536 bytes in 4 full records: 20 of headers, the rest is message: 4 + 2 + 32 + 1 + 4 + 2 + 2 + extension. */
    apr_size_t padding = 65536 - 20 - 47 - 4;
    char *zeros = apr_palloc(*state, padding * 2 + 1);
    bytes_t whole;
    sl_hello_buffer_t buffer;
    sl_client_hello_t hello;

    memset(zeros, '0', padding * 2);
    zeros[padding * 2] = '\0';
    /* The header that in_records() skips. */
    zeros = apr_pstrcat(*state, "0000000000", message(*state, 0x0303, "1301", extension(*state, 21, zeros)), NULL);
    whole = unhex(*state, zeros);
    whole = in_records(*state, whole, 16384);
    assert_int_equal(whole.length, SL_HELLO_MAX);
    sl_hello_buffer_init(&buffer, *state);
    assert_int_equal(feed(&hello, &buffer, whole, 1460, NULL), SL_HELLO_DONE);
}

static const char *with_extensions(apr_pool_t *pool, const char *extensions)
{
    return message(pool, 0x0303, "1301 1302", extensions);
}

static void malformed_hellos_are_refused_with_the_reason(void **state)
{
    apr_pool_t *pool = *state;
    const char *name = server_name(pool, "a");
    const struct {
        const char *hex, *reason;
    } rows[] = {
        /* The fields in front of the extensions. */
        {vector(pool, 1, ""), "the handshake message is not as long as it says"},
        {"01000005 0303000000", "the hello ends inside its random"},
        {apr_pstrcat(pool, with_extensions(pool, ""), "00", NULL), "the handshake message is not as long as it says"},
        {"02000000", "a handshake message of type 2, not a ClientHello"},
        {"01000022 0303" RANDOM_HEX, "the session id runs past the end of the hello"},
        {"01000024 0303" RANDOM_HEX "0200", "the session id runs past the end of the hello"},
        {"01000044 0303" RANDOM_HEX "21" RANDOM_HEX "ff", "the session id is longer than 32 bytes"},
        {"01000024 0303" RANDOM_HEX "0000", "the cipher suites run past the end of the hello"},
        {"01000028 0303" RANDOM_HEX "00 0004 1301", "the handshake message is not as long as it says"},
        {"01000027 0303" RANDOM_HEX "00 0004 1301", "the cipher suites run past the end of the hello"},
        {"01000027 0303" RANDOM_HEX "00 0000 0100", "the list of cipher suites is empty or has an odd length"},
        {"0100002a 0303" RANDOM_HEX "00 0003 130113 0100", "the list of cipher suites is empty or has an odd length"},
        {"01000027 0303" RANDOM_HEX "00 0002 1301", "the compression methods run past the end of the hello"},
        {"01000029 0303" RANDOM_HEX "00 0002 1301 0200", "the compression methods run past the end of the hello"},
        {"01000028 0303" RANDOM_HEX "00 0002 1301 00", "the list of compression methods is empty"},
        {"0100002a 0303" RANDOM_HEX "00 0002 1301 0100 00", "the extensions run past the end of the hello"},
        {"0100002c 0303" RANDOM_HEX "00 0002 1301 0100 0001 00", "extension 0 (server_name): it runs past the end"},
        {"0100002d 0303" RANDOM_HEX "00 0002 1301 0100 0004 0000", "the extensions run past the end of the hello"},
        {"0100002c 0303" RANDOM_HEX "00 0002 1301 0100 0000 00", "bytes are left behind the extensions"},
        /* The block of extensions. */
        {with_extensions(pool, "4469 0002 00"), "extension 17513: it runs past the end of the hello"},
        {with_extensions(pool, "44"), "it runs past the end of the hello"},
        {with_extensions(pool, "4469 0000 ff01 0000 4469 0000"), "extension 17513: it comes twice"},
        {with_extensions(pool, "0a0a 0000 0a0a 0000"), "extension 2570: it comes twice"},
        {with_extensions(pool, apr_pstrcat(pool, name, name, NULL)), "extension 0 (server_name): it comes twice"},
        {with_extensions(pool, "0029 0000 ff01 0000"), "extension 65281: it comes behind pre_shared_key, which"},
        /* server_name */
        {with_extensions(pool, "0000 0000"), "extension 0 (server_name): its length disagrees"},
        {with_extensions(pool, "0000 0002 0000"), "extension 0 (server_name): its list is empty"},
        {with_extensions(pool, "0000 0007 0004 00 0001 61 ff"), "(server_name): its length disagrees"},
        {with_extensions(pool, "0000 0005 0003 00 0000"), "(server_name): an empty host name"},
        {with_extensions(pool, "0000 0006 0004 00 0002 61"), "(server_name): a name runs past its end"},
        {with_extensions(pool, "0000 0003 0001 07"), "(server_name): a name runs past its end"},
        {with_extensions(pool, "0000 000a 0008 00000161 00000162"), "(server_name): two host names"},
        /* lists */
        {with_extensions(pool, "000a 0002 0000"), "extension 10 (supported_groups): its list is empty"},
        {with_extensions(pool, "000a 0005 0003 001d00"), "(supported_groups): its list has an odd length"},
        {with_extensions(pool, "000a 0004 0004 001d"), "(supported_groups): its length disagrees"},
        {with_extensions(pool, "000a 0001 00"), "(supported_groups): its length disagrees"},
        {with_extensions(pool, "000b 0001 00"), "extension 11 (ec_point_formats): its list is empty"},
        {with_extensions(pool, "000b 0003 01 0000"), "(ec_point_formats): its length disagrees"},
        {with_extensions(pool, "000d 0002 0000"), "extension 13 (signature_algorithms): its list is empty"},
        {with_extensions(pool, "000d 0003 0001 04"), "(signature_algorithms): its list has an odd length"},
        {with_extensions(pool, "002b 0001 00"), "extension 43 (supported_versions): its list is empty"},
        {with_extensions(pool, "002b 0004 03 030403"), "(supported_versions): its list has an odd length"},
        {with_extensions(pool, "002b 0002 0304"), "(supported_versions): its length disagrees"},
        {with_extensions(pool, "0010 0002 0000"), "extension 16 (ALPN): its list is empty"},
        {with_extensions(pool, "0010 0003 0001 00"), "(ALPN): an empty protocol name"},
        {with_extensions(pool, "0010 0006 0004 03 683200"), NULL},
        {with_extensions(pool, "0010 0006 0004 04 683200"), "(ALPN): a protocol name runs past its end"},
        {with_extensions(pool, "0031 0001 00"), "extension 49 (post_handshake_auth): it must be empty"},
    };

    for (apr_size_t i = 0; i < ROWS(rows); i++) {
        sl_problem_t *why = sl_problem_make(pool);
        bytes_t bytes = unhex(pool, rows[i].hex);
        sl_client_hello_t hello;
        apr_status_t rv = sl_client_hello_parse(&hello, bytes.at, bytes.length, why);

        if (rv != (rows[i].reason ? APR_EINVAL : APR_SUCCESS))
            fail_msg("row %d: %s", (int)i, why->reason ? why->reason : "taken");
        if (rows[i].reason && !strstr(why->reason, rows[i].reason))
            fail_msg("row %d: \"%s\" instead of \"%s\"", (int)i, why->reason, rows[i].reason);
        /* The same through the assembler. */
        if (rows[i].reason && bytes.at[0] == 1)
            assert_int_not_equal(feed_hex(pool, &hello, record(pool, rows[i].hex), NULL), SL_HELLO_DONE);
    }
}

/* A hostile hello must not cost more than its size says: 16,000 different extensions and the first one again. */
static void thousands_of_extensions_are_no_burden(void **state)
{
    char *hex = apr_palloc(*state, 16000 * 8 + 9), *at = hex;
    sl_problem_t *why = sl_problem_make(*state);
    bytes_t bytes;
    sl_client_hello_t hello;

    for (unsigned i = 0; i < 16000; i++, at += 8)
        apr_snprintf(at, 9, "%04x0000", 0x1000 + i);
    bytes = unhex(*state, with_extensions(*state, hex));
    assert_int_equal(sl_client_hello_parse(&hello, bytes.at, bytes.length, NULL), APR_SUCCESS);
    memcpy(at, "10000000", 9);
    bytes = unhex(*state, with_extensions(*state, hex));
    assert_int_equal(sl_client_hello_parse(&hello, bytes.at, bytes.length, why), APR_EINVAL);
    assert_string_equal(why->reason, "extension 4096: it comes twice");
}

static void other_name_types_are_skipped_and_the_name_stays_raw(void **state)
{
    sl_client_hello_t hello;
    bytes_t bytes = unhex(*state, with_extensions(*state, "0000 000d 000b 07 0002 ffff 00 0003 412e 00"));

    assert_int_equal(sl_client_hello_parse(&hello, bytes.at, bytes.length, NULL), APR_SUCCESS);
    assert_true(hello.has_server_name);
    assert_int_equal(sl_reader_left(&hello.server_name), 3);
    assert_memory_equal(hello.server_name.at, "A.\0", 3);

    bytes = unhex(*state, with_extensions(*state, "0000 0007 0005 07 0002 ffff"));
    assert_int_equal(sl_client_hello_parse(&hello, bytes.at, bytes.length, NULL), APR_SUCCESS);
    assert_false(hello.has_server_name);
}

static void a_hello_of_old_needs_no_extensions(void **state)
{
    sl_client_hello_t hello;
    sl_reader_t body;

    assert_int_equal(feed_hex(*state, &hello, record(*state, message(*state, 0x0301, "002f", NULL)), NULL),
                     SL_HELLO_DONE);
    assert_int_equal(hello.highest_version, 0x0301);
    assert_string_equal(sl_client_hello_versions_text(&hello, *state), "TLSv1");
    assert_string_equal(sl_hello_extension_types(*state, &hello), "");
    assert_string_equal(sl_hello_list_u16(*state, hello.groups), "");
    assert_string_equal(sl_hello_list_u8(*state, hello.point_formats), "");
    assert_false(sl_client_hello_extension(&hello, 0, &body));
    assert_int_equal(sl_reader_left(&body), 0);
}

static void extensions_are_found_by_their_type(void **state)
{
    sl_client_hello_t hello;
    sl_reader_t body;
    bytes_t bytes = unhex(*state, with_extensions(*state, "0a0a 0000 4469 0003 010203 000b 0003 02 0001 0029 0001 05"));

    assert_int_equal(sl_client_hello_parse(&hello, bytes.at, bytes.length, NULL), APR_SUCCESS);
    assert_true(sl_client_hello_extension(&hello, 0x4469, &body));
    assert_string_equal(text_of(*state, &body), "010203");
    assert_true(sl_client_hello_extension(&hello, 0x0a0a, &body));
    assert_int_equal(sl_reader_left(&body), 0);
    assert_false(sl_client_hello_extension(&hello, 0x000a, &body));
    assert_int_equal(sl_reader_left(&body), 0);
    assert_true(hello.has_pre_shared_key);
    assert_string_equal(sl_hello_extension_types(*state, &hello), "0a0a,4469,000b,0029");
    assert_string_equal(sl_hello_list_u16(*state, hello.cipher_suites), "1301,1302");
    assert_string_equal(sl_hello_list_u8(*state, hello.point_formats), "00,01");
}

static void versions_are_told_from_highest_to_lowest(void **state)
{
    static const struct {
        const char *versions, *text;
        unsigned highest;
    } rows[] = {
        {"0304 0303", "TLSv1.3 TLSv1.2", 0x0304},
        {"fafa 0301 0304 0a0a 0302", "TLSv1.3 TLSv1.1 TLSv1", 0x0304},
        {"0303 0303 0300", "TLSv1.2 SSLv3", 0x0303},
        {"0305 0304", "0x0305 TLSv1.3", 0x0305},
        {"4a4a", "-", 0},
    };

    for (apr_size_t i = 0; i < ROWS(rows); i++) {
        const char *list = extension(*state, 43, vector(*state, 1, rows[i].versions));
        bytes_t bytes = unhex(*state, with_extensions(*state, list));
        sl_client_hello_t hello;

        assert_int_equal(sl_client_hello_parse(&hello, bytes.at, bytes.length, NULL), APR_SUCCESS);
        assert_string_equal(sl_client_hello_versions_text(&hello, *state), rows[i].text);
        assert_int_equal(hello.highest_version, rows[i].highest);
    }
}

static void exactly_sixteen_values_are_grease(void **state)
{
    int found = 0;

    (void)state;
    for (unsigned value = 0; value <= 0xffff; value++)
        found += sl_hello_is_grease(value);
    assert_int_equal(found, 16);
    assert_true(sl_hello_is_grease(0x0a0a));
    assert_true(sl_hello_is_grease(0xfafa));
    assert_false(sl_hello_is_grease(0x0a1a));
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(real_hellos_are_read),
    UNIT_TEST(a_post_quantum_hello_is_read_across_packets),
    UNIT_TEST(every_truncation_asks_for_more),
    UNIT_TEST(packet_borders_change_nothing),
    UNIT_TEST(every_single_split_changes_nothing),
    UNIT_TEST(record_borders_change_nothing),
    UNIT_TEST(a_hello_in_one_record_is_not_copied),
    UNIT_TEST(what_lies_behind_the_hello_is_left_alone),
    UNIT_TEST(the_buffer_starts_small_and_ends_at_its_bound),
    UNIT_TEST(first_bytes_are_told_apart_at_the_byte_that_decides),
    UNIT_TEST(an_http_request_is_shown_by_its_first_line),
    UNIT_TEST(a_hello_that_never_ends_is_given_up_at_the_bound),
    UNIT_TEST(a_hello_as_long_as_allowed_is_read),
    UNIT_TEST(malformed_hellos_are_refused_with_the_reason),
    UNIT_TEST(thousands_of_extensions_are_no_burden),
    UNIT_TEST(other_name_types_are_skipped_and_the_name_stays_raw),
    UNIT_TEST(a_hello_of_old_needs_no_extensions),
    UNIT_TEST(extensions_are_found_by_their_type),
    UNIT_TEST(versions_are_told_from_highest_to_lowest),
    UNIT_TEST(exactly_sixteen_values_are_grease),
};

UNIT_MAIN(tests)
