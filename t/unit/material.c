/* Test material made through OpenSSL's API; see material.h. */
#include "material.h"

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_strings.h>
#include <apr_time.h>
#include <openssl/bn.h>
#include <openssl/dsa.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CACHED_KEYS 16

#define MUST(condition) must((condition) != 0, #condition, __LINE__)

static void must(int ok, const char *what, int line)
{
    if (ok)
        return;
    fprintf(stderr, "material.c:%d: %s\n", line, what);
    ERR_print_errors_fp(stderr);
    abort();
}

static apr_status_t free_key(void *key)
{
    EVP_PKEY_free(key);
    return APR_SUCCESS;
}

static apr_status_t free_cert(void *cert)
{
    X509_free(cert);
    return APR_SUCCESS;
}

static apr_status_t free_crl(void *crl)
{
    X509_CRL_free(crl);
    return APR_SUCCESS;
}

static apr_status_t free_stack(void *stack)
{
    sk_X509_free(stack);
    return APR_SUCCESS;
}

static EVP_PKEY *own_key(apr_pool_t *pool, EVP_PKEY *key)
{
    if (key)
        apr_pool_cleanup_register(pool, key, free_key, apr_pool_cleanup_null);
    return key;
}

apr_int64_t material_now(void)
{
    return apr_time_sec(apr_time_now());
}

static EVP_PKEY *generate_dsa(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
    EVP_PKEY *parameters = NULL, *key = NULL;

    MUST(ctx && EVP_PKEY_paramgen_init(ctx) > 0 && EVP_PKEY_CTX_set_dsa_paramgen_bits(ctx, 1024) > 0);
    MUST(EVP_PKEY_paramgen(ctx, &parameters) > 0);
    EVP_PKEY_CTX_free(ctx);
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, parameters, NULL);
    MUST(ctx && EVP_PKEY_keygen_init(ctx) > 0 && EVP_PKEY_keygen(ctx, &key) > 0);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(parameters);
    return key;
}

static EVP_PKEY *generate(const char *type)
{
    EVP_PKEY_CTX *ctx;
    EVP_PKEY *key = NULL;

    if (strcmp(type, "DSA") == 0)
        return generate_dsa();
    if (strncmp(type, "RSA", 3) == 0) {
        int pss = strcmp(type, "RSA-PSS") == 0;
        int bits = !pss && type[3] == '-' ? atoi(type + 4) : 2048;

        ctx = EVP_PKEY_CTX_new_from_name(NULL, pss ? "RSA-PSS" : "RSA", NULL);
        MUST(ctx && EVP_PKEY_keygen_init(ctx) > 0 && EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, bits) > 0 &&
             EVP_PKEY_keygen(ctx, &key) > 0);
        EVP_PKEY_CTX_free(ctx);
        return key;
    }
    if (OBJ_sn2nid(type) != NID_undef || EC_curve_nist2nid(type) != NID_undef)
        key = EVP_EC_gen(type);
    if (!key && (ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL)) != NULL) {
        if (EVP_PKEY_keygen_init(ctx) <= 0 || EVP_PKEY_keygen(ctx, &key) <= 0)
            key = NULL;
        EVP_PKEY_CTX_free(ctx);
    }
    ERR_clear_error();
    return key;
}

EVP_PKEY *material_new_key(apr_pool_t *pool, const char *type)
{
    return own_key(pool, generate(type));
}

static struct {
    char type[16];
    EVP_PKEY *key;
} cached[CACHED_KEYS];

static void free_cached(void)
{
    for (int i = 0; i < CACHED_KEYS; i++)
        EVP_PKEY_free(cached[i].key);
}

EVP_PKEY *material_key(apr_pool_t *pool, const char *type)
{
    if (strncmp(type, "RSA", 3) != 0 && strcmp(type, "DSA") != 0)
        return material_new_key(pool, type);
    for (int i = 0; i < CACHED_KEYS; i++) {
        if (!cached[i].key) {
            if (i == 0)
                atexit(free_cached);
            apr_cpystrn(cached[i].type, type, sizeof(cached[i].type));
            cached[i].key = generate(type);
        }
        if (strcmp(cached[i].type, type) != 0)
            continue;
        MUST(EVP_PKEY_up_ref(cached[i].key));
        return own_key(pool, cached[i].key);
    }
    return material_new_key(pool, type);
}

static X509_NAME *parse_name(const char *text)
{
    X509_NAME *name = X509_NAME_new();

    while (*text) {
        int same_rdn = *text++ == '+' ? -1 : 0;
        const char *equals = strchr(text, '='), *end;
        char type[64];

        MUST(equals && (size_t)(equals - text) < sizeof(type));
        memcpy(type, text, (size_t)(equals - text));
        type[equals - text] = '\0';
        end = equals + 1 + strcspn(equals + 1, "/+");
        MUST(X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8, (const unsigned char *)equals + 1,
                                        (int)(end - equals - 1), -1, same_rdn));
        text = end;
    }
    return name;
}

static void set_time(ASN1_TIME *to, apr_int64_t seconds, apr_int64_t otherwise)
{
    MUST(ASN1_TIME_adj(to, 0, 0, (long)(seconds ? seconds : otherwise)));
}

static void set_serial(X509 *cert, const char *text)
{
    BIGNUM *number = NULL;
    ASN1_INTEGER *serial;

    if (!text) {
        number = BN_new();
        MUST(BN_rand(number, 63, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY));
    }
    else if (strncmp(text, "0x", 2) == 0) {
        MUST(BN_hex2bn(&number, text + 2));
    }
    else {
        MUST(BN_dec2bn(&number, text));
    }
    serial = BN_to_ASN1_INTEGER(number, NULL);
    MUST(X509_set_serialNumber(cert, serial));
    ASN1_INTEGER_free(serial);
    BN_free(number);
}

static void add_extension(X509 *cert, X509 *issuer, const char *name, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509V3_set_ctx_nodb(&ctx);
    extension = X509V3_EXT_conf(NULL, &ctx, (char *)name, (char *)value);
    MUST(extension && X509_add_ext(cert, extension, -1));
    X509_EXTENSION_free(extension);
}

static void add_extensions(X509 *cert, X509 *issuer, const material_cert_t *what)
{
    if (what->ca) {
        add_extension(cert, issuer, "basicConstraints", "critical,CA:TRUE");
        add_extension(cert, issuer, "keyUsage", "critical,keyCertSign,cRLSign,digitalSignature");
    }
    add_extension(cert, issuer, "subjectKeyIdentifier", "hash");
    if (issuer != cert)
        add_extension(cert, issuer, "authorityKeyIdentifier", "keyid:always");
    if (what->san)
        add_extension(cert, issuer, "subjectAltName", what->san);
    for (const char *const *at = what->extensions; at && *at; at += 2)
        add_extension(cert, issuer, at[0], at[1]);
}

/* Ed25519, Ed448 and ML-DSA bring their own digest and take no other. */
static const EVP_MD *digest_for(EVP_PKEY *key, const char *name)
{
    if (!EVP_PKEY_is_a(key, "RSA") && !EVP_PKEY_is_a(key, "RSA-PSS") && !EVP_PKEY_is_a(key, "EC") &&
        !EVP_PKEY_is_a(key, "DSA"))
        return NULL;
    return EVP_get_digestbyname(name ? name : "SHA256");
}

/* The certificate as whoever reads it gets it: sets sorted, nothing left of how it was put together. */
static X509 *as_read(X509 *made)
{
    unsigned char *der = NULL;
    int length = i2d_X509(made, &der);
    const unsigned char *at = der;
    X509 *cert = length > 0 ? d2i_X509(NULL, &at, length) : NULL;

    MUST(cert);
    OPENSSL_free(der);
    X509_free(made);
    return cert;
}

X509 *material_cert(apr_pool_t *pool, const material_cert_t *what, EVP_PKEY *key, const material_pair_t *issuer)
{
    X509 *cert = X509_new();
    X509_NAME *parsed = what->subject_name ? NULL : parse_name(what->subject ? what->subject : "/CN=test");
    const X509_NAME *subject = parsed ? parsed : what->subject_name;
    EVP_PKEY *signer = issuer ? issuer->key : key;
    apr_int64_t now = material_now();

    MUST(cert && key && X509_set_version(cert, what->version1 ? X509_VERSION_1 : X509_VERSION_3));
    set_serial(cert, what->serial);
    MUST(X509_set_subject_name(cert, (X509_NAME *)subject));
    MUST(X509_set_issuer_name(cert, (X509_NAME *)(issuer ? X509_get_subject_name(issuer->cert) : subject)));
    set_time(X509_getm_notBefore(cert), what->not_before, now - MATERIAL_DAY);
    set_time(X509_getm_notAfter(cert), what->not_after, now + 365 * MATERIAL_DAY);
    MUST(X509_set_pubkey(cert, key));
    if (!what->version1)
        add_extensions(cert, issuer ? issuer->cert : cert, what);
    MUST(X509_sign(cert, signer, digest_for(signer, what->digest)));
    X509_NAME_free(parsed);
    cert = as_read(cert);
    apr_pool_cleanup_register(pool, cert, free_cert, apr_pool_cleanup_null);
    return cert;
}

material_pair_t *material_pair(apr_pool_t *pool, const material_cert_t *what, const char *key_type,
                               const material_pair_t *issuer)
{
    material_pair_t *pair = apr_palloc(pool, sizeof(*pair));

    pair->key = material_key(pool, key_type);
    if (!pair->key)
        return NULL;
    pair->cert = material_cert(pool, what, pair->key, issuer);
    return pair;
}

material_pair_t *material_ca(apr_pool_t *pool, const char *name, const material_pair_t *issuer)
{
    const material_cert_t what = {.subject = apr_pstrcat(pool, "/CN=", name, NULL), .ca = 1};

    return material_pair(pool, &what, "P-256", issuer);
}

material_pair_t *material_server(apr_pool_t *pool, const char *host, const char *key_type,
                                 const material_pair_t *issuer)
{
    static const char *const usages[] = {"extendedKeyUsage", "serverAuth", NULL};
    const material_cert_t what = {.subject = apr_pstrcat(pool, "/CN=", host, NULL),
                                  .san = apr_pstrcat(pool, "DNS:", host, NULL),
                                  .extensions = usages};

    return material_pair(pool, &what, key_type, issuer);
}

material_pair_t *material_client(apr_pool_t *pool, const char *name, const char *key_type,
                                 const material_pair_t *issuer)
{
    static const char *const usages[] = {"extendedKeyUsage", "clientAuth", NULL};
    const material_cert_t what = {.subject = apr_pstrcat(pool, "/CN=", name, NULL), .extensions = usages};

    return material_pair(pool, &what, key_type, issuer);
}

X509_CRL *material_crl(apr_pool_t *pool, const material_pair_t *ca, X509 *revoked, apr_int64_t next_update)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *time = ASN1_TIME_new();
    apr_int64_t now = material_now();

    MUST(crl && time && X509_CRL_set_version(crl, X509_CRL_VERSION_2));
    MUST(X509_CRL_set_issuer_name(crl, (X509_NAME *)X509_get_subject_name(ca->cert)));
    set_time(time, now - 60 * MATERIAL_DAY, 0);
    MUST(X509_CRL_set1_lastUpdate(crl, time));
    if (revoked) {
        X509_REVOKED *entry = X509_REVOKED_new();

        MUST(X509_REVOKED_set_serialNumber(entry, (ASN1_INTEGER *)X509_get0_serialNumber(revoked)));
        MUST(X509_REVOKED_set_revocationDate(entry, time) && X509_CRL_add0_revoked(crl, entry));
    }
    set_time(time, next_update, now + 30 * MATERIAL_DAY);
    MUST(X509_CRL_set1_nextUpdate(crl, time) && X509_CRL_sort(crl));
    MUST(X509_CRL_sign(crl, ca->key, digest_for(ca->key, NULL)));
    ASN1_TIME_free(time);
    apr_pool_cleanup_register(pool, crl, free_crl, apr_pool_cleanup_null);
    return crl;
}

static material_bytes_t take(apr_pool_t *pool, BIO *bio)
{
    material_bytes_t bytes;
    char *data;

    bytes.length = (apr_size_t)BIO_get_mem_data(bio, &data);
    bytes.data = apr_pstrmemdup(pool, bytes.length ? data : "", bytes.length);
    BIO_free(bio);
    return bytes;
}

static BIO *memory(void)
{
    BIO *bio = BIO_new(BIO_s_mem());

    MUST(bio);
    return bio;
}

material_bytes_t material_text(const char *text)
{
    material_bytes_t bytes = {text, strlen(text)};

    return bytes;
}

material_bytes_t material_join(apr_pool_t *pool, material_bytes_t first, material_bytes_t second)
{
    material_bytes_t both = {NULL, first.length + second.length};
    char *data = apr_palloc(pool, both.length + 1);

    memcpy(data, first.data, first.length);
    memcpy(data + first.length, second.data, second.length);
    data[both.length] = '\0';
    both.data = data;
    return both;
}

material_bytes_t material_base64(apr_pool_t *pool, material_bytes_t bytes)
{
    BIO *bio = memory(), *filter = BIO_new(BIO_f_base64());

    MUST(filter);
    BIO_push(filter, bio);
    MUST(BIO_write(filter, bytes.data, (int)bytes.length) == (int)bytes.length && BIO_flush(filter) > 0);
    BIO_free(filter);
    return take(pool, bio);
}

material_bytes_t material_cert_pem(apr_pool_t *pool, X509 *cert)
{
    BIO *bio = memory();

    MUST(PEM_write_bio_X509(bio, cert));
    return take(pool, bio);
}

material_bytes_t material_cert_der(apr_pool_t *pool, X509 *cert)
{
    BIO *bio = memory();

    MUST(i2d_X509_bio(bio, cert));
    return take(pool, bio);
}

material_bytes_t material_trusted_pem(apr_pool_t *pool, X509 *cert)
{
    BIO *bio = memory();

    MUST(PEM_write_bio_X509_AUX(bio, cert));
    return take(pool, bio);
}

material_bytes_t material_crl_pem(apr_pool_t *pool, X509_CRL *crl)
{
    BIO *bio = memory();

    MUST(PEM_write_bio_X509_CRL(bio, crl));
    return take(pool, bio);
}

material_bytes_t material_request_pem(apr_pool_t *pool, EVP_PKEY *key, const char *subject)
{
    X509_REQ *request = X509_REQ_new();
    X509_NAME *name = parse_name(subject);
    BIO *bio = memory();

    MUST(request && X509_REQ_set_subject_name(request, name) && X509_REQ_set_pubkey(request, key));
    MUST(X509_REQ_sign(request, key, digest_for(key, NULL)) && PEM_write_bio_X509_REQ(bio, request));
    X509_NAME_free(name);
    X509_REQ_free(request);
    return take(pool, bio);
}

material_bytes_t material_public_pem(apr_pool_t *pool, EVP_PKEY *key)
{
    BIO *bio = memory();

    MUST(PEM_write_bio_PUBKEY(bio, key));
    return take(pool, bio);
}

static const EVP_CIPHER *cipher_of(const char *name)
{
    const EVP_CIPHER *cipher = name ? EVP_get_cipherbyname(name) : NULL;

    MUST(!name || cipher);
    return cipher;
}

material_bytes_t material_key_pem(apr_pool_t *pool, EVP_PKEY *key, const char *cipher, const char *phrase)
{
    BIO *bio = memory();

    MUST(PEM_write_bio_PKCS8PrivateKey(bio, key, cipher_of(cipher), phrase, phrase ? (int)strlen(phrase) : 0, NULL,
                                       NULL));
    return take(pool, bio);
}

material_bytes_t material_key_der(apr_pool_t *pool, EVP_PKEY *key, const char *cipher, const char *phrase)
{
    BIO *bio = memory();

    MUST(i2d_PKCS8PrivateKey_bio(bio, key, cipher_of(cipher), phrase, phrase ? (int)strlen(phrase) : 0, NULL, NULL));
    return take(pool, bio);
}

material_bytes_t material_key_traditional_pem(apr_pool_t *pool, EVP_PKEY *key, const char *cipher, const char *phrase)
{
    BIO *bio = memory();

    MUST(PEM_write_bio_PrivateKey_traditional(bio, key, cipher_of(cipher), (const unsigned char *)phrase,
                                              phrase ? (int)strlen(phrase) : 0, NULL, NULL));
    return take(pool, bio);
}

material_bytes_t material_key_traditional_der(apr_pool_t *pool, EVP_PKEY *key)
{
    unsigned char *der = NULL;
    int length = i2d_PrivateKey(key, &der);
    material_bytes_t bytes = {NULL, (apr_size_t)length};

    MUST(length > 0);
    bytes.data = apr_pmemdup(pool, der, bytes.length);
    OPENSSL_free(der);
    return bytes;
}

material_bytes_t material_pkcs12(apr_pool_t *pool, const material_pair_t *pair, STACK_OF(X509) *chain,
                                 const char *phrase)
{
    PKCS12 *file = PKCS12_create(phrase, "test", pair->key, pair->cert, chain, 0, 0, 0, 0, 0);
    BIO *bio = memory();

    MUST(file && i2d_PKCS12_bio(bio, file));
    PKCS12_free(file);
    return take(pool, bio);
}

static PKCS7 *certificates_only(STACK_OF(X509) *certificates)
{
    PKCS7 *file = PKCS7_new();

    MUST(file && PKCS7_set_type(file, NID_pkcs7_signed) && PKCS7_content_new(file, NID_pkcs7_data));
    for (int i = 0; i < sk_X509_num(certificates); i++)
        MUST(PKCS7_add_certificate(file, sk_X509_value(certificates, i)));
    return file;
}

material_bytes_t material_pkcs7_der(apr_pool_t *pool, STACK_OF(X509) *certificates)
{
    PKCS7 *file = certificates_only(certificates);
    BIO *bio = memory();

    MUST(i2d_PKCS7_bio(bio, file));
    PKCS7_free(file);
    return take(pool, bio);
}

material_bytes_t material_pkcs7_pem(apr_pool_t *pool, STACK_OF(X509) *certificates)
{
    PKCS7 *file = certificates_only(certificates);
    BIO *bio = memory();

    MUST(PEM_write_bio_PKCS7(bio, file));
    PKCS7_free(file);
    return take(pool, bio);
}

material_bytes_t material_ocsp_good(apr_pool_t *pool, X509 *cert, const material_pair_t *ca)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), cert, ca->cert);
    ASN1_TIME *begin = X509_gmtime_adj(NULL, -60), *over = X509_gmtime_adj(NULL, 3600);
    unsigned char *der = NULL;
    OCSP_RESPONSE *response;
    material_bytes_t bytes;

    MUST(OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, begin, over));
    MUST(OCSP_basic_sign(basic, ca->cert, ca->key, EVP_sha256(), NULL, 0));
    response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    bytes.length = (apr_size_t)i2d_OCSP_RESPONSE(response, &der);
    bytes.data = apr_pmemdup(pool, der, bytes.length);
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(begin);
    ASN1_TIME_free(over);
    return bytes;
}

material_bytes_t material_pem(apr_pool_t *pool, const char *label, material_bytes_t der)
{
    BIO *bio = memory();

    MUST(PEM_write_bio(bio, label, "", (const unsigned char *)der.data, (long)der.length));
    return take(pool, bio);
}

sl_identity_t *material_identity(const material_pair_t *pair, const material_pair_t *issuer, const char *origin)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    sl_identity_t *identity;

    MUST(chain && X509_up_ref(pair->cert) && EVP_PKEY_up_ref(pair->key));
    if (issuer)
        MUST(X509_up_ref(issuer->cert) && sk_X509_push(chain, issuer->cert) > 0);
    identity = sl_identity_new(pair->cert, chain, pair->key, origin);
    MUST(identity);
    return identity;
}

STACK_OF(X509) *material_stack(apr_pool_t *pool, X509 *first, ...)
{
    STACK_OF(X509) *stack = sk_X509_new_null();
    va_list certs;

    va_start(certs, first);
    for (X509 *cert = first; cert; cert = va_arg(certs, X509 *))
        MUST(sk_X509_push(stack, cert));
    va_end(certs);
    apr_pool_cleanup_register(pool, stack, free_stack, apr_pool_cleanup_null);
    return stack;
}

static apr_status_t remove_dir(void *path)
{
    apr_pool_t *pool;
    apr_dir_t *dir;
    apr_finfo_t info;

    apr_pool_create(&pool, NULL);
    if (apr_dir_open(&dir, path, pool) == APR_SUCCESS) {
        apr_status_t status;

        while ((status = apr_dir_read(&info, APR_FINFO_NAME, dir)) == APR_SUCCESS || status == APR_INCOMPLETE) {
            const char *full = apr_pstrcat(pool, path, "/", info.name, NULL);

            if (strcmp(info.name, ".") != 0 && strcmp(info.name, "..") != 0 && unlink(full) != 0)
                remove_dir((void *)full);
        }
        apr_dir_close(dir);
    }
    rmdir(path);
    apr_pool_destroy(pool);
    return APR_SUCCESS;
}

const char *material_dir(apr_pool_t *pool)
{
    const char *tmp;
    char *path;

    MUST(apr_temp_dir_get(&tmp, pool) == APR_SUCCESS);
    path = apr_pstrcat(pool, tmp, "/securelayer-test-XXXXXX", NULL);
    MUST(mkdtemp(path));
    apr_pool_cleanup_register(pool, path, remove_dir, apr_pool_cleanup_null);
    return path;
}

const char *material_file(apr_pool_t *pool, const char *dir, const char *name, material_bytes_t bytes)
{
    const char *path = apr_pstrcat(pool, dir, "/", name, NULL);
    apr_file_t *file;

    MUST(apr_file_open(&file, path, APR_FOPEN_WRITE | APR_FOPEN_CREATE | APR_FOPEN_TRUNCATE,
                       APR_FPROT_UREAD | APR_FPROT_UWRITE, pool) == APR_SUCCESS);
    MUST(bytes.length == 0 || apr_file_write_full(file, bytes.data, bytes.length, NULL) == APR_SUCCESS);
    apr_file_close(file);
    return path;
}

void material_hash_link(apr_pool_t *pool, const char *dir, const char *name, const X509_NAME *of, int crl)
{
    int ok;
    unsigned long hash = X509_NAME_hash_ex(of, NULL, NULL, &ok);

    MUST(ok);
    for (int i = 0; i < 10; i++) {
        const char *link = apr_psprintf(pool, "%s/%08lx.%s%d", dir, hash, crl ? "r" : "", i);

        if (symlink(name, link) == 0)
            return;
    }
    MUST(!"a free name for a hash link");
}
