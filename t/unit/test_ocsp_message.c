/* ocsp_message: what a certificate says about responders, the question, and which answers are believed. */
#include "unit.h"

#include "crypto/ocsp_message.h"
#include "material.h"

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

/* A CA, its certificate in question, and how the next answer is made. */
typedef struct setup_t {
    apr_pool_t *pool;
    const material_pair_t *ca, *leaf;
    const material_pair_t *signer;  /* the CA unless a test changes it */
    X509 *about, *about_issuer;     /* leaf and CA */
    int status, reason;
    apr_int64_t this_update, next_update; /* 0: none */
    const EVP_MD *digest;           /* that names the issuer */
    int nonce;                      /* 1: echoes the question's, -1: another one, 0: none */
    int no_certs;                   /* the signer's certificate is not sent along */
    sl_ocsp_rules_t rules;
    sl_ocsp_question_t *question;
    sl_ocsp_answer_t answer;
    sl_problem_t *why;
} setup_t;

static setup_t make(apr_pool_t *pool)
{
    setup_t t;

    memset(&t, 0, sizeof(t));
    t.pool = pool;
    t.ca = material_ca(pool, "CA", NULL);
    t.leaf = material_client(pool, "leaf", "P-256", t.ca);
    t.signer = t.ca;
    t.about = t.leaf->cert;
    t.about_issuer = t.ca->cert;
    t.status = V_OCSP_CERTSTATUS_GOOD;
    t.reason = -1;
    t.rules.now = material_now();
    t.rules.skew = 300;
    t.rules.max_age = -1;
    t.this_update = t.rules.now - 60;
    t.next_update = t.rules.now + 3600;
    t.question = sl_ocsp_question_make(pool, t.leaf->cert, t.ca->cert, 0, NULL);
    assert_non_null(t.question);
    return t;
}

static material_pair_t *responder(setup_t *t, const char *usage, const material_pair_t *issuer)
{
    const char *extensions[] = {"extendedKeyUsage", usage, NULL};
    material_cert_t what;

    memset(&what, 0, sizeof(what));
    what.subject = "/CN=responder";
    what.extensions = extensions;
    return material_pair(t->pool, &what, "P-256", issuer);
}

static void add_nonce(const setup_t *t, OCSP_BASICRESP *basic)
{
    unsigned char nonce[sizeof(t->question->nonce)];

    memcpy(nonce, t->question->nonce, sizeof(nonce));
    nonce[0] ^= t->nonce < 0;
    if (t->nonce)
        assert_int_equal(OCSP_basic_add1_nonce(basic, nonce, sizeof(nonce)), 1);
}

static material_bytes_t make_answer(const setup_t *t)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(t->digest, t->about, t->about_issuer);
    ASN1_TIME *this_update = ASN1_TIME_set(NULL, (time_t)t->this_update);
    ASN1_TIME *next_update = t->next_update ? ASN1_TIME_set(NULL, (time_t)t->next_update) : NULL;
    ASN1_TIME *revoked = t->status == V_OCSP_CERTSTATUS_REVOKED ? ASN1_TIME_set(NULL, (time_t)t->this_update) : NULL;
    OCSP_RESPONSE *response;
    unsigned char *der = NULL;
    material_bytes_t bytes;
    int length;

    assert_non_null(OCSP_basic_add1_status(basic, id, t->status, t->reason, revoked, this_update, next_update));
    add_nonce(t, basic);
    assert_int_equal(
        OCSP_basic_sign(basic, t->signer->cert, t->signer->key, EVP_sha256(), NULL, t->no_certs ? OCSP_NOCERTS : 0), 1);
    response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    length = i2d_OCSP_RESPONSE(response, &der);
    assert_true(length > 0);
    bytes.data = apr_pmemdup(t->pool, der, (apr_size_t)length);
    bytes.length = (apr_size_t)length;
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(this_update);
    ASN1_TIME_free(next_update);
    ASN1_TIME_free(revoked);
    return bytes;
}

static apr_status_t read_bytes(setup_t *t, material_bytes_t bytes)
{
    t->why = sl_problem_make(t->pool);
    return sl_ocsp_answer_read(&t->answer, bytes.data, bytes.length, t->question, &t->rules, t->pool, t->why);
}

static void accepted(setup_t *t, sl_ocsp_status_t status)
{
    if (read_bytes(t, make_answer(t)) != APR_SUCCESS)
        fail_msg("%s", sl_problem_text(t->why, t->pool));
    assert_int_equal(t->answer.status, status);
}

static void refused(setup_t *t, apr_status_t status, const char *words)
{
    assert_int_equal(read_bytes(t, make_answer(t)), status);
    if (!strstr(t->why->reason, words))
        fail_msg("\"%s\" does not hold \"%s\"", t->why->reason, words);
}

static void good_revoked_unknown(void **state)
{
    setup_t t = make(*state);

    accepted(&t, SL_OCSP_GOOD);
    assert_int_equal(t.answer.this_update, t.this_update);
    assert_int_equal(t.answer.next_update, t.next_update);
    t.next_update = 0;
    accepted(&t, SL_OCSP_GOOD);
    assert_int_equal(t.answer.next_update, 0);
    t.status = V_OCSP_CERTSTATUS_UNKNOWN;
    accepted(&t, SL_OCSP_UNKNOWN);
    t.status = V_OCSP_CERTSTATUS_REVOKED;
    accepted(&t, SL_OCSP_REVOKED);
    assert_null(t.answer.reason);
    t.reason = OCSP_REVOKED_STATUS_KEYCOMPROMISE;
    accepted(&t, SL_OCSP_REVOKED);
    assert_string_equal(t.answer.reason, "keyCompromise");
    assert_string_equal(sl_ocsp_status_word(t.answer.status), "revoked");
}

static void the_answer_is_about_the_certificate(void **state)
{
    setup_t t = make(*state);
    const material_pair_t *namesake = material_ca(t.pool, "CA", NULL);

    t.digest = EVP_sha256();
    accepted(&t, SL_OCSP_GOOD);
    t.about = material_client(t.pool, "another", "P-256", t.ca)->cert;
    refused(&t, APR_EACCES, "about another certificate");
    t.about = t.leaf->cert;
    t.about_issuer = namesake->cert; /* the same name, another key */
    refused(&t, APR_EACCES, "about another certificate");
    t.signer = namesake;
    refused(&t, APR_EACCES, "signed by nobody who may answer");
}

static void who_may_sign(void **state)
{
    setup_t t = make(*state);
    const material_pair_t *stranger = material_ca(t.pool, "Stranger", NULL);
    const material_pair_t *below = material_ca(t.pool, "Below", t.ca);

    t.no_certs = 1;
    accepted(&t, SL_OCSP_GOOD);
    t.no_certs = 0;
    t.signer = responder(&t, "OCSPSigning", t.ca);
    accepted(&t, SL_OCSP_GOOD);
    t.signer = responder(&t, "serverAuth", t.ca);
    refused(&t, APR_EACCES, "signed by nobody");
    t.signer = responder(&t, "OCSPSigning", stranger);
    refused(&t, APR_EACCES, "signed by nobody");
    t.signer = responder(&t, "OCSPSigning", below); /* delegation is the issuer's own matter */
    refused(&t, APR_EACCES, "signed by nobody");
    t.signer = stranger;
    refused(&t, APR_EACCES, "signed by nobody");
    t.rules.responders = material_stack(t.pool, stranger->cert, NULL);
    accepted(&t, SL_OCSP_GOOD);
    t.signer = t.ca; /* whoever is believed besides, the issuer is */
    accepted(&t, SL_OCSP_GOOD);
}

static void an_issuer_below_another_ca(void **state)
{
    setup_t t = make(*state);
    const material_pair_t *below = material_ca(t.pool, "Below", t.ca);

    t.leaf = material_client(t.pool, "leaf", "P-256", below);
    t.about = t.leaf->cert;
    t.about_issuer = below->cert;
    t.question = sl_ocsp_question_make(t.pool, t.about, t.about_issuer, 0, NULL);
    t.signer = below;
    accepted(&t, SL_OCSP_GOOD);
    t.signer = responder(&t, "OCSPSigning", below);
    accepted(&t, SL_OCSP_GOOD);
    t.signer = responder(&t, "OCSPSigning", t.ca);
    refused(&t, APR_EACCES, "signed by nobody");
}

static void an_expired_responder(void **state)
{
    setup_t t = make(*state);

    t.signer = responder(&t, "OCSPSigning", t.ca);
    t.rules.now += 400 * MATERIAL_DAY;
    t.this_update += 400 * MATERIAL_DAY;
    t.next_update += 400 * MATERIAL_DAY;
    refused(&t, APR_EACCES, "signed by nobody");
}

static void a_damaged_signature(void **state)
{
    setup_t t = make(*state);
    material_bytes_t bytes;
    char *copy;

    t.no_certs = 1; /* the signature is at the end then */
    bytes = make_answer(&t);
    copy = apr_pmemdup(t.pool, bytes.data, bytes.length);
    copy[bytes.length - 1] ^= 1;
    bytes.data = copy;
    assert_int_equal(read_bytes(&t, bytes), APR_EACCES);
    t.rules.unsigned_ok = 1;
    assert_int_equal(read_bytes(&t, bytes), APR_SUCCESS);
}

static void times(void **state)
{
    setup_t t = make(*state);

    t.this_update = t.rules.now + 299;
    accepted(&t, SL_OCSP_GOOD);
    t.this_update = t.rules.now + 301;
    refused(&t, APR_ETIMEDOUT, "not valid yet");
    t.this_update = t.rules.now - 7200;
    t.next_update = t.rules.now - 299;
    accepted(&t, SL_OCSP_GOOD);
    t.next_update = t.rules.now - 301;
    refused(&t, APR_ETIMEDOUT, "has expired 301 seconds ago");
    t.rules.skew = 400;
    accepted(&t, SL_OCSP_GOOD);
    t.next_update = t.rules.now + 3600;
    t.rules.max_age = 7200 - 400;
    accepted(&t, SL_OCSP_GOOD);
    t.rules.max_age = 7200 - 401;
    refused(&t, APR_ETIMEDOUT, "7200 seconds old");
    t.rules.max_age = -1;
    t.this_update = t.rules.now + 100;
    t.next_update = t.rules.now - 100;
    refused(&t, APR_EINVAL, "ends before it begins");
}

static void nonces(void **state)
{
    setup_t t = make(*state);

    t.nonce = 1; /* unasked: no harm */
    accepted(&t, SL_OCSP_GOOD);
    t.question = sl_ocsp_question_make(t.pool, t.leaf->cert, t.ca->cert, 1, NULL);
    accepted(&t, SL_OCSP_GOOD);
    t.nonce = -1;
    refused(&t, APR_EACCES, "another nonce");
    t.nonce = 0;
    refused(&t, APR_EACCES, "lacks the nonce");
}

static void what_is_no_answer(void **state)
{
    setup_t t = make(*state);
    material_bytes_t good = make_answer(&t), bytes = good;
    apr_size_t length;
    const unsigned char *try_later = sl_ocsp_try_later(&length);

    for (bytes.length = 0; bytes.length < good.length; bytes.length++)
        assert_int_equal(read_bytes(&t, bytes), APR_EINVAL);
    bytes = material_join(t.pool, good, material_text("x"));
    assert_int_equal(read_bytes(&t, bytes), APR_EINVAL);
    bytes.length = SL_OCSP_BYTES_MAX + 1;
    bytes.data = apr_pcalloc(t.pool, bytes.length);
    assert_int_equal(read_bytes(&t, bytes), APR_EINVAL);
    bytes.data = (const char *)try_later;
    bytes.length = length;
    assert_int_equal(read_bytes(&t, bytes), APR_EAGAIN);
    assert_non_null(strstr(t.why->reason, "trylater (3)"));
}

static void the_question(void **state)
{
    setup_t t = make(*state);
    const unsigned char *at = t.question->der;
    OCSP_REQUEST *request = d2i_OCSP_REQUEST(NULL, &at, (long)t.question->length);
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, t.leaf->cert, t.ca->cert);

    assert_non_null(request);
    assert_int_equal(OCSP_request_onereq_count(request), 1);
    assert_int_equal(OCSP_id_cmp(id, OCSP_onereq_get0_id(OCSP_request_onereq_get0(request, 0))), 0);
    assert_int_equal(OCSP_REQUEST_get_ext_by_NID(request, NID_id_pkix_OCSP_Nonce, -1), -1);
    OCSP_CERTID_free(id);
    OCSP_REQUEST_free(request);
}

static X509 *with_extension(setup_t *t, const char *name, const char *value)
{
    const char *extensions[] = {name, value, NULL};
    material_cert_t what;

    memset(&what, 0, sizeof(what));
    what.extensions = extensions;
    return material_pair(t->pool, &what, "P-256", t->ca)->cert;
}

static void what_certificates_say(void **state)
{
    setup_t t = make(*state);
    apr_array_header_t *urls = sl_ocsp_urls(t.pool, t.leaf->cert);

    assert_int_equal(urls->nelts, 0);
    urls =
        sl_ocsp_urls(t.pool, with_extension(&t, "authorityInfoAccess",
                                            "caIssuers;URI:http://ca.test/,OCSP;URI:ldap://x/,OCSP;URI:http://a.test/,"
                                            "OCSP;URI:HTTPS://b.test/x"));
    assert_int_equal(urls->nelts, 2);
    assert_string_equal(APR_ARRAY_IDX(urls, 0, const char *), "http://a.test/");
    assert_string_equal(APR_ARRAY_IDX(urls, 1, const char *), "HTTPS://b.test/x");
    assert_false(sl_ocsp_must_staple(t.leaf->cert));
    assert_true(sl_ocsp_must_staple(with_extension(&t, "tlsfeature", "status_request")));
    assert_false(sl_ocsp_must_staple(with_extension(&t, "tlsfeature", "status_request_v2")));
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(good_revoked_unknown),
    UNIT_TEST(the_answer_is_about_the_certificate),
    UNIT_TEST(who_may_sign),
    UNIT_TEST(an_issuer_below_another_ca),
    UNIT_TEST(an_expired_responder),
    UNIT_TEST(a_damaged_signature),
    UNIT_TEST(times),
    UNIT_TEST(nonces),
    UNIT_TEST(what_is_no_answer),
    UNIT_TEST(the_question),
    UNIT_TEST(what_certificates_say),
};

UNIT_MAIN(tests)
