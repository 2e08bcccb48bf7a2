/* The state machine of a connection: takes the handshake (or SL_STATE_REAUTH) as far as the bytes at hand allow, and
 * says what it waits for.  Never blocks by itself: if the host's read waits, it waits. */
#ifndef SL_CONN_MACHINE_H
#define SL_CONN_MACHINE_H

#include "conn/conn.h"

typedef enum {
    SL_WANT_NOTHING, /* the handshake is over: look at conn->state (OPEN, PLAIN, FAILED) */
    SL_WANT_READ,    /* call again when the peer has sent more; send what was written first */
} sl_want_t;

sl_want_t sl_machine_run(sl_conn_t *conn);

/* Sets the callbacks that an SSL_CTX must have before a connection uses it: an sl_profile_prepare_t. */
void sl_machine_prepare(SSL_CTX *ctx);

#endif
