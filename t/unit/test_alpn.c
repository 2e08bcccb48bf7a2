/* hello/alpn: protocol lists become names, malformed ones become nothing. */
#include "unit.h"

#include "hello/alpn.h"

#define LIST(text) text, sizeof(text) - 1

static void names_come_in_the_order_sent(void **state)
{
    apr_array_header_t *names = sl_alpn_names(*state, LIST("\2h2\10http/1.1\12acme-tls/1"));

    assert_int_equal(names->nelts, 3);
    assert_string_equal(APR_ARRAY_IDX(names, 0, const char *), "h2");
    assert_string_equal(APR_ARRAY_IDX(names, 1, const char *), "http/1.1");
    assert_string_equal(APR_ARRAY_IDX(names, 2, const char *), "acme-tls/1");
}

static void malformed_lists_have_no_names(void **state)
{
    assert_null(sl_alpn_names(*state, NULL, 0));
    assert_null(sl_alpn_names(*state, LIST("\x00")));
    assert_null(sl_alpn_names(*state, LIST("\x02h2\x00")));
    assert_null(sl_alpn_names(*state, LIST("\x03h2")));
    assert_null(sl_alpn_names(*state, LIST("\x02h2\x09http/1.1")));
    assert_string_equal(sl_alpn_text(*state, LIST("\x02h2\x09http/1.1")), "-");
}

/* "h2\0x" must not be taken for "h2" by code that compares C strings. */
static void a_name_with_a_nul_is_kept_out(void **state)
{
    apr_array_header_t *names = sl_alpn_names(*state, LIST("\x04h2\0x\x02h3"));

    assert_int_equal(names->nelts, 1);
    assert_string_equal(APR_ARRAY_IDX(names, 0, const char *), "h3");
}

static void the_log_text_is_escaped_and_bounded(void **state)
{
    char many[40], name[256];

    assert_string_equal(sl_alpn_text(*state, LIST("\x02h2\x08http/1.1")), "h2,http/1.1");
    assert_string_equal(sl_alpn_text(*state, LIST("\x04h2\0\n")), "h2\\x00\\x0a");
    assert_string_equal(sl_alpn_text(*state, NULL, 0), "-");
    for (int i = 0; i < 40; i += 2)
        memcpy(many + i, "\1a", 2);
    assert_string_equal(sl_alpn_text(*state, many, 40), "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,...");
    memset(name, 'n', sizeof(name));
    name[0] = '\xff';
    assert_string_equal(sl_alpn_text(*state, name, 256), "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...");
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(names_come_in_the_order_sent),
    UNIT_TEST(malformed_lists_have_no_names),
    UNIT_TEST(a_name_with_a_nul_is_kept_out),
    UNIT_TEST(the_log_text_is_escaped_and_bounded),
};

UNIT_MAIN(tests)
