/* Facts of certificates compared; see cert_facts.h. */
#include "cert_facts.h"

#include "base/text.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#define NAMES_MAX 65536

static int is_same(const sl_reader_t *bytes, const void *expected, size_t length)
{
    return sl_reader_left(bytes) == length && (!length || memcmp(bytes->at, expected, length) == 0);
}

static int is_string(const sl_reader_t *bytes, const ASN1_STRING *expected)
{
    if (!expected)
        return !sl_reader_left(bytes);
    return is_same(bytes, ASN1_STRING_get0_data(expected), (size_t)ASN1_STRING_length(expected));
}

static int is_object(const sl_reader_t *bytes, const ASN1_OBJECT *expected)
{
    return is_same(bytes, OBJ_get0_data(expected), OBJ_length(expected));
}

/* The content of an element, which is all of `der`. */
static int is_content(const sl_reader_t *bytes, const unsigned char *der, size_t length)
{
    long content;
    int tag, class;

    return !(ASN1_get_object(&der, &content, &tag, &class, (long)length) & 0x80) &&
           is_same(bytes, der, (size_t)content);
}

static int is_name(const sl_reader_t *bytes, const X509_NAME *expected)
{
    const unsigned char *der;
    size_t length;

    return X509_NAME_get0_der((X509_NAME *)expected, &der, &length) == 1 && is_content(bytes, der, length);
}

static int is_time(apr_int64_t seconds, const ASN1_TIME *expected)
{
    struct tm parts;

    return ASN1_TIME_to_tm(expected, &parts) == 1 && timegm(&parts) == seconds;
}

static int is_key(const sl_cert_der_t *facts, X509 *cert)
{
    const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(cert);
    X509_ALGOR *algorithm;
    ASN1_OBJECT *type;
    const void *parameter;
    int kind;

    if (X509_PUBKEY_get0_param(&type, NULL, NULL, &algorithm, X509_get_X509_PUBKEY(cert)) != 1)
        return 0;
    X509_ALGOR_get0(NULL, &kind, &parameter, algorithm);
    return is_object(&facts->key_type, type) &&
           (kind == V_ASN1_OBJECT ? is_object(&facts->key_curve, parameter) : !sl_reader_left(&facts->key_curve)) &&
           is_string(&facts->key, bits);
}

static int is_signature(const sl_cert_der_t *facts, X509 *cert)
{
    const X509_ALGOR *algorithm;
    const ASN1_OBJECT *type;
    int digest;

    X509_get0_signature(NULL, &algorithm, cert);
    X509_ALGOR_get0(&type, NULL, NULL, algorithm);
    if (!is_object(&facts->signature, type))
        return 0;
    if (!sl_cert_der_is_well_signed(facts) || !X509_get_signature_info(cert, &digest, NULL, NULL, NULL))
        return 1;
    return digest == NID_sha256 || digest == NID_sha384 || digest == NID_sha512 || digest == NID_undef;
}

static int has(X509 *cert, int nid)
{
    return X509_get_ext_by_NID(cert, nid, -1) >= 0;
}

/* 1: it is there and OpenSSL can read it; 0: it is not there; -1: it can't be read. */
static int decode(X509 *cert, int nid, void **value)
{
    int critical = -1;

    *value = X509_get_ext_d2i(cert, nid, &critical, NULL);
    return *value ? 1 : critical == -1 ? 0 : -1;
}

static int is_ca(const sl_cert_der_t *facts, X509 *cert)
{
    void *constraints;
    int found = decode(cert, NID_basic_constraints, &constraints);
    int same = found < 0 || facts->is_ca == (found && ((BASIC_CONSTRAINTS *)constraints)->ca);

    BASIC_CONSTRAINTS_free(constraints);
    return same;
}

static int is_signer(const sl_cert_der_t *facts, X509 *cert)
{
    void *usage;
    int found = decode(cert, NID_key_usage, &usage);
    int same = found < 0 || facts->is_no_signer == (found && !ASN1_BIT_STRING_get_bit(usage, 5));

    ASN1_BIT_STRING_free(usage);
    return same;
}

static int is_subject_key(const sl_cert_der_t *facts, X509 *cert)
{
    void *identifier;
    int same = decode(cert, NID_subject_key_identifier, &identifier) < 0 || is_string(&facts->subject_key, identifier);

    ASN1_OCTET_STRING_free(identifier);
    return same;
}

static int is_issuer_key(const sl_cert_der_t *facts, X509 *cert)
{
    void *value;
    int found = decode(cert, NID_authority_key_identifier, &value);
    const AUTHORITY_KEYID *identifier = value;
    int same = found <= 0 ? found < 0 || (!sl_reader_left(&facts->issuer_key) && !facts->names_issuer)
                          : is_string(&facts->issuer_key, identifier->keyid) &&
                                facts->names_issuer == (identifier->issuer || identifier->serial);

    AUTHORITY_KEYID_free(value);
    return same;
}

/* The names, put together from what OpenSSL decoded. */
static size_t collect(const GENERAL_NAMES *all, char *names)
{
    size_t used = 0;

    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
        const ASN1_IA5STRING *text = name->type == GEN_DNS ? name->d.dNSName : NULL;
        size_t length = text ? (size_t)ASN1_STRING_length(text) : 0;
        char host[SL_HOST_MAX + 1];

        if (!length || ASN1_STRING_get0_data(text)[length - 1] == '.' ||
            !sl_text_host(host, ASN1_STRING_get0_data(text), length))
            continue;
        memcpy(names + used, host, strlen(host) + 1);
        used += strlen(host) + 1;
    }
    names[used] = '\0';
    return used ? used + 1 : 0;
}

static int are_names(const sl_cert_der_t *facts, X509 *cert)
{
    static char ours[NAMES_MAX], theirs[NAMES_MAX];
    size_t used = sl_cert_der_names(facts, ours, sizeof(ours));
    void *all;
    int found = decode(cert, NID_subject_alt_name, &all), same;

    if (!used || found <= 0)
        same = !used; /* not told is fine; told must be what OpenSSL reads */
    else
        same = collect(all, theirs) == used && memcmp(ours, theirs, used) == 0;
    GENERAL_NAMES_free(all);
    return same;
}

static int is_responder(const sl_cert_der_t *facts, X509 *cert)
{
    STACK_OF(OPENSSL_STRING) *urls = X509_get1_ocsp(cert);
    const char *first = NULL;
    sl_reader_t url;
    int has_one = sl_cert_der_responder(facts, &url), same;

    for (int i = 0; i < sk_OPENSSL_STRING_num(urls) && !first; i++) {
        const char *text = sk_OPENSSL_STRING_value(urls, i);

        first = sl_text_is_web(text, strlen(text)) ? text : NULL;
    }
    same = has_one == (first != NULL) && (!first || is_same(&url, first, strlen(first)));
    X509_email_free(urls);
    return same;
}

const char *cert_facts_difference(const sl_cert_der_t *facts, X509 *cert)
{
    const char *what = !is_name(&facts->issuer, X509_get_issuer_name(cert))     ? "issuer"
                       : !is_name(&facts->subject, X509_get_subject_name(cert)) ? "subject"
                       : !is_time(facts->not_before, X509_get0_notBefore(cert)) ? "not_before"
                       : !is_time(facts->not_after, X509_get0_notAfter(cert))   ? "not_after"
                       : !is_key(facts, cert)                                   ? "key"
                       : !is_signature(facts, cert)                             ? "signature"
                       : !is_ca(facts, cert)                                    ? "is_ca"
                       : !is_signer(facts, cert)                                ? "is_no_signer"
                       : !is_subject_key(facts, cert)                           ? "subject_key"
                       : !is_issuer_key(facts, cert)                            ? "issuer_key"
                       : facts->has_features != has(cert, NID_tlsfeature)       ? "has_features"
                       : !are_names(facts, cert)                                ? "names"
                       : !is_responder(facts, cert)                             ? "responder"
                                                                                : NULL;

    ERR_clear_error();
    return what;
}
