/* pem: every form a certificate or key file may have is read, and every other file is told by what it is. */
#include "unit.h"

#include "base/text.h"
#include "crypto/der.h"
#include "crypto/pem.h"
#include "crypto/pem_block.h"
#include "material.h"

#include <apr_file_io.h>
#include <apr_time.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static sl_problem_t *why; /* of the last read() */

static apr_status_t read_with(apr_pool_t *pool, sl_pem_t *pem, material_bytes_t bytes, sl_pem_want_t want,
                              sl_pem_passphrase_t ask, void *baton)
{
    why = sl_problem_make(pool);
    return sl_pem_read(pem, (const unsigned char *)bytes.data, bytes.length, "/some/file", want, ask, baton, why);
}

static apr_status_t read_all(apr_pool_t *pool, sl_pem_t *pem, material_bytes_t bytes)
{
    return read_with(pool, pem, bytes, SL_PEM_ALL, NULL, NULL);
}

static void must_read(apr_pool_t *pool, sl_pem_t *pem, material_bytes_t bytes)
{
    if (read_all(pool, pem, bytes) != APR_SUCCESS)
        fail_msg("%s", sl_problem_text(why, pool));
}

/* The reason holds `text`, and nothing is left in the record. */
static void must_fail(apr_pool_t *pool, material_bytes_t bytes, const char *text)
{
    sl_pem_t pem;

    assert_int_not_equal(read_all(pool, &pem, bytes), APR_SUCCESS);
    if (!strstr(sl_problem_text(why, pool), text))
        fail_msg("\"%s\" does not hold \"%s\"", sl_problem_text(why, pool), text);
    assert_null(pem.certificates);
    assert_null(pem.key);
}

static void must_hold_key(apr_pool_t *pool, material_bytes_t bytes, EVP_PKEY *key)
{
    sl_pem_t pem;

    must_read(pool, &pem, bytes);
    assert_int_equal(pem.keys, 1);
    assert_non_null(pem.key);
    assert_int_equal(EVP_PKEY_eq(pem.key, key), 1);
    assert_false(pem.key_was_encrypted);
    sl_pem_clear(&pem);
}

static material_bytes_t with_crlf(apr_pool_t *pool, material_bytes_t bytes)
{
    char *out = apr_palloc(pool, bytes.length * 2 + 1);
    apr_size_t n = 0;

    for (apr_size_t i = 0; i < bytes.length; i++) {
        if (bytes.data[i] == '\n')
            out[n++] = '\r';
        out[n++] = bytes.data[i];
    }
    out[n] = '\0';
    return (material_bytes_t){out, n};
}

static const char *const key_types[] = {"RSA", "RSA-1024", "RSA-PSS", "P-256", "P-384", "P-521", "secp256k1",
                                        "ED25519", "ED448", "DSA", "ML-DSA-65"};
#define KEY_TYPES (sizeof(key_types) / sizeof(key_types[0]))

static void keys_of_every_type_are_read_from_pkcs8(void **state)
{
    for (size_t i = 0; i < KEY_TYPES; i++) {
        EVP_PKEY *key = material_key(*state, key_types[i]);

        if (!key)
            continue; /* not in this OpenSSL */
        must_hold_key(*state, material_key_pem(*state, key, NULL, NULL), key);
        must_hold_key(*state, material_key_der(*state, key, NULL, NULL), key);
        must_hold_key(*state, material_base64(*state, material_key_der(*state, key, NULL, NULL)), key);
    }
}

static void traditional_keys_are_read(void **state)
{
    static const char *const types[] = {"RSA", "P-256", "P-384", "P-521", "secp256k1", "DSA"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        EVP_PKEY *key = material_key(*state, types[i]);
        material_bytes_t pem = material_key_traditional_pem(*state, key, NULL, NULL);

        assert_null(strstr(pem.data, "BEGIN PRIVATE"));
        must_hold_key(*state, pem, key);
        must_hold_key(*state, with_crlf(*state, pem), key);
        must_hold_key(*state, material_key_traditional_der(*state, key), key);
        must_hold_key(*state, material_base64(*state, material_key_traditional_der(*state, key)), key);
    }
}

/* The key as a signature says more than two public halves being equal: they are copied from the file. */
static void a_key_that_was_read_quickly_signs(void **state)
{
    static const char *const types[] = {"RSA", "P-256", "P-521", "ED25519", "ED448"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        EVP_PKEY *key = material_key(*state, types[i]);
        const char *digest = strncmp(types[i], "ED", 2) == 0 ? NULL : "SHA256";
        EVP_MD_CTX *signing = EVP_MD_CTX_new(), *verifying = EVP_MD_CTX_new();
        unsigned char signature[1024];
        size_t length = sizeof(signature);
        sl_pem_t pem;

        must_read(*state, &pem, material_key_pem(*state, key, NULL, NULL));
        assert_int_equal(EVP_DigestSignInit_ex(signing, NULL, digest, NULL, NULL, pem.key, NULL), 1);
        assert_int_equal(EVP_DigestSign(signing, signature, &length, (const unsigned char *)"x", 1), 1);
        assert_int_equal(EVP_DigestVerifyInit_ex(verifying, NULL, digest, NULL, NULL, key, NULL), 1);
        assert_int_equal(EVP_DigestVerify(verifying, signature, length, (const unsigned char *)"x", 1), 1);
        EVP_MD_CTX_free(signing);
        EVP_MD_CTX_free(verifying);
        sl_pem_clear(&pem);
    }
}

/* P-256, secret 1: the public half is the generator. No public half and no curve inside, as RFC 5915 allows. */
static const unsigned char bare_ec[] = {
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
    0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04,
    0x20, 0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    1};

static void an_ec_key_without_its_public_half_gets_it(void **state)
{
    static const char generator[] = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                                    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    unsigned char point[200];
    size_t length;
    sl_pem_t pem;

    must_read(*state, &pem, (material_bytes_t){(const char *)bare_ec, sizeof(bare_ec)});
    assert_int_equal(EVP_PKEY_get_octet_string_param(pem.key, "pub", point, sizeof(point), &length), 1);
    assert_string_equal(sl_text_hex(*state, point, length), generator);
    sl_pem_clear(&pem);
}

/* The same key with 200 bytes of secret. Some versions of OpenSSL take it, others do not; we leave it to them. */
static void an_ec_secret_that_is_too_long_does_no_harm(void **state)
{
    unsigned char key[239];
    sl_reader_t file, content;
    sl_pem_t pem;

    memset(key, 0x11, sizeof(key));
    memcpy(key, "\x30\x81\xec\x02\x01\x00", 6);
    memcpy(key + 6, bare_ec + 5, 21);
    memcpy(key + 27, "\x04\x81\xd1\x30\x81\xce\x02\x01\x01\x04\x81\xc8", 12);
    sl_reader_init(&file, key, sizeof(key));
    assert_int_equal(sl_der_next(&file, &content), SL_DER_SEQUENCE);
    if (read_all(*state, &pem, (material_bytes_t){(const char *)key, sizeof(key)}) == APR_SUCCESS)
        sl_pem_clear(&pem);
}

static void certificates_are_read_in_every_form(void **state)
{
    X509 *cert = material_server(*state, "a.test", "P-256", NULL)->cert;
    const material_bytes_t forms[] = {
        material_cert_pem(*state, cert),
        with_crlf(*state, material_cert_pem(*state, cert)),
        material_cert_der(*state, cert),
        material_base64(*state, material_cert_der(*state, cert)),
        material_trusted_pem(*state, cert),
        material_pem(*state, "X509 CERTIFICATE", material_cert_der(*state, cert)),
        material_pkcs7_pem(*state, material_stack(*state, cert, NULL)),
        material_pkcs7_der(*state, material_stack(*state, cert, NULL)),
        material_join(*state, material_text("\xef\xbb\xbf"), material_cert_pem(*state, cert)),
        material_join(*state, material_text("\xef\xbb\xbf"), with_crlf(*state, material_cert_pem(*state, cert))),
        material_join(*state, material_text("Bag Attributes\n  friendlyName: x\nsubject=CN = a\n"),
                      material_cert_pem(*state, cert)),
        material_join(*state, material_cert_der(*state, cert), material_text("\n")),
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        sl_pem_t pem;

        must_read(*state, &pem, forms[i]);
        assert_int_equal(sk_X509_num(pem.certificates), 1);
        assert_int_equal(X509_cmp(sk_X509_value(pem.certificates, 0), cert), 0);
        assert_int_equal(pem.keys, 0);
        sl_pem_clear(&pem);
    }
}

static void what_a_ca_is_trusted_for_is_kept(void **state)
{
    X509 *cert = material_ca(*state, "ca", NULL)->cert;
    sl_pem_t pem;

    assert_true(X509_add1_reject_object(cert, OBJ_nid2obj(NID_client_auth)));
    must_read(*state, &pem, material_trusted_pem(*state, cert));
    assert_int_equal(sk_ASN1_OBJECT_num(X509_get0_reject_objects(sk_X509_value(pem.certificates, 0))), 1);
    sl_pem_clear(&pem);
}

static void indented_and_unbroken_base64_is_read(void **state)
{
    material_pair_t *pair = material_server(*state, "a.test", "P-256", NULL);
    material_bytes_t pem_text = material_cert_pem(*state, pair->cert);
    char *indented = apr_palloc(*state, pem_text.length * 5 + 1), *unbroken = apr_palloc(*state, pem_text.length + 1);
    apr_size_t n = 0, m = 0;
    sl_pem_t pem;

    for (apr_size_t i = 0; i < pem_text.length; i++) {
        const char *end = strstr(pem_text.data, "-----END");

        if (i == 0 || pem_text.data[i - 1] == '\n')
            n += (apr_size_t)apr_snprintf(indented + n, 5, " \t  ");
        indented[n++] = pem_text.data[i];
        if (pem_text.data[i] != '\n' || i < 30 || pem_text.data + i + 1 >= end)
            unbroken[m++] = pem_text.data[i];
    }
    must_read(*state, &pem, (material_bytes_t){indented, n});
    assert_int_equal(X509_cmp(sk_X509_value(pem.certificates, 0), pair->cert), 0);
    sl_pem_clear(&pem);
    must_read(*state, &pem, (material_bytes_t){unbroken, m});
    assert_int_equal(X509_cmp(sk_X509_value(pem.certificates, 0), pair->cert), 0);
    sl_pem_clear(&pem);
}

static void blocks_come_in_any_order_and_keep_it(void **state)
{
    material_pair_t *ca = material_ca(*state, "ca", NULL);
    material_pair_t *leaf = material_server(*state, "a.test", "RSA", ca);
    material_bytes_t all = material_key_pem(*state, leaf->key, NULL, NULL);
    sl_pem_t pem;

    all = material_join(*state,
                        material_text("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
                                      "-----END EC PARAMETERS-----\nsome text: and more\n"),
                        all);
    all = material_join(*state, all, material_cert_pem(*state, ca->cert));
    all = material_join(*state, all, material_crl_pem(*state, material_crl(*state, ca, NULL, 0)));
    all = material_join(*state, all, material_request_pem(*state, leaf->key, "/CN=x"));
    all = material_join(*state, all, material_cert_pem(*state, leaf->cert));
    must_read(*state, &pem, all);
    assert_int_equal(sk_X509_num(pem.certificates), 2);
    assert_int_equal(X509_cmp(sk_X509_value(pem.certificates, 0), ca->cert), 0);
    assert_int_equal(X509_cmp(sk_X509_value(pem.certificates, 1), leaf->cert), 0);
    assert_int_equal(sk_X509_CRL_num(pem.crls), 1);
    assert_int_equal(EVP_PKEY_eq(pem.key, leaf->key), 1);
    assert_string_equal(pem.ec_group, "prime256v1");
    assert_string_equal(sl_pem_describe(&pem, *state),
                        "2 certificates, a private key, a CRL, EC parameters and a certificate request");
    sl_pem_clear(&pem);
    assert_string_equal(sl_pem_describe(&pem, *state), "nothing");
}

static void dh_parameters_are_read(void **state)
{
    BIO *bio = BIO_new(BIO_s_mem());
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
    OSSL_PARAM params[2] = {OSSL_PARAM_construct_utf8_string("group", (char *)"ffdhe2048", 0),
                            OSSL_PARAM_construct_end()};
    EVP_PKEY *made = NULL;
    char *text;
    long length;
    sl_pem_t pem;

    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &made, EVP_PKEY_KEY_PARAMETERS, params), 1);
    assert_int_equal(PEM_write_bio_Parameters(bio, made), 1);
    length = BIO_get_mem_data(bio, &text);
    must_read(*state, &pem, (material_bytes_t){text, (apr_size_t)length});
    assert_non_null(pem.dh_parameters);
    assert_int_equal(EVP_PKEY_get_bits(pem.dh_parameters), 2048);
    sl_pem_clear(&pem);
    BIO_free(bio);
    EVP_PKEY_free(made);
    EVP_PKEY_CTX_free(ctx);
}

static void several_keys_are_counted_and_the_first_is_taken(void **state)
{
    EVP_PKEY *first = material_key(*state, "P-256"), *second = material_key(*state, "RSA");
    sl_pem_t pem;

    must_read(*state, &pem,
              material_join(*state, material_key_pem(*state, first, NULL, NULL),
                            material_key_pem(*state, second, "AES-256-CBC", "x")));
    assert_int_equal(pem.keys, 2);
    assert_int_equal(EVP_PKEY_eq(pem.key, first), 1);
    sl_pem_clear(&pem);
}

/* Phrases given one after the other. */
typedef struct phrases_t {
    const char *const *list;
    int asked;
} phrases_t;

static int give(char *phrase, int size, const char *object, void *baton)
{
    phrases_t *phrases = baton;
    const char *next = phrases->list[phrases->asked];

    assert_string_equal(object, "/some/file");
    phrases->asked++;
    if (!next)
        return -1;
    assert_true((int)strlen(next) <= size);
    memcpy(phrase, next, strlen(next));
    return (int)strlen(next);
}

static void encrypted_keys_open_with_the_right_phrase(void **state)
{
    static const char *const list[] = {"wrong", "", "right", "never asked", NULL};

    for (size_t i = 0; i < 4; i++) {
        EVP_PKEY *key = material_key(*state, i % 2 ? "RSA" : "P-256");
        const material_bytes_t forms[] = {material_key_pem(*state, key, "AES-256-CBC", "right"),
                                          material_key_der(*state, key, "AES-128-CBC", "right"),
                                          material_key_traditional_pem(*state, key, "AES-256-CBC", "right"),
                                          with_crlf(*state, material_key_traditional_pem(*state, key, "DES-EDE3-CBC",
                                                                                         "right"))};
        phrases_t phrases = {list, 0};
        sl_pem_t pem;

        if (read_with(*state, &pem, forms[i], SL_PEM_ALL, give, &phrases) != APR_SUCCESS)
            fail_msg("form %d: %s", (int)i, sl_problem_text(why, *state));
        assert_int_equal(phrases.asked, 3);
        assert_true(pem.key_was_encrypted);
        assert_int_equal(EVP_PKEY_eq(pem.key, key), 1);
        sl_pem_clear(&pem);
    }
}

static void must_not_open(apr_pool_t *pool, material_bytes_t bytes, sl_pem_passphrase_t ask, const char *const *list,
                          int asked, const char *text)
{
    phrases_t phrases = {list, 0};
    sl_pem_t pem;

    assert_int_not_equal(read_with(pool, &pem, bytes, SL_PEM_ALL, ask, &phrases), APR_SUCCESS);
    assert_int_equal(phrases.asked, asked);
    if (!strstr(why->reason, text))
        fail_msg("\"%s\" does not hold \"%s\"", why->reason, text);
    assert_non_null(why->advice);
}

static void a_missing_and_a_wrong_phrase_are_told_apart(void **state)
{
    static const char *const none[] = {NULL}, *const wrong[] = {"a", "b", NULL}, *const stubborn[] = {"a", "a", NULL};
    material_pair_t *pair = material_server(*state, "a.test", "P-256", NULL);
    const material_bytes_t forms[] = {material_key_pem(*state, pair->key, "AES-256-CBC", "right"),
                                      material_key_traditional_pem(*state, pair->key, "AES-256-CBC", "right"),
                                      material_pkcs12(*state, pair, NULL, "right")};

    for (size_t i = 0; i < 3; i++) {
        must_not_open(*state, forms[i], NULL, none, 0, "nobody to ask");
        must_not_open(*state, forms[i], give, none, 1, "no pass phrase was given");
        must_not_open(*state, forms[i], give, wrong, 3, "the pass phrase is wrong");
        must_not_open(*state, forms[i], give, stubborn, 2, "the pass phrase is wrong");
    }
}

static int give_many(char *phrase, int size, const char *object, void *baton)
{
    int turn = ++*(int *)baton;

    (void)object;
    return turn < 3000 ? apr_snprintf(phrase, (apr_size_t)size, "wrong %d", turn)
                       : apr_snprintf(phrase, (apr_size_t)size, "right");
}

/* One wrong phrase in 256 decrypts to nonsense without OpenSSL noticing. */
static void a_wrong_phrase_is_wrong_even_when_the_padding_looks_right(void **state)
{
    EVP_PKEY *key = material_key(*state, "P-256");
    int turn = 0;
    sl_pem_t pem;

    assert_int_equal(read_with(*state, &pem, material_key_traditional_pem(*state, key, "AES-256-CBC", "right"),
                               SL_PEM_ALL, give_many, &turn),
                     APR_SUCCESS);
    assert_int_equal(turn, 3000);
    assert_int_equal(EVP_PKEY_eq(pem.key, key), 1);
    sl_pem_clear(&pem);
}

static void nobody_is_asked_for_a_key_that_is_not_wanted(void **state)
{
    static const char *const none[] = {NULL};
    material_pair_t *pair = material_server(*state, "a.test", "P-256", NULL);
    phrases_t phrases = {none, 0};
    material_bytes_t both = material_join(*state, material_key_pem(*state, pair->key, "AES-256-CBC", "x"),
                                          material_cert_pem(*state, pair->cert));
    sl_pem_t pem;

    assert_int_equal(read_with(*state, &pem, both, SL_PEM_CERTIFICATES, give, &phrases), APR_SUCCESS);
    assert_int_equal(phrases.asked, 0);
    assert_int_equal(pem.keys, 1);
    assert_true(pem.key_was_encrypted);
    assert_null(pem.key);
    assert_int_equal(sk_X509_num(pem.certificates), 1);
    sl_pem_clear(&pem);
}

static void must_hold_bag(apr_pool_t *pool, material_bytes_t bytes, const material_pair_t *pair, X509 *ca,
                          const char *const *list, int asked)
{
    phrases_t phrases = {list, 0};
    sl_pem_t pem;

    if (read_with(pool, &pem, bytes, SL_PEM_ALL, give, &phrases) != APR_SUCCESS)
        fail_msg("%s", sl_problem_text(why, pool));
    assert_int_equal(phrases.asked, asked);
    assert_int_equal(pem.key_was_encrypted, asked > 0);
    assert_int_equal(EVP_PKEY_eq(pem.key, pair->key), 1);
    assert_int_equal(sk_X509_num(pem.certificates), 2);
    assert_int_equal(X509_cmp(sk_X509_value(pem.certificates, 0), pair->cert), 0);
    assert_int_equal(X509_cmp(sk_X509_value(pem.certificates, 1), ca), 0);
    sl_pem_clear(&pem);
}

static void pkcs12_opens_with_without_and_with_an_empty_phrase(void **state)
{
    static const char *const none[] = {NULL}, *const list[] = {"wrong", "right", NULL};
    material_pair_t *ca = material_ca(*state, "ca", NULL);
    material_pair_t *pair = material_server(*state, "a.test", "RSA", ca);
    STACK_OF(X509) *chain = material_stack(*state, ca->cert, NULL);

    must_hold_bag(*state, material_pkcs12(*state, pair, chain, NULL), pair, ca->cert, none, 0);
    must_hold_bag(*state, material_pkcs12(*state, pair, chain, ""), pair, ca->cert, none, 0);
    must_hold_bag(*state, material_pkcs12(*state, pair, chain, "right"), pair, ca->cert, list, 2);
    must_hold_bag(*state, material_base64(*state, material_pkcs12(*state, pair, chain, "right")), pair, ca->cert, list,
                  2);
}

/* Made once with `openssl pkcs12 -export -legacy` and `openssl pkcs8 -topk8 -v1 PBE-MD5-DES` (phrase "test") from a
 * key that was thrown away: no default provider writes these. */
#include "legacy_samples.h"

static void legacy_ciphers_are_told_with_the_command_that_converts(void **state)
{
    static const char *const list[] = {"test", NULL};
    phrases_t phrases = {list, 0};
    sl_pem_t pem;

    assert_int_equal(read_with(*state, &pem, material_text(legacy_pkcs12_rc2), SL_PEM_ALL, give, &phrases),
                     APR_ENOTIMPL);
    assert_non_null(strstr(why->reason, "RC2"));
    assert_string_equal(why->advice, "Convert it: openssl pkcs12 -legacy -in /some/file -nodes -out NEW.pem");
    phrases.asked = 0;
    assert_int_equal(read_with(*state, &pem, material_text(legacy_pkcs8_des), SL_PEM_ALL, give, &phrases),
                     APR_ENOTIMPL);
    assert_non_null(strstr(why->reason, "pbeWithMD5AndDES-CBC"));
    assert_non_null(strstr(why->advice, "-provider legacy"));
    phrases.asked = 0;
    assert_int_equal(read_with(*state, &pem, material_text(legacy_traditional_des), SL_PEM_ALL, give, &phrases),
                     APR_ENOTIMPL);
    assert_non_null(strstr(why->advice, "-provider legacy"));
}

static void old_pkcs12_with_triple_des_still_opens(void **state)
{
    static const char *const list[] = {"test", NULL};
    phrases_t phrases = {list, 0};
    sl_pem_t pem;

    assert_int_equal(read_with(*state, &pem, material_text(old_pkcs12_3des), SL_PEM_ALL, give, &phrases), APR_SUCCESS);
    assert_non_null(pem.key);
    assert_int_equal(sk_X509_num(pem.certificates), 1);
    sl_pem_clear(&pem);
}

static void what_is_something_else_is_told(void **state)
{
    EVP_PKEY *key = material_key(*state, "P-256");
    static const struct {
        const char *bytes, *text;
        apr_size_t length;
    } rows[] = {
        {"", "is empty", 0},
        {" \r\n\t\n", "nothing but blanks", 0},
        {"<!DOCTYPE html><html>", "web page", 0},
        {"  <html>", "web page", 0},
        {"<?xml version=\"1.0\"?>", "XML", 0},
        {"{\"cert\": \"\"}", "JSON", 0},
        {"\xfe\xed\xfe\xed\0\0\0\2", "Java keystore", 8},
        {"\xff\xfe-\0-\0", "UTF-16", 6},
        {"\x1f\x8b\x08\0\0", "gzip", 5},
        {"PK\3\4\0\0", "ZIP", 6},
        {"ssh-ed25519 AAAAC3Nza host", "OpenSSH public key", 0},
        {"PuTTY-User-Key-File-3: ssh-rsa", "PuTTY", 0},
        {"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "OpenSSH key", 0},
        {"-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: x\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n", "PGP", 0},
        {"-----BEGIN STRANGE THING-----\nAAAA\n-----END STRANGE THING-----\n", "PEM block of another kind", 0},
        {"Certificate:\n    Data:\n        Version: 3 (0x2)\n", "printed as text", 0},
        {"Bag Attributes\n    localKeyID: 01\n", "PKCS#12 conversion", 0},
        {"---BEGIN CERTIFICATE---\nAAAA\n", "five dashes", 0},
        {"AAAA\n-----END CERTIFICATE-----\n", "not its beginning", 0},
        {"# a comment\nSSLEngine on\n", "text without a PEM block", 0},
        {"\0\1\2\3\4", "binary", 5},
        {"\x30\x03\x01\x01\xff", "ASN.1", 5},
        {"\x30\x82\x03\x10\x30\x82\x01\xf8", "ASN.1", 8},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        must_fail(*state, (material_bytes_t){rows[i].bytes, rows[i].length ? rows[i].length : strlen(rows[i].bytes)},
                  rows[i].text);
    must_fail(*state, material_request_pem(*state, key, "/CN=x"), "holds a certificate request, and neither");
    must_fail(*state, material_public_pem(*state, key), "holds a public key, and neither");
}

static void damage_is_told_with_its_line(void **state)
{
    X509 *cert = material_server(*state, "a.test", "P-256", NULL)->cert;
    material_bytes_t whole = material_cert_pem(*state, cert), half = {whole.data, whole.length / 2};
    material_bytes_t bad = {apr_pstrmemdup(*state, whole.data, whole.length), whole.length};

    must_fail(*state, material_join(*state, material_text("one\ntwo\n"), half),
              "the CERTIFICATE PEM block that begins in line 3: does not end");
    must_fail(*state, material_join(*state, half, material_join(*state, material_text("\n"), whole)),
              "line 1: does not end");
    ((char *)bad.data)[100] = '*';
    must_fail(*state, bad, "not base64");
    memcpy((char *)bad.data + 100, "AAAA", 4);
    memcpy((char *)bad.data + 40, "AAAAAAAA", 8);
    must_fail(*state, bad, "line 1: is damaged: ");
    must_fail(*state, material_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END PRIVATE KEY-----\n"),
              "does not match");
    must_fail(*state, material_pem(*state, "PRIVATE KEY", material_text("nonsense")), "PRIVATE KEY PEM block");
    must_fail(*state,
              material_pem(*state, "CERTIFICATE", material_key_der(*state, material_key(*state, "RSA"), NULL, NULL)),
              "is damaged");
}

static void half_a_der_file_is_damaged(void **state)
{
    material_pair_t *pair = material_server(*state, "a.test", "P-256", NULL);
    const material_bytes_t forms[] = {
        material_cert_der(*state, pair->cert), material_key_der(*state, pair->key, NULL, NULL),
        material_key_traditional_der(*state, material_key(*state, "RSA")), material_pkcs12(*state, pair, NULL, "x"),
        material_pkcs7_der(*state, material_stack(*state, pair->cert, NULL))};

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        for (apr_size_t length = 1; length < forms[i].length; length += length < 40 ? 1 : 37) {
            char *cut = malloc(length); /* a block of its own, so that a sanitizer sees the end */
            sl_pem_t pem;

            memcpy(cut, forms[i].data, length);
            assert_int_not_equal(read_all(*state, &pem, (material_bytes_t){cut, length}), APR_SUCCESS);
            free(cut);
        }
    }
}

static void der_lengths_and_numbers_are_checked(void **state)
{
    static const struct {
        const char *bytes;
        apr_size_t length;
        unsigned tag;
        apr_size_t content;
    } rows[] = {{"\x04\x02xy", 4, SL_DER_OCTET_STRING, 2},
                {"\x04\x81\x02xy", 5, SL_DER_OCTET_STRING, 2},
                {"\x04\x84\0\0\0\x02xy", 8, SL_DER_OCTET_STRING, 2},
                {"\x30\x80xyz", 5, SL_DER_SEQUENCE, 3},
                {"\x04\x03xy", 4, 0, 0},
                {"\x04", 1, 0, 0},
                {"\x04\x82\x01", 3, 0, 0},
                {"\x1f\x01x", 3, 0, 0},
                /* More bytes than a number holds: the upper ones must not fall off. */
                {"\x04\x89\x01\0\0\0\0\0\0\0\x02xy", 13, 0, 0},
                {"\x04\x85\x01\0\0\0\x02xy", 9, 0, 0},
                {"\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10, 0, 0}};
    static const struct {
        const char *bytes;
        apr_size_t length;
        int ok;
        apr_size_t left;
    } numbers[] = {{"\x02\x01\x05", 3, 1, 1}, {"\x02\x02\0\x80", 4, 1, 1}, {"\x02\x01\0", 3, 1, 0},
                   {"\x02\x01\x80", 3, 0, 0}, {"\x02\0", 2, 0, 0},          {"\x04\x01\x05", 3, 0, 0}};
    sl_reader_t r, content;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sl_reader_init(&r, rows[i].bytes, rows[i].length);
        assert_int_equal(sl_der_next(&r, &content), rows[i].tag);
        assert_int_equal(sl_reader_left(&content), rows[i].content);
        assert_int_equal(r.failed, rows[i].tag == 0);
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        sl_reader_init(&r, numbers[i].bytes, numbers[i].length);
        assert_int_equal(sl_der_unsigned(&r, &content), numbers[i].ok);
        if (numbers[i].ok)
            assert_int_equal(sl_reader_left(&content), numbers[i].left);
    }
}

static void base64_is_read_strictly_but_for_blanks(void **state)
{
    static const struct {
        const char *text, *bytes; /* NULL: refused */
    } rows[] = {{"", ""},          {"YQ==", "a"},      {"YWI=", "ab"},   {"YWJj", "abc"},  {" Y\tW\r\nJ j\n", "abc"},
                {"YWJjZA==", "abcd"}, {"Y", NULL},     {"YW", NULL},     {"YWI", NULL},    {"YQ=", NULL},
                {"YQ===", NULL},   {"YQ==YQ==", NULL}, {"Y=Q=", NULL},   {"=", NULL},      {"====", NULL},
                {"YW*j", NULL},    {"YW-_", NULL}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned char out[32];
        apr_size_t length = 99;
        int ok = sl_base64_decode(out, &length, (const unsigned char *)rows[i].text, strlen(rows[i].text));

        if (ok != (rows[i].bytes != NULL))
            fail_msg("\"%s\"", rows[i].text);
        if (ok) {
            assert_int_equal(length, strlen(rows[i].bytes));
            assert_memory_equal(out, rows[i].bytes, length);
        }
    }
}

static void too_much_is_refused(void **state)
{
    apr_size_t length = SL_PEM_BYTES_MAX + 1;
    char *bytes = calloc(1, length);

    must_fail(*state, (material_bytes_t){bytes, length}, "too large (more than 16 MiB)");
    free(bytes);
}

static void files_that_cannot_be_read_say_why(void **state)
{
    const char *dir = material_dir(*state);
    const char *pipe = apr_pstrcat(*state, dir, "/pipe", NULL);
    static const struct {
        const char *name, *text;
    } rows[] = {{"/missing", "No such file"}, {"", "is a directory"}, {"/pipe", "not a regular file"},
                {"/empty", "is empty"}};

    assert_int_equal(mkfifo(pipe, 0600), 0);
    material_file(*state, dir, "empty", material_text(""));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sl_pem_t pem;

        why = sl_problem_make(*state);
        assert_int_not_equal(
            sl_pem_read_file(&pem, apr_pstrcat(*state, dir, rows[i].name, NULL), SL_PEM_ALL, NULL, NULL, why),
            APR_SUCCESS);
        assert_non_null(strstr(sl_problem_text(why, *state), rows[i].text));
        sl_pem_clear(&pem);
    }
}

static void a_file_is_read(void **state)
{
    material_pair_t *pair = material_server(*state, "a.test", "P-256", NULL);
    const char *path = material_file(*state, material_dir(*state), "x.crt", material_cert_pem(*state, pair->cert));
    sl_pem_t pem;

    assert_int_equal(sl_pem_read_file(&pem, path, SL_PEM_ALL, NULL, NULL, NULL), APR_SUCCESS);
    assert_int_equal(sk_X509_num(pem.certificates), 1);
    sl_pem_clear(&pem);
}

static double cpu_of(apr_pool_t *pool, material_bytes_t bytes, int ours)
{
    double best = 1e9;

    for (int i = 0; i < 50; i++) {
        struct timespec from, to;
        double took;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        if (ours) {
            sl_pem_t pem;

            assert_int_equal(read_all(pool, &pem, bytes), APR_SUCCESS);
            sl_pem_clear(&pem);
        }
        else {
            BIO *bio = BIO_new_mem_buf(bytes.data, (int)bytes.length);

            EVP_PKEY_free(PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL));
            BIO_free(bio);
        }
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        took = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) * 1e-9;
        if (took < best)
            best = took;
    }
    return best;
}

/* As a ratio, so that a slow machine or a sanitizer does not matter. OpenSSL 3.0 needs some hundred microseconds, which
 * is what we avoid; newer ones are quick themselves, and there it is enough not to be slower. */
static void usual_keys_are_read_quickly(void **state)
{
    static const char *const types[] = {"RSA", "P-256", "P-384", "ED25519"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        material_bytes_t pem = material_key_pem(*state, material_key(*state, types[i]), NULL, NULL);
        double ours = cpu_of(*state, pem, 1), usual = cpu_of(*state, pem, 0);

        print_message("# %s: %.0f us instead of %.0f us\n", types[i], ours * 1e6, usual * 1e6);
        assert_true(usual > 200e-6 ? ours < usual / 3 : ours < usual);
    }
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(keys_of_every_type_are_read_from_pkcs8),
    UNIT_TEST(traditional_keys_are_read),
    UNIT_TEST(a_key_that_was_read_quickly_signs),
    UNIT_TEST(an_ec_key_without_its_public_half_gets_it),
    UNIT_TEST(an_ec_secret_that_is_too_long_does_no_harm),
    UNIT_TEST(certificates_are_read_in_every_form),
    UNIT_TEST(what_a_ca_is_trusted_for_is_kept),
    UNIT_TEST(indented_and_unbroken_base64_is_read),
    UNIT_TEST(blocks_come_in_any_order_and_keep_it),
    UNIT_TEST(dh_parameters_are_read),
    UNIT_TEST(several_keys_are_counted_and_the_first_is_taken),
    UNIT_TEST(encrypted_keys_open_with_the_right_phrase),
    UNIT_TEST(a_missing_and_a_wrong_phrase_are_told_apart),
    UNIT_TEST(a_wrong_phrase_is_wrong_even_when_the_padding_looks_right),
    UNIT_TEST(nobody_is_asked_for_a_key_that_is_not_wanted),
    UNIT_TEST(pkcs12_opens_with_without_and_with_an_empty_phrase),
    UNIT_TEST(legacy_ciphers_are_told_with_the_command_that_converts),
    UNIT_TEST(old_pkcs12_with_triple_des_still_opens),
    UNIT_TEST(what_is_something_else_is_told),
    UNIT_TEST(damage_is_told_with_its_line),
    UNIT_TEST(half_a_der_file_is_damaged),
    UNIT_TEST(der_lengths_and_numbers_are_checked),
    UNIT_TEST(base64_is_read_strictly_but_for_blanks),
    UNIT_TEST(too_much_is_refused),
    UNIT_TEST(files_that_cannot_be_read_say_why),
    UNIT_TEST(a_file_is_read),
    UNIT_TEST(usual_keys_are_read_quickly),
};

UNIT_MAIN(tests)
