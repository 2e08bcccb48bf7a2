/* trust: who is believed, which names are sent, what is revoked, and what is told when something is wrong with it. */
#include "unit.h"

#include "crypto/cert_text.h"
#include "identity/shared_certs.h"
#include "identity/trust_blob.h"
#include "material.h"

#include <apr_file_info.h>
#include <openssl/crypto.h>
#include <openssl/x509_vfy.h>
#include <time.h>

static sl_problems_t *problems; /* of the last make() */

static sl_trust_t *make_at(apr_pool_t *pool, const sl_trust_source_t *source, apr_int64_t now)
{
    sl_trust_t *trust;
    apr_pool_t *scratch;
    apr_status_t status;

    apr_pool_create(&scratch, pool);
    problems = sl_problems_make(pool);
    status = sl_trust_new(&trust, source, now, scratch, problems);
    apr_pool_destroy(scratch); /* nothing that is kept may live in it */
    assert_int_equal(status == APR_SUCCESS, trust != NULL);
    assert_int_equal(status != APR_SUCCESS, problems->errors > 0);
    return trust;
}

static sl_trust_t *make(apr_pool_t *pool, const sl_trust_source_t *source)
{
    return make_at(pool, source, material_now());
}

static const char *told(apr_pool_t *pool)
{
    const char *text = "";

    for (int i = 0; i < problems->all->nelts; i++) {
        const sl_problem_t *why = APR_ARRAY_IDX(problems->all, i, const sl_problem_t *);

        text = apr_pstrcat(pool, text, why->log_id ? why->log_id : "-", " ", sl_problem_text(why, pool), "\n", NULL);
    }
    return text;
}

static sl_trust_t *must_make(apr_pool_t *pool, const sl_trust_source_t *source)
{
    sl_trust_t *trust = make(pool, source);

    if (!trust || problems->all->nelts)
        fail_msg("%s", told(pool));
    return trust;
}

static void assert_told(apr_pool_t *pool, const char *what)
{
    if (!strstr(told(pool), what))
        fail_msg("\"%s\" does not hold \"%s\"", told(pool), what);
}

static void must_not_make(apr_pool_t *pool, const sl_trust_source_t *source, const char *what)
{
    assert_null(make(pool, source));
    assert_told(pool, what);
}

/* X509_V_ code of verifying `cert` with the trust's store and flags. */
static int verify(const sl_trust_t *trust, X509 *cert, STACK_OF(X509) *chain)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int code;

    assert_true(X509_STORE_CTX_init(ctx, trust->store, cert, chain));
    code = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    return code;
}

static const char *names_of(apr_pool_t *pool, const sl_trust_t *trust)
{
    const char *text = "";

    for (int i = 0; i < sk_X509_NAME_num(trust->names); i++) {
        char line[100];

        X509_NAME_oneline(sk_X509_NAME_value(trust->names, i), line, sizeof(line));
        text = apr_pstrcat(pool, text, line, NULL);
    }
    return text;
}

static material_bytes_t two(apr_pool_t *pool, X509 *first, X509 *second)
{
    return material_join(pool, material_cert_pem(pool, first), material_cert_pem(pool, second));
}

static void without_a_ca_there_is_neither_store_nor_name(void **state)
{
    const sl_trust_source_t source = {.ca_file = NULL};
    sl_trust_t *trust = must_make(*state, &source);

    assert_null(trust->store);
    assert_null(trust->names);
    sl_trust_release(trust);
    sl_trust_release(NULL);
}

static void a_ca_file_is_believed_and_named_in_its_order(void **state)
{
    material_pair_t *z = material_ca(*state, "z", NULL), *a = material_ca(*state, "a", NULL);
    material_pair_t *other = material_ca(*state, "other", NULL);
    material_bytes_t all = material_join(*state, two(*state, z->cert, a->cert), material_cert_pem(*state, z->cert));
    const sl_trust_source_t source = {.ca_file = material_file(*state, material_dir(*state), "ca.pem", all)};
    sl_trust_t *trust = must_make(*state, &source);

    assert_string_equal(names_of(*state, trust), "/CN=z/CN=a");
    assert_int_equal(verify(trust, material_client(*state, "c", "P-256", a)->cert, NULL), X509_V_OK);
    assert_int_equal(verify(trust, material_client(*state, "c", "P-256", other)->cert, NULL),
                     X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    sl_trust_retain(trust);
    sl_trust_release(trust);
    assert_int_equal(sk_X509_NAME_num(trust->names), 2);
    sl_trust_release(trust);
}

static void names_that_differ_only_in_case_are_one(void **state)
{
    material_pair_t *one = material_ca(*state, "Example", NULL), *same = material_ca(*state, "EXAMPLE", NULL);
    const sl_trust_source_t source = {
        .ca_file = material_file(*state, material_dir(*state), "ca.pem", two(*state, one->cert, same->cert))};
    sl_trust_t *trust = must_make(*state, &source);

    assert_string_equal(names_of(*state, trust), "/CN=Example");
    assert_int_equal(verify(trust, material_client(*state, "c", "P-256", same)->cert, NULL), X509_V_OK);
    sl_trust_release(trust);
}

static void other_names_may_be_sent_than_those_believed(void **state)
{
    material_pair_t *ca = material_ca(*state, "ca", NULL), *shown = material_ca(*state, "shown", NULL);
    const char *dir = material_dir(*state), *names_dir = material_dir(*state);
    sl_trust_source_t source = {.ca_file = material_file(*state, dir, "ca.pem", material_cert_pem(*state, ca->cert)),
                                .names_file = material_file(*state, names_dir, "names.pem",
                                                            material_cert_pem(*state, shown->cert))};
    sl_trust_t *trust = must_make(*state, &source);

    assert_string_equal(names_of(*state, trust), "/CN=shown");
    assert_int_equal(verify(trust, material_client(*state, "c", "P-256", ca)->cert, NULL), X509_V_OK);
    assert_int_not_equal(verify(trust, material_client(*state, "c", "P-256", shown)->cert, NULL), X509_V_OK);
    sl_trust_release(trust);
    source.names_file = NULL;
    source.names_path = names_dir; /* needs no hash links: nothing is looked up in it */
    trust = must_make(*state, &source);
    assert_string_equal(names_of(*state, trust), "/CN=shown");
    sl_trust_release(trust);
}

static void a_hashed_directory_is_looked_up_by_hash(void **state)
{
    material_pair_t *linked = material_ca(*state, "linked", NULL), *loose = material_ca(*state, "loose", NULL);
    material_pair_t *later = material_ca(*state, "later", NULL), *wrong = material_ca(*state, "wrong", NULL);
    const char *dir = material_dir(*state);
    const sl_trust_source_t source = {.ca_path = dir};
    sl_trust_t *trust;

    material_file(*state, dir, "b.pem", material_cert_pem(*state, linked->cert));
    material_file(*state, dir, "a.pem", material_cert_pem(*state, loose->cert));
    material_file(*state, dir, "c.pem", material_cert_pem(*state, wrong->cert));
    material_file(*state, dir, "README", material_text("not a certificate\n"));
    material_hash_link(*state, dir, "b.pem", X509_get_subject_name(linked->cert), 0);
    material_hash_link(*state, dir, "c.pem", X509_get_subject_name(later->cert), 0); /* under another's hash */
    trust = must_make(*state, &source);
    /* The link is the file that its first name, in the order of names, leads to. */
    assert_int_equal(sk_X509_NAME_num(trust->names), 3);
    assert_int_equal(verify(trust, material_client(*state, "c", "P-256", linked)->cert, NULL), X509_V_OK);
    assert_int_not_equal(verify(trust, material_client(*state, "c", "P-256", loose)->cert, NULL), X509_V_OK);
    assert_int_not_equal(verify(trust, material_client(*state, "c", "P-256", wrong)->cert, NULL), X509_V_OK);
    assert_int_not_equal(verify(trust, material_client(*state, "c", "P-256", later)->cert, NULL), X509_V_OK);
    material_file(*state, dir, "d.pem", material_cert_pem(*state, later->cert));
    material_hash_link(*state, dir, "d.pem", X509_get_subject_name(later->cert), 0);
    assert_int_equal(verify(trust, material_client(*state, "c", "P-256", later)->cert, NULL), X509_V_OK);
    sl_trust_release(trust);
}

static void a_directory_is_read_in_the_order_of_its_names(void **state)
{
    const char *dir = material_dir(*state), *expected = "";
    const sl_trust_source_t source = {.ca_path = dir};
    sl_trust_t *trust;

    for (int i = 0; i < 10; i++) {
        const char *name = apr_psprintf(*state, "%d", (i * 7) % 10);

        material_file(*state, dir, name, material_cert_pem(*state, material_ca(*state, name, NULL)->cert));
        expected = apr_psprintf(*state, "%s/CN=%d", expected, i);
    }
    trust = make(*state, &source);
    assert_string_equal(names_of(*state, trust), expected);
    sl_trust_release(trust);
}

static void a_directory_without_links_gets_a_hint(void **state)
{
    const char *dir = material_dir(*state);
    const sl_trust_source_t source = {.ca_path = dir, .ca_path_origin = {"httpd.conf", 9, "SSLCACertificatePath"}};
    sl_trust_t *trust;

    material_file(*state, dir, "ca.pem", material_cert_pem(*state, material_ca(*state, "ca", NULL)->cert));
    trust = make(*state, &source);
    assert_non_null(trust);
    assert_string_equal(told(*state), apr_psprintf(*state,
                                                   "- httpd.conf:9: SSLCACertificatePath: %s: the directory holds "
                                                   "certificates but no hash links, by which alone they are found. "
                                                   "Run: openssl rehash %s\n",
                                                   dir, dir));
    assert_string_equal(names_of(*state, trust), "/CN=ca");
    sl_trust_release(trust);
}

static void what_cannot_be_used_is_told(void **state)
{
    const char *dir = material_dir(*state), *empty = material_dir(*state);
    EVP_PKEY *key = material_key(*state, "P-256");
    const char *ca =
        material_file(*state, dir, "ca.pem", material_cert_pem(*state, material_ca(*state, "ca", NULL)->cert));
    const char *junk = material_file(*state, dir, "junk", material_text("junk\n"));
    const char *key_file = material_file(*state, dir, "key", material_key_pem(*state, key, NULL, NULL));
    const sl_origin_t origin = {"httpd.conf", 3, "SSLCACertificateFile"};
    sl_trust_source_t source = {.ca_file = junk, .ca_file_origin = origin};

    must_not_make(*state, &source, "AH01895 httpd.conf:3: SSLCACertificateFile: ");
    source.ca_file = key_file;
    must_not_make(*state, &source, "holds no certificate, but a private key");
    source.ca_file = "/does/not/exist";
    must_not_make(*state, &source, "AH01895 ");
    source = (sl_trust_source_t){.ca_path = "/does/not/exist"};
    must_not_make(*state, &source, "AH01895 /does/not/exist: cannot be read");
    source = (sl_trust_source_t){.ca_path = empty};
    must_not_make(*state, &source, "AH01896 ");
    source = (sl_trust_source_t){.ca_file = ca, .names_path = empty};
    must_not_make(*state, &source, "AH01896 ");
    source = (sl_trust_source_t){.ca_file = ca, .names_file = junk};
    must_not_make(*state, &source, "AH02210 ");
    source = (sl_trust_source_t){.ca_file = ca, .crl_file = junk, .crl_check = SL_CRL_LEAF};
    must_not_make(*state, &source, "AH01901 ");
    source = (sl_trust_source_t){.ca_file = ca, .crl_file = ca, .crl_check = SL_CRL_LEAF};
    must_not_make(*state, &source, "holds no CRL, but a certificate");
    source = (sl_trust_source_t){.ca_file = ca, .crl_check = SL_CRL_CHAIN};
    must_not_make(*state, &source, "AH01899 ");
    source = (sl_trust_source_t){.ca_file = junk, .crl_file = junk, .crl_check = SL_CRL_LEAF};
    assert_null(make(*state, &source));
    assert_int_equal(problems->errors, 2); /* all of them, not the first */
}

static void revoked_certificates_fail_as_deep_as_asked(void **state)
{
    material_pair_t *root = material_ca(*state, "root", NULL), *sub = material_ca(*state, "sub", root);
    material_pair_t *good = material_client(*state, "good", "P-256", sub);
    material_pair_t *bad = material_client(*state, "bad", "P-256", sub);
    material_pair_t *direct = material_client(*state, "direct", "P-256", root);
    STACK_OF(X509) *chain = material_stack(*state, sub->cert, NULL);
    const char *dir = material_dir(*state);
    material_bytes_t crls = material_join(*state, material_crl_pem(*state, material_crl(*state, sub, bad->cert, 0)),
                                          material_crl_pem(*state, material_crl(*state, root, sub->cert, 0)));
    sl_trust_source_t source = {.ca_file = material_file(*state, dir, "ca", material_cert_pem(*state, root->cert)),
                                .crl_file = material_file(*state, dir, "crl", crls),
                                .crl_check = SL_CRL_LEAF};
    sl_trust_t *trust = must_make(*state, &source);

    assert_int_equal(verify(trust, good->cert, chain), X509_V_OK);
    assert_int_equal(verify(trust, bad->cert, chain), X509_V_ERR_CERT_REVOKED);
    sl_trust_release(trust);
    source.crl_check = SL_CRL_CHAIN;
    source.crl_missing_ok = 1;
    trust = must_make(*state, &source);
    assert_true(trust->crl_missing_ok);
    assert_int_equal(verify(trust, good->cert, chain), X509_V_ERR_CERT_REVOKED);
    assert_int_equal(verify(trust, direct->cert, NULL), X509_V_OK);
    sl_trust_release(trust);
}

static void crls_in_the_ca_file_count(void **state)
{
    material_pair_t *ca = material_ca(*state, "ca", NULL), *bad = material_client(*state, "bad", "P-256", ca);
    const char *dir = material_dir(*state);
    material_bytes_t both = material_join(*state, material_cert_pem(*state, ca->cert),
                                          material_crl_pem(*state, material_crl(*state, ca, bad->cert, 0)));
    const sl_trust_source_t source = {.ca_file = material_file(*state, dir, "ca", both),
                                      .crl_path = material_dir(*state), /* empty */
                                      .crl_check = SL_CRL_LEAF};
    sl_trust_t *trust = make(*state, &source);

    assert_int_equal(verify(trust, bad->cert, NULL), X509_V_ERR_CERT_REVOKED);
    sl_trust_release(trust);
}

static void a_missing_crl_fails_the_verification(void **state)
{
    material_pair_t *ca = material_ca(*state, "ca", NULL), *other = material_ca(*state, "other", NULL);
    const char *dir = material_dir(*state);
    const sl_trust_source_t source = {
        .ca_file = material_file(*state, dir, "ca", material_cert_pem(*state, ca->cert)),
        .crl_file = material_file(*state, dir, "crl", material_crl_pem(*state, material_crl(*state, other, NULL, 0))),
        .crl_check = SL_CRL_LEAF};
    sl_trust_t *trust = must_make(*state, &source);

    assert_int_equal(verify(trust, material_client(*state, "c", "P-256", ca)->cert, NULL),
                     X509_V_ERR_UNABLE_TO_GET_CRL);
    sl_trust_release(trust);
}

static void a_crl_directory_is_looked_up_by_hash(void **state)
{
    material_pair_t *ca = material_ca(*state, "ca", NULL), *bad = material_client(*state, "bad", "P-256", ca);
    const char *dir = material_dir(*state), *crl_dir = material_dir(*state);
    const sl_trust_source_t source = {.ca_file = material_file(*state, dir, "ca", material_cert_pem(*state, ca->cert)),
                                      .crl_path = crl_dir,
                                      .crl_check = SL_CRL_LEAF};
    sl_trust_t *trust = make(*state, &source);

    assert_told(*state, "the directory holds no CRL");
    sl_trust_release(trust);
    material_file(*state, crl_dir, "x.crl", material_crl_pem(*state, material_crl(*state, ca, bad->cert, 0)));
    trust = make(*state, &source);
    assert_told(*state, apr_pstrcat(*state, "Run: openssl rehash ", crl_dir, NULL));
    assert_int_equal(verify(trust, bad->cert, NULL), X509_V_ERR_UNABLE_TO_GET_CRL);
    sl_trust_release(trust);
    material_hash_link(*state, crl_dir, "x.crl", X509_get_subject_name(ca->cert), 1);
    trust = must_make(*state, &source);
    assert_int_equal(verify(trust, bad->cert, NULL), X509_V_ERR_CERT_REVOKED);
    assert_int_equal(verify(trust, material_client(*state, "good", "P-256", ca)->cert, NULL), X509_V_OK);
    sl_trust_release(trust);
}

static void crls_that_nobody_looks_at_and_what_has_expired_are_warned_of(void **state)
{
    const material_cert_t old = {.subject = "/CN=old", .ca = 1, .not_before = 1000000000, .not_after = 1100000000};
    material_pair_t *ca = material_ca(*state, "ca", NULL), *old_ca = material_pair(*state, &old, "P-256", NULL);
    X509_CRL *crl = material_crl(*state, ca, NULL, material_now() - 100);
    const char *dir = material_dir(*state);
    sl_trust_source_t source = {.ca_file = material_file(*state, dir, "ca", two(*state, ca->cert, old_ca->cert)),
                                .crl_file = material_file(*state, dir, "crl", material_crl_pem(*state, crl))};
    sl_trust_t *trust = make(*state, &source);

    assert_told(*state, "the CA certificate of CN=old expired on Nov  9 11:33:20 2004 GMT");
    assert_told(*state, "the CRL of /CN=ca has expired");
    assert_told(*state, "AH01902 ");
    assert_int_equal(problems->all->nelts, 3);
    assert_int_equal(verify(trust, material_client(*state, "c", "P-256", ca)->cert, NULL), X509_V_OK);
    sl_trust_release(trust);
    trust = make_at(*state, &source, 1050000000);
    assert_int_equal(problems->all->nelts, 1);
    sl_trust_release(trust);
}

static void hundreds_of_cas_are_read_in_a_moment(void **state)
{
    enum { CAS = 300 };
    material_bytes_t all = {"", 0};
    EVP_PKEY *key = material_key(*state, "RSA");
    const char *path;
    struct timespec from, to;
    sl_trust_source_t source;
    sl_trust_t *trust;
    double bare, ours;
    X509_STORE *store;

    for (int i = 0; i < CAS; i++) {
        const material_cert_t what = {.subject = apr_psprintf(*state, "/O=Some Authority/CN=ca %d", i), .ca = 1};

        all = material_join(*state, all, material_cert_pem(*state, material_cert(*state, &what, key, NULL)));
    }
    path = material_file(*state, material_dir(*state), "ca.pem", all);
    source = (sl_trust_source_t){.ca_file = path};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    store = X509_STORE_new();
    assert_true(X509_STORE_load_locations(store, path, NULL));
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    X509_STORE_free(store);
    bare = (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) * 1e-6;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    trust = must_make(*state, &source);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    ours = (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) * 1e-6;
    print_message("# %d CAs: %.0f ms, OpenSSL's own loading %.0f ms\n", CAS, ours, bare);
    assert_int_equal(sk_X509_NAME_num(trust->names), CAS);
    assert_true(ours < 3 * bare + 20); /* names, settling and warnings included */
    sl_trust_release(trust);
}

/* Decoded again, as for another host. */
static sl_trust_t *again(const sl_trust_t *trust, const sl_trust_source_t *source)
{
    apr_size_t length;
    unsigned char *bytes = sl_trust_encode(trust, &length);
    sl_trust_t *same = sl_trust_decode(bytes, length, source);

    OPENSSL_free(bytes);
    assert_non_null(same);
    assert_int_equal(sk_X509_num(same->cas), sk_X509_num(trust->cas));
    return same;
}

/* Many are in one file for all hosts, and would drive out the others. */
static void few_cas_are_shared_by_all_that_have_them(void **state)
{
    for (int count = 1; count <= 9; count += 8) {
        material_pair_t *ca = material_ca(*state, "0", NULL), *client = material_client(*state, "ann", "P-256", ca);
        material_bytes_t text = material_cert_pem(*state, ca->cert);
        sl_trust_source_t source;
        sl_trust_t *trust, *one, *two;

        memset(&source, 0, sizeof(source));
        for (int i = 1; i < count; i++)
            text = material_join(*state, text,
                                 material_cert_pem(*state, material_ca(*state, apr_itoa(*state, i), NULL)->cert));
        source.ca_file = material_file(*state, material_dir(*state), "cas", text);
        trust = must_make(*state, &source);
        one = again(trust, &source);
        two = again(trust, &source);
        assert_int_equal(sk_X509_value(one->cas, 0) == sk_X509_value(two->cas, 0), count == 1);
        sl_trust_release(one);
        assert_int_equal(verify(two, client->cert, NULL), X509_V_OK);
        sl_trust_release(two);
        sl_trust_release(trust);
    }
    sl_shared_certs_forget();
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(without_a_ca_there_is_neither_store_nor_name),
    UNIT_TEST(a_ca_file_is_believed_and_named_in_its_order),
    UNIT_TEST(names_that_differ_only_in_case_are_one),
    UNIT_TEST(other_names_may_be_sent_than_those_believed),
    UNIT_TEST(a_hashed_directory_is_looked_up_by_hash),
    UNIT_TEST(a_directory_is_read_in_the_order_of_its_names),
    UNIT_TEST(a_directory_without_links_gets_a_hint),
    UNIT_TEST(what_cannot_be_used_is_told),
    UNIT_TEST(revoked_certificates_fail_as_deep_as_asked),
    UNIT_TEST(crls_in_the_ca_file_count),
    UNIT_TEST(a_missing_crl_fails_the_verification),
    UNIT_TEST(a_crl_directory_is_looked_up_by_hash),
    UNIT_TEST(crls_that_nobody_looks_at_and_what_has_expired_are_warned_of),
    UNIT_TEST(hundreds_of_cas_are_read_in_a_moment),
    UNIT_TEST(few_cas_are_shared_by_all_that_have_them),
};

UNIT_MAIN(tests)
