/* stored: of ordinary files the identity that the loader makes of them, without a word of the loader's missing;
 * whatever the loader has something to say of, or understands in a way of its own, is left to it. */
#include "unit.h"

#include "identity/loader.h"
#include "identity/stored.h"
#include "material.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/stat.h>

#define DAY 86400

/* Certificates to choose from, and a directory. */
typedef struct set_t {
    apr_pool_t *pool;
    const char *dir;
    material_pair_t *root, *sub, *leaf, *rsa;
    int files;
} set_t;

static set_t *make_set(apr_pool_t *pool)
{
    set_t *set = apr_pcalloc(pool, sizeof(*set));

    set->pool = pool;
    set->dir = material_dir(pool);
    set->root = material_ca(pool, "root", NULL);
    set->sub = material_ca(pool, "sub", set->root);
    set->leaf = material_server(pool, "a.test", "P-256", set->sub);
    set->rsa = material_server(pool, "a.test", "RSA", set->sub);
    return set;
}

static const char *file(set_t *set, material_bytes_t bytes)
{
    return material_file(set->pool, set->dir, apr_psprintf(set->pool, "%d.pem", set->files++), bytes);
}

/* PEM of certificates, one behind the other; NULL at the end. */
static material_bytes_t certs(const set_t *set, const material_pair_t *first, ...)
{
    material_bytes_t all = material_text("");
    va_list more;

    va_start(more, first);
    for (const material_pair_t *pair = first; pair; pair = va_arg(more, const material_pair_t *))
        all = material_join(set->pool, all, material_cert_pem(set->pool, pair->cert));
    va_end(more);
    return all;
}

static material_bytes_t key_of(const set_t *set, const material_pair_t *pair)
{
    return material_key_pem(set->pool, pair->key, NULL, NULL);
}

/* ---- reading ---- */

typedef struct taken_t {
    sl_stored_t *stored; /* NULL: left to the loader */
    sl_vault_t *vault;
} taken_t;

static taken_t take(const sl_source_t *source)
{
    taken_t taken = {NULL, sl_vault_new()};
    unsigned char *bytes;
    apr_size_t length;

    taken.stored = sl_stored_read(source, &bytes, &length);
    if (taken.stored)
        assert_int_equal(sl_stored_keep(taken.stored, bytes, length, taken.vault), 1);
    return taken;
}

static void give_up(taken_t *taken)
{
    sl_stored_free(taken->stored, taken->vault);
    sl_vault_free(taken->vault);
}

static void assert_same(const sl_identity_t *one, const sl_identity_t *other)
{
    assert_int_equal(X509_cmp(one->leaf, other->leaf), 0);
    assert_int_equal(EVP_PKEY_eq(one->key, other->key), 1);
    assert_string_equal(one->origin, other->origin);
    assert_int_equal(one->not_before, other->not_before);
    assert_int_equal(one->not_after, other->not_after);
    assert_null(other->dh_parameters);
    assert_null(one->dh_parameters);
    assert_null(one->ec_group);
    assert_null(other->ec_group);
    assert_int_equal(sk_X509_num(one->chain), sk_X509_num(other->chain));
    for (int i = 0; i < sk_X509_num(one->chain); i++)
        assert_int_equal(X509_cmp(sk_X509_value(one->chain, i), sk_X509_value(other->chain, i)), 0);
}

/* Of damaged certificates it is enough that OpenSSL decodes them: it may find more when it looks at extensions. */
static int is_damaged;

/* Dates don't count. */
static void assert_nothing_to_say(apr_pool_t *pool, const sl_identity_t *identity)
{
    const sl_origin_t origin = {"t.conf", 1, "SSLCertificateFile"};
    sl_problems_t *problems = sl_problems_make(pool);

    sl_identity_review(identity, NULL, identity->not_before, &origin, problems);
    for (int i = 0; i < problems->all->nelts; i++) {
        const char *text = sl_problem_text(APR_ARRAY_IDX(problems->all, i, sl_problem_t *), pool);

        if (!strstr(text, "expire"))
            fail_msg("there is to say: %s", text);
    }
}

static void assert_facts(const sl_stored_t *stored, const sl_identity_t *identity)
{
    unsigned char *der = NULL, digest[SL_STORED_DIGEST];
    int length = i2d_X509(identity->leaf, &der);

    SHA256(der, (size_t)length, digest);
    OPENSSL_free(der);
    assert_memory_equal(stored->digest, digest, sizeof(digest));
    assert_int_equal(stored->not_before, identity->not_before);
    assert_int_equal(stored->not_after, identity->not_after);
    assert_null(stored->identity);
    if (X509_get_ext_by_NID(identity->leaf, NID_tlsfeature, -1) >= 0)
        assert_true(stored->has_features);
}

/* 1 if it is taken, and so is what the loader makes of it. */
static int is_taken(apr_pool_t *pool, const sl_source_t *source)
{
    sl_problems_t *problems = sl_problems_make(pool);
    sl_problem_t *why = sl_problem_make(pool);
    taken_t taken = take(source);
    sl_identity_t *loaded, *stored;
    int yes = taken.stored != NULL;

    if (yes) {
        if (sl_loader_load(&loaded, source, NULL, NULL, pool, problems, why) != APR_SUCCESS)
            fail_msg("the loader refuses: %s", sl_problem_text(why, pool));
        assert_int_equal(problems->all->nelts, taken.stored->key_mode != 0);
        stored = sl_stored_get(taken.stored, SL_BLOB_ALL);
        assert_non_null(stored);
        assert_same(stored, loaded);
        assert_facts(taken.stored, loaded);
        if (!is_damaged)
            assert_int_equal(taken.stored->is_complete, sl_identity_is_complete(loaded));
        if (!is_damaged)
            assert_nothing_to_say(pool, loaded);
        sl_identity_release(stored);
        sl_identity_release(loaded);
    }
    give_up(&taken);
    return yes;
}

static sl_source_t source_of(const char *certificate, const char *key, const char *chain)
{
    const sl_source_t source = {.certificate = certificate,
                                .key = key,
                                .chain = chain,
                                .first = 1,
                                .origin = {"t.conf", 1, "SSLCertificateFile"},
                                .key_origin = {"t.conf", 2, "SSLCertificateKeyFile"},
                                .chain_origin = {"t.conf", 3, "SSLCertificateChainFile"}};

    return source;
}

static int taken_from(set_t *set, const char *certificate, const char *key, const char *chain)
{
    const sl_source_t source = source_of(certificate, key, chain);

    return is_taken(set->pool, &source);
}

/* The same with what would be in the files; no key: in the certificate's file. */
static int takes(set_t *set, material_bytes_t certificate, material_bytes_t key)
{
    return taken_from(set, file(set, certificate), key.length ? file(set, key) : NULL, NULL);
}

/* ---- ordinary ones ---- */

static void every_form_of_a_key_is_taken(void **state)
{
    static const char *const types[] = {"P-256", "P-384", "P-521", "RSA", "RSA-3072"};
    set_t *set = make_set(*state);

    for (int i = 0; i < 5; i++) {
        material_pair_t *leaf = material_server(*state, "a.test", types[i], set->sub);
        material_bytes_t chain = certs(set, leaf, set->sub, NULL);
        material_bytes_t traditional = material_key_traditional_pem(*state, leaf->key, NULL, NULL);

        assert_true(takes(set, chain, key_of(set, leaf)));
        assert_true(takes(set, chain, traditional));
        assert_true(takes(set, material_join(*state, chain, traditional), material_text("")));
        assert_true(takes(set, material_join(*state, traditional, chain), material_text("")));
        assert_true(takes(set, material_join(*state, chain, key_of(set, leaf)), material_text("")));
    }
}

static const char curve[] = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";

static void parameters_before_a_key_are_taken_in_its_own_file(void **state)
{
    set_t *set = make_set(*state);
    material_bytes_t key = material_key_traditional_pem(*state, set->leaf->key, NULL, NULL);
    material_bytes_t chain = certs(set, set->leaf, set->sub, NULL);

    key = material_join(*state, material_text(curve), key);
    assert_true(takes(set, chain, key));
    /* In the certificate's file they choose the group for key exchanges. */
    assert_false(takes(set, material_join(*state, key, chain), material_text("")));
}

static void every_place_of_a_chain_is_taken(void **state)
{
    set_t *set = make_set(*state);
    material_pair_t *deep = material_ca(*state, "deep", set->sub),
                    *leaf = material_server(*state, "a.test", "RSA", deep);
    const char *key = file(set, key_of(set, leaf)), *alone = file(set, certs(set, leaf, NULL));

    assert_true(taken_from(set, alone, key, NULL));
    assert_true(taken_from(set, file(set, certs(set, leaf, deep, NULL)), key, NULL));
    assert_true(taken_from(set, file(set, certs(set, leaf, deep, set->sub, NULL)), key, NULL));
    assert_true(taken_from(set, file(set, certs(set, leaf, deep, set->sub, set->root, NULL)), key, NULL));
    assert_true(taken_from(set, alone, key, file(set, certs(set, deep, NULL))));
    assert_true(taken_from(set, alone, key, file(set, certs(set, deep, set->sub, set->root, NULL))));
    /* A chain file takes the place of the rest. */
    assert_true(taken_from(set, file(set, certs(set, leaf, set->root, NULL)), key, file(set, certs(set, deep, NULL))));
    assert_true(taken_from(set, file(set, material_join(*state, certs(set, leaf, NULL), key_of(set, leaf))), NULL,
                           file(set, certs(set, deep, set->sub, NULL))));
    assert_true(taken_from(
        set,
        file(set, material_join(*state, material_text("Bag Attributes: a\nsubject=b\n"), certs(set, leaf, deep, NULL))),
        key, NULL));
}

static sl_stored_t *stored_of(set_t *set, taken_t *taken, const material_cert_t *what, int alone)
{
    material_pair_t *leaf = material_pair(set->pool, what, "P-256", set->sub);
    const sl_source_t source = source_of(file(set, alone ? certs(set, leaf, NULL) : certs(set, leaf, set->sub, NULL)),
                                         file(set, key_of(set, leaf)), NULL);

    assert_true(is_taken(set->pool, &source));
    *taken = take(&source);
    return taken->stored;
}

static void dates_are_taken_and_judged(void **state)
{
    static const material_cert_t what = {.not_before = 1000000000, .not_after = 1100000000};
    set_t *set = make_set(*state);
    taken_t taken;
    sl_stored_t *stored = stored_of(set, &taken, &what, 0);

    assert_int_equal(stored->not_before, 1000000000);
    assert_int_equal(stored->not_after, 1100000000);
    assert_true(stored->is_plain);
    assert_false(sl_stored_is_in_order(stored, 999999999));
    assert_true(sl_stored_is_in_order(stored, 1000000000));
    assert_true(sl_stored_is_in_order(stored, 1100000000 - 14 * DAY - 1));
    assert_false(sl_stored_is_in_order(stored, 1100000000 - 14 * DAY));
    assert_false(sl_stored_is_in_order(stored, 1100000000));
    assert_false(sl_stored_is_in_order(stored, 1200000000));
    give_up(&taken);
}

static void whether_its_issuer_is_there_is_told(void **state)
{
    static const material_cert_t what = {.san = "DNS:a.test"};
    set_t *set = make_set(*state);
    STACK_OF(X509) *cas = material_stack(*state, set->root->cert, set->sub->cert, NULL);
    taken_t taken;

    assert_true(stored_of(set, &taken, &what, 0)->is_complete);
    give_up(&taken);
    assert_false(stored_of(set, &taken, &what, 1)->is_complete);
    assert_true(taken.stored->is_plain);
    assert_ptr_equal(sl_stored_issuer_among(taken.stored, cas), set->sub->cert);
    assert_null(sl_stored_issuer_among(taken.stored, material_stack(*state, set->root->cert, NULL)));
    assert_null(sl_stored_issuer_among(taken.stored, NULL));
    give_up(&taken);
}

/* Whenever it is said to be in order, the review says nothing. */
static void what_is_in_order_needs_no_review(void **state)
{
    static const apr_int64_t days[] = {1, 14, 15, 20, 41, 42, 43, 90, 365};
    const sl_origin_t origin = {"t.conf", 1, "SSLCertificateFile"};
    set_t *set = make_set(*state);
    int in_order = 0;

    for (int i = 0; i < 9; i++) {
        const material_cert_t what = {.not_before = 1000000000, .not_after = 1000000000 + days[i] * DAY};
        taken_t taken;
        sl_stored_t *stored = stored_of(set, &taken, &what, 0);
        sl_identity_t *identity = sl_stored_get(stored, SL_BLOB_ALL);

        for (apr_int64_t now = 1000000000 - DAY; now < what.not_after + DAY; now += 4 * 3600 - 1) {
            sl_problems_t *problems = sl_problems_make(*state);

            if (!sl_stored_is_in_order(stored, now))
                continue;
            sl_identity_review(identity, NULL, now, &origin, problems);
            assert_int_equal(problems->all->nelts, 0);
            in_order++;
        }
        sl_identity_release(identity);
        give_up(&taken);
    }
    assert_true(in_order > 100);
}

static void hosts_are_covered_as_the_identity_covers_them(void **state)
{
    static const char *const hosts[] = {"a.test", "b.test", "x.c.test", "c.test", "127.0.0.1", "127.0.0.2", "_x.c.test",
                                        "", "*.c.test", "[::1]", "::1", "cn.test", "x.y.c.test", "d.test", "d.test."};
    static const char *const sans[] = {"DNS:a.test,DNS:*.c.test,IP:127.0.0.1,IP:::1", NULL, "IP:127.0.0.1",
                                       "DNS:a.test,otherName:1.2.3;UTF8:x,DNS:d.test", "DNS:d.test."};
    set_t *set = make_set(*state);

    for (int i = 0; i < 5; i++) {
        const material_cert_t what = {.subject = "/CN=cn.test", .san = sans[i]};
        taken_t taken;
        sl_stored_t *stored = stored_of(set, &taken, &what, 0), *copy = sl_stored_copy(stored);
        sl_identity_t *identity = sl_stored_get(stored, SL_BLOB_ALL);
        int covered = 0;

        for (size_t k = 0; k < sizeof(hosts) / sizeof(hosts[0]); k++) {
            covered += sl_stored_covers(stored, hosts[k]);
            assert_int_equal(sl_stored_covers(stored, hosts[k]), sl_identity_covers(identity, hosts[k]));
            assert_int_equal(sl_stored_covers(copy, hosts[k]), sl_identity_covers(identity, hosts[k]));
        }
        assert_true(covered > 0 || i == 4);
        sl_identity_release(identity);
        copy->bytes = NULL; /* the other's */
        sl_stored_free(copy, taken.vault);
        give_up(&taken);
    }
}

static void permissions_of_the_keys_file_are_noted(void **state)
{
    set_t *set = make_set(*state);
    const char *chain = file(set, certs(set, set->leaf, set->sub, NULL)), *key = file(set, key_of(set, set->leaf));
    const char *both = file(set, material_join(*state, certs(set, set->leaf, NULL), key_of(set, set->leaf)));
    static const mode_t modes[] = {0600, 0644, 0666, 0660, 0602};

    for (int i = 0; i < 5; i++) {
        const sl_source_t apart = source_of(chain, key, NULL), together = source_of(both, NULL, chain);
        taken_t taken;

        chmod(key, modes[i]);
        chmod(both, modes[i]);
        chmod(chain, 0666); /* of no interest */
        assert_true(is_taken(*state, &apart));
        taken = take(&apart);
        assert_int_equal(taken.stored->key_mode, modes[i] & (S_IROTH | S_IWOTH));
        give_up(&taken);
        if (i == 0)
            assert_false(is_taken(*state, &together)); /* its chain file begins with the leaf */
    }
    for (int i = 0; i < 5; i++) {
        const sl_source_t together = source_of(both, both, NULL);
        taken_t taken;

        chmod(both, modes[i]);
        assert_true(is_taken(*state, &together));
        taken = take(&together);
        assert_int_equal(taken.stored->key_mode, modes[i] & (S_IROTH | S_IWOTH));
        give_up(&taken);
    }
}

/* ---- the loader's business ---- */

static void keys_that_are_not_ordinary_are_left(void **state)
{
    static const char *const types[] = {"ED25519", "ED448", "RSA-1024", "RSA-PSS", "secp256k1"};
    set_t *set = make_set(*state);
    material_bytes_t chain = certs(set, set->leaf, set->sub, NULL), key = key_of(set, set->leaf);

    for (int i = 0; i < 5; i++) {
        material_pair_t *leaf = material_server(*state, "a.test", types[i], set->sub);

        assert_false(takes(set, certs(set, leaf, set->sub, NULL), key_of(set, leaf)));
    }
    assert_true(takes(set, chain, key));
    assert_false(takes(set, chain, key_of(set, material_server(*state, "a.test", "P-256", set->sub))));
    assert_false(takes(set, chain, key_of(set, set->rsa)));
    assert_false(takes(set, certs(set, set->rsa, set->sub, NULL), key));
    assert_false(takes(set, chain, material_key_pem(*state, set->leaf->key, "AES-256-CBC", "secret")));
    assert_false(takes(set, chain, material_key_traditional_pem(*state, set->leaf->key, "AES-256-CBC", "secret")));
    assert_false(takes(set, chain, material_join(*state, key, key)));
    assert_false(takes(set, chain, material_join(*state, key, key_of(set, set->rsa))));
    assert_false(takes(set, material_join(*state, chain, key), key));
    assert_false(takes(set, chain, material_join(*state, key, chain)));
    assert_false(takes(set, chain, chain));
    assert_false(takes(set, chain, material_text("")));
    assert_false(takes(set, chain, material_public_pem(*state, set->leaf->key)));
    assert_false(takes(set, chain, material_key_der(*state, set->leaf->key, NULL, NULL)));
}

static void certificates_with_something_to_say_are_left(void **state)
{
    static const char *const no_signer[] = {"basicConstraints", "critical,CA:TRUE", "keyUsage", "cRLSign", NULL};
    set_t *set = make_set(*state);
    const material_cert_t ca = {.ca = 1}, sha1 = {.digest = "SHA1"}, version1 = {.version1 = 1},
                          weak_ca = {.subject = "/CN=weak", .ca = 1, .digest = "SHA1"},
                          bad_ca = {.subject = "/CN=bad", .extensions = no_signer};
    material_pair_t *all[] = {material_pair(*state, &ca, "P-256", set->sub),
                              material_pair(*state, &sha1, "P-256", set->sub),
                              material_pair(*state, &version1, "P-256", set->sub),
                              material_server(*state, "a.test", "P-256", NULL)};
    material_pair_t *weak = material_pair(*state, &weak_ca, "P-256", set->root);
    material_pair_t *bad = material_pair(*state, &bad_ca, "P-256", set->root);
    material_pair_t *of_weak = material_server(*state, "a.test", "P-256", weak);
    material_pair_t *of_bad = material_server(*state, "a.test", "P-256", bad);
    material_pair_t *of_leaf = material_server(*state, "a.test", "P-256", set->leaf);

    for (int i = 0; i < 4; i++)
        assert_false(takes(set, certs(set, all[i], set->sub, NULL), key_of(set, all[i])));
    assert_false(takes(set, certs(set, all[3], NULL), key_of(set, all[3])));
    assert_false(takes(set, certs(set, of_weak, weak, NULL), key_of(set, of_weak)));
    assert_false(takes(set, certs(set, of_bad, bad, NULL), key_of(set, of_bad)));
    assert_false(takes(set, certs(set, of_leaf, set->leaf, set->sub, NULL), key_of(set, of_leaf)));
}

static void chains_that_are_not_in_order_are_left(void **state)
{
    set_t *set = make_set(*state);
    material_pair_t *other = material_ca(*state, "other", NULL), *leaf = set->leaf, *sub = set->sub, *root = set->root;
    const material_cert_t twin = {.subject = "/CN=sub", .ca = 1};
    material_pair_t *like_sub = material_pair(*state, &twin, "P-256", root); /* its name, another key */
    const char *key = file(set, key_of(set, leaf)), *alone = file(set, certs(set, leaf, NULL));
    material_bytes_t long_one = certs(set, leaf, sub, root, NULL);

    assert_false(taken_from(set, file(set, certs(set, sub, leaf, NULL)), key, NULL));
    assert_false(taken_from(set, file(set, certs(set, leaf, root, NULL)), key, NULL));
    assert_false(taken_from(set, file(set, certs(set, leaf, root, sub, NULL)), key, NULL));
    assert_false(taken_from(set, file(set, certs(set, leaf, sub, other, NULL)), key, NULL));
    assert_false(taken_from(set, file(set, certs(set, leaf, sub, root, other, NULL)), key, NULL));
    assert_false(taken_from(set, file(set, certs(set, leaf, sub, root, root, NULL)), key, NULL));
    assert_false(taken_from(set, file(set, certs(set, leaf, leaf, sub, NULL)), key, NULL));
    assert_false(taken_from(set, file(set, certs(set, leaf, like_sub, NULL)), key, NULL));
    assert_false(taken_from(set, alone, key, file(set, certs(set, root, NULL))));
    assert_false(taken_from(set, alone, key, file(set, certs(set, leaf, sub, NULL))));
    assert_false(taken_from(set, alone, key, file(set, material_text("no certificate\n"))));
    assert_false(taken_from(set, alone, key, key));
    assert_false(taken_from(set, alone, key, apr_pstrcat(*state, set->dir, "/gone", NULL)));
    for (int i = 0; i < 8; i++)
        long_one = material_join(*state, long_one, certs(set, root, NULL));
    assert_false(taken_from(set, file(set, long_one), key, NULL));
}

static const char dh[] = "-----BEGIN DH PARAMETERS-----\n"
                         "MIGHAoGBAP//////////yQ/aoiFowjTExmKLgNwc0SkCTgiKZ8x0Agu+pjsTmyJR\n"
                         "Sgh5jjQE3e+VGbPNOkMbMCsKbfJfFDdP4TVtbVHCReSFtXZiXn7G9ExC6aY37WsL\n"
                         "/1y29Aa37e44a/taiZ+lrp8kEXxLH+ZJKGZR7OZTgf//////////AgEC\n"
                         "-----END DH PARAMETERS-----\n";

static void other_contents_are_left(void **state)
{
    set_t *set = make_set(*state);
    material_bytes_t chain = certs(set, set->leaf, set->sub, NULL), key = key_of(set, set->leaf);
    material_bytes_t others[] = {
        material_text(""),
        material_text("\n"),
        material_text("<!DOCTYPE html>\n<title>404</title>\n"),
        material_cert_der(*state, set->leaf->cert),
        material_base64(*state, material_cert_der(*state, set->leaf->cert)),
        material_pkcs12(*state, set->leaf, NULL, NULL),
        material_pkcs7_pem(*state, material_stack(*state, set->leaf->cert, set->sub->cert, NULL)),
        material_trusted_pem(*state, set->leaf->cert),
        material_request_pem(*state, set->leaf->key, "/CN=a.test"),
        key,
        material_join(*state, chain, material_text(dh)),
        material_join(*state, material_text(curve), chain),
        material_join(*state, chain, material_crl_pem(*state, material_crl(*state, set->sub, NULL, 0))),
        material_join(*state, chain, material_text("-----BEGIN X-----\nAAAA\n-----END X-----\n")),
        material_join(*state, chain, material_text("-----BEGIN CERTIFICATE-----\nAAAA\n")),
        material_join(*state, chain, material_text("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")),
        material_pem(*state, "CERTIFICATE",
                     material_join(*state, material_cert_der(*state, set->leaf->cert), material_text("x"))),
        material_pem(*state, "CERTIFICATE", material_key_der(*state, set->leaf->key, NULL, NULL)),
    };

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (takes(set, others[i], key) || takes(set, chain, i == 9 ? others[0] : others[i]))
            fail_msg("number %d", (int)i);
    }
}

static void damaged_text_is_left(void **state)
{
    set_t *set = make_set(*state);
    material_bytes_t chain = certs(set, set->leaf, set->sub, NULL), key = key_of(set, set->leaf);

    for (apr_size_t at = 0; at < chain.length; at += 23) {
        char *text = apr_pmemdup(*state, chain.data, chain.length);
        const material_bytes_t damaged = {text, chain.length}, half = {text, at};

        text[at] = '!';
        (void)takes(set, damaged, key); /* if it is taken, the loader takes it too */
        (void)takes(set, half, key);
    }
    for (apr_size_t at = 28; at < key.length - 26; at++) {
        char *text = apr_pmemdup(*state, key.data, key.length);
        const material_bytes_t damaged = {text, key.length};

        if (text[at] == '\n')
            continue;
        text[at] = '!';
        assert_false(takes(set, chain, damaged));
    }
}

static void places_that_are_no_ordinary_files_are_left(void **state)
{
    set_t *set = make_set(*state);
    material_bytes_t chain = certs(set, set->leaf, set->sub, NULL), key = key_of(set, set->leaf);
    const char *fine = file(set, chain), *fine_key = file(set, key);
    const char *pipe = apr_pstrcat(*state, set->dir, "/pipe", NULL), *link = apr_pstrcat(*state, set->dir, "/l", NULL);
    char *much = apr_palloc(*state, 65536);
    const material_bytes_t large = {much, 65536 - chain.length}, larger = {much, 65535 - chain.length};

    memset(much, '\n', 65536);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(symlink(fine, link), 0);
    assert_false(taken_from(set, apr_pstrcat(*state, set->dir, "/gone", NULL), fine_key, NULL));
    assert_false(taken_from(set, fine, apr_pstrcat(*state, set->dir, "/gone", NULL), NULL));
    assert_false(taken_from(set, set->dir, fine_key, NULL));
    assert_false(taken_from(set, fine, set->dir, NULL));
    assert_false(taken_from(set, fine, "/dev/null", NULL));
    assert_false(taken_from(set, "/dev/zero", fine_key, NULL));
    assert_false(taken_from(set, "pkcs11:object=a", fine_key, NULL));
    assert_false(taken_from(set, fine, "pkcs11:object=a", NULL));
    assert_false(taken_from(set, pipe, fine_key, NULL)); /* and nobody waits for who writes into it */
    assert_false(taken_from(set, fine, pipe, NULL));
    assert_true(taken_from(set, link, fine_key, NULL));
    assert_true(taken_from(set, file(set, material_join(*state, chain, larger)), fine_key, NULL));
    assert_false(taken_from(set, file(set, material_join(*state, chain, large)), fine_key, NULL));
}

static void other_kinds_of_sources_are_left(void **state)
{
    set_t *set = make_set(*state);
    sl_source_t source =
        source_of(file(set, certs(set, set->leaf, set->sub, NULL)), file(set, key_of(set, set->leaf)), NULL);

    assert_true(is_taken(*state, &source));
    source.is_bundle = 1;
    assert_false(is_taken(*state, &source));
    source.is_bundle = 0;
    source.key_number = 1;
    assert_false(is_taken(*state, &source));
    source.key_number = 0;
    source.first = 0;
    assert_true(is_taken(*state, &source));
}

/* ---- those that were loaded ---- */

static void a_loaded_one_is_stored_with_its_facts(void **state)
{
    static const char *const types[] = {"P-256", "ED25519", "RSA-PSS"};
    set_t *set = make_set(*state);
    sl_vault_t *vault = sl_vault_new();

    for (int i = 0; i < 6; i++) {
        material_pair_t *leaf = material_server(*state, "a.test", types[i % 3], set->sub);
        sl_identity_t *identity, *again;
        sl_stored_t *stored;

        X509_up_ref(leaf->cert);
        EVP_PKEY_up_ref(leaf->key);
        identity = sl_identity_new(leaf->cert, NULL, leaf->key, "a.pem");
        stored = sl_stored_new(identity, i > 2, vault, sl_problem_make(*state));
        assert_non_null(stored);
        again = sl_stored_get(stored, SL_BLOB_ALL);
        assert_same(again, identity);
        assert_int_equal(again == identity, i > 2);
        assert_int_equal(stored->bytes == NULL, i > 2);
        assert_int_equal(stored->not_after, identity->not_after);
        assert_false(sl_stored_is_in_order(stored, identity->not_before + DAY)); /* that is for the review to say */
        assert_true(sl_stored_covers(stored, "a.test"));
        assert_false(sl_stored_covers(stored, "b.test"));
        sl_identity_release(again);
        sl_identity_release(identity);
        sl_stored_free(stored, vault);
    }
    sl_stored_free(NULL, vault);
    sl_vault_free(vault);
}

/* ---- anything ---- */

#define TRIES 800

static unsigned seed = 7;

static unsigned dice(unsigned sides)
{
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % sides;
}

static material_pair_t *any_ca(const set_t *set, const char *name, const material_pair_t *issuer)
{
    static const char *const no_signer[] = {"basicConstraints", "critical,CA:TRUE", "keyUsage", "cRLSign", NULL};
    static const char *const types[] = {"P-256", "P-384", "RSA", "ED25519", "RSA-1024"};
    const material_cert_t what = {.subject = apr_pstrcat(set->pool, "/CN=", name, NULL),
                                  .ca = dice(12) > 1,
                                  .extensions = dice(12) == 1 ? no_signer : NULL,
                                  .digest = dice(12) ? "SHA256" : "SHA1"};

    return material_pair(set->pool, &what, types[dice(12) > 4 ? 0 : dice(5)], issuer);
}

static material_pair_t *any_leaf(const set_t *set, const material_pair_t *issuer)
{
    static const char *const types[] = {"P-256", "P-384", "P-521", "RSA", "ED25519", "RSA-1024", "secp256k1"};
    static const char *const sans[] = {"DNS:a.test", "DNS:*.a.test", NULL, "IP:127.0.0.1",
                                       "DNS:a.test,otherName:1.2.3;UTF8:x"};
    const material_cert_t what = {.san = sans[dice(5)],
                                  .ca = !dice(20),
                                  .version1 = !dice(20),
                                  .not_before = dice(8) ? 0 : 1 + dice(30000),
                                  .not_after = dice(8) ? 0 : (apr_int64_t)dice(30000) * DAY + 100000,
                                  .digest = dice(12) ? "SHA256" : "SHA1"};

    return material_pair(set->pool, &what, types[dice(12) > 4 ? dice(2) : dice(7)], dice(20) ? issuer : NULL);
}

/* DER with a bit of damage now and then, as PEM. */
static material_bytes_t any_pem(const set_t *set, const char *label, material_bytes_t der)
{
    char *bytes = apr_pmemdup(set->pool, der.data, der.length);

    der.data = bytes;
    if (!dice(6)) {
        bytes[dice((unsigned)der.length)] ^= (char)(1 << dice(8));
        is_damaged = 1;
    }
    return material_pem(set->pool, label, der);
}

static material_bytes_t any_key(const set_t *set, EVP_PKEY *key)
{
    int is_traditional = dice(2) && (EVP_PKEY_is_a(key, "EC") || EVP_PKEY_is_a(key, "RSA"));

    if (!is_traditional)
        return any_pem(set, "PRIVATE KEY", material_key_der(set->pool, key, NULL, NULL));
    return any_pem(set, EVP_PKEY_is_a(key, "EC") ? "EC PRIVATE KEY" : "RSA PRIVATE KEY",
                   material_key_traditional_der(set->pool, key));
}

static int take_any(apr_pool_t *pool)
{
    set_t *set = apr_pcalloc(pool, sizeof(*set));
    material_pair_t *pairs[4];
    material_bytes_t text = material_text(""), chain = material_text(""), key;

    set->pool = pool;
    set->dir = material_dir(pool);
    pairs[3] = any_ca(set, "root", NULL);
    pairs[2] = any_ca(set, dice(20) ? "sub" : "root", pairs[3]);
    pairs[1] = any_ca(set, dice(20) ? "sub2" : "sub", pairs[dice(6) ? 2 : 3]);
    pairs[0] = any_leaf(set, pairs[dice(6) ? 1 : 2]);
    key = any_key(set, dice(20) ? pairs[0]->key : pairs[1]->key);
    for (unsigned i = 0, count = dice(5); i < count; i++) {
        X509 *cert = pairs[dice(10) ? i : dice(4)]->cert;
        material_bytes_t pem = any_pem(set, "CERTIFICATE", material_cert_der(pool, cert));

        if (i && !dice(3))
            chain = material_join(pool, chain, pem);
        else
            text = material_join(pool, text, pem);
    }
    if (!dice(3))
        return taken_from(set, file(set, material_join(pool, text, key)), NULL, chain.length ? file(set, chain) : NULL);
    return taken_from(set, file(set, text), file(set, key), chain.length ? file(set, chain) : NULL);
}

static void whatever_is_taken_is_what_the_loader_takes(void **state)
{
    int taken = 0;

    for (int i = 0; i < TRIES; i++) {
        apr_pool_t *pool;

        apr_pool_create(&pool, *state);
        is_damaged = 0;
        taken += take_any(pool);
        ERR_clear_error();
        apr_pool_destroy(pool);
    }
    is_damaged = 0;
    assert_true(taken >= TRIES / 10 && taken <= TRIES * 9 / 10);
}

/* Each byte of the leaf's and the issuer's DER, and of the key's. */
static void damaged_der_is_left_where_the_loader_refuses_it(void **state)
{
    set_t *set = make_set(*state);
    material_bytes_t ders[3] = {material_cert_der(*state, set->leaf->cert), material_cert_der(*state, set->sub->cert),
                                material_key_der(*state, set->leaf->key, NULL, NULL)};

    is_damaged = 1;
    for (int which = 0; which < 3; which++) {
        for (apr_size_t at = 0; at < ders[which].length; at++) {
            material_bytes_t changed[3] = {ders[0], ders[1], ders[2]};
            char *bytes = apr_pmemdup(*state, ders[which].data, ders[which].length);
            apr_pool_t *pool = set->pool;

            apr_pool_create(&set->pool, pool);
            bytes[at] ^= (char)(1 << at % 8);
            changed[which].data = bytes;
            set->files = 0;
            (void)takes(set,
                        material_join(set->pool, material_pem(set->pool, "CERTIFICATE", changed[0]),
                                      material_pem(set->pool, "CERTIFICATE", changed[1])),
                        material_pem(set->pool, "PRIVATE KEY", changed[2]));
            ERR_clear_error();
            apr_pool_destroy(set->pool);
            set->pool = pool;
        }
    }
    is_damaged = 0;
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(every_form_of_a_key_is_taken),
    UNIT_TEST(parameters_before_a_key_are_taken_in_its_own_file),
    UNIT_TEST(every_place_of_a_chain_is_taken),
    UNIT_TEST(dates_are_taken_and_judged),
    UNIT_TEST(whether_its_issuer_is_there_is_told),
    UNIT_TEST(what_is_in_order_needs_no_review),
    UNIT_TEST(hosts_are_covered_as_the_identity_covers_them),
    UNIT_TEST(permissions_of_the_keys_file_are_noted),
    UNIT_TEST(keys_that_are_not_ordinary_are_left),
    UNIT_TEST(certificates_with_something_to_say_are_left),
    UNIT_TEST(chains_that_are_not_in_order_are_left),
    UNIT_TEST(other_contents_are_left),
    UNIT_TEST(damaged_text_is_left),
    UNIT_TEST(places_that_are_no_ordinary_files_are_left),
    UNIT_TEST(other_kinds_of_sources_are_left),
    UNIT_TEST(a_loaded_one_is_stored_with_its_facts),
    UNIT_TEST(whatever_is_taken_is_what_the_loader_takes),
    UNIT_TEST(damaged_der_is_left_where_the_loader_refuses_it),
};

UNIT_MAIN(tests)
