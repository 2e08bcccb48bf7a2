/* Blocks of the page of mod_status, if that is loaded.  Its hook is an optional one: httpd calls status(). */
#include "httpd/status.h"

#include <httpd.h>
#include <http_protocol.h>
#include <mod_status.h>

#include <apr_optional_hooks.h>

#include "httpd/sessions.h"

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
    show_session_cache(r, flags);
    return OK;
}

void sl_status_register(apr_pool_t *pool)
{
    (void)pool;
    APR_OPTIONAL_HOOK(ap, status_hook, status, NULL, NULL, APR_HOOK_MIDDLE);
}
