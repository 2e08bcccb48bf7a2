/* The client role in httpd: the notes that mod_proxy leaves on a connection to a backend, and the sessions with
 * backends that the threads of a child share.  Called by conn_hooks; filters and machine are those of every
 * connection. */
#include "httpd/proxy.h"

#include <http_config.h>
#include <http_log.h>

#include <apr_strings.h>
#include <openssl/evp.h>
#include <string.h>

#include "conn/connect.h"
#include "httpd/identities.h"
#include "httpd/log.h"
#include "httpd/module_config.h"
#include "httpd/module_hooks.h"
#include "httpd/trusts.h"
#include "resume/client_sessions.h"

APLOG_USE_MODULE(sl);

/* Sessions that a child keeps. */
#define MOST_SESSIONS 4096

static sl_client_sessions_t *sessions; /* of this child */

/* ---- for the machine ---- */

int sl_proxy_accept(void *baton, SSL *ssl)
{
    sl_link_t *link = baton;

    return sl_module_hooks_proxy_post_handshake(link->c, ssl);
}

int sl_proxy_put_session(void *baton, SSL_SESSION *session)
{
    sl_link_t *link = baton;

    if (sessions)
        sl_client_sessions_put(sessions, link->session_key, session, apr_time_sec(apr_time_now()));
    return sessions != NULL;
}

/* ---- whom it goes to ---- */

static const char *hostname_of(conn_rec *c)
{
    const char *name = apr_table_get(c->notes, "proxy-request-hostname");
    apr_size_t length = name ? strlen(name) : 0;

    if (!length)
        return NULL;
    if (name[0] == '[' && name[length - 1] == ']')
        return apr_pstrmemdup(c->pool, name + 1, length - 2);
    if (name[length - 1] == '.')
        return apr_pstrmemdup(c->pool, name, length - 1);
    return name;
}

static apr_array_header_t *protocols_of(conn_rec *c)
{
    const char *note = apr_table_get(c->notes, "proxy-request-alpn-protos");
    apr_array_header_t *protocols;
    char *last, *name;

    if (!note || !*note)
        return NULL;
    protocols = apr_array_make(c->pool, 2, sizeof(const char *));
    for (name = apr_strtok(apr_pstrdup(c->pool, note), ", \t", &last); name; name = apr_strtok(NULL, ", \t", &last))
        APR_ARRAY_PUSH(protocols, const char *) = name;
    return protocols;
}

/* All that makes two connections to a backend alike; a certificate that was renewed is another one, and its version has
 * grown, as has that of newer CAs and CRLs: a resumed handshake does not look at them. */
static void set_session_key(sl_link_t *link, const sl_target_t *target, const char *address)
{
    const apr_array_header_t *identities = target->outgoing->identities;
    apr_uint64_t versions = 0, trust_version = 0;
    const char *text;

    for (int i = 0; i < identities->nelts; i++)
        versions += sl_supply_version(sl_identities_supply(), APR_ARRAY_IDX(identities, i, sl_identity_ref_t).id);
    if (target->trust)
        trust_version = target->trust->version;
    text =
        apr_psprintf(link->c->pool, "%pp\n%" APR_UINT64_T_FMT "\n%" APR_UINT64_T_FMT "\n%s\n%s\n%s",
                     (const void *)target->outgoing, versions, trust_version, address, target->name ? target->name : "",
                     target->alpn ? apr_array_pstrcat(link->c->pool, target->alpn, ',') : "");
    EVP_Digest(text, strlen(text), link->session_key, NULL, EVP_sha256(), NULL);
}

void sl_proxy_aim(sl_link_t *link)
{
    conn_rec *c = link->c;
    sl_target_t *target = apr_pcalloc(c->pool, sizeof(*target));
    const char *address = c->client_addr ? apr_psprintf(c->pool, "%s:%u", c->client_ip ? c->client_ip : "?",
                                                        (unsigned)c->client_addr->port)
                                         : "a local socket";

    target->outgoing = link->outgoing;
    target->name = hostname_of(c);
    target->alpn = protocols_of(c);
    target->backend =
        target->name ? apr_psprintf(c->pool, "%s (%s)", ap_escape_logitem(c->pool, target->name), address) : address;
    target->trust = sl_trusts_get(link->outgoing->trust_id);
    set_session_key(link, target, address);
    if (sessions)
        target->session = sl_client_sessions_take(sessions, link->session_key, apr_time_sec(apr_time_now()));
    sl_conn_aim(link->tls, target);
}

apr_time_t sl_proxy_deadline(const sl_link_t *link)
{
    const sl_settings_t *settings = sl_config_of_server(link->c->base_server)->settings;

    return link->tls->started + apr_time_from_sec(sl_settings_number(settings, SL_HANDSHAKE_TIMEOUT));
}

void sl_proxy_note_handshake(sl_link_t *link)
{
    sl_conn_t *tls = link->tls;

    if (tls->state == SL_STATE_OPEN) {
        apr_table_setn(link->c->notes, "SSL_connect_rv", "ok");
        ap_log_cerror(APLOG_MARK, APLOG_DEBUG, 0, link->c, "SL0173: handshake complete with backend %s: %s, %s, %s",
                      tls->target->backend, SSL_get_version(tls->ssl), SSL_get_cipher_name(tls->ssl),
                      SSL_session_reused(tls->ssl) ? "resumed" : "full");
        return;
    }
    link->c->aborted = 1;
    if (tls->state != SL_STATE_FAILED)
        return;
    /* "err" would have mod_proxy answer 500, as if the fault were here. */
    apr_table_setn(link->c->notes, "SSL_connect_rv", "failed");
    if (sessions)
        sl_client_sessions_drop(sessions, link->session_key);
    link->failure_told = 1;
    sl_log_backend_failure(link->c, tls);
}

void sl_proxy_note_failure(sl_link_t *link)
{
    if (link->tls->state != SL_STATE_FAILED || link->failure_told)
        return;
    link->failure_told = 1;
    sl_log_backend_end(link->c, link->tls);
}

/* ---- hooks ---- */

static void child_init(apr_pool_t *pool, server_rec *s)
{
    (void)s;
    sessions = sl_client_sessions_make(pool, MOST_SESSIONS);
}

void sl_proxy_register(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
}
