/* The page.  httpd calls handle() for the sections where the administrator has set the handler.
 *
 * However many certificates there are, only those that are shown are decoded. Names come from files that others may
 * have written: everything is escaped, no script may run. */
#include "httpd/status_page.h"

#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/cert_text.h"
#include "httpd/counters.h"
#include "httpd/identities.h"
#include "httpd/metrics.h"

#define HANDLER "securelayer-status"
#define ROWS 50
#define NAMES 10

typedef struct place_t {
    apr_int64_t not_after;
    int id;
} place_t;

typedef struct view_t {
    request_rec *r;
    const char *filter; /* "": none */
    int page;           /* from 0 */
    place_t *places;    /* those that match, the soonest first */
    int count;
} view_t;

static const char style[] =
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:1rem auto;max-width:70rem;"
    "padding:0 1rem}table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;"
    "padding:.3rem .6rem .3rem 0;border-bottom:1px solid "
    "#8888;overflow-wrap:anywhere}.soon{font-weight:bold;color:#c30}"
    "@media(prefers-color-scheme:dark){.soon{color:#f96}}"
    "@media(max-width:40rem){.certs tr,.certs td{display:block;border:0;padding:0}.certs th{display:none}"
    ".certs tr{border-bottom:1px solid #8888;padding:.5rem 0}}";

static const char *argument(request_rec *r, const char *name)
{
    char *rest = apr_pstrdup(r->pool, r->args ? r->args : ""), *last, *part;
    apr_size_t length = strlen(name);

    while ((part = apr_strtok(rest, "&", &last))) {
        rest = NULL;
        if (!strncmp(part, name, length) && part[length] == '=')
            return ap_unescape_urlencoded(part + length + 1) == OK ? part + length + 1 : "";
    }
    return "";
}

static int matches(const view_t *view, const sl_identity_record_t *record)
{
    if (!*view->filter || (record->source.certificate && ap_strcasestr(record->source.certificate, view->filter)))
        return 1;
    for (int i = 0; i < record->names->nelts; i++) {
        if (ap_strcasestr(APR_ARRAY_IDX(record->names, i, const char *), view->filter))
            return 1;
    }
    return 0;
}

static int by_expiry(const void *left, const void *right)
{
    const place_t *a = left, *b = right;

    if (a->not_after != b->not_after)
        return a->not_after < b->not_after ? -1 : 1;
    return a->id - b->id;
}

static void look_up(view_t *view)
{
    int all = sl_identities_supply() ? sl_supply_count(sl_identities_supply()) : 0;

    view->places = apr_palloc(view->r->pool, ((apr_size_t)all + 1) * sizeof(*view->places));
    for (int id = 0; id < all; id++) {
        const sl_identity_record_t *record = sl_identities_record(id);
        sl_reload_state_t state;

        if (!record || !matches(view, record))
            continue;
        sl_identities_state(id, &state);
        view->places[view->count].not_after = state.not_after;
        view->places[view->count++].id = id;
    }
    qsort(view->places, (size_t)view->count, sizeof(*view->places), by_expiry);
}

static const char *escape(const view_t *view, const char *text)
{
    return ap_escape_html(view->r->pool, text ? text : "");
}

static void send_names(const view_t *view, const apr_array_header_t *names)
{
    for (int i = 0; i < names->nelts && i < NAMES; i++)
        ap_rprintf(view->r, "%s%s", i ? ", " : "", escape(view, APR_ARRAY_IDX(names, i, const char *)));
    if (names->nelts > NAMES)
        ap_rprintf(view->r, " and %d more", names->nelts - NAMES);
}

static void send_reload(const view_t *view, const sl_reload_state_t *state)
{
    char when[APR_RFC822_DATE_LEN];

    if (state->refused) {
        apr_rfc822_date(when, apr_time_from_sec(state->refused));
        ap_rprintf(view->r, "<span class=\"soon\">refused</span> %s: %s", when, escape(view, state->reason));
    }
    else if (state->changed) {
        apr_rfc822_date(when, apr_time_from_sec(state->changed));
        ap_rprintf(view->r, "taken %s", when);
    }
}

static void send_row(const view_t *view, int id)
{
    const sl_identity_record_t *record = sl_identities_record(id);
    sl_identity_t *identity = sl_supply_get(sl_identities_supply(), id);
    apr_int64_t days;
    sl_reload_state_t state;

    if (!identity)
        return;
    sl_identities_state(id, &state);
    days = (state.not_after - apr_time_sec(view->r->request_time)) / 86400;
    ap_rprintf(view->r, "<tr><td%s>%" APR_INT64_T_FMT " days</td><td>", days < 14 ? " class=\"soon\"" : "", days);
    send_names(view, record->names);
    ap_rprintf(view->r, "</td><td>%s</td><td>%s</td><td>%s</td><td>",
               escape(view, sl_cert_text_dn_for_log(view->r->pool, identity->leaf, SL_DN_ISSUER)),
               escape(view, sl_identity_key_type(identity)), escape(view, record->source.certificate));
    send_reload(view, &state);
    ap_rputs("</td></tr>\n", view->r);
    sl_identity_release(identity);
}

static void send_link(const view_t *view, int page, const char *words)
{
    ap_rprintf(view->r, "<a href=\"?filter=%s&amp;page=%d\">%s</a> ",
               escape(view, ap_escape_urlencoded(view->r->pool, view->filter)), page + 1, words);
}

static void send_certificates(const view_t *view)
{
    int first = view->page * ROWS, end = first + ROWS < view->count ? first + ROWS : view->count;

    ap_rprintf(view->r,
               "<h2>Certificates</h2><form><label>Name or file <input type=\"search\" name=\"filter\" value=\"%s\">"
               "</label> <button>Filter</button></form><p>%d found, the first to expire first.</p>"
               "<table class=\"certs\"><tr><th>Left</th><th>Names</th><th>Issuer</th><th>Key</th><th>File</th>"
               "<th>Reload</th></tr>\n",
               escape(view, view->filter), view->count);
    for (int i = first; i < end; i++)
        send_row(view, view->places[i].id);
    ap_rputs("</table><p>", view->r);
    if (view->page)
        send_link(view, view->page - 1, "earlier");
    if (end < view->count)
        send_link(view, view->page + 1, "later");
    ap_rputs("</p>", view->r);
}

static void send_counters(request_rec *r)
{
    for (int counter = 0; counter < SL_COUNTERS; counter++) {
        const sl_counter_row_t *row = &sl_counter_rows[counter];

        ap_rprintf(r, "<h2>%s</h2><table>", row->title);
        for (int value = 0; value < row->values; value++) {
            apr_uint64_t sum = sl_counters_sum((sl_counter_t)counter, value);

            if (sum)
                ap_rprintf(r, "<tr><td>%s</td><td>%" APR_UINT64_T_FMT "</td></tr>", row->word(value), sum);
        }
        ap_rputs("</table>\n", r);
    }
}

static int send_page(request_rec *r)
{
    view_t view = {.r = r, .filter = argument(r, "filter")};
    unsigned char bytes[16];
    char nonce[2 * sizeof(bytes) + 1];
    int page = atoi(argument(r, "page"));

    if (apr_generate_random_bytes(bytes, sizeof(bytes)) != APR_SUCCESS)
        return HTTP_INTERNAL_SERVER_ERROR;
    ap_bin2hex(bytes, sizeof(bytes), nonce);
    look_up(&view);
    view.page = page < 1 || page - 1 > view.count / ROWS ? 0 : page - 1;
    ap_set_content_type(r, "text/html; charset=utf-8");
    apr_table_setn(r->headers_out, "Content-Security-Policy",
                   apr_psprintf(r->pool,
                                "default-src 'none'; style-src 'nonce-%s'; form-action 'self'; base-uri 'none'; "
                                "frame-ancestors 'none'",
                                nonce));
    ap_rprintf(r,
               "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>TLS status</title>"
               "<meta name=\"viewport\" content=\"width=device-width\"><style nonce=\"%s\">%s</style></head><body>"
               "<h1>TLS status</h1>\n",
               nonce, style);
    send_certificates(&view);
    send_counters(r);
    ap_rputs("</body></html>\n", r);
    return OK;
}

static int handle(request_rec *r)
{
    if (!r->handler || strcmp(r->handler, HANDLER))
        return DECLINED;
    r->allowed = AP_METHOD_BIT << M_GET;
    if (r->method_number != M_GET)
        return HTTP_METHOD_NOT_ALLOWED;
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    if (!r->args || strcmp(r->args, "metrics"))
        return send_page(r);
    sl_metrics_send(r);
    return OK;
}

static void child_init(apr_pool_t *pool, server_rec *s)
{
    (void)s;
    sl_counters_join(pool);
}

void sl_status_page_register(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_handler(handle, NULL, NULL, APR_HOOK_MIDDLE);
}
