/* Is a certificate of a client, or of a backend, revoked?  conn/peer.c asks here once the chain and its CRLs are in
 * order.
 *
 * The thread of the handshake waits for the responder: OpenSSL's verification can't be left and taken up again. No more
 * than one asks about the same certificate, none waits longer than SSLOCSPResponderTimeout or past the handshake's
 * deadline, and some threads of each child never wait. */
#include "httpd/client_ocsp.h"

#include <http_config.h>
#include <http_log.h>
#include <ap_mpm.h>

#include <apr_strings.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#include "crypto/cert_text.h"
#include "httpd/module_config.h"
#include "httpd/proxy_collect.h"
#include "ocsp/answers.h"

APLOG_USE_MODULE(sl);

static sl_answers_t *answers; /* of this child; NULL if no virtual host asks */

static const sl_profile_t *profile_of(const sl_link_t *link)
{
    return link->outgoing ? link->outgoing->profile : link->tls->vhost->profile;
}

static const sl_trust_t *trust_of(const sl_link_t *link)
{
    return link->tls->trust ? link->tls->trust : profile_of(link)->trust;
}

/* How responders are asked; what the virtual host says of the certificates of clients is not for those of backends. */
static const sl_settings_t *settings_of(const sl_link_t *link)
{
    return link->outgoing ? sl_config_of_server(link->c->base_server)->settings : link->tls->vhost->settings;
}

static const char *first_of(const apr_array_header_t *urls)
{
    return urls->nelts ? APR_ARRAY_IDX(urls, 0, const char *) : NULL;
}

static const char *responder_for(const sl_settings_t *settings, X509 *cert, apr_pool_t *pool)
{
    const char *fallback = sl_settings_text(settings, SL_OCSP_RESPONDER);
    apr_array_header_t *urls;

    if (sl_settings_number(settings, SL_OCSP_OVERRIDE))
        return fallback;
    urls = sl_ocsp_urls(pool, cert);
    return urls->nelts ? first_of(urls) : fallback;
}

/* For a responder, before the handshake must be over. */
static apr_interval_time_t time_for(const sl_link_t *link, const sl_settings_t *settings)
{
    apr_interval_time_t most = apr_time_from_sec(sl_settings_number(settings, SL_OCSP_TIMEOUT));
    apr_interval_time_t left = link->deadline ? link->deadline - apr_time_now() : most;

    if (left > most)
        left = most;
    return left > apr_time_from_msec(1) ? left : apr_time_from_msec(1);
}

static void fill(sl_ask_t *ask, const sl_link_t *link)
{
    const sl_settings_t *settings = settings_of(link);

    ask->proxy = sl_settings_text(settings, SL_OCSP_PROXY);
    ask->nonce = sl_settings_number(settings, SL_OCSP_NONCE) != 0;
    ask->timeout = time_for(link, settings);
    ask->rules.now = apr_time_sec(apr_time_now());
    ask->rules.skew = sl_settings_number(settings, SL_OCSP_SKEW);
    ask->rules.max_age = sl_settings_number(settings, SL_OCSP_MAX_AGE);
    ask->rules.unsigned_ok = !link->outgoing && sl_settings_number(settings, SL_OCSP_NO_VERIFY) != 0;
    ask->rules.responders = trust_of(link)->responders;
}

static long judge(sl_ocsp_status_t status, const char *url, const char **words, apr_pool_t *pool)
{
    if (status == SL_OCSP_GOOD)
        return X509_V_OK;
    *words = apr_psprintf(pool, "the OCSP responder %s says it is %s", url, sl_ocsp_status_word(status));
    return status == SL_OCSP_REVOKED ? X509_V_ERR_CERT_REVOKED : X509_V_ERR_APPLICATION_VERIFICATION;
}

/* Responders that are believed no more take their answers along. */
static void make_scope(unsigned char *scope, const sl_link_t *link)
{
    apr_uint64_t version = trust_of(link)->version;

    memcpy(scope, profile_of(link)->scope, SL_SCOPE_SIZE);
    for (apr_size_t i = 0; i < sizeof(version); i++)
        scope[i] ^= (unsigned char)(version >> (8 * i));
}

static long ask_responder(sl_link_t *link, sl_ask_t *ask, const char **words, apr_pool_t *scratch)
{
    sl_problem_t *why = sl_problem_make(scratch);
    unsigned char scope[SL_SCOPE_SIZE];
    sl_ocsp_status_t status;
    int asked;

    fill(ask, link);
    make_scope(scope, link);
    if (sl_answers_get(answers, &status, scope, ask, &asked, scratch, why) == APR_SUCCESS)
        return judge(status, ask->url, words, link->c->pool);
    *words = apr_pstrcat(link->c->pool, "no OCSP answer about it: ", sl_problem_text(why, scratch), NULL);
    if (asked)
        ap_log_cerror(APLOG_MARK, APLOG_WARNING, 0, link->c,
                      "SL0140: OCSP: whether the %s certificate of %s is revoked can't be told, so it is refused: "
                      "%s",
                      link->outgoing ? "backend's" : "client",
                      sl_cert_text_dn_for_log(scratch, ask->cert, SL_DN_SUBJECT), sl_problem_text(why, scratch));
    return X509_V_ERR_APPLICATION_VERIFICATION;
}

long sl_client_ocsp_check(sl_link_t *link, X509 *cert, X509 *issuer, const char **words)
{
    sl_ask_t ask;
    apr_pool_t *scratch;
    long error = X509_V_ERR_APPLICATION_VERIFICATION;

    apr_pool_create(&scratch, link->c->pool);
    memset(&ask, 0, sizeof(ask));
    ask.cert = cert;
    ask.issuer = issuer;
    ask.url = link->outgoing ? first_of(sl_ocsp_urls(scratch, cert)) : responder_for(settings_of(link), cert, scratch);
    if (!ask.url && profile_of(link)->ocsp_missing_ok)
        error = X509_V_OK;
    else if (!ask.url)
        *words = link->outgoing ? "it names no OCSP responder"
                                : "it names no OCSP responder, and SSLOCSPDefaultResponder is not set";
    else if (!issuer || !answers)
        *words = "its issuer is not known, so no OCSP responder can be asked";
    else
        error = ask_responder(link, &ask, words, scratch);
    apr_pool_destroy(scratch);
    return error;
}

static int is_wanted(const server_rec *main_server)
{
    if (sl_proxy_asks_responders())
        return 1;
    for (const server_rec *s = main_server; s; s = s->next) {
        const sl_vhost_t *vhost = sl_config_vhost(s);

        if (vhost && vhost->profile->ocsp_check != SL_OCSP_OFF)
            return 1;
    }
    return 0;
}

/* Of how many threads may wait: one in eight stays for everybody else. */
static int waiting_most(void)
{
    int threads = 1;

    (void)ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    return threads < 2 ? 1 : threads - (threads + 7) / 8;
}

static void child_init(apr_pool_t *pool, server_rec *s)
{
    if (!is_wanted(s))
        return;
    sl_fetch_init();
    answers = sl_answers_make(pool, waiting_most());
}

void sl_client_ocsp_register(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
}
