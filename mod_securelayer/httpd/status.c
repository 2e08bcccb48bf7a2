/* Blocks of the page of mod_status, if that is loaded.  Its hook is an optional one: httpd calls status().
 *
 * Each line of the first block has a word for programs (?auto) and a title for people. */
#include "httpd/status.h"

#include <httpd.h>
#include <http_protocol.h>
#include <mod_status.h>

#include <apr_optional_hooks.h>
#include <apr_strings.h>

#include "httpd/counters.h"
#include "httpd/helper_health.h"
#include "httpd/sessions.h"
#include "httpd/survey.h"

typedef struct block_t {
    request_rec *r;
    int is_short;
} block_t;

static void show(const block_t *block, const char *word, const char *title, const char *value)
{
    if (block->is_short)
        ap_rprintf(block->r, "%s: %s\n", word, value);
    else
        ap_rprintf(block->r, "<dt>%s: %s</dt>\n", title, value);
}

static void show_number(const block_t *block, const char *word, const char *title, apr_uint64_t value)
{
    show(block, word, title, apr_psprintf(block->r->pool, "%" APR_UINT64_T_FMT, value));
}

static void show_certificates(const block_t *block)
{
    sl_survey_t survey;

    sl_survey_make(&survey, apr_time_sec(block->r->request_time));
    show_number(block, "TLSCertificates", "Certificates", (apr_uint64_t)survey.dates.certificates);
    show_number(block, "TLSCertificatesExpired", "... expired", (apr_uint64_t)survey.dates.within[0]);
    if (survey.dates.first_expiry)
        show(block, "TLSFirstExpiry", "The first one expires",
             sl_survey_time(block->r->pool, survey.dates.first_expiry));
    show_number(block, "TLSHostsLeftOut", "Virtual hosts that are left out", (apr_uint64_t)survey.left_out);
    show_number(block, "TLSFilesRefused", "Changed files that were refused", (apr_uint64_t)survey.files_refused);
}

static void show_handshakes(const block_t *block)
{
    const apr_array_header_t *children = sl_counters_children(block->r->pool);
    apr_int64_t parked = 0;

    for (int i = 0; i < SL_WAITS; i++)
        parked += sl_counters_parked(children, (sl_wait_t)i);
    show_number(block, "TLSHandshakes", "Handshakes", sl_counters_total(SL_COUNT_KIND));
    show_number(block, "TLSHandshakesResumed", "... resumed", sl_counters_sum(SL_COUNT_KIND, SL_KIND_RESUMED));
    show_number(block, "TLSHandshakesFailed", "Failed handshakes", sl_counters_total(SL_COUNT_FAILURE));
    show_number(block, "TLSBackendHandshakes", "Handshakes with backends", sl_counters_total(SL_COUNT_BACKEND));
    show_number(block, "TLSBackendHandshakesFailed", "... failed", sl_counters_total(SL_COUNT_BACKEND_FAILURE));
    show_number(block, "TLSParkedConnections", "Connections that wait without a thread", (apr_uint64_t)parked);
}

static void show_helper(const block_t *block, sl_helper_t helper, const char *word, const char *title)
{
    sl_helper_health_t health;

    sl_helper_health_read(helper, &health);
    show(block, word, title, sl_helper_state_word(health.state));
    show_number(block, apr_pstrcat(block->r->pool, word, "Deaths", NULL), "... deaths", health.deaths);
}

static void show_tls(request_rec *r, int flags)
{
    block_t block = {r, (flags & AP_STATUS_SHORT) != 0};

    if (!block.is_short)
        ap_rputs("<hr />\n<h2>TLS</h2>\n<dl>\n", r);
    show_certificates(&block);
    show_handshakes(&block);
    show_helper(&block, SL_KEEPER, "TLSKeeper", "Keeper");
    show_helper(&block, SL_COURIER, "TLSCourier", "Courier");
    if (!block.is_short)
        ap_rputs("</dl>\n", r);
}

static void show_session_cache(request_rec *r, int flags)
{
    sl_socache_t *cache = sl_sessions_socache();

    if (!cache)
        return;
    if (flags & AP_STATUS_SHORT)
        ap_rputs("TLSSessionCacheStatus\n", r);
    else
        ap_rputs("<hr />\n<h2>SSL/TLS Session Cache Status:</h2>\n", r);
    sl_socache_status(cache, r, flags);
}

static int status(request_rec *r, int flags)
{
    show_tls(r, flags);
    show_session_cache(r, flags);
    return OK;
}

void sl_status_register(apr_pool_t *pool)
{
    (void)pool;
    APR_OPTIONAL_HOOK(ap, status_hook, status, NULL, NULL, APR_HOOK_MIDDLE);
}
