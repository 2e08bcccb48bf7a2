/* The keeper's job that turns the ring of ticket keys on the board. */
#ifndef SL_KEEPER_TICKET_JOB_H
#define SL_KEEPER_TICKET_JOB_H

#include "keeper/board.h"
#include "keeper/loop.h"
#include "resume/ticket_ring.h"

/* Copies the ring to `ring`; 0 if there is none, which is an empty one then. To be cleansed. Any process and thread. */
int sl_ticket_job_read(const sl_section_t *tickets, int entry, sl_ticket_ring_t *ring);

/* `rotation`: seconds from one key to the next; `keep`: seconds for which a key opens after its successor came. Made in
 * the parent, with a pool that lives as long as the keeper. */
sl_job_t *sl_ticket_job_make(apr_pool_t *pool, sl_section_t *tickets, apr_int64_t rotation, apr_int64_t keep);

/* Once, now: for the parent, which makes the first key before anybody needs it. `now`: seconds since 1970.
 * *due (may be NULL) is when the next turn is. */
apr_status_t sl_ticket_job_turn(sl_section_t *tickets, apr_int64_t now, apr_int64_t rotation, apr_int64_t keep,
                                apr_int64_t *due, sl_problem_t *why) __attribute__((warn_unused_result));

#endif
