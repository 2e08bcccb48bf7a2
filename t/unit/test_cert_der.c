/* cert_der: each fact of an ordinary certificate is what OpenSSL says; of any other one, of each beginning of one, and
 * of damaged ones nothing is said that OpenSSL would not say; what covers a host by its names does so for OpenSSL. */
#include "unit.h"

#include "base/text.h"
#include "cert_facts.h"
#include "identity/identity.h"
#include "material.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

/* The bytes stand in memory of exactly their size, so that a read behind them is seen. */
typedef struct exact_t {
    unsigned char *bytes;
    apr_size_t length;
} exact_t;

static apr_status_t free_bytes(void *bytes)
{
    free(bytes);
    return APR_SUCCESS;
}

static exact_t exact(apr_pool_t *pool, const void *bytes, apr_size_t length)
{
    exact_t copy = {malloc(length), length};

    assert_non_null(copy.bytes);
    memcpy(copy.bytes, bytes, length);
    apr_pool_cleanup_register(pool, copy.bytes, free_bytes, apr_pool_cleanup_null);
    return copy;
}

static exact_t der_of(apr_pool_t *pool, X509 *cert)
{
    material_bytes_t der = material_cert_der(pool, cert);

    return exact(pool, der.data, der.length);
}

static sl_cert_der_t facts_of(apr_pool_t *pool, X509 *cert)
{
    exact_t der = der_of(pool, cert);
    sl_cert_der_t facts;

    assert_int_equal(sl_cert_der_read(&facts, der.bytes, der.length), 1);
    return facts;
}

static void assert_agrees(apr_pool_t *pool, X509 *cert, const char *row)
{
    sl_cert_der_t facts = facts_of(pool, cert);
    const char *what = cert_facts_difference(&facts, cert);

    if (what)
        fail_msg("%s: %s differs", row, what);
}

static const char *const features[] = {"tlsfeature", "status_request", NULL};
static const char *const depth[] = {"basicConstraints", "critical,CA:TRUE,pathlen:3", "keyUsage", "keyCertSign", NULL};
static const char *const no_ca[] = {"basicConstraints", "CA:FALSE", "keyUsage", "digitalSignature", NULL};
static const char *const usages[] = {"extendedKeyUsage", "serverAuth,clientAuth", "issuerAltName", "DNS:ca.test",
                                     "crlDistributionPoints", "URI:http://a.test/crl", NULL};
static const char *const responder[] = {
    "authorityInfoAccess",
    "caIssuers;URI:http://a.test/ca,OCSP;URI:ldap://a.test/,OCSP;URI:HTTP://a.test/1,OCSP;URI:https://a.test/2", NULL};
static const char *const features_and_responder[] = {"tlsfeature", "status_request", "authorityInfoAccess",
                                                     "caIssuers;URI:http://a.test/ca,OCSP;URI:http://a.test/", NULL};
static const char *const by_name[] = {"authorityInfoAccess", "OCSP;DNS:a.test", NULL};
static const char *const with_blank[] = {"authorityInfoAccess", "OCSP;URI:http://a test/", NULL};
static const char *const no_responder[] = {"authorityInfoAccess", "caIssuers;URI:http://a.test/ca", NULL};

static const struct {
    const char *name, *key_type;
    material_cert_t what;
} rows[] = {
    {"plain", "P-256", {.subject = "/CN=a.test"}},
    {"rsa", "RSA", {.san = "DNS:a.test"}},
    {"p-384", "P-384", {.san = "DNS:a.test"}},
    {"p-521", "P-521", {.san = "DNS:a.test"}},
    {"another curve", "secp256k1", {.san = "DNS:a.test"}},
    {"ed25519", "ED25519", {.san = "DNS:a.test"}},
    {"ed448", "ED448", {.san = "DNS:a.test"}},
    {"rsa-pss", "RSA-PSS", {.san = "DNS:a.test"}},
    {"dsa", "DSA", {.san = "DNS:a.test"}},
    {"wildcard", "P-256", {.san = "DNS:*.a.test,DNS:a.test"}},
    {"kinds of names", "P-256", {.san = "DNS:A.test,IP:127.0.0.1,email:a@b.test,URI:http://x/,IP:::1,DNS:b.test."}},
    {"other names", "P-256", {.san = "otherName:1.2.3;UTF8:x,DNS:a.test,RID:1.2.3"}},
    {"names of no hosts", "P-256", {.san = "DNS:a b.test,DNS:c.test"}},
    {"long subject", "P-256", {.subject = "/C=US/O=Ex\xc3\xa4mple/OU=x+OU=y/CN=a.test/emailAddress=a@b.test"}},
    {"ca", "P-256", {.ca = 1}},
    {"ca with a depth", "P-256", {.extensions = depth}},
    {"no ca, in words", "P-256", {.extensions = no_ca, .san = "DNS:a.test"}},
    {"must staple", "P-256", {.extensions = features, .san = "DNS:a.test"}},
    {"responders", "P-256", {.extensions = responder}},
    {"no responder", "P-256", {.extensions = no_responder}},
    {"usages", "P-256", {.extensions = usages}},
    {"sha1", "RSA", {.digest = "SHA1"}},
    {"sha384", "RSA", {.digest = "SHA384"}},
    {"sha512", "P-521", {.digest = "SHA512"}},
    {"sha3", "RSA", {.digest = "SHA3-256"}},
    {"begin of time", "P-256", {.not_before = 1}},
    {"leap day", "P-256", {.not_before = 1709164800, .not_after = 1709251199}},
    {"last UTCTime", "P-256", {.not_after = 2524607999}},
    {"first GeneralizedTime", "P-256", {.not_before = 2524608000, .not_after = 2524608000}},
    {"2100 has no leap day", "P-256", {.not_after = 4107542400}},
    {"2400 has one", "P-256", {.not_after = 13574563200}},
    {"no well-defined end", "P-256", {.not_after = 253402300799}},
    {"negative serial", "P-256", {.serial = "-1"}},
    {"long serial", "P-256", {.serial = "0x7fffffffffffffffffffffffffffffffffffffff"}},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void facts_are_those_of_openssl(void **state)
{
    material_pair_t *ca = material_ca(*state, "CA", NULL);

    for (size_t i = 0; i < ROWS; i++) {
        material_pair_t *of_itself = material_pair(*state, &rows[i].what, rows[i].key_type, NULL);

        assert_agrees(*state, of_itself->cert, rows[i].name);
        assert_agrees(*state, material_pair(*state, &rows[i].what, rows[i].key_type, ca)->cert, rows[i].name);
        assert_agrees(*state, material_pair(*state, &rows[2].what, "P-256", of_itself)->cert, rows[i].name);
    }
}

/* cert_facts compares; these are the values themselves. */
static void facts_have_their_values(void **state)
{
    material_pair_t *ca = material_ca(*state, "CA", NULL);
    material_cert_t what = {.san = "DNS:A.test,IP:127.0.0.1,DNS:*.b.test", .not_before = 86400, .not_after = 4107542400,
                            .extensions = features};
    sl_cert_der_t leaf = facts_of(*state, material_pair(*state, &what, "P-256", ca)->cert);
    sl_cert_der_t issuer = facts_of(*state, ca->cert);
    sl_cert_der_t asked =
        facts_of(*state, material_pair(*state, &(material_cert_t){.extensions = responder}, "P-256", ca)->cert);
    sl_reader_t url;
    char names[64];

    assert_int_equal(sl_cert_der_responder(&asked, &url), 1);
    assert_true(sl_reader_is(&url, "HTTP://a.test/1", 15));
    assert_int_equal(sl_cert_der_responder(&leaf, &url), 0);
    assert_int_equal(leaf.not_before, 86400);
    assert_int_equal(leaf.not_after, 4107542400);
    assert_true(leaf.has_features && !leaf.is_ca && !leaf.is_no_signer && !leaf.names_issuer);
    assert_true(issuer.is_ca && !issuer.has_features && !issuer.is_no_signer);
    assert_int_equal(sl_reader_left(&leaf.issuer_key), 20);
    assert_int_equal(sl_reader_left(&leaf.subject_key), 20);
    assert_int_equal(sl_reader_left(&issuer.issuer_key), 0);
    assert_int_equal(sl_reader_left(&leaf.key), 65);
    assert_int_equal(sl_cert_der_names(&leaf, names, sizeof(names)), 17);
    assert_memory_equal(names, "a.test\0*.b.test\0", 17);
    assert_int_equal(sl_cert_der_names(&issuer, names, sizeof(names)), 0);
}

/* Names with other text than OpenSSL can compare are left to it; valid text is not. */
static void text_in_names_is_valid(void **state)
{
    static const char *const texts[] = {"\xc2\xa2", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                                        "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
    static const char *const wrong[] = {"\xc1\x80", "\xc2\x41", "\xe0\x9f\x80", "\xed\xa0\x80", "\x80\x80",
                                        "\xff\x80", "\xf4\x90\x80\x80", "\xf0\x8f\x80\x80",
                                        "\xe2\x82\x41", "\xf8\x90\x80\x80"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const material_cert_t what = {.subject = apr_pstrcat(*state, "/O=a", texts[i], "b/CN=", texts[i], NULL)};

        assert_agrees(*state, material_pair(*state, &what, "P-256", NULL)->cert, "text");
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const material_cert_t what = {.subject = strlen(wrong[i]) == 2   ? "/CN=\xc3\xa4"
                                                 : strlen(wrong[i]) == 3 ? "/CN=\xe2\x82\xac"
                                                                         : "/CN=\xf0\x90\x80\x80"};
        exact_t der = der_of(*state, material_pair(*state, &what, "P-256", NULL)->cert);
        sl_cert_der_t cert;

        assert_int_equal(sl_cert_der_read(&cert, der.bytes, der.length), 1);
        memcpy((unsigned char *)cert.subject.end - strlen(wrong[i]), wrong[i], strlen(wrong[i]));
        assert_int_equal(sl_cert_der_read(&cert, der.bytes, der.length), 0);
    }
}

static void names_need_their_room(void **state)
{
    char *san = "DNS:h0.test", names[8192];
    material_cert_t what = {0};
    sl_cert_der_t cert;
    apr_size_t used;

    for (int i = 1; i < 300; i++)
        san = apr_psprintf(*state, "%s,DNS:h%d.test", san, i);
    what.san = san;
    cert = facts_of(*state, material_pair(*state, &what, "P-256", NULL)->cert);
    used = sl_cert_der_names(&cert, names, sizeof(names));
    assert_true(used > 300 * 8);
    for (apr_size_t room = 0; room <= used; room += room < 40 || room > used - 4 ? 1 : 7) {
        exact_t short_of = exact(*state, names, room);

        assert_int_equal(sl_cert_der_names(&cert, (char *)short_of.bytes, room), room < used ? 0 : used);
    }
    for (int i = 0; i < 300; i++)
        assert_true(sl_cert_der_names_cover(names, apr_psprintf(*state, "h%d.test", i)));
    assert_false(sl_cert_der_names_cover(names, "h300.test"));
}

static void beginnings_are_no_certificates(void **state)
{
    static const char *const types[] = {"P-256", "RSA", "ED25519"};
    sl_cert_der_t cert;
    char *longer;

    for (int i = 0; i < 3; i++) {
        material_cert_t what = {.san = "DNS:a.test,DNS:*.b.test", .extensions = features, .not_after = 4107542400};
        exact_t der = der_of(*state, material_pair(*state, &what, types[i], NULL)->cert);

        for (apr_size_t cut = 0; cut < der.length; cut++) {
            exact_t part = exact(*state, der.bytes, cut);

            assert_int_equal(sl_cert_der_read(&cert, part.bytes, cut), 0);
        }
        assert_int_equal(sl_cert_der_read(&cert, der.bytes, der.length), 1);
        longer = apr_pstrmemdup(*state, (const char *)der.bytes, der.length); /* a NUL behind it */
        assert_int_equal(sl_cert_der_read(&cert, (const unsigned char *)longer, der.length + 1), 0);
    }
}

/* OpenSSL does not read names of an indefinite length without an end. */
static void indefinite_lengths_are_left_to_openssl(void **state)
{
    exact_t der = der_of(*state, material_server(*state, "abcdefgh.test", "P-256", NULL)->cert);
    sl_cert_der_t cert;
    unsigned char *length;

    assert_int_equal(sl_cert_der_read(&cert, der.bytes, der.length), 1);
    length = (unsigned char *)cert.alt_names.at - 1;
    assert_int_equal(*length, sl_reader_left(&cert.alt_names));
    *length = 0x80;
    assert_int_equal(sl_cert_der_read(&cert, der.bytes, der.length), 0);
}

static int is_read(apr_pool_t *pool, X509 *cert)
{
    exact_t der = der_of(pool, cert);
    sl_cert_der_t facts;

    return sl_cert_der_read(&facts, der.bytes, der.length);
}

/* What is there once more is there twice. */
static int is_read_with_another(apr_pool_t *pool, material_pair_t *ca, const material_cert_t *what, int nid)
{
    X509 *doubled = X509_dup(material_pair(pool, what, "P-256", ca)->cert);
    X509_EXTENSION *extension = (X509_EXTENSION *)X509_get_ext(doubled, X509_get_ext_by_NID(doubled, nid, -1));
    int answer;

    assert_int_equal(is_read(pool, doubled), 1);
    assert_int_equal(X509_add_ext(doubled, extension, -1), 1);
    assert_true(X509_sign(doubled, ca->key, EVP_sha256()) > 0);
    answer = is_read(pool, doubled);
    X509_free(doubled);
    return answer;
}

static void others_are_left_to_openssl(void **state)
{
    static const material_cert_t others[] = {
        {.version1 = 1}, {.not_before = -86400}, {.extensions = by_name}, {.extensions = with_blank}};
    const material_cert_t named = {.san = "DNS:a.test"}, asked = {.extensions = responder};
    material_pair_t *ca = material_ca(*state, "CA", NULL);

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(is_read(*state, material_pair(*state, &others[i], "P-256", ca)->cert), 0);
    assert_int_equal(is_read_with_another(*state, ca, &named, NID_subject_alt_name), 0);
    assert_int_equal(is_read_with_another(*state, ca, &asked, NID_info_access), 0);
}

static void assert_no_other_truth(const exact_t *der, apr_size_t at, unsigned flip)
{
    const unsigned char *from = der->bytes;
    sl_cert_der_t facts;
    X509 *cert = sl_cert_der_read(&facts, der->bytes, der->length) ? d2i_X509(NULL, &from, (long)der->length) : NULL;
    const char *what = cert ? cert_facts_difference(&facts, cert) : NULL;

    if (what)
        fail_msg("byte %d changed by %x: %s differs", (int)at, flip, what);
    X509_free(cert);
    ERR_clear_error();
}

static void damage_makes_no_other_truth(void **state)
{
    static const unsigned char flips[] = {0x01, 0x02, 0x10, 0x20, 0x80, 0xff};
    material_cert_t what = {.subject = "/O=x/CN=a", .san = "DNS:a.test,IP:127.0.0.1,DNS:*.b.test", .ca = 1,
                            .extensions = features_and_responder, .not_after = 4107542400};
    exact_t der = der_of(*state, material_pair(*state, &what, "P-256", material_ca(*state, "CA", NULL))->cert);

    for (apr_size_t at = 0; at < der.length; at++) {
        for (size_t i = 0; i < sizeof(flips); i++) {
            der.bytes[at] ^= flips[i];
            assert_no_other_truth(&der, at, flips[i]);
            der.bytes[at] ^= flips[i];
        }
    }
}

static const struct {
    const char *san, *host;
    int covers;
} covers[] = {
    {"DNS:a.test", "a.test", 1},
    {"DNS:A.TEST", "a.test", 1},
    {"DNS:x.test,DNS:a.test", "a.test", 1},
    {"DNS:a.test", "b.a.test", 0},
    {"DNS:b.a.test", "a.test", 0},
    {"DNS:*.a.test", "b.a.test", 1},
    {"DNS:*.a.test", "xn--4ca.a.test", 1},
    {"DNS:*.a.test", "1.a.test", 1},
    {"DNS:*.a.test", "a.test", 0},
    {"DNS:*.a.test", "c.b.a.test", 0},
    {"DNS:*.a.test", ".a.test", 0},
    {"DNS:*.a.test", "*.a.test", 0},
    {"DNS:*.a.test", "_b.a.test", 0},
    {"DNS:*.a_b.test", "x.a_b.test", 0},
    {"DNS:*.-a.test", "x.-a.test", 0},
    {"DNS:*.test", "a.test", 0},
    {"DNS:*", "a", 0},
    {"DNS:*", "a.test", 0},
    {"DNS:w*.a.test", "www.a.test", 0},
    {"DNS:*w.a.test", "www.a.test", 0},
    {"DNS:www.*.test", "www.a.test", 0},
    {"DNS:a.test.", "a.test", 0},
    {"DNS:localhost", "localhost", 1},
    {"DNS:127.0.0.1", "127.0.0.1", 0},
    {"IP:127.0.0.1,DNS:a.test", "127.0.0.1", 0},
    {"DNS:*.0.0.1", "127.0.0.1", 0},
    {"DNS:::1", "::1", 0},
    {"DNS:a.test", "", 0},
    {"DNS:a.test", "a.test.", 0},
    {"email:a.test,DNS:b.test", "a.test", 0},
    {"DNS:a-b.test", "a-b.test", 1},
    {"DNS:a-.test", "a-.test", 0},
};

static void what_covers_a_host_does_so_for_openssl(void **state)
{
    for (size_t i = 0; i < sizeof(covers) / sizeof(covers[0]); i++) {
        const material_cert_t what = {.san = covers[i].san};
        material_pair_t *pair = material_pair(*state, &what, "P-256", NULL);
        sl_cert_der_t cert = facts_of(*state, pair->cert);
        sl_identity_t *identity;
        char names[256];

        X509_up_ref(pair->cert);
        identity = sl_identity_new(pair->cert, NULL, NULL, "a");
        if (!sl_cert_der_names(&cert, names, sizeof(names)))
            *names = '\0';
        if (sl_cert_der_names_cover(names, covers[i].host) != covers[i].covers)
            fail_msg("%s: %s", covers[i].san, covers[i].host);
        if (covers[i].covers && !sl_identity_covers(identity, covers[i].host))
            fail_msg("%s: %s, says OpenSSL", covers[i].san, covers[i].host);
        sl_identity_release(identity);
    }
}

/* Any names and hosts of a few letters. */
static void what_covers_any_host_does_so_for_openssl(void **state)
{
    static const char letters[] = "aab.-*_1..";
    unsigned seed = 1, found = 0;

    for (int i = 0; i < 1500; i++) {
        char text[2][12], names[16], host[SL_HOST_MAX + 1];
        material_cert_t what = {0};
        sl_identity_t *identity;
        material_pair_t *pair;
        sl_cert_der_t cert;
        apr_pool_t *pool;

        apr_pool_create(&pool, *state);
        for (int k = 0; k < 2; k++) {
            int length = 1 + (int)((seed = seed * 1103515245 + 12345) >> 16) % 6;

            for (int at = 0; at < length; at++)
                text[k][at] = letters[((seed = seed * 1103515245 + 12345) >> 16) % (sizeof(letters) - 1)];
            text[k][length] = '\0';
        }
        if (i % 3)
            memcpy(text[1], text[0], sizeof(text[0]));
        if (i % 3 == 1)
            text[0][0] = '*';
        what.san = apr_pstrcat(pool, "DNS:", text[0], NULL);
        pair = material_pair(pool, &what, "P-256", NULL);
        cert = facts_of(pool, pair->cert);
        if (!sl_cert_der_names(&cert, names, sizeof(names)))
            *names = '\0';
        X509_up_ref(pair->cert);
        identity = sl_identity_new(pair->cert, NULL, NULL, "a");
        if (sl_text_host(host, text[1], strlen(text[1])) && sl_cert_der_names_cover(names, host)) {
            found++;
            if (!sl_identity_covers(identity, host))
                fail_msg("%s: %s", text[0], host);
        }
        sl_identity_release(identity);
        apr_pool_destroy(pool);
    }
    assert_true(found > 50);
}

/* As tools of old make them: the authority key identifier names the issuer's certificate too. */
static X509 *named_by_serial(apr_pool_t *pool, const material_pair_t *issuer)
{
    X509 *cert = material_server(pool, "a.test", "P-256", issuer)->cert;
    X509_EXTENSION *extension;
    X509V3_CTX ctx;

    X509_EXTENSION_free(X509_delete_ext(cert, X509_get_ext_by_NID(cert, NID_authority_key_identifier, -1)));
    X509V3_set_ctx(&ctx, issuer->cert, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf(NULL, &ctx, "authorityKeyIdentifier", "keyid:always,issuer:always");
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
    assert_true(X509_sign(cert, issuer->key, EVP_sha256()) > 0);
    assert_agrees(pool, cert, "named by serial");
    return cert;
}

static void an_issuer_is_one_for_openssl(void **state)
{
    static const char *const no_sign[] = {"basicConstraints", "critical,CA:TRUE", "keyUsage", "cRLSign", NULL};
    const material_cert_t like_ca = {.subject = "/CN=CA", .ca = 1}, weak = {.subject = "/CN=CA", .extensions = no_sign};
    material_pair_t *issuers[5];
    X509 *certs[8];
    int told = 0;

    issuers[0] = material_ca(*state, "CA", NULL);
    issuers[1] = material_pair(*state, &like_ca, "P-256", NULL); /* same name, another key */
    issuers[2] = material_pair(*state, &weak, "P-256", NULL);
    issuers[3] = material_ca(*state, "sub", issuers[0]);
    issuers[4] = material_ca(*state, "other", NULL);
    for (int i = 0; i < 5; i++)
        certs[i] = material_server(*state, "a.test", "P-256", issuers[i])->cert;
    certs[5] = issuers[3]->cert;
    certs[6] = issuers[0]->cert;
    certs[7] = named_by_serial(*state, issuers[0]);
    for (int i = 0; i < 8; i++) {
        for (int k = 0; k < 5; k++) {
            sl_cert_der_t cert = facts_of(*state, certs[i]), issuer = facts_of(*state, issuers[k]->cert);
            int is = sl_cert_der_is_issued_by(&cert, &issuer);

            told += is;
            if (is)
                assert_int_equal(X509_check_issued(issuers[k]->cert, certs[i]), X509_V_OK);
        }
    }
    assert_int_equal(told, 7); /* all but that of the one that may not sign, and that by serial; the root by its twin */
}

static void weak_signatures_are_seen(void **state)
{
    static const struct {
        const char *type, *digest;
        int well;
    } signers[] = {{"RSA", "SHA256", 1},   {"RSA", "SHA384", 1},    {"RSA", "SHA512", 1},  {"RSA", "SHA1", 0},
                   {"RSA", "MD5", 0},      {"RSA", "SHA224", 0},    {"P-256", "SHA256", 1}, {"P-384", "SHA384", 1},
                   {"P-521", "SHA512", 1}, {"P-256", "SHA1", 0},    {"P-256", "SHA224", 0}, {"ED25519", NULL, 1},
                   {"DSA", "SHA256", 0},   {"ED448", NULL, 0},     {"RSA-PSS", "SHA256", 0}};

    for (size_t i = 0; i < sizeof(signers) / sizeof(signers[0]); i++) {
        const material_cert_t what = {.digest = signers[i].digest};
        sl_cert_der_t cert = facts_of(*state, material_pair(*state, &what, signers[i].type, NULL)->cert);

        assert_int_equal(sl_cert_der_is_well_signed(&cert), signers[i].well);
    }
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(facts_are_those_of_openssl),
    UNIT_TEST(facts_have_their_values),
    UNIT_TEST(text_in_names_is_valid),
    UNIT_TEST(names_need_their_room),
    UNIT_TEST(beginnings_are_no_certificates),
    UNIT_TEST(indefinite_lengths_are_left_to_openssl),
    UNIT_TEST(others_are_left_to_openssl),
    UNIT_TEST(damage_makes_no_other_truth),
    UNIT_TEST(what_covers_a_host_does_so_for_openssl),
    UNIT_TEST(what_covers_any_host_does_so_for_openssl),
    UNIT_TEST(an_issuer_is_one_for_openssl),
    UNIT_TEST(weak_signatures_are_seen),
};

UNIT_MAIN(tests)
