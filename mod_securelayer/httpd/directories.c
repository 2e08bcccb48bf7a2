/* Numbers for directories, the board, the keeper's job, and the child's side of it.  Called by startup and
 * conn_hooks. */
#include "httpd/directories.h"

#include <http_config.h>
#include <http_main.h>
#include <http_log.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "httpd/keeper_hooks.h"
#include "httpd/lasting.h"
#include "httpd/module_config.h"
#include "keeper/directory.h"
#include "keeper/directory_job.h"
#include "keeper/directory_refusals.h"

APLOG_USE_MODULE(sl);

/* Identities on the board for each one that a child may keep ready, and how many at most. */
#define SLOTS_FOR_READY 4
#define MOST_SLOTS 262144

static apr_array_header_t *paths; /* of const char *, by number */
static sl_directory_board_t *board; /* NULL: there is no directory */
static sl_directory_t *directory;
static int ready_most;

static apr_status_t forget(void *unused)
{
    (void)unused;
    paths = NULL;
    board = NULL;
    directory = NULL;
    return APR_SUCCESS;
}

/* ---- in the parent ---- */

const sl_setting_t *sl_directories_setting(const sl_settings_t *settings)
{
    const sl_setting_t *setting = sl_settings_get(settings, SL_CERTIFICATE_DIRECTORY);

    return setting && *setting->values[0].text == '/' ? setting : NULL;
}

/* What is on the board, over restarts. Others of it would be made of the same files again, while all clients wait. */
typedef struct kept_t {
    apr_pool_t *pool;
    sl_directory_board_t *board;
    int slots;
    const char *paths; /* one in a line, by number */
} kept_t;

static kept_t *find_kept(void)
{
    return sl_lasting("securelayer directory board 2", sizeof(kept_t));
}

static apr_size_t length_without_slashes(const char *path)
{
    apr_size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/')
        length--;
    return length;
}

/* Without slashes at its end: it is one directory, and looks better in messages. */
static const char *path_of(apr_pool_t *pool, const sl_setting_t *setting)
{
    const char *path = setting->values[0].text;

    return apr_pstrmemdup(pool, path, length_without_slashes(path));
}

int sl_directories_was_served(const char *path)
{
    apr_size_t length = length_without_slashes(path);

    for (const char *at = find_kept()->paths; at && *at; at += *at == '\n') {
        apr_size_t line = strcspn(at, "\n");

        if (line == length && !memcmp(at, path, length))
            return 1;
        at += line;
    }
    return 0;
}

void sl_directories_check(const sl_settings_t *settings, sl_problems_t *problems)
{
    const sl_setting_t *setting = sl_directories_setting(settings);
    const char *path = setting ? setting->values[0].text : NULL;

    /* Who starts httpd has the rights of the keeper. */
    if (path && access(path, R_OK | X_OK) < 0 && !sl_directories_was_served(path))
        sl_problems_add(problems, SL_PROBLEM_ERROR, NULL, &setting->values[0].origin, path,
                        "Give whoever starts httpd the right to read it, or start httpd as root",
                        "the directory can't be read: %s", strerror(errno));
}

static void tell_of_absence(const char *path, const sl_setting_t *setting, sl_problems_t *problems)
{
    if (access(path, R_OK | X_OK) < 0)
        sl_problems_add(problems, SL_PROBLEM_WARNING, "SL0196", &setting->values[0].origin, path,
                        "Make it available again: nothing has to be restarted",
                        "the directory can't be read: %s; names that were asked for before are served on",
                        strerror(errno));
}

void sl_directories_collect(apr_pool_t *pool, server_rec *main_server, sl_problems_t *problems)
{
    apr_hash_t *numbers = apr_hash_make(pool); /* path -> number + 1, an int */

    paths = apr_array_make(pool, 1, sizeof(const char *));
    for (server_rec *s = main_server; s; s = s->next) {
        sl_server_config_t *config = sl_config_of_server(s);
        const sl_setting_t *setting = sl_directories_setting(config->settings);

        const char *path = setting ? path_of(pool, setting) : NULL;

        if (!config->vhost || !path)
            continue;
        if (!apr_hash_get(numbers, path, APR_HASH_KEY_STRING)) {
            tell_of_absence(path, setting, problems);
            APR_ARRAY_PUSH(paths, const char *) = path;
            apr_hash_set(numbers, path, APR_HASH_KEY_STRING, apr_pmemdup(pool, &paths->nelts, sizeof(int)));
        }
        config->vhost->directory = *(const int *)apr_hash_get(numbers, path, APR_HASH_KEY_STRING) - 1;
    }
}

const sl_directory_board_t *sl_directories_board(void)
{
    return board;
}

const char *sl_directories_path(int number)
{
    return paths && number >= 0 && number < paths->nelts ? APR_ARRAY_IDX(paths, number, const char *) : "";
}

/* By number: what the hosts want that have it. */
static const sl_directory_staple_t *staples_wanted(apr_pool_t *pool, server_rec *main_server)
{
    sl_directory_staple_t *wanted = apr_pcalloc(pool, sizeof(*wanted) * (apr_size_t)paths->nelts);

    for (server_rec *s = main_server; s; s = s->next) {
        const sl_vhost_t *vhost = sl_config_vhost(s);

        if (vhost && vhost->directory >= 0 && sl_settings_number(vhost->settings, SL_USE_STAPLING) &&
            !wanted[vhost->directory])
            wanted[vhost->directory] =
                sl_settings_text(vhost->settings, SL_STAPLING_URL) ? SL_DIRECTORY_STAPLED_BY_ONE : SL_DIRECTORY_STAPLED;
    }
    return wanted;
}

static void give_up(kept_t *kept)
{
    if (!kept->board)
        return;
    sl_directory_board_free(kept->board);
    apr_pool_destroy(kept->pool);
    memset(kept, 0, sizeof(*kept));
}

static apr_status_t make_kept(kept_t *kept, int slots, const char *lines, sl_problem_t *why)
{
    apr_status_t rv;

    give_up(kept);
    apr_pool_create(&kept->pool, ap_pglobal);
    rv = sl_directory_board_make(&kept->board, kept->pool, slots, why);
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(kept->pool);
        return rv;
    }
    sl_directory_board_stay(kept->board, kept->pool);
    kept->slots = slots;
    kept->paths = apr_pstrdup(kept->pool, lines);
    return APR_SUCCESS;
}

/* That of the configuration before, if it had the same directories and as many places. Where nothing is followed a
 * restart begins anew. */
static apr_status_t find_board(apr_pool_t *pool, int slots, int is_followed, sl_problem_t *why)
{
    const char *lines = apr_array_pstrcat(pool, paths, '\n');
    kept_t *kept = find_kept();
    apr_status_t rv = APR_SUCCESS;

    if (!kept->board || !is_followed || kept->slots != slots || strcmp(kept->paths, lines))
        rv = make_kept(kept, slots, lines, why);
    board = kept->board;
    return rv;
}

apr_status_t sl_directories_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
{
    const sl_settings_t *settings = sl_config_of_server(main_server)->settings;
    apr_int64_t slots = SLOTS_FOR_READY * (apr_int64_t)sl_settings_number(settings, SL_IDENTITY_CACHE);
    apr_status_t rv;

    if (!paths || !paths->nelts) {
        give_up(find_kept());
        return APR_SUCCESS;
    }
    ready_most = (int)sl_settings_number(settings, SL_IDENTITY_CACHE);
    rv = find_board(pool, (int)(slots < MOST_SLOTS ? slots : MOST_SLOTS), sl_settings_number(settings, SL_RELOAD) != 0,
                    why);
    if (rv != APR_SUCCESS)
        return rv;
    apr_pool_cleanup_register(pool, NULL, forget, apr_pool_cleanup_null);
    sl_keeper_hooks_board()->directories = sl_directory_board_section(board);
    rv = sl_directory_refusals_make(&sl_keeper_hooks_board()->directory_refusals, pool, why);
    if (rv != APR_SUCCESS)
        return rv;
    directory = sl_directory_make(pool, board);
    sl_keeper_hooks_add(pool, SL_KEEPER,
                        sl_directory_job_make(pool, board, paths, staples_wanted(pool, main_server),
                                              (int)sl_settings_number(settings, SL_RELOAD),
                                              sl_keeper_hooks_board()->directory_refusals));
    return APR_SUCCESS;
}

/* ---- in a child ---- */

static void child_init(apr_pool_t *pool, server_rec *s)
{
    (void)s;
    if (directory)
        sl_directory_start(directory, pool, ready_most);
}

/* One line a second; it says how many others there were. */
static void tell_of_doubt(conn_rec *c, const char *name, const char *words)
{
    static atomic_llong second;
    static atomic_uint silent;
    long long now = apr_time_sec(apr_time_now()), then = atomic_load(&second);
    unsigned left_out;

    if (now == then || !atomic_compare_exchange_strong(&second, &then, now)) {
        atomic_fetch_add(&silent, 1);
        return;
    }
    left_out = atomic_exchange(&silent, 0);
    ap_log_cerror(APLOG_MARK, APLOG_WARNING, 0, c,
                  "SL0177: whether there is a certificate for %s in SecureLayerCertificateDirectory is not known: %s%s",
                  name, words,
                  left_out ? apr_psprintf(c->pool, " (%u lines like this one before it were left out)", left_out) : "");
}

sl_identity_t *sl_directories_find(conn_rec *c, const sl_vhost_t *vhost, const char *name, const char **trouble)
{
    sl_directory_doubt_t doubt;
    sl_identity_t *identity = sl_directory_find(directory, vhost->directory, name, &doubt);

    if (doubt.words)
        tell_of_doubt(c, ap_escape_logitem(c->pool, name), doubt.words);
    *trouble = doubt.has_no_answer ? doubt.words : NULL;
    return identity;
}

/* ---- counts ---- */

int sl_directories_counts(sl_directory_counts_t *counts)
{
    memset(counts, 0, sizeof(*counts));
    if (!board)
        return 0;
    counts->directories = paths->nelts;
    counts->slots = sl_directory_board_slots(board);
    counts->identities = sl_directory_board_used(board);
    counts->absent = sl_directory_board_absent(board);
    counts->questions = sl_directory_board_count(board, SL_DIRECTORY_QUESTIONS);
    counts->loaded = sl_directory_board_count(board, SL_DIRECTORY_LOADED);
    counts->not_there = sl_directory_board_count(board, SL_DIRECTORY_ABSENT);
    counts->refused = sl_directory_board_count(board, SL_DIRECTORY_REFUSED);
    counts->put_off = sl_directory_board_count(board, SL_DIRECTORY_PUT_OFF);
    counts->unanswered = sl_directory_board_count(board, SL_DIRECTORY_UNANSWERED);
    return 1;
}

void sl_directories_register(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
}
