/* Question, exchange, answer.  Called by ocsp/answers (client certificates) and by the courier's staple_job. */
#include "ocsp/ask.h"

#include <apr_strings.h>

apr_status_t sl_ask(sl_ocsp_answer_t *answer, const unsigned char **bytes, apr_size_t *length, const sl_ask_t *ask,
                    apr_pool_t *pool, sl_problem_t *why)
{
    sl_ocsp_question_t *question = sl_ocsp_question_make(pool, ask->cert, ask->issuer, ask->nonce, why);
    const unsigned char *got;
    apr_size_t got_length;
    sl_fetch_t fetch = {ask->url, ask->proxy, NULL, 0, "application/ocsp-request", SL_OCSP_BYTES_MAX, ask->timeout,
                        ask->stop};
    apr_status_t rv;

    if (!question)
        return APR_EGENERAL;
    fetch.body = question->der;
    fetch.body_length = question->length;
    rv = sl_fetch_post(&got, &got_length, &fetch, pool, why);
    if (rv != APR_SUCCESS)
        return rv;
    if (bytes) {
        *bytes = got;
        *length = got_length;
    }
    rv = sl_ocsp_answer_read(answer, got, got_length, question, &ask->rules, pool, why);
    if (rv != APR_SUCCESS && why && !why->object)
        why->object = apr_pstrdup(why->pool, ask->url);
    return rv;
}
