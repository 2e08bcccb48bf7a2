/* Fuzz target: an answer of an OCSP responder. Its signature is not looked at, so that everything behind it is reached;
 * what is refused must have a reason. */
#include "crypto/ocsp_message.h"

#include <apr_general.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static X509 *make_cert(EVP_PKEY *key)
{
    X509 *cert = X509_new();

    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -86400);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_set_pubkey(cert, key);
    X509_sign(cert, key, EVP_sha256());
    return cert;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static X509 *cert;
    apr_pool_t *pool;
    sl_problem_t *why;
    sl_ocsp_question_t *question;
    sl_ocsp_answer_t answer;
    sl_ocsp_rules_t rules = {1700000000, 300, -1, 0, NULL};

    if (!cert) {
        EVP_PKEY *key = EVP_EC_gen("P-256");

        apr_initialize();
        cert = make_cert(key);
        EVP_PKEY_free(key);
    }
    apr_pool_create(&pool, NULL);
    for (rules.unsigned_ok = 0; rules.unsigned_ok < 2; rules.unsigned_ok++) {
        why = sl_problem_make(pool);
        question = sl_ocsp_question_make(pool, cert, cert, 0, NULL);
        if (sl_ocsp_answer_read(&answer, data, size, question, &rules, pool, why) != APR_SUCCESS && !why->reason)
            abort();
        if (ERR_peek_error())
            abort(); /* nothing is left behind */
    }
    apr_pool_destroy(pool);
    return 0;
}
