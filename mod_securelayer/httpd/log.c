/* Lines for the error log. */
#include "httpd/log.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <stdatomic.h>

#include "conn/hint.h"
#include "hello/alpn.h"
#include "httpd/module_config.h"

APLOG_USE_MODULE(sl);

#define LINES_PER_SECOND 20
#define LINES_ALIKE 100 /* of a start */

/* What is wrong with ten thousand hosts in the same way is told of a hundred of them. */
static int is_one_too_many(const sl_problem_t *why, apr_hash_t *told, apr_pool_t *pool)
{
    int *count = apr_hash_get(told, why->reason, APR_HASH_KEY_STRING);

    if (!count) {
        count = apr_pcalloc(pool, sizeof(*count));
        apr_hash_set(told, why->reason, APR_HASH_KEY_STRING, count);
    }
    return ++*count > LINES_ALIKE;
}

static void tell_of_more(apr_hash_t *told, server_rec *s)
{
    for (apr_hash_index_t *i = apr_hash_first(NULL, told); i; i = apr_hash_next(i)) {
        int count = *(const int *)apr_hash_this_val(i);

        if (count > LINES_ALIKE)
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                         "SL0008: %d more lines like these were left out, httpd -t shows them all: %s",
                         count - LINES_ALIKE, (const char *)apr_hash_this_key(i));
    }
}

void sl_log_problems(const sl_problems_t *problems, sl_log_choice_t choice, int terminal, server_rec *s)
{
    int emergency = APLOG_EMERG | (terminal ? APLOG_STARTUP : 0);
    apr_hash_t *told = apr_hash_make(problems->pool);

    for (int i = 0; i < problems->all->nelts; i++) {
        const sl_problem_t *why = APR_ARRAY_IDX(problems->all, i, const sl_problem_t *);
        int is_warning = why->gravity == SL_PROBLEM_WARNING;

        if (why->gravity != SL_PROBLEM_ERROR && choice == SL_LOG_ERRORS)
            continue;
        if (is_warning && !terminal && is_one_too_many(why, told, problems->pool))
            continue;
        ap_log_error(APLOG_MARK,
                     is_warning                           ? APLOG_WARNING
                     : why->gravity == SL_PROBLEM_OF_HOST ? APLOG_ERR
                                                          : emergency,
                     0, s, "%s: %s",
                     why->log_id  ? why->log_id
                     : is_warning ? "SL0003"
                                  : "SL0002",
                     sl_problem_text(why, problems->pool));
    }
    tell_of_more(told, s);
}

/* One line of the log more? The first one after a pause says how many were not written. */
static int may_log(conn_rec *c)
{
    static atomic_llong second;
    static atomic_uint lines, silent;
    long long now = apr_time_sec(apr_time_now()), then = atomic_load(&second);
    unsigned left_out;

    if (now != then && atomic_compare_exchange_strong(&second, &then, now))
        atomic_store(&lines, 0);
    if (atomic_fetch_add(&lines, 1) >= LINES_PER_SECOND) {
        atomic_fetch_add(&silent, 1);
        return 0;
    }
    left_out = atomic_exchange(&silent, 0);
    if (left_out)
        ap_log_cerror(APLOG_MARK, APLOG_INFO, 0, c, "SL0105: %u failed handshakes before this one were not logged",
                      left_out);
    return 1;
}

static const char *offered(apr_pool_t *pool, const sl_client_hello_t *hello)
{
    if (!hello)
        return "no complete ClientHello";
    return apr_psprintf(pool, "offered %s, ALPN %s", sl_client_hello_versions_text(hello, pool),
                        sl_alpn_text(pool, hello->alpn.at, sl_reader_left(&hello->alpn)));
}

void sl_log_failure(conn_rec *c, const sl_conn_t *conn)
{
    const sl_failure_t *failure = &conn->failure;
    const char *hint;

    if (!APLOGcinfo(c) || !may_log(c))
        return;
    hint = sl_hint(conn, c->pool);
    ap_log_cerror(APLOG_MARK, APLOG_INFO, 0, c,
                  "SL0104: handshake failed (%s) with client %s, name asked for %s; client %s; alert sent: %s, "
                  "received: %s%s%s; %s",
                  sl_failure_word(failure->reason), c->client_ip,
                  conn->sni ? ap_escape_logitem(c->pool, conn->sni) : "none", offered(c->pool, conn->hello),
                  sl_failure_alert(c->pool, failure->alert_sent), sl_failure_alert(c->pool, failure->alert_received),
                  !failure->detail ? ""
                  : conn->ssl      ? "; OpenSSL: "
                                   : "; ",
                  failure->detail ? failure->detail : "", hint);
}

void sl_log_backend_failure(conn_rec *c, const sl_conn_t *conn)
{
    const sl_failure_t *failure = &conn->failure;

    if (!APLOG_C_IS_LEVEL(c, APLOG_ERR) || !may_log(c))
        return;
    ap_log_cerror(APLOG_MARK, APLOG_ERR, 0, c,
                  "SL0172: no TLS with backend %s (%s): name checked: %s; alert sent: %s, received: %s%s%s; %s",
                  conn->target->backend, sl_failure_word(failure->reason),
                  conn->target->name ? ap_escape_logitem(c->pool, conn->target->name) : "none",
                  sl_failure_alert(c->pool, failure->alert_sent), sl_failure_alert(c->pool, failure->alert_received),
                  failure->detail ? "; " : "", failure->detail ? failure->detail : "", sl_hint_backend(conn, c->pool));
}

void sl_log_backend_end(conn_rec *c, const sl_conn_t *conn)
{
    /* With TLS 1.3 a backend looks at our certificate when our side of the handshake is over. */
    if (conn->failure.reason == SL_FAIL_ALERT) {
        sl_log_backend_failure(c, conn);
        return;
    }
    ap_log_cerror(
        APLOG_MARK, APLOG_INFO, 0, c,
        "SL0174: the connection with backend %s broke off, what it sent may not be all: alert received: %s%s%s",
        conn->target->backend, sl_failure_alert(c->pool, conn->failure.alert_received),
        conn->failure.detail ? "; " : "", conn->failure.detail ? conn->failure.detail : "");
}
