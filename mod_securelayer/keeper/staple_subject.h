/* A certificate that is stapled, and who issued it: as OpenSSL's objects only while a question is asked or an answer is
 * verified, of the bytes that are there anyway. In the courier, in the thread of a staple_job; before that in the
 * parent. */
#ifndef SL_KEEPER_STAPLE_SUBJECT_H
#define SL_KEEPER_STAPLE_SUBJECT_H

#include "identity/stored.h"
#include "keeper/board.h"

#include <openssl/x509.h>

/* One certificate. What is pointed to is borrowed and lives as long as the job, but for what is owned. */
typedef struct sl_staple_t {
    unsigned char key[SL_BOARD_KEY_SIZE]; /* SHA-256 of the certificate's DER */
    X509 *cert, *issuer; /* as far as they are made (keeper/staple_subject) */
    const sl_stored_t *start; /* what they are made of until the board has a newer version; NULL: they are there, or the
                                 board will have the first one that there is anything to ask about */
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
    int is_urgent;      /* it is not to be shown without an answer, if there is one anywhere */
    int identity;       /* its number; -1: it never changes */
    int entry;          /* of the sections */
    /* The job's own */
    apr_uint64_t version; /* of the identity that cert is of */
    int owns_cert, owns_issuer; /* it is to be freed, if it is there */
    int failures;       /* in a row */
    apr_time_t due;
    apr_int64_t until;  /* of what is published; 0: nothing is, or no answer */
} sl_staple_t;

/* `identities`: newer versions of certificates, by the `identity` of one; NULL: none change. */

/* Makes `cert` and `issuer` unless they are there. 0: memory ended, or there is no issuer, or there is a newer version
 * than the staple knows of. */
int sl_staple_subject_make(sl_staple_t *staple, const sl_section_t *identities);
/* Frees what sl_staple_subject_make() can make again: for the time until the next question. */
void sl_staple_subject_leave(sl_staple_t *staple, const sl_section_t *identities);
/* Is it about the leaf of `identity`? */
int sl_staple_subject_is(const sl_staple_t *staple, const sl_identity_t *identity);
/* The staple is about the leaf of `identity` from now on; its issuer may be missing. 0: memory ended, and nothing has
 * changed. */
int sl_staple_subject_change(sl_staple_t *staple, const sl_identity_t *identity);

#endif
