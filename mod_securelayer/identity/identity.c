/* An identity: what a server proves itself with.  Made by loader.c; the profile of a connection takes leaf, chain and
 * key from it, start-up reviews it, the status page shows it. */
#include "identity/identity.h"

#include "crypto/cert_text.h"

#include <apr_strings.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define DAY 86400
#define WARN_DAYS 14
#define NAMES_SHOWN 5

static int settle_all(X509 *leaf, const STACK_OF(X509) *chain)
{
    int ok = sl_cert_settle(leaf);

    for (int i = 0; ok && i < sk_X509_num(chain); i++)
        ok = sl_cert_settle(sk_X509_value(chain, i));
    return ok;
}

sl_identity_t *sl_identity_new(X509 *leaf, STACK_OF(X509) *chain, EVP_PKEY *key, const char *origin)
{
    sl_identity_t *identity = settle_all(leaf, chain) ? calloc(1, sizeof(*identity)) : NULL;

    if (!identity)
        return NULL;
    identity->origin = strdup(origin);
    if (!identity->origin || (!chain && !(chain = sk_X509_new_null()))) {
        free(identity->origin);
        free(identity);
        return NULL;
    }
    sl_refcount_init(&identity->holders);
    identity->leaf = leaf;
    identity->chain = chain;
    identity->key = key;
    identity->not_before = sl_cert_not_before(leaf);
    identity->not_after = sl_cert_not_after(leaf);
    return identity;
}

void sl_identity_retain(sl_identity_t *identity)
{
    sl_refcount_retain(&identity->holders);
}

void sl_identity_release(sl_identity_t *identity)
{
    if (!identity || !sl_refcount_release(&identity->holders))
        return;
    X509_free(identity->leaf);
    sk_X509_pop_free(identity->chain, X509_free);
    EVP_PKEY_free(identity->key);
    EVP_PKEY_free(identity->dh_parameters);
    free(identity->ec_group);
    free(identity->origin);
    sl_identity_release(identity->also);
    free(identity);
}

const char *sl_identity_key_type_of(const EVP_PKEY *key)
{
    static const struct {
        const char *openssl, *ours;
    } names[] = {{"EC", "ECDSA"}, {"ED25519", "Ed25519"}, {"ED448", "Ed448"}};
    const char *name = key ? EVP_PKEY_get0_type_name(key) : NULL;

    for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i].openssl, name) == 0)
            return names[i].ours;
    }
    return name ? name : "unknown";
}

int sl_identity_is_same(const sl_identity_t *a, const sl_identity_t *b)
{
    return a == b || X509_cmp(a->leaf, b->leaf) == 0;
}

const char *sl_identity_key_type(const sl_identity_t *identity)
{
    return sl_identity_key_type_of(identity->key);
}

/* The address in `host`, without the brackets of a URL; NULL if it is a name. */
static const char *address_of(const char *host, char *address, size_t size)
{
    ASN1_OCTET_STRING *octets;
    size_t length = strlen(host);

    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    }
    if (length >= size)
        return NULL;
    memcpy(address, host, length);
    address[length] = '\0';
    octets = a2i_IPADDRESS(address);
    ERR_clear_error();
    if (!octets)
        return NULL;
    ASN1_OCTET_STRING_free(octets);
    return address;
}

static int covers(X509 *leaf, const char *host)
{
    unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
    char text[64];
    const char *address = address_of(host, text, sizeof(text));
    int answer;

    if (X509_get_ext_by_NID(leaf, NID_subject_alt_name, -1) >= 0)
        flags |= X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
    answer = address ? X509_check_ip_asc(leaf, address, 0) : X509_check_host(leaf, host, 0, flags, NULL);
    ERR_clear_error();
    return answer == 1;
}

int sl_identity_covers(const sl_identity_t *identity, const char *host)
{
    return *host && covers(identity->leaf, host);
}

const char *sl_identity_weakness(const sl_identity_t *identity, apr_pool_t *pool)
{
    int digest = NID_undef, bits = EVP_PKEY_get_bits(identity->key);

    if (EVP_PKEY_is_a(identity->key, "EC")
            ? bits < 224
            : bits < 2048 && (EVP_PKEY_is_a(identity->key, "RSA") || EVP_PKEY_is_a(identity->key, "RSA-PSS")))
        return apr_psprintf(pool, "the %s key has only %d bits", sl_identity_key_type(identity), bits);
    if (X509_get_extension_flags(identity->leaf) & EXFLAG_SS ||
        !X509_get_signature_info(identity->leaf, &digest, NULL, NULL, NULL))
        return NULL;
    return digest == NID_md5 || digest == NID_sha1 || digest == NID_md5_sha1
               ? apr_psprintf(pool, "the certificate is signed with %s", OBJ_nid2sn(digest))
               : NULL;
}

/* What sl_identity_review() is about, and where its warnings go. */
typedef struct review_t {
    const sl_identity_t *identity;
    const sl_origin_t *origin;
    sl_problems_t *problems;
} review_t;

static void warn(const review_t *review, const char *log_id, const char *advice, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void warn(const review_t *review, const char *log_id, const char *advice, const char *format, ...)
{
    apr_pool_t *pool = review->problems->pool;
    va_list args;
    const char *text;

    va_start(args, format);
    text = apr_pvsprintf(pool, format, args);
    va_end(args);
    sl_problems_add(review->problems, SL_PROBLEM_WARNING, log_id, review->origin,
                    apr_pstrdup(pool, review->identity->origin), advice, "%s", text);
}

static const char *name_of(const review_t *review, X509 *cert, sl_dn_t which)
{
    return sl_cert_text_dn_for_log(review->problems->pool, cert, which);
}

static void review_ca(const review_t *review)
{
    X509 *leaf = review->identity->leaf;

    if (X509_get_ext_by_NID(leaf, NID_basic_constraints, -1) < 0 || !(X509_get_extension_flags(leaf) & EXFLAG_CA))
        return;
    warn(review, "AH01906", "Ask for a server certificate that is no CA",
         "the certificate is a CA certificate (BasicConstraints: CA:TRUE); clients may refuse it");
}

static const char *days_text(apr_pool_t *pool, apr_int64_t seconds)
{
    return seconds / DAY == 1 ? "1 day" : apr_psprintf(pool, "%" APR_INT64_T_FMT " days", seconds / DAY);
}

static void review_dates(const review_t *review, apr_int64_t now)
{
    const sl_identity_t *identity = review->identity;
    apr_pool_t *pool = review->problems->pool;
    apr_int64_t soon = (identity->not_after - identity->not_before) / 3;
    apr_int64_t left = identity->not_after - now;

    if (soon > WARN_DAYS * DAY)
        soon = WARN_DAYS * DAY;
    if (left < 0)
        warn(review, NULL, "Renew it", "the certificate expired on %s, %s ago",
             sl_cert_text_not_after(pool, identity->leaf), days_text(pool, -left));
    else if (left < soon)
        warn(review, NULL, "Renew it", "the certificate expires on %s, in %s",
             sl_cert_text_not_after(pool, identity->leaf), days_text(pool, left));
    if (now < identity->not_before)
        warn(review, NULL, "Check the clock of this machine, or wait", "the certificate is not valid before %s",
             sl_cert_text_not_before(pool, identity->leaf));
}

static void review_key(const review_t *review)
{
    EVP_PKEY *key = review->identity->key;
    int bits = EVP_PKEY_get_bits(key);

    if ((EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS")) && bits < 2048)
        warn(review, NULL, "Make a new key of at least 2048 bits, or a P-256 one", "the RSA key has only %d bits",
             bits);
    else if (EVP_PKEY_is_a(key, "EC") && bits < 224)
        warn(review, NULL, "Make a new key on P-256", "the elliptic curve key has only %d bits", bits);
}

static void review_signature(const review_t *review, X509 *cert)
{
    int digest = NID_undef;

    /* Nobody verifies the signature of a certificate that signed itself. */
    if (X509_get_extension_flags(cert) & EXFLAG_SS || !X509_get_signature_info(cert, &digest, NULL, NULL, NULL))
        return;
    if (digest == NID_md5 || digest == NID_sha1 || digest == NID_md5_sha1 || digest == NID_md4 || digest == NID_md2)
        warn(review, NULL, "Have it issued anew; clients refuse such signatures",
             "the certificate of %s is signed with %s", name_of(review, cert, SL_DN_SUBJECT), OBJ_nid2sn(digest));
}

static int issued(X509 *issuer, X509 *subject)
{
    int yes = issuer != subject && X509_check_issued(issuer, subject) == X509_V_OK;

    ERR_clear_error();
    return yes;
}

static int is_self_signed(X509 *cert)
{
    return (X509_get_extension_flags(cert) & EXFLAG_SS) != 0;
}

/* The loader has put issuers in order, so a certificate that did not issue the one before it belongs nowhere. */
static void review_chain(const review_t *review)
{
    const sl_identity_t *identity = review->identity;
    X509 *subject = identity->leaf;
    int at = 0;

    while (at < sk_X509_num(identity->chain) && !is_self_signed(subject) &&
           issued(sk_X509_value(identity->chain, at), subject))
        subject = sk_X509_value(identity->chain, at++);
    for (; at < sk_X509_num(identity->chain); at++)
        warn(review, NULL, "Remove it, or add the certificate that is missing between",
             "the certificate of %s signs nothing in the chain, and is sent all the same",
             name_of(review, sk_X509_value(identity->chain, at), SL_DN_SUBJECT));
}

static int is_issued_among(const STACK_OF(X509) *certs, X509 *leaf)
{
    int yes = sl_cert_issuer_among(certs, leaf) != NULL;

    ERR_clear_error();
    return yes;
}

int sl_identity_is_complete(const sl_identity_t *identity)
{
    return is_self_signed(identity->leaf) ||
           (sk_X509_num(identity->chain) && issued(sk_X509_value(identity->chain, 0), identity->leaf));
}

void sl_identity_review_issuer(const sl_identity_t *identity, STACK_OF(X509) *cas, const sl_origin_t *origin,
                               sl_problems_t *problems)
{
    const review_t review = {identity, origin, problems};

    if (sl_identity_is_complete(identity) || (!sk_X509_num(identity->chain) && is_issued_among(cas, identity->leaf)))
        return;
    warn(&review, NULL, "Append it to the certificate's file (no need to if it is a root CA that the clients have)",
         "the chain is incomplete: the certificate of the issuer, %s, is not there",
         name_of(&review, identity->leaf, SL_DN_ISSUER));
}

static void review_names(const review_t *review, const apr_array_header_t *names)
{
    apr_pool_t *pool = review->problems->pool;
    const char *list = "";

    if (!names || names->nelts == 0)
        return;
    for (int i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        if (sl_identity_covers(review->identity, name))
            return;
        if (i < NAMES_SHOWN)
            list = apr_pstrcat(pool, list, i ? ", " : "", name, NULL);
    }
    if (names->nelts > NAMES_SHOWN)
        list = apr_psprintf(pool, "%s and %d more", list, names->nelts - NAMES_SHOWN);
    warn(review, "AH01909", "Check ServerName and ServerAlias, or get a certificate for the name",
         "the certificate covers no name of the virtual host (%s)", list);
}

void sl_identity_review(const sl_identity_t *identity, const apr_array_header_t *names, apr_int64_t now,
                        const sl_origin_t *origin, sl_problems_t *problems)
{
    const review_t review = {identity, origin, problems};

    review_ca(&review);
    review_dates(&review, now);
    review_key(&review);
    review_signature(&review, identity->leaf);
    for (int i = 0; i < sk_X509_num(identity->chain); i++)
        review_signature(&review, sk_X509_value(identity->chain, i));
    review_chain(&review);
    review_names(&review, names);
}
