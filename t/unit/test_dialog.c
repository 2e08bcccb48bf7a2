/* Who is asked for pass phrases, how often, and what is kept; names of keys that are URIs. */
#include "unit.h"

#include "crypto/key_uri.h"
#include "identity/dialog.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int told;

static void tell(void *baton, const char *text)
{
    (void)baton;
    told += strstr(text, "waits for the pass phrase") != NULL;
}

/* A program that prints the line, in a file of its own. */
static const char *program(apr_pool_t *pool, const char *line)
{
    char *path = apr_pstrdup(pool, "/tmp/sl-dialog-XXXXXX");
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");

    fprintf(file, "#!/bin/sh\necho '%s'\necho more\n", line);
    fclose(file);
    chmod(path, 0700);
    return path;
}

static int ask(sl_question_t *question, const char *object, char *phrase)
{
    int length = sl_dialog_ask(phrase, 1023, object, question);

    if (length >= 0)
        phrase[length] = '\0';
    return length;
}

static void a_phrase_that_opened_a_key_is_tried_on_the_next(void **state)
{
    const char *path = program(*state, "sesame");
    sl_dialog_t *dialog =
        sl_dialog_make(*state, apr_pstrcat(*state, "exec:", path, NULL), "Apache", SL_DIALOG_START, tell, NULL);
    sl_question_t first = {.dialog = dialog, .host = "a:443"}, second = {.dialog = dialog, .host = "b:443"};
    char phrase[1024];

    told = 0;
    assert_int_equal(ask(&first, "a.key", phrase), 6);
    assert_string_equal(phrase, "sesame");
    sl_dialog_end(&first, NULL);
    assert_int_equal(told, 1);
    unlink(path); /* nobody could answer any more */
    assert_int_equal(ask(&second, "b.key", phrase), 6);
    assert_int_equal(told, 1);
    assert_int_equal(ask(&second, "b.key", phrase), -1);
    assert_non_null(strstr(second.trouble, "cannot be started"));
    sl_dialog_end(&second, NULL);
    sl_dialog_close(dialog);
}

static void a_wrong_phrase_is_not_remembered_and_a_program_not_asked_again(void **state)
{
    const char *path = program(*state, "wrong");
    sl_dialog_t *dialog =
        sl_dialog_make(*state, apr_pstrcat(*state, "exec:", path, NULL), "Apache", SL_DIALOG_START, NULL, NULL);
    sl_question_t first = {.dialog = dialog, .host = "a:443"}, second = {.dialog = dialog, .host = "b:443"};
    sl_problem_t *why = sl_problem_make(*state);
    char phrase[1024];

    assert_int_equal(ask(&first, "a.key", phrase), 5);
    assert_int_equal(ask(&first, "a.key", phrase), -1);
    assert_null(first.trouble);
    assert_int_not_equal(sl_problem_set(why, APR_EGENERAL, "a.key", "the pass phrase is wrong"), APR_SUCCESS);
    sl_dialog_end(&first, why);
    assert_string_equal(why->reason, "the pass phrase is wrong");
    unlink(path);
    assert_int_equal(ask(&second, "b.key", phrase), -1);
    sl_dialog_end(&second, why);
    assert_non_null(strstr(why->reason, "wrong: the program"));
    sl_dialog_close(dialog);
}

static void a_token_gets_nothing_remembered_and_one_question(void **state)
{
    static const char token[] = "pkcs11:token=a";
    const char *path = program(*state, "1234");
    sl_dialog_t *dialog =
        sl_dialog_make(*state, apr_pstrcat(*state, "exec:", path, NULL), "Apache", SL_DIALOG_RESTART, tell, NULL);
    sl_question_t first = {.dialog = dialog, .host = "a:443"}, second = {.dialog = dialog, .host = "b:443"};
    char phrase[1024];

    told = 0;
    assert_int_equal(ask(&first, "a.key", phrase), 4);
    sl_dialog_end(&first, NULL);
    assert_int_equal(ask(&second, token, phrase), 4);
    assert_int_equal(told, 2);
    assert_int_equal(ask(&second, token, phrase), -1);
    assert_int_equal(told, 2);
    sl_dialog_end(&second, NULL);
    unlink(path);
    sl_dialog_close(dialog);
}

static void a_test_asks_nobody_and_a_restart_not_on_the_terminal(void **state)
{
    sl_dialog_t *test = sl_dialog_make(*state, "exec:/nothing/there", "Apache", SL_DIALOG_TEST, tell, NULL);
    sl_dialog_t *restart = sl_dialog_make(*state, "builtin", "Apache", SL_DIALOG_RESTART, tell, NULL);
    sl_question_t first = {.dialog = test, .host = "a:443"}, second = {.dialog = restart, .host = "a:443"};
    char phrase[1024];

    told = 0;
    assert_int_equal(ask(&first, "a.key", phrase), -1);
    assert_true(first.withheld);
    assert_int_equal(ask(&second, "a.key", phrase), -1);
    assert_false(second.withheld);
    assert_non_null(strstr(second.trouble, "at a start only"));
    assert_int_equal(told, 0);
    sl_dialog_end(&first, NULL);
    sl_dialog_end(&second, NULL);
}

static void names_with_a_scheme_are_uris(void **state)
{
    assert_true(sl_key_uri_is("pkcs11:token=a"));
    assert_true(sl_key_uri_is("file:/a"));
    assert_false(sl_key_uri_is("PKCS11:token=a"));
    assert_false(sl_key_uri_is("/etc/a:b"));
    assert_false(sl_key_uri_is("c:a"));
    assert_false(sl_key_uri_is("a.pem"));
    assert_false(sl_key_uri_is(""));
    assert_false(sl_key_uri_is(NULL));
    assert_string_equal(sl_key_uri_file("file:/a"), "/a");
    assert_string_equal(sl_key_uri_file("file:///a/b"), "/a/b");
    assert_string_equal(sl_key_uri_file("file://localhost/a"), "/a");
    assert_null(sl_key_uri_file("pkcs11:a"));
    assert_null(sl_key_uri_file("/a"));
    assert_string_equal(sl_key_uri_shown("pkcs11:a?pin-value=12&x=y", *state), "pkcs11:a?pin-value=...&x=y");
    assert_string_equal(sl_key_uri_shown("pkcs11:a?pin-value=12", *state), "pkcs11:a?pin-value=...");
    assert_string_equal(sl_key_uri_shown("/a/pin-value=12", *state), "/a/pin-value=12");
}

static void what_is_kept_is_tried_where_nobody_can_be_asked(void **state)
{
    const char *path = program(*state, "sesame"), *how = apr_pstrcat(*state, "exec:", path, NULL);
    sl_phrases_t *kept = sl_phrases_make();
    sl_dialog_t *dialog = sl_dialog_make(*state, how, "Apache", SL_DIALOG_START, tell, NULL);
    sl_question_t question = {.dialog = dialog, .host = "a:443"};
    sl_recall_t recall = {.phrases = kept};
    char phrase[1024], longest[1000];

    assert_non_null(kept);
    sl_dialog_keep(dialog, kept);
    assert_int_equal(ask(&question, "a.key", phrase), 6);
    sl_dialog_end(&question, NULL);
    sl_dialog_close(dialog);
    assert_string_equal(sl_phrases_next(kept, NULL), "sesame");
    sl_phrases_add(kept, "another");
    sl_phrases_add(kept, "sesame");
    assert_int_equal(sl_phrases_answer(phrase, 1023, "b.key", &recall), 6);
    assert_int_equal(sl_phrases_answer(phrase, 1023, "b.key", &recall), 7);
    assert_memory_equal(phrase, "another", 7);
    assert_false(recall.failed);
    assert_int_equal(sl_phrases_answer(phrase, 1023, "c.key", &recall), 6);
    assert_int_equal(sl_phrases_answer(phrase, 6, "c.key", &recall), -1);
    assert_true(recall.failed);

    question = (sl_question_t){.host = "a:443"};
    question.dialog = dialog = sl_dialog_make(*state, "builtin", "Apache", SL_DIALOG_RESTART, tell, NULL);
    sl_dialog_keep(dialog, kept);
    assert_int_equal(ask(&question, "a.key", phrase), 6);
    assert_int_equal(ask(&question, "a.key", phrase), 7);
    assert_int_equal(ask(&question, "a.key", phrase), -1);
    sl_dialog_end(&question, NULL);
    sl_dialog_close(dialog);

    told = 0; /* a program may answer otherwise by now */
    question = (sl_question_t){.host = "a:443"};
    question.dialog = dialog = sl_dialog_make(*state, how, "Apache", SL_DIALOG_RESTART, tell, NULL);
    sl_dialog_keep(dialog, kept);
    assert_int_equal(ask(&question, "a.key", phrase), 6);
    assert_int_equal(told, 1);
    sl_dialog_end(&question, NULL);
    sl_dialog_close(dialog);

    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    for (int i = 0; i < 100; i++) {
        longest[0] = (char)('a' + i);
        sl_phrases_add(kept, longest); /* more than there is room for */
    }
    sl_phrases_wipe(kept);
    assert_null(sl_phrases_next(kept, NULL));
    unlink(path);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(what_is_kept_is_tried_where_nobody_can_be_asked),
    UNIT_TEST(a_phrase_that_opened_a_key_is_tried_on_the_next),
    UNIT_TEST(a_wrong_phrase_is_not_remembered_and_a_program_not_asked_again),
    UNIT_TEST(a_token_gets_nothing_remembered_and_one_question),
    UNIT_TEST(a_test_asks_nobody_and_a_restart_not_on_the_terminal),
    UNIT_TEST(names_with_a_scheme_are_uris),
};

UNIT_MAIN(tests)
