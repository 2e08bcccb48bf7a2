/* The board of certificate directories: entries are found under their own name only, a flood of names that are not
 * there pushes out none, questions stay whole, and a keeper that dies in the midst spoils nothing. Says most under
 * ThreadSanitizer. */
#include "keeper/directory_board.h"
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define READERS 3
#define CHANGES 10000

static sl_directory_board_t *make(apr_pool_t *pool, int slots)
{
    sl_directory_board_t *board;

    assert_int_equal(sl_directory_board_make(&board, pool, slots, sl_problem_make(pool)), APR_SUCCESS);
    return board;
}

static const char *names_of(apr_pool_t *pool, const char *name)
{
    const char *names[SL_ENTRY_NAMES], *all = "";
    char room[2 * SL_HOST_MAX];
    int count = sl_directory_names(names, room, name);

    for (int i = 0; i < count; i++)
        all = apr_pstrcat(pool, all, *all ? " " : "", names[i], NULL);
    return all;
}

static void a_name_stands_for_its_entries(void **state)
{
    static const char *const none[] = {
        "",          ".",         "..",       "a..b",     "../a",      "a/b",       "a.b/",
        "*.a.test",  "_.a.test",  "x._.a.b",  "a.b.1",    "127.0.0.1", "1.2.3",     "::1",
        "[::1]",     "a b",       "a%2e.b",   "a:b",      "a\\b.test", "A.test",    "a.test\n",
        ".a.test",   "a.test.",   "a.-.",     "a\x01.b",  "\xc3\xa4.b", "a.test-rsa", "w.a.test-ecdsa",
    };
    char label[65], name[SL_HOST_MAX + 2];

    assert_string_equal(names_of(*state, "www.example.org"), "www.example.org *.example.org example.org");
    assert_string_equal(names_of(*state, "example.org"), "example.org");
    assert_string_equal(names_of(*state, "localhost"), "localhost");
    assert_string_equal(names_of(*state, "db-rsa"), "db-rsa");
    assert_string_equal(names_of(*state, "a-rsa.test"), "a-rsa.test");
    assert_string_equal(names_of(*state, "a.test.rsa"), "a.test.rsa *.test.rsa test.rsa");
    assert_string_equal(names_of(*state, "_dmarc.x-1.test"), "_dmarc.x-1.test *.x-1.test x-1.test");
    assert_string_equal(names_of(*state, "1.2.3.in-addr.arpa"),
                        "1.2.3.in-addr.arpa *.2.3.in-addr.arpa 2.3.in-addr.arpa");
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_string_equal(names_of(*state, none[i]), "");
    memset(label, 'a', 64);
    label[63] = '\0';
    assert_string_equal(names_of(*state, label), label);
    label[63] = 'a';
    label[64] = '\0';
    assert_string_equal(names_of(*state, label), "");
    for (size_t i = 0; i < sizeof(name); i++)
        name[i] = i % 2 ? '.' : 'a';
    name[SL_HOST_MAX] = '\0';
    assert_int_equal(strlen(names_of(*state, name)), SL_HOST_MAX + 1 + SL_HOST_MAX + 1 + SL_HOST_MAX - 2);
    name[SL_HOST_MAX] = '.';
    name[SL_HOST_MAX + 1] = '\0';
    assert_string_equal(names_of(*state, name), "");
}

static int look(sl_directory_board_t *board, int directory, const char *entry, int *slot)
{
    sl_entry_key_t key;

    sl_directory_board_key(board, directory, entry, &key);
    return (int)sl_directory_board_look(board, &key, slot);
}

static int put(sl_directory_board_t *board, int directory, const char *entry, const char *text)
{
    sl_entry_key_t key;
    int slot;

    sl_directory_board_key(board, directory, entry, &key);
    slot = sl_directory_board_find(board, &key);
    if (slot < 0)
        slot = sl_directory_board_claim(board, &key);
    if (sl_directory_board_put(board, slot, &key, directory, entry, (const unsigned char *)text, strlen(text)) !=
        APR_SUCCESS)
        abort();
    sl_directory_board_confirm(board, slot, SL_DIRECTORY_FOREVER);
    return slot;
}

static void deny(sl_directory_board_t *board, int directory, const char *entry, int put_off)
{
    sl_entry_key_t key;

    sl_directory_board_key(board, directory, entry, &key);
    sl_directory_board_deny(board, &key, put_off);
}

/* What the slot holds, if it is that entry's; "" if not. */
static const char *text_of(apr_pool_t *pool, sl_directory_board_t *board, int slot, int directory, const char *entry)
{
    unsigned char *buffer = apr_palloc(pool, SL_DIRECTORY_IDENTITY_MAX);
    const unsigned char *bytes;
    apr_uint64_t version;
    apr_size_t length = sl_directory_board_read(board, slot, directory, entry, buffer, &bytes, &version);

    return length ? apr_pstrmemdup(pool, (const char *)bytes, length) : "";
}

/* Whatever entry the slot holds; its number and the version that belongs to it. */
static const char *copy_of(apr_pool_t *pool, sl_directory_board_t *board, int slot, int *directory)
{
    unsigned char *buffer = apr_palloc(pool, SL_DIRECTORY_IDENTITY_MAX);
    const unsigned char *bytes;
    apr_uint64_t version;
    apr_size_t length = sl_directory_board_copy(board, slot, buffer, directory, &bytes, &version);

    assert_true(version == sl_directory_board_version(board, slot));
    return length ? apr_pstrmemdup(pool, (const char *)bytes, length) : "";
}

static void an_entry_is_its_own(void **state)
{
    sl_directory_board_t *board = make(*state, 16);
    int slot, directory, one = put(board, 1, "a.test", "of one");

    assert_int_equal(look(board, 1, "a.test", &slot), SL_ENTRY_FOUND);
    assert_int_equal(slot, one);
    assert_string_equal(text_of(*state, board, slot, 1, "a.test"), "of one");
    assert_string_equal(text_of(*state, board, slot, 2, "a.test"), "");
    assert_string_equal(copy_of(*state, board, slot, &directory), "of one");
    assert_int_equal(directory, 1);
    assert_string_equal(text_of(*state, board, slot, 1, "a.tes"), "");
    assert_int_equal(look(board, 2, "a.test", &slot), SL_ENTRY_UNKNOWN);
    assert_int_equal(slot, -1);
    assert_int_equal(put(board, 1, "a.test", "of one, longer"), one);
    assert_string_equal(text_of(*state, board, one, 1, "a.test"), "of one, longer");
    sl_directory_board_confirm(board, one, sl_directory_ticks());
    assert_int_equal(look(board, 1, "a.test", &slot), SL_ENTRY_STALE);
    assert_int_equal(sl_directory_board_used(board), 1);
    sl_directory_board_drop(board, one);
    assert_int_equal(look(board, 1, "a.test", &slot), SL_ENTRY_UNKNOWN);
    assert_string_equal(text_of(*state, board, one, 1, "a.test"), "");
    assert_string_equal(copy_of(*state, board, one, &directory), "");
    assert_int_equal(sl_directory_board_used(board), 0);
}

static void what_is_absent_comes_back_with_the_epoch(void **state)
{
    sl_directory_board_t *board = make(*state, 8);
    int slot;

    deny(board, 0, "a.test", 0);
    deny(board, 0, "b.test", 1);
    assert_int_equal(look(board, 0, "a.test", &slot), SL_ENTRY_ABSENT);
    assert_int_equal(look(board, 0, "b.test", &slot), SL_ENTRY_PUT_OFF);
    assert_int_equal(look(board, 1, "a.test", &slot), SL_ENTRY_UNKNOWN);
    assert_int_equal(sl_directory_board_absent(board), 2);
    sl_directory_board_turn_epoch(board);
    assert_int_equal(look(board, 0, "a.test", &slot), SL_ENTRY_UNKNOWN);
    assert_int_equal(look(board, 0, "b.test", &slot), SL_ENTRY_UNKNOWN);
    assert_int_equal(sl_directory_board_absent(board), 0);
    for (int i = 0; i < 65536 + 10; i++)
        sl_directory_board_turn_epoch(board);
    assert_int_equal(look(board, 0, "a.test", &slot), SL_ENTRY_UNKNOWN);
}

static void a_flood_pushes_out_no_identity(void **state)
{
    sl_directory_board_t *board = make(*state, 64);
    apr_pool_t *scratch;
    int slot;

    apr_pool_create(&scratch, *state);
    put(board, 0, "a.test", "a");
    for (int i = 0; i < 200000; i++) {
        deny(board, 0, apr_psprintf(scratch, "x%d.test", i), i % 2);
        apr_pool_clear(scratch);
    }
    assert_int_equal(look(board, 0, "a.test", &slot), SL_ENTRY_FOUND);
    assert_string_equal(text_of(*state, board, slot, 0, "a.test"), "a");
}

/* As many entries as never fit, while some are used all the time. */
static void those_in_use_stay(void **state)
{
    sl_directory_board_t *board = make(*state, 256);
    apr_pool_t *scratch;
    int slot, kept = 0;

    apr_pool_create(&scratch, *state);
    for (int i = 0; i < 30; i++)
        put(board, 0, apr_psprintf(*state, "hot%d.test", i), "hot");
    for (int i = 0; i < 5000; i++) {
        put(board, 0, apr_psprintf(scratch, "cold%d.test", i), "cold");
        for (int k = 0; k < 30; k++)
            (void)look(board, 0, apr_psprintf(scratch, "hot%d.test", k), &slot);
        apr_pool_clear(scratch);
    }
    for (int i = 0; i < 30; i++)
        kept += look(board, 0, apr_psprintf(scratch, "hot%d.test", i), &slot) == SL_ENTRY_FOUND;
    assert_true(kept >= 25); /* several may share a set of slots */
    assert_true(sl_directory_board_used(board) <= sl_directory_board_slots(board));
}

static void what_is_too_large_is_not_taken(void **state)
{
    sl_directory_board_t *board = make(*state, 8);
    unsigned char *large = apr_pcalloc(*state, SL_DIRECTORY_IDENTITY_MAX);
    sl_entry_key_t key;
    int slot;

    sl_directory_board_key(board, 0, "a.test", &key);
    slot = sl_directory_board_claim(board, &key);
    assert_int_equal(sl_directory_board_put(board, slot, &key, 0, "a.test", large, SL_DIRECTORY_IDENTITY_MAX),
                     APR_ENOSPC);
    assert_int_equal(look(board, 0, "a.test", &slot), SL_ENTRY_UNKNOWN);
}

/* ---- questions ---- */

static void questions_stay_whole(void **state)
{
    sl_directory_board_t *board = make(*state, 8);
    char name[SL_HOST_MAX + 1], longest[SL_HOST_MAX + 2];
    int directory, asked = 0, taken = 0;
    apr_status_t rv;

    memset(longest, 'a', sizeof(longest));
    longest[SL_HOST_MAX + 1] = '\0';
    assert_int_equal(sl_directory_board_ask(board, 3, longest), APR_EINVAL);
    longest[SL_HOST_MAX] = '\0';
    assert_false(sl_directory_board_take(board, &directory, name));
    assert_int_equal(sl_directory_board_ask(board, 3, longest), APR_SUCCESS);
    assert_int_equal(sl_directory_board_ask(board, 70000, "b"), APR_SUCCESS);
    assert_true(sl_directory_board_take(board, &directory, name));
    assert_int_equal(directory, 3);
    assert_string_equal(name, longest);
    assert_true(sl_directory_board_take(board, &directory, name));
    assert_int_equal(directory, 70000);
    assert_string_equal(name, "b");
    while ((rv = sl_directory_board_ask(board, asked, "full.test")) == APR_SUCCESS)
        asked++;
    assert_true(APR_STATUS_IS_EAGAIN(rv));
    assert_true(asked > 50);
    while (sl_directory_board_take(board, &directory, name))
        assert_int_equal(directory, taken++);
    assert_int_equal(taken, asked);
}

static void who_waits_is_woken(void **state)
{
    sl_directory_board_t *board = make(*state, 8);
    apr_uint64_t begun = sl_directory_ticks();
    sl_entry_key_t key;
    unsigned turn;

    sl_directory_board_key(board, 0, "a.test", &key);
    turn = sl_directory_board_turn(board, &key);
    sl_directory_board_await(board, &key, turn, 20000);
    assert_true(sl_directory_ticks() - begun >= 20000);
    if (fork() == 0) {
        usleep(20000);
        sl_directory_board_wake(board, &key);
        _exit(0);
    }
    begun = sl_directory_ticks();
    while (sl_directory_board_turn(board, &key) == turn)
        sl_directory_board_await(board, &key, turn, apr_time_from_sec(20));
    assert_true(sl_directory_ticks() - begun < 15000000);
    wait(NULL);
}

/* ---- one writer, many readers ---- */

typedef struct race_t {
    sl_directory_board_t *board;
    atomic_int over, wrong, reads;
} race_t;

/* More entries than slots; each one's text is its name, as often as fits into a number of bytes. */
static const char *entry_of(apr_pool_t *pool, unsigned n)
{
    return apr_psprintf(pool, "e%u.test", n % 40);
}

static const char *long_text(apr_pool_t *pool, const char *entry, unsigned times)
{
    const char *text = entry;

    for (unsigned i = 0; i < times % 20; i++)
        text = apr_pstrcat(pool, text, " ", entry, NULL);
    return text;
}

static int is_text_of(const char *text, const char *entry)
{
    apr_size_t length = strlen(entry);

    for (; !strncmp(text, entry, length); text += length + 1) {
        if (!text[length])
            return 1;
    }
    return 0;
}

static void read_one(race_t *race, apr_pool_t *pool, unsigned n)
{
    const char *entry = entry_of(pool, n), *text;
    int slot, state = look(race->board, 0, entry, &slot);

    if (state != SL_ENTRY_FOUND)
        return;
    text = text_of(pool, race->board, slot, 0, entry);
    if (*text && !is_text_of(text, entry))
        atomic_fetch_add(&race->wrong, 1);
    if (*text)
        atomic_fetch_add(&race->reads, 1);
}

static void *read_on(void *baton)
{
    race_t *race = baton;
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    for (unsigned n = 0; !atomic_load(&race->over); n++) {
        read_one(race, pool, n);
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return NULL;
}

static void write_one(sl_directory_board_t *board, apr_pool_t *pool, unsigned n)
{
    const char *entry = entry_of(pool, n * 7);

    put(board, 0, entry, long_text(pool, entry, n));
    if (n % 5 == 0) {
        int slot;

        if (look(board, 0, entry_of(pool, n * 3), &slot) == SL_ENTRY_FOUND)
            sl_directory_board_drop(board, slot);
    }
    apr_pool_clear(pool);
}

static void nobody_gets_what_is_anothers(void **state)
{
    race_t race = {.board = make(*state, 16)};
    pthread_t readers[READERS];
    apr_pool_t *pool;

    apr_pool_create(&pool, *state);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, &race), 0);
    for (unsigned n = 0; n < CHANGES || atomic_load(&race.reads) < 1000; n++)
        write_one(race.board, pool, n);
    atomic_store(&race.over, 1);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&race.wrong), 0);
}

/* Killed wherever it is; the one after it finds each slot whole, or nobody's. */
static void a_keeper_that_dies_spoils_nothing(void **state)
{
    race_t race = {.board = make(*state, 16)};
    apr_pool_t *pool;

    apr_pool_create(&pool, *state);
    for (int round = 0; round < 20; round++) {
        pid_t keeper = fork();

        assert_true(keeper >= 0);
        if (!keeper) {
            for (unsigned n = (unsigned)round * 1000;; n++)
                write_one(race.board, pool, n);
        }
        usleep(2000 + 500 * (unsigned)round);
        kill(keeper, SIGKILL);
        waitpid(keeper, NULL, 0);
        for (int slot = 0; slot < sl_directory_board_slots(race.board); slot++) {
            char entry[SL_HOST_MAX + 1];
            int directory;

            if (!sl_directory_board_owner(race.board, slot, &directory, entry)) {
                sl_directory_board_drop(race.board, slot);
                continue;
            }
            assert_true(is_text_of(text_of(pool, race.board, slot, directory, entry), entry));
        }
        for (unsigned n = 0; n < 40; n++)
            read_one(&race, pool, n);
        apr_pool_clear(pool);
    }
    assert_int_equal(atomic_load(&race.wrong), 0);
    assert_true(atomic_load(&race.reads) > 0);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(a_name_stands_for_its_entries),
    UNIT_TEST(an_entry_is_its_own),
    UNIT_TEST(what_is_absent_comes_back_with_the_epoch),
    UNIT_TEST(a_flood_pushes_out_no_identity),
    UNIT_TEST(those_in_use_stay),
    UNIT_TEST(what_is_too_large_is_not_taken),
    UNIT_TEST(questions_stay_whole),
    UNIT_TEST(who_waits_is_woken),
    UNIT_TEST(nobody_gets_what_is_anothers),
    UNIT_TEST(a_keeper_that_dies_spoils_nothing),
};

UNIT_MAIN(tests)
