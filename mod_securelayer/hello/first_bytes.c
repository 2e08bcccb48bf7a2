/* Tells apart what is not TLS, by as few bytes as that takes: a scanner or a lost client must not hold a connection
 * until its timeout, and who speaks plain HTTP gets an answer in plain HTTP.
 * Called by client_hello.c for each connection whose first byte is not 22. */
#include "hello/first_bytes.h"

#include "base/text.h"

#include <apr_errno.h>
#include <string.h>

#define METHOD_MAX 32
#define SSL2_HEADER 0x80 /* first byte of a two-byte SSLv2 record header, shorter than 256 bytes */
#define SSL2_CLIENT_HELLO 1
#define MOST_SHOWN 48

static const char proxy_v1[] = "PROXY ";
static const char proxy_v2[] = "\r\n\r\n\0\r\nQUIT\n";
static const char empty_line[] = "\r\n";
static const char http2_preface[] = "PRI * HTTP/2.0";

typedef enum { DIFFERENT, BEGINS, WHOLE } match_t;

/* Are the bytes `text`, or the beginning of it? */
static match_t match(const unsigned char *bytes, apr_size_t length, const char *text, apr_size_t text_length)
{
    if (memcmp(bytes, text, length < text_length ? length : text_length) != 0)
        return DIFFERENT;
    return length < text_length ? BEGINS : WHOLE;
}

static int is_upper(unsigned char byte)
{
    return byte >= 'A' && byte <= 'Z';
}

/* RFC 9110 section 5.6.2; not by isalnum(), which asks the locale. */
static int is_token(unsigned char byte)
{
    return is_upper(byte) || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
           (byte && strchr("!#$%&'*+-.^_`|~", byte));
}

static sl_hello_state_t read_method(const unsigned char *bytes, apr_size_t length)
{
    apr_size_t i = 0;

    if (match(bytes, length, empty_line, 2) == WHOLE) {
        bytes += 2;
        length -= 2;
    }
    else if (match(bytes, length, empty_line, 2) == BEGINS) {
        return SL_HELLO_MORE;
    }
    if (length && !is_upper(bytes[0]))
        return SL_HELLO_GARBAGE;
    while (i < length && i < METHOD_MAX && is_token(bytes[i]))
        i++;
    if (i == length)
        return SL_HELLO_MORE;
    return bytes[i] == ' ' ? SL_HELLO_HTTP : SL_HELLO_GARBAGE;
}

static const char *shown(sl_problem_t *why, const unsigned char *bytes, apr_size_t length)
{
    return why ? sl_text_escape(why->pool, bytes, length, MOST_SHOWN) : "";
}

static sl_hello_state_t tell_garbage(const unsigned char *bytes, apr_size_t length, sl_problem_t *why)
{
    sl_problem_set(why, APR_EINVAL, NULL, "neither TLS nor HTTP: \"%s\"", shown(why, bytes, length));
    return SL_HELLO_GARBAGE;
}

static sl_hello_state_t read_ssl2(const unsigned char *bytes, apr_size_t length, sl_problem_t *why)
{
    if (length < 3)
        return SL_HELLO_MORE;
    if (bytes[2] != SSL2_CLIENT_HELLO)
        return tell_garbage(bytes, length, why);
    sl_problem_set(why, APR_EINVAL, NULL, "the client speaks SSLv2 (its hello is in SSLv2 form)");
    return SL_HELLO_BAD;
}

static sl_hello_state_t tell_proxy(int version, sl_problem_t *why)
{
    sl_problem_set(why, APR_EINVAL, NULL,
                   "a PROXY protocol header (version %d) was seen, RemoteIPProxyProtocol On would read it", version);
    return SL_HELLO_GARBAGE;
}

static sl_hello_state_t tell_http(const unsigned char *bytes, apr_size_t length, sl_problem_t *why)
{
    apr_size_t begin = bytes[0] == '\r' ? 2 : 0, end = begin;

    while (end < length && bytes[end] != '\r' && bytes[end] != '\n')
        end++;
    if (match(bytes, length, http2_preface, sizeof(http2_preface) - 1) == WHOLE)
        sl_problem_set(why, APR_EINVAL, NULL, "plain HTTP/2 without TLS: \"%s\"", http2_preface);
    else
        sl_problem_set(why, APR_EINVAL, NULL, "plain HTTP: \"%s\"", shown(why, bytes + begin, end - begin));
    return SL_HELLO_HTTP;
}

sl_hello_state_t sl_first_bytes_read(const unsigned char *bytes, apr_size_t length, sl_problem_t *why)
{
    match_t v2 = match(bytes, length, proxy_v2, sizeof(proxy_v2) - 1);
    sl_hello_state_t state;

    if (bytes[0] == SSL2_HEADER)
        return read_ssl2(bytes, length, why);
    if (match(bytes, length, proxy_v1, sizeof(proxy_v1) - 1) == WHOLE)
        return tell_proxy(1, why);
    if (v2 == WHOLE)
        return tell_proxy(2, why);
    state = read_method(bytes, length);
    if (state == SL_HELLO_HTTP)
        return tell_http(bytes, length, why);
    if (state == SL_HELLO_MORE || v2 == BEGINS)
        return SL_HELLO_MORE;
    return tell_garbage(bytes, length, why);
}
