/* Every row becomes a command whose arguments go to sl_settings_parse().  Which record they land in depends on the
 * row: what may stand in sections lives in the section's record, the rest in the server's. */
#include "httpd/directives.h"

#include <http_core.h>
#include <http_main.h>

#include "base/problem.h"
#include "httpd/module_config.h"

static int is_dump(void)
{
    return ap_exists_config_define("DUMP_CONFIG") && ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_DUMP;
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
    if (sl_settings_parse(settings_for(cmd, dir, row), row->id, (const char *const *)words->elts, words->nelts,
                          is_dump() ? NULL : ap_server_root, &origin, why) != APR_SUCCESS)
        return sl_problem_text(why, cmd->pool);
    return NULL;
}

#define CONTEXTS(where)                                                                                                \
    (((where) & (SL_MAIN | SL_SERVER) ? RSRC_CONF : 0) | ((where) & SL_DIR ? ACCESS_CONF : 0)                           \
     | ((where) & SL_HTACCESS_OPTIONS ? OR_OPTIONS : 0) | ((where) & SL_HTACCESS_AUTH ? OR_AUTHCFG : 0))

const command_rec sl_directives[] = {
#define SL_ROW(id, name, kind, where, merge, minimum, maximum, initial, words, weight, help)                           \
    AP_INIT_RAW_ARGS(name, set, (void *)(apr_uintptr_t)(id), CONTEXTS(where), help),
#define SL_SLOT(...)
#include "profile/settings_rows.h"
#undef SL_ROW
#undef SL_SLOT
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL},
};
