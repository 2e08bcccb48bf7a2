/* Variables about the ClientHello, as the client sent it and as its fingerprints.  Hexadecimal without separators,
 * GREASE included, as httpd's trunk has them. */
#include "httpd/variable_getters.h"

#include <apr_strings.h>

#include "base/text.h"
#include "hello/ja3.h"
#include "hello/ja4.h"

static sl_reader_t part_of(const sl_question_t *q, int part)
{
    const sl_client_hello_t *hello = q->tls->hello;

    switch (part) {
    case SL_HELLO_CIPHERS:
        return hello->cipher_suites;
    case SL_HELLO_EXTENSIONS:
        return sl_hello_extension_list(q->pool, hello);
    case SL_HELLO_GROUPS:
        return hello->groups;
    case SL_HELLO_EC_FORMATS:
        return hello->point_formats;
    case SL_HELLO_SIG_ALGOS:
        return hello->signature_algorithms;
    case SL_HELLO_ALPN:
        return hello->alpn;
    default:
        return hello->versions;
    }
}

const char *sl_var_hello(const sl_question_t *q, int argument)
{
    sl_reader_t part;

    if (argument == SL_HELLO_VERSION)
        return apr_psprintf(q->pool, "%04x", q->tls->hello->legacy_version);
    part = part_of(q, argument);
    return sl_text_hex(q->pool, part.at, sl_reader_left(&part));
}

const char *sl_var_ja3(const sl_question_t *q, int argument)
{
    (void)argument;
    return sl_ja3_text(q->tls->hello, q->pool);
}

const char *sl_var_ja3_hash(const sl_question_t *q, int argument)
{
    (void)argument;
    return sl_ja3_hash(q->tls->hello, q->pool);
}

const char *sl_var_ja4(const sl_question_t *q, int argument)
{
    (void)argument;
    return sl_ja4(q->tls->hello, q->pool);
}
