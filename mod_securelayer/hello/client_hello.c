/* Puts the ClientHello together from records and takes it apart.  conn/step_hello reads into the buffer and asks here
 * after each read.  What comes out decides the virtual host, so nothing that OpenSSL could understand otherwise is
 * let through: every length must agree with the one around it.
 * Three parts: the assembler (records to one message), the parser (message to fields), the fields as text. */
#include "hello/client_hello.h"

#include <apr_errno.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_HEADER 5
#define RECORD_MAX 16384 /* RFC 8446 section 5.1 */
#define RECORD_HANDSHAKE 22
#define MESSAGE_HEADER 4
#define MESSAGE_CLIENT_HELLO 1
#define BUFFER_FIRST 2048 /* a post-quantum hello of a browser fits in */
#define RANDOM_SIZE 32
#define SESSION_ID_MAX 32

#define EXT_SERVER_NAME 0
#define EXT_SUPPORTED_GROUPS 10
#define EXT_EC_POINT_FORMATS 11
#define EXT_SIGNATURE_ALGORITHMS 13
#define EXT_ALPN 16
#define EXT_PRE_SHARED_KEY 41
#define EXT_SUPPORTED_VERSIONS 43
#define EXT_POST_HANDSHAKE_AUTH 49

#define NAME_TYPE_HOST 0

void sl_hello_buffer_init(sl_hello_buffer_t *buffer, apr_pool_t *pool)
{
    memset(buffer, 0, sizeof(*buffer));
    buffer->pool = pool;
}

unsigned char *sl_hello_buffer_room(sl_hello_buffer_t *buffer, apr_size_t *space)
{
    if (buffer->length == buffer->size) {
        apr_size_t size = buffer->size ? buffer->size * 2 : BUFFER_FIRST;
        unsigned char *bytes;

        if (buffer->size >= SL_HELLO_MAX) {
            *space = 0;
            return NULL;
        }
        bytes = apr_palloc(buffer->pool, size);
        if (buffer->length)
            memcpy(bytes, buffer->bytes, buffer->length);
        buffer->bytes = bytes;
        buffer->size = size;
    }
    *space = buffer->size - buffer->length;
    return buffer->bytes + buffer->length;
}

/* The assembler. */

#define BAD(why, ...) (sl_problem_set((why), APR_EINVAL, NULL, __VA_ARGS__), SL_HELLO_BAD)

/* Copies the first `length` handshake bytes, which are known to be there, out of their records. */
static void gather(const sl_hello_buffer_t *buffer, unsigned char *out, apr_size_t length)
{
    const unsigned char *record = buffer->bytes;

    while (length) {
        apr_size_t body = (apr_size_t)record[3] << 8 | record[4];
        apr_size_t taken = body < length ? body : length;

        memcpy(out, record + RECORD_HEADER, taken);
        record += RECORD_HEADER + body;
        out += taken;
        length -= taken;
    }
}

/* As much of a record's header as is there. SL_HELLO_DONE if nothing speaks against it. */
static sl_hello_state_t check_record(const unsigned char *record, apr_size_t length, sl_problem_t *why)
{
    if (length > 0 && record[0] != RECORD_HANDSHAKE)
        return BAD(why, "a record of type %d inside the hello", record[0]);
    if (length > 1 && record[1] != 3)
        return BAD(why, "a record of version %d.x", record[1]);
    if (length >= RECORD_HEADER) {
        unsigned body = (unsigned)record[3] << 8 | record[4];

        if (!body)
            return BAD(why, "an empty handshake record");
        if (body > RECORD_MAX)
            return BAD(why, "a record of %u bytes, at most %d are allowed", body, RECORD_MAX);
    }
    return SL_HELLO_DONE;
}

/* Judges the message by its header as soon as the bytes are there, and learns its size. */
static sl_hello_state_t check_message(sl_hello_buffer_t *buffer, apr_size_t present, sl_problem_t *why)
{
    unsigned char header[MESSAGE_HEADER];

    if (buffer->wanted || !present)
        return SL_HELLO_DONE;
    gather(buffer, header, present < MESSAGE_HEADER ? present : MESSAGE_HEADER);
    if (header[0] != MESSAGE_CLIENT_HELLO)
        return BAD(why, "the first handshake message has type %d, not a ClientHello", header[0]);
    if (present < MESSAGE_HEADER)
        return SL_HELLO_DONE;
    buffer->wanted = MESSAGE_HEADER + ((apr_size_t)header[1] << 16 | (apr_size_t)header[2] << 8 | header[3]);
    if (buffer->wanted + RECORD_HEADER > SL_HELLO_MAX)
        return BAD(why, "a hello of %" APR_SIZE_T_FMT " bytes, at most %d are taken", buffer->wanted, SL_HELLO_MAX);
    return SL_HELLO_DONE;
}

/* Goes on record by record until the message is whole. The records behind it are not looked at. */
static sl_hello_state_t walk(sl_hello_buffer_t *buffer, sl_problem_t *why)
{
    while (!buffer->wanted || buffer->gathered < buffer->wanted) {
        const unsigned char *record = buffer->bytes + buffer->walked;
        apr_size_t length = buffer->length - buffer->walked, body;

        if (check_record(record, length, why) == SL_HELLO_BAD)
            return SL_HELLO_BAD;
        if (length < RECORD_HEADER)
            return SL_HELLO_MORE;
        body = (apr_size_t)record[3] << 8 | record[4];
        length -= RECORD_HEADER;
        if (check_message(buffer, buffer->gathered + (body < length ? body : length), why) == SL_HELLO_BAD)
            return SL_HELLO_BAD;
        /* Nothing may follow a hello before the answer, and keys may change behind it (RFC 8446 section 5.1). */
        if (buffer->wanted && buffer->gathered + body > buffer->wanted)
            return BAD(why, "bytes follow the hello inside its record");
        if (length < body)
            return SL_HELLO_MORE;
        buffer->walked += RECORD_HEADER + body;
        buffer->gathered += body;
    }
    return SL_HELLO_DONE;
}

sl_hello_state_t sl_client_hello_read(sl_client_hello_t *hello, sl_hello_buffer_t *buffer, sl_problem_t *why)
{
    unsigned char *message;
    sl_hello_state_t state;

    if (!buffer->length)
        return SL_HELLO_MORE;
    if (buffer->bytes[0] != RECORD_HANDSHAKE)
        return sl_first_bytes_read(buffer->bytes, buffer->length, why);
    state = walk(buffer, why);
    if (state == SL_HELLO_MORE && buffer->length >= SL_HELLO_MAX)
        return BAD(why, "the hello is not complete after %" APR_SIZE_T_FMT " bytes", buffer->length);
    if (state != SL_HELLO_DONE)
        return state;
    message = buffer->bytes + RECORD_HEADER;
    if (buffer->walked > RECORD_HEADER + buffer->wanted) {
        message = apr_palloc(buffer->pool, buffer->wanted);
        gather(buffer, message, buffer->wanted);
    }
    if (sl_client_hello_parse(hello, message, buffer->wanted, why) != APR_SUCCESS)
        return SL_HELLO_BAD;
    hello->record_version = (unsigned)buffer->bytes[1] << 8 | buffer->bytes[2];
    return SL_HELLO_DONE;
}

/* The parser. Functions on one extension return what is wrong with it, NULL if nothing is. */

static unsigned u16_at(const unsigned char *bytes)
{
    return (unsigned)bytes[0] << 8 | bytes[1];
}

/* The body is one list of `unit`-byte values and nothing else. */
static const char *parse_list(sl_reader_t *body, int prefix_bytes, apr_size_t unit, sl_reader_t *list)
{
    sl_reader_vector(body, prefix_bytes, list);
    if (body->failed || sl_reader_left(body))
        return "its length disagrees with that of its list";
    if (!sl_reader_left(list))
        return "its list is empty";
    if (sl_reader_left(list) % unit)
        return "its list has an odd length";
    return NULL;
}

/* RFC 6066 section 3: other name types also begin with a 16-bit length, so they can be skipped. */
static const char *parse_server_name(sl_client_hello_t *hello, sl_reader_t *body)
{
    sl_reader_t list, name;
    const char *wrong = parse_list(body, 2, 1, &list);

    while (!wrong && sl_reader_left(&list)) {
        unsigned type = sl_reader_u8(&list);

        sl_reader_vector(&list, 2, &name);
        if (list.failed)
            return "a name runs past its end";
        if (type != NAME_TYPE_HOST)
            continue;
        if (hello->has_server_name)
            return "two host names";
        if (!sl_reader_left(&name))
            return "an empty host name";
        hello->has_server_name = 1;
        hello->server_name = name;
    }
    return wrong;
}

static const char *parse_alpn(sl_client_hello_t *hello, sl_reader_t *body)
{
    sl_reader_t names, name;
    const char *wrong = parse_list(body, 2, 1, &hello->alpn);

    names = hello->alpn;
    while (!wrong && sl_reader_left(&names)) {
        sl_reader_vector(&names, 1, &name);
        if (names.failed)
            return "a protocol name runs past its end";
        if (!sl_reader_left(&name))
            return "an empty protocol name";
    }
    hello->has_alpn = 1;
    return wrong;
}

static const char *parse_extension(sl_client_hello_t *hello, unsigned type, sl_reader_t *body)
{
    switch (type) {
    case EXT_SERVER_NAME:
        return parse_server_name(hello, body);
    case EXT_SUPPORTED_GROUPS:
        return parse_list(body, 2, 2, &hello->groups);
    case EXT_EC_POINT_FORMATS:
        return parse_list(body, 1, 1, &hello->point_formats);
    case EXT_SIGNATURE_ALGORITHMS:
        return parse_list(body, 2, 2, &hello->signature_algorithms);
    case EXT_ALPN:
        return parse_alpn(hello, body);
    case EXT_SUPPORTED_VERSIONS:
        return parse_list(body, 1, 2, &hello->versions);
    case EXT_POST_HANDSHAKE_AUTH:
        hello->has_post_handshake_auth = 1;
        return sl_reader_left(body) ? "it must be empty" : NULL;
    case EXT_PRE_SHARED_KEY:
        hello->has_pre_shared_key = 1;
        return NULL;
    default:
        return NULL;
    }
}

static const char *extension_name(unsigned type)
{
    switch (type) {
    case EXT_SERVER_NAME:
        return " (server_name)";
    case EXT_SUPPORTED_GROUPS:
        return " (supported_groups)";
    case EXT_EC_POINT_FORMATS:
        return " (ec_point_formats)";
    case EXT_SIGNATURE_ALGORITHMS:
        return " (signature_algorithms)";
    case EXT_ALPN:
        return " (ALPN)";
    case EXT_PRE_SHARED_KEY:
        return " (pre_shared_key)";
    case EXT_SUPPORTED_VERSIONS:
        return " (supported_versions)";
    case EXT_POST_HANDSHAKE_AUTH:
        return " (post_handshake_auth)";
    default:
        return "";
    }
}

/* Was the type seen before? A bit each, because a hostile hello may hold 16,000 extensions. */
static int seen_before(apr_uint64_t seen[1024], unsigned type)
{
    apr_uint64_t bit = (apr_uint64_t)1 << (type & 63);
    int before = (seen[type >> 6] & bit) != 0;

    seen[type >> 6] |= bit;
    return before;
}

static const char *parse_one(sl_client_hello_t *hello, sl_reader_t *all, unsigned type, apr_uint64_t seen[1024])
{
    sl_reader_t body;

    sl_reader_vector(all, 2, &body);
    if (all->failed)
        return "it runs past the end of the hello";
    if (hello->has_pre_shared_key)
        return "it comes behind pre_shared_key, which must be last";
    if (seen_before(seen, type))
        return "it comes twice";
    return parse_extension(hello, type, &body);
}

static apr_status_t parse_extensions(sl_client_hello_t *hello, sl_problem_t *why)
{
    apr_uint64_t seen[1024] = {0};
    sl_reader_t all = hello->extensions;

    while (sl_reader_left(&all)) {
        unsigned type = sl_reader_u16(&all);
        const char *wrong = parse_one(hello, &all, type, seen);

        if (wrong)
            return sl_problem_set(why, APR_EINVAL, NULL, "extension %u%s: %s", type, extension_name(type), wrong);
    }
    return APR_SUCCESS;
}

/* The fields before the extensions; NULL or what is wrong. */
static const char *parse_front(sl_client_hello_t *hello, sl_reader_t *r)
{
    const unsigned char *random_bytes;

    hello->legacy_version = sl_reader_u16(r);
    random_bytes = sl_reader_take(r, RANDOM_SIZE);
    if (r->failed)
        return "the hello ends inside its random";
    sl_reader_init(&hello->random, random_bytes, RANDOM_SIZE);
    sl_reader_vector(r, 1, &hello->session_id);
    if (r->failed)
        return "the session id runs past the end of the hello";
    if (sl_reader_left(&hello->session_id) > SESSION_ID_MAX)
        return "the session id is longer than 32 bytes";
    sl_reader_vector(r, 2, &hello->cipher_suites);
    if (r->failed)
        return "the cipher suites run past the end of the hello";
    if (!sl_reader_left(&hello->cipher_suites) || sl_reader_left(&hello->cipher_suites) % 2)
        return "the list of cipher suites is empty or has an odd length";
    sl_reader_vector(r, 1, &hello->compressions);
    if (r->failed)
        return "the compression methods run past the end of the hello";
    if (!sl_reader_left(&hello->compressions))
        return "the list of compression methods is empty";
    if (!sl_reader_left(r)) /* TLS 1.2 and older: extensions may be left out altogether */
        return NULL;
    sl_reader_vector(r, 2, &hello->extensions);
    if (r->failed)
        return "the extensions run past the end of the hello";
    return sl_reader_left(r) ? "bytes are left behind the extensions" : NULL;
}

static unsigned find_highest_version(const sl_client_hello_t *hello)
{
    sl_reader_t versions = hello->versions;
    unsigned highest = 0;

    if (!sl_reader_left(&versions))
        return hello->legacy_version;
    while (sl_reader_left(&versions)) {
        unsigned version = sl_reader_u16(&versions);

        if (version > highest && !sl_hello_is_grease(version))
            highest = version;
    }
    return highest;
}

apr_status_t sl_client_hello_parse(sl_client_hello_t *hello, const unsigned char *message, apr_size_t length,
                                   sl_problem_t *why)
{
    sl_reader_t r, body;
    const char *wrong;
    unsigned type;
    apr_status_t rv;

    memset(hello, 0, sizeof(*hello));
    sl_reader_init(&r, message, length);
    type = sl_reader_u8(&r);
    sl_reader_vector(&r, 3, &body);
    if (r.failed || sl_reader_left(&r))
        return sl_problem_set(why, APR_EINVAL, NULL, "the handshake message is not as long as it says");
    if (type != MESSAGE_CLIENT_HELLO)
        return sl_problem_set(why, APR_EINVAL, NULL, "a handshake message of type %u, not a ClientHello", type);
    wrong = parse_front(hello, &body);
    if (wrong)
        return sl_problem_set(why, APR_EINVAL, NULL, "%s", wrong);
    rv = parse_extensions(hello, why);
    hello->highest_version = find_highest_version(hello);
    return rv;
}

int sl_client_hello_extension(const sl_client_hello_t *hello, unsigned type, sl_reader_t *body)
{
    sl_reader_t all = hello->extensions;

    while (sl_reader_left(&all)) {
        unsigned found = sl_reader_u16(&all);

        sl_reader_vector(&all, 2, body);
        if (found == type)
            return !all.failed;
    }
    memset(body, 0, sizeof(*body));
    return 0;
}

/* The fields as text. */

int sl_hello_is_grease(unsigned value)
{
    return value <= 0xffff && (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

static const char *version_name(apr_pool_t *pool, unsigned version)
{
    switch (version) {
    case 0x0300:
        return "SSLv3";
    case 0x0301:
        return "TLSv1";
    case 0x0302:
        return "TLSv1.1";
    case 0x0303:
        return "TLSv1.2";
    case 0x0304:
        return "TLSv1.3";
    default:
        return apr_psprintf(pool, "0x%04x", version);
    }
}

static int by_value_descending(const void *a, const void *b)
{
    return (int)u16_at(b) - (int)u16_at(a);
}

const char *sl_client_hello_versions_text(const sl_client_hello_t *hello, apr_pool_t *pool)
{
    apr_size_t length = sl_reader_left(&hello->versions);
    const char *text = "";
    unsigned char *sorted;

    if (!length)
        return version_name(pool, hello->legacy_version);
    sorted = apr_pmemdup(pool, hello->versions.at, length);
    qsort(sorted, length / 2, 2, by_value_descending);
    for (apr_size_t i = 0; i < length; i += 2) {
        if (sl_hello_is_grease(u16_at(sorted + i)) || (i && memcmp(sorted + i, sorted + i - 2, 2) == 0))
            continue;
        text = apr_pstrcat(pool, text, *text ? " " : "", version_name(pool, u16_at(sorted + i)), NULL);
    }
    return *text ? text : "-";
}

/* Writes `value` with `width` hex digits and a comma behind. */
static char *put_hex(char *at, unsigned value, int width)
{
    static const char digits[] = "0123456789abcdef";

    for (int shift = (width - 1) * 4; shift >= 0; shift -= 4)
        *at++ = digits[value >> shift & 15];
    *at++ = ',';
    return at;
}

/* Ends a text of put_hex(): NUL in the place of the last comma. */
static const char *end_hex(char *text, char *at)
{
    *(at > text ? at - 1 : at) = '\0';
    return text;
}

const char *sl_hello_list_u16(apr_pool_t *pool, sl_reader_t list)
{
    char *text = apr_palloc(pool, sl_reader_left(&list) / 2 * 5 + 1), *at = text;

    while (sl_reader_left(&list) >= 2)
        at = put_hex(at, sl_reader_u16(&list), 4);
    return end_hex(text, at);
}

const char *sl_hello_list_u8(apr_pool_t *pool, sl_reader_t list)
{
    char *text = apr_palloc(pool, sl_reader_left(&list) * 3 + 1), *at = text;

    while (sl_reader_left(&list))
        at = put_hex(at, sl_reader_u8(&list), 2);
    return end_hex(text, at);
}

sl_reader_t sl_hello_extension_list(apr_pool_t *pool, const sl_client_hello_t *hello)
{
    sl_reader_t all = hello->extensions, body, types;
    apr_size_t most = sl_reader_left(&all) / 2;
    sl_writer_t w;

    sl_writer_init(&w, apr_palloc(pool, most + 1), most);
    while (sl_reader_left(&all)) {
        sl_writer_u16(&w, sl_reader_u16(&all));
        sl_reader_vector(&all, 2, &body);
    }
    sl_reader_init(&types, w.start, sl_writer_length(&w));
    return types;
}

const char *sl_hello_extension_types(apr_pool_t *pool, const sl_client_hello_t *hello)
{
    return sl_hello_list_u16(pool, sl_hello_extension_list(pool, hello));
}
