/* Questions of children find what is in the directory, as it is now: whatever is added, changed, broken or removed, and
 * whatever becomes of the keeper. Says most under ThreadSanitizer: the keeper is a thread here. */
#include "keeper/directory_job.h"
#include "unit.h"

#include "crypto/cert_text.h"
#include "keeper/directory.h"
#include "keeper/directory_refusals.h"
#include "material.h"

#include <apr_tables.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const sl_directory_staple_t no_staples[2];

typedef struct setup_t {
    apr_pool_t *pool;
    const char *dir;
    const material_pair_t *ca;
    sl_directory_board_t *board;
    sl_section_t *refusals;
    sl_directory_t *directory;
    sl_job_t *job;
    pthread_t keeper;
    int end[2];
    sl_loop_t loop;
    pthread_mutex_t lock;
    char said[20000];
} setup_t;

static void say(void *baton, sl_say_t level, const char *line)
{
    setup_t *t = baton;
    size_t length;

    (void)level;
    pthread_mutex_lock(&t->lock);
    length = strlen(t->said);
    snprintf(t->said + length, sizeof(t->said) - length, "%s\n", line);
    pthread_mutex_unlock(&t->lock);
}

static int lines_with(setup_t *t, const char *text)
{
    int count = 0;

    pthread_mutex_lock(&t->lock);
    for (const char *at = t->said; (at = strstr(at, text)) != NULL; at++)
        count++;
    pthread_mutex_unlock(&t->lock);
    return count;
}

static void *live(void *baton)
{
    setup_t *t = baton;

    sl_loop_run(&t->loop);
    apr_pool_destroy(t->loop.pool);
    return NULL;
}

static void make_loop(setup_t *t)
{
    memset(&t->loop, 0, sizeof(t->loop));
    apr_pool_create_unmanaged_ex(&t->loop.pool, NULL, NULL);
    apr_pool_create(&t->loop.scratch, t->loop.pool);
    t->loop.world = sl_world_real();
    t->loop.say = say;
    t->loop.baton = t;
    t->loop.jobs = apr_array_make(t->loop.pool, 1, sizeof(sl_job_t *));
    APR_ARRAY_PUSH(t->loop.jobs, sl_job_t *) = t->job;
    assert_int_equal(pipe(t->end), 0);
    t->loop.end_fd = t->end[0];
}

static void start_keeper(setup_t *t)
{
    make_loop(t);
    assert_int_equal(pthread_create(&t->keeper, NULL, live, t), 0);
}

static void end_keeper(setup_t *t)
{
    assert_int_equal(write(t->end[1], "", 1), 1);
    pthread_join(t->keeper, NULL);
    close(t->end[0]);
    close(t->end[1]);
}

static setup_t *make(apr_pool_t *pool, int interval, int slots)
{
    setup_t *t = apr_pcalloc(pool, sizeof(*t));
    apr_array_header_t *paths = apr_array_make(pool, 2, sizeof(const char *));

    pthread_mutex_init(&t->lock, NULL);
    t->pool = pool;
    t->dir = material_dir(pool);
    t->ca = material_ca(pool, "CA", NULL);
    APR_ARRAY_PUSH(paths, const char *) = apr_pstrcat(pool, t->dir, "/nowhere", NULL);
    APR_ARRAY_PUSH(paths, const char *) = t->dir;
    assert_int_equal(sl_directory_board_make(&t->board, pool, slots, sl_problem_make(pool)), APR_SUCCESS);
    assert_int_equal(sl_directory_refusals_make(&t->refusals, pool, sl_problem_make(pool)), APR_SUCCESS);
    t->directory = sl_directory_make(pool, t->board);
    sl_directory_start(t->directory, pool, 10);
    t->job = sl_directory_job_make(pool, t->board, paths, no_staples, interval, t->refusals);
    return t;
}

static void end(setup_t *t)
{
    sl_directory_stop(t->directory);
}

/* ---- files ---- */

static const material_pair_t *pair_for(setup_t *t, const char *host)
{
    return material_server(t->pool, host, "P-256", t->ca);
}

static material_bytes_t bytes_of(setup_t *t, const material_pair_t *pair)
{
    return material_join(t->pool, material_cert_pem(t->pool, pair->cert),
                         material_key_pem(t->pool, pair->key, NULL, NULL));
}

static void put_file(setup_t *t, const char *name, material_bytes_t bytes)
{
    const char *path = material_file(t->pool, t->dir, ".new", bytes);

    assert_int_equal(rename(path, apr_pstrcat(t->pool, t->dir, "/", name, NULL)), 0);
}

static const material_pair_t *put_pair(setup_t *t, const char *file, const char *host)
{
    const material_pair_t *pair = pair_for(t, host);

    put_file(t, file, bytes_of(t, pair));
    return pair;
}

static void make_dir(setup_t *t, const char *name)
{
    const char *path = apr_pstrcat(t->pool, t->dir, "/", name, NULL);

    assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
}

static const material_pair_t *put_two(setup_t *t, const char *name, const char *host)
{
    const material_pair_t *pair = pair_for(t, host);

    make_dir(t, name);
    put_file(t, apr_pstrcat(t->pool, name, "/privkey.pem", NULL), material_key_pem(t->pool, pair->key, NULL, NULL));
    put_file(t, apr_pstrcat(t->pool, name, "/fullchain.pem", NULL), material_cert_pem(t->pool, pair->cert));
    return pair;
}

static void take_away(setup_t *t, const char *name)
{
    assert_int_equal(unlink(apr_pstrcat(t->pool, t->dir, "/", name, NULL)), 0);
}

/* ---- asking ---- */

static int gets(setup_t *t, const char *name, const material_pair_t *pair)
{
    sl_directory_doubt_t doubt;
    sl_identity_t *identity = sl_directory_find(t->directory, 1, name, &doubt);
    int same = pair ? identity && X509_cmp(identity->leaf, pair->cert) == 0 : !identity && !doubt.words;

    if (identity)
        assert_int_equal(X509_check_private_key(identity->leaf, identity->key), 1);
    sl_identity_release(identity);
    return same;
}

/* Within two seconds of the change; a machine under load may take longer to come by. */
static int comes(setup_t *t, const char *name, const material_pair_t *pair)
{
    apr_uint64_t begun = sl_directory_ticks();

    while (!gets(t, name, pair)) {
        if (sl_directory_ticks() - begun > 10000000)
            return 0;
        usleep(5000);
    }
    return 1;
}

static int comes_to_say(setup_t *t, const char *name, const char *text)
{
    apr_uint64_t begun = sl_directory_ticks();

    while (!lines_with(t, text)) {
        if (sl_directory_ticks() - begun > 20000000)
            return 0;
        if (name)
            (void)gets(t, name, NULL);
        usleep(5000);
    }
    return 1;
}

/* The list of what is refused comes to have `count` rows, the first one with that name and text. */
static int comes_to_list(setup_t *t, int count, const char *entry, const char *text)
{
    apr_uint64_t begun = sl_directory_ticks();
    sl_directory_refusals_t *seen = apr_palloc(t->pool, sizeof(*seen));

    do {
        sl_directory_refusals_read(t->refusals, seen);
        if (seen->all == count &&
            (!count || (!strcmp(seen->list[0].entry, entry) && strstr(seen->list[0].reason, text))))
            return 1;
        usleep(5000);
    } while (sl_directory_ticks() - begun < 20000000);
    return 0;
}

/* ---- tests ---- */

static void each_layout_is_found(void **state)
{
    setup_t *t = make(*state, SL_DIRECTORY_BY_EVENTS, 64);
    const material_pair_t *file = put_pair(t, "a.test.pem", "a.test"), *two = put_two(t, "b.test", "b.test");
    const material_pair_t *wild = put_pair(t, "_.w.test.pem", "*.w.test");
    const material_pair_t *star = put_two(t, "*.s.test", "*.s.test");
    const material_pair_t *lineage = put_two(t, "l.test", "*.l.test");
    const material_pair_t *own = put_pair(t, "own.w.test.pem", "own.w.test");

    start_keeper(t);
    for (int round = 0; round < 2; round++) {
        assert_true(gets(t, "a.test", file));
        assert_true(gets(t, "b.test", two));
        assert_true(gets(t, "x.w.test", wild));
        assert_true(gets(t, "y.w.test", wild));
        assert_true(gets(t, "own.w.test", own));
        assert_true(gets(t, "x.s.test", star));
        assert_true(gets(t, "x.l.test", lineage));
        assert_true(gets(t, "l.test", NULL));
        assert_true(gets(t, "x.y.l.test", NULL));
        assert_true(gets(t, "w.test", NULL));
        assert_true(gets(t, "nobody.test", NULL));
        assert_true(gets(t, "../a.test", NULL));
        assert_true(gets(t, "_.w.test", NULL));
        assert_true(gets(t, "127.0.0.1", NULL));
    }
    assert_int_equal(sl_directory_board_count(t->board, SL_DIRECTORY_LOADED), 6);
    assert_int_equal(sl_directory_board_used(t->board), 6);
    end_keeper(t);
    end(t);
}

/* What each file may be called that goes with another one of the other key type. */
static const material_pair_t *put_rsa(setup_t *t, const char *file, const char *host)
{
    const material_pair_t *pair = material_server(t->pool, host, "RSA", t->ca);

    put_file(t, file, bytes_of(t, pair));
    return pair;
}

static const material_pair_t *put_two_rsa(setup_t *t, const char *name, const char *host)
{
    const material_pair_t *pair = material_server(t->pool, host, "RSA", t->ca);

    make_dir(t, name);
    put_file(t, apr_pstrcat(t->pool, name, "/privkey.pem", NULL), material_key_pem(t->pool, pair->key, NULL, NULL));
    put_file(t, apr_pstrcat(t->pool, name, "/fullchain.pem", NULL), material_cert_pem(t->pool, pair->cert));
    return pair;
}

static int is_pair(const sl_identity_t *identity, const material_pair_t *pair)
{
    return identity && pair && X509_cmp(identity->leaf, pair->cert) == 0 &&
           X509_check_private_key(identity->leaf, identity->key) == 1;
}

static int gets_both(setup_t *t, const char *name, const material_pair_t *one, const material_pair_t *two)
{
    sl_directory_doubt_t doubt;
    sl_identity_t *identity = sl_directory_find(t->directory, 1, name, &doubt);
    int same = is_pair(identity, one) && (two ? is_pair(identity->also, two) : !identity->also);

    sl_identity_release(identity);
    return same;
}

static int comes_both(setup_t *t, const char *name, const material_pair_t *one, const material_pair_t *two)
{
    apr_uint64_t begun = sl_directory_ticks();

    while (!gets_both(t, name, one, two)) {
        if (sl_directory_ticks() - begun > 10000000)
            return 0;
        usleep(5000);
    }
    return 1;
}

static void each_layout_may_have_two_key_types(void **state)
{
    setup_t *t = make(*state, SL_DIRECTORY_BY_EVENTS, 64);
    const material_pair_t *a = put_pair(t, "a.test.pem", "a.test"), *a2 = put_rsa(t, "a.test.pem.rsa", "a.test");
    const material_pair_t *b = put_pair(t, "b.test.pem.ecdsa", "b.test"), *b2 = put_rsa(t, "b.test.pem.rsa", "b.test");
    const material_pair_t *c = put_two(t, "c.test", "c.test"), *c2 = put_two_rsa(t, "c.test-rsa", "c.test");
    const material_pair_t *d = put_two_rsa(t, "d.test", "d.test"), *d2 = put_two(t, "d.test-ecdsa", "d.test");
    const material_pair_t *w = put_pair(t, "_.w.test.pem", "*.w.test"),
                          *w2 = put_rsa(t, "_.w.test.pem.rsa", "*.w.test");
    const material_pair_t *db = put_two(t, "db", "db"), *db2 = put_two_rsa(t, "db-rsa", "db-rsa");
    const material_pair_t *twice = put_pair(t, "twice.test.pem", "twice.test");

    put_two_rsa(t, "lone.test-rsa", "lone.test"); /* beside no lone.test */
    put_file(t, "twice.test.pem.ecdsa", bytes_of(t, twice));
    start_keeper(t);
    for (int round = 0; round < 2; round++) {
        assert_true(gets_both(t, "a.test", a, a2));
        assert_true(gets_both(t, "b.test", b, b2));
        assert_true(gets_both(t, "c.test", c, c2));
        assert_true(gets_both(t, "d.test", d, d2));
        assert_true(gets_both(t, "x.w.test", w, w2));
        assert_true(gets_both(t, "db", db, NULL));
        assert_true(gets_both(t, "db-rsa", db2, NULL));
        assert_true(gets_both(t, "twice.test", twice, NULL));
        assert_true(gets(t, "lone.test", NULL));
        assert_true(gets(t, "c.test-rsa", NULL));
        assert_true(gets(t, "a.test.pem", NULL));
        assert_true(gets(t, "a.test.pem.rsa", NULL));
    }
    assert_int_equal(sl_directory_board_count(t->board, SL_DIRECTORY_REFUSED), 0);
    assert_int_equal(sl_directory_board_used(t->board), 8);
    end_keeper(t);
    end(t);
}

/* Without a look at any key. */
static void facts_are_at_hand(void **state)
{
    setup_t *t = make(*state, SL_DIRECTORY_BY_EVENTS, 8);
    const material_pair_t *a = put_pair(t, "a.test.pem", "a.test"), *a2 = put_rsa(t, "a.test.pem.rsa", "a.test");
    unsigned char bytes[SL_DIRECTORY_FACTS_SIZE];
    sl_directory_facts_t facts[SL_DIRECTORY_KINDS];
    char entry[SL_HOST_MAX + 1];
    int found = 0;

    start_keeper(t);
    assert_true(gets_both(t, "a.test", a, a2));
    for (int slot = 0; slot < sl_directory_board_slots(t->board); slot++) {
        int directory;
        apr_size_t length = sl_directory_board_peek(t->board, slot, &directory, entry, bytes, sizeof(bytes));

        if (!length)
            continue;
        found++;
        assert_string_equal(entry, "a.test");
        assert_int_equal(directory, 1);
        assert_int_equal(sl_directory_bundle_facts(bytes, length, facts), 2);
        assert_string_equal(facts[0].key_type, "ECDSA");
        assert_string_equal(facts[1].key_type, "RSA");
        assert_int_equal(facts[0].not_after, sl_cert_not_after(a->cert));
        assert_int_equal(facts[1].not_before, sl_cert_not_before(a2->cert));
        for (apr_size_t less = 0; less < 2 + 2 * 28; less++)
            assert_int_equal(sl_directory_bundle_facts(bytes, less, facts), 0);
        bytes[1] = SL_DIRECTORY_KINDS + 1;
        assert_int_equal(sl_directory_bundle_facts(bytes, length, facts), 0);
        bytes[0] = bytes[1] = 0;
        assert_int_equal(sl_directory_bundle_facts(bytes, length, facts), 0);
    }
    assert_int_equal(found, 1);
    end_keeper(t);
    end(t);
}

static void changes_of_either_key_type_are_followed(void **state)
{
    setup_t *t = make(*state, SL_DIRECTORY_BY_EVENTS, 64);
    const material_pair_t *a = put_pair(t, "a.test.pem", "a.test"), *a2;
    const material_pair_t *b = put_two(t, "b.test", "b.test"), *b2;

    start_keeper(t);
    assert_true(comes_both(t, "a.test", a, NULL));
    assert_true(comes_both(t, "b.test", b, NULL));
    a2 = put_rsa(t, "a.test.pem.rsa", "a.test");
    b2 = put_two_rsa(t, "b.test-rsa", "b.test");
    assert_true(comes_both(t, "a.test", a, a2));
    assert_true(comes_both(t, "b.test", b, b2));
    assert_true(lines_with(t, "a.test.pem.rsa, valid until") == 1);
    a2 = put_rsa(t, "a.test.pem.rsa", "a.test");
    b = put_two(t, "b.test", "b.test");
    assert_true(comes_both(t, "a.test", a, a2));
    assert_true(comes_both(t, "b.test", b, b2));
    take_away(t, "b.test-rsa/fullchain.pem");
    take_away(t, "a.test.pem.rsa");
    for (apr_uint64_t begun = sl_directory_ticks(); sl_directory_ticks() - begun < 500000;) { /* it may come back */
        int same = gets_both(t, "a.test", a, a2);

        assert_true(same || sl_directory_ticks() - begun > 900000);
        usleep(10000);
    }
    assert_true(comes_both(t, "a.test", a, NULL));
    assert_true(comes_both(t, "b.test", b, NULL));
    a2 = put_rsa(t, "a.test.pem.rsa", "a.test");
    take_away(t, "a.test.pem");
    assert_true(comes_both(t, "a.test", a2, NULL));
    assert_int_equal(lines_with(t, "SL0176"), 0);
    end_keeper(t);
    end(t);
}

/* The first one serves, the second one's file is told of; later what was there before stays in its place. */
static void one_that_is_broken_leaves_the_other_alone(void **state)
{
    setup_t *t = make(*state, SL_DIRECTORY_BY_EVENTS, 64);
    const material_pair_t *a = put_pair(t, "a.test.pem", "a.test"), *a2, *b = put_pair(t, "b.test.pem", "b.test");

    put_file(t, "a.test.pem.rsa", bytes_of(t, pair_for(t, "a.test")));
    put_pair(t, "b.test.pem.ecdsa", "b.test");
    put_pair(t, "c.test.pem", "c.test");
    put_rsa(t, "c.test.pem.rsa", "b.test");
    start_keeper(t);
    assert_true(gets_both(t, "a.test", a, NULL));
    assert_true(gets_both(t, "b.test", b, NULL));
    assert_true(comes_to_say(t, "a.test", "a.test.pem.rsa: the key is none of type RSA, as the name says, but ECDSA"));
    assert_true(comes_to_say(t, "b.test", "b.test.pem has the same key type, ECDSA"));
    assert_true(comes_to_say(t, "c.test", "c.test.pem.rsa: the certificate does not cover c.test"));
    assert_int_equal(lines_with(t, "can't be used; what else is there for the name is served without it: "), 3);
    a2 = put_rsa(t, "a.test.pem.rsa", "a.test");
    assert_true(comes_both(t, "a.test", a, a2));
    put_file(t, "a.test.pem.rsa", material_text("nothing\n"));
    a = put_pair(t, "a.test.pem", "a.test");
    assert_true(comes_both(t, "a.test", a, a2));
    assert_true(
        comes_to_say(t, "a.test", "a certificate for a.test can't be used; what was served before serves on: "));
    put_pair(t, "a.test.pem", "*.a.test");
    usleep(500000);
    assert_true(gets_both(t, "a.test", a, a2));
    put_file(t, "a.test.pem", bytes_of(t, a));
    a2 = put_rsa(t, "a.test.pem.rsa", "a.test");
    assert_true(comes_both(t, "a.test", a, a2));
    end_keeper(t);
    end(t);
}

static void changes_are_followed(setup_t *t)
{
    const material_pair_t *one = put_pair(t, "a.test.pem", "a.test"), *two = put_two(t, "b.test", "b.test");

    start_keeper(t);
    assert_true(comes(t, "a.test", one));
    assert_true(comes(t, "b.test", two));
    assert_true(gets(t, "c.test", NULL));
    one = put_pair(t, "a.test.pem", "a.test");
    two = put_two(t, "b.test", "b.test");
    assert_true(comes(t, "a.test", one));
    assert_true(comes(t, "b.test", two));
    assert_true(comes(t, "c.test", put_two(t, "c.test", "c.test")));
    assert_true(comes(t, "b.test", put_pair(t, "b.test.pem", "b.test")));
    take_away(t, "b.test.pem");
    assert_true(comes(t, "b.test", two));
    take_away(t, "a.test.pem");
    assert_true(comes(t, "a.test", NULL));
    end_keeper(t);
    end(t);
}

static void changes_are_followed_by_events(void **state)
{
    changes_are_followed(make(*state, SL_DIRECTORY_BY_EVENTS, 64));
}

static void changes_are_followed_by_the_clock(void **state)
{
    changes_are_followed(make(*state, 1, 64));
}

static void without_following_the_first_look_counts(void **state)
{
    setup_t *t = make(*state, SL_DIRECTORY_NEVER, 64);
    const material_pair_t *one = put_pair(t, "a.test.pem", "a.test");

    start_keeper(t);
    assert_true(gets(t, "a.test", one));
    put_pair(t, "a.test.pem", "a.test");
    assert_true(gets(t, "b.test", NULL));
    assert_true(comes(t, "b.test", put_pair(t, "b.test.pem", "b.test")));
    end_keeper(t);
    start_keeper(t);
    usleep(1200000);
    assert_true(gets(t, "a.test", one));
    end_keeper(t);
    end(t);
}

/* The stale one of a pair that does not match serves on; the new one comes when its key is there. */
static void half_of_a_change_waits(void **state)
{
    setup_t *t = make(*state, SL_DIRECTORY_BY_EVENTS, 64);
    const material_pair_t *one = put_two(t, "a.test", "a.test"), *two = pair_for(t, "a.test");

    start_keeper(t);
    assert_true(gets(t, "a.test", one));
    put_file(t, "a.test/fullchain.pem", material_cert_pem(t->pool, two->cert));
    for (int i = 0; i < 15; i++) {
        usleep(100000);
        assert_true(gets(t, "a.test", one));
    }
    assert_int_equal(lines_with(t, "SL0176"), 0);
    put_file(t, "a.test/privkey.pem", material_key_pem(t->pool, two->key, NULL, NULL));
    assert_true(comes(t, "a.test", two));
    assert_int_equal(lines_with(t, "SL0176"), 0);
    end_keeper(t);
    end(t);
}

static void what_is_broken_is_told_once(void **state)
{
    setup_t *t = make(*state, SL_DIRECTORY_BY_EVENTS, 64);
    const material_pair_t *good = put_pair(t, "good.test.pem", "good.test");

    put_file(t, "a.test.pem", material_text("no certificate at all\n"));
    start_keeper(t);
    assert_true(gets(t, "a.test", NULL));
    assert_true(comes_to_say(t, NULL, "SL0176: a certificate for a.test can't be used; it is as if it were not there"));
    for (int i = 0; i < 25; i++) {
        usleep(100000);
        assert_true(gets(t, "a.test", NULL));
        assert_true(gets(t, "good.test", good));
    }
    assert_int_equal(lines_with(t, "SL0176"), 1);
    assert_true(comes_to_list(t, 1, "a.test", "it is as if it were not there: "));
    assert_true(comes(t, "a.test", put_pair(t, "a.test.pem", "a.test")));
    assert_true(comes_to_list(t, 0, "", ""));
    assert_int_equal(lines_with(t, "SL0179"), 1);
    end_keeper(t);
    end(t);
}

static void a_change_for_the_worse_is_refused(void **state)
{
    setup_t *t = make(*state, SL_DIRECTORY_BY_EVENTS, 64);
    const material_pair_t *one = put_pair(t, "a.test.pem", "a.test");

    start_keeper(t);
    assert_true(gets(t, "a.test", one));
    put_file(t, "a.test.pem", bytes_of(t, material_server(t->pool, "a.test", "RSA-1024", t->ca)));
    assert_true(comes_to_say(t, "a.test", "what was served before serves on: "));
    assert_true(comes_to_say(t, "a.test", "the RSA key has only 1024 bits"));
    assert_true(gets(t, "a.test", one));
    put_pair(t, "a.test.pem", "*.a.test");
    assert_true(comes_to_say(t, "a.test", "does not cover a.test, which the one before covers"));
    assert_true(gets(t, "a.test", one));
    put_pair(t, "a.test.pem", "b.test");
    assert_true(comes_to_say(t, "a.test", "the certificate does not cover a.test. Get one for that name, or"));
    assert_true(gets(t, "a.test", one));
    end_keeper(t);
    end(t);
}

/* A file system that is gone takes no name along. */
static void a_directory_that_is_lost_changes_nothing(void **state)
{
    setup_t *t = make(*state, SL_DIRECTORY_BY_EVENTS, 64);
    const material_pair_t *one = put_pair(t, "a.test.pem", "a.test");
    const char *away = apr_pstrcat(t->pool, t->dir, ".away", NULL);

    start_keeper(t);
    assert_true(gets(t, "a.test", one));
    for (int round = 1; round <= 2; round++) {
        assert_int_equal(rename(t->dir, away), 0);
        for (int i = 0; i < 25; i++) {
            usleep(100000);
            assert_true(gets(t, "a.test", one));
            assert_true(gets(t, "b.test", NULL));
        }
        assert_int_equal(lines_with(t, "what was served before serves on: the directory can't be reached"), round);
        assert_true(comes_to_list(t, 1, "", "what was served before serves on: the directory can't be reached"));
        assert_int_equal(rename(away, t->dir), 0);
        one = put_pair(t, "a.test.pem", "a.test");
        assert_true(comes(t, "a.test", one));
        assert_true(comes_to_list(t, 0, "", ""));
    }
    take_away(t, "a.test.pem");
    assert_true(comes(t, "a.test", NULL));
    end_keeper(t);
    end(t);
}

/* As many names a second as are allowed are looked for, and names that were found once always are. */
static void a_flood_is_bounded(void **state)
{
    setup_t *t = make(*state, SL_DIRECTORY_BY_EVENTS, 8);
    const material_pair_t *wild = put_pair(t, "_.w.test.pem", "*.w.test"), *one = put_pair(t, "a.test.pem", "a.test");
    apr_uint64_t begun, seconds;
    int directory;
    char name[SL_HOST_MAX + 1];

    start_keeper(t);
    assert_true(gets(t, "a.test", one));
    assert_true(gets(t, "x.w.test", wild));
    begun = sl_directory_ticks();
    for (int i = 0; i < 5 * SL_DIRECTORY_MOST_ABSENT; i++) {
        while (sl_directory_board_ask(t->board, 1, apr_psprintf(t->pool, "x%d.test", i)) != APR_SUCCESS)
            usleep(100);
    }
    while (sl_directory_board_count(t->board, SL_DIRECTORY_QUESTIONS) < 5 * SL_DIRECTORY_MOST_ABSENT + 2)
        usleep(1000);
    if (sl_directory_ticks() / 1000000 == begun / 1000000) { /* else another second has begun, with room for more */
        sl_directory_doubt_t doubt;

        assert_null(sl_directory_find(t->directory, 1, "one-too-many.test", &doubt));
        assert_true(!doubt.words || strstr(doubt.words, "more unknown names"));
        assert_false(doubt.has_no_answer);
    }
    seconds = (sl_directory_ticks() - begun) / 1000000 + 2;
    assert_true(sl_directory_board_count(t->board, SL_DIRECTORY_ABSENT) <= seconds * SL_DIRECTORY_MOST_ABSENT);
    assert_true(gets(t, "a.test", one));
    assert_true(gets(t, "new.w.test", wild));
    assert_false(sl_directory_board_take(t->board, &directory, name));
    end_keeper(t);
    end(t);
}

static void more_names_than_slots_are_served(void **state)
{
    setup_t *t = make(*state, SL_DIRECTORY_BY_EVENTS, 8);
    const material_pair_t *pairs[40];

    start_keeper(t);
    for (int i = 0; i < 40; i++)
        pairs[i] = put_pair(t, apr_psprintf(t->pool, "h%d.test.pem", i), apr_psprintf(t->pool, "h%d.test", i));
    for (int i = 0; i < 200; i++)
        assert_true(comes(t, apr_psprintf(t->pool, "h%d.test", i * 7 % 40), pairs[i * 7 % 40]));
    assert_int_equal(sl_directory_board_used(t->board), 8);
    end_keeper(t);
    end(t);
}

/* ---- the keeper ---- */

static void without_a_keeper_what_is_known_serves_on(void **state)
{
    setup_t *t = make(*state, SL_DIRECTORY_BY_EVENTS, 64);
    const material_pair_t *one = put_pair(t, "a.test.pem", "a.test");
    const material_pair_t *wild;
    apr_uint64_t begun;
    sl_directory_doubt_t doubt;

    wild = put_pair(t, "_.w.test.pem", "*.w.test");
    put_pair(t, "b.test.pem", "b.test");
    start_keeper(t);
    assert_true(gets(t, "a.test", one));
    assert_true(gets(t, "x.w.test", wild));
    end_keeper(t);
    assert_true(gets(t, "a.test", one));
    assert_true(gets(t, "never-asked.w.test", wild));
    begun = sl_directory_ticks();
    assert_null(sl_directory_find(t->directory, 1, "b.test", &doubt));
    assert_string_equal(doubt.words, "the keeper process gave no answer about the certificate in time");
    assert_true(sl_directory_ticks() - begun >= (apr_uint64_t)SL_DIRECTORY_PATIENCE);
    begun = sl_directory_ticks();
    for (int i = 0; i < 20; i++) {
        assert_null(sl_directory_find(t->directory, 1, "b.test", &doubt));
        assert_string_equal(doubt.words, "the keeper process gives no answers about certificates");
    }
    assert_true(sl_directory_ticks() - begun < (apr_uint64_t)SL_DIRECTORY_PATIENCE);
    put_pair(t, "a.test.pem", "a.test");
    start_keeper(t); /* looks at what the one before it left, and answers what was asked meanwhile */
    assert_true(comes(t, "b.test", put_pair(t, "b.test.pem", "b.test")));
    assert_true(comes(t, "a.test", put_pair(t, "a.test.pem", "a.test")));
    end_keeper(t);
    end(t);
}

static void full_questions_are_told(void **state)
{
    setup_t *t = make(*state, SL_DIRECTORY_BY_EVENTS, 64);
    sl_directory_doubt_t doubt;

    while (sl_directory_board_ask(t->board, 1, "a.test") == APR_SUCCESS)
        continue;
    assert_null(sl_directory_find(t->directory, 1, "b.test", &doubt));
    assert_non_null(strstr(doubt.words, "too many questions"));
    end(t);
}

typedef struct asker_t {
    setup_t *t;
    const char *host;
    pthread_t thread;
    sl_identity_t *got;
} asker_t;

static void *ask_once(void *baton)
{
    asker_t *asker = baton;
    sl_directory_doubt_t doubt;

    asker->got = sl_directory_find(asker->t->directory, 1, asker->host, &doubt);
    return NULL;
}

static void start_asker(asker_t *asker, setup_t *t, const char *host)
{
    asker->t = t;
    asker->host = host;
    assert_int_equal(pthread_create(&asker->thread, NULL, ask_once, asker), 0);
}

static void assert_got(asker_t *asker, const material_pair_t *pair)
{
    pthread_join(asker->thread, NULL);
    assert_non_null(asker->got);
    assert_int_equal(X509_cmp(asker->got->leaf, pair->cert), 0);
    sl_identity_release(asker->got);
}

/* After a restart everybody asks at once. */
static void a_moment_with_too_many_questions_passes(void **state)
{
    setup_t *t = make(*state, SL_DIRECTORY_BY_EVENTS, 64);
    const material_pair_t *pair = put_pair(t, "b.test.pem", "b.test");
    asker_t asker;

    while (sl_directory_board_ask(t->board, 1, "a.test") == APR_SUCCESS)
        continue;
    start_asker(&asker, t, "b.test");
    usleep(50000); /* time to find no room */
    start_keeper(t);
    assert_got(&asker, pair);
    end_keeper(t);
    end(t);
}

static void one_question_is_enough_for_many_threads(void **state)
{
    setup_t *t = make(*state, SL_DIRECTORY_BY_EVENTS, 64);
    const material_pair_t *pair = put_pair(t, "b.test.pem", "b.test");
    asker_t askers[20];

    for (int i = 0; i < 20; i++)
        start_asker(&askers[i], t, "b.test");
    usleep(300000); /* nobody answers, so it is asked again */
    start_keeper(t);
    for (int i = 0; i < 20; i++)
        assert_got(&askers[i], pair);
    end_keeper(t);
    assert_in_range(sl_directory_board_count(t->board, SL_DIRECTORY_QUESTIONS), 1, 10);
    end(t);
}

/* In processes of their own, killed at any moment while children ask. */
static void keepers_die_at_any_moment(void **state)
{
    setup_t *t = make(*state, SL_DIRECTORY_BY_EVENTS, 16);
    const material_pair_t *pairs[30];

    for (int i = 0; i < 30; i++)
        pairs[i] = put_pair(t, apr_psprintf(t->pool, "h%d.test.pem", i), apr_psprintf(t->pool, "h%d.test", i));
    for (int round = 0; round < 15; round++) {
        pid_t keeper = fork();
        apr_uint64_t begun = sl_directory_ticks();

        assert_true(keeper >= 0);
        if (!keeper) {
            make_loop(t);
            sl_loop_run(&t->loop);
            _exit(0);
        }
        for (int i = 0; sl_directory_ticks() - begun < 30000 + 2000 * (apr_uint64_t)round; i++) {
            sl_directory_doubt_t doubt;
            sl_identity_t *identity =
                sl_directory_find(t->directory, 1, apr_psprintf(t->pool, "h%d.test", i * 11 % 30), &doubt);

            assert_true(!identity || X509_cmp(identity->leaf, pairs[i * 11 % 30]->cert) == 0);
            sl_identity_release(identity);
        }
        kill(keeper, SIGKILL);
        waitpid(keeper, NULL, 0);
    }
    start_keeper(t);
    for (int i = 0; i < 30; i++)
        assert_true(comes(t, apr_psprintf(t->pool, "h%d.test", i), pairs[i]));
    end_keeper(t);
    end(t);
}

/* ---- many threads ---- */

#define ASKERS 4

typedef struct crowd_t {
    setup_t *t;
    const char *hosts[20];
    atomic_int over, wrong, found;
} crowd_t;

static void *ask_on(void *baton)
{
    crowd_t *crowd = baton;

    for (unsigned n = 0; !atomic_load(&crowd->over); n++) {
        const char *host = crowd->hosts[n % 20];
        sl_directory_doubt_t doubt;
        sl_identity_t *identity = sl_directory_find(crowd->t->directory, 1, host, &doubt);

        if (identity &&
            (!sl_identity_covers(identity, host) || X509_check_private_key(identity->leaf, identity->key) != 1))
            atomic_fetch_add(&crowd->wrong, 1);
        if (identity)
            atomic_fetch_add(&crowd->found, 1);
        sl_identity_release(identity);
    }
    return NULL;
}

/* All ask for the same few names, more than there are slots, while they change. */
static void a_crowd_gets_whole_ones(void **state)
{
    setup_t *t = make(*state, SL_DIRECTORY_BY_EVENTS, 16);
    crowd_t crowd = {.t = t};
    material_bytes_t texts[2][20];
    pthread_t threads[ASKERS];

    for (int i = 0; i < 20; i++) {
        crowd.hosts[i] = apr_psprintf(t->pool, "h%d.test", i);
        texts[0][i] = bytes_of(t, pair_for(t, crowd.hosts[i]));
        texts[1][i] = bytes_of(t, pair_for(t, crowd.hosts[i]));
        put_file(t, apr_psprintf(t->pool, "h%d.test.pem", i), texts[0][i]);
    }
    start_keeper(t);
    for (int i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_on, &crowd), 0);
    for (int i = 0; i < 400 || atomic_load(&crowd.found) < 2000; i++) {
        if (i < 400)
            put_file(t, apr_psprintf(t->pool, "h%d.test.pem", i % 20), texts[i / 20 % 2][i % 20]);
        usleep(5000);
    }
    atomic_store(&crowd.over, 1);
    for (int i = 0; i < ASKERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&crowd.wrong), 0);
    end_keeper(t);
    end(t);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(each_layout_is_found),
    UNIT_TEST(each_layout_may_have_two_key_types),
    UNIT_TEST(facts_are_at_hand),
    UNIT_TEST(changes_of_either_key_type_are_followed),
    UNIT_TEST(one_that_is_broken_leaves_the_other_alone),
    UNIT_TEST(changes_are_followed_by_events),
    UNIT_TEST(changes_are_followed_by_the_clock),
    UNIT_TEST(without_following_the_first_look_counts),
    UNIT_TEST(half_of_a_change_waits),
    UNIT_TEST(what_is_broken_is_told_once),
    UNIT_TEST(a_change_for_the_worse_is_refused),
    UNIT_TEST(a_directory_that_is_lost_changes_nothing),
    UNIT_TEST(a_flood_is_bounded),
    UNIT_TEST(more_names_than_slots_are_served),
    UNIT_TEST(without_a_keeper_what_is_known_serves_on),
    UNIT_TEST(full_questions_are_told),
    UNIT_TEST(a_moment_with_too_many_questions_passes),
    UNIT_TEST(one_question_is_enough_for_many_threads),
    UNIT_TEST(keepers_die_at_any_moment),
    UNIT_TEST(a_crowd_gets_whole_ones),
};

UNIT_MAIN(tests)
