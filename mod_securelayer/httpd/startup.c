/* Start and restart in the parent.  Every problem of every virtual host is told before the start is given up. */
#include "httpd/startup.h"

#include <http_config.h>
#include <http_core.h>
#include <http_log.h>

#include <apr_strings.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include "crypto/cert_text.h"
#include "httpd/collect_vhosts.h"
#include "httpd/dropin.h"
#include "httpd/listeners.h"
#include "httpd/log.h"
#include "httpd/module_config.h"
#include "httpd/vhost_choice.h"

APLOG_USE_MODULE(sl);

/* Scripts look for the version of OpenSSL in the module's file. */
static const char built_with[] __attribute__((used)) = OPENSSL_VERSION_TEXT;

static int pre_config(apr_pool_t *pool, apr_pool_t *log_pool, apr_pool_t *scratch)
{
    const char *conflict = sl_dropin_conflict();

    (void)pool;
    (void)log_pool;
    (void)scratch;
    if (conflict) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, NULL, "SL0001: mod_securelayer: %s", conflict);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    OPENSSL_init_ssl(OPENSSL_INIT_ENGINE_ALL_BUILTIN | OPENSSL_INIT_LOAD_CONFIG, NULL);
    sl_cert_text_init();
    return OK;
}

static int collect(apr_pool_t *pool, apr_pool_t *scratch, server_rec *s)
{
    sl_problems_t *problems = sl_problems_make(pool);

    sl_collect_vhosts(pool, scratch, s, problems);
    sl_log_problems(problems, s);
    return problems->errors ? HTTP_INTERNAL_SERVER_ERROR : OK;
}

/* `httpd -t` ends before post_config, and is to find what a start finds. */
static int check_config(apr_pool_t *pool, apr_pool_t *log_pool, apr_pool_t *scratch, server_rec *s)
{
    (void)log_pool;
    return ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST ? collect(pool, scratch, s) : OK;
}

static const char *version_component(apr_pool_t *pool)
{
    const char *version = OpenSSL_version(OPENSSL_VERSION); /* "OpenSSL 3.0.22 29 Sep 2026" */
    const char *number = ap_strchr_c(version, ' ');
    apr_size_t length = number ? strcspn(number + 1, " ") : 0;

    return number ? apr_pstrcat(pool, apr_pstrmemdup(pool, version, (apr_size_t)(number - version)), "/",
                                apr_pstrmemdup(pool, number + 1, length), NULL)
                  : version;
}

static int post_config(apr_pool_t *pool, apr_pool_t *log_pool, apr_pool_t *scratch, server_rec *s)
{
    int rv = collect(pool, scratch, s);

    (void)log_pool;
    if (rv != OK)
        return rv;
    sl_vhost_choice_build(pool, s);
    sl_listeners_prepare(s);
    ap_add_version_component(pool, version_component(scratch));
    return OK;
}

void sl_startup_register(apr_pool_t *pool)
{
    static const char *const proxy[] = {"mod_proxy.c", NULL};

    (void)pool;
    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_LAST);
    ap_hook_post_config(post_config, NULL, proxy, APR_HOOK_MIDDLE);
}
