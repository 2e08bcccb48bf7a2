/* Whole files in memory: only regular ones, whatever is put in their place meanwhile, and nobody waits for a pipe,
 * whichever reader of configured files it is. */
#include "crypto/file_read.h"
#include "crypto/key_uri.h"
#include "crypto/pem.h"
#include "material.h"
#include "resume/ticket_source.h"
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Who waits for a pipe waits for ever: the end of the program is the failure then. */
#define WATCH_OUT 60

static const char *place(apr_pool_t *pool, const char *dir, const char *name)
{
    return apr_pstrcat(pool, dir, "/", name, NULL);
}

static const char *make_pipe(apr_pool_t *pool, const char *dir)
{
    const char *path = place(pool, dir, "pipe");

    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(WATCH_OUT);
    return path;
}

static void a_file_is_read(void **state)
{
    const char *dir = material_dir(*state), *path = material_file(*state, dir, "a", material_text("some words"));
    const char *link = place(*state, dir, "link"), *empty = material_file(*state, dir, "empty", material_text(""));
    sl_file_t file;

    assert_int_equal(chmod(path, 0604), 0);
    assert_int_equal(symlink(path, link), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sl_file_read(&file, i ? link : path, 10, NULL), APR_SUCCESS);
        assert_int_equal(file.length, 10);
        assert_memory_equal(file.bytes, "some words", 10);
        assert_int_equal(file.mode, 0604);
        sl_file_clear(&file);
        assert_null(file.bytes);
    }
    assert_int_equal(sl_file_read(&file, empty, 10, NULL), APR_SUCCESS);
    assert_non_null(file.bytes);
    assert_int_equal(file.length, 0);
    sl_file_clear(&file);
}

static void what_is_no_file_is_refused(void **state)
{
    const char *dir = material_dir(*state), *pipe = make_pipe(*state, dir);
    const char *large = place(*state, dir, "large");
    const struct {
        const char *path;
        apr_size_t most;
        apr_status_t status;
        const char *text;
    } rows[] = {{pipe, 100, APR_EINVAL, ": is not a regular file"},
                {dir, 100, APR_EINVAL, ": is a directory, not a file"},
                {"/dev/null", 100, APR_EINVAL, ": is not a regular file"},
                {place(*state, dir, "none"), 100, ENOENT, ": cannot be read: No such file"},
                {large, 65536, APR_ENOSPC, ": is too large (more than 64 KiB)"},
                {large, 2 << 20, APR_ENOSPC, ": is too large (more than 2 MiB)"}};

    material_file(*state, dir, "large", material_text("x"));
    assert_int_equal(truncate(large, (2 << 20) + 1), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sl_problem_t *why = sl_problem_make(*state);
        sl_file_t file;

        assert_int_equal(sl_file_read(&file, rows[i].path, rows[i].most, why), rows[i].status);
        assert_null(file.bytes);
        assert_non_null(strstr(sl_problem_text(why, *state), rows[i].text));
        sl_file_clear(&file); /* is allowed */
    }
    alarm(0);
}

static void no_reader_waits_for_a_pipe(void **state)
{
    const char *dir = material_dir(*state), *pipe = make_pipe(*state, dir);
    const char *uri = apr_pstrcat(*state, "file:", pipe, NULL);
    const sl_asker_t nobody = {NULL, NULL, uri};
    STACK_OF(X509) *certificates = sk_X509_new_null();
    sl_problem_t *why = sl_problem_make(*state);
    sl_ticket_ring_t ring;
    sl_pem_t pem;
    EVP_PKEY *key;

    assert_int_equal(sl_ticket_source_read(&ring, pipe, NULL), APR_EINVAL);
    assert_int_equal(ring.count, 0);
    assert_int_equal(sl_pem_read_file(&pem, pipe, SL_PEM_ALL, NULL, NULL, NULL), APR_EINVAL);
    sl_pem_clear(&pem);
    assert_int_not_equal(sl_key_uri_key(&key, uri, &nobody, *state, why), APR_SUCCESS);
    assert_non_null(strstr(sl_problem_text(why, *state), "is not a regular file"));
    assert_int_not_equal(sl_key_uri_certificates(certificates, uri, &nobody, *state, NULL), APR_SUCCESS);
    sk_X509_free(certificates);
    alarm(0);
}

static void file_uris_are_of_this_machine(void **state)
{
    material_pair_t *pair = material_server(*state, "a.test", "P-256", NULL);
    const char *path =
        material_file(*state, material_dir(*state), "key", material_key_pem(*state, pair->key, NULL, NULL));
    static const char *const fine[] = {"file:", "file://", "file://localhost", "file://LOCALHOST"};
    const sl_asker_t nobody = {NULL, NULL, path};
    EVP_PKEY *key;

    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        assert_int_equal(sl_key_uri_key(&key, apr_pstrcat(*state, fine[i], path, NULL), &nobody, *state, NULL),
                         APR_SUCCESS);
        assert_int_equal(EVP_PKEY_eq(key, pair->key), 1);
        EVP_PKEY_free(key);
    }
    assert_int_not_equal(sl_key_uri_key(&key, apr_pstrcat(*state, "file://other", path, NULL), &nobody, *state, NULL),
                         APR_SUCCESS);
    assert_null(key);
}

/* ---- one name, now a file, now a pipe ---- */

typedef struct swap_t {
    const char *at, *fresh, *targets[2];
    atomic_int over;
} swap_t;

static void *swap(void *baton)
{
    swap_t *what = baton;

    for (int i = 0; !atomic_load(&what->over); i = !i) {
        if (symlink(what->targets[i], what->fresh) || rename(what->fresh, what->at))
            return what;
    }
    return NULL;
}

static void a_pipe_that_takes_a_files_place_holds_nobody_up(void **state)
{
    material_pair_t *pair = material_server(*state, "a.test", "P-256", NULL);
    const char *dir = material_dir(*state), *pipe = make_pipe(*state, dir);
    swap_t what = {.at = place(*state, dir, "at"), .fresh = place(*state, dir, "fresh")};
    int count[2] = {0, 0};
    pthread_t thread;
    void *failed;

    what.targets[0] = material_file(*state, dir, "x.crt", material_cert_pem(*state, pair->cert));
    what.targets[1] = pipe;
    assert_int_equal(symlink(pipe, what.at), 0);
    assert_int_equal(pthread_create(&thread, NULL, swap, &what), 0);
    for (int i = 0; i < 1000000 && (count[0] < 1000 || count[1] < 1000); i++) {
        sl_pem_t pem;
        int fine = sl_pem_read_file(&pem, what.at, SL_PEM_ALL, NULL, NULL, NULL) == APR_SUCCESS;

        count[fine]++;
        sl_pem_clear(&pem);
    }
    atomic_store(&what.over, 1);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    assert_true(count[0] >= 1000 && count[1] >= 1000);
    alarm(0);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(a_file_is_read),
    UNIT_TEST(what_is_no_file_is_refused),
    UNIT_TEST(no_reader_waits_for_a_pipe),
    UNIT_TEST(file_uris_are_of_this_machine),
    UNIT_TEST(a_pipe_that_takes_a_files_place_holds_nobody_up),
};

UNIT_MAIN(tests)
