/* The two exported modules and how they bring in the inner one. */
#include "httpd/dropin.h"

#include <apr_hooks.h>
#include <apr_optional.h>
#include <mod_so.h>
#include <string.h>

#include "httpd/module_config.h"

static APR_OPTIONAL_FN_TYPE(ap_find_loaded_module_symbol) *find_before_us;
static int inner_is_active;

static module alias_module = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, NULL, 0};

static module *find_symbol(server_rec *s, const char *name)
{
    if (!strcmp(name, "ssl_module") || !strcmp(name, "securelayer_module"))
        return &sl_module;
    return find_before_us ? find_before_us(s, name) : NULL;
}

/* httpd may unload us only after our inner modules have left its list. */
static apr_status_t leave(void *unused)
{
    (void)unused;
    ap_remove_module(&alias_module);
    ap_remove_loaded_module(&sl_module);
    inner_is_active = 0;
    return APR_SUCCESS;
}

static void join(apr_pool_t *pool)
{
    if (inner_is_active)
        return;
    inner_is_active = 1;
    alias_module.name = "mod_securelayer.c";
    ap_add_module(&alias_module, pool, NULL);
    ap_add_loaded_module(&sl_module, pool, "ssl_module"); /* "loaded": httpd -L lists its directives */
    find_before_us = APR_RETRIEVE_OPTIONAL_FN(ap_find_loaded_module_symbol);
    apr_dynamic_fn_register("ap_find_loaded_module_symbol", (apr_opt_fn_t *)find_symbol);
    apr_pool_cleanup_register(pool, NULL, leave, apr_pool_cleanup_null);
}

/* httpd configures the shell it has just loaded for the main server: the inner module's turn comes with it. */
static void *configure_inner(apr_pool_t *pool, server_rec *s)
{
    if (!s->is_virtual && !ap_get_module_config(s->module_config, &sl_module))
        ap_single_module_configure(pool, s, &sl_module);
    return NULL;
}

const char *sl_dropin_conflict(void)
{
    for (module *m = ap_top_module; m; m = m->next) {
        if (m != &sl_module && !strcmp(m->name, "mod_ssl.c"))
            return "mod_ssl is loaded too. Both answer the same directives: remove the LoadModule line of mod_ssl.so "
                   "(Debian: a2dismod ssl) or that of mod_securelayer.so";
    }
    return NULL;
}

#define SHELL(symbol, file)                                                                                            \
    module AP_MODULE_DECLARE_DATA symbol = {                                                                           \
        MODULE_MAGIC_NUMBER_MAJOR, MODULE_MAGIC_NUMBER_MINOR, -1,   file, NULL, NULL, MODULE_MAGIC_COOKIE, NULL, NULL, \
        NULL,                      configure_inner,           NULL, NULL, join, 0}

extern module AP_MODULE_DECLARE_DATA securelayer_module __attribute__((visibility("default")));
extern module AP_MODULE_DECLARE_DATA ssl_module __attribute__((visibility("default")));
SHELL(securelayer_module, "mod_securelayer_shell.c");
SHELL(ssl_module, "mod_securelayer_ssl.c");

static const char *shared_name;

void sl_dropin_own_begin(void)
{
    shared_name = apr_hook_debug_current;
    apr_hook_debug_current = "mod_securelayer.c";
}

void sl_dropin_own_end(void)
{
    apr_hook_debug_current = shared_name;
}
