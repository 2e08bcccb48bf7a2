/* Start and end of keeper and courier. */
#include "httpd/keeper_hooks.h"

#include <ap_listen.h>
#include <ap_mpm.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <mpm_common.h>

#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "httpd/dropin.h"
#include "httpd/module_config.h"
#include "httpd/phrases.h"

APLOG_USE_MODULE(sl);

/* One that dies young waits before it works again: a second, two, four, at most so many. */
#define LONGEST_PAUSE 60
#define YOUNG apr_time_from_sec(60)
/* How long one may take to end, in looks after it. */
#define LOOKS 1000
#define LOOK_PAUSE 5000
/* The same for one that was killed: a file system that does not answer may keep it. */
#define LOOKS_AFTER_KILL 200

typedef struct sl_process_t {
    const char *name; /* at most 15 characters */
    int drops_rights;
    apr_array_header_t *jobs; /* of sl_job_t *; NULL: none */
    apr_pool_t *pool;         /* configuration pool */
    server_rec *server;
    apr_proc_t process;
    pid_t parent;
    int end[2]; /* a pipe: a byte asks it to end. With -X httpd may lack the right to send it signals. */
    int runs, watched;
    apr_time_t started;
    int deaths; /* in a row, of those who died young */
    int lacking; /* there should be one, and it can't be started */
    sl_patience_t patience;
} sl_process_t;

static sl_process_t helpers[SL_HELPERS] = {
    [SL_KEEPER] = {.name = "sl-keeper"},
    [SL_COURIER] = {.name = "sl-courier", .drops_rights = 1},
};
static sl_board_t board;
static pid_t maker; /* httpd's parent process */

sl_board_t *sl_keeper_hooks_board(void)
{
    return &board;
}

/* ---- in the new process ---- */

static void say(void *baton, sl_say_t level, const char *line)
{
    static const int levels[] = {[SL_SAY_ERROR] = APLOG_ERR,
                                 [SL_SAY_WARNING] = APLOG_WARNING,
                                 [SL_SAY_NOTICE] = APLOG_NOTICE,
                                 [SL_SAY_INFO] = APLOG_INFO,
                                 [SL_SAY_DEBUG] = APLOG_DEBUG};
    const sl_process_t *helper = baton;

    ap_log_error(APLOG_MARK, levels[level], 0, helper->server, "%s", line);
}

static sl_helper_t number_of(const sl_process_t *helper)
{
    return (sl_helper_t)(helper - helpers);
}

static void give_sign(void *baton)
{
    sl_helper_health_sign(number_of(baton));
}

static apr_interval_time_t pause_of(const sl_process_t *helper)
{
    int seconds = helper->deaths ? 1 << (helper->deaths > 6 ? 6 : helper->deaths - 1) : 0;

    return apr_time_from_sec(seconds < LONGEST_PAUSE ? seconds : LONGEST_PAUSE);
}

/* What APR calls when memory ends: the next one may be better off. */
static int give_up(int status)
{
    (void)status;
    _exit(1);
}

/* Never returns. What belongs to httpd is left as it is: no cleanup of its pools may run here, with root's rights. */
static void live(sl_process_t *helper)
{
    sl_loop_t loop;

    ap_close_listeners(); /* else nobody could listen there after the server ended */
    memset(&loop, 0, sizeof(loop));
    apr_pool_create_unmanaged_ex(&loop.pool, give_up, NULL);
    apr_pool_create(&loop.scratch, loop.pool);
    loop.world = sl_world_real();
    loop.say = say;
    loop.alive = give_sign;
    loop.baton = helper;
    loop.jobs = helper->jobs;
    loop.parent = helper->parent;
    loop.end_fd = helper->end[0];
    sl_loop_catch_signals(&loop);
#ifdef __linux__
    prctl(PR_SET_NAME, helper->name);
#endif
    if (helper->drops_rights) {
        sl_remembered_phrases_forget();
        sl_board_only_read(&board, 1);
    }
    if (helper->drops_rights && ap_run_drop_privileges(loop.pool, helper->server) != OK)
        _exit(1);
    sl_loop_catch_signals(&loop);
    sl_loop_pause(&loop, pause_of(helper));
    sl_loop_run(&loop);
    apr_pool_destroy(loop.pool);
    _exit(0);
}

/* ---- in the parent ---- */

static void start(sl_process_t *helper);

static int server_ends(void)
{
    int state = AP_MPMQ_RUNNING;

    return ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS && state == AP_MPMQ_STOPPING;
}

static void unwatch(sl_process_t *helper)
{
    if (!helper->watched)
        return;
    helper->watched = 0;
    apr_proc_other_child_unregister(helper);
}

static void note_death(sl_process_t *helper, apr_wait_t status)
{
    helper->runs = 0;
    close(helper->end[1]);
    unwatch(helper);
    sl_helper_health_died(number_of(helper));
    if (server_ends())
        return;
    helper->deaths = apr_time_now() - helper->started - pause_of(helper) < YOUNG ? helper->deaths + 1 : 0;
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, helper->server,
                 "SL0132: the process %s (%" APR_PID_T_FMT ") ended with status %d, a new one takes its place",
                 helper->name, helper->process.pid, (int)status);
    start(helper);
}

static void maintain(int reason, void *baton, apr_wait_t status)
{
    sl_process_t *helper = baton;

    if (reason == APR_OC_REASON_UNREGISTER)
        helper->watched = 0; /* by the pool's own cleanup; APR knows it no more */
    if (getpid() != helper->parent)
        return;
    if (reason == APR_OC_REASON_DEATH || reason == APR_OC_REASON_LOST)
        note_death(helper, status);
    else if (reason == APR_OC_REASON_RESTART)
        unwatch(helper);
}

/* It is tried again from time to time, and told once. */
static void tell_of_lack(sl_process_t *helper, apr_status_t rv)
{
    close(helper->end[0]);
    close(helper->end[1]);
    if (!helper->lacking)
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, helper->server,
                     "SL0133: the process %s could not be started; until it can be, nothing that changes is noticed",
                     helper->name);
    helper->lacking = 1;
}

static void start(sl_process_t *helper)
{
    apr_status_t rv;

    helper->parent = getpid();
    helper->started = apr_time_now();
    memset(&helper->patience, 0, sizeof(helper->patience));
    sl_helper_health_begin(number_of(helper));
    helper->end[0] = helper->end[1] = -1;
    rv = pipe(helper->end) ? errno : apr_proc_fork(&helper->process, helper->pool);
    if (rv == APR_INCHILD) {
        close(helper->end[1]);
        live(helper);
    }
    if (rv != APR_INPARENT) {
        tell_of_lack(helper, rv);
        return;
    }
    if (helper->lacking)
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, helper->server, "SL0190: the process %s could be started at last",
                     helper->name);
    helper->lacking = 0;
    close(helper->end[0]);
    fcntl(helper->end[1], F_SETFD, FD_CLOEXEC);
    helper->runs = helper->watched = 1;
    sl_helper_health_started(number_of(helper), helper->process.pid);
    apr_proc_other_child_register(&helper->process, maintain, helper, NULL, helper->pool);
}

static int has_ended(const sl_process_t *helper)
{
    return waitpid(helper->process.pid, NULL, WNOHANG) != 0; /* or is somebody else's matter by now */
}

static int ends_within(const sl_process_t *helper, int looks)
{
    for (int i = 0; i < looks; i++) {
        if (has_ended(helper))
            return 1;
        apr_sleep(LOOK_PAUSE);
    }
    return 0;
}

/* One that stays although it was killed does nothing more: it ends in the moment in which the system lets it go. */
static void await_end(const sl_process_t *helper)
{
    if (ends_within(helper, LOOKS) || kill(helper->process.pid, SIGKILL) != 0 || ends_within(helper, LOOKS_AFTER_KILL))
        return;
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, helper->server,
                 "SL0201: the process %s (%" APR_PID_T_FMT
                 ") was killed, and the system does not let it end; the server "
                 "goes on without it",
                 helper->name, helper->process.pid);
}

/* Runs in the parent when the configuration goes. A child that ends comes here as well, and leaves them alone. */
static apr_status_t end_all(void *unused)
{
    (void)unused;
    if (maker != getpid())
        return APR_SUCCESS;
    for (int i = 0; i < SL_HELPERS; i++) {
        sl_process_t *helper = &helpers[i];

        if (helper->runs) {
            unwatch(helper);
            if (has_ended(helper))
                helper->runs = 0;
            else if (kill(helper->process.pid, SIGTERM) != 0 && write(helper->end[1], "", 1) < 0)
                helper->runs = 0;
            close(helper->end[1]);
        }
    }
    for (int i = 0; i < SL_HELPERS; i++) {
        if (helpers[i].runs) {
            await_end(&helpers[i]);
            helpers[i].runs = 0;
        }
        helpers[i].jobs = NULL;
        helpers[i].deaths = helpers[i].lacking = 0;
    }
    memset(&board, 0, sizeof(board));
    return APR_SUCCESS;
}

void sl_keeper_hooks_add(apr_pool_t *pool, sl_helper_t which, sl_job_t *job)
{
    sl_process_t *helper = &helpers[which];

    if (!helper->jobs)
        helper->jobs = apr_array_make(pool, 4, sizeof(sl_job_t *));
    APR_ARRAY_PUSH(helper->jobs, sl_job_t *) = job;
}

static int start_all(apr_pool_t *pool, apr_pool_t *log_pool, apr_pool_t *scratch, server_rec *s)
{
    (void)log_pool;
    (void)scratch;
    maker = getpid();
    sl_helper_health_open(s);
    apr_pool_cleanup_register(pool, NULL, end_all, apr_pool_cleanup_null);
    for (int i = 0; i < SL_HELPERS; i++) {
        helpers[i].pool = pool;
        helpers[i].server = s;
        sl_helper_health_unused((sl_helper_t)i);
        if (!helpers[i].jobs)
            continue;
        sl_keeper_hooks_add(pool, (sl_helper_t)i, sl_helper_health_job(pool, (sl_helper_t)i));
        start(&helpers[i]);
    }
    return OK;
}

/* Its end comes to note_death(), as any other. */
static void end_if_hung(sl_process_t *helper)
{
    apr_int64_t sign;
    apr_status_t rv;

    if (!sl_helper_health_last(number_of(helper), &sign) ||
        !sl_patience_is_over(&helper->patience, sign, sl_world_ticks(sl_world_real())) ||
        sl_process_is_traced(helper->process.pid))
        return;
    rv = kill(helper->process.pid, SIGKILL) ? errno : APR_SUCCESS;
    ap_log_error(APLOG_MARK, APLOG_ERR, rv, helper->server,
                 "SL0200: the process %s (%" APR_PID_T_FMT ") gave no sign of life for %d minutes and was killed",
                 helper->name, helper->process.pid, (int)(apr_time_sec(SL_PATIENCE) / 60));
}

/* The parent comes by every few seconds. */
static int look_after(apr_pool_t *pool, server_rec *s)
{
    (void)pool;
    (void)s;
    if (maker != getpid() || server_ends())
        return DECLINED;
    for (int i = 0; i < SL_HELPERS; i++) {
        if (helpers[i].lacking)
            start(&helpers[i]);
        else if (helpers[i].runs)
            end_if_hung(&helpers[i]);
    }
    return DECLINED;
}

/* Whoever takes a child over must not be able to write what processes with root's rights read. */
static void child_init(apr_pool_t *pool, server_rec *s)
{
    (void)pool;
    (void)s;
    sl_board_only_read(&board, 0);
}

void sl_keeper_hooks_register(apr_pool_t *pool)
{
    (void)pool;
    sl_dropin_own_begin();
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_REALLY_FIRST);
    sl_dropin_own_end();
    ap_hook_monitor(look_after, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(start_all, NULL, NULL, APR_HOOK_REALLY_LAST);
}
