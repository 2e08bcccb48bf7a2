/* Words for failures: for metrics and log lines. */
#include "conn/failure.h"

#include <apr_strings.h>
#include <openssl/ssl.h>

static const char *const words[SL_FAILURES] = {
    [SL_FAIL_NONE] = "none",
    [SL_FAIL_TIMEOUT] = "timeout",
    [SL_FAIL_CROWDED_OUT] = "crowded-out",
    [SL_FAIL_PEER_CLOSED] = "peer-closed",
    [SL_FAIL_NOT_TLS] = "not-tls",
    [SL_FAIL_BAD_HELLO] = "bad-hello",
    [SL_FAIL_UNKNOWN_NAME] = "unknown-name",
    [SL_FAIL_NAME_CHANGED] = "name-changed",
    [SL_FAIL_VERSION] = "version",
    [SL_FAIL_SUITE] = "cipher-suite",
    [SL_FAIL_ALPN] = "alpn",
    [SL_FAIL_CLIENT_CERT] = "client-certificate",
    [SL_FAIL_ALERT] = "alert",
    [SL_FAIL_OTHER] = "other",
};

const char *sl_failure_word(sl_failure_reason_t reason)
{
    return words[reason];
}

const char *sl_failure_alert(apr_pool_t *pool, int alert)
{
    return alert < 0 ? "none" : apr_psprintf(pool, "%s (%d)", SSL_alert_desc_string_long(alert), alert);
}
