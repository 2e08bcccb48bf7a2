/* What a failed handshake means, in a sentence for the administrator. Text lives in the pool or is static. */
#ifndef SL_CONN_HINT_H
#define SL_CONN_HINT_H

#include "conn/conn.h"

const char *sl_hint(const sl_conn_t *conn, apr_pool_t *pool);
/* The same in the client role. */
const char *sl_hint_backend(const sl_conn_t *conn, apr_pool_t *pool);

#endif
