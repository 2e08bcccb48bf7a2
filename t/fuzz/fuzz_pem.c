/* Fuzz target: a certificate or key file. What is read is also put into words, as the variables of a connection
 * would. Beyond memory errors it checks that a failure has a reason and leaves nothing behind. */
#include "crypto/cert_text.h"
#include "crypto/pem.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int give_phrase(char *phrase, int size, const char *object, void *baton)
{
    (void)size;
    (void)object;
    (void)baton;
    memcpy(phrase, "test", 4);
    return 4;
}

/* Phrases only for keys under PEM headers: everywhere else the file says how many rounds it takes to check one, and
 * the run would be spent on that. */
static int has_headers(const uint8_t *data, size_t size)
{
    static const char word[] = "Proc-Type";

    for (size_t i = 0; i + sizeof(word) - 1 <= size; i++) {
        if (memcmp(data + i, word, sizeof(word) - 1) == 0)
            return 1;
    }
    return 0;
}

static void describe_name(apr_pool_t *pool, X509 *cert, sl_dn_t which)
{
    static const int nids[] = {NID_commonName, NID_organizationName, NID_countryName, NID_pkcs9_emailAddress};

    sl_cert_text_dn(pool, cert, which, 0);
    sl_cert_text_dn(pool, cert, which, 1);
    for (size_t i = 0; i < sizeof(nids) / sizeof(nids[0]); i++) {
        int count = sl_cert_text_dn_count(cert, which, nids[i]);

        for (int k = 0; k < count && k < 3; k++) {
            sl_cert_text_dn_part(pool, cert, which, nids[i], k, 0);
            sl_cert_text_dn_part(pool, cert, which, nids[i], k, 1);
        }
        if (sl_cert_text_dn_part(pool, cert, which, nids[i], count, 0))
            abort(); /* one more than were counted */
    }
}

static void describe(apr_pool_t *pool, X509 *cert)
{
    static const char *const oids[] = {"subjectAltName", "basicConstraints", "keyUsage", "extendedKeyUsage",
                                       "certificatePolicies", "crlDistributionPoints", "1.2.3.4", "nsComment"};

    describe_name(pool, cert, SL_DN_SUBJECT);
    describe_name(pool, cert, SL_DN_ISSUER);
    for (int kind = SL_SAN_EMAIL; kind <= SL_SAN_DNSSRV; kind++)
        sl_cert_text_san(pool, cert, (sl_san_t)kind);
    for (size_t i = 0; i < sizeof(oids) / sizeof(oids[0]); i++)
        sl_cert_text_extensions(pool, cert, oids[i]);
    sl_cert_text_version(pool, cert);
    sl_cert_text_serial(pool, cert);
    sl_cert_text_not_before(pool, cert);
    sl_cert_text_not_after(pool, cert);
    sl_cert_text_remain(pool, cert, 1800000000);
    sl_cert_text_signature_algorithm(pool, cert);
    sl_cert_text_key_algorithm(pool, cert);
    sl_cert_text_pem(pool, cert);
    sl_cert_text_base64(pool, cert);
    sl_cert_text_sha256(pool, cert);
    sl_cert_text_exact_assertion(pool, cert);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static apr_pool_t *process;
    sl_problem_t *why;
    apr_pool_t *pool;
    sl_pem_t pem;

    if (!process) {
        apr_initialize();
        sl_cert_text_init();
        apr_pool_create(&process, NULL);
    }
    apr_pool_create(&pool, process);
    why = sl_problem_make(pool);
    if (sl_pem_read(&pem, data, size, "fuzz", SL_PEM_ALL, has_headers(data, size) ? give_phrase : NULL, NULL, why) ==
        APR_SUCCESS) {
        for (int i = 0; i < sk_X509_num(pem.certificates) && i < 4; i++)
            describe(pool, sk_X509_value(pem.certificates, i));
        if (why->status != APR_SUCCESS || (pem.keys > 0) != (pem.key != NULL) || !*sl_pem_describe(&pem, pool))
            abort();
    }
    else if (why->status == APR_SUCCESS || !*why->reason || pem.certificates || pem.key || pem.keys) {
        abort();
    }
    if (ERR_peek_error())
        abort(); /* the queue belongs to whoever comes next */
    sl_pem_clear(&pem);
    apr_pool_destroy(pool);
    return 0;
}
