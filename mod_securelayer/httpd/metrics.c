/* OpenMetrics 1.0.  Called by status_page; docs/status.md has the names.
 *
 * What it prints are fixed words and numbers, and as many lines for one certificate as for 100,000. */
#include "httpd/metrics.h"

#include <http_protocol.h>

#include <apr_strings.h>

#include "httpd/counters.h"
#include "httpd/helper_health.h"
#include "httpd/survey_directories.h"
#include "httpd/tickets.h"

static void send_head(request_rec *r, const char *name, const char *type, const char *unit, const char *help)
{
    ap_rprintf(r, "# TYPE %s %s\n", name, type);
    if (unit)
        ap_rprintf(r, "# UNIT %s %s\n", name, unit);
    ap_rprintf(r, "# HELP %s %s\n", name, help);
}

static void send_number(request_rec *r, const char *name, apr_int64_t value)
{
    ap_rprintf(r, "%s %" APR_INT64_T_FMT "\n", name, value);
}

static void send_labelled(request_rec *r, const char *name, const char *label, const char *word, apr_int64_t value)
{
    ap_rprintf(r, "%s{%s=\"%s\"} %" APR_INT64_T_FMT "\n", name, label, word, value);
}

static void send_gauge(request_rec *r, const char *name, const char *help, apr_int64_t value)
{
    send_head(r, name, "gauge", NULL, help);
    send_number(r, name, value);
}

static void send_seconds(request_rec *r, const char *name, const char *help, apr_int64_t value)
{
    send_head(r, name, "gauge", "seconds", help);
    send_number(r, name, value);
}

/* ---- counters ---- */

static void send_counter(request_rec *r, sl_counter_t counter)
{
    const sl_counter_row_t *row = &sl_counter_rows[counter];

    send_head(r, row->name, "counter", NULL, row->help);
    for (int value = 0; value < row->values; value++)
        ap_rprintf(r, "%s_total{%s=\"%s\"} %" APR_UINT64_T_FMT "\n", row->name, row->label, row->word(value),
                   sl_counters_sum(counter, value));
}

static void send_times(request_rec *r)
{
    sl_times_t times;

    sl_counters_times(&times);
    send_head(r, "securelayer_handshake_seconds", "histogram", "seconds",
              "Time from the first byte to the end of a handshake.");
    for (int i = 0; i < SL_TIME_BOUNDS; i++)
        ap_rprintf(r, "securelayer_handshake_seconds_bucket{le=\"%.4f\"} %" APR_UINT64_T_FMT "\n",
                   (double)sl_time_bounds[i] / APR_USEC_PER_SEC, times.up_to[i]);
    ap_rprintf(r,
               "securelayer_handshake_seconds_bucket{le=\"+Inf\"} %" APR_UINT64_T_FMT
               "\nsecurelayer_handshake_seconds_count %" APR_UINT64_T_FMT "\nsecurelayer_handshake_seconds_sum %.6f\n",
               times.up_to[SL_TIME_BOUNDS], times.up_to[SL_TIME_BOUNDS], (double)times.sum / APR_USEC_PER_SEC);
}

/* ---- certificates and files ---- */

/* `what`: "certificate", or "directory_certificate" */
static void send_dates(request_rec *r, const char *what, const char *whose, const sl_survey_dates_t *dates)
{
    const char *name = apr_psprintf(r->pool, "securelayer_%s_states", what);

    send_head(r, name, "gauge", NULL, apr_psprintf(r->pool, "Certificates%s, by their dates.", whose));
    for (int i = 0; i < SL_TERMS; i++)
        send_labelled(r, name, "state", sl_term_word((sl_term_t)i), dates->terms[i]);
    name = apr_psprintf(r->pool, "securelayer_%ss_expiring", what);
    send_head(r, name, "gauge", NULL,
              apr_psprintf(r->pool, "Certificates%s that end within so many days; 0: that have ended.", whose));
    for (int i = 0; i < SL_EXPIRY_BOUNDS; i++)
        ap_rprintf(r, "%s{days=\"%d\"} %d\n", name, sl_expiry_days[i], dates->within[i]);
}

static void send_staples(request_rec *r, const sl_survey_t *survey)
{
    send_head(r, "securelayer_staples", "gauge", NULL, "Certificates, by what is stapled for them.");
    for (int i = 0; i < SL_STAPLING_KINDS; i++)
        send_labelled(r, "securelayer_staples", "state", sl_stapling_word((sl_stapling_kind_t)i), survey->staples[i]);
    send_gauge(r, "securelayer_staples_failing", "Certificates whose responder failed the last time.",
               survey->staples_failing);
}

static void send_certificates(request_rec *r)
{
    sl_survey_t survey;

    sl_survey_make(&survey, apr_time_sec(r->request_time));
    send_gauge(r, "securelayer_certificates", "Certificates in service.", survey.dates.certificates);
    send_gauge(r, "securelayer_certificates_refused", "Certificates whose newer files were refused.", survey.refused);
    send_dates(r, "certificate", "", &survey.dates);
    if (survey.dates.first_expiry)
        send_seconds(r, "securelayer_first_expiry_seconds", "When the first certificate expires, since 1970.",
                     survey.dates.first_expiry);
    send_staples(r, &survey);
    send_gauge(r, "securelayer_hosts_left_out", "Virtual hosts that are left out for what is wrong with them.",
               survey.left_out);
    send_gauge(r, "securelayer_files_refused", "Files of any kind whose newer content was refused.",
               survey.files_refused);
    if (survey.last_taken)
        send_seconds(r, "securelayer_last_reload_seconds", "When newer files were taken last, since 1970.",
                     survey.last_taken);
}

static void send_ticket_keys(request_rec *r)
{
    apr_int64_t made = 0, next = 0;
    int count = sl_tickets_look(&made, &next);

    send_gauge(r, "securelayer_ticket_keys", "Keys of session tickets that change by themselves.", count);
    if (count)
        send_seconds(r, "securelayer_ticket_key_age_seconds", "Age of the key that seals session tickets.",
                     apr_time_sec(r->request_time) - made);
}

static void send_directories(request_rec *r)
{
    sl_survey_figure_t figures[SL_DIRECTORY_FIGURES];
    sl_survey_entries_t *entries = apr_palloc(r->pool, sizeof(*entries));

    if (!sl_survey_directories(figures))
        return;
    for (int i = 0; i < SL_DIRECTORY_FIGURES; i++) {
        const char *name = apr_pstrcat(r->pool, "securelayer_directory_", figures[i].key, NULL);

        send_head(r, name, figures[i].is_total ? "counter" : "gauge", NULL, figures[i].words);
        ap_rprintf(r, "%s%s %" APR_UINT64_T_FMT "\n", name, figures[i].is_total ? "_total" : "", figures[i].value);
    }
    send_gauge(r, "securelayer_directory_refusals", "Names in directories whose files can't be used at this moment.",
               sl_survey_refusals_count());
    sl_survey_entries(entries, NULL, apr_time_sec(r->request_time));
    send_gauge(r, "securelayer_directory_certificates", "Certificates of directories at hand, of all key types.",
               entries->dates.certificates);
    send_dates(r, "directory_certificate", " of directories", &entries->dates);
    if (entries->dates.first_expiry)
        send_seconds(r, "securelayer_directory_first_expiry_seconds",
                     "When the first certificate of directories expires, since 1970.", entries->dates.first_expiry);
}

/* ---- processes ---- */

static void send_children(request_rec *r)
{
    const apr_array_header_t *children = sl_counters_children(r->pool);

    send_gauge(r, "securelayer_children", "Children that serve.", children->nelts);
    send_head(r, "securelayer_parked_connections", "gauge", NULL,
              "Connections that hold no thread, by what they wait for.");
    for (int i = 0; i < SL_WAITS; i++)
        send_labelled(r, "securelayer_parked_connections", "waiting_for", sl_wait_words[i],
                      sl_counters_parked(children, (sl_wait_t)i));
}

static void send_helper(request_rec *r, const char *name, const char *end,
                        apr_int64_t (*value)(const sl_helper_health_t *health))
{
    for (int i = 0; i < SL_HELPERS; i++) {
        sl_helper_health_t health;

        sl_helper_health_read((sl_helper_t)i, &health);
        if (health.state != SL_HELPER_UNUSED)
            ap_rprintf(r, "%s%s{helper=\"%s\"} %" APR_INT64_T_FMT "\n", name, end, sl_helper_word((sl_helper_t)i),
                       value(&health));
    }
}

static apr_int64_t is_up(const sl_helper_health_t *health)
{
    return health->state == SL_HELPER_RUNNING;
}

static apr_int64_t deaths_of(const sl_helper_health_t *health)
{
    return (apr_int64_t)health->deaths;
}

static apr_int64_t since(const sl_helper_health_t *health)
{
    return health->since;
}

/* Only those that have something to do. */
static void send_helpers(request_rec *r)
{
    send_head(r, "securelayer_helper_up", "gauge", NULL, "1: the helper runs and gives signs of life.");
    send_helper(r, "securelayer_helper_up", "", is_up);
    send_head(r, "securelayer_helper_deaths", "counter", NULL, "How often the helper died and was started again.");
    send_helper(r, "securelayer_helper_deaths", "_total", deaths_of);
    send_head(r, "securelayer_helper_start_seconds", "gauge", "seconds", "Since when it runs, since 1970.");
    send_helper(r, "securelayer_helper_start_seconds", "", since);
}

void sl_metrics_send(request_rec *r)
{
    ap_set_content_type(r, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    for (int counter = 0; counter < SL_COUNTERS; counter++)
        send_counter(r, (sl_counter_t)counter);
    send_times(r);
    send_certificates(r);
    send_ticket_keys(r);
    send_directories(r);
    send_children(r);
    send_helpers(r);
    ap_rputs("# EOF\n", r);
}
