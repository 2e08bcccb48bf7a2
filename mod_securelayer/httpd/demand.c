/* What a section demands of the connection, whether it is met, and how it is got.
 *
 * Sections add to what the virtual host asks of every client, they take nothing away. access.c calls per request. */
#include "httpd/demand.h"

#include <http_log.h>
#include <http_protocol.h>
#include <util_filter.h>

#include <apr_strings.h>
#include <mod_securelayer.h>

#include "conn/machine.h"
#include "conn/reauth.h"
#include "crypto/openssl_compat.h"
#include "httpd/bio_brigade.h"
#include "httpd/body_buffer.h"
#include "httpd/denial.h"
#include "httpd/module_config.h"
#include "profile/conf_cmd.h"

APLOG_USE_MODULE(sl);

/* ---- what is demanded ---- */

static sl_demand_t demand_of(const sl_settings_t *section, const sl_vhost_t *vhost)
{
    const sl_setting_t *mode = sl_settings_get(section, SL_VERIFY_CLIENT);
    const sl_setting_t *depth = sl_settings_get(section, SL_VERIFY_DEPTH);
    const sl_profile_t *profile = vhost->profile;
    sl_demand_t demand = {profile->verify_mode, profile->verify_depth, NULL};

    if (mode)
        demand.verify_mode = sl_reauth_stronger(demand.verify_mode, (int)mode->number);
    if (depth && (profile->verify_mode == SL_VERIFY_NONE || depth->number < profile->verify_depth))
        demand.verify_depth = (int)depth->number;
    return demand;
}

static const char *list_of(request_rec *r, const sl_settings_t *section)
{
    const sl_setting_t *list = sl_settings_get(section, SL_CIPHERS);

    return list ? apr_pstrcat(r->pool, list->values[0].text, SL_NEVER_SUITES, NULL) : NULL;
}

/* OK: the suite in use will do. DECLINED: the client must choose anew. Else: it never will do. */
static int check_suites(request_rec *r, const sl_link_t *link, const sl_settings_t *section, const char *list)
{
    const sl_setting_t *suites = sl_settings_get(section, SL_SUITES);
    int is_tls1_3 = SSL_version(link->tls->ssl) >= TLS1_3_VERSION;

    if (is_tls1_3 && suites)
        return sl_reauth_has_suite(link->tls, suites->values[0].text) ? OK : sl_denial(r, link, SL_DENY_CIPHER);
    if (!list)
        return OK;
    switch (sl_reauth_look_at_ciphers(link->tls, list)) {
    case SL_CIPHERS_SAME:
        return OK;
    case SL_CIPHERS_ALLOW:
        return is_tls1_3 || sl_config_options(r) & SL_OPT_OPT_RENEGOTIATE ? OK : DECLINED;
    case SL_CIPHERS_FORBID:
        return is_tls1_3 ? sl_denial(r, link, SL_DENY_CIPHER) : DECLINED;
    default:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "AH02253: no usable cipher suite in the SSLCipherSuite of this section");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
}

/* ---- a new handshake ---- */

static apr_off_t buffer_size(const sl_settings_t *section)
{
    return sl_settings_number(section, SL_RENEG_BUFFER_SIZE);
}

apr_status_t sl_demand_keep(void *baton, const unsigned char *bytes, apr_size_t length)
{
    sl_link_t *link = baton;

    if (length > link->keep_room)
        return APR_ENOMEM;
    link->keep_room -= length;
    if (!link->plain)
        link->plain = apr_brigade_create(link->c->pool, link->c->bucket_alloc);
    APR_BRIGADE_INSERT_TAIL(link->plain, sl_brigade_copy(link, bytes, length));
    return APR_SUCCESS;
}

/* What a client has sent ahead was sent before it showed who it is: another request of its own does not follow on this
 * connection. */
static void end_if_more_came(request_rec *r)
{
    conn_rec *c = r->connection;
    apr_bucket_brigade *peek = apr_brigade_create(r->pool, c->bucket_alloc);

    if (ap_get_brigade(c->input_filters, peek, AP_MODE_SPECULATIVE, APR_NONBLOCK_READ, 1) == APR_SUCCESS &&
        !APR_BRIGADE_EMPTY(peek))
        c->keepalive = AP_CONN_CLOSE;
    apr_brigade_destroy(peek);
}

static int clear_the_way(request_rec *r, const sl_settings_t *section)
{
    int rv = OK;

    while (r->main)
        r = r->main;
    if (sl_body_buffer_is_due(r))
        rv = sl_body_buffer_fill(r, buffer_size(section));
    if (rv == OK)
        end_if_more_came(r);
    return rv;
}

static void shake_again(request_rec *r, sl_link_t *link, const sl_demand_t *demand, apr_off_t room)
{
    sl_conn_t *tls = link->tls;

    link->keep_room = (apr_size_t)room;
    link->block = APR_BLOCK_READ;
    link->deadline = apr_time_now() + tls->vhost->handshake_timeout;
    sl_reauth_begin(tls, demand);
    if (sl_machine_run(tls) == SL_WANT_READ)
        sl_conn_fail(tls, SL_FAIL_TIMEOUT, NULL);
    link->deadline = 0;
    (void)sl_brigade_flush(link);
    if (tls->state == SL_STATE_OPEN) {
        ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r, "SL0125: the client was asked again: %s",
                      SSL_get0_peer_certificate(tls->ssl) ? "it sent a certificate" : "it sent no certificate");
        return;
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "AH02261: Re-negotiation handshake failed (%s)%s%s",
                  sl_failure_word(tls->failure.reason), tls->failure.detail ? ": " : "",
                  tls->failure.detail ? tls->failure.detail : "");
    r->connection->keepalive = AP_CONN_CLOSE;
    r->connection->aborted = 1;
}

static int deny(request_rec *r, sl_link_t *link, sl_denial_t reason)
{
    link->asked_in_vain = 1;
    return sl_denial(r, link, reason);
}

static int judge(request_rec *r, sl_link_t *link, const sl_demand_t *demand)
{
    const sl_conn_t *tls = link->tls;

    if (tls->state != SL_STATE_OPEN) {
        link->asked_in_vain = 1;
        return HTTP_FORBIDDEN;
    }
    if (tls->verify_error != X509_V_OK)
        return deny(r, link, SL_DENY_BAD_CERTIFICATE);
    if (!sl_reauth_is_met(tls, demand->verify_mode, demand->verify_depth))
        return deny(r, link, SSL_get0_peer_certificate(tls->ssl) ? SL_DENY_BAD_CERTIFICATE : SL_DENY_NO_CERTIFICATE);
    if (demand->ciphers && sl_reauth_look_at_ciphers(tls, demand->ciphers) == SL_CIPHERS_FORBID)
        return deny(r, link, SL_DENY_CIPHER);
    return DECLINED;
}

/* HTTP/2 forbids both ways (RFC 9113 section 9.2.3); mod_http2 makes HTTP_1_1_REQUIRED of the note. */
static int send_to_http1(request_rec *r, const char *why)
{
    apr_table_setn(r->notes, SECURELAYER_NOTE_RENEGOTIATE_FORBIDDEN, why);
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "SL0126: %s needs a new look at the client (%s), which takes HTTP/1.1",
                  r->uri, why);
    return HTTP_FORBIDDEN;
}

static int is_http2(const request_rec *r)
{
    return r->connection->master != NULL || !strcmp(ap_get_protocol(r->connection), "h2");
}

static int obtain(request_rec *r, sl_link_t *link, const sl_demand_t *demand, const char *what)
{
    const sl_settings_t *section = sl_config_of_request(r)->settings;
    int rv;

    if (link->asked_in_vain) {
        if (link->tls->verify_error != X509_V_OK)
            return sl_denial(r, link, SL_DENY_BAD_CERTIFICATE);
        return demand->ciphers ? sl_denial(r, link, SL_DENY_CIPHER) : sl_denial(r, link, SL_DENY_NO_CERTIFICATE);
    }
    if (is_http2(r))
        return send_to_http1(r, what);
    switch (sl_reauth_bar(link->tls)) {
    case SL_REAUTH_NOT_OFFERED:
        return sl_denial(r, link, SL_DENY_NOT_OFFERED);
    case SL_REAUTH_INSECURE:
        return sl_denial(r, link, SL_DENY_INSECURE);
    default:
        break;
    }
    rv = clear_the_way(r, section);
    if (rv != OK)
        return rv;
    shake_again(r, link, demand, buffer_size(section));
    return judge(r, link, demand);
}

/* ---- the check ---- */

/* Under SSLVHostSNIPolicy insecure a request may be for a host that the handshake knew nothing of, and no CA of that is
 * known to the connection. */
static int is_of_other_trust(request_rec *r, const sl_link_t *link, const sl_vhost_t *vhost, const sl_demand_t *demand)
{
    return vhost != link->tls->vhost && demand->verify_mode != SL_VERIFY_NONE &&
           (demand->verify_mode == SL_VERIFY_REQUIRE || sl_conn_peer(link->tls)) &&
           !sl_vhost_trusts_alike(vhost, link->tls->vhost, r->pool);
}

int sl_demand_check(request_rec *r, sl_link_t *link)
{
    const sl_settings_t *section = sl_config_of_request(r)->settings;
    const sl_vhost_t *vhost = sl_config_vhost(r->server);
    const char *list = list_of(r, section);
    sl_demand_t demand;
    int suites;

    if (!vhost)
        return DECLINED;
    demand = demand_of(section, vhost);
    if (is_of_other_trust(r, link, vhost, &demand))
        return sl_denial(r, link, SL_DENY_OTHER_HOST);
    if (sl_openssl_srp_user(link->tls->ssl))
        return DECLINED; /* who logged in with a password is asked for nothing else */
    suites = check_suites(r, link, section, list);
    if (suites != OK && suites != DECLINED)
        return suites;
    if (suites == DECLINED)
        demand.ciphers = list;
    if (suites == OK && sl_reauth_is_met(link->tls, demand.verify_mode, demand.verify_depth))
        return DECLINED;
    return obtain(r, link, &demand, suites == OK ? "verify-client" : "cipher-suite");
}
