/* Start and restart in the parent.  Every problem of every virtual host is told before the start is given up. */
#include "httpd/startup.h"

#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <util_mutex.h>

#include <apr_strings.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <string.h>

#include "crypto/cert_quick.h"
#include "crypto/cert_text.h"
#include "httpd/broken_hosts.h"
#include "httpd/collect_vhosts.h"
#include "httpd/counters.h"
#include "httpd/directives.h"
#include "httpd/directories.h"
#include "httpd/dropin.h"
#include "httpd/identities.h"
#include "httpd/key_log.h"
#include "httpd/library.h"
#include "httpd/listeners.h"
#include "httpd/log.h"
#include "httpd/module_config.h"
#include "httpd/module_hooks.h"
#include "httpd/reload.h"
#include "httpd/reqtimeout.h"
#include "httpd/sessions.h"
#include "httpd/sections.h"
#include "httpd/stapling.h"
#include "httpd/stapling_records.h"
#include "httpd/tickets.h"
#include "httpd/trusts.h"
#include "httpd/vhost_choice.h"

APLOG_USE_MODULE(sl);

/* Scripts look for the version of OpenSSL in the module's file. */
static const char built_with[] __attribute__((used)) = OPENSSL_VERSION_TEXT;

/* Problems found by check_config in this pass; NULL if it had no reason to look. */
static sl_problems_t *rehearsed;

/* Names that "Mutex" lines of existing configurations use. Stapling takes no lock. */
static int accept_mutex_names(apr_pool_t *pool)
{
    static const char *const names[] = {"ssl-stapling", "ssl-stapling-refresh"};

    for (apr_size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (ap_mutex_register(pool, names[i], NULL, APR_LOCK_DEFAULT, 0) != APR_SUCCESS)
            return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

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
    sl_key_log_take_environment();
    /* A child that exits with connections open frees them in the last moment: the library must still be whole then. */
    OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
    sl_cert_text_init();
    sl_cert_quick_prepare(pool);
    sl_directives_begin(pool);
    rehearsed = NULL;
    return accept_mutex_names(pool);
}

/* httpd reads its configuration twice before it serves, and goes to the background between. The first time is for
 * errors: on the terminal while it is there, and in the log. What holds up nothing is told the second time. */
static int is_rehearsal(void)
{
    return ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG &&
           ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_NORMAL;
}

static int is_told(const apr_array_header_t *refused, const sl_origin_t *origin)
{
    for (int i = origin->file ? sl_directives_refused_at(origin) : -1; i >= 0;
         i = APR_ARRAY_IDX(refused, i, const sl_refused_t).next) {
        const sl_refused_t *line = &APR_ARRAY_IDX(refused, i, const sl_refused_t);

        if (sl_broken_hosts_stops(line) || sl_broken_hosts_leaves_out(line))
            return 1;
    }
    return 0;
}

static void add(sl_problems_t *all, const sl_problems_t *found, const apr_array_header_t *refused,
                int (*of_line)(const sl_refused_t *line), sl_gravity_t gravity)
{
    for (int i = 0; i < refused->nelts; i++) {
        const sl_refused_t *line = &APR_ARRAY_IDX(refused, i, const sl_refused_t);

        if (of_line(line))
            sl_problems_keep(all, line->why, gravity);
    }
    for (int i = 0; i < found->all->nelts; i++) {
        sl_problem_t *why = APR_ARRAY_IDX(found->all, i, sl_problem_t *);

        if (why->gravity == gravity && !is_told(refused, &why->origin))
            sl_problems_keep(all, why, gravity);
    }
}

/* Errors before warnings: what was refused while reading, then what was found. A line is told of once. */
static sl_problems_t *all_problems(apr_pool_t *pool, const apr_array_header_t *refused, const sl_problems_t *found)
{
    sl_problems_t *all = sl_problems_make(pool);

    add(all, found, refused, sl_broken_hosts_stops, SL_PROBLEM_ERROR);
    add(all, found, refused, sl_broken_hosts_leaves_out, SL_PROBLEM_OF_HOST);
    add(all, found, refused, sl_broken_hosts_is_idle, SL_PROBLEM_WARNING);
    return all;
}

/* `apachectl graceful` runs httpd -t before it restarts the server: nobody is to be asked then. */
static sl_dialog_mode_t dialog_mode(void)
{
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST)
        return ap_exists_config_define("ASK_PASS_PHRASES") ? SL_DIALOG_START : SL_DIALOG_TEST;
    return is_rehearsal() ? SL_DIALOG_START : SL_DIALOG_RESTART;
}

/* What the work of a pass needs goes back to the system with it. Else it stays with httpd, and ten thousand hosts need
 * much. */
static apr_pool_t *make_work_pool(apr_pool_t *scratch)
{
    apr_allocator_t *allocator = NULL;
    apr_pool_t *pool = NULL;

    if (apr_allocator_create(&allocator) != APR_SUCCESS)
        return scratch;
    apr_pool_create_ex(&pool, scratch, NULL, allocator);
    apr_allocator_owner_set(allocator, pool);
    return pool;
}

static sl_problems_t *collect(apr_pool_t *pool, apr_pool_t *scratch, server_rec *s, int ask_modules)
{
    sl_problems_t *found = sl_problems_make(scratch);
    sl_collect_counts_t counts;

    sl_library_prepare(s, ask_modules && !is_rehearsal(), found);
    sl_collect_vhosts(pool, scratch, s, ask_modules, dialog_mode(), found, &counts);
    sl_directories_collect(pool, s, found);
    sl_sessions_collect(pool, scratch, s, found);
    sl_sections_review(s, found);
    sl_tickets_collect(pool, scratch, s, found);
    sl_stapled_collect(pool, scratch, s, ask_modules, found);
    sl_broken_hosts_sum_up(s, found);
    if (ask_modules)
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                     "SL0005: %d virtual hosts speak TLS, with %d different settings and %d certificates (%d of them "
                     "read from their files just now)",
                     counts.hosts, counts.profiles, counts.read + counts.known, counts.read);
    return all_problems(scratch, sl_directives_refused(), found);
}

static int check_config(apr_pool_t *pool, apr_pool_t *log_pool, apr_pool_t *scratch, server_rec *s)
{
    int is_test = ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST;

    (void)log_pool;
    if (!is_test && !is_rehearsal())
        return OK;
    rehearsed = collect(pool, make_work_pool(scratch), s, 0);
    sl_log_problems(rehearsed, is_test ? SL_LOG_ALL : SL_LOG_ERRORS, 1, s);
    /* A start goes on to its logs, and tells there what it told here. */
    return is_test && rehearsed->errors ? HTTP_INTERNAL_SERVER_ERROR : OK;
}

/* What post_config is to tell: the first pass has its problems already, unless other modules come in only now. */
static sl_problems_t *find_problems(apr_pool_t *pool, apr_pool_t *scratch, server_rec *s)
{
    if (rehearsed && (rehearsed->errors || !(sl_collect_has_providers() || sl_module_hooks_has("init_server"))))
        return rehearsed;
    return collect(pool, scratch, s, 1);
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

/* A library older than the one the module was built with may lack what the module counts on. */
static void compare_libraries(server_rec *s)
{
    if (OpenSSL_version_num() < OPENSSL_VERSION_NUMBER && !is_rehearsal())
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     "AH01882: this module was built with %s, but runs with the older %s: build it anew", built_with,
                     OpenSSL_version(OPENSSL_VERSION));
}

/* What only serving needs, and the rehearsal does without. */
static int start_services(apr_pool_t *pool, server_rec *s)
{
    sl_problems_t *problems = sl_problems_make(pool);
    sl_problem_t *why = sl_problems_new(problems, NULL);
    apr_status_t rv = sl_tickets_start(pool, s, why);

    if (rv != APR_SUCCESS)
        why->log_id = "SL0134";
    else
        rv = sl_sessions_start(pool, s, why);
    if (rv == APR_SUCCESS)
        rv = sl_identities_start(pool, s, why);
    if (rv == APR_SUCCESS)
        rv = sl_directories_start(pool, s, why);
    if (rv == APR_SUCCESS)
        rv = sl_stapling_start(pool, s, why);
    if (rv == APR_SUCCESS)
        rv = sl_trusts_start(pool, s, why);
    if (rv == APR_SUCCESS)
        rv = sl_reload_start(pool, s, why);
    if (rv == APR_SUCCESS)
        rv = sl_counters_start(s, why);
    if (rv != APR_SUCCESS)
        sl_problems_keep(problems, why, SL_PROBLEM_ERROR);
    why = sl_problems_new(problems, NULL);
    if (sl_key_log_start(pool, s, why) != APR_SUCCESS)
        sl_problems_keep(problems, why, SL_PROBLEM_ERROR);
    sl_log_problems(problems, SL_LOG_ALL, 0, s);
    return problems->errors ? HTTP_INTERNAL_SERVER_ERROR : OK;
}

/* Problems live in a pool of their own. */
static int find_and_tell(apr_pool_t *pool, apr_pool_t *scratch, server_rec *s)
{
    apr_pool_t *work = make_work_pool(scratch);
    sl_problems_t *problems = find_problems(pool, work, s);
    int errors = problems->errors;

    sl_log_problems(problems, is_rehearsal() && !errors ? SL_LOG_ERRORS : SL_LOG_ALL, 0, s);
    if (work != scratch)
        apr_pool_destroy(work);
#ifdef __GLIBC__
    malloc_trim(0); /* the same for what threads have used to read certificates */
#endif
    return errors;
}

static int post_config(apr_pool_t *pool, apr_pool_t *log_pool, apr_pool_t *scratch, server_rec *s)
{
    (void)log_pool;
    if (find_and_tell(pool, scratch, s))
        return HTTP_INTERNAL_SERVER_ERROR;
    compare_libraries(s);
    sl_vhost_choice_build(pool, s);
    sl_listeners_prepare(s);
    sl_reqtimeout_collect(pool, scratch, s);
    ap_add_version_component(pool, version_component(scratch));
    return is_rehearsal() ? OK : start_services(pool, s);
}

void sl_startup_register(apr_pool_t *pool)
{
    static const char *const proxy[] = {"mod_proxy.c", NULL};

    (void)pool;
    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_LAST);
    ap_hook_post_config(post_config, NULL, proxy, APR_HOOK_MIDDLE);
}
