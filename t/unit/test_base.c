/* base: bytes, text and problems keep their contracts. */
#include "unit.h"

#include "base/bytes.h"
#include "base/problem.h"
#include "base/text.h"

static void a_reader_never_passes_its_end(void **state)
{
    const unsigned char bytes[] = {0x01, 0x02, 0x03};
    sl_reader_t r;

    (void)state;
    sl_reader_init(&r, bytes, sizeof(bytes));
    assert_int_equal(sl_reader_u16(&r), 0x0102);
    assert_int_equal(sl_reader_u16(&r), 0);
    assert_true(r.failed);
    assert_int_equal(sl_reader_u8(&r), 0);
}

static void a_vector_that_points_past_the_end_fails_and_is_empty(void **state)
{
    const unsigned char bytes[] = {0x00, 0x03, 0xaa, 0xbb};
    sl_reader_t r, vector;

    (void)state;
    sl_reader_init(&r, bytes, sizeof(bytes));
    sl_reader_vector(&r, 2, &vector);
    assert_true(r.failed);
    assert_int_equal(sl_reader_left(&vector), 0);
}

static void a_writer_leaves_out_what_does_not_fit(void **state)
{
    unsigned char buffer[3];
    sl_writer_t w;

    (void)state;
    sl_writer_init(&w, buffer, sizeof(buffer));
    sl_writer_u16(&w, 0x0102);
    sl_writer_u16(&w, 0x0304);
    assert_true(w.failed);
    assert_int_equal(sl_writer_length(&w), 2);
}

static void nothing_from_a_peer_reaches_a_log_unescaped(void **state)
{
    assert_string_equal(sl_text_escape(*state, "a\r\nb\"\\\x1b\xff", 8, 100), "a\\x0d\\x0ab\\x22\\x5c\\x1b\\xff");
    assert_string_equal(sl_text_escape(*state, "abcdef", 6, 3), "abc...");
}

static void host_names_are_folded_and_checked(void **state)
{
    char host[SL_HOST_MAX + 1];

    (void)state;
    assert_true(sl_text_host(host, "WWW.Example.ORG.", 16));
    assert_string_equal(host, "www.example.org");
    assert_false(sl_text_host(host, ".", 1));
    assert_false(sl_text_host(host, "a\0b", 3));
    assert_false(sl_text_host(host, "a b", 3));
}

static void patterns_match_as_serveralias_does(void **state)
{
    (void)state;
    assert_true(sl_text_match("*.Example.org", "a.b.example.org"));
    assert_true(sl_text_match("w?w.*", "www.example.org"));
    assert_false(sl_text_match("*.example.org", "example.org"));
    assert_false(sl_text_match("a*b", "axc"));
    assert_true(sl_text_match("*a*b", "xaaxb"));
}

static void a_problem_keeps_its_first_cause(void **state)
{
    sl_problem_t *why = sl_problem_make(*state);

    assert_int_equal(sl_problem_set(why, APR_ENOENT, "/a", "it is %s", "gone"), APR_ENOENT);
    sl_problem_set(why, APR_EINVAL, "/b", "something else");
    sl_problem_while(why, "while reading");
    sl_problem_advise(why, "Bring it back");
    assert_int_equal(why->status, APR_ENOENT);
    assert_string_equal(sl_problem_text(why, *state), "/a: while reading: it is gone. Bring it back");
}

static void warnings_do_not_count_as_errors(void **state)
{
    sl_problems_t *problems = sl_problems_make(*state);
    sl_origin_t origin = {"httpd.conf", 3, "SSLEngine"};

    sl_problems_add(problems, SL_PROBLEM_WARNING, NULL, &origin, NULL, NULL, "careful");
    assert_int_equal(problems->errors, 0);
    assert_int_equal(problems->all->nelts, 1);
    assert_string_equal(sl_problem_text(APR_ARRAY_IDX(problems->all, 0, sl_problem_t *), *state),
                        "httpd.conf:3: SSLEngine: careful");
}

static void errors_of_a_host_stop_nobody_else(void **state)
{
    sl_problems_t *problems = sl_problems_make(*state);

    sl_problems_add(problems, SL_PROBLEM_ERROR, NULL, NULL, NULL, NULL, "before");
    sl_problems_add(problems, SL_PROBLEM_WARNING, NULL, NULL, NULL, NULL, "careful");
    sl_problems_add(problems, SL_PROBLEM_ERROR, NULL, NULL, NULL, NULL, "its own");
    assert_int_equal(sl_problems_soften(problems, 1), 1);
    assert_int_equal(problems->errors, 1);
    assert_int_equal(APR_ARRAY_IDX(problems->all, 0, sl_problem_t *)->gravity, SL_PROBLEM_ERROR);
    assert_int_equal(APR_ARRAY_IDX(problems->all, 1, sl_problem_t *)->gravity, SL_PROBLEM_WARNING);
    assert_int_equal(APR_ARRAY_IDX(problems->all, 2, sl_problem_t *)->gravity, SL_PROBLEM_OF_HOST);
    assert_int_equal(sl_problems_soften(problems, 1), 0);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(a_reader_never_passes_its_end),
    UNIT_TEST(a_vector_that_points_past_the_end_fails_and_is_empty),
    UNIT_TEST(a_writer_leaves_out_what_does_not_fit),
    UNIT_TEST(nothing_from_a_peer_reaches_a_log_unescaped),
    UNIT_TEST(host_names_are_folded_and_checked),
    UNIT_TEST(patterns_match_as_serveralias_does),
    UNIT_TEST(a_problem_keeps_its_first_cause),
    UNIT_TEST(warnings_do_not_count_as_errors),
    UNIT_TEST(errors_of_a_host_stop_nobody_else),
};

UNIT_MAIN(tests)
