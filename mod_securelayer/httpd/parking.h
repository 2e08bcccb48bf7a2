/* Connections that wait in the MPM for their handshake: their deadlines, and room for honest clients.
 *
 * One list per child under one lock, oldest deadline first, watched by one thread that is asleep until the first
 * deadline. A connection whose time is up is woken by shutting down its socket for reading; the MPM then runs
 * process_connection, which finds the reason here. When more than a set number wait, one must go: the oldest
 * of those whose kind there is too much of (who sent no hello, did not finish the handshake, sent no request). */
#ifndef SL_HTTPD_PARKING_H
#define SL_HTTPD_PARKING_H

#include "httpd/link.h"

/* In child_init, on an MPM that can wait. */
void sl_parking_start(apr_pool_t *pool, server_rec *s);
/* From suspend_connection: the socket is open until sl_parking_leave() */
void sl_parking_enter(sl_link_t *link, apr_time_t deadline);
/* From resume_connection, and before the connection's memory goes. Tells whether the stay was ended by us; again and
 * again. */
sl_park_end_t sl_parking_leave(sl_link_t *link);

#endif
