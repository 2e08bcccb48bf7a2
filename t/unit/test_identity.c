/* identity: which names a certificate covers, and what a review warns of. */
#include "unit.h"

#include "identity/identity.h"
#include "material.h"

static sl_identity_t *identity_of(const material_pair_t *pair, STACK_OF(X509) *chain)
{
    STACK_OF(X509) *own = chain ? X509_chain_up_ref(chain) : sk_X509_new_null();
    sl_identity_t *identity;

    X509_up_ref(pair->cert);
    EVP_PKEY_up_ref(pair->key);
    identity = sl_identity_new(pair->cert, own, pair->key, "/x.crt");
    assert_non_null(identity);
    return identity;
}

static int covers(apr_pool_t *pool, const char *subject, const char *san, const char *host)
{
    const material_cert_t what = {.subject = subject, .san = san};
    sl_identity_t *identity = identity_of(material_pair(pool, &what, "P-256", NULL), NULL);
    int answer = sl_identity_covers(identity, host);

    sl_identity_release(identity);
    return answer;
}

static void names_are_covered_as_rfc_9525_says(void **state)
{
    static const struct {
        const char *subject, *san, *host;
        int covered;
    } rows[] = {
        {"/CN=x", "DNS:a.test", "a.test", 1},
        {"/CN=x", "DNS:A.Test", "a.test", 1},
        {"/CN=x", "DNS:a.test", "b.a.test", 0},
        {"/CN=x", "DNS:a.test", "a.tes", 0},
        {"/CN=x", "DNS:b.test,DNS:a.test", "a.test", 1},
        {"/CN=x", "DNS:*.a.test", "www.a.test", 1},
        {"/CN=x", "DNS:*.a.test", "a.test", 0},
        {"/CN=x", "DNS:*.a.test", "x.www.a.test", 0},
        {"/CN=x", "DNS:w*.a.test", "www.a.test", 0},
        {"/CN=x", "DNS:*w.a.test", "www.a.test", 0},
        {"/CN=x", "DNS:www.*.test", "www.a.test", 0},
        {"/CN=x", "DNS:*.test", "a.test", 0},
        {"/CN=x", "DNS:*", "a", 0},
        {"/CN=x", "DNS:xn--bcher-kva.test", "xn--bcher-kva.test", 1},
        /* The CN counts only when there is no subjectAltName of any kind. */
        {"/CN=a.test", NULL, "a.test", 1},
        {"/CN=*.a.test", NULL, "www.a.test", 1},
        {"/CN=a.test", "DNS:b.test", "a.test", 0},
        {"/CN=a.test", "email:x@a.test", "a.test", 0},
        {"/CN=a.test", "IP:192.0.2.1", "a.test", 0},
        /* Addresses are looked up among addresses. */
        {"/CN=x", "IP:192.0.2.1", "192.0.2.1", 1},
        {"/CN=x", "IP:192.0.2.1", "192.0.2.2", 0},
        {"/CN=x", "DNS:192.0.2.1", "192.0.2.1", 0},
        {"/CN=192.0.2.1", NULL, "192.0.2.1", 0},
        {"/CN=x", "IP:2001:db8::1", "2001:db8::1", 1},
        {"/CN=x", "IP:2001:db8::1", "2001:db8:0:0:0:0:0:1", 1},
        {"/CN=x", "IP:2001:db8::1", "[2001:db8::1]", 1},
        {"/CN=x", "IP:2001:db8::1", "2001:db8::2", 0},
        {"/CN=x", "DNS:a.test", "", 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (covers(*state, rows[i].subject, rows[i].san, rows[i].host) != rows[i].covered)
            fail_msg("%s, %s: %s", rows[i].subject, rows[i].san ? rows[i].san : "no SAN", rows[i].host);
    }
}

static void key_types_have_their_usual_names(void **state)
{
    static const struct {
        const char *type, *name;
    } rows[] = {{"RSA", "RSA"}, {"RSA-PSS", "RSA-PSS"}, {"P-384", "ECDSA"}, {"ED25519", "Ed25519"}, {"ED448", "Ed448"},
                {"ML-DSA-65", "ML-DSA-65"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EVP_PKEY *key = material_key(*state, rows[i].type);

        if (key)
            assert_string_equal(sl_identity_key_type_of(key), rows[i].name);
    }
    assert_string_equal(sl_identity_key_type_of(NULL), "unknown");
}

static void the_last_release_frees(void **state)
{
    material_pair_t *pair = material_server(*state, "a.test", "P-256", NULL);
    sl_identity_t *identity = identity_of(pair, NULL);

    sl_identity_retain(identity);
    sl_identity_release(identity);
    assert_string_equal(sl_identity_key_type(identity), "ECDSA");
    sl_identity_release(identity); /* a sanitizer tells if this is one too many or too few */
    sl_identity_release(NULL);
}

static const char *told(apr_pool_t *pool, const sl_problems_t *problems)
{
    const char *text = "";

    for (int i = 0; i < problems->all->nelts; i++) {
        const sl_problem_t *why = APR_ARRAY_IDX(problems->all, i, const sl_problem_t *);

        text = apr_pstrcat(pool, text, why->log_id ? why->log_id : "-", " ", sl_problem_text(why, pool), "\n", NULL);
    }
    return text;
}

/* All warnings in one text, each with its id. */
static const char *review(apr_pool_t *pool, const material_pair_t *pair, STACK_OF(X509) *chain, const char *name,
                          apr_int64_t now)
{
    static const sl_origin_t origin = {"httpd.conf", 7, "SSLCertificateFile"};
    sl_identity_t *identity = identity_of(pair, chain);
    sl_problems_t *problems = sl_problems_make(pool);
    apr_array_header_t *names = apr_array_make(pool, 1, sizeof(const char *));

    if (name)
        APR_ARRAY_PUSH(names, const char *) = name;
    sl_identity_review(identity, name ? names : NULL, now ? now : material_now(), &origin, problems);
    assert_int_equal(problems->errors, 0);
    sl_identity_release(identity);
    return told(pool, problems);
}

/* What is told of its issuer. */
static const char *review_issuer(apr_pool_t *pool, const material_pair_t *pair, STACK_OF(X509) *chain,
                                 STACK_OF(X509) *cas)
{
    static const sl_origin_t origin = {"httpd.conf", 7, "SSLCertificateFile"};
    sl_identity_t *identity = identity_of(pair, chain);
    sl_problems_t *problems = sl_problems_make(pool);

    sl_identity_review_issuer(identity, cas, &origin, problems);
    assert_int_equal(problems->errors, 0);
    sl_identity_release(identity);
    return told(pool, problems);
}

static void assert_warns(const char *text, const char *of)
{
    if (!strstr(text, of))
        fail_msg("\"%s\" does not hold \"%s\"", text, of);
}

static void a_good_certificate_gets_no_warning(void **state)
{
    material_pair_t *root = material_ca(*state, "root", NULL), *sub = material_ca(*state, "sub", root);
    material_pair_t *leaf = material_server(*state, "a.test", "P-256", sub);

    assert_string_equal(review(*state, leaf, material_stack(*state, sub->cert, NULL), "a.test", 0), "");
    /* Sending the root too is needless but harmless. */
    assert_string_equal(review(*state, leaf, material_stack(*state, sub->cert, root->cert, NULL), "a.test", 0), "");
    assert_string_equal(review(*state, material_server(*state, "a.test", "RSA", NULL), NULL, "a.test", 0), "");
}

static void a_warning_says_where_and_on_which_file(void **state)
{
    material_pair_t *leaf = material_server(*state, "a.test", "P-256", NULL);

    assert_string_equal(review(*state, leaf, NULL, "b.test", 0),
                        "AH01909 httpd.conf:7: SSLCertificateFile: /x.crt: the certificate covers no name of the "
                        "virtual host (b.test). Check ServerName and ServerAlias, or get a certificate for the name\n");
}

static void one_covered_name_is_enough(void **state)
{
    material_pair_t *leaf = material_server(*state, "a.test", "P-256", NULL);
    sl_identity_t *identity = identity_of(leaf, NULL);
    sl_problems_t *problems = sl_problems_make(*state);
    apr_array_header_t *names = apr_array_make(*state, 1, sizeof(const char *));

    for (int i = 0; i < 7; i++)
        APR_ARRAY_PUSH(names, const char *) = apr_psprintf(*state, "n%d.test", i);
    sl_identity_review(identity, names, material_now(), NULL, problems);
    assert_int_equal(problems->all->nelts, 1);
    assert_warns(APR_ARRAY_IDX(problems->all, 0, sl_problem_t *)->reason,
                 "(n0.test, n1.test, n2.test, n3.test, n4.test and 2 more)");
    APR_ARRAY_PUSH(names, const char *) = "a.test";
    sl_identity_review(identity, names, material_now(), NULL, problems);
    assert_int_equal(problems->all->nelts, 1);
    sl_identity_release(identity);
}

static void dates_are_warned_of(void **state)
{
    const apr_int64_t from = 1700000000, until = from + 90 * MATERIAL_DAY;
    const material_cert_t what = {.not_before = from, .not_after = until};
    const material_cert_t brief = {.not_before = from, .not_after = from + 6 * MATERIAL_DAY};
    material_pair_t *pair = material_pair(*state, &what, "P-256", NULL);
    material_pair_t *short_lived = material_pair(*state, &brief, "P-256", NULL);

    assert_string_equal(review(*state, pair, NULL, NULL, until - 15 * MATERIAL_DAY), "");
    assert_warns(review(*state, pair, NULL, NULL, until - 13 * MATERIAL_DAY),
                 "expires on Feb 12 22:13:20 2024 GMT, in 13 days");
    assert_warns(review(*state, pair, NULL, NULL, until + 3 * MATERIAL_DAY),
                 "expired on Feb 12 22:13:20 2024 GMT, 3 days ago");
    assert_warns(review(*state, pair, NULL, NULL, from - 1), "not valid before Nov 14 22:13:20 2023 GMT");
    /* Six days of life: a third is two. */
    assert_string_equal(review(*state, short_lived, NULL, NULL, from + 3 * MATERIAL_DAY), "");
    assert_warns(review(*state, short_lived, NULL, NULL, from + 5 * MATERIAL_DAY), "in 1 day.");
}

static void weak_keys_and_signatures_are_warned_of(void **state)
{
    const material_cert_t sha1 = {.subject = "/CN=old", .digest = "SHA1"}, plain = {.subject = "/CN=a.test"};
    material_pair_t *ca = material_ca(*state, "ca", NULL);
    STACK_OF(X509) *chain = material_stack(*state, ca->cert, NULL);
    EVP_PKEY *small_curve = material_key(*state, "secp192k1");

    assert_warns(review(*state, material_pair(*state, &plain, "RSA-1024", NULL), NULL, NULL, 0),
                 "the RSA key has only 1024 bits");
    assert_warns(review(*state, material_pair(*state, &sha1, "P-256", ca), chain, NULL, 0),
                 "the certificate of CN=old is signed with SHA1");
    assert_string_equal(review(*state, material_pair(*state, &sha1, "P-256", NULL), NULL, NULL, 0), "");
    if (small_curve) {
        const material_pair_t pair = {material_cert(*state, &plain, small_curve, NULL), small_curve};

        assert_warns(review(*state, &pair, NULL, NULL, 0), "the elliptic curve key has only 192 bits");
    }
}

static void a_ca_certificate_is_warned_of(void **state)
{
    assert_warns(review(*state, material_ca(*state, "ca", NULL), NULL, NULL, 0), "AH01906 ");
}

static void a_missing_issuer_is_warned_of(void **state)
{
    material_pair_t *root = material_ca(*state, "root", NULL), *sub = material_ca(*state, "sub", root);
    material_pair_t *leaf = material_server(*state, "a.test", "P-256", sub);
    STACK_OF(X509) *cas = material_stack(*state, root->cert, sub->cert, NULL);
    static const char missing[] = "the chain is incomplete: the certificate of the issuer, CN=sub, is not there";

    assert_warns(review_issuer(*state, leaf, NULL, NULL), missing);
    assert_warns(review_issuer(*state, leaf, NULL, material_stack(*state, root->cert, NULL)), missing);
    assert_string_equal(review_issuer(*state, leaf, NULL, cas), "");
    assert_string_equal(review_issuer(*state, leaf, material_stack(*state, sub->cert, NULL), NULL), "");
    /* What has a chain is sent with that one. */
    assert_warns(review_issuer(*state, leaf, material_stack(*state, root->cert, NULL), cas), missing);
    assert_string_equal(review_issuer(*state, material_server(*state, "a.test", "RSA", NULL), NULL, NULL), "");
}

static void gaps_and_strangers_in_the_chain_are_warned_of(void **state)
{
    material_pair_t *root = material_ca(*state, "root", NULL), *sub = material_ca(*state, "sub", root);
    material_pair_t *leaf = material_server(*state, "a.test", "P-256", sub);
    material_pair_t *stranger = material_ca(*state, "stranger", NULL);

    assert_warns(review(*state, leaf, material_stack(*state, root->cert, NULL), NULL, 0), "CN=root signs nothing");
    assert_warns(review(*state, leaf, material_stack(*state, sub->cert, stranger->cert, NULL), NULL, 0),
                 "CN=stranger signs nothing");
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(names_are_covered_as_rfc_9525_says),
    UNIT_TEST(key_types_have_their_usual_names),
    UNIT_TEST(the_last_release_frees),
    UNIT_TEST(a_good_certificate_gets_no_warning),
    UNIT_TEST(a_warning_says_where_and_on_which_file),
    UNIT_TEST(one_covered_name_is_enough),
    UNIT_TEST(dates_are_warned_of),
    UNIT_TEST(weak_keys_and_signatures_are_warned_of),
    UNIT_TEST(a_ca_certificate_is_warned_of),
    UNIT_TEST(a_missing_issuer_is_warned_of),
    UNIT_TEST(gaps_and_strangers_in_the_chain_are_warned_of),
};

UNIT_MAIN(tests)
