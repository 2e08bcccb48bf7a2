/* Answers about client certificates, kept until their nextUpdate, so that the next handshake does not ask again.
 *
 * Bounded: a place for some thousand answers; an old one makes room. Many handshakes with one certificate ask once: the
 * others wait for the first, none longer than its own timeout. That a deadline ended a question is remembered as long
 * as it took, at most ten seconds: a responder that hangs must not hold up one thread after the other.
 * Runs in: all threads of one child; one per child, made in child_init. */
#ifndef SL_OCSP_ANSWERS_H
#define SL_OCSP_ANSWERS_H

#include "ocsp/ask.h"

typedef struct sl_answers_t sl_answers_t;

/* In `pool`, whose cleanup ends it: no thread may be in it then. No more than `most` threads wait for an answer at a
 * time: the next ones are told so at once. NULL if memory or locks end. */
sl_answers_t *sl_answers_make(apr_pool_t *pool, int most);

/* What is known, or what the responder says now. `scope` (32 bytes) keeps apart what was asked under other rules.
 * As sl_ask(); `scratch` for the duration of the call. `*asked` says whether a responder was asked for it. */
apr_status_t sl_answers_get(sl_answers_t *answers, sl_ocsp_status_t *status, const unsigned char *scope,
                            const sl_ask_t *ask, int *asked, apr_pool_t *scratch, sl_problem_t *why)
    __attribute__((warn_unused_result));

#endif
