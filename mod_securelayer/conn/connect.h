/* The client role of a connection: whom it connects to, and how it begins.  The machine is the one that servers use;
 * step_connect.c stands in the place of the hello and of the virtual host. */
#ifndef SL_CONN_CONNECT_H
#define SL_CONN_CONNECT_H

#include "conn/conn.h"

/* Before the machine runs for the first time: it goes to the backend, and the time for the handshake begins. */
void sl_conn_aim(sl_conn_t *conn, sl_target_t *target);

/* Sets the callbacks that a client's SSL_CTX must have: an sl_profile_prepare_t. */
void sl_connect_prepare(SSL_CTX *ctx);

#endif
