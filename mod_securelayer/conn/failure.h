/* Why a handshake failed: a class for counting, the alerts, and words for people.
 * Filled by the machine where the failure shows; explained on demand. Belongs to its connection. */
#ifndef SL_CONN_FAILURE_H
#define SL_CONN_FAILURE_H

#include <apr_pools.h>

typedef enum {
    SL_FAIL_NONE,
    SL_FAIL_TIMEOUT,      /* the handshake deadline passed */
    SL_FAIL_CROWDED_OUT,  /* ended early to make room: too many unfinished handshakes */
    SL_FAIL_PEER_CLOSED,  /* closed or reset by the peer */
    SL_FAIL_NOT_TLS,      /* neither TLS nor HTTP */
    SL_FAIL_BAD_HELLO,    /* malformed, oversized or SSLv2 hello */
    SL_FAIL_UNKNOWN_NAME, /* SecureLayerUnknownName refuse */
    SL_FAIL_LEFT_OUT,     /* SecureLayerBrokenHost skip: the host can't be served */
    SL_FAIL_NAME_CHANGED, /* OpenSSL saw another name or other application protocols than we did */
    SL_FAIL_VERSION,      /* no common protocol version */
    SL_FAIL_SUITE,        /* no common suite, group or signature algorithm */
    SL_FAIL_ALPN,         /* no common application protocol */
    SL_FAIL_CLIENT_CERT,  /* missing or not accepted */
    SL_FAIL_BACKEND_CERT, /* client role: missing or not accepted */
    SL_FAIL_LOGIN,        /* SRP: no such user, or not the password */
    SL_FAIL_ALERT,        /* the client refused us with an alert */
    SL_FAIL_OTHER,
    SL_FAILURES
} sl_failure_reason_t;

typedef struct sl_failure_t {
    sl_failure_reason_t reason;
    int alert_sent;      /* alert number, -1: none */
    int alert_received;
    const char *detail;  /* OpenSSL's or the parser's words, escaped; NULL if there are none */
} sl_failure_t;

/* "timeout", "client-certificate", ...: stable words for metrics. */
const char *sl_failure_word(sl_failure_reason_t reason);
/* "handshake failure (40)"; "none" for -1. */
const char *sl_failure_alert(apr_pool_t *pool, int alert);

#endif
