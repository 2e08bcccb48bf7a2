/* The JSON, made with jansson.  Called by status_page; docs/status.md has the fields.
 *
 * One answer holds a page of certificates and lists that are cut off, so it is bounded however much there is. */
#include "httpd/status_json.h"

#include <http_protocol.h>

#include <apr_strings.h>
#include <jansson.h>

#include "httpd/broken_hosts.h"
#include "httpd/counters.h"
#include "httpd/directories.h"
#include "httpd/helper_health.h"
#include "httpd/survey_directories.h"
#include "httpd/tickets.h"

#define MOST_NAMES 100
#define MOST_FILES 100

typedef struct view_t {
    request_rec *r;
    apr_int64_t now;
    int failed; /* memory ended: something is missing */
} view_t;

/* ---- values ---- */

/* Takes `value` over. */
static void put(view_t *view, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        view->failed = 1;
}

static void append(view_t *view, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        view->failed = 1;
}

static void put_count(view_t *view, json_t *object, const char *key, apr_uint64_t count)
{
    put(view, object, key, json_integer((json_int_t)count));
}

/* Paths need not be UTF-8: those that are not are escaped as in the log. */
static json_t *text(const view_t *view, const char *value)
{
    json_t *made = value ? json_string(value) : json_null();

    return made ? made : json_string(ap_escape_logitem(view->r->pool, value));
}

static void put_text(view_t *view, json_t *object, const char *key, const char *value)
{
    put(view, object, key, text(view, value));
}

/* null: never. */
static void put_time(view_t *view, json_t *object, const char *key, apr_int64_t seconds)
{
    put_text(view, object, key, seconds ? sl_survey_time(view->r->pool, seconds) : NULL);
}

static json_t *put_object(view_t *view, json_t *object, const char *key)
{
    json_t *made = json_object();

    put(view, object, key, made);
    return made;
}

static json_t *put_array(view_t *view, json_t *object, const char *key)
{
    json_t *made = json_array();

    put(view, object, key, made);
    return made;
}

/* ---- certificates ---- */

static void put_names(view_t *view, json_t *object, const apr_array_header_t *names)
{
    json_t *array = put_array(view, object, "names");

    for (int i = 0; i < names->nelts && i < MOST_NAMES; i++)
        append(view, array, text(view, APR_ARRAY_IDX(names, i, const char *)));
    put_count(view, object, "names_total", (apr_uint64_t)names->nelts);
}

static void put_staple(view_t *view, json_t *object, const sl_survey_row_t *row)
{
    json_t *staple = put_object(view, object, "staple");

    put_text(view, staple, "state", sl_stapling_word(row->stapling));
    put_time(view, staple, "this_update", row->staple.since);
    if (row->staple.since)
        put(view, staple, "age_seconds", json_integer(view->now - row->staple.since));
    put_time(view, staple, "until", row->staple.until);
    put_count(view, staple, "failures", (apr_uint64_t)row->staple.failures);
    put_time(view, staple, "last_failure", row->staple.failed);
    if (row->staple.failures)
        put_text(view, staple, "reason", row->staple.reason);
}

static void put_reload(view_t *view, json_t *object, const sl_reload_state_t *state)
{
    json_t *reload = put_object(view, object, "reload");

    put_count(view, reload, "version", state->version);
    put_time(view, reload, "last_taken", state->changed);
    put_time(view, reload, "refused", state->refused);
    if (state->refused)
        put_text(view, reload, "reason", state->reason);
}

static void put_dates(view_t *view, json_t *object, const sl_survey_dates_t *dates)
{
    json_t *states = put_object(view, object, "states");
    json_t *within = put_object(view, object, "expiring_within_days");

    put_count(view, object, "total", (apr_uint64_t)dates->certificates);
    put_time(view, object, "first_expiry", dates->first_expiry);
    for (int i = 0; i < SL_TERMS; i++)
        put_count(view, states, sl_term_word((sl_term_t)i), (apr_uint64_t)dates->terms[i]);
    for (int i = 0; i < SL_EXPIRY_BOUNDS; i++)
        put_count(view, within, apr_psprintf(view->r->pool, "%d", sl_expiry_days[i]), (apr_uint64_t)dates->within[i]);
}

/* Of a certificate. */
static void put_term(view_t *view, json_t *object, apr_int64_t not_before, apr_int64_t not_after)
{
    put_time(view, object, "not_before", not_before);
    put_time(view, object, "not_after", not_after);
    put(view, object, "seconds_left", json_integer(not_after - view->now));
    put_text(view, object, "state", sl_term_word(sl_term_of(not_before, not_after, view->now)));
}

static json_t *make_certificate(view_t *view, const sl_survey_row_t *row)
{
    json_t *object = json_object();

    put_text(view, object, "file", row->record->shown);
    put_names(view, object, row->record->names);
    put_text(view, object, "issuer", row->issuer);
    put_text(view, object, "key_type", row->key_type);
    put_text(view, object, "serial", row->serial);
    put_text(view, object, "sha256", row->sha256);
    put_term(view, object, row->reload.not_before, row->reload.not_after);
    put_staple(view, object, row);
    put_reload(view, object, &row->reload);
    return object;
}

static void put_list(view_t *view, json_t *object, const apr_array_header_t *places, int first, int rows)
{
    json_t *list = put_array(view, object, "list");

    for (int i = first; i < places->nelts && i < first + rows; i++) {
        sl_survey_row_t row;

        sl_survey_look(view->r->pool, APR_ARRAY_IDX(places, i, sl_place_t).id, view->now, &row);
        append(view, list, make_certificate(view, &row));
    }
}

static void put_certificates(view_t *view, json_t *root, const sl_survey_t *survey, const char *filter, int page,
                             int rows)
{
    const apr_array_header_t *places = sl_survey_find(view->r->pool, filter);
    json_t *object = put_object(view, root, "certificates");
    json_t *staples = put_object(view, object, "staples");

    put_dates(view, object, &survey->dates);
    put_count(view, object, "refused", (apr_uint64_t)survey->refused);
    for (int i = 0; i < SL_STAPLING_KINDS; i++)
        put_count(view, staples, sl_stapling_word((sl_stapling_kind_t)i), (apr_uint64_t)survey->staples[i]);
    put_count(view, object, "staples_failing", (apr_uint64_t)survey->staples_failing);
    put_text(view, object, "filter", filter);
    put_count(view, object, "matching", (apr_uint64_t)places->nelts);
    put_count(view, object, "page", (apr_uint64_t)page);
    put_count(view, object, "pages", (apr_uint64_t)((places->nelts + rows - 1) / rows));
    put_count(view, object, "rows", (apr_uint64_t)rows);
    if (page - 1 <= places->nelts / rows)
        put_list(view, object, places, (page - 1) * rows, rows);
    else
        put_array(view, object, "list");
}

/* ---- files ---- */

static void put_files(view_t *view, json_t *object, const char *key, const apr_array_header_t *files)
{
    json_t *array = put_array(view, object, key);

    for (int i = 0; i < files->nelts; i++) {
        const sl_survey_file_t *file = &APR_ARRAY_IDX(files, i, const sl_survey_file_t);
        json_t *entry = json_object();

        put_text(view, entry, "name", file->name);
        put_time(view, entry, "last_taken", file->state.changed);
        put_time(view, entry, "refused", file->state.refused);
        if (file->state.refused)
            put_text(view, entry, "reason", file->state.reason);
        append(view, array, entry);
    }
}

static void put_reloading(view_t *view, json_t *root, const sl_survey_t *survey)
{
    json_t *object = put_object(view, root, "reload");
    const apr_array_header_t *files;
    int all;

    put(view, object, "on", json_boolean(survey->is_reloading));
    put_time(view, object, "last_taken", survey->last_taken);
    put_time(view, object, "last_refused", survey->last_refused);
    files = sl_survey_refused(view->r->pool, MOST_FILES, &all);
    put_count(view, object, "refused_total", (apr_uint64_t)all);
    put_files(view, object, "refused", files);
    files = sl_survey_others(view->r->pool, MOST_FILES, &all);
    put_count(view, object, "other_files_total", (apr_uint64_t)all);
    put_files(view, object, "other_files", files);
}

static void put_left_out(view_t *view, json_t *root)
{
    const apr_array_header_t *hosts = sl_broken_hosts_list(view->r->pool, MOST_FILES);
    json_t *object = put_object(view, root, "left_out");
    json_t *array = put_array(view, object, "hosts");

    put_count(view, object, "total", (apr_uint64_t)sl_broken_hosts_count());
    for (int i = 0; i < hosts->nelts; i++) {
        const sl_broken_host_t *host = &APR_ARRAY_IDX(hosts, i, const sl_broken_host_t);
        json_t *entry = json_object();

        put_text(view, entry, "name", host->id);
        put_text(view, entry, "reason", host->reason);
        put(view, entry, "needs_restart", json_boolean(host->needs_restart));
        append(view, array, entry);
    }
}

/* ---- counters ---- */

static void put_counter(view_t *view, json_t *object, const char *key, sl_counter_t counter)
{
    json_t *values = put_object(view, object, key);

    for (int value = 0; value < sl_counter_rows[counter].values; value++)
        put_count(view, values, sl_counter_rows[counter].word(value), sl_counters_sum(counter, value));
}

static void put_times(view_t *view, json_t *object)
{
    json_t *seconds = put_object(view, object, "seconds"), *buckets = put_array(view, seconds, "buckets");
    sl_times_t times;

    sl_counters_times(&times);
    put_count(view, seconds, "count", times.up_to[SL_TIME_BOUNDS]);
    put(view, seconds, "sum", json_real((double)times.sum / APR_USEC_PER_SEC));
    for (int i = 0; i < SL_TIME_BOUNDS; i++) {
        json_t *bucket = json_object();

        put(view, bucket, "up_to", json_real((double)sl_time_bounds[i] / APR_USEC_PER_SEC));
        put_count(view, bucket, "count", times.up_to[i]);
        append(view, buckets, bucket);
    }
}

static void put_handshakes(view_t *view, json_t *root)
{
    static const sl_counter_t counters[] = {SL_COUNT_VERSION, SL_COUNT_KIND, SL_COUNT_GROUP, SL_COUNT_SUITE,
                                            SL_COUNT_FAILURE};
    json_t *object = put_object(view, root, "handshakes"), *backends;

    put_count(view, object, "total", sl_counters_total(SL_COUNT_KIND));
    put_count(view, object, "failed", sl_counters_total(SL_COUNT_FAILURE));
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
        put_counter(view, object, sl_counter_rows[counters[i]].key, counters[i]);
    put_times(view, object);
    backends = put_object(view, root, "backend_handshakes");
    put_count(view, backends, "total", sl_counters_total(SL_COUNT_BACKEND));
    put_count(view, backends, "failed", sl_counters_total(SL_COUNT_BACKEND_FAILURE));
    put_counter(view, backends, sl_counter_rows[SL_COUNT_BACKEND].key, SL_COUNT_BACKEND);
    put_counter(view, backends, sl_counter_rows[SL_COUNT_BACKEND_FAILURE].key, SL_COUNT_BACKEND_FAILURE);
}

static void put_tickets(view_t *view, json_t *root)
{
    json_t *object = put_object(view, root, "ticket_keys");
    apr_int64_t made = 0, next = 0;
    int count = sl_tickets_look(&made, &next);

    put_count(view, object, "count", (apr_uint64_t)count);
    put_time(view, object, "made", made);
    if (count)
        put(view, object, "age_seconds", json_integer(view->now - made));
    put_time(view, object, "next", next);
}

/* ---- processes ---- */

static void put_parked(view_t *view, json_t *object, const apr_int64_t parked[SL_WAITS])
{
    json_t *waits = put_object(view, object, "parked");

    for (int i = 0; i < SL_WAITS; i++)
        put(view, waits, sl_wait_words[i], json_integer(parked[i]));
}

static void put_children(view_t *view, json_t *root)
{
    const apr_array_header_t *children = sl_counters_children(view->r->pool);
    json_t *array = put_array(view, root, "children");
    apr_int64_t parked[SL_WAITS];

    for (int i = 0; i < children->nelts; i++) {
        const sl_child_t *child = &APR_ARRAY_IDX(children, i, const sl_child_t);
        json_t *object = json_object();

        put(view, object, "pid", json_integer(child->pid));
        put_time(view, object, "since", child->since);
        put_count(view, object, "handshakes", child->handshakes);
        put_count(view, object, "identities_found", child->identities_found);
        put_count(view, object, "identities_made", child->identities_made);
        put_parked(view, object, child->parked);
        append(view, array, object);
    }
    for (int i = 0; i < SL_WAITS; i++)
        parked[i] = sl_counters_parked(children, (sl_wait_t)i);
    put_parked(view, root, parked);
}

static void put_helpers(view_t *view, json_t *root)
{
    json_t *helpers = put_object(view, root, "helpers");

    for (int i = 0; i < SL_HELPERS; i++) {
        json_t *object = put_object(view, helpers, sl_helper_word((sl_helper_t)i));
        sl_helper_health_t health;

        sl_helper_health_read((sl_helper_t)i, &health);
        put_text(view, object, "state", sl_helper_state_word(health.state));
        put(view, object, "pid", health.pid ? json_integer(health.pid) : json_null());
        put_time(view, object, "since", health.state == SL_HELPER_UNUSED ? 0 : health.since);
        put_count(view, object, "deaths", health.deaths);
        put(view, object, "silent_seconds", health.silent < 0 ? json_null() : json_integer(health.silent));
    }
}

/* ---- certificate directories ---- */

static void put_entry(view_t *view, json_t *list, const sl_survey_entry_t *entry)
{
    json_t *object = json_object();

    put_text(view, object, "name", entry->entry);
    put_text(view, object, "directory", sl_directories_path(entry->directory));
    put_text(view, object, "key_type", entry->facts.key_type);
    put_term(view, object, entry->facts.not_before, entry->facts.not_after);
    append(view, list, object);
}

static void put_entries(view_t *view, json_t *directories, const char *filter)
{
    json_t *object = put_object(view, directories, "certificates"), *list;
    sl_survey_entries_t *entries = apr_palloc(view->r->pool, sizeof(*entries));

    sl_survey_entries(entries, filter, view->now);
    put_dates(view, object, &entries->dates);
    put_text(view, object, "filter", filter);
    put_count(view, object, "matching", (apr_uint64_t)entries->matching);
    list = put_array(view, object, "list");
    for (int i = 0; i < entries->count; i++)
        put_entry(view, list, &entries->soonest[i]);
}

static void put_refusals(view_t *view, json_t *directories)
{
    json_t *object = put_object(view, directories, "refusals"), *list;
    sl_directory_refusals_t *refusals = apr_palloc(view->r->pool, sizeof(*refusals));

    sl_survey_refusals(refusals);
    put_count(view, object, "total", (apr_uint64_t)refusals->all);
    list = put_array(view, object, "list");
    for (int i = 0; i < refusals->count; i++) {
        const sl_directory_refusal_t *refusal = &refusals->list[i];
        json_t *entry = json_object();

        put_text(view, entry, "name", *refusal->entry ? refusal->entry : NULL);
        put_text(view, entry, "directory", sl_directories_path(refusal->directory));
        put_time(view, entry, "since", refusal->since);
        put_text(view, entry, "reason", refusal->reason);
        append(view, list, entry);
    }
}

/* An empty object without any. */
static void put_directories(view_t *view, json_t *root, const char *filter)
{
    json_t *object = put_object(view, root, "certificate_directories");
    sl_survey_figure_t figures[SL_DIRECTORY_FIGURES];

    if (!sl_survey_directories(figures))
        return;
    for (int i = 0; i < SL_DIRECTORY_FIGURES; i++)
        put_count(view, object, figures[i].key, figures[i].value);
    put_refusals(view, object);
    put_entries(view, object, filter);
}

/* ---- all of it ---- */

static int write_some(const char *bytes, size_t length, void *baton)
{
    return ap_rwrite(bytes, (int)length, baton) < 0 ? -1 : 0;
}

int sl_status_json_send(request_rec *r, const char *filter, int page, int rows)
{
    view_t view = {.r = r, .now = apr_time_sec(r->request_time)};
    json_t *root = json_object();
    sl_survey_t survey;

    sl_survey_make(&survey, view.now);
    put_count(&view, root, "format", 1);
    put_time(&view, root, "time", view.now);
    put_text(&view, root, "server", r->server->server_hostname);
    put_certificates(&view, root, &survey, filter, page, rows);
    put_left_out(&view, root);
    put_reloading(&view, root, &survey);
    put_handshakes(&view, root);
    put_tickets(&view, root);
    put_counter(&view, root, "tickets", SL_COUNT_TICKET);
    put_counter(&view, root, "session_cache", SL_COUNT_SESSION);
    put_counter(&view, root, "identity_cache", SL_COUNT_IDENTITY);
    put_directories(&view, root, filter);
    put_children(&view, root);
    put_helpers(&view, root);
    if (view.failed) {
        json_decref(root);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    ap_set_content_type(r, "application/json");
    (void)json_dump_callback(root, write_some, r, JSON_INDENT(1)); /* what fails is the client */
    json_decref(root);
    return OK;
}
