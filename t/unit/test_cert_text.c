/* cert_text: every expected text here was compared byte for byte with what the distribution's mod_ssl answers for the
 * same certificate. */
#include "unit.h"

#include "crypto/cert_text.h"
#include "material.h"

#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static X509 *self_signed(apr_pool_t *pool, const material_cert_t *what)
{
    return material_cert(pool, what, material_key(pool, "P-256"), NULL);
}

static void add_entry(X509_NAME *name, const char *type, int encoding, const char *bytes, int length, int set)
{
    assert_true(X509_NAME_add_entry_by_txt(name, type, encoding, (const unsigned char *)bytes, length, -1, set));
}

static X509 *with_name(apr_pool_t *pool, X509_NAME *name)
{
    const material_cert_t what = {.subject_name = name};
    X509 *cert = self_signed(pool, &what);

    X509_NAME_free(name);
    return cert;
}

static const char *subject(apr_pool_t *pool, X509 *cert)
{
    return sl_cert_text_dn(pool, cert, SL_DN_SUBJECT, 0);
}

static const char *part(apr_pool_t *pool, X509 *cert, int nid, int index)
{
    return sl_cert_text_dn_part(pool, cert, SL_DN_SUBJECT, nid, index, 0);
}

static void a_dn_is_in_rfc_2253_order_and_utf_8(void **state)
{
    const material_cert_t what = {.subject = "/C=US/ST=Texas/O=Example, Inc./OU=U1/OU=U2/CN=Köln 😀"};
    X509 *cert = self_signed(*state, &what);

    assert_string_equal(subject(*state, cert), "CN=Köln 😀,OU=U2,OU=U1,O=Example\\, Inc.,ST=Texas,C=US");
    assert_string_equal(sl_cert_text_dn(*state, cert, SL_DN_ISSUER, 1),
                        "/C=US/ST=Texas/O=Example, Inc./OU=U1/OU=U2/CN=K\\xC3\\xB6ln \\xF0\\x9F\\x98\\x80");
}

static void subject_and_issuer_are_not_confused(void **state)
{
    const material_pair_t *ca = material_ca(*state, "ca", NULL);
    X509 *cert = material_client(*state, "client", "P-256", ca)->cert;

    assert_string_equal(subject(*state, cert), "CN=client");
    assert_string_equal(sl_cert_text_dn(*state, cert, SL_DN_ISSUER, 0), "CN=ca");
    assert_string_equal(sl_cert_text_dn_part(*state, cert, SL_DN_ISSUER, NID_commonName, 0, 0), "ca");
}

static void special_characters_of_a_dn_are_escaped(void **state)
{
    X509_NAME *name = X509_NAME_new();
    X509 *cert;

    add_entry(name, "CN", V_ASN1_UTF8STRING, " lead,\"q\"\\b+<p>;=#/ trail ", -1, 0);
    add_entry(name, "O", V_ASN1_UTF8STRING, "#hash", -1, 0);
    add_entry(name, "OU", V_ASN1_UTF8STRING, "a\nb\x01\x7f\r\tc", -1, 0);
    add_entry(name, "OU", V_ASN1_UTF8STRING, "x\0y", 3, 0);
    cert = with_name(*state, name);
    assert_string_equal(subject(*state, cert), "OU=x\\00y,OU=a\\0Ab\\01\\7F\\0D\\09c,O=\\#hash,"
                                               "CN=\\ lead\\,\\\"q\\\"\\\\b\\+\\<p\\>\\;=#/ trail\\ ");
    assert_string_equal(part(*state, cert, NID_commonName, 0), " lead,\"q\"\\\\b+<p>;=#/ trail ");
    assert_string_equal(part(*state, cert, NID_organizationalUnitName, 0), "a\\0Ab\\01\\7F\\0D\\09c");
    assert_string_equal(part(*state, cert, NID_organizationalUnitName, 1), "x\\00y");
}

static void old_string_types_become_utf_8_unless_raw(void **state)
{
    X509_NAME *name = X509_NAME_new();
    X509 *cert;

    add_entry(name, "CN", V_ASN1_BMPSTRING, "\0G\0r\0\xfc\0\xdf\0e", 10, 0);
    add_entry(name, "O", V_ASN1_T61STRING, "M\xfcnchen", 7, 0);
    add_entry(name, "OU", V_ASN1_UNIVERSALSTRING, "\0\0\0A\0\1\xf6\0", 8, 0);
    cert = with_name(*state, name);
    assert_string_equal(subject(*state, cert), "OU=A😀,O=München,CN=Grüße");
    assert_string_equal(part(*state, cert, NID_commonName, 0), "Grüße");
    assert_string_equal(part(*state, cert, NID_organizationName, 0), "München");
    assert_string_equal(sl_cert_text_dn_part(*state, cert, SL_DN_SUBJECT, NID_organizationName, 0, 1), "M\xfcnchen");
}

static void attributes_of_one_rdn_are_joined_by_plus(void **state)
{
    const material_cert_t what = {.subject = "/C=DE+O=Multi+OU=Val/CN=one+CN=two/CN=three"};
    X509 *cert = self_signed(*state, &what);

    assert_string_equal(subject(*state, cert), "CN=three,CN=two+CN=one,O=Multi+OU=Val+C=DE");
    assert_int_equal(sl_cert_text_dn_count(cert, SL_DN_SUBJECT, NID_commonName), 3);
    assert_string_equal(part(*state, cert, NID_commonName, 2), "three");
    assert_null(part(*state, cert, NID_commonName, 3));
    assert_null(part(*state, cert, NID_title, 0));
    assert_int_equal(sl_cert_text_dn_count(cert, SL_DN_SUBJECT, NID_title), 0);
}

static void an_empty_dn_is_empty_text(void **state)
{
    const material_cert_t what = {.subject = "", .version1 = 1};
    X509 *cert = self_signed(*state, &what);

    assert_string_equal(subject(*state, cert), "");
    assert_string_equal(sl_cert_text_version(*state, cert), "1");
}

static void serial_numbers_are_upper_case_hex(void **state)
{
    static const struct {
        const char *serial, *hex, *decimal;
    } rows[] = {
        {"0", "00", "0"},
        {"1", "01", "1"},
        {"128", "80", "128"},
        {"-1", "-01", "-1"},
        {"-255", "-FF", "-255"},
        {"0x123456789abcdef0123456789abcdef01234567", "0123456789ABCDEF0123456789ABCDEF01234567",
         "6495562832581790663061892574634853316331521383"},
        /* The backslash and line end after 35 bytes are OpenSSL's, and mod_ssl's too. */
        {"0xF123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01234567",
         "F123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF012345\\\n6789ABCDEF01234567",
         "8641393118691480550438737054462201821940114856942476299881602748378027946472181456918821690466201195726183"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const material_cert_t what = {.subject = "/CN=ca", .serial = rows[i].serial};
        X509 *cert = self_signed(*state, &what);

        assert_string_equal(sl_cert_text_serial(*state, cert), rows[i].hex);
        assert_string_equal(sl_cert_text_exact_assertion(*state, cert),
                            apr_psprintf(*state, "{ serialNumber %s, issuer rdnSequence:\"CN=ca\" }", rows[i].decimal));
    }
}

static void the_exact_assertion_escapes_non_ascii(void **state)
{
    const material_cert_t what = {.subject = "/O=Grüße, \"x\"/CN=a", .serial = "4711"};

    assert_string_equal(sl_cert_text_exact_assertion(*state, self_signed(*state, &what)),
                        "{ serialNumber 4711, issuer rdnSequence:\"CN=a,O=Gr\\C3\\BC\\C3\\9Fe\\, \\\"x\\\"\" }");
}

static void dates_reach_from_before_1970_to_the_year_9999(void **state)
{
    static const struct {
        apr_int64_t seconds;
        const char *text;
    } rows[] = {{-473385600, "Jan  1 00:00:00 1955 GMT"},
                {-1, "Dec 31 23:59:59 1969 GMT"},
                {951782399, "Feb 28 23:59:59 2000 GMT"},
                {951782400, "Feb 29 00:00:00 2000 GMT"},
                {2524607999, "Dec 31 23:59:59 2049 GMT"},
                {2524608000, "Jan  1 00:00:00 2050 GMT"},
                {253402300799, "Dec 31 23:59:59 9999 GMT"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const material_cert_t what = {.not_before = rows[i].seconds, .not_after = rows[i].seconds};
        X509 *cert = self_signed(*state, &what);

        assert_string_equal(sl_cert_text_not_before(*state, cert), rows[i].text);
        assert_string_equal(sl_cert_text_not_after(*state, cert), rows[i].text);
        assert_int_equal(sl_cert_not_before(cert), rows[i].seconds);
        assert_int_equal(sl_cert_not_after(cert), rows[i].seconds);
    }
}

static void remaining_days_are_whole_and_never_negative(void **state)
{
    const material_cert_t what = {.not_before = 1000000000, .not_after = 1000000000 + 10 * MATERIAL_DAY};
    X509 *cert = self_signed(*state, &what);
    apr_int64_t end = sl_cert_not_after(cert);

    assert_string_equal(sl_cert_text_remain(*state, cert, end - 10 * MATERIAL_DAY), "10");
    assert_string_equal(sl_cert_text_remain(*state, cert, end - 2 * MATERIAL_DAY + 1), "1");
    assert_string_equal(sl_cert_text_remain(*state, cert, end - 1), "0");
    assert_string_equal(sl_cert_text_remain(*state, cert, end + 5 * MATERIAL_DAY), "0");
}

static void check_san(apr_pool_t *pool, X509 *cert, sl_san_t kind, const char *expected)
{
    assert_string_equal(apr_array_pstrcat(pool, sl_cert_text_san(pool, cert, kind), '|'), expected);
}

static void each_kind_of_subject_alternative_name_is_found(void **state)
{
    const material_cert_t what = {
        .san = "DNS:a.test,IP:127.0.0.1,DNS:b.test,IP:2001:db8::1,email:a@b.c,email:d@e.f,URI:http://x/y?z,URI:urn:a,"
               "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:user@x,otherName:1.3.6.1.4.1.311.20.2.3;IA5:not-utf8,"
               "otherName:1.3.6.1.5.5.7.8.7;IA5:_http.x,otherName:1.3.6.1.5.5.7.8.7;UTF8:not-ia5,RID:1.2.3.4"};
    X509 *cert = self_signed(*state, &what);

    check_san(*state, cert, SL_SAN_DNS, "a.test|b.test");
    check_san(*state, cert, SL_SAN_IP, "127.0.0.1|2001:db8::1");
    check_san(*state, cert, SL_SAN_EMAIL, "a@b.c|d@e.f");
    check_san(*state, cert, SL_SAN_URI, "http://x/y?z|urn:a");
    check_san(*state, cert, SL_SAN_MSUPN, "user@x");
    check_san(*state, cert, SL_SAN_DNSSRV, "_http.x");
}

static void add_san(GENERAL_NAMES *names, int type, const char *bytes, int length)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *value = ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);

    assert_true(ASN1_STRING_set(value, bytes, length));
    GENERAL_NAME_set0_value(name, type, value);
    assert_true(sk_GENERAL_NAME_push(names, name));
}

static void no_byte_of_a_san_is_hidden(void **state)
{
    const material_cert_t what = {.subject = "/CN=odd"};
    EVP_PKEY *key = material_key(*state, "P-256");
    X509 *cert = material_cert(*state, &what, key, NULL);
    GENERAL_NAMES *names = GENERAL_NAMES_new();

    add_san(names, GEN_DNS, "ctl\n\x01\x7f.t", 8);
    add_san(names, GEN_DNS, "good.test\0.evil.test", 20);
    add_san(names, GEN_DNS, "after.t", 7);
    add_san(names, GEN_EMAIL, "m\xe9@x", 4);
    add_san(names, GEN_IPADD, "\x7f\0\0\1\0", 5); /* no address has five bytes */
    assert_true(X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0));
    assert_true(X509_sign(cert, key, EVP_sha256()));
    GENERAL_NAMES_free(names);
    check_san(*state, cert, SL_SAN_DNS, "ctl\\0A\\01\\7F.t|good.test\\00.evil.test|after.t");
    check_san(*state, cert, SL_SAN_EMAIL, "mé@x");
    check_san(*state, cert, SL_SAN_IP, "");
}

static void without_names_the_array_is_empty(void **state)
{
    const material_cert_t what = {.subject = "/CN=none"};

    assert_int_equal(sl_cert_text_san(*state, self_signed(*state, &what), SL_SAN_DNS)->nelts, 0);
}

static void algorithms_have_their_long_names(void **state)
{
    static const struct {
        const char *key, *digest, *key_name, *signature_name;
    } rows[] = {{"RSA", "SHA256", "rsaEncryption", "sha256WithRSAEncryption"},
                {"RSA", "SHA1", "rsaEncryption", "sha1WithRSAEncryption"},
                {"RSA-PSS", "SHA256", "rsassaPss", "rsassaPss"},
                {"P-384", "SHA384", "id-ecPublicKey", "ecdsa-with-SHA384"},
                {"ED25519", NULL, "ED25519", "ED25519"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const material_cert_t what = {.digest = rows[i].digest};
        X509 *cert = material_pair(*state, &what, rows[i].key, NULL)->cert;

        assert_string_equal(sl_cert_text_key_algorithm(*state, cert), rows[i].key_name);
        assert_string_equal(sl_cert_text_signature_algorithm(*state, cert), rows[i].signature_name);
    }
}

static void a_certificate_comes_as_pem_base64_and_digest(void **state)
{
    const material_cert_t what = {.subject = "/CN=form"};
    X509 *cert = self_signed(*state, &what);
    material_bytes_t der = material_cert_der(*state, cert);
    unsigned char digest[EVP_MAX_MD_SIZE], *back = apr_palloc(*state, der.length + 3);
    const char *base64 = sl_cert_text_base64(*state, cert), *hex = sl_cert_text_sha256(*state, cert);
    unsigned length;

    assert_string_equal(sl_cert_text_pem(*state, cert), material_cert_pem(*state, cert).data);
    assert_null(strchr(base64, '\n'));
    assert_true(EVP_DecodeBlock(back, (const unsigned char *)base64, (int)strlen(base64)) >= (int)der.length);
    assert_memory_equal(back, der.data, der.length);
    assert_true(EVP_Digest(der.data, der.length, digest, &length, EVP_sha256(), NULL));
    assert_int_equal(strlen(hex), 64);
    for (unsigned i = 0; i < length; i++)
        assert_memory_equal(hex + 2 * i, apr_psprintf(*state, "%02x", digest[i]), 2);
}

static const char *extensions(apr_pool_t *pool, X509 *cert, const char *oid)
{
    apr_array_header_t *texts = sl_cert_text_extensions(pool, cert, oid);

    return texts ? apr_array_pstrcat(pool, texts, '|') : NULL;
}

static void extensions_are_printed_or_taken_as_strings(void **state)
{
    static const char *const list[] = {
        "1.2.3.4", "ASN1:UTF8String:one", "1.2.3.4", "DER:0c06c3b6017f0d7a", "1.2.3.5", "DER:160461e90162",
        "1.2.3.6", "DER:0403414243",      "1.2.3.7", "DER:1e0600e9000a0041", "1.2.3.8", "ASN1:VISIBLE:visible",
        "1.2.3.9", "DER:ffff",            "1.2.3.10", "DER:0c03610062",      "nsComment", "my comment",
        "extendedKeyUsage", "serverAuth,clientAuth", NULL};
    const material_cert_t what = {.extensions = list, .san = "DNS:ext.t"};
    X509 *cert = self_signed(*state, &what);

    assert_string_equal(extensions(*state, cert, "1.2.3.4"), "one|ö\x01\x7f\rz");
    assert_string_equal(extensions(*state, cert, "1.2.3.5"), "aé\001b");
    assert_null(extensions(*state, cert, "1.2.3.6"));
    assert_string_equal(extensions(*state, cert, "1.2.3.7"), "é\nA");
    assert_string_equal(extensions(*state, cert, "1.2.3.8"), "visible");
    assert_null(extensions(*state, cert, "1.2.3.9"));
    assert_null(extensions(*state, cert, "1.2.3.10")); /* "a\0b" must not read as "a" */
    assert_string_equal(extensions(*state, cert, "nsComment"), "my comment");
    assert_string_equal(extensions(*state, cert, "2.5.29.37"),
                        "TLS Web Server Authentication, TLS Web Client Authentication");
    assert_string_equal(extensions(*state, cert, "subjectAltName"), "DNS:ext.t");
    assert_null(extensions(*state, cert, "basicConstraints"));
    assert_null(extensions(*state, cert, "no such name"));
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(a_dn_is_in_rfc_2253_order_and_utf_8),
    UNIT_TEST(subject_and_issuer_are_not_confused),
    UNIT_TEST(special_characters_of_a_dn_are_escaped),
    UNIT_TEST(old_string_types_become_utf_8_unless_raw),
    UNIT_TEST(attributes_of_one_rdn_are_joined_by_plus),
    UNIT_TEST(an_empty_dn_is_empty_text),
    UNIT_TEST(serial_numbers_are_upper_case_hex),
    UNIT_TEST(the_exact_assertion_escapes_non_ascii),
    UNIT_TEST(dates_reach_from_before_1970_to_the_year_9999),
    UNIT_TEST(remaining_days_are_whole_and_never_negative),
    UNIT_TEST(each_kind_of_subject_alternative_name_is_found),
    UNIT_TEST(no_byte_of_a_san_is_hidden),
    UNIT_TEST(without_names_the_array_is_empty),
    UNIT_TEST(algorithms_have_their_long_names),
    UNIT_TEST(a_certificate_comes_as_pem_base64_and_digest),
    UNIT_TEST(extensions_are_printed_or_taken_as_strings),
};

int main(void)
{
    int failed;

    apr_initialize();
    sl_cert_text_init();
    cmocka_set_message_output(CM_OUTPUT_TAP);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
