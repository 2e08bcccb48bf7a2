/* identity_cache: what was loaded is found again while its files stay as they were, is read anew when one has changed,
 * and is forgotten when nobody asks for it; its warnings are told once in each pass. */
#include "unit.h"

#include "identity/identity_cache.h"
#include "material.h"

#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

/* A cache, and the files of one certificate. */
typedef struct cache_files_t {
    apr_pool_t *pool;
    sl_identity_cache_t *cache;
    const char *dir;
    sl_source_t source;
    sl_problems_t *problems; /* of the last ask() */
    sl_problem_t *why;
} cache_files_t;

static void write_pair(cache_files_t *files, const char *host)
{
    material_pair_t *pair = material_server(files->pool, host, "P-256", NULL);

    files->source.certificate =
        material_file(files->pool, files->dir, "a.crt", material_cert_pem(files->pool, pair->cert));
    files->source.key =
        material_file(files->pool, files->dir, "a.key", material_key_pem(files->pool, pair->key, NULL, NULL));
}

static cache_files_t *make_files(apr_pool_t *pool)
{
    cache_files_t *files = apr_pcalloc(pool, sizeof(*files));

    files->pool = pool;
    files->cache = sl_identity_cache_make(pool);
    files->dir = material_dir(pool);
    files->source.first = 1;
    files->source.origin = (sl_origin_t){"t.conf", 1, "SSLCertificateFile"};
    files->source.key_origin = (sl_origin_t){"t.conf", 2, "SSLCertificateKeyFile"};
    write_pair(files, "a.test");
    return files;
}

/* NULL if it can't be loaded; the caller's reference is the cache's, as long as it keeps the identity. */
static sl_identity_t *ask(cache_files_t *files)
{
    sl_identity_t *identity = NULL;
    apr_pool_t *scratch;

    files->problems = sl_problems_make(files->pool);
    files->why = sl_problem_make(files->pool);
    apr_pool_create(&scratch, files->pool);
    if (sl_identity_cache_load(files->cache, &identity, &files->source, NULL, NULL, scratch, files->problems,
                               files->why) != APR_SUCCESS)
        assert_null(identity);
    apr_pool_destroy(scratch); /* nothing that is kept may live in it */
    return identity;
}

static unsigned holders(sl_identity_t *identity)
{
    return atomic_load(&identity->holders.holders);
}

/* Twice: what was asked for before the first sweep is no longer wanted at the second. */
static void forget_all(cache_files_t *files)
{
    sl_identity_cache_sweep(files->cache);
    sl_identity_cache_sweep(files->cache);
}

static void files_that_stay_the_same_are_read_once(void **state)
{
    cache_files_t *files = make_files(*state);
    sl_identity_t *first = ask(files), *second = ask(files);

    assert_non_null(first);
    assert_ptr_equal(first, second);
    assert_int_equal(holders(first), 3); /* two asked, and the cache */
    sl_identity_release(first);
    sl_identity_release(second);
    forget_all(files);
}

static void a_pass_that_asks_keeps_it_one_that_does_not_forgets(void **state)
{
    cache_files_t *files = make_files(*state);
    sl_identity_t *first = ask(files), *again;

    sl_identity_cache_sweep(files->cache);
    assert_int_equal(holders(first), 2);
    again = ask(files);
    assert_ptr_equal(again, first);
    sl_identity_release(again);
    sl_identity_cache_sweep(files->cache);
    assert_int_equal(holders(first), 2);
    sl_identity_cache_sweep(files->cache);
    assert_int_equal(holders(first), 1); /* forgotten, but still ours */
    again = ask(files);
    assert_ptr_not_equal(again, first);
    assert_int_equal(X509_cmp(again->leaf, first->leaf), 0);
    sl_identity_release(first);
    sl_identity_release(again);
    forget_all(files);
}

static void a_changed_file_is_read_anew(void **state)
{
    cache_files_t *files = make_files(*state);
    sl_identity_t *first = ask(files), *second;

    write_pair(files, "b.test");
    second = ask(files);
    assert_non_null(second);
    assert_int_not_equal(X509_cmp(first->leaf, second->leaf), 0);
    assert_true(sl_identity_covers(second, "b.test"));
    assert_true(sl_identity_covers(first, "a.test")); /* who has the old one keeps it */
    sl_identity_release(first);
    sl_identity_release(second);
    forget_all(files);
}

static void a_file_of_the_same_size_and_date_is_seen_to_be_another(void **state)
{
    cache_files_t *files = make_files(*state);
    struct utimbuf times = {1000000000, 1000000000};
    const char *chain = apr_pstrcat(*state, files->dir, "/chain.pem", NULL);
    material_bytes_t one = material_cert_pem(*state, material_ca(*state, "one", NULL)->cert);
    sl_identity_t *first, *second;

    files->source.chain = material_file(*state, files->dir, "chain.pem", one);
    assert_int_equal(utime(chain, &times), 0);
    first = ask(files);
    assert_non_null(first);
    assert_int_equal(sk_X509_num(first->chain), 1);
    /* The last line of the PEM form is text between blocks now: the file holds nothing any more. */
    one = material_text(apr_psprintf(*state, "%.*s", (int)one.length, one.data));
    memset(strstr((char *)one.data, "-----END"), '#', 8);
    material_file(*state, files->dir, "chain.pem", one);
    assert_int_equal(utime(chain, &times), 0);
    second = ask(files);
    assert_null(second);
    sl_identity_release(first);
    forget_all(files);
}

static void what_fails_is_not_kept(void **state)
{
    cache_files_t *files = make_files(*state);
    sl_identity_t *identity;
    const char *key = files->source.key;

    files->source.key = apr_pstrcat(*state, files->dir, "/gone.key", NULL);
    assert_null(ask(files));
    assert_non_null(strstr(sl_problem_text(files->why, *state), "t.conf:2: SSLCertificateKeyFile: "));
    assert_null(ask(files));
    files->source.key = key;
    identity = ask(files);
    assert_non_null(identity);
    sl_identity_release(identity);
    forget_all(files);
}

static void the_last_good_one_is_there_when_the_files_break(void **state)
{
    cache_files_t *files = make_files(*state);
    sl_identity_t *first = ask(files), *last;

    material_file(*state, files->dir, "a.crt", material_text("half a certif"));
    assert_null(ask(files));
    last = sl_identity_cache_last(files->cache, &files->source, *state);
    assert_ptr_equal(last, first);
    sl_identity_release(last);
    sl_identity_cache_sweep(files->cache); /* it was asked for, so it stays */
    last = sl_identity_cache_last(files->cache, &files->source, *state);
    assert_ptr_equal(last, first);
    sl_identity_release(last);
    write_pair(files, "b.test"); /* the newest of two is the last */
    last = ask(files);
    assert_ptr_not_equal(last, first);
    sl_identity_release(last);
    last = sl_identity_cache_last(files->cache, &files->source, *state);
    assert_true(sl_identity_covers(last, "b.test"));
    sl_identity_release(last);
    files->source.key = files->source.certificate; /* never seen */
    assert_null(sl_identity_cache_last(files->cache, &files->source, *state));
    sl_identity_release(first);
    forget_all(files);
}

static void assert_counts(const cache_files_t *files, int read, int known)
{
    int was_read, was_known;

    sl_identity_cache_count(files->cache, &was_read, &was_known);
    assert_int_equal(was_read, read);
    assert_int_equal(was_known, known);
}

static void it_counts_what_a_pass_read_and_what_it_knew(void **state)
{
    cache_files_t *files = make_files(*state);

    assert_counts(files, 0, 0);
    sl_identity_release(ask(files));
    sl_identity_release(ask(files));
    assert_counts(files, 1, 0);
    sl_identity_cache_sweep(files->cache);
    assert_counts(files, 0, 0);
    sl_identity_release(ask(files));
    sl_identity_release(ask(files));
    assert_counts(files, 0, 1);
    write_pair(files, "b.test");
    sl_identity_release(ask(files));
    assert_counts(files, 1, 1);
    forget_all(files);
}

/* DH and EC parameters are looked for in the first certificate of a host only. */
static void a_hosts_first_certificate_is_not_another_hosts_second(void **state)
{
    cache_files_t *files = make_files(*state);
    sl_identity_t *first = ask(files), *second;

    files->source.first = 0;
    second = ask(files);
    assert_ptr_not_equal(first, second);
    sl_identity_release(first);
    sl_identity_release(second);
    forget_all(files);
}

static void assert_warned(cache_files_t *files, const char *text)
{
    assert_int_equal(files->problems->all->nelts, 1);
    if (!strstr(sl_problem_text(APR_ARRAY_IDX(files->problems->all, 0, sl_problem_t *), files->pool), text))
        fail_msg("not told: %s", text);
}

static void warnings_are_told_once_in_each_pass(void **state)
{
    cache_files_t *files = make_files(*state);
    sl_identity_t *identity;

    chmod(files->source.key, 0644);
    for (int pass = 0; pass < 3; pass++) {
        identity = ask(files);
        assert_warned(files, apr_psprintf(*state, "t.conf:2: SSLCertificateKeyFile: %s: the private key can be read",
                                          files->source.key));
        assert_warned(files, apr_psprintf(*state, ". chmod o-rwx %s", files->source.key));
        sl_identity_release(identity);
        identity = ask(files); /* another host with the same files */
        assert_int_equal(files->problems->all->nelts, 0);
        sl_identity_release(identity);
        sl_identity_cache_sweep(files->cache);
        files->source.key_origin.file = "t.conf"; /* the next reading of the configuration */
    }
    forget_all(files);
}

static void a_warning_stops_when_its_reason_is_gone(void **state)
{
    cache_files_t *files = make_files(*state);
    sl_identity_t *identity;

    chmod(files->source.key, 0644);
    identity = ask(files);
    assert_warned(files, "can be read by everybody");
    sl_identity_release(identity);
    sl_identity_cache_sweep(files->cache);
    chmod(files->source.key, 0600);
    identity = ask(files);
    assert_int_equal(files->problems->all->nelts, 0);
    sl_identity_release(identity);
    forget_all(files);
}

static void a_warning_about_one_file_for_both_is_told_at_the_certificate(void **state)
{
    cache_files_t *files = make_files(*state);
    material_pair_t *pair = material_server(*state, "c.test", "P-256", NULL);
    sl_identity_t *identity;

    files->source.certificate = material_file(
        *state, files->dir, "both.pem",
        material_join(*state, material_cert_pem(*state, pair->cert), material_key_pem(*state, pair->key, NULL, NULL)));
    files->source.key = NULL;
    files->source.key_origin = files->source.origin;
    chmod(files->source.certificate, 0644);
    for (int pass = 0; pass < 2; pass++) {
        identity = ask(files);
        assert_warned(files, "t.conf:1: SSLCertificateFile: ");
        sl_identity_release(identity);
        sl_identity_cache_sweep(files->cache);
    }
    forget_all(files);
}

/* So many that some share a bucket. */
#define MANY 700

static void many_are_kept_apart(void **state)
{
    cache_files_t *files = make_files(*state);
    sl_identity_t *kept[MANY];
    material_bytes_t cert, key;
    material_pair_t *pair = material_server(*state, "m.test", "P-256", NULL);

    cert = material_cert_pem(*state, pair->cert);
    key = material_key_pem(*state, pair->key, NULL, NULL);
    files->source.key = material_file(*state, files->dir, "m.key", key);
    for (int i = 0; i < MANY; i++) {
        files->source.certificate = material_file(*state, files->dir, apr_psprintf(*state, "%d.crt", i), cert);
        kept[i] = ask(files);
        assert_string_equal(kept[i]->origin, files->source.certificate);
    }
    for (int i = 0; i < MANY; i++) {
        sl_identity_t *again;

        files->source.certificate = apr_psprintf(*state, "%s/%d.crt", files->dir, i);
        again = ask(files);
        assert_ptr_equal(again, kept[i]);
        sl_identity_release(again);
        sl_identity_release(kept[i]);
    }
    forget_all(files);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(files_that_stay_the_same_are_read_once),
    UNIT_TEST(a_pass_that_asks_keeps_it_one_that_does_not_forgets),
    UNIT_TEST(a_changed_file_is_read_anew),
    UNIT_TEST(a_file_of_the_same_size_and_date_is_seen_to_be_another),
    UNIT_TEST(what_fails_is_not_kept),
    UNIT_TEST(the_last_good_one_is_there_when_the_files_break),
    UNIT_TEST(it_counts_what_a_pass_read_and_what_it_knew),
    UNIT_TEST(a_hosts_first_certificate_is_not_another_hosts_second),
    UNIT_TEST(warnings_are_told_once_in_each_pass),
    UNIT_TEST(a_warning_stops_when_its_reason_is_gone),
    UNIT_TEST(a_warning_about_one_file_for_both_is_told_at_the_certificate),
    UNIT_TEST(many_are_kept_apart),
};

UNIT_MAIN(tests)
