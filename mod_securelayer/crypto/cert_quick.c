/* Quick certificates.  Prepared by httpd/startup, made by identity/blob in the children. */
#include "crypto/cert_quick.h"

#include "crypto/cert_der.h"
#include "crypto/key_der.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <string.h>
#include <unistd.h>

static OSSL_PROVIDER *default_provider, *without_decoders;
static OSSL_LIB_CTX *plain; /* NULL: not to be had */
static pid_t maker;

/* ---- a provider without decoders ---- */

static const OSSL_ALGORITHM *query(void *unused, int operation, int *no_cache)
{
    (void)unused;
    if (operation == OSSL_OP_DECODER || operation == OSSL_OP_STORE)
        return NULL;
    return OSSL_PROVIDER_query_operation(default_provider, operation, no_cache);
}

static const OSSL_DISPATCH functions[] = {{OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query}, {0, NULL}};

static int begin_provider(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                          void **ctx)
{
    (void)handle;
    (void)in;
    *out = functions;
    *ctx = OSSL_PROVIDER_get0_provider_ctx(default_provider);
    return 1;
}

static void give_up(void)
{
    if (without_decoders)
        OSSL_PROVIDER_unload(without_decoders);
    OSSL_LIB_CTX_free(plain);
    if (default_provider)
        OSSL_PROVIDER_unload(default_provider);
    default_provider = without_decoders = NULL;
    plain = NULL;
}

/* A child that ends may be in the midst of using it. */
static apr_status_t end(void *unused)
{
    (void)unused;
    if (maker == getpid())
        give_up();
    return APR_SUCCESS;
}

static int begin(void)
{
    default_provider = OSSL_PROVIDER_load(NULL, "default");
    plain = default_provider ? OSSL_LIB_CTX_new() : NULL;
    if (!plain || OSSL_PROVIDER_add_builtin(plain, "default-without-decoders", begin_provider) != 1)
        return 0;
    without_decoders = OSSL_PROVIDER_load(plain, "default-without-decoders");
    return without_decoders != NULL;
}

void sl_cert_quick_prepare(apr_pool_t *pool)
{
    if (plain || !OSSL_PROVIDER_available(NULL, "default"))
        return;
    if (!begin())
        give_up();
    ERR_clear_error();
    maker = getpid();
    apr_pool_cleanup_register(pool, NULL, end, apr_pool_cleanup_null);
}

/* ---- certificates ---- */

static int has_bytes(X509 *cert, const unsigned char *der, apr_size_t length)
{
    unsigned char *bytes = NULL;
    int size = i2d_X509(cert, &bytes), same = size > 0 && (apr_size_t)size == length && !memcmp(bytes, der, length);

    OPENSSL_free(bytes);
    return same;
}

/* Does the key that was put in have the same form as the one that was there? */
static int has_key(const X509 *cert, const sl_reader_t *bits)
{
    const ASN1_BIT_STRING *own = X509_get0_pubkey_bitstr(cert);

    return own && (apr_size_t)ASN1_STRING_length(own) == sl_reader_left(bits) &&
           !memcmp(ASN1_STRING_get0_data(own), bits->at, sl_reader_left(bits));
}

static X509 *make(const unsigned char *der, apr_size_t length)
{
    const unsigned char *at = der;
    sl_cert_der_t parts;
    EVP_PKEY *key = sl_cert_der_read(&parts, der, length) ? sl_key_der_public(&parts) : NULL;
    X509 *cert = key ? X509_new_ex(plain, NULL) : NULL;
    int fits = cert && d2i_X509(&cert, &at, (long)length) && X509_set_pubkey(cert, key) == 1 &&
               X509_get0_pubkey(cert) && has_key(cert, &parts.key) && has_bytes(cert, der, length);

    EVP_PKEY_free(key);
    if (fits)
        return cert;
    X509_free(cert);
    return NULL;
}

X509 *sl_cert_quick(const unsigned char *der, apr_size_t length)
{
    const unsigned char *at = der;
    X509 *cert = plain && !EVP_default_properties_is_fips_enabled(NULL) ? make(der, length) : NULL;

    if (cert)
        return cert;
    cert = d2i_X509(NULL, &at, (long)length);
    if (!cert || at == der + length)
        return cert;
    X509_free(cert);
    return NULL;
}
