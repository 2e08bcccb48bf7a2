/* Fuzz target: the files that SSLCertificateFile, SSLCertificateKeyFile, SSLCertificateChainFile and the files of CAs
 * and CRLs name.  The first byte of the input says what they are taken for (see below); the others are the files, with
 * a line of four equals signs between one and the next.
 * Beyond memory errors and leaks it checks that what loads fits together, and that a failure says where, what and
 * why. */
#include "must.h"
#include "base/text.h"
#include "identity/loader.h"
#include "identity/trust.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <openssl/err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bits of the first byte. */
enum {
    KEY_APART = 1,       /* the second file holds the key */
    CHAIN_APART = 2,     /* the third file holds the chain */
    FIRST = 4,           /* parameters are taken too */
    READABLE = 8,        /* by everybody */
    TRUST = 16,          /* CAs, certificates whose names count, CRLs; the two bits below then mean: */
    NAMES_APART = 1,
    CRLS_APART = 2
};

#define FILES 3
#define NOW 1800000000

/* Files without a file system. */
static int descriptors[FILES];
static char paths[FILES][40];
static apr_pool_t *root;

static void prepare(void)
{
    apr_initialize();
    MUST(apr_pool_create(&root, NULL) == APR_SUCCESS);
    for (int i = 0; i < FILES; i++) {
        descriptors[i] = memfd_create("fuzz", 0);
        MUST(descriptors[i] >= 0);
        snprintf(paths[i], sizeof(paths[i]), "/proc/self/fd/%d", descriptors[i]);
    }
}

static void write_files(const uint8_t *data, size_t size, mode_t mode)
{
    static const char border[] = "\n====\n";
    const uint8_t *end = data + size;

    for (int i = 0; i < FILES; i++) {
        const uint8_t *next = i + 1 < FILES ? memmem(data, (size_t)(end - data), border, 6) : NULL;
        size_t length = (size_t)((next ? next : end) - data);

        MUST(ftruncate(descriptors[i], 0) == 0 && fchmod(descriptors[i], mode) == 0);
        MUST(pwrite(descriptors[i], data, length, 0) == (ssize_t)length);
        data = next ? next + 6 : end;
    }
}

static void check_identity(const sl_identity_t *identity, const sl_source_t *source, apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 2, sizeof(const char *));
    sl_problems_t *problems = sl_problems_make(pool);
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    MUST(X509_check_private_key(identity->leaf, identity->key) == 1);
    for (int i = 0; i < sk_X509_num(identity->chain); i++)
        MUST(X509_cmp(sk_X509_value(identity->chain, i), identity->leaf) != 0);
    MUST(source->first || (!identity->dh_parameters && !identity->ec_group));
    MUST(*sl_identity_key_type(identity) && sl_identity_is_same(identity, identity));
    APR_ARRAY_PUSH(names, const char *) = "a.test";
    APR_ARRAY_PUSH(names, const char *) = "127.0.0.1";
    sl_identity_review(identity, names, NOW, &source->origin, problems);
    MUST(problems->errors == 0);
    MUST(ctx);
    (void)SSL_CTX_use_cert_and_key(ctx, identity->leaf, identity->key, identity->chain, 1);
    SSL_CTX_free(ctx);
    ERR_clear_error();
}

static void load_identity(int bits, apr_pool_t *pool)
{
    const sl_source_t source = {paths[0],
                                bits & KEY_APART ? paths[1] : NULL,
                                bits & CHAIN_APART ? paths[2] : NULL,
                                (bits & FIRST) != 0,
                                {"fuzz.conf", 1, "SSLCertificateFile"},
                                {"fuzz.conf", 2, "SSLCertificateKeyFile"},
                                {"fuzz.conf", 3, "SSLCertificateChainFile"}};
    sl_problems_t *problems = sl_problems_make(pool);
    sl_problem_t *why = sl_problem_make(pool);
    sl_identity_t *identity;
    apr_pool_t *scratch;
    apr_status_t status;

    MUST(apr_pool_create(&scratch, pool) == APR_SUCCESS);
    status = sl_loader_load(&identity, &source, NULL, NULL, scratch, problems, why);
    apr_pool_destroy(scratch); /* nothing that is kept may live in it */
    MUST(!ERR_peek_error());
    MUST((status == APR_SUCCESS) == (identity != NULL) && status == why->status && problems->errors == 0);
    if (identity) {
        MUST(problems->all->nelts <= ((bits & READABLE) != 0));
        check_identity(identity, &source, pool);
        sl_identity_release(identity);
    }
    else {
        MUST(*why->reason && why->object && why->log_id && why->origin.directive && *sl_problem_text(why, pool));
    }
}

static void load_trust(int bits, apr_pool_t *pool)
{
    const sl_trust_source_t source = {.ca_file = paths[0],
                                      .names_file = bits & NAMES_APART ? paths[1] : NULL,
                                      .crl_file = bits & CRLS_APART ? paths[2] : NULL,
                                      .crl_check = bits & CRLS_APART ? SL_CRL_CHAIN : SL_CRL_NONE,
                                      .ca_file_origin = {"fuzz.conf", 1, "SSLCACertificateFile"},
                                      .names_file_origin = {"fuzz.conf", 2, "SSLCADNRequestFile"},
                                      .crl_file_origin = {"fuzz.conf", 3, "SSLCARevocationFile"}};
    sl_problems_t *problems = sl_problems_make(pool);
    apr_pool_t *scratch;
    sl_trust_t *trust;
    apr_status_t status;

    MUST(apr_pool_create(&scratch, pool) == APR_SUCCESS);
    status = sl_trust_new(&trust, &source, NOW, scratch, problems);
    apr_pool_destroy(scratch);
    MUST(!ERR_peek_error());
    MUST((status == APR_SUCCESS) == (trust != NULL) && (status == APR_SUCCESS) == (problems->errors == 0));
    for (int i = 0; i < problems->all->nelts; i++) {
        const sl_problem_t *why = APR_ARRAY_IDX(problems->all, i, const sl_problem_t *);

        MUST(*why->reason && why->origin.directive && *sl_problem_text(why, pool));
    }
    MUST(!trust || (trust->store && sk_X509_NAME_num(trust->names) > 0));
    sl_trust_release(trust);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool;

    if (!root)
        prepare();
    if (!size)
        return 0;
    MUST(apr_pool_create(&pool, root) == APR_SUCCESS);
    write_files(data + 1, size - 1, *data & READABLE ? 0644 : 0600);
    if (*data & TRUST)
        load_trust(*data, pool);
    else
        load_identity(*data, pool);
    apr_pool_destroy(pool);
    return 0;
}
