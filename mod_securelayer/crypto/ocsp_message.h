/* OCSP (RFC 6960): the question whether a certificate is revoked, and what its answer says once it is believed.
 *
 * Certificates are borrowed; bytes and text live in the pool. Every byte of an answer is hostile.
 * Runs in: any process and thread; knows no network. */
#ifndef SL_CRYPTO_OCSP_MESSAGE_H
#define SL_CRYPTO_OCSP_MESSAGE_H

#include "base/problem.h"

#include <apr_tables.h>
#include <openssl/x509.h>

#define SL_OCSP_BYTES_MAX 65536 /* of an answer */

/* ---- what a certificate says ---- */

/* Its responders, const char * each, in the order of the certificate; only http and https; empty array if none. */
apr_array_header_t *sl_ocsp_urls(apr_pool_t *pool, X509 *cert);
/* Does it say that it is always shown with an answer stapled (RFC 7633)? */
int sl_ocsp_must_staple(X509 *cert);

/* ---- the question ---- */

typedef struct sl_ocsp_question_t {
    X509 *cert, *issuer;
    const unsigned char *der;
    apr_size_t length;
    unsigned char nonce[16]; /* RFC 9654 allows 1 to 128 bytes; old responders know 16 */
    int has_nonce;
} sl_ocsp_question_t;

/* NULL and a reason in `why` if OpenSSL fails. */
sl_ocsp_question_t *sl_ocsp_question_make(apr_pool_t *pool, X509 *cert, X509 *issuer, int with_nonce,
                                          sl_problem_t *why);

/* ---- the answer ---- */

typedef enum { SL_OCSP_GOOD, SL_OCSP_REVOKED, SL_OCSP_UNKNOWN } sl_ocsp_status_t;

typedef struct sl_ocsp_rules_t {
    apr_int64_t now;             /* seconds since 1970 */
    long skew;                   /* seconds that clocks may differ */
    long max_age;                /* seconds from thisUpdate on that an answer counts; -1: as long as it says */
    int unsigned_ok;             /* the signature is not looked at */
    STACK_OF(X509) *responders; /* believed beside the issuer and those it delegates to; NULL: none */
} sl_ocsp_rules_t;

typedef struct sl_ocsp_answer_t {
    sl_ocsp_status_t status;
    apr_int64_t this_update; /* seconds since 1970 */
    apr_int64_t next_update; /* 0: newer news may come at any time */
    const char *reason;      /* of a revocation, OpenSSL's words ("keyCompromise"); NULL: none is given */
} sl_ocsp_answer_t;

/* Reads and believes an answer to `question`: it must be about that certificate, in time, signed by its issuer, by a
 * responder that the issuer itself delegates to, or by one of the rules' responders, and echo the nonce if one was
 * sent. Revoked and unknown are successes. Else `why` has the reason: APR_EINVAL malformed, APR_EAGAIN the responder
 * says that it can't answer (tryLater, unauthorized, ...), APR_ETIMEDOUT too old or not yet valid, APR_EACCES not to be
 * believed (signature, another certificate, nonce). */
apr_status_t sl_ocsp_answer_read(sl_ocsp_answer_t *answer, const void *bytes, apr_size_t length,
                                 const sl_ocsp_question_t *question, const sl_ocsp_rules_t *rules, apr_pool_t *pool,
                                 sl_problem_t *why) __attribute__((warn_unused_result));

/* "good", "revoked", "unknown". */
const char *sl_ocsp_status_word(sl_ocsp_status_t status);

/* An answer that says nothing but tryLater (RFC 6960 section 2.3), in static memory. */
const unsigned char *sl_ocsp_try_later(apr_size_t *length);

#endif
