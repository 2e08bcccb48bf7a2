/* Words for failures: for metrics and log lines. */
#include "conn/failure.h"

#include <apr_strings.h>

static const char *const words[SL_FAILURES] = {
    [SL_FAIL_NONE] = "none",
    [SL_FAIL_TIMEOUT] = "timeout",
    [SL_FAIL_CROWDED_OUT] = "crowded-out",
    [SL_FAIL_PEER_CLOSED] = "peer-closed",
    [SL_FAIL_NOT_TLS] = "not-tls",
    [SL_FAIL_BAD_HELLO] = "bad-hello",
    [SL_FAIL_UNKNOWN_NAME] = "unknown-name",
    [SL_FAIL_LEFT_OUT] = "left-out",
    [SL_FAIL_NAME_CHANGED] = "name-changed",
    [SL_FAIL_VERSION] = "version",
    [SL_FAIL_SUITE] = "cipher-suite",
    [SL_FAIL_ALPN] = "alpn",
    [SL_FAIL_CLIENT_CERT] = "client-certificate",
    [SL_FAIL_BACKEND_CERT] = "backend-certificate",
    [SL_FAIL_LOGIN] = "login",
    [SL_FAIL_ALERT] = "alert",
    [SL_FAIL_OTHER] = "other",
};

const char *sl_failure_word(sl_failure_reason_t reason)
{
    return words[reason];
}

/* RFC 8446 section 6, RFC 7301 section 3.2 and the IANA registry; older ones from RFC 5246 section 7.2. */
static const struct {
    int number;
    const char *name;
} alerts[] = {
    {0, "close notify"},
    {10, "unexpected message"},
    {20, "bad record MAC"},
    {21, "decryption failed"},
    {22, "record overflow"},
    {30, "decompression failure"},
    {40, "handshake failure"},
    {41, "no certificate"},
    {42, "bad certificate"},
    {43, "unsupported certificate"},
    {44, "certificate revoked"},
    {45, "certificate expired"},
    {46, "certificate unknown"},
    {47, "illegal parameter"},
    {48, "unknown CA"},
    {49, "access denied"},
    {50, "decode error"},
    {51, "decrypt error"},
    {70, "protocol version"},
    {71, "insufficient security"},
    {80, "internal error"},
    {86, "inappropriate fallback"},
    {90, "user canceled"},
    {100, "no renegotiation"},
    {109, "missing extension"},
    {110, "unsupported extension"},
    {112, "unrecognized name"},
    {113, "bad certificate status response"},
    {115, "unknown PSK identity"},
    {116, "certificate required"},
    {120, "no application protocol"},
    {121, "ECH required"},
};

const char *sl_failure_alert(apr_pool_t *pool, int alert)
{
    if (alert < 0)
        return "none";
    for (apr_size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++) {
        if (alerts[i].number == alert)
            return apr_psprintf(pool, "%s (%d)", alerts[i].name, alert);
    }
    return apr_psprintf(pool, "unknown (%d)", alert);
}
