/* Keys that seal session tickets and cached sessions: the first one seals, all of them open.
 *
 * A ring is plain memory: it is copied to and from the board as it is. Whoever holds a copy of a key cleanses it.
 * Runs in: any process and thread; nothing is shared here. */
#ifndef SL_RESUME_TICKET_RING_H
#define SL_RESUME_TICKET_RING_H

#include "base/problem.h"

#define SL_TICKET_NAME_SIZE 16
#define SL_TICKET_KEYS_MAX 32

typedef struct sl_ticket_key_t {
    unsigned char name[SL_TICKET_NAME_SIZE]; /* goes in clear with what it sealed */
    unsigned char aes[32], hmac[32];         /* of tickets (RFC 5077 section 4), `size` bytes of each are used */
    unsigned char seal[32];                  /* of everything else: ticket_seal.h */
    apr_uint32_t size;                       /* 32, or 16 (AES-128) for keys from a file of 48 bytes each */
    apr_uint32_t unused;
    apr_int64_t made;                        /* seconds since 1970; 0 for keys from a file */
} sl_ticket_key_t;

typedef struct sl_ticket_ring_t {
    apr_uint32_t count;
    apr_uint32_t unused;
    sl_ticket_key_t keys[SL_TICKET_KEYS_MAX]; /* the newest first */
} sl_ticket_ring_t;

/* What a search for a key found. */
typedef enum { SL_TICKET_NO_KEY, SL_TICKET_OLD_KEY, SL_TICKET_FIRST_KEY } sl_ticket_found_t;

/* A key of random bytes; fails if OpenSSL has none. */
apr_status_t sl_ticket_key_make(sl_ticket_key_t *key, apr_int64_t now, sl_problem_t *why)
    __attribute__((warn_unused_result));
/* Fills in `seal` from the rest of the key; 0 if OpenSSL can't. For whoever brings keys of their own. */
int sl_ticket_key_derive_seal(sl_ticket_key_t *key) __attribute__((warn_unused_result));
void sl_ticket_key_cleanse(sl_ticket_key_t *key);

/* Copies the key with that name (NULL: the one that seals) to `key`. */
sl_ticket_found_t sl_ticket_ring_find(const sl_ticket_ring_t *ring, const unsigned char *name, sl_ticket_key_t *key);
/* Puts `key` in front. A full ring loses its oldest key. */
void sl_ticket_ring_add(sl_ticket_ring_t *ring, const sl_ticket_key_t *key);
/* Drops and cleanses the keys whose successor took over more than `keep` seconds ago; returns how many. */
int sl_ticket_ring_expire(sl_ticket_ring_t *ring, apr_int64_t now, apr_int64_t keep);
/* Bytes of a ring that are in use: what there is to copy. */
apr_size_t sl_ticket_ring_size(const sl_ticket_ring_t *ring);
/* Are the `length` bytes that were copied to `ring` one? */
int sl_ticket_ring_is_whole(const sl_ticket_ring_t *ring, apr_size_t length);
/* When there is something to do (seconds since 1970): a new key is due every `rotation` seconds, an old one ends `keep`
 * seconds after it was replaced. A ring that is empty, or made by a clock that was ahead, is due now. */
apr_int64_t sl_ticket_ring_due(const sl_ticket_ring_t *ring, apr_int64_t now, apr_int64_t rotation, apr_int64_t keep);
/* Does what is due: *changed says whether the ring is another one now. */
apr_status_t sl_ticket_ring_turn(sl_ticket_ring_t *ring, apr_int64_t now, apr_int64_t rotation, apr_int64_t keep,
                                 int *changed, sl_problem_t *why) __attribute__((warn_unused_result));
void sl_ticket_ring_cleanse(sl_ticket_ring_t *ring);

#endif
