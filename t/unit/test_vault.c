/* vault: bytes come back as they were, places that are given back are cleansed and used again, and none of it is in a
 * core dump. */
#include "unit.h"

#include "base/vault.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT 20000
#define HEAD 16 /* of a place that was given back */

static unsigned char *filled(apr_pool_t *pool, apr_size_t length, unsigned seed)
{
    unsigned char *bytes = apr_palloc(pool, length + 1);

    for (apr_size_t i = 0; i < length; i++)
        bytes[i] = (unsigned char)(seed + i * 7 + 1);
    return bytes;
}

static apr_size_t length_of(int i)
{
    static const apr_size_t lengths[] = {0, 1, 63, 64, 65, 700, 1500, 4096, 16384};

    return lengths[i % 9];
}

static void bytes_come_back(void **state)
{
    sl_vault_t *vault = sl_vault_new();
    unsigned char **kept = apr_palloc(*state, sizeof(*kept) * COUNT), *one[9];

    assert_non_null(vault);
    for (int k = 0; k < 9; k++)
        one[k] = filled(*state, length_of(k), (unsigned)k);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COUNT; i++) {
            kept[i] = sl_vault_keep(vault, one[i % 9], length_of(i));
            assert_non_null(kept[i]);
            assert_int_equal((uintptr_t)kept[i] % sizeof(void *), 0);
        }
        for (int i = 0; i < COUNT; i++)
            assert_memory_equal(kept[i], one[i % 9], length_of(i));
        for (int i = 0; i < COUNT; i += 1 + round)
            sl_vault_drop(vault, kept[i], length_of(i));
    }
    for (int i = 1; i < COUNT; i += 2) /* what is beside a place is left alone */
        assert_memory_equal(kept[i], one[i % 9], length_of(i));
    sl_vault_free(vault);
}

static void places_are_used_again(void **state)
{
    sl_vault_t *vault = sl_vault_new();
    const unsigned char *bytes = filled(*state, 40000, 0);
    static const apr_size_t lengths[] = {1, 64, 1000, 16320, 16384, 40000};
    unsigned char *kept[6], *other[6];

    for (int i = 0; i < 6; i++)
        kept[i] = sl_vault_keep(vault, bytes, lengths[i]);
    for (int i = 0; i < 6; i++)
        sl_vault_drop(vault, kept[i], lengths[i]);
    for (int i = 5; i >= 0; i--) { /* of about the same length */
        other[i] = sl_vault_keep(vault, bytes, lengths[i] - (i > 1 ? 3 : 0));
        assert_ptr_equal(other[i], kept[i]);
        assert_memory_equal(other[i], bytes, lengths[i] - (i > 1 ? 3 : 0));
    }
    for (int i = 0; i < 6; i++) { /* each only once */
        other[i] = sl_vault_keep(vault, bytes, lengths[i]);
        for (int k = 0; k < 6; k++)
            assert_ptr_not_equal(other[i], kept[k]);
    }
    sl_vault_drop(vault, NULL, 0);
    sl_vault_free(vault);
}

static void what_is_given_back_is_cleansed(void **state)
{
    static const apr_size_t lengths[] = {64, 1000, 40000, 3 << 20};
    sl_vault_t *vault = sl_vault_new();

    for (int i = 0; i < 4; i++) {
        unsigned char *kept = sl_vault_keep(vault, filled(*state, lengths[i], 1), lengths[i]);

        assert_int_not_equal(kept[lengths[i] - 1] | kept[HEAD] | kept[HEAD + 1], 0);
        sl_vault_drop(vault, kept, lengths[i]);
        for (apr_size_t at = HEAD; at < lengths[i]; at++)
            assert_int_equal(kept[at], 0);
    }
    sl_vault_free(vault);
}

static void large_ones_have_their_place(void **state)
{
    static const apr_size_t lengths[] = {1 << 19, 1 << 20, (1 << 20) - 64, (1 << 20) - 63, 5 << 20};
    sl_vault_t *vault = sl_vault_new();
    unsigned char *kept[5], *small[5];

    for (int i = 0; i < 5; i++) {
        kept[i] = sl_vault_keep(vault, filled(*state, lengths[i], (unsigned)i), lengths[i]);
        small[i] = sl_vault_keep(vault, filled(*state, 100, (unsigned)i), 100);
        assert_true(kept[i] && small[i]);
    }
    for (int i = 0; i < 5; i++) {
        assert_memory_equal(kept[i], filled(*state, lengths[i], (unsigned)i), lengths[i]);
        assert_memory_equal(small[i], filled(*state, 100, (unsigned)i), 100);
    }
    sl_vault_free(vault);
    sl_vault_free(NULL);
}

/* Does the mapping that holds it have this flag in /proc/self/smaps? */
static int has_flag(const void *address, const char *flag)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[1024];
    int here = 0, found = 0;

    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps)) {
        char *end;
        unsigned long from = strtoul(line, &end, 16);

        if (*end == '-' && end != line)
            here = from <= (uintptr_t)address && (uintptr_t)address < strtoul(end + 1, NULL, 16);
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            found = strstr(line, flag) != NULL;
    }
    fclose(maps);
    return found;
}

static void core_dumps_hold_none_of_it(void **state)
{
    sl_vault_t *vault = sl_vault_new();
    unsigned char *kept[3000];

    for (int i = 0; i < 3000; i++)
        kept[i] = sl_vault_keep(vault, filled(*state, 1000, 0), 1000);
    assert_true(has_flag(kept[0], " dd"));
    assert_true(has_flag(kept[2999] + 999, " dd"));
    kept[0] = sl_vault_keep(vault, filled(*state, 3 << 20, 0), 3 << 20);
    assert_true(has_flag(kept[0], " dd"));
    assert_true(has_flag(kept[0] + (3 << 20) - 1, " dd"));
    assert_false(has_flag(&vault, " dd")); /* the test can tell */
    sl_vault_free(vault);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(bytes_come_back),
    UNIT_TEST(places_are_used_again),
    UNIT_TEST(what_is_given_back_is_cleansed),
    UNIT_TEST(large_ones_have_their_place),
    UNIT_TEST(core_dumps_hold_none_of_it),
};

UNIT_MAIN(tests)
