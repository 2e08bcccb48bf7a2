/* OpenMetrics 1.0.  Called by status_page.  What it prints are fixed words and numbers. */
#include "httpd/metrics.h"

#include <http_protocol.h>

#include "httpd/counters.h"
#include "httpd/identities.h"

static void send_counter(request_rec *r, sl_counter_t counter)
{
    const sl_counter_row_t *row = &sl_counter_rows[counter];

    ap_rprintf(r, "# TYPE %s counter\n# HELP %s %s\n", row->name, row->name, row->help);
    for (int value = 0; value < row->values; value++)
        ap_rprintf(r, "%s_total{%s=\"%s\"} %" APR_UINT64_T_FMT "\n", row->name, row->label, row->word(value),
                   sl_counters_sum(counter, value));
}

static void send_times(request_rec *r)
{
    sl_times_t times;

    sl_counters_times(&times);
    ap_rputs("# TYPE securelayer_handshake_seconds histogram\n# UNIT securelayer_handshake_seconds seconds\n"
             "# HELP securelayer_handshake_seconds Time from the first byte to the end of a handshake.\n",
             r);
    for (int i = 0; i < SL_TIME_BOUNDS; i++)
        ap_rprintf(r, "securelayer_handshake_seconds_bucket{le=\"%.4f\"} %" APR_UINT64_T_FMT "\n",
                   (double)sl_time_bounds[i] / APR_USEC_PER_SEC, times.up_to[i]);
    ap_rprintf(r,
               "securelayer_handshake_seconds_bucket{le=\"+Inf\"} %" APR_UINT64_T_FMT
               "\nsecurelayer_handshake_seconds_count %" APR_UINT64_T_FMT "\nsecurelayer_handshake_seconds_sum %.6f\n",
               times.up_to[SL_TIME_BOUNDS], times.up_to[SL_TIME_BOUNDS], (double)times.sum / APR_USEC_PER_SEC);
}

static void send_certificates(request_rec *r)
{
    int count = sl_identities_supply() ? sl_supply_count(sl_identities_supply()) : 0, refused = 0;
    apr_int64_t first = 0;

    for (int id = 0; id < count; id++) {
        sl_reload_state_t state;

        sl_identities_state(id, &state);
        refused += state.refused != 0;
        if (!first || state.not_after < first)
            first = state.not_after;
    }
    ap_rprintf(r,
               "# TYPE securelayer_certificates gauge\n# HELP securelayer_certificates Certificates in service.\n"
               "securelayer_certificates %d\n# TYPE securelayer_certificates_refused gauge\n"
               "# HELP securelayer_certificates_refused Certificates whose newer files were refused.\n"
               "securelayer_certificates_refused %d\n",
               count, refused);
    if (count)
        ap_rprintf(r,
                   "# TYPE securelayer_first_expiry_seconds gauge\n# UNIT securelayer_first_expiry_seconds seconds\n"
                   "# HELP securelayer_first_expiry_seconds When the first certificate expires, since 1970.\n"
                   "securelayer_first_expiry_seconds %" APR_INT64_T_FMT "\n",
                   first);
}

void sl_metrics_send(request_rec *r)
{
    ap_set_content_type(r, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    for (int counter = 0; counter < SL_COUNTERS; counter++)
        send_counter(r, (sl_counter_t)counter);
    send_times(r);
    send_certificates(r);
    ap_rputs("# EOF\n", r);
}
