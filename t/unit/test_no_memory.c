/* Whichever allocation of OpenSSL's fails, and whether others succeed after it: what is loaded, encoded or decoded is
 * whole, or there is nothing; nothing crashes and nothing leaks. */
#define OPENSSL_SUPPRESS_DEPRECATED /* X509_STORE_get0_objects(): what takes its place is not everywhere */
#include "unit.h"

#include "identity/blob.h"
#include "identity/loader.h"
#include "identity/trust_blob.h"
#include "material.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>

/* Allocations that succeed before one fails; -1: all succeed. */
static long left = -1;
static int fails_on; /* those after it, too */
static int has_failed;

static int must_fail(void)
{
    if (left < 0 || left-- > 0)
        return 0;
    left = fails_on ? 0 : -1;
    has_failed = 1;
    return 1;
}

/* Its own functions tell that memory ended; newer versions leave that to functions put in their place. */
static void *fail_as_openssl_does(void)
{
    static int tells;

    if (!tells) {
        tells = 1;
        ERR_raise(ERR_LIB_CRYPTO, ERR_R_MALLOC_FAILURE);
        tells = 0;
    }
    return NULL;
}

static void *allocate(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return must_fail() ? fail_as_openssl_does() : malloc(size);
}

static void *allocate_again(void *memory, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return must_fail() ? fail_as_openssl_does() : realloc(memory, size);
}

static void give_back(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

__attribute__((constructor)) static void take_over(void)
{
    if (CRYPTO_set_mem_functions(allocate, allocate_again, give_back) != 1)
        abort();
}

/* A sanitizer makes each run ten times as long: it sees the first ones and then every seventh. */
#ifdef __SANITIZE_ADDRESS__
#define STEP 7
#else
#define STEP 1
#endif

/* Runs it with each allocation failing in turn, until none did; `run` says whether it got what it wanted. */
static void fail_in_turn(int (*run)(void *baton, apr_pool_t *pool), void *baton, apr_pool_t *pool)
{
    for (fails_on = 0; fails_on < 2; fails_on++) {
        int failures = 0, ok;

        assert_int_equal(run(baton, pool), 1); /* what is made once is made */
        for (long n = 0;; n += n < 2 * STEP ? 1 : STEP) {
            apr_pool_t *own;

            apr_pool_create(&own, pool);
            has_failed = 0;
            left = n;
            ok = run(baton, own);
            left = -1;
            apr_pool_destroy(own);
            if (!has_failed)
                break;
            failures += !ok;
        }
        assert_int_equal(ok, 1);
        assert_true(failures > 0);
    }
}

typedef struct files_t {
    sl_source_t identity;
    sl_trust_source_t trust;
    unsigned char *bytes;
    apr_size_t length;
} files_t;

/* ---- identities ---- */

static void assert_whole(const sl_identity_t *identity)
{
    left = -1;
    assert_int_equal(sk_X509_num(identity->chain), 1);
    assert_int_equal(X509_check_private_key(identity->leaf, identity->key), 1);
}

static int load(void *baton, apr_pool_t *pool)
{
    const files_t *files = baton;
    sl_identity_t *identity;
    apr_status_t rv =
        sl_loader_load(&identity, &files->identity, NULL, NULL, pool, sl_problems_make(pool), sl_problem_make(pool));

    if (rv == APR_SUCCESS)
        assert_whole(identity);
    else
        assert_null(identity);
    sl_identity_release(identity);
    return rv == APR_SUCCESS;
}

static int decode(void *baton, apr_pool_t *pool)
{
    const files_t *files = baton;
    sl_identity_t *identity = sl_blob_decode(files->bytes, files->length, SL_BLOB_ALL);

    (void)pool;
    if (identity)
        assert_whole(identity);
    sl_identity_release(identity);
    return identity != NULL;
}

static int encode(void *baton, apr_pool_t *pool)
{
    const files_t *files = baton;
    sl_identity_t *identity;
    unsigned char *bytes;
    apr_size_t length;
    long then = left;
    int ok;

    left = -1;
    identity = sl_blob_decode(files->bytes, files->length, SL_BLOB_ALL);
    assert_non_null(identity);
    left = then;
    bytes = sl_blob_encode(identity, &length, sl_problem_make(pool));
    left = -1;
    ok = bytes != NULL;
    if (ok) {
        assert_int_equal(length, files->length);
        assert_memory_equal(bytes, files->bytes, length);
    }
    OPENSSL_clear_free(bytes, length);
    sl_identity_release(identity);
    return ok;
}

static void make_identity_files(files_t *files, apr_pool_t *pool, const char *type)
{
    const material_pair_t *root = material_ca(pool, "Root", NULL), *ca = material_ca(pool, "CA", root);
    const material_pair_t *pair = material_server(pool, "a.test", type, ca);
    const char *dir = material_dir(pool);
    sl_identity_t *identity;

    memset(files, 0, sizeof(*files));
    files->identity.certificate = material_file(
        pool, dir, "crt", material_join(pool, material_cert_pem(pool, pair->cert), material_cert_pem(pool, ca->cert)));
    files->identity.key = material_file(pool, dir, "key", material_key_pem(pool, pair->key, NULL, NULL));
    assert_int_equal(sl_loader_load(&identity, &files->identity, NULL, NULL, pool, sl_problems_make(pool), NULL),
                     APR_SUCCESS);
    files->bytes = sl_blob_encode(identity, &files->length, NULL);
    assert_non_null(files->bytes);
    sl_identity_release(identity);
}

static void identities_are_whole_or_none(void **state)
{
    static const char *const types[] = {"P-256", "RSA", "ED25519"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        files_t files;

        make_identity_files(&files, *state, types[i]);
        fail_in_turn(load, &files, *state);
        fail_in_turn(decode, &files, *state);
        fail_in_turn(encode, &files, *state);
        OPENSSL_clear_free(files.bytes, files.length);
    }
}

/* ---- trust ---- */

/* Two CAs (one by a link), two CRLs (one by a link), a responder. */
static void assert_all_of_it(const sl_trust_t *trust)
{
    left = -1;
    assert_int_equal(sk_X509_num(trust->cas), 2);
    assert_int_equal(sk_X509_NAME_num(trust->names), 2);
    assert_int_equal(sk_X509_CRL_num(trust->crls), 2);
    assert_int_equal(sk_X509_num(trust->responders), 1);
    assert_int_equal(sk_X509_OBJECT_num(X509_STORE_get0_objects(trust->store)), 4);
}

static int load_trust(void *baton, apr_pool_t *pool)
{
    const files_t *files = baton;
    sl_trust_t *trust;
    apr_status_t rv = sl_trust_new(&trust, &files->trust, material_now(), pool, sl_problems_make(pool));

    if (rv == APR_SUCCESS)
        assert_all_of_it(trust);
    else
        assert_null(trust);
    sl_trust_release(trust);
    return rv == APR_SUCCESS;
}

static int decode_trust(void *baton, apr_pool_t *pool)
{
    const files_t *files = baton;
    sl_trust_t *trust = sl_trust_decode(files->bytes, files->length, &files->trust);

    (void)pool;
    if (trust)
        assert_all_of_it(trust);
    sl_trust_release(trust);
    return trust != NULL;
}

static int encode_trust(void *baton, apr_pool_t *pool)
{
    const files_t *files = baton;
    sl_trust_t *trust;
    unsigned char *bytes;
    apr_size_t length;
    long then = left;
    int ok;

    left = -1;
    assert_int_equal(sl_trust_new(&trust, &files->trust, material_now(), pool, sl_problems_make(pool)), APR_SUCCESS);
    left = then;
    bytes = sl_trust_encode(trust, &length);
    left = -1;
    ok = bytes != NULL;
    if (ok) {
        assert_int_equal(length, files->length);
        assert_memory_equal(bytes, files->bytes, length);
    }
    OPENSSL_free(bytes);
    sl_trust_release(trust);
    return ok;
}

static void trust_is_whole_or_none(void **state)
{
    const material_pair_t *first = material_ca(*state, "First", NULL), *second = material_ca(*state, "Second", NULL);
    const char *dir = material_dir(*state), *cas = material_dir(*state), *crls = material_dir(*state);
    files_t files;
    sl_trust_t *trust;

    memset(&files, 0, sizeof(files));
    files.trust.ca_file = material_file(*state, dir, "ca", material_cert_pem(*state, first->cert));
    files.trust.ca_path = cas;
    material_file(*state, cas, "second", material_cert_pem(*state, second->cert));
    material_hash_link(*state, cas, "second", X509_get_subject_name(second->cert), 0);
    files.trust.crl_file =
        material_file(*state, dir, "crl", material_crl_pem(*state, material_crl(*state, first, NULL, 0)));
    files.trust.crl_path = crls;
    material_file(*state, crls, "second", material_crl_pem(*state, material_crl(*state, second, NULL, 0)));
    material_hash_link(*state, crls, "second", X509_get_subject_name(second->cert), 1);
    files.trust.crl_check = SL_CRL_CHAIN;
    files.trust.responder_file = material_file(*state, dir, "responder", material_cert_pem(*state, second->cert));
    assert_int_equal(sl_trust_new(&trust, &files.trust, material_now(), *state, sl_problems_make(*state)), APR_SUCCESS);
    assert_all_of_it(trust);
    files.bytes = sl_trust_encode(trust, &files.length);
    sl_trust_release(trust);
    fail_in_turn(load_trust, &files, *state);
    fail_in_turn(decode_trust, &files, *state);
    fail_in_turn(encode_trust, &files, *state);
    OPENSSL_free(files.bytes);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(identities_are_whole_or_none),
    UNIT_TEST(trust_is_whole_or_none),
};

UNIT_MAIN(tests)
