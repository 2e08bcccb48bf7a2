/* key_der without decoding: a key is a certificate's only if OpenSSL agrees and can use it, public keys are those that
 * OpenSSL decodes, traditional keys become the same keys in PKCS#8. (Decoding itself: test_pem.) */
#include "unit.h"

#include "crypto/key_der.h"
#include "material.h"

#include <openssl/err.h>
#include <stdlib.h>

#define ROOM 8192

static const char *const known[] = {"P-256", "P-384", "P-521", "RSA", "RSA-3072"};
static const char *const others[] = {"ED25519", "ED448", "RSA-1024", "RSA-PSS", "DSA", "secp256k1"};
#define KNOWN 5
#define OTHERS 6

/* The bytes of a certificate, and what was read of them. */
static sl_cert_der_t *facts_of(apr_pool_t *pool, const material_pair_t *pair)
{
    sl_cert_der_t *facts = apr_palloc(pool, sizeof(*facts));
    material_bytes_t der = material_cert_der(pool, pair->cert);

    assert_int_equal(sl_cert_der_read(facts, (const unsigned char *)der.data, der.length), 1);
    return facts;
}

/* From memory of exactly its size. */
static int is_of(const void *data, apr_size_t length, const sl_cert_der_t *cert)
{
    unsigned char *exact = malloc(length);
    int answer;

    memcpy(exact, data, length);
    answer = sl_key_der_is_of(exact, length, cert);
    free(exact);
    return answer;
}

static void a_key_is_known_to_be_the_certificates(void **state)
{
    for (int i = 0; i < KNOWN; i++) {
        material_pair_t *pair = material_server(*state, "a.test", known[i], NULL);
        material_bytes_t key = material_key_der(*state, pair->key, NULL, NULL), other;
        sl_cert_der_t *cert = facts_of(*state, pair);

        assert_int_equal(is_of(key.data, key.length, cert), 1);
        for (apr_size_t cut = 0; cut < key.length; cut++)
            assert_int_equal(is_of(key.data, cut, cert), 0);
        other = material_key_der(*state, material_new_key(*state, known[i]), NULL, NULL);
        assert_int_equal(is_of(other.data, other.length, cert), 0);
        other = material_key_der(*state, material_key(*state, known[(i + 1) % KNOWN]), NULL, NULL);
        assert_int_equal(is_of(other.data, other.length, cert), 0);
    }
}

static void other_kinds_and_weak_keys_are_left_to_openssl(void **state)
{
    for (int i = 0; i < OTHERS; i++) {
        material_pair_t *pair = material_server(*state, "a.test", others[i], NULL);
        material_bytes_t key = material_key_der(*state, pair->key, NULL, NULL);

        assert_int_equal(is_of(key.data, key.length, facts_of(*state, pair)), 0);
    }
}

static void a_damaged_key_is_the_certificates_only_if_it_can_be_used(void **state)
{
    for (int i = 0; i < KNOWN; i++) {
        material_pair_t *pair = material_server(*state, "a.test", known[i], NULL);
        material_bytes_t der = material_key_der(*state, pair->key, NULL, NULL);
        unsigned char *key = apr_pmemdup(*state, der.data, der.length);
        sl_cert_der_t *cert = facts_of(*state, pair);
        int taken = 0;

        for (apr_size_t at = 0; at < der.length; at++) {
            for (unsigned flip = 1; flip < 256; flip *= 2) {
                EVP_PKEY *decoded = NULL;

                key[at] ^= flip;
                if (is_of(key, der.length, cert)) {
                    decoded = sl_key_der_pkcs8(key, der.length);
                    taken++;
                    if (!decoded || EVP_PKEY_eq(decoded, pair->key) != 1)
                        fail_msg("%s, byte %d changed by %x", known[i], (int)at, flip);
                }
                EVP_PKEY_free(decoded);
                key[at] ^= flip;
            }
        }
        assert_true(taken > 0); /* nobody looks at the secret number itself */
        ERR_clear_error();
    }
}

/* The public half fits, the secret number is empty. */
static void a_key_without_its_secret_is_none(void **state)
{
    static const unsigned char before[] = {0x02, 0x01, 0x01, 0x04, 0x20},
                               empty[] = {0x02, 0x01, 0x01, 0x04, 0x00, 0xa0, 0x1e, 0x06, 0x08, 0x2a,
                                          0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    material_pair_t *pair = material_server(*state, "a.test", "P-256", NULL);
    material_bytes_t der = material_key_der(*state, pair->key, NULL, NULL);
    unsigned char *key = apr_pmemdup(*state, der.data, der.length);
    apr_size_t at = 0;

    while (memcmp(key + at, before, sizeof(before)) != 0)
        assert_true(++at + sizeof(before) < der.length);
    assert_int_equal(is_of(key, der.length, facts_of(*state, pair)), 1);
    memcpy(key + at, empty, sizeof(empty));
    assert_int_equal(is_of(key, der.length, facts_of(*state, pair)), 0);
}

static void public_keys_are_those_of_the_certificates(void **state)
{
    for (int i = 0; i < KNOWN; i++) {
        material_pair_t *pair = material_server(*state, "a.test", known[i], NULL);
        EVP_PKEY *key = sl_key_der_public(facts_of(*state, pair));

        assert_non_null(key);
        assert_int_equal(EVP_PKEY_eq(key, pair->key), 1);
        assert_int_equal(EVP_PKEY_get_bits(key), EVP_PKEY_get_bits(pair->key));
        EVP_PKEY_free(key);
    }
    for (int i = 0; i < OTHERS; i++) {
        EVP_PKEY *key = sl_key_der_public(facts_of(*state, material_server(*state, "a.test", others[i], NULL)));

        assert_int_equal(key != NULL, strcmp(others[i], "RSA-1024") == 0);
        EVP_PKEY_free(key);
    }
}

static void points_off_the_curve_are_no_keys(void **state)
{
    sl_cert_der_t *cert = facts_of(*state, material_server(*state, "a.test", "P-256", NULL));
    unsigned char *point = apr_pmemdup(*state, cert->key.at, sl_reader_left(&cert->key));

    sl_reader_init(&cert->key, point, sl_reader_left(&cert->key));
    point[64] ^= 1;
    assert_null(sl_key_der_public(cert));
    sl_reader_init(&cert->key, point, 1);
    assert_null(sl_key_der_public(cert));
    sl_reader_init(&cert->key, point, 0);
    assert_null(sl_key_der_public(cert));
    ERR_clear_error();
}

static void traditional_keys_become_the_same_in_pkcs8(void **state)
{
    for (int i = 0; i < KNOWN; i++) {
        const char *label = strncmp(known[i], "RSA", 3) ? "EC PRIVATE KEY" : "RSA PRIVATE KEY";
        material_pair_t *pair = material_server(*state, "a.test", known[i], NULL);
        material_bytes_t der = material_key_traditional_der(*state, pair->key);
        unsigned char *room = apr_palloc(*state, ROOM), *exact;
        const unsigned char *from = (const unsigned char *)der.data, *at = room;
        apr_size_t length = sl_key_der_wrap(room, ROOM, from, der.length, label);
        PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)length);
        EVP_PKEY *key;

        assert_non_null(info);
        assert_ptr_equal(at, room + length);
        key = EVP_PKCS82PKEY(info);
        assert_int_equal(EVP_PKEY_eq(key, pair->key), 1);
        EVP_PKEY_free(key);
        PKCS8_PRIV_KEY_INFO_free(info);
        assert_int_equal(is_of(room, length, facts_of(*state, pair)), 1);
        exact = malloc(length);
        assert_int_equal(sl_key_der_wrap(exact, length, from, der.length, label), length);
        assert_memory_equal(exact, room, length);
        for (apr_size_t less = 0; less < length; less += 1 + less / 8)
            assert_int_equal(sl_key_der_wrap(exact, less, from, der.length, label), 0);
        free(exact);
        assert_int_equal(sl_key_der_wrap(room, ROOM, from, der.length, "DSA PRIVATE KEY"), 0);
    }
}

static void what_names_no_known_curve_is_not_wrapped(void **state)
{
    material_bytes_t der = material_key_traditional_der(*state, material_key(*state, "secp256k1"));
    unsigned char room[ROOM], large[0x10000] = {0};

    assert_int_equal(sl_key_der_wrap(room, ROOM, (const unsigned char *)der.data, der.length, "EC PRIVATE KEY"), 0);
    der = material_key_traditional_der(*state, material_key(*state, "P-256"));
    for (apr_size_t cut = 0; cut < der.length; cut++)
        assert_int_equal(sl_key_der_wrap(room, ROOM, (const unsigned char *)der.data, cut, "EC PRIVATE KEY"), 0);
    assert_int_equal(sl_key_der_wrap(large, sizeof(large), large, sizeof(large), "RSA PRIVATE KEY"), 0);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(a_key_is_known_to_be_the_certificates),
    UNIT_TEST(other_kinds_and_weak_keys_are_left_to_openssl),
    UNIT_TEST(a_damaged_key_is_the_certificates_only_if_it_can_be_used),
    UNIT_TEST(a_key_without_its_secret_is_none),
    UNIT_TEST(public_keys_are_those_of_the_certificates),
    UNIT_TEST(points_off_the_curve_are_no_keys),
    UNIT_TEST(traditional_keys_become_the_same_in_pkcs8),
    UNIT_TEST(what_names_no_known_curve_is_not_wrapped),
};

UNIT_MAIN(tests)
