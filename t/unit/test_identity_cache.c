/* identity_cache: what was loaded is found again while its files stay as they were, is read anew when one has changed,
 * and is forgotten when nobody asks for it; its warnings are told once in each pass. All of it holds for ordinary
 * sources, which are read by identity/stored, and for the loader's. Many that are read ahead, by several threads, are
 * what each of them is alone. */
#include "unit.h"

#include "identity/identity_cache.h"
#include "keeper/watch.h"
#include "material.h"

#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

/* A cache, and the files of one certificate. */
typedef struct cache_files_t {
    apr_pool_t *pool;
    sl_identity_cache_t *cache;
    const material_pair_t *issuer;
    const char *dir;
    sl_source_t source;
    sl_problems_t *problems; /* of the last ask() */
    sl_problem_t *why;
} cache_files_t;

/* Certificates that signed themselves are the loader's business. */
static int is_ordinary;

static int setup_ordinary(void **state)
{
    is_ordinary = 1;
    return unit_setup(state);
}

static int setup_for_loader(void **state)
{
    is_ordinary = 0;
    return unit_setup(state);
}

static void write_pair(cache_files_t *files, const char *host)
{
    material_pair_t *pair = material_server(files->pool, host, "P-256", files->issuer);

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
    files->issuer = is_ordinary ? material_ca(pool, "CA", NULL) : NULL;
    files->dir = material_dir(pool);
    files->source.first = 1;
    files->source.origin = (sl_origin_t){"t.conf", 1, "SSLCertificateFile"};
    files->source.key_origin = (sl_origin_t){"t.conf", 2, "SSLCertificateKeyFile"};
    write_pair(files, "a.test");
    return files;
}

static apr_uint64_t stamp_of(const sl_source_t *source)
{
    const char *paths[4] = {source->certificate, source->key ? source->key : source->chain,
                            source->key ? source->chain : NULL, NULL};

    return sl_watch_stamp(paths);
}

static const sl_stored_t *ask_for(cache_files_t *files, const sl_source_t *source)
{
    const sl_stored_t *stored = NULL;
    apr_pool_t *scratch;

    files->problems = sl_problems_make(files->pool);
    files->why = sl_problem_make(files->pool);
    apr_pool_create(&scratch, files->pool);
    if (sl_identity_cache_load(files->cache, &stored, source, stamp_of(source), NULL, NULL, scratch, files->problems,
                               files->why) != APR_SUCCESS)
        assert_null(stored);
    else
        assert_non_null(stored);
    apr_pool_destroy(scratch); /* nothing that is kept may live in it */
    return stored;
}

/* NULL if it can't be loaded; else the cache's, as long as it keeps it. */
static const sl_stored_t *ask(cache_files_t *files)
{
    return ask_for(files, &files->source);
}

static void assert_counts(const cache_files_t *files, int read, int known)
{
    int was_read, was_known;

    sl_identity_cache_count(files->cache, &was_read, &was_known);
    assert_int_equal(was_read, read);
    assert_int_equal(was_known, known);
}

/* Twice: what was asked for before the first sweep is no longer wanted at the second. */
static void forget_all(cache_files_t *files)
{
    sl_identity_cache_sweep(files->cache);
    sl_identity_cache_sweep(files->cache);
    assert_true(sl_identity_cache_is_empty(files->cache));
}

static void files_that_stay_the_same_are_read_once(void **state)
{
    cache_files_t *files = make_files(*state);
    const sl_stored_t *first, *second;

    assert_true(sl_identity_cache_is_empty(files->cache));
    first = ask(files);
    second = ask(files);
    assert_non_null(first);
    assert_ptr_equal(first, second);
    assert_counts(files, 1, 0);
    assert_false(sl_identity_cache_is_empty(files->cache));
    forget_all(files);
}

static void a_pass_that_asks_keeps_it_one_that_does_not_forgets(void **state)
{
    cache_files_t *files = make_files(*state);
    const sl_stored_t *first = ask(files), *again;
    sl_identity_t *held = sl_stored_get(first, SL_BLOB_ALL);

    sl_identity_cache_sweep(files->cache);
    again = ask(files);
    assert_ptr_equal(again, first);
    assert_counts(files, 0, 1);
    sl_identity_cache_sweep(files->cache);
    assert_false(sl_identity_cache_is_empty(files->cache));
    sl_identity_cache_sweep(files->cache);
    assert_true(sl_identity_cache_is_empty(files->cache)); /* forgotten, but what we hold is ours */
    again = ask(files);
    assert_counts(files, 1, 0);
    assert_true(sl_stored_covers(again, "a.test"));
    assert_true(sl_identity_covers(held, "a.test"));
    sl_identity_release(held);
    forget_all(files);
}

static void a_changed_file_is_read_anew(void **state)
{
    cache_files_t *files = make_files(*state);
    const sl_stored_t *first = ask(files), *second;

    write_pair(files, "b.test");
    second = ask(files);
    assert_non_null(second);
    assert_memory_not_equal(first->digest, second->digest, sizeof(first->digest));
    assert_true(sl_stored_covers(second, "b.test"));
    assert_false(sl_stored_covers(second, "a.test"));
    assert_true(sl_stored_covers(first, "a.test")); /* who has the old one keeps it */
    forget_all(files);
}

static void a_file_of_the_same_size_and_date_is_seen_to_be_another(void **state)
{
    cache_files_t *files = make_files(*state);
    struct utimbuf times = {1000000000, 1000000000};
    const char *chain = apr_pstrcat(*state, files->dir, "/chain.pem", NULL);
    const material_pair_t *issuer = files->issuer ? files->issuer : material_ca(*state, "one", NULL);
    material_bytes_t one = material_cert_pem(*state, issuer->cert);
    sl_identity_t *identity;

    files->source.chain = material_file(*state, files->dir, "chain.pem", one);
    assert_int_equal(utime(chain, &times), 0);
    identity = sl_stored_get(ask(files), SL_BLOB_ALL);
    assert_int_equal(sk_X509_num(identity->chain), 1);
    /* The last line of the PEM form is text between blocks now: the file holds nothing any more. */
    one = material_text(apr_psprintf(*state, "%.*s", (int)one.length, one.data));
    memset(strstr((char *)one.data, "-----END"), '#', 8);
    material_file(*state, files->dir, "chain.pem", one);
    assert_int_equal(utime(chain, &times), 0);
    assert_null(ask(files));
    sl_identity_release(identity);
    forget_all(files);
}

static void what_fails_is_not_kept(void **state)
{
    cache_files_t *files = make_files(*state);
    const char *key = files->source.key;

    files->source.key = apr_pstrcat(*state, files->dir, "/gone.key", NULL);
    assert_null(ask(files));
    assert_non_null(strstr(sl_problem_text(files->why, *state), "t.conf:2: SSLCertificateKeyFile: "));
    assert_null(ask(files));
    assert_true(sl_identity_cache_is_empty(files->cache));
    files->source.key = key;
    assert_non_null(ask(files));
    forget_all(files);
}

static void the_last_good_one_is_there_when_the_files_break(void **state)
{
    cache_files_t *files = make_files(*state);
    const sl_stored_t *first = ask(files), *last;

    material_file(*state, files->dir, "a.crt", material_text("half a certif"));
    assert_null(ask(files));
    assert_ptr_equal(sl_identity_cache_last(files->cache, &files->source, *state), first);
    sl_identity_cache_sweep(files->cache); /* it was asked for, so it stays */
    assert_ptr_equal(sl_identity_cache_last(files->cache, &files->source, *state), first);
    assert_counts(files, 0, 1);
    write_pair(files, "b.test"); /* the newest of two is the last */
    last = ask(files);
    assert_ptr_not_equal(last, first);
    assert_ptr_equal(sl_identity_cache_last(files->cache, &files->source, *state), last);
    assert_true(sl_stored_covers(last, "b.test"));
    files->source.key = files->source.certificate; /* never seen */
    assert_null(sl_identity_cache_last(files->cache, &files->source, *state));
    forget_all(files);
}

/* It came between two passes, and the second one finds its files broken, or as they were. */
static void what_is_added_between_passes_is_the_last_good_one(void **state)
{
    cache_files_t *files = make_files(*state);
    const char *path = files->source.certificate;
    const sl_stored_t *last;
    apr_pool_t *scratch;

    sl_identity_cache_sweep(files->cache);
    apr_pool_create(&scratch, files->pool);
    assert_true(sl_identity_cache_add(files->cache, &files->source, stamp_of(&files->source), NULL, NULL, scratch));
    apr_pool_destroy(scratch);
    assert_counts(files, 0, 0);
    last = ask(files);
    assert_counts(files, 0, 1);
    material_file(*state, files->dir, "a.crt", material_text("half a certif"));
    assert_null(ask(files));
    assert_ptr_equal(sl_identity_cache_last(files->cache, &files->source, *state), last);
    assert_true(sl_stored_covers(last, "a.test"));
    assert_false(sl_identity_cache_add(files->cache, &files->source, stamp_of(&files->source), NULL, NULL, *state));
    assert_string_equal(files->source.certificate, path);
    forget_all(files);
    write_pair(files, "a.test");
    assert_true(sl_identity_cache_add(files->cache, &files->source, stamp_of(&files->source), NULL, NULL, *state));
    sl_identity_cache_sweep(files->cache);
    assert_true(sl_identity_cache_is_empty(files->cache)); /* nobody asked for it in that pass */
}

static void it_counts_what_a_pass_read_and_what_it_knew(void **state)
{
    cache_files_t *files = make_files(*state);

    assert_counts(files, 0, 0);
    ask(files);
    ask(files);
    assert_counts(files, 1, 0);
    sl_identity_cache_sweep(files->cache);
    assert_counts(files, 0, 0);
    ask(files);
    ask(files);
    assert_counts(files, 0, 1);
    write_pair(files, "b.test");
    ask(files);
    assert_counts(files, 1, 1);
    forget_all(files);
}

/* DH and EC parameters are looked for in the first certificate of a host only. */
static void a_hosts_first_certificate_is_not_another_hosts_second(void **state)
{
    cache_files_t *files = make_files(*state);
    const sl_stored_t *first = ask(files);

    files->source.first = 0;
    assert_ptr_not_equal(ask(files), first);
    assert_counts(files, 2, 0);
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

    chmod(files->source.key, 0644);
    for (int pass = 0; pass < 3; pass++) {
        ask(files);
        assert_warned(files, apr_psprintf(*state, "t.conf:2: SSLCertificateKeyFile: %s: the private key can be read",
                                          files->source.key));
        assert_warned(files, apr_psprintf(*state, ". chmod o-rwx %s", files->source.key));
        ask(files); /* another host with the same files */
        assert_int_equal(files->problems->all->nelts, 0);
        assert_counts(files, pass ? 0 : 1, pass ? 1 : 0);
        sl_identity_cache_sweep(files->cache);
        files->source.key_origin.file = "t.conf"; /* the next reading of the configuration */
    }
    forget_all(files);
}

static void a_warning_stops_when_its_reason_is_gone(void **state)
{
    cache_files_t *files = make_files(*state);

    chmod(files->source.key, 0644);
    ask(files);
    assert_warned(files, "can be read by everybody");
    sl_identity_cache_sweep(files->cache);
    chmod(files->source.key, 0600);
    ask(files);
    assert_int_equal(files->problems->all->nelts, 0);
    forget_all(files);
}

static void a_warning_about_one_file_for_both_is_told_at_the_certificate(void **state)
{
    cache_files_t *files = make_files(*state);
    material_pair_t *pair = material_server(*state, "c.test", "P-256", files->issuer);

    files->source.certificate = material_file(
        *state, files->dir, "both.pem",
        material_join(*state, material_cert_pem(*state, pair->cert), material_key_pem(*state, pair->key, NULL, NULL)));
    files->source.key = NULL;
    files->source.key_origin = files->source.origin;
    chmod(files->source.certificate, 0644);
    for (int pass = 0; pass < 2; pass++) {
        ask(files);
        assert_warned(files, "t.conf:1: SSLCertificateFile: ");
        sl_identity_cache_sweep(files->cache);
    }
    forget_all(files);
}

/* So many that some share a bucket. */
#define MANY 700

static void many_are_kept_apart(void **state)
{
    cache_files_t *files = make_files(*state);
    const sl_stored_t *kept[MANY];
    material_pair_t *pair = material_server(*state, "m.test", "P-256", files->issuer);
    material_bytes_t cert = material_cert_pem(*state, pair->cert);

    files->source.key = material_file(*state, files->dir, "m.key", material_key_pem(*state, pair->key, NULL, NULL));
    for (int i = 0; i < MANY; i++) {
        sl_identity_t *identity;

        files->source.certificate = material_file(*state, files->dir, apr_psprintf(*state, "%d.crt", i), cert);
        kept[i] = ask(files);
        identity = sl_stored_get(kept[i], SL_BLOB_ALL);
        assert_string_equal(identity->origin, files->source.certificate);
        sl_identity_release(identity);
    }
    for (int i = 0; i < MANY; i++) {
        files->source.certificate = apr_psprintf(*state, "%s/%d.crt", files->dir, i);
        assert_ptr_equal(ask(files), kept[i]);
    }
    assert_counts(files, MANY, 0);
    forget_all(files);
}

/* ---- reading ahead ---- */

#define SOURCES 300

/* By its number a source is ordinary (most of them), of another form, the loader's business, or broken. */
static sl_source_t make_source(const cache_files_t *files, const material_pair_t *root, int number)
{
    apr_pool_t *pool = files->pool;
    const char *type = number % 7 == 1 ? "RSA" : number % 7 == 2 ? "P-384" : number % 7 == 3 ? "ED25519" : "P-256";
    const char *name = apr_psprintf(pool, "n%d", number);
    material_pair_t *pair =
        material_server(pool, apr_pstrcat(pool, name, ".test", NULL), type, number % 10 == 9 ? NULL : files->issuer);
    material_bytes_t cert = material_cert_pem(pool, pair->cert), issuer = material_cert_pem(pool, files->issuer->cert);
    material_bytes_t key = material_key_pem(pool, pair->key, NULL, NULL);
    sl_source_t source = {.first = number % 5 != 4,
                          .origin = {"t.conf", number, "SSLCertificateFile"},
                          .key_origin = {"t.conf", number, "SSLCertificateKeyFile"}};

    if (number % 4 == 0)
        cert = material_join(pool, cert, issuer);
    else if (number % 4 == 1)
        source.chain = material_file(pool, files->dir, apr_pstrcat(pool, name, ".chain", NULL),
                                     material_join(pool, issuer, material_cert_pem(pool, root->cert)));
    if (number % 3 == 0)
        cert = material_join(pool, cert, key);
    else
        source.key = material_file(pool, files->dir, apr_pstrcat(pool, name, ".key", NULL), key);
    if (number % 11 == 10)
        cert.length /= 2;
    source.certificate = material_file(pool, files->dir, apr_pstrcat(pool, name, ".crt", NULL), cert);
    if (number % 13 == 12)
        chmod(source.key ? source.key : source.certificate, 0644);
    return source;
}

static cache_files_t *make_many(apr_pool_t *pool, apr_array_header_t **sources, int count)
{
    cache_files_t *files;
    const material_pair_t *root = material_ca(pool, "root", NULL);

    is_ordinary = 1;
    files = make_files(pool);
    files->issuer = material_ca(pool, "CA", root);
    *sources = apr_array_make(pool, count, sizeof(sl_wanted_t));
    for (int i = 0; i < count; i++) {
        sl_wanted_t *wanted = apr_array_push(*sources);

        wanted->source = make_source(files, root, i);
        wanted->stamp = stamp_of(&wanted->source);
    }
    return files;
}

static void read_ahead(cache_files_t *files, const apr_array_header_t *sources)
{
    apr_pool_t *scratch;

    apr_pool_create(&scratch, files->pool);
    sl_identity_cache_read(files->cache, sources, scratch);
    apr_pool_destroy(scratch);
}

static const sl_source_t *nth(const apr_array_header_t *sources, int i)
{
    return &APR_ARRAY_IDX(sources, i, sl_wanted_t).source;
}

static void assert_same_identity(const sl_stored_t *a, const sl_stored_t *b)
{
    sl_identity_t *one = sl_stored_get(a, SL_BLOB_ALL), *other = sl_stored_get(b, SL_BLOB_ALL);

    assert_int_equal(X509_cmp(one->leaf, other->leaf), 0);
    assert_int_equal(EVP_PKEY_eq(one->key, other->key), 1);
    assert_string_equal(one->origin, other->origin);
    assert_int_equal(sk_X509_num(one->chain), sk_X509_num(other->chain));
    for (int i = 0; i < sk_X509_num(one->chain); i++)
        assert_int_equal(X509_cmp(sk_X509_value(one->chain, i), sk_X509_value(other->chain, i)), 0);
    sl_identity_release(one);
    sl_identity_release(other);
}

static void assert_same(const sl_stored_t *a, const sl_stored_t *b)
{
    assert_memory_equal(a->digest, b->digest, sizeof(a->digest));
    assert_int_equal(a->not_before, b->not_before);
    assert_int_equal(a->not_after, b->not_after);
    assert_int_equal(a->is_plain, b->is_plain);
    assert_int_equal(a->has_features, b->has_features);
    assert_int_equal(a->key_mode, b->key_mode);
    assert_int_equal(a->names != NULL, b->names != NULL);
    if (a->names)
        assert_string_equal(a->names, b->names);
    assert_same_identity(a, b);
}

static void many_read_ahead_are_what_each_is_alone(void **state)
{
    apr_array_header_t *sources;
    cache_files_t *ahead = make_many(*state, &sources, SOURCES), alone = *ahead;
    int read, loaded, known, failed = 0, warned = 0;

    alone.cache = sl_identity_cache_make(*state);
    read_ahead(ahead, sources);
    sl_identity_cache_count(ahead->cache, &read, &known);
    assert_true(read > SOURCES / 2);
    assert_int_equal(known, 0);
    for (int i = 0; i < SOURCES; i++) {
        const sl_stored_t *one = ask_for(&alone, nth(sources, i)), *other = ask_for(ahead, nth(sources, i));

        assert_int_equal(one != NULL, other != NULL);
        assert_int_equal(alone.problems->all->nelts, ahead->problems->all->nelts);
        warned += ahead->problems->all->nelts;
        failed += !one;
        if (one)
            assert_same(one, other);
        else
            assert_string_equal(sl_problem_text(alone.why, *state), sl_problem_text(ahead->why, *state));
    }
    assert_true(failed > 0 && warned > 0);
    sl_identity_cache_count(ahead->cache, &loaded, &known);
    assert_true(loaded > read); /* the loader's business were some */
    assert_int_equal(loaded, SOURCES - failed);
    assert_int_equal(known, 0);
    forget_all(ahead);
    forget_all(&alone);
}

static void what_is_known_is_not_read_ahead_again(void **state)
{
    apr_array_header_t *sources;
    cache_files_t *files = make_many(*state, &sources, SOURCES);
    int read, again, known;

    apr_array_cat(sources, sources); /* hosts that share a certificate */
    read_ahead(files, sources);
    sl_identity_cache_count(files->cache, &read, &known);
    assert_true(read < SOURCES);
    read_ahead(files, sources);
    sl_identity_cache_count(files->cache, &again, &known);
    assert_int_equal(again, read);
    for (int i = 0; i < SOURCES; i++)
        ask_for(files, nth(sources, i));
    sl_identity_cache_sweep(files->cache);
    read_ahead(files, sources);
    assert_counts(files, 0, 0);
    forget_all(files);
}

static void what_is_read_ahead_and_not_asked_for_is_forgotten(void **state)
{
    apr_array_header_t *sources;
    cache_files_t *files = make_many(*state, &sources, 100);

    read_ahead(files, sources);
    assert_false(sl_identity_cache_is_empty(files->cache));
    assert_non_null(ask_for(files, nth(sources, 0)));
    sl_identity_cache_sweep(files->cache);
    read_ahead(files, sources); /* the others anew */
    assert_non_null(ask_for(files, nth(sources, 0)));
    assert_non_null(ask_for(files, nth(sources, 1)));
    sl_identity_cache_sweep(files->cache);
    assert_non_null(ask_for(files, nth(sources, 0)));
    assert_non_null(ask_for(files, nth(sources, 1)));
    assert_counts(files, 0, 2);
    forget_all(files);
}

static void a_few_are_not_worth_reading_ahead(void **state)
{
    apr_array_header_t *sources;
    cache_files_t *files = make_many(*state, &sources, 5);

    read_ahead(files, sources);
    assert_true(sl_identity_cache_is_empty(files->cache));
    assert_non_null(ask_for(files, nth(sources, 0)));
    forget_all(files);
}

#define BOTH_WAYS(function)                                                                                            \
    {#function ", ordinary", function, setup_ordinary, unit_teardown, NULL},                                           \
        {#function ", by the loader", function, setup_for_loader, unit_teardown, NULL}

static const struct CMUnitTest tests[] = {
    BOTH_WAYS(files_that_stay_the_same_are_read_once),
    BOTH_WAYS(a_pass_that_asks_keeps_it_one_that_does_not_forgets),
    BOTH_WAYS(a_changed_file_is_read_anew),
    BOTH_WAYS(a_file_of_the_same_size_and_date_is_seen_to_be_another),
    BOTH_WAYS(what_fails_is_not_kept),
    BOTH_WAYS(the_last_good_one_is_there_when_the_files_break),
    BOTH_WAYS(what_is_added_between_passes_is_the_last_good_one),
    BOTH_WAYS(it_counts_what_a_pass_read_and_what_it_knew),
    BOTH_WAYS(a_hosts_first_certificate_is_not_another_hosts_second),
    BOTH_WAYS(warnings_are_told_once_in_each_pass),
    BOTH_WAYS(a_warning_stops_when_its_reason_is_gone),
    BOTH_WAYS(a_warning_about_one_file_for_both_is_told_at_the_certificate),
    BOTH_WAYS(many_are_kept_apart),
    UNIT_TEST(many_read_ahead_are_what_each_is_alone),
    UNIT_TEST(what_is_known_is_not_read_ahead_again),
    UNIT_TEST(what_is_read_ahead_and_not_asked_for_is_forgotten),
    UNIT_TEST(a_few_are_not_worth_reading_ahead),
};

UNIT_MAIN(tests)
