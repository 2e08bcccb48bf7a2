/* sni_index: the first virtual host of the configuration whose name or pattern matches is found, however many there
 * are, and in constant time. */
#include "unit.h"

#include "base/text.h"
#include "vhost/sni_index.h"

#include <time.h>

static sl_vhost_t hosts[8];

static const sl_vhost_t *find(const sl_sni_index_t *index, const char *name)
{
    char host[SL_HOST_MAX + 1];

    assert_true(sl_text_host(host, name, strlen(name)));
    return sl_sni_index_find(index, host);
}

static void exact_names_are_found_in_any_case(void **state)
{
    sl_sni_index_t *index = sl_sni_index_make(*state);

    sl_sni_index_add(index, "WWW.one.test", &hosts[0]);
    sl_sni_index_add(index, "two.test.", &hosts[1]);
    assert_ptr_equal(find(index, "www.ONE.test"), &hosts[0]);
    assert_ptr_equal(find(index, "two.test"), &hosts[1]);
    assert_ptr_equal(find(index, "two.test."), &hosts[1]);
    assert_null(find(index, "one.test"));
    assert_null(find(index, "www.one.test.org"));
    assert_null(find(index, "ww.one.test"));
    assert_int_equal(sl_sni_index_count(index), 2);
}

static void of_equal_names_the_first_wins(void **state)
{
    sl_sni_index_t *index = sl_sni_index_make(*state);

    sl_sni_index_add(index, "a.test", &hosts[0]);
    sl_sni_index_add(index, "A.test", &hosts[1]);
    sl_sni_index_add(index, "*.b.test", &hosts[2]);
    sl_sni_index_add(index, "*.B.test", &hosts[3]);
    assert_ptr_equal(find(index, "a.test"), &hosts[0]);
    assert_ptr_equal(find(index, "x.b.test"), &hosts[2]);
}

static void patterns_match_whole_names_dots_included(void **state)
{
    sl_sni_index_t *index = sl_sni_index_make(*state);

    sl_sni_index_add(index, "*.one.test", &hosts[0]);
    assert_ptr_equal(find(index, "a.one.test"), &hosts[0]);
    assert_ptr_equal(find(index, "a.b.c.one.test"), &hosts[0]);
    assert_ptr_equal(find(index, ".one.test"), &hosts[0]);
    assert_null(find(index, "one.test"));
    assert_null(find(index, "aone.test"));
    assert_null(find(index, "a.one.test.x"));
}

/* The order of the configuration decides, not what kind of name it is. */
static void order_decides_between_names_and_patterns(void **state)
{
    static const char *const orders[][3] = {
        {"*.one.test", "w*.one.test", "www.one.test"}, {"*.one.test", "www.one.test", "w*.one.test"},
        {"w*.one.test", "*.one.test", "www.one.test"}, {"w*.one.test", "www.one.test", "*.one.test"},
        {"www.one.test", "*.one.test", "w*.one.test"}, {"www.one.test", "w*.one.test", "*.one.test"}};

    for (int i = 0; i < 6; i++) {
        sl_sni_index_t *index = sl_sni_index_make(*state);

        for (int k = 0; k < 3; k++)
            sl_sni_index_add(index, orders[i][k], &hosts[k]);
        assert_ptr_equal(find(index, "www.one.test"), &hosts[0]);
    }
}

static void the_longest_suffix_does_not_beat_an_earlier_one(void **state)
{
    sl_sni_index_t *index = sl_sni_index_make(*state);

    sl_sni_index_add(index, "*.test", &hosts[0]);
    sl_sni_index_add(index, "*.one.test", &hosts[1]);
    assert_ptr_equal(find(index, "a.one.test"), &hosts[0]);
    index = sl_sni_index_make(*state);
    sl_sni_index_add(index, "*.one.test", &hosts[1]);
    sl_sni_index_add(index, "*.test", &hosts[0]);
    assert_ptr_equal(find(index, "a.one.test"), &hosts[1]);
    assert_ptr_equal(find(index, "a.two.test"), &hosts[0]);
}

static void odd_patterns_match_as_httpd_has_them(void **state)
{
    sl_sni_index_t *index = sl_sni_index_make(*state);

    sl_sni_index_add(index, "w?w.one.test", &hosts[0]);
    sl_sni_index_add(index, "*a*b*.two.test", &hosts[1]);
    sl_sni_index_add(index, "*.?.three.test", &hosts[2]);
    sl_sni_index_add(index, "**.four.test", &hosts[3]);
    sl_sni_index_add(index, "*five", &hosts[4]);
    sl_sni_index_add(index, "six.*", &hosts[5]);
    assert_ptr_equal(find(index, "wxw.one.test"), &hosts[0]);
    assert_null(find(index, "wxxw.one.test"));
    assert_ptr_equal(find(index, "xaxbx.two.test"), &hosts[1]);
    assert_null(find(index, "xbxax.two.test"));
    assert_ptr_equal(find(index, "x.y.three.test"), &hosts[2]);
    assert_null(find(index, "x.yy.three.test"));
    assert_ptr_equal(find(index, "a.b.four.test"), &hosts[3]);
    assert_ptr_equal(find(index, "twentyfive"), &hosts[4]);
    assert_ptr_equal(find(index, "six.test"), &hosts[5]);
    sl_sni_index_add(index, "*", &hosts[6]);
    assert_ptr_equal(find(index, "anything.else"), &hosts[6]);
    assert_ptr_equal(find(index, "six.test"), &hosts[5]);
}

static void what_no_client_can_ask_for_is_left_out(void **state)
{
    sl_sni_index_t *index = sl_sni_index_make(*state);
    char endless[SL_HOST_MAX + 2];

    memset(endless, 'a', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    sl_sni_index_add(index, "", &hosts[0]);
    sl_sni_index_add(index, ".", &hosts[0]);
    sl_sni_index_add(index,
                     "b\xc3\xbc"
                     "cher.test",
                     &hosts[0]);
    sl_sni_index_add(index, endless, &hosts[0]);
    sl_sni_index_add(index, "plain.test", NULL);
    assert_int_equal(sl_sni_index_count(index), 0);
    assert_null(find(index, "plain.test"));
    sl_sni_index_add(index, endless + 1, &hosts[0]); /* as long as may be */
    assert_ptr_equal(find(index, endless + 1), &hosts[0]);
}

static unsigned seed = 1;

static unsigned any(unsigned below)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % below;
}

static const char *random_text(apr_pool_t *pool, const char *letters, int longest)
{
    int length = 1 + (int)any((unsigned)longest);
    char *text = apr_palloc(pool, (apr_size_t)length + 1);

    for (int i = 0; i < length; i++)
        text[i] = letters[any((unsigned)strlen(letters))];
    text[length] = '\0';
    return text;
}

/* Against the obvious: the list walked from its start. */
static void it_finds_what_walking_the_list_finds(void **state)
{
    for (int round = 0; round < 300; round++) {
        sl_sni_index_t *index = sl_sni_index_make(*state);
        const char *patterns[12];
        char host[SL_HOST_MAX + 1];

        for (int i = 0; i < 12; i++) {
            patterns[i] =
                apr_pstrcat(*state, any(3) ? "*." : "", random_text(*state, any(3) ? "ab." : "ab.*?", 6), NULL);
            sl_sni_index_add(index, patterns[i], &hosts[i % 8]);
        }
        for (int i = 0; i < 200; i++) {
            const char *name = random_text(*state, "ab..", 8);
            const sl_vhost_t *expected = NULL;

            if (!sl_text_host(host, name, strlen(name)))
                continue;
            for (int k = 0; k < 12 && !expected; k++) {
                char folded[SL_HOST_MAX + 1];

                if (sl_text_host(folded, patterns[k], strlen(patterns[k])) && sl_text_match(folded, host))
                    expected = &hosts[k % 8];
            }
            if (sl_sni_index_find(index, host) != expected)
                fail_msg("\"%s\" is not found as in the list", host);
        }
    }
}

#define MANY 100000

static sl_sni_index_t *index_of(apr_pool_t *pool, sl_vhost_t *all, int count)
{
    sl_sni_index_t *index = sl_sni_index_make(pool);

    for (int i = 0; i < count; i++)
        sl_sni_index_add(index, apr_psprintf(pool, "%swww.site-%d.test", i % 10 == 9 ? "*." : "", i), &all[i]);
    return index;
}

/* CPU seconds for `lookups` lookups of names spread over the first `count`, each of which must be right. */
static double look_up(const sl_sni_index_t *index, const sl_vhost_t *all, int count, int lookups)
{
    clock_t start = clock();

    for (int i = 0; i < lookups; i++) {
        int at = (int)((long)i * 7919 % count);
        char name[80];

        apr_snprintf(name, sizeof(name), "%swww.site-%d.test", at % 10 == 9 ? "a.b." : "", at);
        if (sl_sni_index_find(index, name) != &all[at])
            fail_msg("%s is not found", name);
    }
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}

static void a_hundred_thousand_names_cost_no_more_than_a_hundred(void **state)
{
    sl_vhost_t *all = apr_pcalloc(*state, sizeof(*all) * MANY);
    sl_sni_index_t *few = index_of(*state, all, 100), *many = index_of(*state, all, MANY);
    double of_few, of_many;

    assert_int_equal(sl_sni_index_count(many), MANY);
    look_up(many, all, MANY, MANY);
    of_few = look_up(few, all, 100, MANY);
    of_many = look_up(many, all, MANY, MANY);
    assert_null(sl_sni_index_find(many, "www.site-100000.test"));
    /* A walk would take a thousand times as long; caches explain a few times. */
    if (of_many > 30 * of_few + 0.01)
        fail_msg("%d lookups take %.3f s among 100 names and %.3f s among %d", MANY, of_few, of_many, MANY);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(exact_names_are_found_in_any_case),
    UNIT_TEST(of_equal_names_the_first_wins),
    UNIT_TEST(patterns_match_whole_names_dots_included),
    UNIT_TEST(order_decides_between_names_and_patterns),
    UNIT_TEST(the_longest_suffix_does_not_beat_an_earlier_one),
    UNIT_TEST(odd_patterns_match_as_httpd_has_them),
    UNIT_TEST(what_no_client_can_ask_for_is_left_out),
    UNIT_TEST(it_finds_what_walking_the_list_finds),
    UNIT_TEST(a_hundred_thousand_names_cost_no_more_than_a_hundred),
};

UNIT_MAIN(tests)
