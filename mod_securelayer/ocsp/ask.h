/* One question to a responder and its believed answer.
 * Runs in: the courier, and any thread of a child; waits for the network, no longer than the timeout. */
#ifndef SL_OCSP_ASK_H
#define SL_OCSP_ASK_H

#include "crypto/ocsp_message.h"
#include "ocsp/fetch.h"

typedef struct sl_ask_t {
    X509 *cert, *issuer;
    const char *url;   /* of the responder */
    const char *proxy; /* NULL: none */
    int nonce;
    apr_interval_time_t timeout;
    const volatile int *stop; /* ends the wait once it is set; NULL: nobody does */
    sl_ocsp_rules_t rules;
} sl_ask_t;

/* `bytes`, the answer as it came, may be NULL if it is not wanted. */
apr_status_t sl_ask(sl_ocsp_answer_t *answer, const unsigned char **bytes, apr_size_t *length, const sl_ask_t *ask,
                    apr_pool_t *pool, sl_problem_t *why) __attribute__((warn_unused_result));

#endif
