/* Hellos put together by hand.  Everything is hexadecimal text in a pool until it is fed, so that a test can write
 * down any bytes, wrong lengths too; blanks in it are skipped. */
#ifndef SL_T_HELLO_BUILD_H
#define SL_T_HELLO_BUILD_H

#include "unit.h"

#include "base/text.h"
#include "hello/client_hello.h"

#include <stdlib.h>

#define RANDOM_HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

typedef struct bytes_t {
    unsigned char *at;
    apr_size_t length;
} bytes_t;

__attribute__((unused)) static bytes_t unhex(apr_pool_t *pool, const char *hex)
{
    bytes_t bytes = {apr_palloc(pool, strlen(hex) / 2 + 1), 0};

    while (*hex) {
        char digits[3] = {hex[0], hex[1], '\0'};

        if (*hex == ' ') {
            hex++;
            continue;
        }
        bytes.at[bytes.length++] = (unsigned char)strtol(digits, NULL, 16);
        hex += 2;
    }
    return bytes;
}

/* `body` with its length in front. */
__attribute__((unused)) static const char *vector(apr_pool_t *pool, int prefix_bytes, const char *body)
{
    return apr_psprintf(pool, "%0*x%s", prefix_bytes * 2, (unsigned)unhex(pool, body).length, body);
}

/* The same values without the commas of "1301,1302". */
__attribute__((unused)) static const char *values(apr_pool_t *pool, const char *list)
{
    char *out = apr_pstrdup(pool, list);

    for (char *at = out; *at; at++)
        if (*at == ',')
            *at = ' ';
    return out;
}

__attribute__((unused)) static const char *extension(apr_pool_t *pool, unsigned type, const char *body)
{
    return apr_psprintf(pool, "%04x%s", type, vector(pool, 2, body));
}

__attribute__((unused)) static const char *server_name(apr_pool_t *pool, const char *name)
{
    const char *entry = vector(pool, 2, sl_text_hex(pool, name, strlen(name)));

    return extension(pool, 0, vector(pool, 2, apr_pstrcat(pool, "00", entry, NULL)));
}

/* A handshake message; `extensions` NULL leaves the whole block out. */
__attribute__((unused)) static const char *message(apr_pool_t *pool, unsigned version, const char *ciphers,
                                                   const char *extensions)
{
    const char *body = apr_psprintf(pool, "%04x" RANDOM_HEX "00%s0100%s", version, vector(pool, 2, ciphers),
                                    extensions ? vector(pool, 2, extensions) : "");

    return apr_psprintf(pool, "01%s", vector(pool, 3, body));
}

__attribute__((unused)) static const char *record(apr_pool_t *pool, const char *body)
{
    return apr_psprintf(pool, "160301%s", vector(pool, 2, body));
}

/* Feeds `bytes` in pieces of at most `piece` bytes until something other than MORE is said. */
__attribute__((unused)) static sl_hello_state_t feed(sl_client_hello_t *hello, sl_hello_buffer_t *buffer, bytes_t bytes,
                                                     apr_size_t piece, sl_problem_t *why)
{
    sl_hello_state_t state = SL_HELLO_MORE;

    while (bytes.length && state == SL_HELLO_MORE) {
        apr_size_t space, taken = piece < bytes.length ? piece : bytes.length;
        unsigned char *room = sl_hello_buffer_room(buffer, &space);

        assert_non_null(room);
        taken = taken < space ? taken : space;
        memcpy(room, bytes.at, taken);
        buffer->length += taken;
        bytes.at += taken;
        bytes.length -= taken;
        state = sl_client_hello_read(hello, buffer, why);
    }
    return state;
}

__attribute__((unused)) static sl_hello_state_t feed_hex(apr_pool_t *pool, sl_client_hello_t *hello, const char *hex,
                                                         sl_problem_t *why)
{
    sl_hello_buffer_t buffer;

    sl_hello_buffer_init(&buffer, pool);
    return feed(hello, &buffer, unhex(pool, hex), SL_HELLO_MAX, why);
}

#endif
