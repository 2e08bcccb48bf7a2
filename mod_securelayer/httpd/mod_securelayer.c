/* The inner module: its record and the list of what it registers.  dropin.c loads it under its two names. */
#include <httpd.h>
#include <http_config.h>

#include "httpd/access.h"
#include "httpd/client_ocsp.h"
#include "httpd/body_buffer.h"
#include "httpd/client_cert_header.h"
#include "httpd/conn_hooks.h"
#include "httpd/directives.h"
#include "httpd/directories.h"
#include "httpd/dumps.h"
#include "httpd/env_export.h"
#include "httpd/filter_in.h"
#include "httpd/filter_out.h"
#include "httpd/host_shortcut.h"
#include "httpd/identities.h"
#include "httpd/keeper_hooks.h"
#include "httpd/module_config.h"
#include "httpd/phrases.h"
#include "httpd/proxy.h"
#include "httpd/proxy_hooks.h"
#include "httpd/request_check.h"
#include "httpd/sessions.h"
#include "httpd/ssl_api.h"
#include "httpd/startup.h"
#include "httpd/status.h"
#include "httpd/status_page.h"
#include "httpd/trusts.h"
#include "httpd/variables.h"

static void register_hooks(apr_pool_t *pool)
{
    sl_startup_register(pool);
    sl_keeper_hooks_register(pool);
    sl_identities_register(pool);
    sl_directories_register(pool);
    sl_phrases_register(pool);
    sl_trusts_register(pool);
    sl_dumps_register(pool);
    sl_conn_hooks_register(pool);
    sl_proxy_register(pool);
    sl_proxy_hooks_register(pool);
    sl_client_ocsp_register(pool);
    sl_filter_in_register();
    sl_filter_out_register();
    sl_host_shortcut_register(pool);
    sl_request_check_register(pool);
    sl_access_register(pool);
    sl_body_buffer_register();
    sl_client_cert_header_register();
    sl_env_export_register(pool);
    sl_variables_register(pool);
    sl_ssl_api_register(pool);
    sl_sessions_register(pool);
    sl_status_register(pool);
    sl_status_page_register(pool);
}

/* Named mod_ssl.c: other modules order their hooks relative to that name. */
module sl_module = {
    MODULE_MAGIC_NUMBER_MAJOR,
    MODULE_MAGIC_NUMBER_MINOR,
    -1,
    "mod_ssl.c",
    NULL,
    NULL,
    MODULE_MAGIC_COOKIE,
    NULL,
    sl_config_make_dir,
    sl_config_merge_dir,
    sl_config_make_server,
    sl_config_merge_server,
    sl_directives,
    register_hooks,
    0,
};
