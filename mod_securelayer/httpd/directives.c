/* Every row becomes a command whose arguments go to sl_settings_parse().  Which record they land in depends on the
 * row and the place: what may stand in sections lives in the section's record, the rest in the server's; so does what
 * handshakes need and stands in no section. */
#include "httpd/directives.h"

#include <ap_expr.h>
#include <http_core.h>
#include <http_log.h>
#include <http_main.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <string.h>

#include "base/bytes.h"
#include "httpd/module_config.h"
#include "httpd/sections.h"

#ifdef AP_EXPR_FLAG_RESTRICTED_FILE_FUNC
#define HTACCESS_LIMITS AP_EXPR_FLAG_RESTRICTED_FILE_FUNC
#else
#define HTACCESS_LIMITS AP_EXPR_FLAG_RESTRICTED
#endif

APLOG_USE_MODULE(sl);

static apr_array_header_t *refused; /* of sl_refused_t */
static apr_hash_t *places;          /* digest of file and line -> place_t */
static apr_pool_t *words_pool;
static sl_problem_t *unused; /* nothing is set in it; NULL: there is none */

typedef struct place_t {
    apr_uint64_t digest;
    int first, last; /* indexes of refused ones */
} place_t;

void sl_directives_begin(apr_pool_t *pool)
{
    unused = NULL;
    words_pool = pool;
    refused = apr_array_make(pool, 4, sizeof(sl_refused_t));
    places = apr_hash_make(pool);
    sl_sections_begin(pool);
}

apr_array_header_t *sl_directives_refused(void)
{
    return refused;
}

/* There may be very many: a file system that is not mounted. */
static apr_uint64_t digest_of(const sl_origin_t *origin)
{
    apr_uint64_t digest = sl_hash(SL_HASH_START, &origin->line, sizeof(origin->line));

    return origin->file ? sl_hash(digest, origin->file, strlen(origin->file)) : digest;
}

int sl_directives_refused_at(const sl_origin_t *origin)
{
    apr_uint64_t digest = digest_of(origin);
    const place_t *place = apr_hash_get(places, &digest, sizeof(digest));

    return place ? place->first : -1;
}

static void note_refused(const sl_refused_t *line)
{
    apr_uint64_t digest = digest_of(&line->why->origin);
    place_t *place = apr_hash_get(places, &digest, sizeof(digest));
    int index = refused->nelts;

    APR_ARRAY_PUSH(refused, sl_refused_t) = *line;
    if (place) {
        APR_ARRAY_IDX(refused, place->last, sl_refused_t).next = index;
        place->last = index;
        return;
    }
    place = apr_palloc(refused->pool, sizeof(*place));
    *place = (place_t){digest, index, index};
    apr_hash_set(places, &place->digest, sizeof(place->digest), place);
}

/* httpd -S, -L, -M and their like: they work where certificates are missing. */
static int is_dump(void)
{
    return ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_DUMP;
}

static int is_htaccess(cmd_parms *cmd)
{
    return ap_check_cmd_context(cmd, NOT_IN_HTACCESS) != NULL;
}

/* Files for handshakes with clients: what stands in sections, and what backends are for, is no host's own. */
static int is_path_of_host(const cmd_parms *cmd, const sl_row_t *row, const sl_problem_t *why)
{
    switch (row->kind) {
    case SL_KIND_FILE:
    case SL_KIND_FILES:
    case SL_KIND_FILE_OR_URI:
    case SL_KIND_DIR:
    case SL_KIND_CONF_CMD:
        return why->object && !cmd->path && row->where & SL_SERVER && !(row->weight & SL_IN_CLIENT_PROFILE);
    default:
        return 0;
    }
}

/* NULL: gathered for later. Else as httpd wants it, which says file and line itself. */
static const char *tell(cmd_parms *cmd, const sl_row_t *row, sl_problem_t *why)
{
    if (refused && !is_dump() && !is_htaccess(cmd)) {
        sl_refused_t line = {why, cmd->server, row->id, is_path_of_host(cmd, row, why), 0, -1};

        note_refused(&line);
        return NULL;
    }
    why->origin.file = NULL;
    return sl_problem_text(why, cmd->pool);
}

/* What handshakes need lives with the server unless a section says it. */
static sl_settings_t *settings_for(cmd_parms *cmd, void *dir, const sl_row_t *row)
{
    if (!(row->where & (SL_DIR | SL_PROXY)) || (row->weight & SL_IN_PROFILE && !cmd->path))
        return sl_config_of_server(cmd->server)->settings;
    return ((sl_dir_config_t *)dir)->settings;
}

/* Who may write .htaccess files may not look at other files through them. */
static apr_status_t make_expression(cmd_parms *cmd, const char *text, const void **made, sl_problem_t *why)
{
    const char *error = NULL;
    unsigned flags = AP_EXPR_FLAG_SSL_EXPR_COMPAT | (is_htaccess(cmd) ? HTACCESS_LIMITS : 0);

    *made = ap_expr_parse_cmd(cmd, text, flags, &error, NULL);
    return error ? sl_problem_set(why, APR_EINVAL, NULL, "can't be understood: %s", error) : APR_SUCCESS;
}

static apr_status_t set_expression(cmd_parms *cmd, sl_settings_t *settings, const sl_row_t *row, const char *text,
                                   const sl_origin_t *origin, sl_problem_t *why)
{
    const void *made = NULL;
    const sl_setting_t *setting;
    apr_status_t rv = sl_settings_parse(settings, row->id, &text, 1, NULL, origin, why);

    if (rv != APR_SUCCESS)
        return rv;
    rv = make_expression(cmd, text, &made, why);
    if (rv != APR_SUCCESS)
        why->origin = *origin;
    setting = sl_settings_get(settings, row->id);
    setting->values[setting->count - 1].made = made;
    return rv;
}

static apr_status_t set_words(cmd_parms *cmd, sl_settings_t *settings, const sl_row_t *row, const char *arguments,
                              const sl_origin_t *origin, sl_problem_t *why)
{
    apr_pool_t *scratch;
    apr_array_header_t *words;
    apr_status_t rv;

    /* What a hundred thousand directives leave in temp_pool would stay with httpd. */
    apr_pool_create(&scratch, is_htaccess(cmd) ? cmd->temp_pool : words_pool);
    words = apr_array_make(scratch, 4, sizeof(const char *));
    while (*arguments)
        APR_ARRAY_PUSH(words, const char *) = ap_getword_conf(scratch, &arguments);
    rv = sl_settings_parse(settings, row->id, (const char *const *)words->elts, words->nelts,
                           is_dump() ? NULL : ap_server_root, origin, why);
    apr_pool_destroy(scratch);
    return rv;
}

/* Most directives are in order: they share one record for what might be wrong. Threads that read .htaccess files do
 * not. */
static sl_problem_t *take_unused(cmd_parms *cmd)
{
    sl_problem_t *why = is_htaccess(cmd) ? NULL : unused;

    if (!why)
        return sl_problem_make(cmd->pool);
    unused = NULL;
    return why;
}

static void give_back(cmd_parms *cmd, sl_problem_t *why)
{
    if (why->status == APR_SUCCESS && !is_htaccess(cmd))
        unused = why;
}

static const char *set(cmd_parms *cmd, void *dir, const char *arguments)
{
    const sl_row_t *row = sl_row((sl_row_id_t)(apr_uintptr_t)cmd->info);
    sl_settings_t *settings = settings_for(cmd, dir, row);
    sl_problem_t *why;
    apr_status_t rv;
    sl_origin_t origin = {NULL, 0, row->name};
    const char *error = row->where == SL_MAIN ? ap_check_cmd_context(cmd, GLOBAL_ONLY) : NULL;

    if (error)
        return error;
    why = take_unused(cmd);
    if (cmd->directive) {
        origin.file = cmd->directive->filename;
        origin.line = cmd->directive->line_num;
    }
    if (row->kind == SL_KIND_EXPRESSION)
        rv = set_expression(cmd, settings, row, arguments, &origin, why);
    else
        rv = set_words(cmd, settings, row, arguments, &origin, why);
    if (cmd->path && row->where & SL_PROXY)
        sl_sections_note(cmd, dir, SL_SECTIONS_OF_BACKENDS);
    if (rv != APR_SUCCESS)
        return tell(cmd, row, why);
    give_back(cmd, why);
    if (cmd->path && !(row->where & SL_PROXY) && row->weight & SL_IN_PROFILE && !is_htaccess(cmd))
        sl_sections_note(cmd, dir, SL_SECTIONS_OF_CLIENTS);
    return NULL;
}

#define IN(where, context, override) ((where) & (context) ? (override) : 0)
#define CONTEXTS(where)                                                                                                \
    (IN(where, SL_MAIN | SL_SERVER, RSRC_CONF) | IN(where, SL_DIR, ACCESS_CONF) |                                      \
     IN(where, SL_PROXY, PROXY_CONF) | IN(where, SL_HTACCESS_OPTIONS, OR_OPTIONS) |                                    \
     IN(where, SL_HTACCESS_AUTH, OR_AUTHCFG))

const command_rec sl_directives[] = {
#define SL_ROW(id, name, kind, where, merge, minimum, maximum, initial, words, weight, help)                           \
    AP_INIT_RAW_ARGS(name, set, (void *)(apr_uintptr_t)(id), CONTEXTS(where), help),
#define SL_SLOT(...)
#include "profile/settings_rows.h"
#undef SL_ROW
#undef SL_SLOT
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL},
};
