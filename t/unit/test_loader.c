/* loader: leaf, chain and key are found whatever the order and form, and what does not fit is told so that it can be
 * put right. */
#include "unit.h"

#include "identity/loader.h"
#include "material.h"

#include <sys/stat.h>

/* One load, with all that it said. */
typedef struct loaded_t {
    apr_status_t status;
    sl_identity_t *identity;
    sl_problem_t *why;
    sl_problems_t *problems;
} loaded_t;

static loaded_t load_source(apr_pool_t *pool, const sl_source_t *source, sl_pem_passphrase_t ask, void *baton)
{
    loaded_t loaded = {0, NULL, sl_problem_make(pool), sl_problems_make(pool)};
    apr_pool_t *scratch;

    apr_pool_create(&scratch, pool);
    loaded.status = sl_loader_load(&loaded.identity, source, ask, baton, scratch, loaded.problems, loaded.why);
    apr_pool_destroy(scratch); /* nothing that is kept may live in it */
    assert_int_equal(loaded.status == APR_SUCCESS, loaded.identity != NULL);
    return loaded;
}

static loaded_t load(apr_pool_t *pool, const char *certificate, const char *key, const char *chain)
{
    const sl_source_t source = {certificate,
                                key,
                                chain,
                                1,
                                {"httpd.conf", 1, "SSLCertificateFile"},
                                {"httpd.conf", 2, "SSLCertificateKeyFile"},
                                {"httpd.conf", 3, "SSLCertificateChainFile"},
                                0,
                                0};

    return load_source(pool, &source, NULL, NULL);
}

static void assert_loads(apr_pool_t *pool, loaded_t loaded, const material_pair_t *leaf, X509 *first, X509 *second)
{
    STACK_OF(X509) *chain;

    if (loaded.status != APR_SUCCESS)
        fail_msg("%s", sl_problem_text(loaded.why, pool));
    assert_int_equal(loaded.problems->all->nelts, 0);
    assert_int_equal(X509_cmp(loaded.identity->leaf, leaf->cert), 0);
    assert_int_equal(EVP_PKEY_eq(loaded.identity->key, leaf->key), 1);
    chain = loaded.identity->chain;
    assert_int_equal(sk_X509_num(chain), (first != NULL) + (second != NULL));
    if (first)
        assert_int_equal(X509_cmp(sk_X509_value(chain, 0), first), 0);
    if (second)
        assert_int_equal(X509_cmp(sk_X509_value(chain, 1), second), 0);
    sl_identity_release(loaded.identity);
}

static void assert_fails(apr_pool_t *pool, loaded_t loaded, const char *log_id, const char *text)
{
    const char *told = sl_problem_text(loaded.why, pool);

    assert_int_not_equal(loaded.status, APR_SUCCESS);
    if (!strstr(told, text))
        fail_msg("\"%s\" does not hold \"%s\"", told, text);
    assert_string_equal(loaded.why->log_id, log_id);
}

static material_bytes_t join3(apr_pool_t *pool, material_bytes_t a, material_bytes_t b, material_bytes_t c)
{
    return material_join(pool, a, material_join(pool, b, c));
}

static void every_order_of_one_file_is_understood(void **state)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    material_pair_t *root = material_ca(*state, "root", NULL), *sub = material_ca(*state, "sub", root);
    material_pair_t *leaf = material_server(*state, "a.test", "P-256", sub);
    const char *dir = material_dir(*state);
    const material_bytes_t certs[3] = {material_cert_pem(*state, leaf->cert), material_cert_pem(*state, sub->cert),
                                       material_cert_pem(*state, root->cert)};

    for (int i = 0; i < 6; i++) {
        material_bytes_t all = join3(*state, certs[orders[i][0]], certs[orders[i][1]], certs[orders[i][2]]);
        material_bytes_t key = material_key_pem(*state, leaf->key, NULL, NULL);
        const char *path = material_file(*state, dir, "all.pem",
                                         i % 2 ? material_join(*state, key, all) : material_join(*state, all, key));

        assert_loads(*state, load(*state, path, NULL, NULL), leaf, sub->cert, root->cert);
        assert_loads(*state, load(*state, path, path, NULL), leaf, sub->cert, root->cert);
    }
}

static void forms_may_be_mixed(void **state)
{
    material_pair_t *ca = material_ca(*state, "ca", NULL), *leaf = material_server(*state, "a.test", "RSA", ca);
    const char *dir = material_dir(*state);
    const char *der = material_file(*state, dir, "x.der", material_cert_der(*state, leaf->cert));
    const char *p7b = material_file(*state, dir, "x.p7b",
                                    material_pkcs7_der(*state, material_stack(*state, ca->cert, leaf->cert, NULL)));
    const char *p12 = material_file(*state, dir, "x.p12",
                                    material_pkcs12(*state, leaf, material_stack(*state, ca->cert, NULL), NULL));
    const char *key = material_file(*state, dir, "x.key", material_key_traditional_der(*state, leaf->key));
    const char *ca_pem = material_file(*state, dir, "ca.pem", material_cert_pem(*state, ca->cert));

    assert_loads(*state, load(*state, der, key, NULL), leaf, NULL, NULL);
    assert_loads(*state, load(*state, p7b, key, NULL), leaf, ca->cert, NULL);
    assert_loads(*state, load(*state, p12, NULL, NULL), leaf, ca->cert, NULL);
    assert_loads(*state, load(*state, p12, p12, NULL), leaf, ca->cert, NULL);
    assert_loads(*state, load(*state, der, p12, NULL), leaf, NULL, NULL);
    assert_loads(*state, load(*state, der, key, ca_pem), leaf, ca->cert, NULL);
}

static void a_chain_file_takes_the_place_of_the_rest(void **state)
{
    material_pair_t *root = material_ca(*state, "root", NULL), *sub = material_ca(*state, "sub", root);
    material_pair_t *leaf = material_server(*state, "a.test", "P-256", sub), *other = material_ca(*state, "x", NULL);
    const char *dir = material_dir(*state);
    const char *cert =
        material_file(*state, dir, "c.pem",
                      join3(*state, material_cert_pem(*state, leaf->cert), material_cert_pem(*state, other->cert),
                            material_key_pem(*state, leaf->key, NULL, NULL)));
    const char *chain =
        material_file(*state, dir, "chain.pem",
                      join3(*state, material_cert_pem(*state, root->cert), material_cert_pem(*state, leaf->cert),
                            material_cert_pem(*state, sub->cert)));

    assert_loads(*state, load(*state, cert, NULL, chain), leaf, sub->cert, root->cert);
    assert_loads(*state, load(*state, cert, NULL, NULL), leaf, other->cert, NULL);
}

static void the_leaf_is_the_certificate_of_the_key(void **state)
{
    material_pair_t *ca = material_ca(*state, "ca", NULL);
    material_pair_t *ec = material_server(*state, "a.test", "P-256", ca);
    material_pair_t *rsa = material_server(*state, "a.test", "RSA", ca);
    const char *dir = material_dir(*state);
    const char *both =
        material_file(*state, dir, "both.pem",
                      material_join(*state, material_cert_pem(*state, ec->cert), material_cert_pem(*state, rsa->cert)));
    const char *key = material_file(*state, dir, "rsa.key", material_key_pem(*state, rsa->key, NULL, NULL));

    assert_loads(*state, load(*state, both, key, NULL), rsa, ec->cert, NULL);
}

static void of_two_certificates_for_one_key_the_first_is_taken(void **state)
{
    material_pair_t *first = material_server(*state, "a.test", "RSA", NULL);
    material_pair_t *second = material_server(*state, "b.test", "RSA", NULL); /* the same RSA key */
    const char *dir = material_dir(*state);
    const char *path =
        material_file(*state, dir, "both.pem",
                      join3(*state, material_cert_pem(*state, first->cert), material_cert_pem(*state, second->cert),
                            material_key_pem(*state, first->key, NULL, NULL)));

    assert_loads(*state, load(*state, path, NULL, NULL), first, second->cert, NULL);
}

static void a_key_that_does_not_belong_is_told_with_both_types(void **state)
{
    material_pair_t *leaf = material_server(*state, "a.test", "P-256", NULL);
    const char *dir = material_dir(*state);
    const char *cert = material_file(*state, dir, "c.pem", material_cert_pem(*state, leaf->cert));
    const char *rsa =
        material_file(*state, dir, "rsa.key", material_key_pem(*state, material_key(*state, "RSA"), NULL, NULL));
    const char *ec =
        material_file(*state, dir, "ec.key", material_key_pem(*state, material_key(*state, "P-256"), NULL, NULL));
    loaded_t loaded = load(*state, cert, rsa, NULL);

    assert_fails(*state, loaded, "AH02572",
                 apr_psprintf(*state,
                              "httpd.conf:1: SSLCertificateFile: %s: the certificate of CN=a.test (ECDSA key) "
                              "does not belong to the private key in %s (RSA)",
                              cert, rsa));
    assert_non_null(strstr(loaded.why->advice, "ECDSA"));
    loaded = load(*state, cert, ec, NULL);
    assert_fails(*state, loaded, "AH02572", "(ECDSA key) does not belong");
    assert_non_null(strstr(loaded.why->advice, "openssl pkey -in"));
}

static void swapped_and_missing_files_are_told(void **state)
{
    material_pair_t *leaf = material_server(*state, "a.test", "P-256", NULL);
    const char *dir = material_dir(*state);
    const char *cert = material_file(*state, dir, "c.pem", material_cert_pem(*state, leaf->cert));
    const char *key = material_file(*state, dir, "k.pem", material_key_pem(*state, leaf->key, NULL, NULL));
    const char *request = material_file(*state, dir, "r.pem", material_request_pem(*state, leaf->key, "/CN=a.test"));
    const char *gone = apr_pstrcat(*state, dir, "/gone.pem", NULL);

    assert_fails(*state, load(*state, key, key, NULL), "AH02572", "holds no certificate, but a private key");
    assert_fails(*state, load(*state, cert, cert, NULL), "AH02572", "holds no private key, but a certificate");
    assert_fails(*state, load(*state, cert, NULL, NULL), "AH02572", "Name the key's file with SSLCertificateKeyFile");
    assert_fails(*state, load(*state, key, cert, NULL), "AH02572", "holds no certificate, but a private key");
    assert_fails(*state, load(*state, request, key, NULL), "AH02572", "holds a certificate request");
    assert_fails(*state, load(*state, gone, key, NULL), "AH02572", "httpd.conf:1: SSLCertificateFile: ");
    assert_fails(*state, load(*state, cert, gone, NULL), "AH02572", "httpd.conf:2: SSLCertificateKeyFile: ");
    assert_fails(*state, load(*state, cert, key, gone), "AH01903", "httpd.conf:3: SSLCertificateChainFile: ");
    assert_fails(*state, load(*state, cert, key, gone), "AH01903", "gone.pem: as chain of ");
    assert_fails(*state, load(*state, cert, key, key), "AH01903", "holds no certificate, but a private key");
}

static int count_calls(char *phrase, int size, const char *object, void *baton)
{
    (void)size;
    (void)object;
    ++*(int *)baton;
    memcpy(phrase, "secret", 6);
    return 6;
}

static void the_phrase_is_asked_for_only_when_the_key_is_needed(void **state)
{
    material_pair_t *leaf = material_server(*state, "a.test", "P-256", NULL);
    const char *dir = material_dir(*state);
    const char *both = material_file(*state, dir, "both.pem",
                                     material_join(*state, material_cert_pem(*state, leaf->cert),
                                                   material_key_pem(*state, leaf->key, "AES-256-CBC", "secret")));
    const char *key = material_file(*state, dir, "k.pem", material_key_pem(*state, leaf->key, NULL, NULL));
    sl_source_t source = {.certificate = both, .key = key};
    int calls = 0;

    assert_loads(*state, load_source(*state, &source, count_calls, &calls), leaf, NULL, NULL);
    assert_int_equal(calls, 0);
    source.key = NULL;
    assert_loads(*state, load_source(*state, &source, count_calls, &calls), leaf, NULL, NULL);
    assert_int_equal(calls, 1);
}

static void keys_that_others_may_read_or_write_are_warned_of(void **state)
{
    static const struct {
        mode_t mode;
        int encrypted;
        const char *text;
    } rows[] = {{0600, 0, NULL}, {0660, 0, NULL}, {0644, 0, "can be read by everybody"}, {0644, 1, NULL},
                {0602, 0, "can be written by everybody"}, {0666, 1, "can be written by everybody"}};
    material_pair_t *leaf = material_server(*state, "a.test", "P-256", NULL);
    const char *dir = material_dir(*state);
    const char *cert = material_file(*state, dir, "c.pem", material_cert_pem(*state, leaf->cert));

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *key = material_file(*state, dir, "k.pem",
                                        material_key_pem(*state, leaf->key, rows[i].encrypted ? "AES-256-CBC" : NULL,
                                                         rows[i].encrypted ? "secret" : NULL));
        const sl_source_t source = {.certificate = cert, .key = key};
        int calls = 0;
        loaded_t loaded;

        assert_int_equal(chmod(key, rows[i].mode), 0);
        loaded = load_source(*state, &source, count_calls, &calls);
        assert_int_equal(loaded.status, APR_SUCCESS);
        assert_int_equal(loaded.problems->all->nelts, rows[i].text != NULL);
        if (rows[i].text)
            assert_non_null(
                strstr(sl_problem_text(APR_ARRAY_IDX(loaded.problems->all, 0, sl_problem_t *), *state), rows[i].text));
        sl_identity_release(loaded.identity);
    }
}

static void parameters_come_from_the_first_certificate_of_a_host_only(void **state)
{
    material_pair_t *leaf = material_server(*state, "a.test", "P-256", NULL);
    const char *path = material_file(*state, material_dir(*state), "c.pem",
                                     join3(*state, material_cert_pem(*state, leaf->cert),
                                           material_key_pem(*state, leaf->key, NULL, NULL),
                                           material_text("-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n"
                                                         "-----END EC PARAMETERS-----\n")));
    sl_source_t source = {.certificate = path, .first = 1};
    loaded_t loaded = load_source(*state, &source, NULL, NULL);

    assert_string_equal(loaded.identity->ec_group, "secp384r1");
    assert_string_equal(loaded.identity->origin, path);
    sl_identity_release(loaded.identity);
    source.first = 0;
    loaded = load_source(*state, &source, NULL, NULL);
    assert_null(loaded.identity->ec_group);
    sl_identity_release(loaded.identity);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(every_order_of_one_file_is_understood),
    UNIT_TEST(forms_may_be_mixed),
    UNIT_TEST(a_chain_file_takes_the_place_of_the_rest),
    UNIT_TEST(the_leaf_is_the_certificate_of_the_key),
    UNIT_TEST(of_two_certificates_for_one_key_the_first_is_taken),
    UNIT_TEST(a_key_that_does_not_belong_is_told_with_both_types),
    UNIT_TEST(swapped_and_missing_files_are_told),
    UNIT_TEST(the_phrase_is_asked_for_only_when_the_key_is_needed),
    UNIT_TEST(keys_that_others_may_read_or_write_are_warned_of),
    UNIT_TEST(parameters_come_from_the_first_certificate_of_a_host_only),
};

UNIT_MAIN(tests)
