/* SSLSessionCache: the provider it names, what connections put there and find there, and what the log says of it.
 * startup.c sets it up; conn/sessions.c asks through the table of conn_hooks.c. */
#include "httpd/sessions.h"

#include <http_log.h>
#include <util_mutex.h>

#include "httpd/counters.h"
#include "httpd/link.h"
#include "httpd/module_config.h"
#include "httpd/session_seal.h"
#include "resume/session_cache.h"

APLOG_USE_MODULE(sl);

#define MUTEX "ssl-cache"

/* Of this generation; NULL: no provider is configured. The second is there once the first was started. */
static sl_socache_t *socache;
static sl_session_cache_t *sessions;

sl_socache_t *sl_sessions_socache(void)
{
    return sessions ? socache : NULL;
}

/* ---- start ---- */

/* Hosts whose clients can resume nothing, and nobody said that this is wanted. */
static void warn_of_none(server_rec *main_server, sl_problems_t *problems)
{
    for (server_rec *s = main_server; s; s = s->next) {
        const sl_vhost_t *vhost = sl_config_vhost(s);
        sl_origin_t origin;

        if (!vhost || sl_settings_number(vhost->settings, SL_TICKETS) ||
            sl_settings_get(vhost->settings, SL_SESSION_CACHE))
            continue;
        origin = sl_settings_origin(vhost->settings, SL_TICKETS);
        sl_problems_add(problems, SL_PROBLEM_WARNING, "AH01873", &origin, vhost->id,
                        "Leave tickets on, or set SSLSessionCache, e.g. shmcb:ssl_scache(512000); SSLSessionCache none "
                        "says that it is meant so",
                        "without tickets and without a session cache each connection takes a full handshake");
        return;
    }
}

void sl_sessions_collect(apr_pool_t *pool, apr_pool_t *scratch, server_rec *main_server, sl_problems_t *problems)
{
    const sl_setting_t *setting = sl_settings_get(sl_config_of_server(main_server)->settings, SL_SESSION_CACHE);
    sl_problem_t *why;

    socache = NULL;
    sessions = NULL;
    warn_of_none(main_server, problems);
    if (!setting || setting->number != SL_CACHE_PROVIDER)
        return;
    why = sl_problems_new(problems, &setting->values[0].origin);
    if (sl_socache_make(&socache, setting->values[0].text, pool, scratch, why) != APR_SUCCESS)
        sl_problems_keep(problems, why, SL_PROBLEM_ERROR);
}

apr_status_t sl_sessions_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
{
    static const sl_socache_use_t use = {"mod_ssl-sess", MUTEX, {30, 150, apr_time_from_sec(30)}};
    apr_status_t rv;

    if (!socache)
        return APR_SUCCESS;
    why->origin = sl_settings_origin(sl_config_of_server(main_server)->settings, SL_SESSION_CACHE);
    rv = sl_socache_start(socache, &use, main_server, pool, why);
    if (rv == APR_SUCCESS)
        sessions = sl_session_cache_make(pool, sl_socache_store(socache), sl_world_real());
    return rv;
}

static int pre_config(apr_pool_t *pool, apr_pool_t *log_pool, apr_pool_t *scratch)
{
    (void)log_pool;
    (void)scratch;
    return ap_mutex_register(pool, MUTEX, NULL, APR_LOCK_DEFAULT, 0) == APR_SUCCESS ? OK : HTTP_INTERNAL_SERVER_ERROR;
}

static void child_init(apr_pool_t *pool, server_rec *s)
{
    sl_problem_t *why;

    if (!sessions)
        return;
    why = sl_problem_make(pool);
    if (sl_socache_child(socache, pool, why) == APR_SUCCESS)
        return;
    sessions = NULL;
    ap_log_error(APLOG_MARK, APLOG_CRIT, why->status, s, "SL0111: no session cache in this process: %s",
                 sl_problem_text(why, pool));
}

void sl_sessions_register(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
}

/* ---- connections ---- */

static void tell(sl_link_t *link, const char *what, apr_status_t rv)
{
    if (rv == APR_SUCCESS || APR_STATUS_IS_NOTFOUND(rv) || APR_STATUS_IS_EBUSY(rv))
        return;
    if (APR_STATUS_IS_ENOSPC(rv))
        ap_log_cerror(APLOG_MARK, APLOG_DEBUG, 0, link->c, "SL0113: a session is too large for the session cache %s",
                      sl_socache_spec(socache));
    else
        ap_log_cerror(
            APLOG_MARK, APLOG_WARNING, rv, link->c,
            "SL0112: the session cache %s failed %s a session: full handshakes go on, and this process asks it "
            "again in %" APR_INT64_T_FMT " seconds",
            sl_socache_spec(socache), what, sl_session_cache_pause(sessions));
}

static void count_answer(apr_status_t rv)
{
    if (rv == APR_SUCCESS)
        sl_counters_add(SL_COUNT_SESSION, SL_SESSION_HIT);
    else
        sl_counters_add(SL_COUNT_SESSION, APR_STATUS_IS_NOTFOUND(rv) ? SL_SESSION_MISS : SL_SESSION_FAILED);
}

int sl_sessions_put(void *baton, SSL_SESSION *session)
{
    sl_link_t *link = baton;
    sl_sealer_t sealer;
    apr_pool_t *scratch;
    apr_status_t rv;

    if (!sessions)
        return 0;
    sl_session_seal(&sealer, link->tls->vhost);
    apr_pool_create(&scratch, link->c->pool);
    rv = sl_session_cache_put(sessions, &sealer, session, scratch);
    apr_pool_destroy(scratch);
    sl_counters_add(SL_COUNT_SESSION, rv == APR_SUCCESS ? SL_SESSION_STORED : SL_SESSION_FAILED);
    tell(link, "to keep", rv);
    return rv == APR_SUCCESS;
}

SSL_SESSION *sl_sessions_get(void *baton, const unsigned char *id, apr_size_t id_length)
{
    sl_link_t *link = baton;
    SSL_SESSION *session = NULL;
    sl_sealer_t sealer;
    apr_pool_t *scratch;
    apr_status_t rv;

    if (!sessions)
        return NULL;
    sl_session_seal(&sealer, link->tls->vhost);
    apr_pool_create(&scratch, link->c->pool);
    rv = sl_session_cache_get(sessions, &sealer, id, id_length, &session, scratch);
    apr_pool_destroy(scratch);
    count_answer(rv);
    tell(link, "to give back", rv);
    return session;
}

void sl_sessions_remove(void *baton, const unsigned char *id, apr_size_t id_length)
{
    sl_link_t *link = baton;
    apr_pool_t *scratch;
    apr_status_t rv;

    if (!sessions)
        return;
    apr_pool_create(&scratch, link->c->pool);
    rv = sl_session_cache_remove(sessions, id, id_length, scratch);
    apr_pool_destroy(scratch);
    tell(link, "to drop", rv);
}
