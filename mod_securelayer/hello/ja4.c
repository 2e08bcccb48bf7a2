/* JA4, as "JA4: TLS Client Fingerprinting" of FoxIO's technical details has it. Asked for by the variable SSL_JA4. */
#include "hello/ja4.h"

#include "base/sha256.h"
#include "base/text.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#define EXT_SERVER_NAME 0x0000
#define EXT_ALPN 0x0010
#define MOST_COUNTED 99
#define HASH_BYTES 6

static const char *version_code(unsigned version)
{
    switch (version) {
    case 0x0304:
        return "13";
    case 0x0303:
        return "12";
    case 0x0302:
        return "11";
    case 0x0301:
        return "10";
    case 0x0300:
        return "s3";
    case 0x0002:
        return "s2";
    default:
        return "00";
    }
}

static int is_name_or_alpn(unsigned type)
{
    return type == EXT_SERVER_NAME || type == EXT_ALPN;
}

/* A copy of a list of 2-byte values without some of them. */
static sl_reader_t without(apr_pool_t *pool, sl_reader_t list, int (*is_left_out)(unsigned))
{
    apr_size_t size = sl_reader_left(&list);
    sl_reader_t kept;
    sl_writer_t w;

    sl_writer_init(&w, apr_palloc(pool, size + 1), size);
    while (sl_reader_left(&list)) {
        unsigned value = sl_reader_u16(&list);

        if (!is_left_out(value))
            sl_writer_u16(&w, value);
    }
    sl_reader_init(&kept, w.start, sl_writer_length(&w));
    return kept;
}

static unsigned count(sl_reader_t list)
{
    apr_size_t values = sl_reader_left(&list) / 2;

    return values > MOST_COUNTED ? MOST_COUNTED : (unsigned)values;
}

static int is_alphanumeric(unsigned char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

/* First and last character of the first protocol, or of its hex form if one of them is no letter or digit. */
static void alpn_code(const sl_client_hello_t *hello, apr_pool_t *pool, char code[2])
{
    sl_reader_t all = hello->alpn, name;
    apr_size_t length;
    const char *text;

    code[0] = code[1] = '0';
    if (!sl_reader_left(&all))
        return;
    sl_reader_vector(&all, 1, &name);
    length = sl_reader_left(&name);
    if (!length)
        return;
    text = (const char *)name.at;
    if (!is_alphanumeric(name.at[0]) || !is_alphanumeric(name.at[length - 1])) {
        text = sl_text_hex(pool, name.at, length);
        length *= 2;
    }
    code[0] = text[0];
    code[1] = text[length - 1];
}

static int by_value(const void *a, const void *b)
{
    return memcmp(a, b, 2);
}

static const char *sorted_text(apr_pool_t *pool, sl_reader_t list)
{
    apr_size_t length = sl_reader_left(&list);
    void *values = apr_pmemdup(pool, list.at, length);

    qsort(values, length / 2, 2, by_value);
    sl_reader_init(&list, values, length);
    return sl_hello_list_u16(pool, list);
}

/* The first twelve hex digits of the SHA-256 of a text; zeros if there was nothing to hash. */
static const char *hash(apr_pool_t *pool, const char *text)
{
    unsigned char digest[SL_SHA256_SIZE];

    if (!*text)
        return "000000000000";
    sl_sha256(digest, text, strlen(text));
    return sl_text_hex(pool, digest, HASH_BYTES);
}

/* Extension types sorted, then the signature algorithms as they came. */
static const char *extensions_text(apr_pool_t *pool, sl_reader_t extensions, sl_reader_t algorithms)
{
    const char *types = sorted_text(pool, without(pool, extensions, is_name_or_alpn));

    if (!sl_reader_left(&algorithms))
        return types;
    return apr_pstrcat(pool, types, "_", sl_hello_list_u16(pool, algorithms), NULL);
}

const char *sl_ja4(const sl_client_hello_t *hello, apr_pool_t *pool)
{
    sl_reader_t ciphers = without(pool, hello->cipher_suites, sl_hello_is_grease);
    sl_reader_t extensions = without(pool, sl_hello_extension_list(pool, hello), sl_hello_is_grease);
    sl_reader_t algorithms = without(pool, hello->signature_algorithms, sl_hello_is_grease);
    sl_reader_t body;
    char alpn[2];

    alpn_code(hello, pool, alpn);
    return apr_psprintf(pool, "t%s%c%02u%02u%c%c_%s_%s", version_code(hello->highest_version),
                        sl_client_hello_extension(hello, EXT_SERVER_NAME, &body) ? 'd' : 'i', count(ciphers),
                        count(extensions), alpn[0], alpn[1], hash(pool, sorted_text(pool, ciphers)),
                        hash(pool, extensions_text(pool, extensions, algorithms)));
}
