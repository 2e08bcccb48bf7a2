/* Keys from DER.  Called by pem.c for every key once it is decrypted, by identity/stored for keys that are only
 * compared, by cert_quick for public ones. */
#define OPENSSL_SUPPRESS_DEPRECATED /* sl_key_der_public() */
#include "crypto/key_der.h"

#include "crypto/der.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <string.h>

#define RSA_NUMBERS 8
#define RSA_NUMBER_MAX 2048u /* bytes: 16384 bits, OpenSSL's own limit */
#define EC_NUMBER_MAX 66u    /* P-521 */
#define EC_POINT_MAX (1 + 2 * EC_NUMBER_MAX)
#define STRONG_RSA 256u /* bytes of the modulus */

#define OID_RSA "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
#define OID_EC "\x2a\x86\x48\xce\x3d\x02\x01"

static const struct {
    const char *oid;
    unsigned char oid_length, number_length;
    int nid;
    const char *name;
} curves[] = {
    {"\x2a\x86\x48\xce\x3d\x03\x01\x07", 8, 32, NID_X9_62_prime256v1, SN_X9_62_prime256v1},
    {"\x2b\x81\x04\x00\x22", 5, 48, NID_secp384r1, SN_secp384r1},
    {"\x2b\x81\x04\x00\x23", 5, 66, NID_secp521r1, SN_secp521r1},
};
#define CURVES ((int)(sizeof(curves) / sizeof(curves[0])))

static EVP_PKEY *key_from_params(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (ctx && EVP_PKEY_fromdata_init(ctx) > 0 && EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) <= 0)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

/* OSSL_PARAM wants numbers in the byte order of the machine. */
static void to_native(unsigned char *out, const unsigned char *big_endian, apr_size_t length)
{
    const union {
        unsigned short word;
        unsigned char low_first;
    } order = {1};

    for (apr_size_t i = 0; i < length; i++)
        out[i] = big_endian[order.low_first ? length - 1 - i : i];
}

/* RSAPrivateKey with two primes (RFC 8017 appendix A.1.2). */
static EVP_PKEY *rsa_key(sl_reader_t file)
{
    static const char *const names[RSA_NUMBERS] = {
        OSSL_PKEY_PARAM_RSA_N,       OSSL_PKEY_PARAM_RSA_E,         OSSL_PKEY_PARAM_RSA_D,
        OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
        OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
    OSSL_PARAM params[RSA_NUMBERS + 1];
    sl_reader_t key, number;
    unsigned char *native, *at;
    EVP_PKEY *made = NULL;
    apr_size_t size = sl_reader_left(&file);
    int i;

    if (!sl_der_expect(&file, SL_DER_SEQUENCE, &key) || !sl_der_unsigned(&key, &number) || sl_reader_left(&number))
        return NULL;
    native = at = OPENSSL_malloc(size);
    for (i = 0; native && i < RSA_NUMBERS && sl_der_unsigned(&key, &number); i++) {
        apr_size_t length = sl_reader_left(&number);

        if (!length || length > RSA_NUMBER_MAX)
            break;
        to_native(at, number.at, length);
        params[i] = OSSL_PARAM_construct_BN(names[i], at, length);
        at += length;
    }
    params[i] = OSSL_PARAM_construct_end();
    if (i == RSA_NUMBERS && !sl_reader_left(&key))
        made = key_from_params("RSA", params);
    OPENSSL_clear_free(native, size);
    return made;
}

/* Keys without the public half (it is optional in ECPrivateKey) get it by a multiplication. */
static apr_size_t public_point(unsigned char *point, int curve, const unsigned char *secret, apr_size_t length)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(curves[curve].nid);
    EC_POINT *product = group ? EC_POINT_new(group) : NULL;
    BIGNUM *number = BN_secure_new();
    apr_size_t size = 0;

    if (product && number && BN_bin2bn(secret, (int)length, number) &&
        EC_POINT_mul(group, product, number, NULL, NULL, NULL))
        size = EC_POINT_point2oct(group, product, POINT_CONVERSION_UNCOMPRESSED, point, EC_POINT_MAX, NULL);
    BN_clear_free(number);
    EC_POINT_free(product);
    EC_GROUP_free(group);
    return size;
}

static EVP_PKEY *ec_key_from_parts(int curve, const sl_reader_t *secret, const sl_reader_t *point)
{
    unsigned char native[EC_NUMBER_MAX], computed[EC_POINT_MAX];
    apr_size_t length = sl_reader_left(secret), point_length = sl_reader_left(point);
    unsigned char *point_bytes = (unsigned char *)point->at;
    OSSL_PARAM params[4];
    EVP_PKEY *made;

    if (!length || length > curves[curve].number_length)
        return NULL;
    if (!point_length) {
        point_length = public_point(computed, curve, secret->at, length);
        point_bytes = computed;
    }
    if (!point_length)
        return NULL;
    to_native(native, secret->at, length);
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)curves[curve].name, 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point_bytes, point_length);
    params[2] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, length);
    params[3] = OSSL_PARAM_construct_end();
    made = key_from_params("EC", params);
    OPENSSL_cleanse(native, sizeof(native));
    return made;
}

static int find_curve(const sl_reader_t *oid)
{
    for (int i = 0; i < CURVES; i++) {
        if (sl_reader_is(oid, curves[i].oid, curves[i].oid_length))
            return i;
    }
    return -1;
}

/* ECPrivateKey (RFC 5915); `curve` is -1 when only the key itself names it. Returns the curve, -1 if it is no such key;
 * `point` is empty if it is not there. */
static int take_ec(sl_reader_t file, int curve, sl_reader_t *secret, sl_reader_t *point)
{
    sl_reader_t key, version, part, inner;

    if (!sl_der_expect(&file, SL_DER_SEQUENCE, &key) || !sl_der_unsigned(&key, &version) ||
        !sl_reader_is(&version, "\1", 1) || !sl_der_expect(&key, SL_DER_OCTET_STRING, secret))
        return -1;
    sl_reader_init(point, key.end, 0);
    if (sl_der_peek(&key) == SL_DER_CONTEXT_0) {
        sl_der_next(&key, &part);
        if (!sl_der_expect(&part, SL_DER_OID, &inner) || (curve >= 0 && find_curve(&inner) != curve))
            return -1;
        curve = find_curve(&inner);
    }
    if (sl_der_peek(&key) == SL_DER_CONTEXT_1) {
        sl_der_next(&key, &part);
        /* The first byte of a BIT STRING counts its unused bits. */
        if (!sl_der_expect(&part, SL_DER_BIT_STRING, point) || sl_reader_u8(point) != 0 || point->failed)
            return -1;
    }
    return key.failed || sl_reader_left(&key) ? -1 : curve;
}

static EVP_PKEY *ec_key(sl_reader_t file, int curve)
{
    sl_reader_t secret, point;

    curve = take_ec(file, curve, &secret, &point);
    return curve < 0 ? NULL : ec_key_from_parts(curve, &secret, &point);
}

/* CurvePrivateKey (RFC 8410 section 7): an OCTET STRING in the OCTET STRING. */
static EVP_PKEY *edwards_key(sl_reader_t file, const char *type)
{
    sl_reader_t secret;

    if (!sl_der_expect(&file, SL_DER_OCTET_STRING, &secret) || sl_reader_left(&file))
        return NULL;
    return EVP_PKEY_new_raw_private_key_ex(NULL, type, NULL, secret.at, sl_reader_left(&secret));
}

/* What is in a PrivateKeyInfo (RFC 5208 section 5). */
typedef struct info_t {
    sl_reader_t type; /* object identifier */
    int curve;        /* -1: none, or none that we know */
    sl_reader_t key;  /* in the form of its type */
} info_t;

static int take_info(const unsigned char *der, apr_size_t length, info_t *taken)
{
    sl_reader_t file, info, version, algorithm, parameter;

    sl_reader_init(&file, der, length);
    if (!sl_der_expect(&file, SL_DER_SEQUENCE, &info) || !sl_der_unsigned(&info, &version) ||
        !sl_der_expect(&info, SL_DER_SEQUENCE, &algorithm) || !sl_der_expect(&algorithm, SL_DER_OID, &taken->type))
        return 0;
    taken->curve =
        sl_der_peek(&algorithm) == SL_DER_OID && sl_der_next(&algorithm, &parameter) ? find_curve(&parameter) : -1;
    return sl_der_expect(&info, SL_DER_OCTET_STRING, &taken->key);
}

static int is_rsa(const sl_reader_t *oid)
{
    return sl_reader_is(oid, OID_RSA, sizeof(OID_RSA) - 1);
}

static int is_ec(const sl_reader_t *oid)
{
    return sl_reader_is(oid, OID_EC, sizeof(OID_EC) - 1);
}

static EVP_PKEY *known_pkcs8(const unsigned char *der, apr_size_t length)
{
    info_t info;

    if (!take_info(der, length, &info))
        return NULL;
    if (is_rsa(&info.type))
        return rsa_key(info.key);
    if (is_ec(&info.type))
        return info.curve < 0 ? NULL : ec_key(info.key, info.curve);
    if (sl_reader_is(&info.type, "\x2b\x65\x70", 3))
        return edwards_key(info.key, "ED25519");
    if (sl_reader_is(&info.type, "\x2b\x65\x71", 3))
        return edwards_key(info.key, "ED448");
    return NULL;
}

EVP_PKEY *sl_key_der_pkcs8(const unsigned char *der, apr_size_t length)
{
    EVP_PKEY *key = known_pkcs8(der, length);
    PKCS8_PRIV_KEY_INFO *info;

    if (key)
        return key;
    ERR_clear_error(); /* what counts is what the decoders say */
    info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &der, (long)length);
    if (info)
        key = EVP_PKCS82PKEY(info);
    PKCS8_PRIV_KEY_INFO_free(info);
    return key;
}

EVP_PKEY *sl_key_der_traditional(const unsigned char *der, apr_size_t length, const char *label)
{
    EVP_PKEY *key = NULL;
    sl_reader_t file;

    sl_reader_init(&file, der, length);
    if (strcmp(label, "RSA PRIVATE KEY") == 0)
        key = rsa_key(file);
    else if (strcmp(label, "EC PRIVATE KEY") == 0)
        key = ec_key(file, -1);
    if (key)
        return key;
    ERR_clear_error();
    return d2i_AutoPrivateKey(NULL, &der, (long)length);
}

/* ---- without decoding ---- */

/* RSAPublicKey: its modulus and exponent. */
static int take_rsa_public(sl_reader_t bits, sl_reader_t *modulus, sl_reader_t *exponent)
{
    sl_reader_t key;

    return sl_der_expect(&bits, SL_DER_SEQUENCE, &key) && sl_der_unsigned(&key, modulus) &&
           sl_der_unsigned(&key, exponent) && !sl_reader_left(&key);
}

/* The numbers behind the public ones are those that rsa_key() wants. */
static int has_secret_numbers(sl_reader_t *key)
{
    sl_reader_t number;

    for (int i = 2; i < RSA_NUMBERS; i++) {
        if (!sl_der_unsigned(key, &number) || !sl_reader_left(&number) || sl_reader_left(&number) > RSA_NUMBER_MAX)
            return 0;
    }
    return !sl_reader_left(key);
}

static int is_same_rsa(sl_reader_t private_key, const sl_cert_der_t *cert)
{
    sl_reader_t key, version, number, modulus, exponent;

    if (!take_rsa_public(cert->key, &modulus, &exponent) || sl_reader_left(&modulus) < STRONG_RSA ||
        !(modulus.at[0] & 0x80) || !sl_der_expect(&private_key, SL_DER_SEQUENCE, &key) ||
        !sl_der_unsigned(&key, &version) || sl_reader_left(&version))
        return 0;
    return sl_der_unsigned(&key, &number) && sl_reader_equals(&number, &modulus) && sl_der_unsigned(&key, &number) &&
           sl_reader_equals(&number, &exponent) && has_secret_numbers(&key);
}

static int is_same_point(sl_reader_t private_key, int curve, const sl_cert_der_t *cert)
{
    sl_reader_t secret, point;

    return curve >= 0 && find_curve(&cert->key_curve) == curve &&
           take_ec(private_key, curve, &secret, &point) == curve && sl_reader_left(&point) &&
           sl_reader_equals(&point, &cert->key) && sl_reader_left(&secret) == curves[curve].number_length;
}

int sl_key_der_is_of(const unsigned char *der, apr_size_t length, const sl_cert_der_t *cert)
{
    info_t info;

    if (!take_info(der, length, &info) || !sl_reader_equals(&info.type, &cert->key_type))
        return 0;
    if (is_rsa(&info.type))
        return is_same_rsa(info.key, cert);
    return is_ec(&info.type) && is_same_point(info.key, info.curve, cert);
}

static EVP_PKEY *rsa_public(const sl_cert_der_t *cert)
{
    sl_reader_t modulus, exponent;
    EVP_PKEY *key = NULL;
    RSA *rsa = NULL;
    BIGNUM *n = NULL, *e = NULL;

    if (!take_rsa_public(cert->key, &modulus, &exponent) || sl_reader_left(&modulus) > RSA_NUMBER_MAX)
        return NULL;
    n = BN_bin2bn(modulus.at, (int)sl_reader_left(&modulus), NULL);
    e = BN_bin2bn(exponent.at, (int)sl_reader_left(&exponent), NULL);
    rsa = RSA_new();
    if (n && e && rsa && RSA_set0_key(rsa, n, e, NULL)) {
        n = e = NULL;
        key = EVP_PKEY_new();
    }
    if (key && EVP_PKEY_set1_RSA(key, rsa) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    BN_free(n);
    BN_free(e);
    RSA_free(rsa);
    return key;
}

static EVP_PKEY *ec_public(const sl_cert_der_t *cert)
{
    int curve = find_curve(&cert->key_curve);
    EC_KEY *ec = curve < 0 ? NULL : EC_KEY_new_by_curve_name(curves[curve].nid);
    EVP_PKEY *key = NULL;

    if (ec && EC_KEY_oct2key(ec, cert->key.at, sl_reader_left(&cert->key), NULL) == 1)
        key = EVP_PKEY_new();
    if (key && EVP_PKEY_set1_EC_KEY(key, ec) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EC_KEY_free(ec);
    return key;
}

EVP_PKEY *sl_key_der_public(const sl_cert_der_t *cert)
{
    if (is_rsa(&cert->key_type))
        return rsa_public(cert);
    return is_ec(&cert->key_type) ? ec_public(cert) : NULL;
}

/* ---- from one form to the other ---- */

static apr_size_t head_size(apr_size_t content)
{
    return content < 0x80 ? 2 : content < 0x100 ? 3 : 4;
}

static void put_head(sl_writer_t *w, unsigned tag, apr_size_t content)
{
    sl_writer_u8(w, tag);
    if (content >= 0x100) {
        sl_writer_u8(w, 0x82);
        sl_writer_u16(w, (unsigned)content);
        return;
    }
    if (content >= 0x80)
        sl_writer_u8(w, 0x81);
    sl_writer_u8(w, (unsigned)content);
}

static void put_element(sl_writer_t *w, unsigned tag, const void *content, apr_size_t length)
{
    put_head(w, tag, length);
    if (length)
        sl_writer_bytes(w, content, length);
}

/* PrivateKeyInfo with its AlgorithmIdentifier's contents. */
static apr_size_t wrap(unsigned char *to, apr_size_t room, const sl_writer_t *algorithm, const unsigned char *der,
                       apr_size_t length)
{
    apr_size_t parts = sl_writer_length(algorithm), content = 3 + head_size(parts) + parts + head_size(length) + length;
    sl_writer_t w;

    if (content > 0xffff)
        return 0;
    sl_writer_init(&w, to, room);
    put_head(&w, SL_DER_SEQUENCE, content);
    put_element(&w, SL_DER_INTEGER, "", 1);
    put_element(&w, SL_DER_SEQUENCE, algorithm->start, parts);
    put_element(&w, SL_DER_OCTET_STRING, der, length);
    return w.failed ? 0 : sl_writer_length(&w);
}

apr_size_t sl_key_der_wrap(unsigned char *to, apr_size_t room, const unsigned char *der, apr_size_t length,
                           const char *label)
{
    unsigned char bytes[32];
    sl_reader_t file, secret, point;
    sl_writer_t algorithm;
    int curve;

    sl_writer_init(&algorithm, bytes, sizeof(bytes));
    if (!strcmp(label, "RSA PRIVATE KEY")) {
        put_element(&algorithm, SL_DER_OID, OID_RSA, sizeof(OID_RSA) - 1);
        put_element(&algorithm, 0x05, "", 0);
        return wrap(to, room, &algorithm, der, length);
    }
    sl_reader_init(&file, der, length);
    curve = strcmp(label, "EC PRIVATE KEY") ? -1 : take_ec(file, -1, &secret, &point);
    if (curve < 0)
        return 0;
    put_element(&algorithm, SL_DER_OID, OID_EC, sizeof(OID_EC) - 1);
    put_element(&algorithm, SL_DER_OID, curves[curve].oid, curves[curve].oid_length);
    return wrap(to, room, &algorithm, der, length);
}
