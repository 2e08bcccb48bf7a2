/* The cache of identities that are ready gives what it was given, of that version and name only, and no more of them
 * than it may keep. */
#include "keeper/ready_cache.h"
#include "unit.h"

#include "material.h"

static sl_identity_t *make_identity(apr_pool_t *pool, const char *host)
{
    const material_pair_t *pair = material_server(pool, host, "P-256", NULL);

    X509_up_ref(pair->cert);
    EVP_PKEY_up_ref(pair->key);
    return sl_identity_new(pair->cert, NULL, pair->key, host);
}

static int has(sl_ready_cache_t *cache, int number, apr_uint64_t version, const char *name, const sl_identity_t *wanted)
{
    sl_identity_t *found = sl_ready_cache_find(cache, number, version, name);

    sl_identity_release(found);
    if (found)
        assert_ptr_equal(found, wanted);
    return found != NULL;
}

static void version_and_name_count(void **state)
{
    sl_ready_cache_t *cache = sl_ready_cache_make(*state, 3);
    sl_identity_t *one = make_identity(*state, "one.test"), *two = make_identity(*state, "two.test");

    assert_false(has(cache, 7, 0, NULL, one));
    sl_ready_cache_keep(cache, 7, 1, NULL, one);
    assert_true(has(cache, 7, 1, NULL, one));
    assert_false(has(cache, 7, 2, NULL, one));
    assert_false(has(cache, 7, 1, "one.test", one));
    sl_ready_cache_keep(cache, 7, 2, "two.test", two);
    assert_false(has(cache, 7, 1, NULL, one));
    assert_false(has(cache, 7, 2, "one.test", two));
    assert_true(has(cache, 7, 2, "two.test", two));
    sl_ready_cache_free(cache);
    sl_identity_release(one);
    sl_identity_release(two);
}

static void those_used_last_are_kept(void **state)
{
    sl_ready_cache_t *cache = sl_ready_cache_make(*state, 3), *other = sl_ready_cache_make(*state, 1);
    sl_identity_t *one = make_identity(*state, "one.test");

    for (int i = 0; i < 3; i++)
        sl_ready_cache_keep(cache, i, 1, NULL, one);
    assert_true(has(cache, 0, 1, NULL, one));
    sl_ready_cache_keep(cache, 3, 1, NULL, one);
    assert_true(has(cache, 0, 1, NULL, one));
    assert_false(has(cache, 1, 1, NULL, one));
    for (int i = 0; i < 1000; i++)
        sl_ready_cache_keep(cache, i * 7 % 50, (apr_uint64_t)i, "a name", one);
    assert_true(has(cache, 999 * 7 % 50, 999, "a name", one));
    sl_ready_cache_keep(other, 1, 1, NULL, one);
    sl_ready_cache_free(cache);
    assert_true(has(other, 1, 1, NULL, one));
    sl_ready_cache_free(other);
    sl_identity_release(one);
}

static void none_at_all_works_too(void **state)
{
    sl_identity_t *one = make_identity(*state, "one.test");

    assert_null(sl_ready_cache_make(*state, 0));
    sl_ready_cache_keep(NULL, 1, 1, NULL, one);
    assert_false(has(NULL, 1, 1, NULL, one));
    sl_ready_cache_free(NULL);
    sl_identity_release(one);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(version_and_name_count),
    UNIT_TEST(those_used_last_are_kept),
    UNIT_TEST(none_at_all_works_too),
};

UNIT_MAIN(tests)
