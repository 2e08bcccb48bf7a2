/* Text helpers used by every layer. */
#include "base/text.h"

#include <apr_lib.h>
#include <string.h>
#include <strings.h>

static const char digits[] = "0123456789abcdef";

static const char *escape(apr_pool_t *pool, const void *text, apr_size_t length, apr_size_t most, const char *also)
{
    const unsigned char *in = text;
    apr_size_t shown = length > most ? most : length;
    char *out = apr_palloc(pool, shown * 4 + 4);
    char *at = out;

    for (apr_size_t i = 0; i < shown; i++) {
        if (in[i] >= 0x20 && in[i] < 0x7f && !strchr(also, in[i])) {
            *at++ = (char)in[i];
            continue;
        }
        *at++ = '\\';
        *at++ = 'x';
        *at++ = digits[in[i] >> 4];
        *at++ = digits[in[i] & 15];
    }
    if (shown < length) {
        memcpy(at, "...", 3);
        at += 3;
    }
    *at = '\0';
    return out;
}

const char *sl_text_escape(apr_pool_t *pool, const void *text, apr_size_t length, apr_size_t most)
{
    return escape(pool, text, length, most, "\\\"");
}

const char *sl_text_printable(apr_pool_t *pool, const char *text, apr_size_t most)
{
    return escape(pool, text, strlen(text), most, "");
}

char *sl_text_hex(apr_pool_t *pool, const void *bytes, apr_size_t length)
{
    const unsigned char *in = bytes;
    char *hex = apr_palloc(pool, length * 2 + 1);

    for (apr_size_t i = 0; i < length; i++) {
        hex[i * 2] = digits[in[i] >> 4];
        hex[i * 2 + 1] = digits[in[i] & 15];
    }
    hex[length * 2] = '\0';
    return hex;
}

int sl_text_host(char *host, const void *name, apr_size_t length)
{
    const unsigned char *in = name;

    if (length && in[length - 1] == '.')
        length--;
    if (!length || length > SL_HOST_MAX)
        return 0;
    for (apr_size_t i = 0; i < length; i++) {
        if (in[i] <= 0x20 || in[i] >= 0x7f)
            return 0;
        host[i] = (char)apr_tolower(in[i]);
    }
    host[length] = '\0';
    return 1;
}

int sl_text_is_dns_name(const char *host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *label = host;
    apr_size_t length;

    if (strlen(host) > SL_HOST_MAX)
        return 0;
    while ((length = strspn(label, allowed)) > 0 && length <= 63 && label[length] == '.')
        label += length + 1;
    return length > 0 && length <= 63 && !label[length] && strspn(label, "0123456789") != length;
}

int sl_text_is_web(const char *text, apr_size_t length)
{
    return (length >= 7 && !strncasecmp(text, "http://", 7)) || (length >= 8 && !strncasecmp(text, "https://", 8));
}

int sl_text_match(const char *pattern, const char *host)
{
    const char *retry_pattern = NULL, *retry_host = NULL;

    while (*host) {
        if (*pattern == '*') {
            retry_pattern = ++pattern;
            retry_host = host;
        }
        else if (*pattern == '?' || apr_tolower(*(const unsigned char *)pattern) == *host) {
            pattern++;
            host++;
        }
        else if (retry_pattern) {
            pattern = retry_pattern;
            host = ++retry_host;
        }
        else {
            return 0;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}
