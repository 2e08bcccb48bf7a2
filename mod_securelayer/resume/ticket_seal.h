/* Bytes sealed with a key of the ring, for stores that are not trusted: AES-256-GCM under a key that is derived anew
 * for each seal, so one key of the ring may seal as often as it likes.
 *
 * Sealed: name of the key (16), salt (16), nonce (12), the encrypted bytes, tag (16).
 * `bound` is what the bytes belong to (a session id, a word for their kind): opening fails for any other.
 * Runs in: any process and thread; pure but for randomness. */
#ifndef SL_RESUME_TICKET_SEAL_H
#define SL_RESUME_TICKET_SEAL_H

#include "resume/ticket_ring.h"

#define SL_TICKET_SEAL_OVERHEAD (SL_TICKET_NAME_SIZE + 16 + 12 + 16)

/* Writes `length` + SL_TICKET_SEAL_OVERHEAD bytes to `sealed`. APR_EGENERAL if OpenSSL fails. */
apr_status_t sl_ticket_seal(const sl_ticket_key_t *key, const void *bound, apr_size_t bound_length, const void *bytes,
                            apr_size_t length, unsigned char *sealed) __attribute__((warn_unused_result));

/* The name of the key that sealed it, to be looked for in the ring; NULL if nothing sealed is that short. */
const unsigned char *sl_ticket_seal_name(const unsigned char *sealed, apr_size_t length);

/* Writes `length` - SL_TICKET_SEAL_OVERHEAD bytes to `bytes`. APR_EINVAL if it was not sealed with this key for
 * `bound`, or was altered; `bytes` is then cleansed. */
apr_status_t sl_ticket_open(const sl_ticket_key_t *key, const void *bound, apr_size_t bound_length,
                            const unsigned char *sealed, apr_size_t length, void *bytes)
    __attribute__((warn_unused_result));

#endif
