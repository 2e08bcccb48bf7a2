/* Certificates as text: DN, SAN, serial, dates, algorithms, PEM and extensions in the formats that scripts written
 * for mod_ssl expect. Called by the variables of a connection, by messages about identities, and by nobody else. */
#include "crypto/cert_text.h"

#include "base/text.h"
#include "crypto/openssl_compat.h"

#include <apr_strings.h>
#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#define LOGGED_DN_MAX 300
#define DNS_SRV_OID "1.3.6.1.5.5.7.8.7"

static int dns_srv_nid = NID_undef;

void sl_cert_text_init(void)
{
    if (dns_srv_nid != NID_undef)
        return;
    dns_srv_nid = OBJ_txt2nid(DNS_SRV_OID); /* another module may have been first */
    if (dns_srv_nid == NID_undef)
        dns_srv_nid = OBJ_create(DNS_SRV_OID, "id-on-dnsSRV", "SRVName otherName form");
}

/* What was written to `bio`, as a string of the pool; frees `bio`. NULL for a NULL bio. */
static char *take_text(apr_pool_t *pool, BIO *bio)
{
    char *bytes, *text = NULL;
    long length;

    if (!bio)
        return NULL;
    length = BIO_get_mem_data(bio, &bytes);
    if (length >= 0)
        text = apr_pstrmemdup(pool, length ? bytes : "", (apr_size_t)length);
    BIO_free(bio);
    return text;
}

static BIO *text_bio(void)
{
    return BIO_new(BIO_s_mem());
}

static const X509_NAME *name_of(X509 *cert, sl_dn_t which)
{
    return which == SL_DN_SUBJECT ? X509_get_subject_name(cert) : X509_get_issuer_name(cert);
}

static const char *name_text(apr_pool_t *pool, const X509_NAME *name, unsigned long flags)
{
    BIO *bio = text_bio();

    if (bio)
        X509_NAME_print_ex(bio, name, 0, flags);
    return take_text(pool, bio);
}

const char *sl_cert_text_dn(apr_pool_t *pool, X509 *cert, sl_dn_t which, int legacy)
{
    const X509_NAME *name = name_of(cert, which);
    char *line;
    const char *text;

    if (!legacy)
        return name_text(pool, name, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    line = X509_NAME_oneline(name, NULL, 0);
    text = line ? apr_pstrdup(pool, line) : NULL;
    OPENSSL_free(line);
    return text;
}

const char *sl_cert_text_dn_for_log(apr_pool_t *pool, X509 *cert, sl_dn_t which)
{
    const char *text = sl_cert_text_dn(pool, cert, which, 0);

    return text ? sl_text_escape(pool, text, strlen(text), LOGGED_DN_MAX) : "?";
}

/* Index of the `index`-th entry with `nid`, negative if there are fewer. */
static int entry_position(const X509_NAME *name, int nid, int index)
{
    int at = X509_NAME_get_index_by_NID(name, nid, -1);

    while (at >= 0 && index-- > 0)
        at = X509_NAME_get_index_by_NID(name, nid, at);
    return at;
}

static const char *string_text(apr_pool_t *pool, const ASN1_STRING *string, unsigned long flags)
{
    BIO *bio = text_bio();

    if (bio && ASN1_STRING_print_ex(bio, string, flags) < 0) {
        BIO_free(bio);
        return NULL;
    }
    return take_text(pool, bio);
}

static const char *entry_text(apr_pool_t *pool, const X509_NAME *name, int at, int raw)
{
    return string_text(pool, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)),
                       raw ? ASN1_STRFLGS_ESC_CTRL : ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_UTF8_CONVERT);
}

const char *sl_cert_text_dn_part(apr_pool_t *pool, X509 *cert, sl_dn_t which, int nid, int index, int raw)
{
    const X509_NAME *name = name_of(cert, which);
    int at = entry_position(name, nid, index);

    return at < 0 ? NULL : entry_text(pool, name, at, raw);
}

apr_array_header_t *sl_cert_text_dn_parts(apr_pool_t *pool, X509 *cert, sl_dn_t which, int nid)
{
    const X509_NAME *name = name_of(cert, which);
    apr_array_header_t *texts = apr_array_make(pool, 2, sizeof(const char *));
    int at = -1;

    while ((at = X509_NAME_get_index_by_NID(name, nid, at)) >= 0) {
        const char *text = entry_text(pool, name, at, 0);

        APR_ARRAY_PUSH(texts, const char *) = text ? text : "";
    }
    return texts;
}

int sl_cert_text_dn_count(X509 *cert, sl_dn_t which, int nid)
{
    const X509_NAME *name = name_of(cert, which);
    int at = -1, count = 0;

    while ((at = X509_NAME_get_index_by_NID(name, nid, at)) >= 0)
        count++;
    return count;
}

static const char *ip_text(apr_pool_t *pool, const ASN1_OCTET_STRING *address)
{
    char text[INET6_ADDRSTRLEN];
    int length = ASN1_STRING_length(address);

    if (length != 4 && length != 16)
        return NULL;
    if (!inet_ntop(length == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text, sizeof(text)))
        return NULL;
    return apr_pstrdup(pool, text);
}

/* UTF-8; control characters and NUL bytes come out as \0A and \00, so that nothing is cut short unseen. */
static const char *plain_text(apr_pool_t *pool, const ASN1_STRING *string)
{
    return string_text(pool, string, ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_UTF8_CONVERT);
}

static const char *other_name_text(apr_pool_t *pool, const OTHERNAME *other, int nid, int type)
{
    if (nid == NID_undef || OBJ_obj2nid(other->type_id) != nid || ASN1_TYPE_get(other->value) != type)
        return NULL;
    return plain_text(pool, type == V_ASN1_UTF8STRING ? other->value->value.utf8string : other->value->value.ia5string);
}

static const char *general_name_text(apr_pool_t *pool, const GENERAL_NAME *name, sl_san_t kind)
{
    switch (kind) {
    case SL_SAN_EMAIL:
        return name->type == GEN_EMAIL ? plain_text(pool, name->d.rfc822Name) : NULL;
    case SL_SAN_DNS:
        return name->type == GEN_DNS ? plain_text(pool, name->d.dNSName) : NULL;
    case SL_SAN_URI:
        return name->type == GEN_URI ? plain_text(pool, name->d.uniformResourceIdentifier) : NULL;
    case SL_SAN_IP:
        return name->type == GEN_IPADD ? ip_text(pool, name->d.iPAddress) : NULL;
    case SL_SAN_MSUPN:
        return name->type == GEN_OTHERNAME ? other_name_text(pool, name->d.otherName, NID_ms_upn, V_ASN1_UTF8STRING)
                                           : NULL;
    case SL_SAN_DNSSRV:
        return name->type == GEN_OTHERNAME ? other_name_text(pool, name->d.otherName, dns_srv_nid, V_ASN1_IA5STRING)
                                           : NULL;
    }
    return NULL;
}

apr_array_header_t *sl_cert_text_san(apr_pool_t *pool, X509 *cert, sl_san_t kind)
{
    apr_array_header_t *texts = apr_array_make(pool, 4, sizeof(const char *));
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const char *text = general_name_text(pool, sk_GENERAL_NAME_value(names, i), kind);

        if (text)
            APR_ARRAY_PUSH(texts, const char *) = text;
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return texts;
}

const char *sl_cert_text_version(apr_pool_t *pool, X509 *cert)
{
    return apr_ltoa(pool, X509_get_version(cert) + 1);
}

const char *sl_cert_text_serial(apr_pool_t *pool, X509 *cert)
{
    BIO *bio = text_bio();

    if (bio)
        i2a_ASN1_INTEGER(bio, X509_get0_serialNumber(cert));
    return take_text(pool, bio);
}

static const char *time_text(apr_pool_t *pool, const ASN1_TIME *time)
{
    BIO *bio = text_bio();

    if (bio)
        ASN1_TIME_print(bio, time);
    return take_text(pool, bio);
}

const char *sl_cert_text_not_before(apr_pool_t *pool, X509 *cert)
{
    return time_text(pool, X509_get0_notBefore(cert));
}

const char *sl_cert_text_not_after(apr_pool_t *pool, X509 *cert)
{
    return time_text(pool, X509_get0_notAfter(cert));
}

const char *sl_cert_text_remain(apr_pool_t *pool, X509 *cert, apr_int64_t now)
{
    apr_int64_t left = sl_cert_not_after(cert) - now;

    return apr_psprintf(pool, "%" APR_INT64_T_FMT, left > 0 ? left / 86400 : (apr_int64_t)0);
}

static const char *algorithm_text(int nid)
{
    const char *name = nid == NID_undef ? NULL : OBJ_nid2ln(nid);

    return name ? name : "UNKNOWN";
}

const char *sl_cert_text_signature_algorithm(apr_pool_t *pool, X509 *cert)
{
    (void)pool;
    return algorithm_text(X509_get_signature_nid(cert));
}

const char *sl_cert_text_key_algorithm(apr_pool_t *pool, X509 *cert)
{
    ASN1_OBJECT *algorithm = NULL;

    (void)pool;
    if (!X509_PUBKEY_get0_param(&algorithm, NULL, NULL, NULL, X509_get_X509_PUBKEY(cert)))
        return "UNKNOWN";
    return algorithm_text(OBJ_obj2nid(algorithm));
}

const char *sl_cert_text_pem_of(apr_pool_t *pool, const unsigned char *der, apr_size_t length)
{
    BIO *bio = text_bio();

    if (bio && PEM_write_bio(bio, PEM_STRING_X509, "", der, (long)length) <= 0) {
        BIO_free(bio);
        return NULL;
    }
    return take_text(pool, bio);
}

const char *sl_cert_text_pem(apr_pool_t *pool, X509 *cert)
{
    unsigned char *der = NULL;
    int length = i2d_X509(cert, &der);
    const char *text = length > 0 ? sl_cert_text_pem_of(pool, der, (apr_size_t)length) : NULL;

    OPENSSL_free(der);
    return text;
}

const char *sl_cert_text_base64(apr_pool_t *pool, X509 *cert)
{
    unsigned char *der = NULL;
    int length = i2d_X509(cert, &der);
    char *text;

    if (length <= 0)
        return NULL;
    text = apr_palloc(pool, ((apr_size_t)length + 2) / 3 * 4 + 1);
    EVP_EncodeBlock((unsigned char *)text, der, length);
    OPENSSL_free(der);
    return text;
}

const char *sl_cert_text_sha256(apr_pool_t *pool, X509 *cert)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length;

    if (!X509_digest(cert, EVP_sha256(), digest, &length))
        return NULL;
    return sl_text_hex(pool, digest, length);
}

static const char *decimal_text(apr_pool_t *pool, const ASN1_INTEGER *integer)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(integer, NULL);
    char *digits = number ? BN_bn2dec(number) : NULL;
    const char *text = digits ? apr_pstrdup(pool, digits) : NULL;

    OPENSSL_free(digits);
    BN_free(number);
    return text;
}

const char *sl_cert_text_exact_assertion(apr_pool_t *pool, X509 *cert)
{
    const char *serial = decimal_text(pool, X509_get0_serialNumber(cert));
    const char *issuer = name_text(pool, X509_get_issuer_name(cert), XN_FLAG_RFC2253);

    if (!serial || !issuer)
        return NULL;
    return apr_pstrcat(pool, "{ serialNumber ", serial, ", issuer rdnSequence:\"", issuer, "\" }", NULL);
}

/* The value of an extension OpenSSL has no printer for, if it is a string all the same. One with a NUL inside is left
 * out: cut short, it could be taken for another. */
static const char *string_extension_text(apr_pool_t *pool, const ASN1_OCTET_STRING *value)
{
    const unsigned char *at = ASN1_STRING_get0_data(value);
    ASN1_TYPE *any = d2i_ASN1_TYPE(NULL, &at, ASN1_STRING_length(value));
    int type = any ? ASN1_TYPE_get(any) : V_ASN1_UNDEF;
    const char *text = NULL;
    unsigned char *utf8;
    int length;

    if (type == V_ASN1_UTF8STRING || type == V_ASN1_IA5STRING || type == V_ASN1_VISIBLESTRING ||
        type == V_ASN1_BMPSTRING) {
        length = ASN1_STRING_to_UTF8(&utf8, any->value.asn1_string);
        if (length >= 0 && !memchr(utf8, '\0', (size_t)length))
            text = apr_pstrmemdup(pool, (const char *)utf8, (apr_size_t)length);
        if (length >= 0)
            OPENSSL_free(utf8);
    }
    ASN1_TYPE_free(any);
    return text;
}

static const char *extension_text(apr_pool_t *pool, X509_EXTENSION *extension)
{
    BIO *bio = text_bio();

    if (bio && X509V3_EXT_print(bio, extension, 0, 0) == 1)
        return take_text(pool, bio);
    BIO_free(bio);
    return string_extension_text(pool, X509_EXTENSION_get_data(extension));
}

apr_array_header_t *sl_cert_text_extensions(apr_pool_t *pool, X509 *cert, const char *oid)
{
    ASN1_OBJECT *wanted = OBJ_txt2obj(oid, 0);
    apr_array_header_t *texts = NULL;
    int at = -1;

    while (wanted && (at = X509_get_ext_by_OBJ(cert, wanted, at)) >= 0) {
        /* X509_get_ext() gives a const pointer in newer versions, and older printers do not take one. */
        const char *text = extension_text(pool, (X509_EXTENSION *)X509_get_ext(cert, at));

        if (!text)
            continue;
        if (!texts)
            texts = apr_array_make(pool, 2, sizeof(const char *));
        APR_ARRAY_PUSH(texts, const char *) = text;
    }
    ASN1_OBJECT_free(wanted);
    ERR_clear_error();
    return texts;
}

apr_int64_t sl_cert_not_before(X509 *cert)
{
    apr_int64_t seconds;

    return sl_openssl_time(X509_get0_notBefore(cert), &seconds) ? seconds : 0;
}

apr_int64_t sl_cert_not_after(X509 *cert)
{
    apr_int64_t seconds;

    return sl_openssl_time(X509_get0_notAfter(cert), &seconds) ? seconds : 0;
}

/* A key that could not be decoded with the certificate stays away. If it can be decoded now, memory had ended. */
static int has_lost_key(X509 *cert)
{
    unsigned char *der = NULL;
    const unsigned char *at;
    int length, lost;
    EVP_PKEY *key;

    if (X509_get0_pubkey(cert))
        return 0;
    length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    at = der;
    key = length > 0 ? d2i_PUBKEY(NULL, &at, length) : NULL;
    lost = !der || key;
    EVP_PKEY_free(key);
    OPENSSL_free(der);
    return lost;
}

int sl_cert_settle(X509 *cert)
{
    int is_whole;
    unsigned long code;

    ERR_clear_error();
    (void)X509_check_purpose(cert, -1, 0);
    is_whole = !has_lost_key(cert);
    while ((code = ERR_get_error()) != 0) {
        if (!ERR_SYSTEM_ERROR(code) && ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
            is_whole = 0;
    }
    return is_whole;
}

X509 *sl_cert_issuer_among(const STACK_OF(X509) *certs, X509 *cert)
{
    for (int i = 0; i < sk_X509_num(certs); i++) {
        X509 *issuer = sk_X509_value(certs, i);

        if (issuer != cert && X509_check_issued(issuer, cert) == X509_V_OK)
            return issuer;
    }
    return NULL;
}
