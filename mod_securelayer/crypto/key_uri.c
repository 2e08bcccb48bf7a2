/* URIs into keys and certificates.  Called by identity/loader. */
#include "crypto/key_uri.h"

#include "crypto/file_read.h"
#include "crypto/openssl_compat.h"
#include "crypto/openssl_error.h"
#include "crypto/pem.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <string.h>

#define PIN_MAX 255
#define PIN_VALUE "pin-value="

static const char token_scheme[] = "pkcs11:";

static size_t scheme_length(const char *text)
{
    size_t length = 0;

    while (apr_islower(text[length]) ||
           (length && (apr_isdigit(text[length]) || (text[length] && strchr("+-.", text[length])))))
        length++;
    return length > 1 && text[length] == ':' ? length : 0;
}

static int is_token(const char *uri)
{
    return !strncmp(uri, token_scheme, sizeof(token_scheme) - 1);
}

int sl_key_uri_is(const char *text)
{
    return text && scheme_length(text) > 0;
}

const char *sl_key_uri_shown(const char *text, apr_pool_t *pool)
{
    const char *pin = sl_key_uri_is(text) ? strstr(text, PIN_VALUE) : NULL;

    if (!pin)
        return text;
    pin += sizeof(PIN_VALUE) - 1;
    return apr_pstrcat(pool, apr_pstrmemdup(pool, text, (apr_size_t)(pin - text)), "...", pin + strcspn(pin, "&"),
                       NULL);
}

const char *sl_key_uri_file(const char *text)
{
    if (!text || strncmp(text, "file:", 5))
        return NULL;
    text += 5;
    return strncmp(text, "//", 2) ? text : strchr(text + 2, '/');
}

/* ---- the PIN ---- */

typedef struct pin_t {
    const sl_asker_t *asker;
    char text[PIN_MAX + 1]; /* what was answered; "" if nobody was asked */
} pin_t;

static int give_pin(char *buffer, int size, int writing, void *baton)
{
    pin_t *pin = baton;
    int length;

    (void)writing;
    if (!pin->asker->ask)
        return -1;
    length = pin->asker->ask(buffer, size < PIN_MAX ? size : PIN_MAX, pin->asker->object, pin->asker->baton);
    if (length >= 0) {
        memcpy(pin->text, buffer, (size_t)length);
        pin->text[length] = '\0';
    }
    return length;
}

/* ---- stores ---- */

typedef struct found_t {
    EVP_PKEY *key;                /* the first one */
    STACK_OF(X509) *certificates; /* NULL: a key is looked for */
} found_t;

static void take(found_t *found, OSSL_STORE_INFO *info)
{
    X509 *cert;

    if (!found->certificates && !found->key) {
        found->key = OSSL_STORE_INFO_get1_PKEY(info);
    }
    else if (found->certificates && (cert = OSSL_STORE_INFO_get1_CERT(info)) != NULL) {
        if (!sk_X509_push(found->certificates, cert))
            X509_free(cert);
    }
}

static void take_all(found_t *found, OSSL_STORE_CTX *store)
{
    OSSL_STORE_INFO *info;

    if (!store)
        return;
    if (OSSL_STORE_expect(store, found->certificates ? OSSL_STORE_INFO_CERT : OSSL_STORE_INFO_PKEY) == 1) {
        while (!OSSL_STORE_eof(store) && !OSSL_STORE_error(store)) {
            info = OSSL_STORE_load(store);
            if (info)
                take(found, info);
            OSSL_STORE_INFO_free(info);
        }
    }
    OSSL_STORE_close(store);
}

static void read_store(found_t *found, const char *uri, UI_METHOD *ui, pin_t *pin)
{
    take_all(found, OSSL_STORE_open(uri, ui, pin, NULL, NULL));
}

/* OpenSSL is given what is in the file: it would open whatever is there by that name, and wait for who writes into a
 * pipe. */
static void read_file(found_t *found, const char *path, UI_METHOD *ui, pin_t *pin, sl_problem_t *why)
{
    sl_file_t file;
    BIO *bio;

    if (sl_file_read(&file, path, SL_PEM_BYTES_MAX, why) != APR_SUCCESS)
        return;
    bio = BIO_new_mem_buf(file.bytes, (int)file.length);
    if (bio)
        take_all(found, OSSL_STORE_attach(bio, "file", NULL, NULL, ui, pin, NULL, NULL, NULL));
    BIO_free(bio);
    sl_file_clear(&file);
}

/* "URI?pin-value=PIN" in malloc'ed memory that holds a secret; NULL if memory ends. */
static char *with_pin(const char *uri, const char *pin)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t length = strlen(uri) + sizeof(PIN_VALUE) + 1 + 3 * strlen(pin);
    char *text = OPENSSL_zalloc(length + 1), *at = text;

    if (!text)
        return NULL;
    at += apr_snprintf(text, length, "%s%c" PIN_VALUE, uri, strchr(uri, '?') ? '&' : '?');
    for (; *pin; pin++) {
        *at++ = '%';
        *at++ = digits[(unsigned char)*pin >> 4];
        *at++ = digits[*pin & 15];
    }
    return text;
}

/* A provider logs in anew in every child, where nobody can be asked: it is given the PIN with the name of the key. */
static void keep_pin(found_t *found, const char *uri, UI_METHOD *ui, pin_t *pin)
{
    found_t again = {NULL, NULL};
    size_t length;
    char *text;

    if (!found->key || !*pin->text || !is_token(uri))
        return;
    text = with_pin(uri, pin->text);
    if (!text)
        return;
    length = strlen(text);
    read_store(&again, text, ui, pin);
    OPENSSL_clear_free(text, length);
    if (again.key) {
        EVP_PKEY_free(found->key);
        found->key = again.key;
    }
}

/* ---- both ways ---- */

/* Else OpenSSL has something to say. */
static int is_of_this_machine(const char *uri, const char *path)
{
    const char *host = uri + 7;

    return strncmp(uri, "file://", 7) || path == host || !strncasecmp(host, "localhost/", 10);
}

static void find(found_t *found, const char *uri, UI_METHOD *ui, pin_t *pin, sl_problem_t *why)
{
    const char *path = sl_key_uri_file(uri);

    if (path && is_of_this_machine(uri, path)) {
        read_file(found, path, ui, pin, why);
        return;
    }
    if (is_token(uri) && sl_openssl_engine_exists("pkcs11")) {
        if (found->certificates)
            sl_openssl_engine_certificate(found->certificates, "pkcs11", uri);
        else
            found->key = sl_openssl_engine_key("pkcs11", uri, ui, pin);
        return;
    }
    read_store(found, uri, ui, pin);
    keep_pin(found, uri, ui, pin);
}

static apr_status_t complain(const found_t *found, const char *uri, apr_pool_t *scratch, sl_problem_t *why)
{
    const char *shown = sl_key_uri_shown(uri, scratch), *what = found->certificates ? "certificate" : "private key";
    apr_status_t status;

    if (ERR_peek_error())
        status = sl_openssl_problem(why, shown, "no %s could be read by this name", what);
    else
        status = sl_problem_set(why, APR_EGENERAL, shown, "there is no %s by this name", what);
    if (is_token(uri) && !sl_openssl_engine_exists("pkcs11"))
        sl_problem_advise(why, "A token needs the engine pkcs11 (libengine-pkcs11-openssl) or an activated PKCS#11 "
                               "provider of OpenSSL; look at the name and the PIN too");
    else if (is_token(uri))
        sl_problem_advise(
            why, "Look at the name (p11tool --list-all, or pkcs11-tool -O, shows what there is) and at the PIN");
    else
        sl_problem_advise(why, "If a file is meant, write its path from the root: /...");
    return status;
}

static apr_status_t load(found_t *found, const char *uri, const sl_asker_t *asker, apr_pool_t *scratch,
                         sl_problem_t *why)
{
    pin_t pin = {asker, ""};
    UI_METHOD *ui = UI_UTIL_wrap_read_pem_callback(give_pin, 0);
    apr_status_t status = APR_SUCCESS;

    sl_openssl_error_clear();
    if (ui)
        find(found, uri, ui, &pin, why);
    UI_destroy_method(ui);
    OPENSSL_cleanse(&pin, sizeof(pin));
    if (!found->key && sk_X509_num(found->certificates) <= 0)
        status = complain(found, uri, scratch, why);
    sl_openssl_error_clear();
    return status;
}

apr_status_t sl_key_uri_key(EVP_PKEY **key, const char *uri, const sl_asker_t *asker, apr_pool_t *scratch,
                            sl_problem_t *why)
{
    found_t found = {NULL, NULL};
    apr_status_t status = load(&found, uri, asker, scratch, why);

    *key = found.key;
    return status;
}

apr_status_t sl_key_uri_certificates(STACK_OF(X509) *certificates, const char *uri, const sl_asker_t *asker,
                                     apr_pool_t *scratch, sl_problem_t *why)
{
    found_t found = {NULL, certificates};

    return load(&found, uri, asker, scratch, why);
}
