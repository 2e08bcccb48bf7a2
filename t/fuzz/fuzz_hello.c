/* Fuzz target: the first bytes of a connection.  The first byte of the input chooses in what pieces the others come.
 * Beyond memory errors it checks that pieces change nothing: the bytes in one go lie in memory of exactly their size
 * and must give the same answer. */
#include "hello/alpn.h"
#include "hello/client_hello.h"
#include "hello/ja3.h"
#include "hello/ja4.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sl_hello_state_t read_in_pieces(apr_pool_t *pool, sl_client_hello_t *hello, const uint8_t *data, size_t size,
                                       size_t piece, sl_problem_t *why)
{
    sl_hello_state_t state = SL_HELLO_MORE;
    sl_hello_buffer_t buffer;

    sl_hello_buffer_init(&buffer, pool);
    while (size && state == SL_HELLO_MORE) {
        apr_size_t space, taken = size < piece ? size : piece;
        unsigned char *room = sl_hello_buffer_room(&buffer, &space);

        if (!room)
            abort(); /* a full buffer cannot want more */
        taken = taken < space ? taken : space;
        memcpy(room, data, taken);
        buffer.length += taken;
        data += taken;
        size -= taken;
        state = sl_client_hello_read(hello, &buffer, why);
    }
    if ((state == SL_HELLO_MORE || state == SL_HELLO_DONE) != (why->status == APR_SUCCESS))
        abort(); /* what is refused has a reason, nothing else has */
    return state;
}

/* Everything that is computed from a hello, as one text. */
static const char *describe(apr_pool_t *pool, const sl_client_hello_t *hello)
{
    apr_size_t alpn_length = (apr_size_t)(hello->alpn.end - hello->alpn.at);
    apr_array_header_t *names = sl_alpn_names(pool, hello->alpn.at, alpn_length);
    sl_reader_t body;

    return apr_pstrcat(
        pool, sl_ja3_text(hello, pool), " ", sl_ja3_hash(hello, pool), " ", sl_ja4(hello, pool), " ",
        sl_client_hello_versions_text(hello, pool), " ", sl_hello_list_u16(pool, hello->cipher_suites), " ",
        sl_hello_extension_types(pool, hello), " ", sl_hello_list_u16(pool, hello->groups), " ",
        sl_hello_list_u8(pool, hello->point_formats), " ", sl_hello_list_u16(pool, hello->signature_algorithms), " ",
        sl_alpn_text(pool, hello->alpn.at, alpn_length), " ", names ? apr_array_pstrcat(pool, names, ',') : "-", " ",
        sl_client_hello_extension(hello, 51, &body) ? apr_itoa(pool, (int)sl_reader_left(&body)) : "-", NULL);
}

static void check_in_one_go(apr_pool_t *pool, const uint8_t *data, size_t size, sl_hello_state_t expected,
                            const char *text)
{
    sl_hello_buffer_t buffer = {.pool = pool, .length = size < SL_HELLO_MAX ? size : SL_HELLO_MAX};
    sl_client_hello_t hello;

    buffer.size = buffer.length;
    buffer.bytes = malloc(buffer.length + !buffer.length);
    memcpy(buffer.bytes, data, buffer.length);
    if (sl_client_hello_read(&hello, &buffer, NULL) != expected)
        abort();
    if (expected == SL_HELLO_DONE && strcmp(describe(pool, &hello), text) != 0)
        abort();
    free(buffer.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t pieces[] = {1, 2, 3, 5, 16, 100, 1460, SL_HELLO_MAX};
    static apr_pool_t *root;
    sl_client_hello_t hello;
    sl_hello_state_t state;
    apr_pool_t *pool;
    size_t piece;

    if (!size)
        return 0;
    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    apr_pool_create(&pool, root);
    piece = pieces[*data & 7];
    state = read_in_pieces(pool, &hello, data + 1, size - 1, piece, sl_problem_make(pool));
    check_in_one_go(pool, data + 1, size - 1, state, state == SL_HELLO_DONE ? describe(pool, &hello) : "");
    apr_pool_destroy(pool);
    return 0;
}
