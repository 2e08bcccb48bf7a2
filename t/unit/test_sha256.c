/* base/sha256: the examples of FIPS 180-4's companion (SHA-256 with one block, two blocks, a million letters) and
 * every length around the block border, where padding goes wrong. */
#include "unit.h"

#include "base/sha256.h"
#include "base/text.h"

static const char *sum(apr_pool_t *pool, const void *bytes, apr_size_t length)
{
    unsigned char digest[SL_SHA256_SIZE];

    sl_sha256(digest, bytes, length);
    return sl_text_hex(pool, digest, sizeof(digest));
}

static void the_published_examples_come_out(void **state)
{
    const char *two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    const char *four_rows = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
                            "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
    char *million = apr_palloc(*state, 1000000);

    memset(million, 'a', 1000000);
    assert_string_equal(sum(*state, NULL, 0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_string_equal(sum(*state, "abc", 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_string_equal(sum(*state, two_blocks, 56),
                        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_string_equal(sum(*state, four_rows, 112),
                        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    assert_string_equal(sum(*state, million, 1000000),
                        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* The reference sums were made with coreutils' sha256sum. */
static void lengths_around_the_block_border_are_padded_right(void **state)
{
    static const struct {
        apr_size_t length;
        const char *sum;
    } cases[] = {
        {1, "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"},
        {55, "d5e285683cd4efc02d021a5c62014694958901005d6f71e89e0989fac77e4072"},
        {56, "04c26261370ee7541549d16dee320c723e3fd14671e66a099afe0a377c16888e"},
        {57, "ae14a2563ccf969d99aca69ce6bb74981f734bbf9f655f73b8f06db68cab5217"},
        {63, "75220b47218278e656f2013bb8f0c455a25eaf01e86c64924e9d48d89776d6f2"},
        {64, "7ce100971f64e7001e8fe5a51973ecdfe1ced42befe7ee8d5fd6219506b5393c"},
        {65, "9537c5fdf120482f7d58d25e9ed583f52c02b4e304ea814db1633ad565aed7e9"},
        {119, "000b48d4edf0fa7bee3c6236ecd2785baa5db4eeb8bb54341b029e0d9fa5fb0c"},
        {120, "13f05a0b594787f5ecd315edc96141bd3243203d1b7d4f0836f37308b276ba98"},
        {127, "70156a14adbabf98cff3a71c7084b417abf057a8efd27329ca36b7202c87d81f"},
        {128, "24da1b81d0b16df6428eee73c69fcb2a93c76bc6df706f0c6670fe6bfe800464"},
        {129, "0ec9eb33e74510bcdd1f2ea55206e82f21649c5c2becbf2b433eb475b34c01bd"},
    };
    char letters[200];

    memset(letters, 'x', sizeof(letters));
    for (apr_size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(sum(*state, letters, cases[i].length), cases[i].sum);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(the_published_examples_come_out),
    UNIT_TEST(lengths_around_the_block_border_are_padded_right),
};

UNIT_MAIN(tests)
