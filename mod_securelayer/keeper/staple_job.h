/* Stapled OCSP answers: fetched ahead of need by the courier, published on the board, kept in files over restarts.
 *
 * An answer is published once it is believed, and served until its end. The next one is fetched at half of its life;
 * failures are tried again with growing pauses. No handshake has anything to do with it: it reads the board.
 * The job has a thread of its own in the courier, since responders make it wait. */
#ifndef SL_KEEPER_STAPLE_JOB_H
#define SL_KEEPER_STAPLE_JOB_H

#include "crypto/ocsp_message.h"
#include "keeper/board.h"
#include "keeper/loop.h"

#include <apr_tables.h>
#include <openssl/x509.h>

#define SL_STAPLE_ENTRY_SIZE (8 + SL_BOARD_KEY_SIZE + SL_STAPLE_SIZE_MAX) /* its end, whom it is about, the answer */

/* One certificate. Certificates and text are borrowed and live as long as the job. When the board has a newer version
 * of the identity, that one takes its place. */
typedef struct sl_staple_t {
    unsigned char key[SL_BOARD_KEY_SIZE]; /* SHA-256 of the certificate's DER */
    X509 *cert, *issuer; /* NULL, with SL_NEVER in `due`: the board will have the first one */
    const char *name;  /* for messages */
    const char *url;   /* of the responder */
    const char *proxy; /* NULL: none */
    apr_interval_time_t timeout;
    long skew, max_age; /* seconds; max_age -1: until nextUpdate */
    long keep;          /* seconds for which an answer without nextUpdate counts */
    long pause;         /* seconds: longest pause after a failure */
    int errors_too;     /* what a responder says that is no answer is served as well */
    int try_later;      /* with errors_too: tryLater is served for a responder that can't be reached */
    int url_is_forced;  /* it is not the certificate that names it */
    int identity;       /* its number; -1: it never changes */
    /* The job's own */
    int entry;
    apr_uint64_t version; /* of the identity that cert is of */
    int is_own;         /* cert and issuer are the job's, to be freed */
    int failures;       /* in a row */
    apr_time_t due;
    apr_int64_t until;  /* of what is published; 0: nothing is, or no answer */
} sl_staple_t;

/* What is to be told of a certificate's answer. */
typedef struct sl_staple_state_t {
    apr_int64_t since, until; /* of the answer that is served, seconds since 1970; 0: there is none */
    apr_int64_t failed;       /* when the last question failed; 0: it did not */
    apr_int64_t failures;     /* in a row */
    apr_int32_t status;       /* sl_ocsp_status_t, of the answer */
    apr_int32_t is_unasked;   /* there is no responder, or no issuer: nothing is stapled */
    char reason[256];         /* of the last failure; "" */
} sl_staple_state_t;

/* `staples` (of sl_staple_t) have entries in `section`, by the keys they begin with, and in `states` the same ones;
 * `identities`: the board's, NULL if none change; `directory`, writable for the courier, NULL: nothing is kept in
 * files. In the parent: publishes what was kept there and is still to be believed. */
sl_job_t *sl_staple_job_make(apr_pool_t *pool, sl_section_t *section, sl_section_t *states,
                             const sl_section_t *identities, apr_array_header_t *staples, const char *directory);

/* Any process: what to staple for the certificate with that key at `now` (seconds since 1970) into `answer`
 * (SL_STAPLE_SIZE_MAX bytes). Its length; 0: nothing. */
apr_size_t sl_staple_read(const sl_section_t *section, int entry, const unsigned char *key, apr_int64_t now,
                          unsigned char *answer);

/* Any process: zeroes if nothing happened yet. */
void sl_staple_state_read(const sl_section_t *states, int entry, sl_staple_state_t *state);

/* Looks at the clock, which says `now` and said *seen before: if it was set back, what is due moves along. */
void sl_staple_notice_clock(apr_array_header_t *staples, apr_time_t *seen, apr_time_t now);

/* When to ask again, in seconds since 1970: between 9 and 11 twentieths of what is left of an answer's life from
 * `begin` to `until`, by `chance` (0 to 255); not at once. */
apr_int64_t sl_staple_next(apr_int64_t now, apr_int64_t begin, apr_int64_t until, unsigned chance);
/* Seconds to wait after the n-th failure in a row (1, 2, ...), `most` at most. */
long sl_staple_pause(int failures, long most);

#endif
