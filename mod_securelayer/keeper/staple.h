/* The stapled OCSP answer of one certificate: asked for when it is due, believed before it is published, and kept in a
 * file over restarts.
 *
 * An answer is served until its end. The next one is fetched at half of its life; failures are tried again with growing
 * pauses. No handshake has anything to do with it: it reads the board.
 * Runs in the courier, in the thread of a staple_job; what runs elsewhere says so. */
#ifndef SL_KEEPER_STAPLE_H
#define SL_KEEPER_STAPLE_H

#include "crypto/ocsp_message.h"
#include "keeper/loop.h"
#include "keeper/staple_subject.h"

#include <apr_hash.h>

#define SL_STAPLE_HEAD (8 + SL_BOARD_KEY_SIZE) /* of an entry: its end, whom it is about */
#define SL_STAPLE_ENTRY_SIZE (SL_STAPLE_HEAD + SL_STAPLE_SIZE_MAX) /* and the answer */

/* What is to be told of a certificate's answer. */
typedef struct sl_staple_state_t {
    apr_int64_t since, until; /* of the answer that is served, seconds since 1970; 0: there is none */
    apr_int64_t failed;       /* when the last question failed; 0: it did not */
    apr_int64_t failures;     /* in a row */
    apr_int32_t status;       /* sl_ocsp_status_t, of the answer */
    apr_int32_t is_unasked;   /* there is no responder, or no issuer: nothing is stapled */
    char reason[256];         /* of the last failure; "" */
} sl_staple_state_t;

/* Where answers go. */
typedef struct sl_staple_shelf_t {
    sl_section_t *section;  /* answers, by the `entry` of a certificate */
    sl_section_t *states;   /* of sl_staple_state_t, likewise; NULL: nobody asks for them */
    const char *directory;  /* of files, writable for the courier; NULL: nothing is kept in files */
    const sl_section_t *identities; /* newer versions of certificates, by the `identity` of one; NULL: none change */
    /* From here on the job's own */
    sl_loop_t *loop;
    apr_pool_t *pool;
    apr_hash_t *urls;
    volatile int stop; /* ends a question that is on its way */
} sl_staple_shelf_t;

/* Asks for an answer, and waits for it. 0: the responder gave none at all. */
int sl_staple_fetch(sl_staple_shelf_t *shelf, sl_staple_t *staple, apr_pool_t *scratch);
/* The same responder gave no answer at all about another certificate: this one's turn is at `due`. */
void sl_staple_put_off(sl_staple_shelf_t *shelf, sl_staple_t *staple, apr_time_t due, apr_pool_t *scratch);
/* It is about the certificate of `identity` from now on. 0: memory ended, and nothing has changed. */
int sl_staple_take(sl_staple_shelf_t *shelf, sl_staple_t *staple, const sl_identity_t *identity, apr_pool_t *scratch);
/* Removes files that nobody has written to for so long that they are those of certificates that are gone. */
void sl_staple_sweep(const sl_staple_shelf_t *shelf, apr_pool_t *scratch);
/* Publishes what was kept in a file and is still to be believed. In the parent too. */
void sl_staple_recall(sl_staple_shelf_t *shelf, sl_staple_t *staple, apr_pool_t *scratch);
/* Publishes what another board had for the same certificate, if it is an answer that is good yet. In the parent. */
void sl_staple_carry_on(const sl_staple_shelf_t *shelf, sl_staple_t *staple, const unsigned char *entry,
                        apr_size_t length, const sl_staple_state_t *state);
/* Whom an entry of the section is about, which is longer than SL_STAPLE_HEAD: SL_BOARD_KEY_SIZE bytes. */
const unsigned char *sl_staple_entry_key(const unsigned char *entry);

/* Any process: what to staple for the certificate with that key at `now` (seconds since 1970) into `answer`
 * (SL_STAPLE_SIZE_MAX bytes). Its length; 0: nothing. */
apr_size_t sl_staple_read(const sl_section_t *section, int entry, const unsigned char *key, apr_int64_t now,
                          unsigned char *answer);

/* Any process: zeroes if nothing happened yet. */
void sl_staple_state_read(const sl_section_t *states, int entry, sl_staple_state_t *state);

/* When to ask again, in seconds since 1970: between 9 and 11 twentieths of what is left of an answer's life from
 * `begin` to `until`, by `chance` (0 to 255); not at once. */
apr_int64_t sl_staple_next(apr_int64_t now, apr_int64_t begin, apr_int64_t until, unsigned chance);
/* Seconds to wait after the n-th failure in a row (1, 2, ...), `most` at most. */
long sl_staple_pause(int failures, long most);

#endif
