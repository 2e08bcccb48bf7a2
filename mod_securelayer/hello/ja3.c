/* JA3. Asked for by the variables SSL_JA3 and SSL_JA3_HASH, so at most once per connection. */
#include "hello/ja3.h"

#include "base/text.h"

#include <apr_md5.h>
#include <apr_strings.h>
#include <string.h>

#define DIGITS_MAX 6 /* "65535" and the character behind it */

/* Decimal values of `unit` bytes each joined by "-", GREASE left out. */
static const char *join(apr_pool_t *pool, sl_reader_t list, apr_size_t unit)
{
    char *text = apr_palloc(pool, sl_reader_left(&list) / unit * DIGITS_MAX + 1), *at = text;

    while (sl_reader_left(&list) >= unit) {
        unsigned value = unit == 2 ? sl_reader_u16(&list) : sl_reader_u8(&list);

        if (unit == 2 && sl_hello_is_grease(value))
            continue;
        if (at > text)
            *at++ = '-';
        at += apr_snprintf(at, DIGITS_MAX, "%u", value);
    }
    *at = '\0';
    return text;
}

const char *sl_ja3_text(const sl_client_hello_t *hello, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%u,%s,%s,%s,%s", hello->legacy_version, join(pool, hello->cipher_suites, 2),
                        join(pool, sl_hello_extension_list(pool, hello), 2), join(pool, hello->groups, 2),
                        join(pool, hello->point_formats, 1));
}

const char *sl_ja3_hash(const sl_client_hello_t *hello, apr_pool_t *pool)
{
    const char *text = sl_ja3_text(hello, pool);
    unsigned char digest[APR_MD5_DIGESTSIZE];

    apr_md5(digest, text, strlen(text));
    return sl_text_hex(pool, digest, sizeof(digest));
}
