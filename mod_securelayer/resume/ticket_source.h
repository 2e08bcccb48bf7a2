/* Ticket keys from a file (SSLSessionTicketKeyFile): one key after the other, the first one seals.
 *
 * 80 bytes a key: name (16), HMAC-SHA-256 key (32), AES-256 key (32). Or 48 bytes: name (16), HMAC key (16), AES-128
 * key (16), as mod_ssl has it. The size of the file tells which; where it allows both (240 bytes) 80 it is.
 * Runs in: the parent at start; nothing is shared. */
#ifndef SL_RESUME_TICKET_SOURCE_H
#define SL_RESUME_TICKET_SOURCE_H

#include "resume/ticket_ring.h"

/* `object` names the source in `why`. On failure the ring is empty: APR_EINVAL for a size that no keys have, for too
 * many keys, and for two keys of one name. */
apr_status_t sl_ticket_source_parse(sl_ticket_ring_t *ring, const unsigned char *bytes, apr_size_t length,
                                    const char *object, sl_problem_t *why) __attribute__((warn_unused_result));
/* The same from a file. */
apr_status_t sl_ticket_source_read(sl_ticket_ring_t *ring, const char *path, sl_problem_t *why)
    __attribute__((warn_unused_result));

#endif
