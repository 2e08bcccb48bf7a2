/* Keys of session tickets for httpd's servers: one ring for all, or a server's own from its SSLSessionTicketKeyFile. */
#ifndef SL_HTTPD_TICKETS_H
#define SL_HTTPD_TICKETS_H

#include <httpd.h>

#include "base/problem.h"
#include "resume/ticket_ring.h"

/* In the parent, once the virtual hosts are collected: reads the key files, tells what is wrong with them. `pool`:
 * configuration pool. */
void sl_tickets_collect(apr_pool_t *pool, apr_pool_t *scratch, server_rec *main_server, sl_problems_t *problems);
/* In post_config, not in the rehearsal: puts the keys on the board, makes the first one, gives the keeper its job. */
apr_status_t sl_tickets_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
    __attribute__((warn_unused_result));

/* Any process: of the keys that change by themselves, how many there are, when the one that seals was made and when the
 * next one is due (seconds since 1970). 0: there are none. */
int sl_tickets_look(apr_int64_t *made, apr_int64_t *next);

/* Any thread of a child: the key with that name (NULL: the one that seals) for connections to `s`. Cleanse it. */
sl_ticket_found_t sl_tickets_find(const server_rec *s, const unsigned char *name, sl_ticket_key_t *key);

#endif
