/* The one pass over all servers that turns settings into virtual hosts.  Called by startup.c. */
#include "httpd/collect_vhosts.h"

#include <ap_listen.h>
#include <ap_mpm.h>
#include <http_core.h>
#include <http_log.h>
#include <http_main.h>
#include <http_ssl.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <string.h>

#include "base/file_stamp.h"
#include "base/text.h"
#include "conn/machine.h"
#include "crypto/key_uri.h"
#include "crypto/openssl_error.h"
#include "httpd/broken_hosts.h"
#include "httpd/directories.h"
#include "httpd/identities.h"
#include "httpd/module_config.h"
#include "httpd/module_hooks.h"
#include "httpd/phrases.h"
#include "httpd/proxy_collect.h"
#include "httpd/reload.h"
#include "identity/identity_cache.h"
#include "identity/replacement.h"
#include "keeper/watch.h"
#include "profile/profile_set.h"

APLOG_USE_MODULE(sl);

typedef struct sl_collect_t {
    apr_pool_t *pool;
    apr_pool_t *scratch; /* of the host in hand */
    apr_pool_t *whole;   /* of the pass */
    sl_problems_t *problems;
    sl_profile_set_t *profiles;
    sl_identity_cache_t *cache;
    sl_supply_t *supply;
    sl_dialog_t *dialog; /* for pass phrases */
    apr_hash_t *reviewed; /* identities whose own warnings were given already */
    apr_hash_t *lone;     /* those of which was told that their issuer is not there */
    apr_int64_t now;
    int ask_modules;
    int may_await; /* what is repaired while httpd runs is noticed */
    apr_array_header_t *lacks; /* of lack_t, of the host in hand; NULL: none */
    int hosts;
} sl_collect_t;

/* A certificate of a host that could not be had. */
typedef struct lack_t {
    const sl_source_t *source;
    apr_uint64_t stamp; /* of its files */
    int place;          /* among the host's identities */
} lack_t;

/* ---- is TLS on? ---- */

/* What httpd gives the server as its protocol once it opens its listeners, which `httpd -t` does not come to. */
static const char *protocol_of_listener(const server_rec *s)
{
    for (const server_addr_rec *address = s->addrs; address; address = address->next) {
        for (const ap_listen_rec *listener = ap_listeners; listener; listener = listener->next) {
            if (apr_sockaddr_equal(listener->bind_addr, address->host_addr) &&
                listener->bind_addr->port == address->host_port)
                return listener->protocol;
        }
    }
    return NULL;
}

static int is_engine_on(const server_rec *s, const sl_settings_t *settings)
{
    const sl_setting_t *engine = sl_settings_get(settings, SL_ENGINE);
    const char *protocol;

    if (engine)
        return engine->number == SL_ENGINE_ON;
    protocol = ap_get_server_protocol((server_rec *)s);
    if (!protocol)
        protocol = protocol_of_listener(s);
    return protocol && !strcmp(protocol, "https") &&
           (sl_settings_get(settings, SL_CERTIFICATE_FILE) || sl_directories_setting(settings));
}

/* The port of ServerName, else the one the host is reached by: it is part of the session scope too. */
static unsigned port_of(const server_rec *s)
{
    if (s->port)
        return s->port;
    return s->addrs && s->addrs->host_port ? s->addrs->host_port : 443;
}

static const char *host_id(const sl_collect_t *in, const server_rec *s)
{
    return apr_psprintf(in->pool, "%s:%u", s->server_hostname ? s->server_hostname : "(no ServerName)", port_of(s));
}

/* ---- certificates ---- */

static const sl_value_t *nth(const sl_setting_t *setting, int n)
{
    return setting && n < setting->count ? &setting->values[n] : NULL;
}

/* What the files looked like when the directives were read, which is before they are read themselves: what changes
 * meanwhile is noticed. 0: somebody has to look. */
static apr_uint64_t configured_stamp(const sl_value_t *const values[3])
{
    apr_uint64_t stamp = SL_FILE_STAMPS;

    for (int i = 0; i < 3; i++) {
        if (values[i] && !values[i]->stamp)
            return 0;
        if (values[i])
            stamp = sl_file_stamp_add(stamp, values[i]->stamp);
    }
    return stamp;
}

/* An array of sl_wanted_t. */
static apr_array_header_t *configured_sources(const sl_collect_t *in, const sl_settings_t *settings)
{
    const sl_setting_t *certificates = sl_settings_get(settings, SL_CERTIFICATE_FILE);
    const sl_setting_t *keys = sl_settings_get(settings, SL_CERTIFICATE_KEY_FILE);
    const sl_value_t *chain = nth(sl_settings_get(settings, SL_CERTIFICATE_CHAIN_FILE), 0);
    apr_array_header_t *sources = apr_array_make(in->scratch, 2, sizeof(sl_wanted_t));

    for (int i = 0; certificates && i < certificates->count; i++) {
        sl_wanted_t *wanted = apr_array_push(sources);
        sl_source_t *source = &wanted->source;
        const sl_value_t *key = nth(keys, i);

        source->certificate = certificates->values[i].text;
        source->origin = certificates->values[i].origin;
        source->key = key ? key->text : NULL;
        source->key_origin = key ? key->origin : source->origin;
        source->chain = chain ? chain->text : NULL;
        source->chain_origin = sl_settings_origin(settings, SL_CERTIFICATE_CHAIN_FILE);
        source->first = i == 0;
        wanted->stamp = configured_stamp((const sl_value_t *const[]){&certificates->values[i], key, chain});
    }
    return sources;
}

/* Certificates that other modules bring (mod_md), who are shown those of the configuration; returns how many. */
static int add_from_modules(const sl_collect_t *in, server_rec *s, apr_array_header_t *sources,
                            void (*ask)(server_rec *, apr_pool_t *, apr_array_header_t *, apr_array_header_t *))
{
    apr_array_header_t *certificates = apr_array_make(in->scratch, 2, sizeof(const char *));
    apr_array_header_t *keys = apr_array_make(in->scratch, 2, sizeof(const char *));
    int own = sources->nelts, own_keys;

    if (!in->ask_modules)
        return 0;
    for (int i = 0; i < own; i++) {
        const sl_source_t *source = &APR_ARRAY_IDX(sources, i, sl_wanted_t).source;

        APR_ARRAY_PUSH(certificates, const char *) = source->certificate;
        if (source->key)
            APR_ARRAY_PUSH(keys, const char *) = source->key;
    }
    own_keys = keys->nelts;
    ask(s, in->pool, certificates, keys);
    if (certificates->nelts <= own)
        return 0;
    for (int i = 0; i < own; i++) { /* theirs come complete: a chain file of ours is not for them */
        APR_ARRAY_IDX(sources, i, sl_wanted_t).source.chain = NULL;
        APR_ARRAY_IDX(sources, i, sl_wanted_t).stamp = 0;
    }
    for (int i = own, key = own_keys; i < certificates->nelts; i++, key++) {
        sl_wanted_t *wanted = apr_array_push(sources);
        sl_source_t *source = &wanted->source;

        memset(wanted, 0, sizeof(*wanted));
        source->certificate = APR_ARRAY_IDX(certificates, i, const char *);
        source->key = key < keys->nelts ? APR_ARRAY_IDX(keys, key, const char *) : NULL;
        source->first = sources->nelts == 1;
        source->origin.directive = source->key_origin.directive = "a certificate of another module";
    }
    return certificates->nelts - own;
}

static void tell_that_it_serves_on(sl_collect_t *in, sl_problem_t *why, const char *id)
{
    why->log_id = "SL0004";
    sl_problem_while(why, "the certificate that was served before keeps serving, as the new one can't");
    sl_problem_while(why, "certificate of %s", id);
    sl_problems_keep(in->problems, why, SL_PROBLEM_WARNING);
}

/* As mod_ssl names a host to programs that know its pass phrase. */
static const char *host_for_dialog(const sl_collect_t *in, const server_rec *s)
{
    return apr_psprintf(in->scratch, "%s:%u", s->server_hostname ? s->server_hostname : "", s->port ? s->port : 443U);
}

/* httpd -t leaves keys closed that somebody would have to be asked for. */
static void tell_of_closed_key(sl_collect_t *in, const sl_problem_t *why)
{
    sl_problems_add(in->problems, SL_PROBLEM_WARNING, "SL0006", &why->origin, why->object,
                    "httpd -t -D ASK_PASS_PHRASES asks for it",
                    "was not looked into: it needs a pass phrase, and httpd -t does not ask for it");
}

/* Is there surely nothing that could be worse about it? */
static int looks_fine(const sl_collect_t *in, const sl_stored_t *fresh, const apr_array_header_t *names)
{
    int is_fine = sl_stored_is_in_order(fresh, in->now);

    for (int i = 0; is_fine && i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        char host[SL_HOST_MAX + 1];

        is_fine = !sl_text_host(host, name, strlen(name)) || sl_stored_covers(fresh, host);
    }
    return is_fine;
}

/* A restart takes nothing that the keeper would refuse: it may be no more than a log that was rotated. NULL: `fresh`
 * may take the place of what was served before; else that, and what is wrong has been told. */
static const sl_stored_t *better_one_before(sl_collect_t *in, const server_rec *s, const sl_wanted_t *wanted,
                                            const sl_stored_t *fresh, const char *id)
{
    const sl_stored_t *before = sl_identity_cache_before(in->cache, &wanted->source, wanted->stamp, fresh, in->scratch);
    apr_array_header_t *names;
    sl_identity_t *old, *new;
    sl_problem_t *why;
    apr_status_t rv = APR_SUCCESS;

    if (!before)
        return NULL;
    names = sl_identities_names(s, in->scratch);
    if (looks_fine(in, fresh, names))
        return NULL;
    why = sl_problems_new(in->problems, NULL);
    old = sl_stored_get(before, SL_BLOB_ALL);
    new = sl_stored_get(fresh, SL_BLOB_ALL);
    if (old && new)
        rv = sl_replacement_check(old, new, names, in->now, &wanted->source.origin, in->scratch, why);
    sl_identity_release(old);
    sl_identity_release(new);
    if (rv == APR_SUCCESS)
        return NULL;
    tell_that_it_serves_on(in, why, id);
    sl_identity_cache_want(in->cache, &wanted->source, before, in->scratch);
    return before;
}

/* NULL if there is none; what is wrong has been told. */
static const sl_stored_t *load_identity(sl_collect_t *in, const server_rec *s, sl_wanted_t *wanted, int index,
                                        const char *id)
{
    const sl_source_t *source = &wanted->source;
    sl_problem_t *why = sl_problems_new(in->problems, NULL); /* the loader knows which directive is to blame */
    sl_question_t question = {.dialog = in->dialog, .host = host_for_dialog(in, s), .index = index};
    const sl_stored_t *stored = NULL, *before;
    apr_status_t rv = sl_identity_cache_load(in->cache, &stored, source, wanted->stamp, sl_dialog_ask, &question,
                                             in->scratch, in->problems, why);

    sl_dialog_end(&question, why);
    if (rv != APR_SUCCESS && question.withheld) {
        tell_of_closed_key(in, why);
        return NULL;
    }
    if (rv == APR_SUCCESS) {
        before = better_one_before(in, s, wanted, stored, id);
    }
    else {
        before = sl_identity_cache_last(in->cache, source, in->scratch);
        if (before) {
            tell_that_it_serves_on(in, why, id);
        }
        else {
            sl_problem_while(why, "certificate of %s", id);
            sl_problems_keep(in->problems, why, SL_PROBLEM_ERROR);
        }
    }
    if (!before)
        return stored;
    wanted->stamp = 0; /* the keeper looks at these files as at a change, and tells what becomes of them */
    return before;
}

/* As in mod_ssl ServerName alone counts: an alias may be there for plain HTTP only. */
static void warn_of_name(sl_collect_t *in, const server_rec *s, const sl_source_t *source, const sl_stored_t *stored)
{
    char host[SL_HOST_MAX + 1];
    const char *name = s->server_hostname;

    if (!name || !sl_text_host(host, name, strlen(name)) || sl_stored_covers(stored, host))
        return;
    sl_problems_add(in->problems, SL_PROBLEM_WARNING, "AH01909", &source->origin,
                    sl_key_uri_shown(source->certificate, in->whole),
                    "Check ServerName, or get a certificate for that name",
                    "the certificate does not cover the host's name, %s", apr_pstrdup(in->whole, host));
}

static int is_first_time(sl_collect_t *in, apr_hash_t *seen, const sl_stored_t *stored)
{
    if (apr_hash_get(seen, &stored, sizeof(stored)))
        return 0;
    apr_hash_set(seen, apr_pmemdup(in->whole, &stored, sizeof(stored)), sizeof(stored), "");
    return 1;
}

static void review_once(sl_collect_t *in, const sl_source_t *source, const sl_stored_t *stored)
{
    sl_identity_t *identity;

    if (!is_first_time(in, in->reviewed, stored))
        return;
    identity = sl_stored_get(stored, SL_BLOB_ALL);
    if (identity)
        sl_identity_review(identity, NULL, in->now, &source->origin, in->problems);
    sl_identity_release(identity);
}

static void review_issuer(sl_collect_t *in, const sl_source_t *source, const sl_stored_t *stored,
                          const sl_trust_t *trust)
{
    STACK_OF(X509) *cas = trust ? trust->cas : NULL;
    sl_identity_t *identity;

    if (stored->is_complete || sl_stored_issuer_among(stored, cas) || !is_first_time(in, in->lone, stored))
        return;
    identity = sl_stored_get(stored, SL_BLOB_CERTIFICATES);
    if (identity)
        sl_identity_review_issuer(identity, cas, &source->origin, in->problems);
    sl_identity_release(identity);
}

/* Whether CAs complete its chains is known once the host's profile is. */
static void review_issuers(sl_collect_t *in, const apr_array_header_t *identities, const sl_profile_t *profile)
{
    for (int i = 0; profile && !in->lacks && i < identities->nelts; i++) {
        int id = APR_ARRAY_IDX(identities, i, sl_identity_ref_t).id;
        const sl_stored_t *stored = sl_supply_start_of(in->supply, id);

        if (stored)
            review_issuer(in, &sl_identities_record(id)->source, stored, profile->trust);
    }
}

/* A certificate that many hosts share is reviewed once; whether it covers a host's name is told for each. */
static void review(sl_collect_t *in, const server_rec *host, const sl_source_t *source, const sl_stored_t *stored)
{
    if (!sl_stored_is_in_order(stored, in->now))
        review_once(in, source, stored);
    if (host)
        warn_of_name(in, host, source, stored);
    else
        review_issuer(in, source, stored, NULL);
}

static apr_uint64_t stamp_of(const sl_source_t *source)
{
    const char *const places[] = {source->certificate, source->key, source->chain};
    const char *paths[SL_WATCH_PATHS + 1];
    int count = 0;

    for (int i = 0; i < 3; i++) {
        const char *file = places[i] && sl_key_uri_is(places[i]) ? sl_key_uri_file(places[i]) : places[i];

        if (file) /* what a token holds has no date */
            paths[count++] = file;
    }
    paths[count] = NULL;
    return sl_watch_stamp(paths);
}

/* Its place is left free: the host may come to be served without a restart. */
static void note_lack(sl_collect_t *in, const sl_source_t *source, apr_uint64_t stamp, apr_array_header_t *identities)
{
    lack_t lack = {source, stamp, identities->nelts};

    if (!in->lacks)
        in->lacks = apr_array_make(in->scratch, 2, sizeof(lack_t));
    APR_ARRAY_PUSH(in->lacks, lack_t) = lack;
    apr_array_push(identities);
}

/* `host`: the one that shows it; NULL: it is for backends. */
static void load_one(sl_collect_t *in, const server_rec *s, const server_rec *host, sl_wanted_t *wanted, int index,
                     const char *id, apr_array_header_t *identities)
{
    int errors = in->problems->errors;
    const sl_stored_t *stored;
    sl_identity_ref_t ref;

    if (!wanted->stamp)
        wanted->stamp = stamp_of(&wanted->source);
    stored = load_identity(in, s, wanted, index, id);
    if (!stored && host && in->problems->errors > errors)
        note_lack(in, &wanted->source, wanted->stamp, identities);
    if (!stored)
        return;
    review(in, host, &wanted->source, stored);
    ref = sl_supply_add(in->supply, stored);
    APR_ARRAY_PUSH(identities, sl_identity_ref_t) = ref;
    sl_identities_note(in->pool, ref.id, stored, &wanted->source, wanted->stamp, host);
}

static void load_identities(sl_collect_t *in, const server_rec *s, const apr_array_header_t *sources, const char *id,
                            apr_array_header_t *identities)
{
    for (int i = 0; i < sources->nelts; i++)
        load_one(in, s, s, &APR_ARRAY_IDX(sources, i, sl_wanted_t), i, id, identities);
}

/* Ahead of their hosts' turn, for there may be very many of them. Later passes know most of them. */
static void read_all(sl_collect_t *in, server_rec *main_server)
{
    apr_array_header_t *all = apr_array_make(in->scratch, 16, sizeof(sl_wanted_t));

    for (server_rec *s = main_server; s; s = s->next) {
        const sl_settings_t *settings = sl_config_of_server(s)->settings;
        const apr_array_header_t *sources = is_engine_on(s, settings) ? configured_sources(in, settings) : NULL;

        for (int i = 0; sources && i < sources->nelts; i++) {
            sl_wanted_t *wanted = apr_array_push(all);

            *wanted = APR_ARRAY_IDX(sources, i, sl_wanted_t);
            if (!wanted->stamp)
                wanted->stamp = stamp_of(&wanted->source);
        }
    }
    sl_identity_cache_read(in->cache, all, in->scratch);
}

/* An sl_proxy_load_t. */
static void load_for_backends(void *baton, server_rec *s, const sl_source_t *source, int index, const char *id,
                              apr_array_header_t *identities)
{
    sl_wanted_t wanted = {*source, 0};

    load_one(baton, s, NULL, &wanted, index, id, identities);
}

static void collect_backends(sl_collect_t *in, server_rec *main_server)
{
    sl_proxy_collect_t how = {in->pool, in->scratch, in->problems, in->now, in->ask_modules, load_for_backends, in};

    sl_proxy_collect(&how, main_server);
}

static void complain_of_no_certificate(sl_collect_t *in, const sl_settings_t *settings, const char *id)
{
    sl_origin_t origin = sl_settings_origin(settings, SL_ENGINE);

    if (sl_settings_is_refused(settings, SL_CERTIFICATE_FILE)) /* it was told what is wrong, and that may be all */
        return;
    sl_problems_add(in->problems, SL_PROBLEM_ERROR, "AH02572", &origin, id,
                    "Add SSLCertificateFile and SSLCertificateKeyFile, or switch SSLEngine off for it",
                    "TLS is on for this host, but it has no certificate");
}

/* ---- one server ---- */

static void warn_of_ports(sl_collect_t *in, const server_rec *s, const sl_settings_t *settings, const char *id, int on)
{
    sl_origin_t origin = sl_settings_origin(settings, SL_ENGINE);

    if (on && s->port == 80)
        sl_problems_add(in->problems, SL_PROBLEM_WARNING, "AH01915", &origin, id,
                        "Set SSLEngine off, or give the host another port",
                        "TLS is on although this host is for port 80, the port of plain HTTP");
    if (!on && s->port == 443 && !sl_settings_is_refused(settings, SL_ENGINE))
        sl_problems_add(in->problems, SL_PROBLEM_WARNING, "AH01916", NULL, id, "Set SSLEngine on",
                        "TLS is off although this host is for port 443, the port of HTTPS");
}

#define SAME_SETTINGS "has the same settings as another host, which can't be served with them"

/* The errors that the keeper notices the end of: those of certificates whose places are all files. */
static int count_awaited(const sl_collect_t *in)
{
    const char *paths[SL_WATCH_PATHS + 1];

    for (int i = 0; in->may_await && in->lacks && i < in->lacks->nelts; i++) {
        sl_identities_paths(APR_ARRAY_IDX(in->lacks, i, lack_t).source, paths);
        if (!*paths)
            return 0;
    }
    return in->may_await && in->lacks ? in->lacks->nelts : 0;
}

static void await_all(const sl_collect_t *in, const server_rec *s, const apr_array_header_t *identities)
{
    for (int i = 0; i < in->lacks->nelts; i++) {
        const lack_t *lack = &APR_ARRAY_IDX(in->lacks, i, lack_t);

        APR_ARRAY_IDX(identities, lack->place, sl_identity_ref_t) =
            sl_identities_await(in->pool, lack->source, lack->stamp, s);
    }
}

/* Nobody comes as far as its profile, but all hosts have one. */
static void leave_out(sl_collect_t *in, server_rec *s, sl_profile_t *profile, const char *id)
{
    sl_server_config_t *config = sl_config_of_server(s);

    if (!profile)
        profile = sl_profile_set_get(in->profiles, sl_settings_make(in->pool), id, in->scratch, in->problems);
    if (!profile)
        return;
    config->vhost = sl_vhost_make(in->pool, id, config->settings, profile,
                                  apr_array_make(in->pool, 0, sizeof(sl_identity_ref_t)), s);
    config->vhost->left_out = SL_OUT_UNTIL_RESTART;
}

/* `waits`: not until its certificates are there. */
static void serve(const sl_collect_t *in, server_rec *s, sl_profile_t *profile, const char *id,
                  apr_array_header_t *identities, int waits)
{
    sl_server_config_t *config = sl_config_of_server(s);

    config->vhost = sl_vhost_make(in->pool, id, config->settings, profile, identities, s);
    if (!waits)
        return;
    await_all(in, s, identities);
    config->vhost->left_out = SL_OUT_UNTIL_REPAIRED;
}

static void collect_server(sl_collect_t *in, server_rec *s)
{
    sl_server_config_t *config = sl_config_of_server(s);
    const sl_setting_t *engine = sl_settings_get(config->settings, SL_ENGINE);
    const char *id = host_id(in, s);
    apr_array_header_t *sources, *identities;
    sl_profile_t *profile;
    sl_host_fate_t fate;
    int stand_in = 0, first = in->problems->all->nelts, on = is_engine_on(s, config->settings);

    warn_of_ports(in, s, config->settings, id, on);
    if (engine && engine->number == SL_ENGINE_OPTIONAL)
        sl_problems_add(in->problems, SL_PROBLEM_WARNING, "AH10510", &engine->values[0].origin, id,
                        "Write SSLEngine on or off", "'optional' is no longer supported and counts as off");
    if (!on)
        return;
    sources = configured_sources(in, config->settings);
    add_from_modules(in, s, sources, sl_module_hooks_add_cert_files);
    if (!sources->nelts)
        stand_in = add_from_modules(in, s, sources, sl_module_hooks_add_fallback_cert_files);
    identities = apr_array_make(in->pool, sources->nelts, sizeof(sl_identity_ref_t));
    in->lacks = NULL;
    load_identities(in, s, sources, id, identities);
    profile = sl_profile_set_get(in->profiles, config->settings, id, in->scratch, in->problems);
    review_issuers(in, identities, profile);
    if (!sources->nelts && !sl_directories_setting(config->settings) && profile && !profile->has_own_certificate &&
        (in->ask_modules || !sl_collect_has_providers()))
        complain_of_no_certificate(in, config->settings, id);
    sl_directories_check(config->settings, in->problems);
    fate = sl_broken_hosts_judge(s, id, in->problems, first, profile ? NULL : SAME_SETTINGS,
                                 stand_in ? 0 : count_awaited(in));
    if (fate == SL_HOST_LEFT_OUT)
        leave_out(in, s, profile, id);
    else if (fate != SL_HOST_STOPS)
        serve(in, s, profile, id, identities, fate == SL_HOST_WAITS);
    if (fate != SL_HOST_GOOD)
        return;
    config->vhost->unavailable = stand_in > 0;
    for (int i = 0; i < sources->nelts; i++)
        sl_broken_hosts_settle(&APR_ARRAY_IDX(sources, i, sl_wanted_t).source);
    in->hosts++;
    if (stand_in)
        sl_problems_add(in->problems, SL_PROBLEM_WARNING, "AH10085", NULL, id, NULL,
                        "has only a stand-in certificate so far: its requests are answered with 503");
}

/* ---- modules that change the SSL_CTX of a host ---- */

/* They expect to find the host's certificates in it. */
static void fill_in(SSL_CTX *ctx, sl_supply_t *supply, const apr_array_header_t *identities)
{
    for (int i = 0; i < identities->nelts; i++) {
        sl_identity_t *identity = sl_supply_get(supply, APR_ARRAY_IDX(identities, i, sl_identity_ref_t).id);

        if (identity)
            (void)SSL_CTX_use_cert_and_key(ctx, identity->leaf, identity->key, identity->chain, 1);
        sl_identity_release(identity);
    }
    sl_openssl_error_clear();
}

static void show_contexts(sl_collect_t *in, server_rec *main_server)
{
    for (server_rec *s = main_server; s; s = s->next) {
        const sl_vhost_t *vhost = sl_config_vhost(s);

        if (!vhost || vhost->left_out)
            continue;
        fill_in(vhost->profile->ctx, in->supply, vhost->identities);
        if (!sl_module_hooks_init_server(s, in->pool, 0, vhost->profile->ctx))
            sl_problems_add(in->problems, SL_PROBLEM_ERROR, "SL0017", NULL, vhost->id,
                            "The module's own message tells more", "another module does not let this host start");
    }
}

static void count(const sl_collect_t *in, sl_collect_counts_t *counts)
{
    counts->hosts = in->hosts;
    counts->profiles = sl_profile_set_count(in->profiles);
    sl_identity_cache_count(in->cache, &counts->read, &counts->known);
}

static int is_hooked(const apr_array_header_t *hooks)
{
    return hooks && hooks->nelts;
}

int sl_collect_has_providers(void)
{
    return is_hooked(ap_hook_get_ssl_add_cert_files()) || is_hooked(ap_hook_get_ssl_add_fallback_cert_files()) ||
           sl_module_hooks_has("add_cert_files") || sl_module_hooks_has("add_fallback_cert_files");
}

static void tell_of_dialog(void *baton, const char *text)
{
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, baton, "AH01969: %s", text);
}

static sl_dialog_t *make_dialog(const sl_collect_t *in, server_rec *main_server, sl_dialog_mode_t mode)
{
    const char *how = sl_settings_text(sl_config_of_server(main_server)->settings, SL_PASS_PHRASE_DIALOG);
    sl_dialog_t *dialog =
        sl_dialog_make(in->scratch, how ? how : "builtin", AP_SERVER_BASEVERSION, mode, tell_of_dialog, main_server);
    sl_phrases_t *phrases = sl_remembered_phrases(sl_reload_is_on(main_server));

    if (phrases)
        sl_dialog_keep(dialog, phrases);
    return dialog;
}

void sl_collect_vhosts(apr_pool_t *pool, apr_pool_t *scratch, server_rec *main_server, int ask_modules,
                       sl_dialog_mode_t mode, sl_problems_t *problems, sl_collect_counts_t *counts)
{
    sl_collect_t in = {
        .pool = pool, .scratch = scratch, .whole = scratch, .problems = problems, .ask_modules = ask_modules};
    int has_context_hook = ask_modules && sl_module_hooks_has("init_server");

    /* Modules that change a host's SSL_CTX expect its certificates in it when it starts. */
    in.may_await = sl_reload_is_on(main_server) && !sl_module_hooks_has("init_server");
    in.dialog = make_dialog(&in, main_server, mode);
    in.now = apr_time_sec(apr_time_now());
    in.profiles = sl_profile_set_make(pool, in.now, sl_machine_prepare);
    in.cache = sl_identities_cache();
    in.supply = sl_identities_make(pool);
    in.reviewed = apr_hash_make(scratch);
    in.lone = apr_hash_make(scratch);
    sl_broken_hosts_begin(pool);
    if (has_context_hook)
        sl_profile_set_keep_apart(in.profiles);
    if (sl_identity_cache_is_empty(in.cache)) {
        apr_pool_create(&in.scratch, scratch);
        read_all(&in, main_server);
        apr_pool_destroy(in.scratch);
    }
    for (server_rec *s = main_server; s; s = s->next) {
        apr_pool_t *own;

        sl_config_of_server(s)->vhost = NULL;
        apr_pool_create(&own, scratch);
        in.scratch = own;
        collect_server(&in, s);
        apr_pool_destroy(own);
    }
    in.scratch = scratch;
    collect_backends(&in, main_server);
    sl_dialog_close(in.dialog);
    if (has_context_hook && !problems->errors)
        show_contexts(&in, main_server);
    count(&in, counts);
    sl_identity_cache_sweep(in.cache);
}
