/* Every row becomes a command whose arguments go to sl_settings_parse().  Which record they land in depends on the
 * row: what may stand in sections lives in the section's record, the rest in the server's. */
#include "httpd/directives.h"

#include <http_core.h>
#include <http_main.h>

#include <apr_strings.h>

#include "httpd/module_config.h"

static sl_problems_t *refused;

void sl_directives_begin(apr_pool_t *pool)
{
    refused = sl_problems_make(pool);
}

const sl_problems_t *sl_directives_refused(void)
{
    return refused;
}

/* httpd -S, -L, -M and their like: they work where certificates are missing. */
static int is_dump(void)
{
    return ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_DUMP;
}

/* NULL: gathered for later. Else as httpd wants it, which says file and line itself. */
static const char *tell(cmd_parms *cmd, sl_problem_t *why)
{
    if (refused && !is_dump() && !ap_check_cmd_context(cmd, NOT_IN_HTACCESS)) {
        sl_problems_keep(refused, why, SL_PROBLEM_ERROR);
        return NULL;
    }
    why->origin.file = NULL;
    return sl_problem_text(why, cmd->pool);
}

static sl_settings_t *settings_for(cmd_parms *cmd, void *dir, const sl_row_t *row)
{
    if (row->where & SL_DIR)
        return ((sl_dir_config_t *)dir)->settings;
    return sl_config_of_server(cmd->server)->settings;
}

static const char *set(cmd_parms *cmd, void *dir, const char *arguments)
{
    const sl_row_t *row = sl_row((sl_row_id_t)(apr_uintptr_t)cmd->info);
    apr_array_header_t *words = apr_array_make(cmd->temp_pool, 4, sizeof(const char *));
    sl_problem_t *why = sl_problem_make(cmd->pool);
    apr_status_t rv;
    sl_origin_t origin = {NULL, 0, row->name};
    const char *error = row->where == SL_MAIN ? ap_check_cmd_context(cmd, GLOBAL_ONLY) : NULL;

    if (error)
        return error;
    if (cmd->directive) {
        origin.file = cmd->directive->filename;
        origin.line = cmd->directive->line_num;
    }
    while (*arguments)
        APR_ARRAY_PUSH(words, const char *) = ap_getword_conf(cmd->pool, &arguments);
    rv = sl_settings_parse(settings_for(cmd, dir, row), row->id, (const char *const *)words->elts, words->nelts,
                           is_dump() ? NULL : ap_server_root, &origin, why);
    return rv == APR_SUCCESS ? NULL : tell(cmd, why);
}

#define CONTEXTS(where)                                                                                                \
    (((where) & (SL_MAIN | SL_SERVER) ? RSRC_CONF : 0) | ((where) & SL_DIR ? ACCESS_CONF : 0) |                        \
     ((where) & SL_HTACCESS_OPTIONS ? OR_OPTIONS : 0) | ((where) & SL_HTACCESS_AUTH ? OR_AUTHCFG : 0))

const command_rec sl_directives[] = {
#define SL_ROW(id, name, kind, where, merge, minimum, maximum, initial, words, weight, help)                           \
    AP_INIT_RAW_ARGS(name, set, (void *)(apr_uintptr_t)(id), CONTEXTS(where), help),
#define SL_SLOT(...)
#include "profile/settings_rows.h"
#undef SL_ROW
#undef SL_SLOT
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL},
};
