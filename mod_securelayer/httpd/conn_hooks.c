/* Connections.
 *
 * pre_connection makes the link and the filters, no SSL. process_connection runs the machine: on an MPM that can wait
 * by itself (event) with reads that never block, giving the thread back whenever the peer's bytes are missing; on the
 * others with reads that wait no longer than the handshake's deadline. */
#include "httpd/conn_hooks.h"

#include <ap_mpm.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_ssl.h>
#include <mpm_common.h>
#include <scoreboard.h>

#include <apr_portable.h>
#include <apr_strings.h>
#include <poll.h>
#include <mod_securelayer.h>

#include "httpd/bio_brigade.h"
#include "httpd/broken_hosts.h"
#include "httpd/client_ocsp.h"
#include "httpd/counters.h"
#include "httpd/decrypt.h"
#include "httpd/demand.h"
#include "httpd/directories.h"
#include "httpd/identities.h"
#include "httpd/log.h"
#include "httpd/module_config.h"
#include "httpd/module_hooks.h"
#include "httpd/parking.h"
#include "httpd/proxy.h"
#include "httpd/reqtimeout.h"
#include "httpd/sessions.h"
#include "httpd/ssl_api.h"
#include "httpd/tickets.h"
#include "httpd/stapling.h"
#include "httpd/trusts.h"
#include "httpd/vhost_choice.h"

#include "conn/machine.h"

APLOG_USE_MODULE(sl);

/* How long a thread may wait for what is due at once. */
#define MOMENT_MS 2
/* How long a thread may wait for a close_notify. */
#define AWAIT_CLOSE apr_time_from_sec(2)

/* Of the connections that a child leaves open at its end, as many are still known. */
#define MOST_LEFT 256

static int mpm_can_wait;

sl_link_t *sl_link_of(conn_rec *c)
{
    return ap_get_module_config((c->master ? c->master : c)->conn_config, &sl_module);
}

/* ---- the host of the machine ---- */

static apr_time_t deadline_for(const sl_link_t *link, const sl_vhost_t *vhost)
{
    const sl_read_limits_t *limits = sl_config_of_server(link->c->base_server)->read_limits;
    apr_interval_time_t most = limits ? sl_reqtimeout_allows(&limits->handshake, link->bytes_read) : 0;

    return link->tls->started + (most && most < vhost->handshake_timeout ? most : vhost->handshake_timeout);
}

static const sl_vhost_t *find_vhost(void *baton, const char *name, int *known)
{
    sl_link_t *link = baton;
    const sl_vhost_t *vhost = sl_vhost_choice_find(link->c, name, known);

    link->hosts = link->c->vhost_lookup_data;
    link->server = vhost->owner;
    if (link->deadline)
        link->deadline = deadline_for(link, vhost);
    if (link->c->sbh && *known)
        ap_update_child_status_from_server(link->c->sbh, SERVER_BUSY_READ, link->c, link->server);
    return vhost;
}

static const char *select_alpn(void *baton, const sl_vhost_t *vhost, const apr_array_header_t *offered)
{
    sl_link_t *link = baton;

    return sl_ssl_api_select_protocol(link->c, vhost->owner, offered);
}

static sl_identity_t *get_identity(void *baton, int id)
{
    (void)baton;
    return sl_supply_get(sl_identities_supply(), id);
}

static int is_out(void *baton, const sl_vhost_t *vhost)
{
    (void)baton;
    return sl_broken_hosts_is_out(vhost);
}

static sl_identity_t *find_identity(void *baton, const sl_vhost_t *vhost, const char *name, const char **trouble)
{
    const sl_link_t *link = baton;

    return sl_directories_find(link->c, vhost, name, trouble);
}

static sl_trust_t *get_trust(void *baton, int trust_id)
{
    (void)baton;
    return sl_trusts_get(trust_id);
}

static sl_identity_t *answer_challenge(void *baton, const char *name)
{
    sl_link_t *link = baton;

    return sl_ssl_api_answer_challenge(link->c, link->server, name);
}

static long check_revocation(void *baton, X509 *cert, X509 *issuer, const char **words)
{
    return sl_client_ocsp_check(baton, cert, issuer, words);
}

static int show_ssl(void *baton, SSL *ssl)
{
    sl_link_t *link = baton;

    SSL_set_app_data(ssl, link->c); /* where other modules' callbacks look for it */
    return sl_module_hooks_pre_handshake(link->c, ssl, link->outgoing != NULL);
}

static int put_session(void *baton, SSL_SESSION *session)
{
    const sl_link_t *link = baton;

    return link->outgoing ? sl_proxy_put_session(baton, session) : sl_sessions_put(baton, session);
}

static sl_ticket_found_t ticket_key(void *baton, const sl_vhost_t *vhost, const unsigned char *name,
                                    sl_ticket_key_t *key)
{
    sl_ticket_found_t found = sl_tickets_find(vhost->owner, name, key);

    (void)baton;
    sl_counters_add(SL_COUNT_TICKET, name || found == SL_TICKET_NO_KEY ? (int)found : SL_TICKET_MADE);
    return found;
}

static unsigned char *get_staple(void *baton, X509 *leaf, int *length)
{
    return sl_stapling_get(baton, leaf, length);
}

static sl_host_t host = {
    .read = sl_brigade_read,
    .write = sl_brigade_write,
    .find_vhost = find_vhost,
    .select_alpn = select_alpn,
    .get_identity = get_identity,
    .find_identity = find_identity,
    .is_out = is_out,
    .get_trust = get_trust,
    .answer_challenge = answer_challenge,
    .show_ssl = show_ssl,
    .accept_peer = sl_proxy_accept,
    .put_session = put_session,
    .get_session = sl_sessions_get,
    .remove_session = sl_sessions_remove,
    .check_revocation = check_revocation,
    .keep = sl_demand_keep,
    .ticket_key = ticket_key,
    .get_staple = get_staple,
};

/* ---- the machine, driven ---- */

static apr_time_t deadline_of(const sl_link_t *link)
{
    if (link->outgoing)
        return sl_proxy_deadline(link);
    return deadline_for(link, link->tls->vhost ? link->tls->vhost : sl_config_vhost(link->server));
}

/* Until when the first request must have begun. */
static apr_time_t request_deadline_of(const sl_link_t *link)
{
    const sl_read_limits_t *limits = sl_config_of_server(link->c->base_server)->read_limits;
    apr_interval_time_t most = limits ? sl_reqtimeout_allows(&limits->header, 0) : 0;

    return link->tls->started + link->tls->handshake_time +
           (most && most < link->server->timeout ? most : link->server->timeout);
}

static void note_end(sl_link_t *link)
{
    if (link->handshake_logged)
        return;
    link->handshake_logged = 1;
    sl_counters_note(link->tls);
    if (link->outgoing) {
        sl_proxy_note_handshake(link);
        return;
    }
    if (link->tls->state == SL_STATE_FAILED) {
        sl_log_failure(link->c, link->tls);
        return;
    }
    if (link->tls->state == SL_STATE_OPEN)
        ap_log_cerror(APLOG_MARK, APLOG_DEBUG, 0, link->c, "SL0101: handshake complete for %s: %s, %s, ALPN %s, %s",
                      link->tls->vhost->id, SSL_get_version(link->tls->ssl), SSL_get_cipher_name(link->tls->ssl),
                      link->tls->alpn ? link->tls->alpn : "none",
                      SSL_session_reused(link->tls->ssl) ? "resumed" : "full");
}

/* Runs the machine as far as it goes. The deadline also ends a peer that drips. */
static sl_want_t drive(sl_link_t *link, apr_read_type_e block)
{
    sl_want_t want;

    link->block = block;
    link->deadline = deadline_of(link);
    want = sl_machine_run(link->tls);
    link->deadline = 0;
    if (want == SL_WANT_READ && (block == APR_BLOCK_READ || APR_STATUS_IS_TIMEUP(link->tls->read_status) ||
                                 apr_time_now() >= deadline_of(link))) {
        sl_conn_fail(link->tls, SL_FAIL_TIMEOUT, NULL);
        want = SL_WANT_NOTHING;
    }
    return want;
}

apr_status_t sl_conn_hooks_complete(sl_link_t *link, apr_read_type_e block)
{
    sl_want_t want = SL_WANT_NOTHING;

    if (link->outgoing && !link->tls->target && link->tls->state < SL_STATE_OPEN)
        sl_proxy_aim(link);
    if (link->tls->state < SL_STATE_OPEN) {
        want = drive(link, block);
        if (want == SL_WANT_READ || link->tls->state == SL_STATE_FAILED)
            (void)sl_brigade_flush(link);
        else
            sl_brigade_keep(link);
    }
    if (want == SL_WANT_READ)
        return APR_EAGAIN;
    note_end(link);
    switch (link->tls->state) {
    case SL_STATE_OPEN:
    case SL_STATE_PLAIN:
        return APR_SUCCESS;
    case SL_STATE_CLOSED:
        return APR_EOF;
    default:
        return APR_ECONNABORTED;
    }
}

/* ---- hooks ---- */

static int child_ends;
static SSL *volatile left[MOST_LEFT]; /* for those who look for leaks */
static unsigned left_count;

/* Runs before the connections' pools go. */
static apr_status_t note_end_of_child(void *unused)
{
    (void)unused;
    child_ends = 1;
    return APR_SUCCESS;
}

/* Runs before the socket is closed, which belongs to the same pool. On prefork a signal ends the child wherever it is,
 * in the midst of OpenSSL too: the SSL may be in any state then, and goes with the process. */
static apr_status_t forget_link(void *baton)
{
    sl_link_t *link = baton;

    (void)sl_parking_leave(link);
    if (child_ends) {
        left[left_count++ % MOST_LEFT] = link->tls->ssl;
        link->tls->ssl = NULL;
    }
    return APR_SUCCESS;
}

sl_link_t *sl_conn_hooks_make_link(conn_rec *c)
{
    sl_link_t *link = apr_pcalloc(c->pool, sizeof(*link));

    link->c = c;
    link->server = c->base_server;
    link->tls = sl_conn_make(c->pool, &host, link);
    apr_pool_cleanup_register(c->pool, link, forget_link, apr_pool_cleanup_null);
    ap_set_module_config(c->conn_config, &sl_module, link);
    return link;
}

/* Whoever connects to a backend has said already whether by TLS (proxy.c). */
static int pre_connection(conn_rec *c, void *csd)
{
    sl_link_t *link = ap_get_module_config(c->conn_config, &sl_module);

    (void)csd;
    if (c->master || (c->outgoing ? !link : !sl_config_vhost(c->base_server)))
        return DECLINED;
    if (!link)
        link = sl_conn_hooks_make_link(c);
    link->input = ap_add_input_filter(SECURELAYER_FILTER_NAME, link, NULL, c);
    ap_add_output_filter(SECURELAYER_COALESCE_FILTER_NAME, link, NULL, c);
    link->output = ap_add_output_filter(SECURELAYER_FILTER_NAME, link, NULL, c);
    return OK;
}

static int park(sl_link_t *link)
{
    if (sl_brigade_flush(link) != APR_SUCCESS) {
        link->c->aborted = 1;
        link->c->cs->state = CONN_STATE_LINGER;
        return OK;
    }
    link->waiting = link->was_parked = 1;
    link->c->cs->sense = CONN_SENSE_WANT_READ;
    link->c->cs->state = CONN_STATE_ASYNC_WAITIO;
    return OK;
}

static int end(sl_link_t *link)
{
    /* An alert has to reach the peer; who was only waited for gets nothing and costs nothing more. */
    if (link->park_end != SL_PARK_NOT || link->broken || link->tls->failure.reason == SL_FAIL_TIMEOUT)
        link->c->aborted = 1;
    apr_table_setn(link->c->notes, "short-lingering-close", "1");
    if (link->c->cs)
        link->c->cs->state = CONN_STATE_LINGER;
    return OK;
}

static int give_up(sl_link_t *link)
{
    sl_conn_hooks_shutdown(link);
    (void)sl_brigade_flush(link);
    return end(link);
}

static void see_park_end(sl_link_t *link)
{
    sl_park_end_t end_of_stay = sl_parking_leave(link);

    if (end_of_stay == SL_PARK_NOT)
        return;
    if (link->tls->state == SL_STATE_OPEN) {
        sl_conn_hooks_shutdown(link);
        (void)sl_brigade_flush(link);
        return;
    }
    sl_conn_fail(link->tls, end_of_stay == SL_PARK_EXPIRED ? SL_FAIL_TIMEOUT : SL_FAIL_CROWDED_OUT, NULL);
}

/* Clients that speak last in the handshake send their request right behind it: worth a moment, where giving the
 * thread away and getting one again would take as long. */
static int is_request_due(const sl_link_t *link)
{
    return SSL_version(link->tls->ssl) >= TLS1_3_VERSION || SSL_session_reused(link->tls->ssl);
}

static apr_status_t wait_a_moment(sl_link_t *link)
{
    struct pollfd socket = {-1, POLLIN, 0};
    apr_os_sock_t descriptor;

    if (apr_os_sock_get(&descriptor, ap_get_conn_socket(link->c)) != APR_SUCCESS)
        return APR_EAGAIN;
    socket.fd = descriptor;
    return poll(&socket, 1, MOMENT_MS) > 0 ? sl_decrypt_ahead(link) : APR_EAGAIN;
}

/* Handshake done, but the request may be long in coming: no thread waits for it. mod_reqtimeout may say that the time
 * for the handshake is over, though it was in time: the request has a time of its own. */
static int wait_for_request(sl_link_t *link)
{
    apr_status_t rv = sl_decrypt_ahead(link);

    if (APR_STATUS_IS_EAGAIN(rv) && !link->waited && is_request_due(link)) {
        link->waited = 1;
        rv = wait_a_moment(link);
    }
    if (APR_STATUS_IS_EAGAIN(rv) && apr_time_now() < request_deadline_of(link))
        return park(link);
    if (rv != APR_SUCCESS && !APR_STATUS_IS_TIMEUP(rv))
        return give_up(link);
    sl_brigade_keep(link);
    link->handed_over = 1;
    return DECLINED;
}

/* A keep-alive connection woke up. Half a record, a key update or the client's goodbye are not worth a thread that
 * waits for a request line: but they do not prolong the stay either, beyond once the keep-alive time. */
static int wait_for_next(sl_link_t *link)
{
    conn_rec *c = link->c;
    apr_status_t rv;

    if (!mpm_can_wait || c->keepalive != AP_CONN_KEEPALIVE || link->tls->state != SL_STATE_OPEN ||
        strcmp(ap_get_protocol(c), AP_PROTOCOL_HTTP1))
        return DECLINED;
    rv = sl_decrypt_ahead(link);
    if (APR_STATUS_IS_EAGAIN(rv) && (!link->idle_until || apr_time_now() < link->idle_until) &&
        sl_brigade_send_with(link, NULL) == APR_SUCCESS) {
        if (!link->idle_until)
            link->idle_until = apr_time_now() + link->server->keep_alive_timeout;
        c->data_in_input_filters = 0;
        c->cs->state = CONN_STATE_WRITE_COMPLETION; /* and from there, as keep-alive is on, back to where it was */
        return OK;
    }
    if (rv != APR_SUCCESS && !APR_STATUS_IS_TIMEUP(rv))
        return give_up(link);
    sl_brigade_keep(link);
    link->idle_until = 0;
    return DECLINED;
}

/* A child that stops does not count a connection that it has just accepted: its MPM may have stopped watching before
 * we ask it to wait, and would drop the client. Those that it has waited for once it knows. */
static int may_park(const sl_link_t *link)
{
    int state = AP_MPMQ_RUNNING;

    if (!mpm_can_wait || link->was_parked)
        return mpm_can_wait;
    return ap_mpm_query(AP_MPMQ_MPM_STATE, &state) != APR_SUCCESS || state != AP_MPMQ_STOPPING;
}

static int process_connection(conn_rec *c)
{
    sl_link_t *link = c->master ? NULL : sl_link_of(c);
    apr_status_t rv;
    int can_wait;

    if (!link)
        return DECLINED;
    if (link->handed_over)
        return wait_for_next(link);
    see_park_end(link);
    can_wait = may_park(link);
    rv = sl_conn_hooks_complete(link, can_wait ? APR_NONBLOCK_READ : APR_BLOCK_READ);
    if (APR_STATUS_IS_EAGAIN(rv) && can_wait)
        return park(link);
    if (rv != APR_SUCCESS)
        return end(link);
    if (can_wait && link->tls->state == SL_STATE_OPEN)
        return wait_for_request(link);
    link->handed_over = 1;
    return DECLINED;
}

void sl_conn_hooks_shutdown(sl_link_t *link)
{
    if (link->closing)
        return;
    link->closing = 1;
    sl_conn_close(link->tls, !link->unclean_shutdown && !link->c->aborted);
}

void sl_conn_hooks_await_close(sl_link_t *link)
{
    if (!link->accurate_shutdown || link->c->aborted)
        return;
    link->block = APR_BLOCK_READ;
    link->deadline = apr_time_now() + AWAIT_CLOSE;
    (void)sl_conn_await_close(link->tls);
    link->deadline = 0;
}

static int pre_close_connection(conn_rec *c)
{
    sl_link_t *link = sl_link_of(c);

    if (link && !c->master && !link->outgoing) {
        (void)sl_parking_leave(link);
        if (link->tls->state < SL_STATE_OPEN && !link->handshake_logged) {
            sl_conn_fail(link->tls, SL_FAIL_TIMEOUT, NULL);
            note_end(link);
        }
    }
    return OK;
}

static void suspend_connection(conn_rec *c, request_rec *r)
{
    sl_link_t *link = c->master ? NULL : sl_link_of(c);

    (void)r;
    if (link && link->waiting && link->tls->state < SL_STATE_OPEN)
        sl_parking_enter(link, deadline_of(link));
    else if (link && link->waiting)
        sl_parking_enter(link, request_deadline_of(link));
}

static void resume_connection(conn_rec *c, request_rec *r)
{
    sl_link_t *link = c->master ? NULL : sl_link_of(c);

    (void)r;
    if (link && link->waiting) {
        link->waiting = 0;
        (void)sl_parking_leave(link);
    }
}

static void child_init(apr_pool_t *pool, server_rec *s)
{
#ifdef AP_MPMQ_CAN_WAITIO
    int can = 0;

    mpm_can_wait = ap_mpm_query(AP_MPMQ_CAN_WAITIO, &can) == APR_SUCCESS && can;
#endif
    apr_pool_pre_cleanup_register(pool, NULL, note_end_of_child);
    sl_brigade_start();
    if (mpm_can_wait)
        sl_parking_start(pool, s);
}

void sl_conn_hooks_register(apr_pool_t *pool)
{
    host.world = sl_world_real();
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_pre_connection(pre_connection, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_process_connection(process_connection, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_pre_close_connection(pre_close_connection, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_suspend_connection(suspend_connection, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_resume_connection(resume_connection, NULL, NULL, APR_HOOK_MIDDLE);
    (void)pool;
}
