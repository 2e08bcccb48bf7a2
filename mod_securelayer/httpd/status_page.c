/* The handler: what was asked for, and who writes it.  httpd calls handle() for the sections where the administrator
 * has set it. */
#include "httpd/status_page.h"

#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "httpd/counters.h"
#include "httpd/dropin.h"
#include "httpd/metrics.h"
#include "httpd/status_html.h"
#include "httpd/status_json.h"

#define HANDLER "securelayer-status"

/* NULL if it is not there; "" if it has no value, or one that is none. */
static const char *argument(request_rec *r, const char *name)
{
    char *rest = apr_pstrdup(r->pool, r->args ? r->args : ""), *last, *part;
    apr_size_t length = strlen(name);

    while ((part = apr_strtok(rest, "&", &last))) {
        rest = NULL;
        if (!strcmp(part, name))
            return "";
        if (!strncmp(part, name, length) && part[length] == '=')
            return ap_unescape_urlencoded(part + length + 1) == OK ? part + length + 1 : "";
    }
    return NULL;
}

static int number(request_rec *r, const char *name, int otherwise, int most)
{
    const char *value = argument(r, name);
    long given = value ? strtol(value, NULL, 10) : 0;

    if (given < 1)
        return otherwise;
    return given < most ? (int)given : most;
}

static int send_answer(request_rec *r)
{
    const char *filter = argument(r, "filter");
    int page = number(r, "page", 1, 1 << 24);

    if (argument(r, "metrics")) {
        sl_metrics_send(r);
        return OK;
    }
    if (!filter)
        filter = "";
    if (argument(r, "json"))
        return sl_status_json_send(r, filter, page, number(r, "rows", SL_JSON_ROWS, SL_JSON_MOST_ROWS));
    return sl_status_html_send(r, filter, page);
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
    return send_answer(r);
}

static void child_init(apr_pool_t *pool, server_rec *s)
{
    (void)s;
    sl_counters_join(pool);
}

void sl_status_page_register(apr_pool_t *pool)
{
    (void)pool;
    sl_dropin_own_begin();
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_FIRST); /* before those who count */
    sl_dropin_own_end();
    ap_hook_handler(handle, NULL, NULL, APR_HOOK_MIDDLE);
}
