/* openssl_compat: what a handshake used is named the same whatever the OpenSSL, and times are seconds. */
#include "unit.h"

#include "crypto/openssl_compat.h"
#include "crypto/openssl_error.h"
#include "material.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

/* A finished handshake in memory. */
typedef struct pair_t {
    SSL_CTX *server_ctx, *client_ctx;
    SSL *server, *client;
} pair_t;

static int accept_any(int ok, X509_STORE_CTX *ctx)
{
    (void)ok;
    (void)ctx;
    return 1;
}

static SSL_CTX *context(const SSL_METHOD *method, int version, const material_pair_t *own)
{
    SSL_CTX *ctx = SSL_CTX_new(method);

    assert_non_null(ctx);
    SSL_CTX_set_security_level(ctx, 0);
    assert_true(SSL_CTX_set_min_proto_version(ctx, version) && SSL_CTX_set_max_proto_version(ctx, version));
    if (own)
        assert_true(SSL_CTX_use_certificate(ctx, own->cert) && SSL_CTX_use_PrivateKey(ctx, own->key));
    return ctx;
}

static void connect_pair(pair_t *pair, SSL_SESSION *resumed)
{
    BIO *a, *b;
    int done = 0;

    pair->server = SSL_new(pair->server_ctx);
    pair->client = SSL_new(pair->client_ctx);
    assert_true(!resumed || SSL_set_session(pair->client, resumed));
    assert_true(BIO_new_bio_pair(&a, 0, &b, 0));
    SSL_set_bio(pair->server, a, a);
    SSL_set_bio(pair->client, b, b);
    SSL_set_accept_state(pair->server);
    SSL_set_connect_state(pair->client);
    assert_string_equal(sl_openssl_group_name(pair->server), "");
    assert_string_equal(sl_openssl_server_sigalg(pair->server), "");
    for (int i = 0; i < 20 && done != 2; i++) {
        ERR_clear_error();
        done = (SSL_do_handshake(pair->client) == 1) + (SSL_do_handshake(pair->server) == 1);
    }
    assert_int_equal(done, 2);
}

static pair_t handshake(int version, const material_pair_t *server, const material_pair_t *client, const char *group,
                        const char *ciphers, const char *sigalgs)
{
    pair_t pair;

    pair.server_ctx = context(TLS_server_method(), version, server);
    pair.client_ctx = context(TLS_client_method(), version, client);
    if (client)
        SSL_CTX_set_verify(pair.server_ctx, SSL_VERIFY_PEER, accept_any);
    if (group)
        assert_true(SSL_CTX_set1_groups_list(pair.client_ctx, group));
    if (ciphers)
        assert_true(SSL_CTX_set_cipher_list(pair.client_ctx, ciphers));
    if (sigalgs)
        assert_true(SSL_CTX_set1_sigalgs_list(pair.client_ctx, sigalgs) &&
                    SSL_CTX_set1_client_sigalgs_list(pair.server_ctx, sigalgs));
    connect_pair(&pair, NULL);
    return pair;
}

static void close_pair(pair_t *pair)
{
    SSL_free(pair->server);
    SSL_free(pair->client);
    SSL_CTX_free(pair->server_ctx);
    SSL_CTX_free(pair->client_ctx);
}

static void signature_schemes_have_their_iana_names(void **state)
{
    static const struct {
        int version;
        const char *sigalgs, *server_key, *client_key, *server_sigalg, *client_sigalg;
    } rows[] = {
        {TLS1_3_VERSION, NULL, "P-256", NULL, "ecdsa_secp256r1_sha256", ""},
        {TLS1_3_VERSION, NULL, "P-384", "P-521", "ecdsa_secp384r1_sha384", "ecdsa_secp521r1_sha512"},
        {TLS1_3_VERSION, NULL, "RSA", "ED25519", "rsa_pss_rsae_sha256", "ed25519"},
        {TLS1_3_VERSION, NULL, "RSA-PSS", "RSA", "rsa_pss_pss_sha256", "rsa_pss_rsae_sha256"},
        {TLS1_3_VERSION, NULL, "ED25519", "RSA-PSS", "ed25519", "rsa_pss_pss_sha256"},
        {TLS1_3_VERSION, NULL, "ED448", "P-256", "ed448", "ecdsa_secp256r1_sha256"},
        {TLS1_2_VERSION, NULL, "P-256", "RSA", "ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256"},
        {TLS1_2_VERSION, NULL, "RSA", "P-256", "rsa_pss_rsae_sha256", "ecdsa_secp256r1_sha256"},
        {TLS1_2_VERSION, "RSA+SHA384", "RSA", "RSA", "rsa_pkcs1_sha384", "rsa_pkcs1_sha384"},
        {TLS1_2_VERSION, "RSA+SHA1", "RSA", NULL, "rsa_pkcs1_sha1", ""},
        {TLS1_2_VERSION, "ECDSA+SHA224", "P-256", NULL, "ecdsa_sha224", ""},
    };
    const material_cert_t what = {.subject = "/CN=x"};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        material_pair_t *server = material_pair(*state, &what, rows[i].server_key, NULL);
        material_pair_t *client = rows[i].client_key ? material_pair(*state, &what, rows[i].client_key, NULL) : NULL;
        pair_t pair = handshake(rows[i].version, server, client, NULL, NULL, rows[i].sigalgs);

        assert_string_equal(sl_openssl_server_sigalg(pair.server), rows[i].server_sigalg);
        assert_string_equal(sl_openssl_client_sigalg(pair.server), rows[i].client_sigalg);
        assert_string_equal(sl_openssl_server_sigalg(pair.client), rows[i].server_sigalg);
        assert_string_equal(sl_openssl_client_sigalg(pair.client), rows[i].client_sigalg);
        close_pair(&pair);
    }
}

static void groups_are_named(void **state)
{
    static const struct {
        int version;
        const char *group, *name;
    } rows[] = {{TLS1_3_VERSION, "X25519", "x25519"}, {TLS1_3_VERSION, "P-256", "secp256r1"},
                {TLS1_3_VERSION, "P-521", "secp521r1"}, {TLS1_2_VERSION, "P-384", "secp384r1"},
                {TLS1_2_VERSION, "X448", "x448"}};
    material_pair_t *server = material_server(*state, "a.test", "RSA", NULL);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        pair_t pair = handshake(rows[i].version, server, NULL, rows[i].group, NULL, NULL);

        assert_string_equal(sl_openssl_group_name(pair.server), rows[i].name);
        assert_string_equal(sl_openssl_group_name(pair.client), rows[i].name);
        close_pair(&pair);
    }
}

static void rsa_key_exchange_has_neither_group_nor_signature(void **state)
{
    material_pair_t *server = material_server(*state, "a.test", "RSA", NULL);
    pair_t pair = handshake(TLS1_2_VERSION, server, NULL, NULL, "AES128-SHA", NULL);

    assert_string_equal(sl_openssl_group_name(pair.server), "");
    assert_string_equal(sl_openssl_server_sigalg(pair.server), "");
    close_pair(&pair);
}

static void a_resumed_session_was_signed_by_nobody(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    material_pair_t *server = material_server(*state, "a.test", "RSA", NULL);
    material_pair_t *client = material_client(*state, "c", "P-256", NULL);

    for (int i = 0; i < 2; i++) {
        pair_t pair = handshake(versions[i], server, client, NULL, NULL, NULL), again = pair;
        char byte;

        assert_true(SSL_CTX_set_session_id_context(pair.server_ctx, (const unsigned char *)"x", 1));
        SSL_free(pair.server);
        SSL_free(pair.client);
        connect_pair(&pair, NULL);
        assert_int_equal(SSL_read(pair.client, &byte, 1), -1); /* takes the tickets of TLS 1.3 in */
        connect_pair(&again, SSL_get_session(pair.client));
        assert_true(SSL_session_reused(again.server));
        assert_string_equal(sl_openssl_server_sigalg(again.server), "");
        assert_string_equal(sl_openssl_client_sigalg(again.server), "");
        assert_string_equal(sl_openssl_server_sigalg(again.client), "");
        assert_string_equal(sl_openssl_client_sigalg(again.client), "");
        SSL_free(again.server);
        SSL_free(again.client);
        close_pair(&pair);
    }
}

static void a_client_that_was_asked_but_has_no_certificate_signs_nothing(void **state)
{
    material_pair_t *server = material_server(*state, "a.test", "RSA", NULL);
    pair_t pair = handshake(TLS1_3_VERSION, server, server, NULL, NULL, NULL);

    SSL_free(pair.server);
    SSL_free(pair.client);
    SSL_CTX_free(pair.client_ctx);
    pair.client_ctx = context(TLS_client_method(), TLS1_3_VERSION, NULL);
    connect_pair(&pair, NULL);
    assert_string_equal(sl_openssl_client_sigalg(pair.server), "");
    assert_string_equal(sl_openssl_client_sigalg(pair.client), "");
    assert_string_equal(sl_openssl_server_sigalg(pair.client), "rsa_pss_rsae_sha256");
    close_pair(&pair);
}

static void times_are_seconds_since_1970(void **state)
{
    static const struct {
        const char *text;
        int valid;
        apr_int64_t seconds;
    } rows[] = {{"19700101000000Z", 1, 0},
                {"19691231235959Z", 1, -1},
                {"20000229120000Z", 1, 951825600},
                {"21000301000000Z", 1, 4107542400},
                {"00000101000000Z", 1, -62167219200},
                {"99991231235959Z", 1, 253402300799},
                {"500101000000Z", 1, -631152000}, /* UTCTime: 1950 */
                {"491231235959Z", 1, 2524607999},
                {"20010229120000Z", 0, 0},
                {"nonsense", 0, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ASN1_TIME *time = ASN1_STRING_type_new(strlen(rows[i].text) == 13 ? V_ASN1_UTCTIME : V_ASN1_GENERALIZEDTIME);
        apr_int64_t seconds = 1;

        assert_true(ASN1_STRING_set(time, rows[i].text, -1));
        assert_int_equal(sl_openssl_time(time, &seconds), rows[i].valid);
        assert_int_equal(seconds, rows[i].seconds);
        ASN1_STRING_free(time);
    }
    assert_false(sl_openssl_time(NULL, &(apr_int64_t){1}));
}

static void the_first_telling_error_is_told(void **state)
{
    sl_problem_t *why = sl_problem_make(*state);

    sl_openssl_error_clear();
    assert_string_equal(sl_openssl_error_take(*state), "no reason given");
    ERR_raise(ERR_LIB_ASN1, ERR_R_NESTED_ASN1_ERROR);
    ERR_raise_data(ERR_LIB_EVP, EVP_R_BAD_DECRYPT, "in\n%s", "file");
    ERR_raise(ERR_LIB_EVP, EVP_R_UNKNOWN_CIPHER);
    assert_string_equal(sl_openssl_error_take(*state), "bad decrypt (in\\x0afile)");
    assert_int_equal(ERR_peek_error(), 0);
    ERR_raise(ERR_LIB_EVP, EVP_R_BAD_DECRYPT);
    assert_int_equal(sl_openssl_problem(why, "/x", "opening %s", "it"), APR_EGENERAL);
    assert_string_equal(sl_problem_text(why, *state), "/x: opening it: bad decrypt");
    ERR_raise(ERR_LIB_EVP, EVP_R_UNKNOWN_CIPHER);
    sl_openssl_problem(why, "/y", "later");
    assert_string_equal(sl_problem_text(why, *state), "/x: opening it: bad decrypt");
    assert_int_equal(ERR_peek_error(), 0);
    ERR_raise(ERR_LIB_EVP, EVP_R_UNKNOWN_CIPHER);
    assert_int_not_equal(sl_openssl_problem(NULL, "/z", "nobody cares"), APR_SUCCESS);
    assert_int_equal(ERR_peek_error(), 0);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(signature_schemes_have_their_iana_names),
    UNIT_TEST(groups_are_named),
    UNIT_TEST(rsa_key_exchange_has_neither_group_nor_signature),
    UNIT_TEST(a_resumed_session_was_signed_by_nobody),
    UNIT_TEST(a_client_that_was_asked_but_has_no_certificate_signs_nothing),
    UNIT_TEST(times_are_seconds_since_1970),
    UNIT_TEST(the_first_telling_error_is_told),
};

UNIT_MAIN(tests)
