/* OCSP messages, by OpenSSL's parser and our rules.  httpd/client_ocsp and the courier's staple_job ask with them; the
 * network is theirs.
 *
 * OpenSSL's own check of an answer would follow the CA store of the connection. What counts here is RFC 6960 section
 * 4.2.2.2 alone: the issuer, or a certificate that this issuer signed for the purpose, or one that was configured. */
#include "crypto/ocsp_message.h"

#include "base/text.h"
#include "crypto/openssl_compat.h"
#include "crypto/openssl_error.h"

#include <apr_strings.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#define STATUS_REQUEST 5 /* the TLS extension that asks for a stapled answer */

/* ---- what a certificate says ---- */

apr_array_header_t *sl_ocsp_urls(apr_pool_t *pool, X509 *cert)
{
    STACK_OF(OPENSSL_STRING) *found = X509_get1_ocsp(cert);
    apr_array_header_t *urls = apr_array_make(pool, 1, sizeof(const char *));

    for (int i = 0; i < sk_OPENSSL_STRING_num(found); i++) {
        const char *url = sk_OPENSSL_STRING_value(found, i);

        if (sl_text_is_web(url, strlen(url)))
            APR_ARRAY_PUSH(urls, const char *) = apr_pstrdup(pool, url);
    }
    X509_email_free(found);
    ERR_clear_error();
    return urls;
}

int sl_ocsp_must_staple(X509 *cert)
{
    TLS_FEATURE *features = X509_get_ext_d2i(cert, NID_tlsfeature, NULL, NULL);
    int must = 0;

    for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
        must |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == STATUS_REQUEST;
    sk_ASN1_INTEGER_pop_free(features, ASN1_INTEGER_free);
    ERR_clear_error();
    return must;
}

/* ---- the question ---- */

static int write_question(OCSP_REQUEST *request, sl_ocsp_question_t *question, apr_pool_t *pool)
{
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, question->cert, question->issuer); /* SHA-1: what responders know */
    unsigned char *der = NULL;
    int length;

    if (!id || !OCSP_request_add0_id(request, id)) {
        OCSP_CERTID_free(id);
        return 0;
    }
    if (question->has_nonce && (RAND_bytes(question->nonce, sizeof(question->nonce)) != 1 ||
                                !OCSP_request_add1_nonce(request, question->nonce, sizeof(question->nonce))))
        return 0;
    length = i2d_OCSP_REQUEST(request, &der);
    if (length <= 0)
        return 0;
    question->der = apr_pmemdup(pool, der, (apr_size_t)length);
    question->length = (apr_size_t)length;
    OPENSSL_free(der);
    return 1;
}

sl_ocsp_question_t *sl_ocsp_question_make(apr_pool_t *pool, X509 *cert, X509 *issuer, int with_nonce, sl_problem_t *why)
{
    sl_ocsp_question_t *question = apr_pcalloc(pool, sizeof(*question));
    OCSP_REQUEST *request = OCSP_REQUEST_new();
    int ok;

    sl_openssl_error_clear();
    question->cert = cert;
    question->issuer = issuer;
    question->has_nonce = with_nonce;
    ok = request && write_question(request, question, pool);
    OCSP_REQUEST_free(request);
    if (ok)
        return question;
    sl_openssl_problem(why, NULL, "OpenSSL makes no OCSP request");
    return NULL;
}

/* ---- the answer ---- */

/* One call of sl_ocsp_answer_read(). */
typedef struct reading_t {
    const sl_ocsp_question_t *question;
    const sl_ocsp_rules_t *rules;
    OCSP_BASICRESP *basic;
    apr_pool_t *pool;
    sl_problem_t *why;
} reading_t;

static OCSP_RESPONSE *parse(const unsigned char *bytes, apr_size_t length)
{
    const unsigned char *at = bytes;
    OCSP_RESPONSE *response = length <= SL_OCSP_BYTES_MAX ? d2i_OCSP_RESPONSE(NULL, &at, (long)length) : NULL;

    if (response && at != bytes + length) {
        OCSP_RESPONSE_free(response);
        return NULL;
    }
    return response;
}

static apr_status_t open_response(reading_t *in, OCSP_RESPONSE *response)
{
    int status = OCSP_response_status(response);

    if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        return sl_problem_set(in->why, APR_EAGAIN, NULL, "the responder gives no answer: %s (%d)",
                              OCSP_response_status_str(status), status);
    in->basic = OCSP_response_get1_basic(response);
    if (!in->basic)
        return sl_problem_set(in->why, APR_EINVAL, NULL, "the answer is of a kind that is not known (not Basic)");
    return APR_SUCCESS;
}

/* The issuer alone anchors the chain of a delegated responder: who else the CA store holds does not matter. */
static X509_STORE *anchor(const reading_t *in)
{
    X509_STORE *store = X509_STORE_new();

    if (store) {
        X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), (time_t)in->rules->now);
        if (X509_STORE_add_cert(store, in->question->issuer) && X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN))
            return store;
    }
    X509_STORE_free(store);
    return NULL;
}

/* Those whose signature counts without further question. */
static STACK_OF(X509) *known_signers(const reading_t *in)
{
    STACK_OF(X509) *known = in->rules->responders ? sk_X509_dup(in->rules->responders) : sk_X509_new_null();

    if (known && sk_X509_push(known, in->question->issuer))
        return known;
    sk_X509_free(known);
    return NULL;
}

static apr_status_t check_signature(reading_t *in)
{
    X509_STORE *store;
    STACK_OF(X509) *known;
    int ok;

    if (in->rules->unsigned_ok)
        return APR_SUCCESS;
    sl_openssl_error_clear();
    store = anchor(in);
    known = known_signers(in);
    ok = store && known && OCSP_basic_verify(in->basic, known, store, OCSP_TRUSTOTHER) == 1;
    sk_X509_free(known);
    X509_STORE_free(store);
    if (ok)
        return APR_SUCCESS;
    return sl_problem_set(in->why, APR_EACCES, NULL, "the answer is signed by nobody who may answer: %s",
                          sl_openssl_error_take(in->pool));
}

/* Responders choose the digest that names the issuer, whatever the question had. */
static int is_about(const sl_ocsp_question_t *question, const OCSP_SINGLERESP *single)
{
    const OCSP_CERTID *theirs = OCSP_SINGLERESP_get0_id(single);
    ASN1_OBJECT *digest = NULL;
    const EVP_MD *md = NULL;
    OCSP_CERTID *ours;
    int same;

    if (OCSP_id_get0_info(NULL, &digest, NULL, NULL, (OCSP_CERTID *)theirs) == 1)
        md = EVP_get_digestbyobj(digest);
    ours = md ? OCSP_cert_to_id(md, question->cert, question->issuer) : NULL;
    same = ours && OCSP_id_cmp(ours, theirs) == 0;
    OCSP_CERTID_free(ours);
    return same;
}

static OCSP_SINGLERESP *find_single(const reading_t *in)
{
    for (int i = 0; i < OCSP_resp_count(in->basic); i++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(in->basic, i);

        if (is_about(in->question, single))
            return single;
    }
    return NULL;
}

static apr_status_t check_nonce(const reading_t *in)
{
    int at = OCSP_BASICRESP_get_ext_by_NID(in->basic, NID_id_pkix_OCSP_Nonce, -1);
    const ASN1_OCTET_STRING *value;
    ASN1_OCTET_STRING *nonce;
    const unsigned char *bytes;
    int same;

    if (!in->question->has_nonce)
        return APR_SUCCESS;
    if (at < 0)
        return sl_problem_set(in->why, APR_EACCES, NULL, "the answer lacks the nonce of the question");
    value = X509_EXTENSION_get_data(OCSP_BASICRESP_get_ext(in->basic, at));
    bytes = ASN1_STRING_get0_data(value);
    nonce = d2i_ASN1_OCTET_STRING(NULL, &bytes, ASN1_STRING_length(value));
    same = nonce && ASN1_STRING_length(nonce) == (int)sizeof(in->question->nonce) &&
           !memcmp(ASN1_STRING_get0_data(nonce), in->question->nonce, sizeof(in->question->nonce));
    ASN1_OCTET_STRING_free(nonce);
    if (same)
        return APR_SUCCESS;
    return sl_problem_set(in->why, APR_EACCES, NULL, "the answer has another nonce than the question");
}

static apr_status_t check_times(const reading_t *in, const sl_ocsp_answer_t *answer)
{
    const sl_ocsp_rules_t *rules = in->rules;

    if (answer->this_update > rules->now + rules->skew)
        return sl_problem_set(in->why, APR_ETIMEDOUT, NULL,
                              "the answer is not valid yet: it is of the future, or the "
                              "clock of this machine is behind");
    if (answer->next_update && answer->next_update < answer->this_update)
        return sl_problem_set(in->why, APR_EINVAL, NULL, "the answer ends before it begins");
    if (answer->next_update && answer->next_update < rules->now - rules->skew)
        return sl_problem_set(in->why, APR_ETIMEDOUT, NULL, "the answer has expired %" APR_INT64_T_FMT " seconds ago",
                              rules->now - answer->next_update);
    if (rules->max_age >= 0 && answer->this_update < rules->now - rules->max_age - rules->skew)
        return sl_problem_set(in->why, APR_ETIMEDOUT, NULL,
                              "the answer is %" APR_INT64_T_FMT " seconds old, older than is allowed",
                              rules->now - answer->this_update);
    return APR_SUCCESS;
}

static apr_status_t read_single(const reading_t *in, sl_ocsp_answer_t *answer)
{
    OCSP_SINGLERESP *single = find_single(in);
    ASN1_GENERALIZEDTIME *this_update = NULL, *next_update = NULL;
    int reason = -1, status;

    if (!single)
        return sl_problem_set(in->why, APR_EACCES, NULL, "the answer is about another certificate");
    status = OCSP_single_get0_status(single, &reason, NULL, &this_update, &next_update);
    if (!sl_openssl_time(this_update, &answer->this_update))
        return sl_problem_set(in->why, APR_EINVAL, NULL, "the answer has no valid time");
    if (next_update && !sl_openssl_time(next_update, &answer->next_update))
        return sl_problem_set(in->why, APR_EINVAL, NULL, "the answer has no valid end");
    answer->status = status == V_OCSP_CERTSTATUS_GOOD      ? SL_OCSP_GOOD
                     : status == V_OCSP_CERTSTATUS_REVOKED ? SL_OCSP_REVOKED
                                                           : SL_OCSP_UNKNOWN;
    if (answer->status == SL_OCSP_REVOKED && reason >= 0)
        answer->reason = OCSP_crl_reason_str(reason);
    return check_times(in, answer);
}

apr_status_t sl_ocsp_answer_read(sl_ocsp_answer_t *answer, const void *bytes, apr_size_t length,
                                 const sl_ocsp_question_t *question, const sl_ocsp_rules_t *rules, apr_pool_t *pool,
                                 sl_problem_t *why)
{
    reading_t in = {question, rules, NULL, pool, why};
    OCSP_RESPONSE *response;
    apr_status_t rv;

    memset(answer, 0, sizeof(*answer));
    answer->status = SL_OCSP_UNKNOWN;
    sl_openssl_error_clear();
    response = parse(bytes, length);
    if (!response)
        rv = sl_problem_set(why, APR_EINVAL, NULL, "what came is no OCSP answer");
    else
        rv = open_response(&in, response);
    if (rv == APR_SUCCESS)
        rv = check_nonce(&in);
    if (rv == APR_SUCCESS)
        rv = check_signature(&in);
    if (rv == APR_SUCCESS)
        rv = read_single(&in, answer);
    OCSP_BASICRESP_free(in.basic);
    OCSP_RESPONSE_free(response);
    sl_openssl_error_clear();
    return rv;
}

const char *sl_ocsp_status_word(sl_ocsp_status_t status)
{
    static const char *const words[] = {"good", "revoked", "unknown"};

    return words[status];
}

const unsigned char *sl_ocsp_try_later(apr_size_t *length)
{
    static const unsigned char try_later[] = {0x30, 0x03, 0x0a, 0x01, 0x03};

    *length = sizeof(try_later);
    return try_later;
}
