/* A new look at the client of an open connection, for a section that asks for more than the handshake did:
 * renegotiation up to TLS 1.2, post-handshake authentication in TLS 1.3 (RFC 8446 section 4.6.2).
 *
 * A certificate that fails does not end the connection: the answer to the request is to say why. Sessions made from
 * then on can't be resumed, for they would carry what was shown here into handshakes that did not ask for it. Runs
 * in the thread that works on the connection, which must be in SL_STATE_OPEN. */
#ifndef SL_CONN_REAUTH_H
#define SL_CONN_REAUTH_H

#include "conn/conn.h"

typedef struct sl_demand_t {
    int verify_mode;     /* SL_VERIFY_... */
    int verify_depth;    /* longest chain above the client's certificate */
    const char *ciphers; /* list for TLS 1.2 and below; NULL: as it is */
} sl_demand_t;

/* The stronger of two SL_VERIFY_...: none, optional_no_ca, optional, require. */
int sl_reauth_stronger(int a, int b);

/* Does what the client has shown so far meet mode and depth? 1: nothing is to be asked. */
int sl_reauth_is_met(const sl_conn_t *conn, int verify_mode, int verify_depth);

typedef enum {
    SL_CIPHERS_BROKEN,  /* no usable suite in the list */
    SL_CIPHERS_SAME,    /* the list the connection chose from */
    SL_CIPHERS_ALLOW,   /* another one that has the suite in use */
    SL_CIPHERS_FORBID,
} sl_ciphers_t;

/* What a section's list (with all that is to be left out) means for the connection. TLS 1.3 has suites of its own:
 * there the encryption has to be that of a suite of the list; never SL_CIPHERS_SAME. */
sl_ciphers_t sl_reauth_look_at_ciphers(const sl_conn_t *conn, const char *list);
/* The same for a colon separated list of TLS 1.3 suites: is the one in use among them? */
int sl_reauth_has_suite(const sl_conn_t *conn, const char *suites);

typedef enum {
    SL_REAUTH_POSSIBLE,
    SL_REAUTH_NOT_OFFERED, /* TLS 1.3 client without post-handshake authentication */
    SL_REAUTH_INSECURE,    /* client without secure renegotiation (RFC 5746) */
} sl_reauth_bar_t;

sl_reauth_bar_t sl_reauth_bar(const sl_conn_t *conn);

/* Begins. sl_machine_run() then goes as far as it can, as in a handshake, until the state is SL_STATE_OPEN, and `conn`
 * says what came of it, or SL_STATE_FAILED, where this ends too if it can't begin. */
void sl_reauth_begin(sl_conn_t *conn, const sl_demand_t *demand);

#endif
