/* cert_quick: what is made without OpenSSL's decoders is the same certificate to whoever compares, verifies or uses it;
 * what can't be made so is decoded the usual way; what is no certificate gives none. */
#include "unit.h"

#include "crypto/cert_quick.h"
#include "material.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define ROUNDS 100

static const char *const quick_types[] = {"P-256", "P-384", "P-521", "RSA", "RSA-3072"};
static const char *const usual_types[] = {"ED25519", "ED448", "RSA-PSS", "DSA", "secp256k1"};
#define TYPES 5

/* A pool whose end is that of the configuration. */
static apr_pool_t *prepare(apr_pool_t *pool)
{
    apr_pool_t *configuration;

    apr_pool_create(&configuration, pool);
    sl_cert_quick_prepare(configuration);
    return configuration;
}

/* From memory of exactly its size. */
static X509 *make_from(const void *data, apr_size_t length)
{
    unsigned char *exact = malloc(length);
    X509 *cert;

    memcpy(exact, data, length);
    cert = sl_cert_quick(exact, length);
    free(exact);
    return cert;
}

static X509 *make(apr_pool_t *pool, X509 *of)
{
    material_bytes_t der = material_cert_der(pool, of);
    X509 *cert = make_from(der.data, der.length);

    assert_non_null(cert);
    return cert;
}

/* Keys that OpenSSL decodes belong to a provider. */
static int is_quick(X509 *cert)
{
    return X509_get0_pubkey(cert) && !EVP_PKEY_get0_provider(X509_get0_pubkey(cert));
}

static void assert_same_digest(X509 *a, X509 *b, const EVP_MD *type)
{
    unsigned char one[EVP_MAX_MD_SIZE], other[EVP_MAX_MD_SIZE];
    unsigned length;

    assert_int_equal(X509_digest(a, type, one, &length), 1);
    assert_int_equal(X509_digest(b, type, other, &length), 1);
    assert_memory_equal(one, other, length);
}

static void assert_same(apr_pool_t *pool, X509 *made, X509 *decoded)
{
    material_bytes_t one = material_cert_der(pool, made), other = material_cert_der(pool, decoded);

    assert_int_equal(one.length, other.length);
    assert_memory_equal(one.data, other.data, one.length);
    assert_int_equal(X509_cmp(made, decoded), 0);
    assert_same_digest(made, decoded, EVP_sha1());
    assert_same_digest(made, decoded, EVP_sha256());
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(made), X509_get0_pubkey(decoded)), 1);
    assert_int_equal(EVP_PKEY_get_bits(X509_get0_pubkey(made)), EVP_PKEY_get_bits(X509_get0_pubkey(decoded)));
    assert_int_equal(X509_get_extension_flags(made), X509_get_extension_flags(decoded));
    assert_int_equal(X509_get_key_usage(made), X509_get_key_usage(decoded));
    assert_int_equal(X509_check_host(made, "a.test", 0, 0, NULL), X509_check_host(decoded, "a.test", 0, 0, NULL));
}

static int verifies(X509 *leaf, X509 *issuer)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int fine = X509_STORE_add_cert(store, issuer) == 1 && X509_STORE_CTX_init(ctx, store, leaf, NULL) == 1 &&
               X509_verify_cert(ctx) == 1;

    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return fine;
}

/* Made and decoded ones take each other's part. */
static void assert_works(apr_pool_t *pool, const material_pair_t *leaf, const material_pair_t *issuer, int quick)
{
    X509 *made = make(pool, leaf->cert), *made_issuer = make(pool, issuer->cert);

    assert_int_equal(is_quick(made), quick);
    assert_same(pool, made, leaf->cert);
    assert_same(pool, made_issuer, issuer->cert);
    assert_int_equal(X509_check_private_key(made, leaf->key), 1);
    assert_int_equal(X509_check_issued(made_issuer, made), X509_V_OK);
    assert_int_equal(X509_check_issued(issuer->cert, made), X509_V_OK);
    assert_int_equal(X509_verify(made, X509_get0_pubkey(issuer->cert)), 1);
    assert_int_equal(X509_verify(made, X509_get0_pubkey(made_issuer)), 1);
    assert_int_equal(X509_verify(leaf->cert, X509_get0_pubkey(made_issuer)), 1);
    if (leaf->key != issuer->key)
        assert_int_not_equal(X509_verify(made, X509_get0_pubkey(made)), 1); /* it can fail */
    ERR_clear_error();
    assert_true(verifies(made, made_issuer));
    assert_true(verifies(made, issuer->cert));
    assert_true(verifies(leaf->cert, made_issuer));
    X509_free(made);
    X509_free(made_issuer);
}

static material_pair_t *make_ca(apr_pool_t *pool, const char *type)
{
    const material_cert_t what = {.subject = "/CN=CA", .ca = 1};

    return material_pair(pool, &what, type, NULL);
}

static void made_ones_are_as_decoded_ones(void **state)
{
    apr_pool_t *configuration = prepare(*state);

    for (int i = 0; i < TYPES; i++) {
        for (int k = 0; k < TYPES; k++) {
            material_pair_t *ca = make_ca(*state, quick_types[k]);

            assert_works(*state, material_server(*state, "a.test", quick_types[i], ca), ca, 1);
        }
    }
    assert_int_equal(ERR_peek_error(), 0);
    apr_pool_destroy(configuration);
}

static void other_keys_are_decoded_the_usual_way(void **state)
{
    apr_pool_t *configuration = prepare(*state);

    for (int i = 0; i < TYPES; i++) {
        material_pair_t *ca = make_ca(*state, usual_types[i]);

        assert_works(*state, material_server(*state, "a.test", usual_types[i], ca), ca, 0);
        ca = make_ca(*state, "P-256");
        assert_works(*state, material_server(*state, "a.test", usual_types[i], ca), ca, 0);
    }
    apr_pool_destroy(configuration);
}

static void without_preparation_all_are_decoded(void **state)
{
    material_pair_t *ca = make_ca(*state, "RSA");

    assert_works(*state, material_server(*state, "a.test", "P-256", ca), ca, 0);
}

static void the_preparation_may_be_repeated_and_ends(void **state)
{
    material_pair_t *ca = make_ca(*state, "P-256"), *leaf = material_server(*state, "a.test", "P-256", ca);

    for (int i = 0; i < 3; i++) {
        apr_pool_t *configuration = prepare(*state);

        sl_cert_quick_prepare(configuration);
        assert_works(*state, leaf, ca, 1);
        apr_pool_destroy(configuration);
        assert_works(*state, leaf, ca, 0);
    }
}

static void what_is_no_certificate_gives_none(void **state)
{
    apr_pool_t *configuration = prepare(*state);

    for (int i = 0; i < TYPES; i++) {
        const char *type = i % 2 ? quick_types[i] : usual_types[i];
        material_bytes_t der = material_cert_der(*state, material_server(*state, "a.test", type, NULL)->cert);

        for (apr_size_t cut = 0; cut < der.length; cut += i ? 17 : 1)
            assert_null(make_from(der.data, cut));
        assert_null(make_from(apr_pstrcat(*state, "x", NULL), 1));
        der = material_join(*state, der, material_text("x"));
        assert_null(make_from(der.data, der.length));
        der = material_key_der(*state, material_key(*state, type), NULL, NULL);
        assert_null(make_from(der.data, der.length));
    }
    ERR_clear_error();
    apr_pool_destroy(configuration);
}

/* Whatever the bytes are: the same as d2i_X509() makes of them, or none where that makes none. */
static void damage_is_judged_as_by_openssl(void **state)
{
    apr_pool_t *configuration = prepare(*state);
    material_bytes_t der = material_cert_der(*state, material_server(*state, "a.test", "P-256", NULL)->cert);
    unsigned char *bytes = apr_pmemdup(*state, der.data, der.length);

    for (apr_size_t at = 0; at < der.length; at++) {
        for (unsigned flip = 1; flip < 256; flip *= 4) {
            const unsigned char *from = bytes;
            X509 *made, *decoded;

            bytes[at] ^= flip;
            made = make_from(bytes, der.length);
            decoded = d2i_X509(NULL, &from, (long)der.length);
            if (from != bytes + der.length) {
                X509_free(decoded);
                decoded = NULL;
            }
            assert_int_equal(made != NULL, decoded != NULL);
            if (made) {
                assert_int_equal(X509_cmp(made, decoded), 0);
                assert_int_equal(X509_get0_pubkey(made) != NULL, X509_get0_pubkey(decoded) != NULL);
            }
            X509_free(made);
            X509_free(decoded);
            bytes[at] ^= flip;
        }
    }
    ERR_clear_error();
    apr_pool_destroy(configuration);
}

/* What OpenSSL would not encode so: an exponent with a zero before it. */
static void bytes_stay_as_they_are(void **state)
{
    static const unsigned char exponent[] = {0x02, 0x03, 0x01, 0x00, 0x01}, odd[] = {0x02, 0x03, 0x00, 0x00, 0x03};
    apr_pool_t *configuration = prepare(*state);
    material_bytes_t der = material_cert_der(*state, material_server(*state, "a.test", "RSA", NULL)->cert), again;
    unsigned char *bytes = apr_pmemdup(*state, der.data, der.length);
    const ASN1_BIT_STRING *key;
    apr_size_t at = 0;
    X509 *made;

    while (memcmp(bytes + at, exponent, sizeof(exponent)) != 0)
        assert_true(++at + sizeof(exponent) < der.length);
    memcpy(bytes + at, odd, sizeof(odd));
    made = make_from(bytes, der.length);
    assert_non_null(made);
    again = material_cert_der(*state, made);
    assert_int_equal(again.length, der.length);
    assert_memory_equal(again.data, bytes, der.length);
    key = X509_get0_pubkey_bitstr(made);
    assert_memory_equal(ASN1_STRING_get0_data(key) + ASN1_STRING_length(key) - sizeof(odd), odd, sizeof(odd));
    X509_free(made);
    ERR_clear_error();
    apr_pool_destroy(configuration);
}

/* ---- a whole handshake ---- */

static SSL *make_side(SSL_CTX *ctx, BIO *in, BIO *out, int is_server)
{
    SSL *ssl = SSL_new(ctx);

    BIO_up_ref(in);
    BIO_up_ref(out);
    SSL_set_bio(ssl, in, out);
    if (is_server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    return ssl;
}

/* 1 if both sides are content; the client trusts `root`. */
static int shake(SSL_CTX *server_ctx, SSL_CTX *client_ctx, X509 *leaf, EVP_PKEY *key, STACK_OF(X509) *chain)
{
    BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());
    SSL *server = make_side(server_ctx, up, down, 1), *client = make_side(client_ctx, down, up, 0);
    int fine = SSL_use_cert_and_key(server, leaf, key, chain, 1) == 1;

    X509_VERIFY_PARAM_set1_host(SSL_get0_param(client), "a.test", 0);
    for (int i = 0; fine && i < 10; i++) {
        (void)SSL_do_handshake(client);
        (void)SSL_do_handshake(server);
    }
    fine = fine && SSL_is_init_finished(server) && SSL_is_init_finished(client);
    SSL_free(server);
    SSL_free(client);
    BIO_free(up);
    BIO_free(down);
    ERR_clear_error();
    return fine;
}

static SSL_CTX *make_client(X509 *root, int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_max_proto_version(ctx, version);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), root);
    return ctx;
}

static void they_carry_a_handshake(void **state)
{
    apr_pool_t *configuration = prepare(*state);
    SSL_CTX *server = SSL_CTX_new(TLS_server_method());

    for (int i = 0; i < TYPES; i++) {
        material_pair_t *root = make_ca(*state, quick_types[(i + 1) % TYPES]), *sub = material_ca(*state, "sub", root);
        material_pair_t *leaf = material_server(*state, "a.test", quick_types[i], sub);
        X509 *made = make(*state, leaf->cert), *made_sub = make(*state, sub->cert);
        STACK_OF(X509) *chain = material_stack(*state, made_sub, NULL);

        for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
            SSL_CTX *client = make_client(root->cert, version);

            assert_true(shake(server, client, made, leaf->key, chain));
            assert_false(shake(server, client, made, leaf->key, NULL)); /* it can fail */
            SSL_CTX_free(client);
        }
        X509_free(made);
        X509_free(made_sub);
    }
    SSL_CTX_free(server);
    apr_pool_destroy(configuration);
}

/* ---- threads and processes ---- */

typedef struct crowd_t {
    material_bytes_t ders[TYPES];
    EVP_PKEY *keys[TYPES];
    X509 *decoded[TYPES];
    atomic_int failures;
} crowd_t;

static void *make_some(void *baton)
{
    crowd_t *crowd = baton;

    for (int i = 0; i < ROUNDS; i++) {
        int which = i % TYPES;
        X509 *cert = sl_cert_quick((const unsigned char *)crowd->ders[which].data, crowd->ders[which].length);

        if (!cert || !is_quick(cert) || X509_check_private_key(cert, crowd->keys[which]) != 1 ||
            X509_cmp(cert, crowd->decoded[which]) != 0 || X509_verify(cert, crowd->keys[which]) != 1)
            atomic_fetch_add(&crowd->failures, 1);
        X509_free(cert);
    }
    return NULL;
}

static void threads_make_them_at_once(void **state)
{
    apr_pool_t *configuration = prepare(*state);
    crowd_t *crowd = apr_pcalloc(*state, sizeof(*crowd));
    pthread_t threads[THREADS];

    for (int i = 0; i < TYPES; i++) {
        material_pair_t *pair = material_server(*state, "a.test", quick_types[i], NULL);

        crowd->ders[i] = material_cert_der(*state, pair->cert);
        crowd->keys[i] = pair->key;
        crowd->decoded[i] = pair->cert;
        X509_check_purpose(pair->cert, -1, 0); /* settled */
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_some, crowd), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&crowd->failures), 0);
    apr_pool_destroy(configuration);
}

/* Children of httpd make them of what the parent prepared, and leave it alone at their end. */
static void children_make_them_too(void **state)
{
    apr_pool_t *configuration = prepare(*state);
    X509 *of = material_server(*state, "a.test", "P-256", NULL)->cert, *cert;
    material_bytes_t der = material_cert_der(*state, of);
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (!child) {
        X509 *before = make_from(der.data, der.length), *after;

        apr_pool_destroy(configuration);
        after = make_from(der.data, der.length);
        _exit(before && after && is_quick(before) && is_quick(after) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    cert = make(*state, of);
    assert_true(is_quick(cert));
    X509_free(cert);
    apr_pool_destroy(configuration);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(without_preparation_all_are_decoded),
    UNIT_TEST(made_ones_are_as_decoded_ones),
    UNIT_TEST(other_keys_are_decoded_the_usual_way),
    UNIT_TEST(the_preparation_may_be_repeated_and_ends),
    UNIT_TEST(what_is_no_certificate_gives_none),
    UNIT_TEST(damage_is_judged_as_by_openssl),
    UNIT_TEST(bytes_stay_as_they_are),
    UNIT_TEST(they_carry_a_handshake),
    UNIT_TEST(threads_make_them_at_once),
    UNIT_TEST(children_make_them_too),
};

UNIT_MAIN(tests)
