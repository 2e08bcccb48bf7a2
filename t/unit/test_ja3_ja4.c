/* hello/ja3 and hello/ja4: what was published comes out, and what real clients send gets the fingerprint that other
 * programs give it. */
#include "unit.h"

#include "hello/ja3.h"
#include "hello/ja4.h"

#include "hello_build.h"
#include "hello_samples.h"

static sl_client_hello_t *hello_of(apr_pool_t *pool, unsigned version, const char *ciphers, const char *extensions)
{
    sl_client_hello_t *hello = apr_palloc(pool, sizeof(*hello));
    bytes_t bytes = unhex(pool, message(pool, version, ciphers, extensions));
    sl_problem_t *why = sl_problem_make(pool);

    if (sl_client_hello_parse(hello, bytes.at, bytes.length, why) != APR_SUCCESS)
        fail_msg("%s", why->reason);
    return hello;
}

static void ja3_gives_the_published_hashes(void **state)
{
    sl_client_hello_t *hello;
    const char *extensions = apr_pstrcat(*state, server_name(*state, "example.org"),
                                         extension(*state, 10, vector(*state, 2, "0017 0018 0019")),
                                         extension(*state, 11, vector(*state, 1, "00")), NULL);

    hello = hello_of(*state, 0x0301, "002f 0035 0005 000a c009 c00a c013 c014 0032 0038 0013 0004", extensions);
    assert_string_equal(sl_ja3_text(hello, *state),
                        "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0");
    assert_string_equal(sl_ja3_hash(hello, *state), "ada70206e40642a3e4461f35503241d5");

    hello = hello_of(*state, 0x0301, "0004 0005 000a 0009 0064 0062 0003 0006 0013 0012 0063", NULL);
    assert_string_equal(sl_ja3_text(hello, *state), "769,4-5-10-9-100-98-3-6-19-18-99,,,");
    assert_string_equal(sl_ja3_hash(hello, *state), "de350869b8c85de67a350c8d186f11e6");
}

static void ja3_leaves_grease_out(void **state)
{
    const char *extensions =
        apr_pstrcat(*state, extension(*state, 0x1a1a, ""), extension(*state, 11, vector(*state, 1, "00 01 02")),
                    extension(*state, 10, vector(*state, 2, "2a2a 001d 0017")), extension(*state, 0xfafa, "00"), NULL);

    assert_string_equal(sl_ja3_text(hello_of(*state, 0x0303, "0a0a 1301 1302", extensions), *state),
                        "771,4865-4866,11-10,29-23,0-1-2");
}

#define CHROME_CIPHERS "1301 1302 1303 c02b c02f c02c c030 cca9 cca8 c013 c014 009c 009d 002f 0035"
#define CHROME_SIGALGS "0403 0804 0401 0503 0805 0501 0806 0601"

/* The hello of FoxIO's worked example, in the order of its capture, GREASE in all places. */
static const char *chrome_extensions(apr_pool_t *pool, const char *sigalgs)
{
    const char *alpn = extension(pool, 16, vector(pool, 2, "026832 08687474702f312e31"));

    return apr_pstrcat(pool, extension(pool, 0x3a3a, ""), extension(pool, 0x001b, "020002"),
                       server_name(pool, "example.com"), extension(pool, 0x0033, ""), alpn,
                       extension(pool, 0x4469, "0003026832"), extension(pool, 0x0017, ""),
                       extension(pool, 0x002d, "0101"), extension(pool, 13, vector(pool, 2, sigalgs)),
                       extension(pool, 0x0005, "0100000000"), extension(pool, 0x0023, ""), extension(pool, 0x0012, ""),
                       extension(pool, 0x002b, vector(pool, 1, "dada 0304 0303")), extension(pool, 0xff01, "00"),
                       extension(pool, 0x000b, "0100"), extension(pool, 0x000a, vector(pool, 2, "6a6a 001d 0017 0018")),
                       extension(pool, 0x8a8a, "00"), extension(pool, 0x0015, "0000"), NULL);
}

static void ja4_gives_the_published_fingerprint(void **state)
{
    sl_client_hello_t *hello =
        hello_of(*state, 0x0303, "8a8a " CHROME_CIPHERS, chrome_extensions(*state, "4a4a " CHROME_SIGALGS));

    assert_string_equal(sl_ja4(hello, *state), "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

/* The second example, which has no signature algorithms. Such a hello is malformed unless what it has is GREASE. */
static void ja4_has_no_underscore_without_signature_algorithms(void **state)
{
    sl_client_hello_t *hello = hello_of(*state, 0x0303, CHROME_CIPHERS, chrome_extensions(*state, "4a4a"));

    assert_string_equal(sl_ja4(hello, *state), "t13d1516h2_8daaf6152771_6d807ffa2a79");
}

static void ja4_of_next_to_nothing_is_zeros(void **state)
{
    assert_string_equal(sl_ja4(hello_of(*state, 0x0301, "0a0a", NULL), *state), "t10i000000_000000000000_000000000000");
    assert_string_equal(sl_ja4(hello_of(*state, 0x0300, "0a0a", server_name(*state, "a")), *state),
                        "ts3d000100_000000000000_000000000000");
}

static void ja4_knows_the_versions(void **state)
{
    static const struct {
        const char *versions, *code;
    } cases[] = {{"0304", "13"}, {"0303 0302", "12"}, {"0302", "11"}, {"0301", "10"}, {"0300", "s3"},
                 {"0301 0304 0302", "13"}, {"fafa 0303", "12"}, {"0a0a", "00"}, {"0999", "00"}};

    for (apr_size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *versions = extension(*state, 43, vector(*state, 1, cases[i].versions));
        const char *ja4 = sl_ja4(hello_of(*state, 0x0303, "1301", versions), *state);

        assert_memory_equal(ja4 + 1, cases[i].code, 2);
    }
}

static void ja4_takes_first_and_last_of_the_first_protocol(void **state)
{
    static const struct {
        const char *name, *code;
    } cases[] = {{"6832", "h2"}, {"687474702f312e31", "h1"}, {"61", "aa"}, {"ab", "ab"}, {"abcd", "ad"},
                 {"30ab", "3b"}, {"ab31", "a1"}, {"3031abcd", "3d"}, {"30abcd31", "01"}, {"20", "20"}};

    for (apr_size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *list = vector(*state, 2, apr_pstrcat(*state, vector(*state, 1, cases[i].name), "026832", NULL));
        const char *ja4 = sl_ja4(hello_of(*state, 0x0303, "1301", extension(*state, 16, list)), *state);

        assert_memory_equal(ja4 + 8, cases[i].code, 2);
    }
}

static void ja4_counts_to_ninety_nine(void **state)
{
    const char *ciphers = "", *extensions = "";

    for (unsigned i = 0; i < 120; i++) {
        ciphers = apr_psprintf(*state, "%s%04x", ciphers, 0xc000 + i);
        extensions = apr_pstrcat(*state, extensions, extension(*state, 0x5000 + i, ""), NULL);
    }
    assert_memory_equal(sl_ja4(hello_of(*state, 0x0303, ciphers, extensions), *state), "t12i9999", 8);
}

static void real_clients_get_the_fingerprints_other_programs_give_them(void **state)
{
    for (apr_size_t i = 0; i < HELLO_SAMPLES; i++) {
        sl_client_hello_t hello;

        assert_int_equal(feed_hex(*state, &hello, hello_samples[i].hex, NULL), SL_HELLO_DONE);
        assert_string_equal(sl_ja3_hash(&hello, *state), hello_samples[i].ja3_hash);
        assert_string_equal(sl_ja4(&hello, *state), hello_samples[i].ja4);
    }
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(ja3_gives_the_published_hashes),
    UNIT_TEST(ja3_leaves_grease_out),
    UNIT_TEST(ja4_gives_the_published_fingerprint),
    UNIT_TEST(ja4_has_no_underscore_without_signature_algorithms),
    UNIT_TEST(ja4_of_next_to_nothing_is_zeros),
    UNIT_TEST(ja4_knows_the_versions),
    UNIT_TEST(ja4_takes_first_and_last_of_the_first_protocol),
    UNIT_TEST(ja4_counts_to_ninety_nine),
    UNIT_TEST(real_clients_get_the_fingerprints_other_programs_give_them),
};

UNIT_MAIN(tests)
