/* Fuzz target: the bytes of a certificate, read without OpenSSL. Beyond memory errors it checks that what is read is
 * what OpenSSL reads, that what covers a host does so for OpenSSL, and that a certificate made without its decoders is
 * the one that its decoders make.
 * Linked with: t/unit/cert_facts.c */
#include "must.h"

#include "cert_facts.h"
#include "crypto/cert_quick.h"
#include "crypto/key_der.h"

#include <apr_general.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define ROOM 512

/* Each of its own names, and one below. */
static void check_names(const sl_cert_der_t *facts, X509 *cert)
{
    char names[ROOM], host[ROOM];

    if (!sl_cert_der_names(facts, names, sizeof(names)))
        return;
    for (const char *name = names; *name; name += strlen(name) + 1) {
        memcpy(host, name, strlen(name) + 1);
        if (*host == '*')
            *host = 'a';
        MUST(!sl_cert_der_names_cover(names, host) ||
             X509_check_host(cert, host, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1);
    }
}

static void check_key(const sl_cert_der_t *facts, X509 *cert)
{
    EVP_PKEY *key = sl_key_der_public(facts), *theirs = X509_get0_pubkey(cert);

    MUST(!key || !theirs || EVP_PKEY_eq(key, theirs) == 1);
    EVP_PKEY_free(key);
}

static void check_facts(const sl_cert_der_t *facts, X509 *cert)
{
    const char *difference = cert_facts_difference(facts, cert);

    if (difference)
        (void)fprintf(stderr, "%s\n", difference);
    MUST(!difference);
    check_names(facts, cert);
    check_key(facts, cert);
    ERR_clear_error();
}

static int is_same(X509 *made, X509 *decoded)
{
    unsigned char *ours = NULL, *theirs = NULL;
    int length = i2d_X509(made, &ours), same = length == i2d_X509(decoded, &theirs);

    same = same && (length <= 0 || memcmp(ours, theirs, (size_t)length) == 0);
    OPENSSL_free(ours);
    OPENSSL_free(theirs);
    return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static apr_pool_t *process;
    const unsigned char *at = data;
    sl_cert_der_t facts;
    X509 *cert, *quick;
    int is_read;

    if (!process) {
        apr_initialize();
        apr_pool_create(&process, NULL);
        sl_cert_quick_prepare(process);
    }
    is_read = sl_cert_der_read(&facts, data, size);
    cert = d2i_X509(NULL, &at, (long)size);
    if (is_read && cert)
        check_facts(&facts, cert);
    ERR_clear_error();
    quick = sl_cert_quick(data, size);
    MUST((quick != NULL) == (cert && at == data + size));
    MUST(!quick || is_same(quick, cert));
    X509_free(quick);
    X509_free(cert);
    ERR_clear_error();
    return 0;
}
