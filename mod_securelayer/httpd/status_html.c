/* The page.  Called by status_page.
 *
 * One document without scripts and without anything from elsewhere: the policy in its head forbids both. Names come
 * from files that others may have written: all text goes through escape(). No state is told by colour alone. */
#include "httpd/status_html.h"

#include <http_protocol.h>

#include <apr_strings.h>

#include "httpd/broken_hosts.h"
#include "httpd/counters.h"
#include "httpd/directories.h"
#include "httpd/helper_health.h"
#include "httpd/survey_directories.h"
#include "httpd/tickets.h"

#define ROWS 50
#define NAMES 6
#define FILES 50
#define RECENT 3600

typedef struct view_t {
    request_rec *r;
    apr_int64_t now;
    const char *filter; /* "": none */
    int page;           /* from 0 */
    sl_survey_t survey;
    sl_survey_entries_t *entries;      /* of certificate directories */
    sl_directory_refusals_t *refusals; /* likewise */
    apr_array_header_t *children;
} view_t;

typedef enum { FINE, MIND, BAD, IDLE, MOODS } mood_t;

static const char *const mood_classes[MOODS] = {"ok", "warn", "bad", "idle"};
static const char *const mood_signs[MOODS] = {"&#x2713;", "!", "&#x2717;", "&#x2013;"};

static const char style[] =
    ":root{color-scheme:light dark;--bg:#f5f6f8;--card:#fff;--text:#1c2330;--soft:#5b6472;--line:#dfe3e9;"
    "--bar:#3b6fd4;--link:#1d4fb8;--ok:#17743b;--warn:#8a5200;--bad:#b3261e;--idle:#5b6472;--okbg:#e3f4e8;"
    "--warnbg:#fdf0d8;--badbg:#fbe4e2;--idlebg:#eceff3}"
    "@media(prefers-color-scheme:dark){"
    ":root{--bg:#12151b;--card:#1b2029;--text:#e7eaf0;--soft:#a0a9b8;--line:#303846;--bar:#6d9cf5;--link:#8ab4ff;"
    "--ok:#7fd89c;--warn:#f2bf6a;--bad:#ff9d95;--idle:#a0a9b8;--okbg:#183524;--warnbg:#3a2c10;--badbg:#431d1b;"
    "--idlebg:#262d38}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;max-width:82rem;padding:1.25rem;background:var(--bg);color:var(--text);"
    "font:15px/1.45 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
    "a{color:var(--link)}"
    "header{display:flex;flex-wrap:wrap;align-items:baseline;gap:.25rem 1.25rem;margin-bottom:1rem}"
    "h1{font-size:1.45rem;margin:0}"
    "h2{font-size:1.1rem;margin:0 0 .6rem}"
    "h3{font-size:.95rem;margin:0 0 .5rem}"
    "header p{margin:0;color:var(--soft)}"
    "header nav{margin-left:auto}"
    "header nav a{margin-left:1rem}"
    ".tiles,.cards{display:grid;gap:.75rem;margin-bottom:1rem;"
    "grid-template-columns:repeat(auto-fill,minmax(17rem,1fr))}"
    ".cards .wide{grid-column:span 2}"
    ".tile,.card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.75rem .9rem;"
    "min-width:0}"
    ".card{padding:1rem}"
    "section.card{margin-bottom:1rem}"
    ".tile{border-left:4px solid var(--line)}"
    ".tile.ok{border-left-color:var(--ok)}"
    ".tile.warn{border-left-color:var(--warn)}"
    ".tile.bad{border-left-color:var(--bad)}"
    ".tile h2{font-size:.8rem;font-weight:600;color:var(--soft);margin:0}"
    ".tile strong{display:block;font-size:1.45rem;line-height:1.35;white-space:nowrap;"
    "font-variant-numeric:tabular-nums}"
    ".tile p{margin:0;color:var(--soft);font-size:.82rem}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.45rem .8rem .45rem 0;border-bottom:1px solid var(--line);"
    "overflow-wrap:anywhere}"
    "tr:last-child td{border-bottom:0}"
    "th{font-size:.8rem;font-weight:600;color:var(--soft);white-space:nowrap;overflow-wrap:normal}"
    ".num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    "td:last-child,th:last-child{padding-right:0}"
    ".key,.issuer{overflow-wrap:normal}"
    ".issuer{min-width:9rem}"
    ".file{min-width:14rem}"
    "small{color:var(--soft);font-size:.85em}"
    ".left{white-space:nowrap}"
    ".left small{display:block}"
    ".badge{display:inline-block;border-radius:1rem;padding:.05rem .6rem;font-size:.82rem;font-weight:600;"
    "white-space:nowrap}"
    ".badge.ok{color:var(--ok);background:var(--okbg)}"
    ".badge.warn{color:var(--warn);background:var(--warnbg)}"
    ".badge.bad{color:var(--bad);background:var(--badbg)}"
    ".badge.idle{color:var(--idle);background:var(--idlebg)}"
    "svg{display:block;width:100%;height:.5rem;border-radius:.25rem;background:var(--idlebg)}"
    "rect{fill:var(--bar)}"
    "td.bar{width:35%;vertical-align:middle}"
    "form{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin:0 0 .75rem}"
    "input,button{font:inherit;color:inherit;background:var(--bg);border:1px solid var(--soft);border-radius:.4rem;"
    "padding:.35rem .6rem}"
    "input{flex:1 1 14rem;min-width:0;max-width:28rem}"
    "button{cursor:pointer}"
    "a:focus-visible,input:focus-visible,button:focus-visible{outline:2px solid var(--bar);outline-offset:1px}"
    ".pages{display:flex;gap:1rem;align-items:center;margin:.75rem 0 0}"
    ".none{color:var(--soft);margin:0}"
    "@media(max-width:62rem){"
    ".flow tr,.flow td{display:block;border:0;padding:0}"
    ".flow tr:first-child{display:none}"
    ".flow tr{border-bottom:1px solid var(--line);padding:.6rem 0}"
    ".flow tr:last-child{border-bottom:0}"
    ".flow td{min-width:0;padding:.1rem 0}"
    ".flow td:empty{display:none}"
    ".flow td[data-is]::before{content:attr(data-is) ': ';color:var(--soft);font-size:.85em}"
    ".flow .num{text-align:left}"
    ".left small{display:inline}}"
    "@media(max-width:40rem){"
    "body{padding:.75rem}"
    "header nav{margin-left:0}"
    "header nav a{margin:0 1rem 0 0}"
    ".tiles{grid-template-columns:repeat(2,minmax(0,1fr))}"
    ".cards{grid-template-columns:minmax(0,1fr)}"
    ".cards .wide{grid-column:auto}"
    ".tile strong{font-size:1.25rem}}";

/* ---- text ---- */

static const char *escape(const view_t *view, const char *text)
{
    return ap_escape_html(view->r->pool, text ? text : "");
}

/* "3 days", "12 min": one figure is enough. */
static const char *span(const view_t *view, apr_int64_t seconds)
{
    static const struct {
        apr_int64_t from, unit;
        const char *word;
    } steps[] = {{2 * 86400, 86400, "days"}, {2 * 3600, 3600, "h"}, {120, 60, "min"}, {0, 1, "s"}};
    int i = 0;

    seconds = seconds < 0 ? 0 : seconds;
    while (seconds < steps[i].from)
        i++;
    return apr_psprintf(view->r->pool, "%" APR_INT64_T_FMT " %s", seconds / steps[i].unit, steps[i].word);
}

static const char *ago(const view_t *view, apr_int64_t when)
{
    return apr_pstrcat(view->r->pool, span(view, view->now - when), " ago", NULL);
}

/* With the exact time for who points at it. */
static const char *moment(const view_t *view, apr_int64_t when, const char *words)
{
    const char *exact = sl_survey_time(view->r->pool, when);

    return apr_psprintf(view->r->pool, "<time datetime=\"%s\" title=\"%s\">%s</time>", exact, exact, words);
}

/* "2027-01-31 12:00 UTC" */
static const char *day(const view_t *view, apr_int64_t when)
{
    const char *exact = sl_survey_time(view->r->pool, when);

    return apr_psprintf(view->r->pool, "%.10s %.5s UTC", exact, *exact ? exact + 11 : exact);
}

static const char *number(const view_t *view, apr_uint64_t value)
{
    return apr_psprintf(view->r->pool, "%" APR_UINT64_T_FMT, value);
}

static const char *badge(const view_t *view, mood_t mood, const char *words)
{
    return apr_psprintf(view->r->pool, "<span class=\"badge %s\">%s %s</span>", mood_classes[mood], mood_signs[mood],
                        words);
}

/* ---- tiles ---- */

/* `value` and `below` are HTML. */
static void send_tile(const view_t *view, mood_t mood, const char *title, const char *value, const char *below)
{
    ap_rprintf(view->r, "<div class=\"tile %s\"><h2>%s</h2><strong>%s</strong><p>%s</p></div>\n", mood_classes[mood],
               title, value, below);
}

static void send_refused_tile(const view_t *view)
{
    int refused = view->survey.files_refused + view->refusals->all;
    int looks = view->survey.is_reloading || sl_directories_board();

    send_tile(view,
              refused ? BAD
              : looks ? FINE
                      : IDLE,
              "Refused changes", number(view, (apr_uint64_t)refused),
              refused ? "&#x2717; see below"
              : looks ? "&#x2713; all files are in order"
                      : "reloading is off");
}

static void send_certificate_tiles(const view_t *view)
{
    const sl_survey_dates_t *hosts = &view->survey.dates, *others = &view->entries->dates;
    int expired = hosts->terms[SL_TERM_EXPIRED] + others->terms[SL_TERM_EXPIRED];
    int soon = hosts->terms[SL_TERM_SOON] + others->terms[SL_TERM_SOON];
    mood_t mood = expired ? BAD : soon ? MIND : FINE;
    int is_others = others->first_expiry && (!hosts->first_expiry || others->first_expiry < hosts->first_expiry);
    apr_int64_t first = is_others ? others->first_expiry : hosts->first_expiry, left = first - view->now;

    send_tile(view, mood, "Certificates", number(view, (apr_uint64_t)(hosts->certificates + others->certificates)),
              apr_psprintf(view->r->pool, "%s %d expired, %d near their end", mood_signs[mood], expired, soon));
    if (first)
        send_tile(view, mood, "Next expiry", left < 0 ? "past" : span(view, left), day(view, first));
    send_refused_tile(view);
}

static const char *percent(const view_t *view, apr_uint64_t part, apr_uint64_t all, const char *what)
{
    if (!all)
        return apr_pstrcat(view->r->pool, "none ", what, NULL);
    return apr_psprintf(view->r->pool, "%.1f&#x202f;%% %s", 100.0 * (double)part / (double)all, what);
}

static void send_handshake_tiles(const view_t *view)
{
    apr_uint64_t done = sl_counters_total(SL_COUNT_KIND), failed = sl_counters_total(SL_COUNT_FAILURE);
    apr_int64_t parked[SL_WAITS], all = 0;

    send_tile(view, IDLE, "Handshakes", number(view, done),
              percent(view, sl_counters_sum(SL_COUNT_KIND, SL_KIND_RESUMED), done, "resumed"));
    send_tile(view, IDLE, "Failed handshakes", number(view, failed), percent(view, failed, failed + done, "of all"));
    for (int i = 0; i < SL_WAITS; i++)
        all += parked[i] = sl_counters_parked(view->children, (sl_wait_t)i);
    send_tile(view, IDLE, "Parked connections", number(view, (apr_uint64_t)all),
              apr_psprintf(view->r->pool,
                           "%" APR_INT64_T_FMT " hello, %" APR_INT64_T_FMT " handshake, %" APR_INT64_T_FMT " request",
                           parked[SL_WAIT_HELLO], parked[SL_WAIT_HANDSHAKE], parked[SL_WAIT_REQUEST]));
}

/* Who died of late may do so again. */
static mood_t mood_of(const view_t *view, const sl_helper_health_t *health)
{
    static const mood_t moods[SL_HELPER_STATES] = {IDLE, MIND, FINE, BAD, BAD};

    if (health->state == SL_HELPER_RUNNING && health->deaths && view->now - health->since < RECENT)
        return MIND;
    return moods[health->state];
}

static void send_helper_tiles(const view_t *view)
{
    static const char *const titles[SL_HELPERS] = {[SL_KEEPER] = "Keeper", [SL_COURIER] = "Courier"};

    for (int i = 0; i < SL_HELPERS; i++) {
        sl_helper_health_t health;
        const char *since;

        sl_helper_health_read((sl_helper_t)i, &health);
        since = health.state == SL_HELPER_UNUSED
                    ? "it has nothing to do"
                    : apr_pstrcat(view->r->pool, "for ", span(view, view->now - health.since), NULL);
        send_tile(view, mood_of(view, &health), titles[i],
                  apr_pstrcat(view->r->pool, mood_signs[mood_of(view, &health)], " ",
                              sl_helper_state_word(health.state), NULL),
                  health.deaths
                      ? apr_psprintf(view->r->pool, "%s, died %" APR_UINT64_T_FMT " times", since, health.deaths)
                      : since);
    }
}

/* ---- certificates ---- */

static void send_names(const view_t *view, const apr_array_header_t *names)
{
    for (int i = 0; i < names->nelts && i < NAMES; i++)
        ap_rprintf(view->r, "%s%s", i ? ", " : "", escape(view, APR_ARRAY_IDX(names, i, const char *)));
    if (names->nelts > NAMES)
        ap_rprintf(view->r, " <small>and %d more</small>", names->nelts - NAMES);
}

static void send_term(const view_t *view, sl_term_t term, apr_int64_t not_after)
{
    static const mood_t moods[SL_TERMS] = {FINE, MIND, BAD, MIND};
    const char *words = term == SL_TERM_EXPIRED ? apr_pstrcat(view->r->pool, "expired ", ago(view, not_after), NULL)
                        : term == SL_TERM_EARLY
                            ? "not yet valid"
                            : apr_pstrcat(view->r->pool, span(view, not_after - view->now), " left", NULL);

    ap_rprintf(view->r, "<td class=\"left\">%s <small>%s</small></td>", badge(view, moods[term], words),
               day(view, not_after));
}

static void send_staple(const view_t *view, const sl_survey_row_t *row)
{
    static const mood_t moods[SL_STAPLING_KINDS] = {IDLE, IDLE, MIND, FINE, BAD, BAD};
    const sl_staple_state_t *staple = &row->staple;

    ap_rprintf(view->r, "<td data-is=\"Staple\">%s",
               badge(view, moods[row->stapling], sl_stapling_word(row->stapling)));
    if (staple->since)
        ap_rprintf(view->r, " <small>%s old</small>",
                   moment(view, staple->since, span(view, view->now - staple->since)));
    if (staple->failures)
        ap_rprintf(view->r, " <small>%" APR_INT64_T_FMT " failures, the last %s: %s</small>", staple->failures,
                   moment(view, staple->failed, ago(view, staple->failed)), escape(view, staple->reason));
    ap_rputs("</td>", view->r);
}

static void send_reload(const view_t *view, const sl_reload_state_t *state)
{
    if (state->refused)
        ap_rprintf(view->r, "%s <small>%s: %s</small>", badge(view, BAD, "refused"),
                   moment(view, state->refused, ago(view, state->refused)), escape(view, state->reason));
    else if (state->changed)
        ap_rprintf(view->r, "%s <small>%s</small>", badge(view, FINE, "taken"),
                   moment(view, state->changed, ago(view, state->changed)));
    else
        ap_rputs("<small>as at the start</small>", view->r);
}

static void send_row(const view_t *view, int id)
{
    sl_survey_row_t row;

    sl_survey_look(view->r->pool, id, view->now, &row);
    ap_rputs("<tr>", view->r);
    send_term(view, row.term, row.reload.not_after);
    ap_rputs("<td data-is=\"Names\">", view->r);
    send_names(view, row.record->names);
    ap_rprintf(view->r, "</td><td class=\"issuer\" data-is=\"Issuer\">%s</td><td class=\"key\" data-is=\"Key\">%s</td>",
               escape(view, row.issuer), escape(view, row.key_type));
    send_staple(view, &row);
    ap_rputs("<td class=\"file\" data-is=\"File\">", view->r);
    ap_rprintf(view->r, "%s<br>", escape(view, row.record->shown));
    send_reload(view, &row.reload);
    ap_rputs("</td></tr>\n", view->r);
}

static void send_link(const view_t *view, int page, const char *words)
{
    ap_rprintf(view->r, "<a href=\"?filter=%s&amp;page=%d\">%s</a> ",
               escape(view, ap_escape_urlencoded(view->r->pool, view->filter)), page + 1, words);
}

static void send_pages(const view_t *view, int found)
{
    int pages = (found + ROWS - 1) / ROWS;

    if (pages < 2)
        return;
    ap_rputs("<p class=\"pages\">", view->r);
    if (view->page)
        send_link(view, view->page - 1, "&#x2190; earlier");
    ap_rprintf(view->r, "<span>page %d of %d</span> ", view->page + 1, pages);
    if (view->page + 1 < pages)
        send_link(view, view->page + 1, "later &#x2192;");
    ap_rputs("</p>", view->r);
}

static void send_certificates(view_t *view)
{
    const apr_array_header_t *places = sl_survey_find(view->r->pool, view->filter);

    if (view->page > (places->nelts - 1) / ROWS)
        view->page = 0;
    ap_rprintf(
        view->r,
        "<section class=\"card\"><h2>Certificates</h2><form role=\"search\"><label for=\"filter\">Name or file</label>"
        "<input type=\"search\" id=\"filter\" name=\"filter\" value=\"%s\"><button>Filter</button></form>"
        "<p class=\"none\">%d found%s</p>",
        escape(view, view->filter), places->nelts, places->nelts ? ", the first to expire first" : "");
    if (places->nelts)
        ap_rputs("<table class=\"flow\"><tr><th>Expiry</th><th>Names</th><th>Issuer</th><th>Key</th><th>Staple</th>"
                 "<th>File</th></tr>\n",
                 view->r);
    for (int i = view->page * ROWS; i < places->nelts && i < (view->page + 1) * ROWS; i++)
        send_row(view, APR_ARRAY_IDX(places, i, sl_place_t).id);
    if (places->nelts)
        ap_rputs("</table>", view->r);
    send_pages(view, places->nelts);
    ap_rputs("</section>\n", view->r);
}

/* ---- certificate directories ---- */

static void send_entry(const view_t *view, const sl_survey_entry_t *entry)
{
    const sl_directory_facts_t *facts = &entry->facts;

    ap_rputs("<tr>", view->r);
    send_term(view, sl_term_of(facts->not_before, facts->not_after, view->now), facts->not_after);
    ap_rprintf(view->r,
               "<td data-is=\"Name\">%s</td><td class=\"key\" data-is=\"Key\">%s</td>"
               "<td class=\"file\" data-is=\"Directory\">%s</td></tr>\n",
               escape(view, entry->entry), escape(view, facts->key_type),
               escape(view, sl_directories_path(entry->directory)));
}

static void send_entries(const view_t *view)
{
    const sl_survey_entries_t *entries = view->entries;

    if (!sl_directories_board())
        return;
    ap_rprintf(view->r,
               "<section class=\"card\"><h2>Certificates of directories that are in use</h2>"
               "<p class=\"none\">%d found%s</p>",
               entries->matching, entries->matching ? ", the first to expire first" : "");
    if (entries->count)
        ap_rputs("<table class=\"flow\"><tr><th>Expiry</th><th>Name</th><th>Key</th><th>Directory</th></tr>\n",
                 view->r);
    for (int i = 0; i < entries->count; i++)
        send_entry(view, &entries->soonest[i]);
    if (entries->count)
        ap_rputs("</table>", view->r);
    if (entries->matching > entries->count)
        ap_rprintf(view->r, "<p class=\"none\">and %d more that end later</p>", entries->matching - entries->count);
    ap_rputs("</section>\n", view->r);
}

static void send_refusal(const view_t *view, const sl_directory_refusal_t *refusal)
{
    ap_rprintf(
        view->r,
        "<tr><td class=\"file\">%s</td><td data-is=\"Directory\">%s</td><td>%s <small>%s: %s</small></td></tr>\n",
        *refusal->entry ? escape(view, refusal->entry) : "all of the directory",
        escape(view, sl_directories_path(refusal->directory)), badge(view, BAD, "refused"),
        moment(view, refusal->since, ago(view, refusal->since)), escape(view, refusal->reason));
}

static void send_refusals(const view_t *view)
{
    const sl_directory_refusals_t *refusals = view->refusals;

    if (!refusals->count)
        return;
    ap_rputs("<section class=\"card\"><h2>Refused in certificate directories</h2><table class=\"flow\"><tr>"
             "<th>Name</th><th>Directory</th><th>Reason</th></tr>\n",
             view->r);
    for (int i = 0; i < refusals->count; i++)
        send_refusal(view, &refusals->list[i]);
    ap_rputs("</table>", view->r);
    if (refusals->all > refusals->count)
        ap_rprintf(view->r, "<p class=\"none\">and %d more from before</p>", refusals->all - refusals->count);
    ap_rputs("</section>\n", view->r);
}

/* ---- files ---- */

static void send_files(const view_t *view, const char *title, const apr_array_header_t *files, int all)
{
    if (!all)
        return;
    ap_rprintf(view->r,
               "<section class=\"card\"><h2>%s</h2><table class=\"flow\"><tr><th>File</th><th>Reload</th></tr>\n",
               title);
    for (int i = 0; i < files->nelts; i++) {
        const sl_survey_file_t *file = &APR_ARRAY_IDX(files, i, const sl_survey_file_t);

        ap_rprintf(view->r, "<tr><td>%s</td><td>", escape(view, file->name));
        send_reload(view, &file->state);
        ap_rputs("</td></tr>\n", view->r);
    }
    ap_rputs("</table>", view->r);
    if (all > files->nelts)
        ap_rprintf(view->r, "<p class=\"none\">and %d more</p>", all - files->nelts);
    ap_rputs("</section>\n", view->r);
}

static void send_refused(const view_t *view)
{
    int all;
    const apr_array_header_t *files = sl_survey_refused(view->r->pool, FILES, &all);

    send_files(view, "Refused changes: what was there before serves on", files, all);
}

static void send_left_out(const view_t *view)
{
    const apr_array_header_t *hosts = sl_broken_hosts_list(view->r->pool, FILES);
    int all = sl_broken_hosts_count();

    if (!hosts->nelts)
        return;
    ap_rprintf(view->r,
               "<section><h2>Hosts that are left out</h2><p class=\"none\">%d, whose names are refused until they are "
               "repaired</p><table><tr><th>Host</th><th>Reason</th><th>Served</th></tr>\n",
               all);
    for (int i = 0; i < hosts->nelts; i++) {
        const sl_broken_host_t *host = &APR_ARRAY_IDX(hosts, i, const sl_broken_host_t);

        ap_rprintf(view->r, "<tr><td>%s</td><td>%s <small>%s</small></td><td>%s</td></tr>\n", escape(view, host->id),
                   badge(view, BAD, "left out"), escape(view, host->reason),
                   host->needs_restart ? "after a restart" : "when its files are in order");
    }
    ap_rputs("</table>", view->r);
    if (all > hosts->nelts)
        ap_rprintf(view->r, "<p class=\"none\">and %d more</p>", all - hosts->nelts);
    ap_rputs("</section>\n", view->r);
}

static void send_others(const view_t *view)
{
    int all;
    const apr_array_header_t *files = sl_survey_others(view->r->pool, FILES, &all);

    send_files(view, "Other files", files, all);
}

/* ---- counters ---- */

static void send_bar(const view_t *view, const char *word, apr_uint64_t value, apr_uint64_t all)
{
    ap_rprintf(view->r,
               "<tr><td>%s</td><td class=\"bar\"><svg viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" "
               "aria-hidden=\"true\"><rect width=\"%.2f\" height=\"1\"/></svg></td><td class=\"num\">%" APR_UINT64_T_FMT
               "</td></tr>\n",
               word, all ? 100.0 * (double)value / (double)all : 0, value);
}

static void send_counter(const view_t *view, sl_counter_t counter)
{
    const sl_counter_row_t *row = &sl_counter_rows[counter];
    apr_uint64_t all = sl_counters_total(counter);

    ap_rprintf(view->r, "<div class=\"card%s\"><h3>%s</h3>", counter == SL_COUNT_SUITE ? " wide" : "", row->title);
    if (!all)
        ap_rputs("<p class=\"none\">none so far</p>", view->r);
    else
        ap_rputs("<table>", view->r);
    for (int value = 0; value < row->values; value++) {
        apr_uint64_t sum = sl_counters_sum(counter, value);

        if (sum)
            send_bar(view, row->word(value), sum, all);
    }
    ap_rprintf(view->r, "%s</div>\n", all ? "</table>" : "");
}

static const char *bound_word(const view_t *view, int bound)
{
    double ms = (double)sl_time_bounds[bound < SL_TIME_BOUNDS ? bound : bound - 1] / 1000;
    const char *sign = bound < SL_TIME_BOUNDS ? "&#x2264;" : "&gt;";

    if (ms < 1000)
        return apr_psprintf(view->r->pool, "%s %g ms", sign, ms);
    return apr_psprintf(view->r->pool, "%s %g s", sign, ms / 1000);
}

static void send_times(const view_t *view)
{
    sl_times_t times;
    apr_uint64_t all, before = 0;

    sl_counters_times(&times);
    all = times.up_to[SL_TIME_BOUNDS];
    ap_rputs("<div class=\"card\"><h3>Time of a handshake</h3>", view->r);
    if (!all) {
        ap_rputs("<p class=\"none\">none so far</p></div>", view->r);
        return;
    }
    ap_rputs("<table>", view->r);
    for (int bound = 0; bound <= SL_TIME_BOUNDS; bound++) {
        if (times.up_to[bound] > before)
            send_bar(view, bound_word(view, bound), times.up_to[bound] - before, all);
        before = times.up_to[bound];
    }
    ap_rprintf(view->r, "</table><p class=\"none\">%.1f ms on average</p></div>\n",
               (double)times.sum / 1000 / (double)all);
}

static void send_ticket_keys(const view_t *view)
{
    apr_int64_t made = 0, next = 0;
    int count = sl_tickets_look(&made, &next);

    if (!count)
        return;
    ap_rprintf(view->r,
               "<div class=\"card\"><h3>Ticket keys</h3><table><tr><td>keys</td><td class=\"num\">%d</td></tr>"
               "<tr><td>age of the one that seals</td><td class=\"num\">%s</td></tr>"
               "<tr><td>next one in</td><td class=\"num\">%s</td></tr></table></div>\n",
               count, moment(view, made, span(view, view->now - made)),
               moment(view, next, span(view, next - view->now)));
}

static void send_directories(const view_t *view)
{
    sl_survey_figure_t figures[SL_DIRECTORY_FIGURES];

    if (!sl_survey_directories(figures))
        return;
    ap_rputs("<div class=\"card\"><h3>Certificate directories</h3><table>", view->r);
    for (int i = 0; i < SL_DIRECTORY_FIGURES; i++)
        ap_rprintf(view->r, "<tr><td>%s</td><td class=\"num\">%s</td></tr>\n", figures[i].words,
                   number(view, figures[i].value));
    ap_rputs("</table></div>\n", view->r);
}

static void send_handshakes(const view_t *view)
{
    static const sl_counter_t counters[] = {SL_COUNT_VERSION, SL_COUNT_KIND, SL_COUNT_FAILURE, SL_COUNT_GROUP,
                                            SL_COUNT_SUITE};
    static const sl_counter_t more[] = {SL_COUNT_TICKET, SL_COUNT_SESSION, SL_COUNT_IDENTITY, SL_COUNT_BACKEND,
                                        SL_COUNT_BACKEND_FAILURE};

    ap_rputs("<h2>Handshakes</h2><div class=\"cards\">\n", view->r);
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
        send_counter(view, counters[i]);
    send_times(view);
    ap_rputs("</div>\n<h2>Resumption, caches and backends</h2><div class=\"cards\">\n", view->r);
    send_ticket_keys(view);
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
        send_counter(view, more[i]);
    send_directories(view);
    ap_rputs("</div>\n", view->r);
}

/* ---- processes ---- */

static void send_child(const view_t *view, const sl_child_t *child)
{
    ap_rprintf(view->r,
               "<tr><td data-is=\"Child\">%" APR_INT64_T_FMT "</td><td data-is=\"Since\">%s</td>"
               "<td class=\"num\" data-is=\"Handshakes\">%" APR_UINT64_T_FMT "</td>"
               "<td class=\"num\" data-is=\"Identities found\">%" APR_UINT64_T_FMT "</td>"
               "<td class=\"num\" data-is=\"Identities made\">%" APR_UINT64_T_FMT "</td>",
               child->pid, moment(view, child->since, ago(view, child->since)), child->handshakes,
               child->identities_found, child->identities_made);
    ap_rprintf(view->r,
               "<td class=\"num\" data-is=\"Parked\">%" APR_INT64_T_FMT " / %" APR_INT64_T_FMT " / %" APR_INT64_T_FMT
               "</td></tr>\n",
               child->parked[SL_WAIT_HELLO], child->parked[SL_WAIT_HANDSHAKE], child->parked[SL_WAIT_REQUEST]);
}

static void send_helper(const view_t *view, sl_helper_t helper)
{
    sl_helper_health_t health;

    sl_helper_health_read(helper, &health);
    ap_rprintf(view->r, "<tr><td>%s</td><td>%s</td>", sl_helper_word(helper),
               badge(view, mood_of(view, &health), sl_helper_state_word(health.state)));
    if (health.state == SL_HELPER_UNUSED) {
        ap_rputs("<td></td><td></td><td></td>", view->r);
    }
    else {
        ap_rprintf(view->r,
                   "<td class=\"num\" data-is=\"Process\">%" APR_INT64_T_FMT "</td><td data-is=\"Since\">%s</td>",
                   health.pid, moment(view, health.since, ago(view, health.since)));
        ap_rprintf(view->r, "<td data-is=\"Last sign of life\">%s</td>",
                   health.silent < 0 ? "none yet"
                                     : apr_pstrcat(view->r->pool, span(view, health.silent), " ago", NULL));
    }
    ap_rprintf(view->r, "<td class=\"num\" data-is=\"Deaths\">%" APR_UINT64_T_FMT "</td></tr>\n", health.deaths);
}

static void send_processes(const view_t *view)
{
    ap_rputs(
        "<section class=\"card\"><h2>Keeper and courier</h2><table class=\"flow\"><tr><th>Helper</th><th>State</th>"
        "<th class=\"num\">Process</th><th>Since</th><th>Last sign of life</th><th class=\"num\">Deaths</th></tr>\n",
        view->r);
    for (int i = 0; i < SL_HELPERS; i++)
        send_helper(view, (sl_helper_t)i);
    ap_rputs("</table></section>\n<section class=\"card\"><h2>Children</h2><table class=\"flow\"><tr><th>Child</th>"
             "<th>Since</th><th class=\"num\">Handshakes</th><th class=\"num\">Identities found</th>"
             "<th class=\"num\">Identities made</th><th class=\"num\">Parked: hello / handshake / request</th></tr>\n",
             view->r);
    for (int i = 0; i < view->children->nelts; i++)
        send_child(view, &APR_ARRAY_IDX(view->children, i, const sl_child_t));
    ap_rputs("</table></section>\n", view->r);
}

/* ---- the document ---- */

static int send_head(view_t *view)
{
    unsigned char bytes[16];
    char nonce[2 * sizeof(bytes) + 1];
    const char *taken =
        view->survey.last_taken
            ? apr_pstrcat(view->r->pool, "newer files taken ",
                          moment(view, view->survey.last_taken, ago(view, view->survey.last_taken)), NULL)
            : "no newer files so far";

    if (apr_generate_random_bytes(bytes, sizeof(bytes)) != APR_SUCCESS)
        return HTTP_INTERNAL_SERVER_ERROR;
    ap_bin2hex(bytes, sizeof(bytes), nonce);
    ap_set_content_type(view->r, "text/html; charset=utf-8");
    apr_table_setn(view->r->headers_out, "Content-Security-Policy",
                   apr_psprintf(view->r->pool,
                                "default-src 'none'; style-src 'nonce-%s'; form-action 'self'; base-uri 'none'; "
                                "frame-ancestors 'none'",
                                nonce));
    ap_rprintf(view->r,
               "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>TLS status</title>"
               "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><style nonce=\"%s\">%s</style>"
               "</head><body>\n",
               nonce, style);
    ap_rprintf(view->r,
               "<header><h1>TLS status</h1><p>%s, %s; %s</p><nav><a href=\"?json\">JSON</a>"
               "<a href=\"?metrics\">Metrics</a></nav></header>\n",
               escape(view, view->r->server->server_hostname), day(view, view->now), taken);
    return OK;
}

int sl_status_html_send(request_rec *r, const char *filter, int page)
{
    view_t view = {.r = r, .now = apr_time_sec(r->request_time), .filter = filter, .page = page - 1};
    int rv;

    sl_survey_make(&view.survey, view.now);
    view.entries = apr_palloc(r->pool, sizeof(*view.entries));
    view.refusals = apr_palloc(r->pool, sizeof(*view.refusals));
    sl_survey_entries(view.entries, filter, view.now);
    sl_survey_refusals(view.refusals);
    view.children = sl_counters_children(r->pool);
    rv = send_head(&view);
    if (rv != OK)
        return rv;
    ap_rputs("<div class=\"tiles\">\n", r);
    send_certificate_tiles(&view);
    send_handshake_tiles(&view);
    send_helper_tiles(&view);
    ap_rputs("</div>\n", r);
    send_left_out(&view);
    send_refused(&view);
    send_refusals(&view);
    send_certificates(&view);
    send_entries(&view);
    send_handshakes(&view);
    send_others(&view);
    send_processes(&view);
    ap_rputs("</body></html>\n", r);
    return OK;
}
