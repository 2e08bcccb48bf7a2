/* What a certificate or key file holds, whatever form it has.  Called by identity/loader and identity/trust.
 * pem_block takes PEM text apart, der tells what raw bytes are, sealed opens what is encrypted, key_der decodes keys,
 * file_look names what is none of these; here each element finds its place in the sl_pem_t. */
#include "crypto/pem.h"

#include "crypto/der.h"
#include "crypto/file_look.h"
#include "crypto/file_read.h"
#include "crypto/key_der.h"
#include "crypto/openssl_error.h"
#include "crypto/pem_block.h"
#include "crypto/sealed.h"

#include <apr_strings.h>
#include <openssl/cms.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <stdlib.h>
#include <string.h>

/* One call of sl_pem_read(). */
typedef struct job_t {
    sl_pem_t *pem;
    sl_pem_want_t want;
    sl_asker_t asker;
    const char *advice; /* for pem->other */
    sl_problem_t *why;
} job_t;

/* One element of the file. */
typedef struct element_t {
    const char *label;
    const unsigned char *der;
    apr_size_t length;
    const unsigned char *headers;
    apr_size_t headers_length;
} element_t;

#define MEMORY_ENDED(job) sl_problem_set((job)->why, APR_ENOMEM, (job)->asker.object, "memory ended")

static apr_status_t damaged(const job_t *job)
{
    return sl_openssl_problem(job->why, job->asker.object, "is damaged");
}

/* Takes over `cert`, which may be NULL: a decoder that failed. */
static apr_status_t keep_certificate(job_t *job, X509 *cert)
{
    if (!cert)
        return damaged(job);
    if (sk_X509_num(job->pem->certificates) < SL_PEM_ITEMS_MAX) {
        if (sk_X509_push(job->pem->certificates, cert) > 0)
            return APR_SUCCESS;
        X509_free(cert);
        return MEMORY_ENDED(job);
    }
    X509_free(cert);
    return sl_problem_set(job->why, APR_ENOSPC, job->asker.object, "holds more than %d certificates", SL_PEM_ITEMS_MAX);
}

static apr_status_t keep_crl(job_t *job, X509_CRL *crl)
{
    if (!crl)
        return damaged(job);
    if (sk_X509_CRL_num(job->pem->crls) < SL_PEM_ITEMS_MAX) {
        if (sk_X509_CRL_push(job->pem->crls, crl) > 0)
            return APR_SUCCESS;
        X509_CRL_free(crl);
        return MEMORY_ENDED(job);
    }
    X509_CRL_free(crl);
    return sl_problem_set(job->why, APR_ENOSPC, job->asker.object, "holds more than %d CRLs", SL_PEM_ITEMS_MAX);
}

static apr_status_t take_certificate(job_t *job, const element_t *element)
{
    const unsigned char *at = element->der;

    return keep_certificate(job, d2i_X509(NULL, &at, (long)element->length));
}

/* OpenSSL's own form: a certificate and, behind it, what it is trusted for. */
static apr_status_t take_trusted(job_t *job, const element_t *element)
{
    const unsigned char *at = element->der;

    return keep_certificate(job, d2i_X509_AUX(NULL, &at, (long)element->length));
}

static apr_status_t take_crl(job_t *job, const element_t *element)
{
    const unsigned char *at = element->der;

    return keep_crl(job, d2i_X509_CRL(NULL, &at, (long)element->length));
}

static apr_status_t take_pkcs7(job_t *job, const element_t *element)
{
    const unsigned char *at = element->der;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)element->length);
    STACK_OF(X509) *certificates;
    STACK_OF(X509_CRL) *crls;
    apr_status_t status = APR_SUCCESS;

    if (!cms)
        return damaged(job);
    certificates = CMS_get1_certs(cms);
    crls = CMS_get1_crls(cms);
    while (status == APR_SUCCESS && sk_X509_num(certificates) > 0)
        status = keep_certificate(job, sk_X509_shift(certificates));
    while (status == APR_SUCCESS && sk_X509_CRL_num(crls) > 0)
        status = keep_crl(job, sk_X509_CRL_shift(crls));
    sk_X509_pop_free(certificates, X509_free);
    sk_X509_CRL_pop_free(crls, X509_CRL_free);
    CMS_ContentInfo_free(cms);
    return status;
}

/* Counts a key; true when it is to be decoded. */
static int key_is_needed(job_t *job, int encrypted)
{
    int wanted = job->want == SL_PEM_CERTIFICATES ? 0 : (int)job->want;

    if (job->pem->keys++ != wanted)
        return 0;
    job->pem->key_was_encrypted = encrypted;
    return job->want != SL_PEM_CERTIFICATES;
}

static apr_status_t keep_key(job_t *job, EVP_PKEY *key)
{
    job->pem->key = key;
    return key ? APR_SUCCESS : damaged(job);
}

static apr_status_t take_pkcs8(job_t *job, const element_t *element)
{
    return key_is_needed(job, 0) ? keep_key(job, sl_key_der_pkcs8(element->der, element->length)) : APR_SUCCESS;
}

static apr_status_t take_encrypted_pkcs8(job_t *job, const element_t *element)
{
    if (!key_is_needed(job, 1))
        return APR_SUCCESS;
    return sl_sealed_pkcs8(&job->pem->key, element->der, element->length, &job->asker, job->why);
}

static int says_encrypted(const element_t *element)
{
    static const char word[] = "ENCRYPTED";

    for (apr_size_t i = 0; i + sizeof(word) - 1 <= element->headers_length; i++) {
        if (memcmp(element->headers + i, word, sizeof(word) - 1) == 0)
            return 1;
    }
    return 0;
}

static apr_status_t take_traditional(job_t *job, const element_t *element)
{
    int encrypted = says_encrypted(element);

    if (!key_is_needed(job, encrypted))
        return APR_SUCCESS;
    if (encrypted)
        return sl_sealed_traditional(&job->pem->key, element->der, element->length, element->headers,
                                     element->headers_length, element->label, &job->asker, job->why);
    return keep_key(job, sl_key_der_traditional(element->der, element->length, element->label));
}

static apr_status_t take_pkcs12(job_t *job, const element_t *element)
{
    sl_sealed_bag_t bag;
    apr_status_t status = sl_sealed_pkcs12(&bag, element->der, element->length, &job->asker, job->why);

    if (status != APR_SUCCESS)
        return status;
    if (bag.certificate)
        status = keep_certificate(job, bag.certificate);
    while (status == APR_SUCCESS && sk_X509_num(bag.others) > 0)
        status = keep_certificate(job, sk_X509_shift(bag.others));
    if (bag.key && key_is_needed(job, bag.phrase_needed)) {
        job->pem->key = bag.key;
        bag.key = NULL;
    }
    EVP_PKEY_free(bag.key);
    sk_X509_pop_free(bag.others, X509_free);
    return status;
}

static EVP_PKEY *decode_dh(const char *type, const element_t *element)
{
    EVP_PKEY *parameters = NULL;
    const unsigned char *at = element->der;
    size_t left = element->length;
    OSSL_DECODER_CTX *decoder = OSSL_DECODER_CTX_new_for_pkey(&parameters, "DER", "type-specific", type,
                                                              OSSL_KEYMGMT_SELECT_ALL_PARAMETERS, NULL, NULL);

    if (decoder && !OSSL_DECODER_from_data(decoder, &at, &left)) {
        EVP_PKEY_free(parameters);
        parameters = NULL;
    }
    OSSL_DECODER_CTX_free(decoder);
    return parameters;
}

static apr_status_t take_dh_parameters(job_t *job, const element_t *element)
{
    if (job->pem->dh_parameters)
        return APR_SUCCESS;
    job->pem->dh_parameters = decode_dh(strncmp(element->label, "X9.42", 5) == 0 ? "DHX" : "DH", element);
    return job->pem->dh_parameters ? APR_SUCCESS : damaged(job);
}

/* A named curve; curves spelt out number by number are of no use in TLS and are passed over. */
static apr_status_t take_ec_parameters(job_t *job, const element_t *element)
{
    const unsigned char *at = element->der;
    ASN1_OBJECT *curve;
    const char *name;

    if (job->pem->ec_group || (element->length && element->der[0] != SL_DER_OID))
        return APR_SUCCESS;
    curve = d2i_ASN1_OBJECT(NULL, &at, (long)element->length);
    if (!curve)
        return damaged(job);
    name = OBJ_obj2nid(curve) == NID_undef ? NULL : OBJ_nid2sn(OBJ_obj2nid(curve));
    if (name)
        job->pem->ec_group = strdup(name);
    ASN1_OBJECT_free(curve);
    return APR_SUCCESS;
}

/* Elements that are ours, and those that are known to be something else. */
static const struct {
    const char *label;
    apr_status_t (*take)(job_t *job, const element_t *element);
    const char *other, *advice;
} kinds[] = {
    {"CERTIFICATE", take_certificate, NULL, NULL},
    {"X509 CERTIFICATE", take_certificate, NULL, NULL},
    {"TRUSTED CERTIFICATE", take_trusted, NULL, NULL},
    {"X509 CRL", take_crl, NULL, NULL},
    {"PKCS7", take_pkcs7, NULL, NULL},
    {"PKCS #7 SIGNED DATA", take_pkcs7, NULL, NULL},
    {"CMS", take_pkcs7, NULL, NULL},
    {"PKCS12", take_pkcs12, NULL, NULL},
    {"PRIVATE KEY", take_pkcs8, NULL, NULL},
    {"ENCRYPTED PRIVATE KEY", take_encrypted_pkcs8, NULL, NULL},
    {"RSA PRIVATE KEY", take_traditional, NULL, NULL},
    {"EC PRIVATE KEY", take_traditional, NULL, NULL},
    {"DSA PRIVATE KEY", take_traditional, NULL, NULL},
    {"DH PARAMETERS", take_dh_parameters, NULL, NULL},
    {"X9.42 DH PARAMETERS", take_dh_parameters, NULL, NULL},
    {"EC PARAMETERS", take_ec_parameters, NULL, NULL},
    {"CERTIFICATE REQUEST", NULL, "a certificate request", "Name the certificate that the CA issued for the request"},
    {"NEW CERTIFICATE REQUEST", NULL, "a certificate request",
     "Name the certificate that the CA issued for the request"},
    {"PUBLIC KEY", NULL, "a public key", "Name the certificate, or the private key that belongs to it"},
    {"RSA PUBLIC KEY", NULL, "a public key", "Name the certificate, or the private key that belongs to it"},
    {"OPENSSH PRIVATE KEY", NULL, "an OpenSSH key", "Convert a copy of it: ssh-keygen -p -m PKCS8 -f COPY"},
    {"PGP PUBLIC KEY BLOCK", NULL, "a PGP key", NULL},
    {"PGP PRIVATE KEY BLOCK", NULL, "a PGP key", NULL},
    {"PGP MESSAGE", NULL, "a PGP message", NULL},
    {"DSA PARAMETERS", NULL, "DSA parameters", NULL},
    {"ATTRIBUTE CERTIFICATE", NULL, "an attribute certificate", NULL},
    {"SSL SESSION PARAMETERS", NULL, "a TLS session", NULL},
};

static apr_status_t take_element(job_t *job, const element_t *element)
{
    const char *other = "a PEM block of another kind", *advice = NULL;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].label, element->label) != 0)
            continue;
        if (kinds[i].take)
            return kinds[i].take(job, element);
        other = kinds[i].other;
        advice = kinds[i].advice;
        break;
    }
    if (!job->pem->other) {
        job->pem->other = other;
        job->advice = advice;
    }
    return APR_SUCCESS;
}

static int line_number(const unsigned char *text, const unsigned char *at)
{
    int line = 1;

    for (; text < at; text++) {
        if (*text == '\n')
            line++;
    }
    return line;
}

static apr_status_t read_blocks(job_t *job, const unsigned char *text, apr_size_t length)
{
    sl_reader_t reader;
    sl_pem_block_t block;
    const char *damage;
    apr_status_t status = APR_SUCCESS;
    int found;

    sl_reader_init(&reader, text, length);
    while (status == APR_SUCCESS && (found = sl_pem_block_next(&reader, &block, &damage)) != 0) {
        element_t element = {block.label, block.der, block.der_length, block.headers, block.headers_length};

        if (found > 0)
            status = take_element(job, &element);
        else
            status =
                damage ? sl_problem_set(job->why, APR_EGENERAL, job->asker.object, "%s", damage) : MEMORY_ENDED(job);
        if (status != APR_SUCCESS)
            sl_problem_while(job->why, "the %s%sPEM block that begins in line %d", block.label, *block.label ? " " : "",
                             line_number(text, block.start));
        sl_pem_block_clear(&block);
    }
    return status;
}

static int is_padding(unsigned char byte)
{
    return byte == '\0' || byte == '\n' || byte == '\r' || byte == ' ' || byte == 0x1a;
}

static apr_status_t read_der(job_t *job, const unsigned char *bytes, apr_size_t length)
{
    element_t element = {.length = 0};
    apr_status_t status = APR_SUCCESS;

    while (status == APR_SUCCESS && length > 0) {
        element.der = bytes;
        element.label = sl_der_label(bytes, length, &element.length);
        if (!element.label) {
            status = sl_problem_set(job->why, APR_EGENERAL, job->asker.object, "is damaged behind its beginning");
            break;
        }
        status = take_element(job, &element);
        bytes += element.length;
        length -= element.length;
        while (length > 0 && is_padding(*bytes)) {
            bytes++;
            length--;
        }
    }
    return status;
}

/* DER in base64 without the PEM lines around it. -1 if the file is not that. */
static apr_status_t read_bare_base64(job_t *job, const unsigned char *text, apr_size_t length)
{
    apr_size_t size = length / 4 * 3 + 3, der_length, first;
    unsigned char *der = OPENSSL_malloc(size);
    apr_status_t status = APR_NOTFOUND;

    if (!der)
        return MEMORY_ENDED(job);
    if (sl_base64_decode(der, &der_length, text, length) && sl_der_label(der, der_length, &first))
        status = read_der(job, der, der_length);
    OPENSSL_clear_free(der, size);
    return status;
}

/* The advice of a look may name the file once. */
static void advise_from_look(const job_t *job, const char *advice)
{
    const char *name = advice ? strstr(advice, "%s") : NULL;

    if (name)
        sl_problem_advise(job->why, "%.*s%s%s", (int)(name - advice), advice, job->asker.object, name + 2);
    else if (advice)
        sl_problem_advise(job->why, "%s", advice);
}

static apr_status_t looks_wrong(const job_t *job, const unsigned char *bytes, apr_size_t length)
{
    const sl_file_look_t *look = sl_file_look(bytes, length);
    apr_status_t status = sl_problem_set(job->why, APR_EGENERAL, job->asker.object, "%s", look->what);

    advise_from_look(job, look->advice);
    return status;
}

static apr_status_t read_any_form(job_t *job, const unsigned char *bytes, apr_size_t length)
{
    apr_size_t first;
    apr_status_t status;

    if (length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        bytes += 3;
        length -= 3;
    }
    if (sl_der_label(bytes, length, &first))
        return read_der(job, bytes, length);
    if (sl_pem_block_any(bytes, length))
        return read_blocks(job, bytes, length);
    status = length ? read_bare_base64(job, bytes, length) : APR_NOTFOUND;
    return status == APR_NOTFOUND ? looks_wrong(job, bytes, length) : status;
}

static int is_useless(const sl_pem_t *pem)
{
    return sk_X509_num(pem->certificates) == 0 && sk_X509_CRL_num(pem->crls) == 0 && pem->keys == 0 &&
           !pem->dh_parameters && !pem->ec_group;
}

static apr_status_t check_use(const job_t *job)
{
    apr_status_t status;

    if (!is_useless(job->pem))
        return APR_SUCCESS;
    status = sl_problem_set(job->why, APR_EGENERAL, job->asker.object, "holds %s, and neither certificate nor key",
                            job->pem->other ? job->pem->other : "nothing of use");
    if (job->advice)
        sl_problem_advise(job->why, "%s", job->advice);
    return status;
}

apr_status_t sl_pem_read(sl_pem_t *pem, const unsigned char *bytes, apr_size_t length, const char *object,
                         sl_pem_want_t want, sl_pem_passphrase_t passphrase, void *baton, sl_problem_t *why)
{
    job_t job = {pem, want, {passphrase, baton, object}, NULL, why};
    apr_status_t status;

    memset(pem, 0, sizeof(*pem));
    sl_openssl_error_clear();
    if (length > SL_PEM_BYTES_MAX)
        return sl_problem_set(why, APR_ENOSPC, object, "is too large (more than %d MiB)", SL_PEM_BYTES_MAX >> 20);
    pem->certificates = sk_X509_new_null();
    pem->crls = sk_X509_CRL_new_null();
    status = pem->certificates && pem->crls ? read_any_form(&job, bytes, length) : MEMORY_ENDED(&job);
    if (status == APR_SUCCESS)
        status = check_use(&job);
    if (status != APR_SUCCESS)
        sl_pem_clear(pem);
    sl_openssl_error_clear();
    return status;
}

apr_status_t sl_pem_read_file(sl_pem_t *pem, const char *path, sl_pem_want_t want, sl_pem_passphrase_t passphrase,
                              void *baton, sl_problem_t *why)
{
    sl_file_t file;
    apr_status_t status = sl_file_read(&file, path, SL_PEM_BYTES_MAX, why);

    memset(pem, 0, sizeof(*pem));
    if (status != APR_SUCCESS)
        return status;
    status = sl_pem_read(pem, file.bytes, file.length, path, want, passphrase, baton, why);
    sl_file_clear(&file);
    return status;
}

STACK_OF(X509) *sl_pem_read_certificates(const char *path, const sl_origin_t *origin, sl_problems_t *problems)
{
    sl_problem_t *why = sl_problems_new(problems, origin);
    STACK_OF(X509) *certificates = NULL;
    sl_pem_t pem;

    if (sl_pem_read_file(&pem, path, SL_PEM_CERTIFICATES, NULL, NULL, why) == APR_SUCCESS) {
        if (sk_X509_num(pem.certificates)) {
            certificates = pem.certificates;
            pem.certificates = NULL;
        }
        else {
            sl_problem_set(why, APR_EINVAL, path, "holds no certificate");
        }
        sl_pem_clear(&pem);
    }
    sl_problems_keep(problems, why, SL_PROBLEM_ERROR);
    return certificates;
}

void sl_pem_clear(sl_pem_t *pem)
{
    sk_X509_pop_free(pem->certificates, X509_free);
    sk_X509_CRL_pop_free(pem->crls, X509_CRL_free);
    EVP_PKEY_free(pem->key);
    EVP_PKEY_free(pem->dh_parameters);
    free(pem->ec_group);
    memset(pem, 0, sizeof(*pem));
}

static const char *counted(apr_pool_t *pool, int count, const char *one, const char *many)
{
    return count == 1 ? one : apr_psprintf(pool, "%d %s", count, many);
}

const char *sl_pem_describe(const sl_pem_t *pem, apr_pool_t *pool)
{
    const char *parts[6], *text;
    int n = 0;

    if (sk_X509_num(pem->certificates) > 0)
        parts[n++] = counted(pool, sk_X509_num(pem->certificates), "a certificate", "certificates");
    if (pem->keys)
        parts[n++] = counted(pool, pem->keys, "a private key", "private keys");
    if (sk_X509_CRL_num(pem->crls) > 0)
        parts[n++] = counted(pool, sk_X509_CRL_num(pem->crls), "a CRL", "CRLs");
    if (pem->dh_parameters)
        parts[n++] = "DH parameters";
    if (pem->ec_group)
        parts[n++] = "EC parameters";
    if (pem->other)
        parts[n++] = pem->other;
    text = n ? parts[0] : "nothing";
    for (int i = 1; i < n; i++)
        text = apr_pstrcat(pool, text, i == n - 1 ? " and " : ", ", parts[i], NULL);
    return text;
}
