/* Variables in the environment of requests, for CGI programs and everything else that reads it.
 *
 * What StdEnvVars and the certificate options export is decided by the connection: the first request that asks
 * makes a set of it, later ones only hand it on. Sets are immutable; the list they hang in grows at its head without
 * a lock, because the streams of an HTTP/2 connection run in several threads. */
#include "httpd/env_export.h"

#include <http_config.h>
#include <http_connection.h>
#include <http_request.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <mod_securelayer.h>

#include "httpd/link.h"
#include "httpd/module_config.h"
#include "httpd/variables.h"

#define EXPORTING (SL_OPT_STD_ENV_VARS | SL_OPT_EXPORT_CERT_DATA | SL_OPT_EXPORT_BASE64_CERT_DATA)

#define MANY 256 /* variables, several times as many as usual */

typedef struct entry_t {
    const char *name, *value;
} entry_t;

/* One block of memory: entries and their text behind it. */
typedef struct sl_env_set_t {
    struct sl_env_set_t *next;
    long options;         /* of EXPORTING and SL_OPT_LEGACY_DN: made for these */
    SSL_SESSION *session; /* a reference: holds what the handshake agreed on, certificates too */
    int count;
    entry_t entries[];
} sl_env_set_t;

/* ---- sets ---- */

static void take(void *baton, const char *name, const char *value)
{
    entry_t *entry = apr_array_push(baton);

    entry->name = name;
    entry->value = value;
}

static int rows_of(long options)
{
    return (options & SL_OPT_STD_ENV_VARS ? SL_EXPORT_STD : 0) |
           (options & SL_OPT_EXPORT_CERT_DATA ? SL_EXPORT_CERT : 0) |
           (options & SL_OPT_EXPORT_BASE64_CERT_DATA ? SL_EXPORT_BASE64 : 0);
}

static char *put(char *at, const char **kept, const char *text)
{
    apr_size_t size = strlen(text) + 1;

    *kept = memcpy(at, text, size);
    return at + size;
}

static sl_env_set_t *set_of(const apr_array_header_t *found, long options, SSL *ssl)
{
    const entry_t *entries = (const entry_t *)found->elts;
    apr_size_t size = sizeof(sl_env_set_t) + (apr_size_t)found->nelts * sizeof(entry_t);
    sl_env_set_t *set;
    char *at;

    for (int i = 0; i < found->nelts; i++)
        size += strlen(entries[i].name) + strlen(entries[i].value) + 2;
    set = malloc(size);
    if (!set)
        return NULL;
    set->next = NULL;
    set->options = options;
    set->session = SSL_get1_session(ssl);
    set->count = found->nelts;
    at = (char *)&set->entries[set->count];
    for (int i = 0; i < set->count; i++) {
        at = put(at, &set->entries[i].name, entries[i].name);
        at = put(at, &set->entries[i].value, entries[i].value);
    }
    return set;
}

static const sl_env_set_t *find_set(const sl_link_t *link, long options)
{
    const SSL_SESSION *session = SSL_get_session(link->tls->ssl);

    for (const sl_env_set_t *set = atomic_load(&link->env_sets); set; set = set->next) {
        if (set->options == options && set->session == session)
            return set;
    }
    return NULL;
}

static void keep_set(sl_link_t *link, sl_env_set_t *set)
{
    set->next = atomic_load(&link->env_sets);
    while (!atomic_compare_exchange_weak(&link->env_sets, &set->next, set))
        continue;
}

static apr_status_t free_sets(void *data)
{
    sl_link_t *link = data;
    sl_env_set_t *set = atomic_exchange(&link->env_sets, NULL);

    while (set) {
        sl_env_set_t *next = set->next;

        SSL_SESSION_free(set->session);
        free(set);
        set = next;
    }
    return APR_SUCCESS;
}

/* ---- requests ---- */

static void take_into_environment(void *baton, const char *name, const char *value)
{
    apr_table_setn(baton, name, value);
}

static const sl_env_set_t *make_set(request_rec *r, sl_link_t *link, long options)
{
    apr_array_header_t *found = apr_array_make(r->pool, 96, sizeof(entry_t));
    sl_env_set_t *set;

    sl_variables_export(r, rows_of(options), take, found);
    set = set_of(found, options, link->tls->ssl);
    if (set)
        keep_set(link, set);
    return set;
}

/* apr_table_setn() looks at all there is for each name: a certificate with ten thousand alternative names, which with
 * optional_no_ca anybody may show, would keep a thread busy for a second with each request. */
static void hand_on(request_rec *r, const sl_env_set_t *set)
{
    apr_table_t *many = set->count > MANY ? apr_table_make(r->pool, set->count) : NULL;

    for (int i = 0; i < set->count; i++) {
        if (many)
            apr_table_addn(many, set->entries[i].name, set->entries[i].value);
        else
            apr_table_setn(r->subprocess_env, set->entries[i].name, set->entries[i].value);
    }
    if (many)
        apr_table_overlap(r->subprocess_env, many, APR_OVERLAP_TABLES_SET);
}

static void export_variables(request_rec *r, sl_link_t *link, long options)
{
    const sl_env_set_t *set = find_set(link, options);

    if (!set)
        set = make_set(r, link, options);
    if (set)
        hand_on(r, set);
    if (options & SL_OPT_STD_ENV_VARS)
        sl_variables_export(r, SL_EXPORT_TIMED, take_into_environment, r->subprocess_env);
}

static int fixups(request_rec *r)
{
    sl_link_t *link = sl_link_of(r->connection);
    long options;

    if (!link || !link->tls->ssl || !sl_config_vhost(r->server))
        return DECLINED;
    apr_table_setn(r->subprocess_env, "HTTPS", "on");
    if (link->tls->sni)
        apr_table_setn(r->subprocess_env, "SSL_TLS_SNI", link->tls->sni);
    apr_table_setn(r->notes, SECURELAYER_NOTE_SECURE_RENEG,
                   SSL_get_secure_renegotiation_support(link->tls->ssl) ? "1" : "0");
    options = sl_config_options(r);
    if (options & EXPORTING)
        export_variables(r, link, options & (EXPORTING | SL_OPT_LEGACY_DN));
    return DECLINED;
}

/* Runs behind the hook that makes the link. The clean-up must not wait for the first set: an HTTP/2 stream's thread
 * may not touch the main connection's pool. */
static int pre_connection(conn_rec *c, void *csd)
{
    sl_link_t *link = c->master ? NULL : sl_link_of(c);

    (void)csd;
    if (link)
        apr_pool_cleanup_register(c->pool, link, free_sets, apr_pool_cleanup_null);
    return DECLINED;
}

void sl_env_export_register(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_pre_connection(pre_connection, NULL, NULL, APR_HOOK_LAST);
    ap_hook_fixups(fixups, NULL, NULL, APR_HOOK_MIDDLE);
}
