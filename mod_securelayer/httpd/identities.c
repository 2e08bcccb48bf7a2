/* Holds the supply that collect_vhosts fills and conn_hooks asks; called by startup. */
#include "httpd/identities.h"

#include <http_config.h>
#include <http_core.h>
#include <http_main.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <openssl/crypto.h>
#include <unistd.h>

#include "crypto/key_uri.h"
#include "httpd/counters.h"
#include "httpd/keeper_hooks.h"
#include "httpd/module_config.h"
#include "httpd/phrases.h"
#include "httpd/reload.h"
#include "identity/shared_certs.h"
#include "keeper/expiry_job.h"
#include "keeper/reload_identity.h"

static sl_supply_t *supply;
static pid_t maker;
static apr_int64_t ready_most;
static apr_array_header_t *records; /* of sl_identity_record_t *, by id */

static apr_hash_t *awaited; /* text of a source -> sl_identity_ref_t; NULL: nothing is */

/* The certificates that it made belong to this configuration's library context (crypto/cert_quick). */
static apr_status_t forget(void *made)
{
    if (supply != made)
        return APR_SUCCESS;
    supply = NULL;
    awaited = NULL;
    if (maker == getpid())
        sl_shared_certs_forget();
    return APR_SUCCESS;
}

sl_identity_cache_t *sl_identities_cache(void)
{
    static const char key[] = "securelayer identity cache 5"; /* the last figure: of the records' layout */
    void *cache = NULL;

    apr_pool_userdata_get(&cache, key, ap_pglobal);
    if (!cache) {
        cache = sl_identity_cache_make(ap_pglobal);
        apr_pool_userdata_set(cache, key, apr_pool_cleanup_null, ap_pglobal);
    }
    return cache;
}

static void offer_newest(int id, apr_pool_t *scratch)
{
    sl_reload_state_t state;
    apr_size_t length;
    unsigned char *bytes = sl_section_copy(sl_keeper_hooks_board()->identities, id, &length, NULL);

    if (!bytes)
        return;
    sl_identities_state(id, &state);
    sl_identity_cache_offer(sl_identities_cache(), &sl_identities_record(id)->source, state.refused ? 0 : state.stamp,
                            bytes, length, scratch);
    OPENSSL_clear_free(bytes, length);
}

/* Before the board goes: the next configuration may find files that can't be used, and what was taken while this one
 * served is newer than what it began with. */
static apr_status_t offer_all(void *made)
{
    apr_pool_t *scratch;

    if (supply != made || maker != getpid() || !sl_keeper_hooks_board()->identities)
        return APR_SUCCESS;
    for (int id = 0; id < sl_supply_count(supply); id++) {
        if (!sl_supply_version(supply, id))
            continue;
        apr_pool_create(&scratch, NULL);
        offer_newest(id, scratch);
        apr_pool_destroy(scratch);
    }
    return APR_SUCCESS;
}

sl_supply_t *sl_identities_make(apr_pool_t *pool)
{
    supply = sl_supply_make(pool);
    maker = getpid();
    records = apr_array_make(pool, 16, sizeof(sl_identity_record_t *));
    awaited = NULL;
    apr_pool_cleanup_register(pool, supply, forget, apr_pool_cleanup_null);
    apr_pool_pre_cleanup_register(pool, supply, offer_all);
    return supply;
}

sl_supply_t *sl_identities_supply(void)
{
    return supply;
}

/* ---- what is known besides ---- */

void sl_identities_paths(const sl_source_t *source, const char *paths[])
{
    const char *const places[] = {source->certificate, source->key, source->chain};
    int count = 0;

    for (int i = 0; i < 3; i++) {
        if (places[i] && *places[i] != '/') { /* on a token, or another module's matter */
            count = 0;
            break;
        }
        if (places[i])
            paths[count++] = places[i];
    }
    paths[count] = NULL;
}

static void add_names(apr_array_header_t *to, const server_rec *host)
{
    if (host->server_hostname)
        APR_ARRAY_PUSH(to, const char *) = host->server_hostname;
    for (int i = 0; host->names && i < host->names->nelts; i++) {
        if (APR_ARRAY_IDX(host->names, i, const char *))
            APR_ARRAY_PUSH(to, const char *) = APR_ARRAY_IDX(host->names, i, const char *);
    }
}

apr_array_header_t *sl_identities_names(const server_rec *host, apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 2, sizeof(const char *));

    add_names(names, host);
    return names;
}

static sl_identity_record_t *nth(int id)
{
    return APR_ARRAY_IDX(records, id, sl_identity_record_t *);
}

void sl_identities_note(apr_pool_t *pool, int id, const sl_stored_t *stored, const sl_source_t *source,
                        apr_uint64_t stamp, const server_rec *host)
{
    sl_identity_record_t *record;

    if (id == records->nelts) {
        record = apr_pcalloc(pool, sizeof(*record));
        APR_ARRAY_PUSH(records, sl_identity_record_t *) = record;
        record->source = *source;
        record->stamp = stamp;
        record->names = apr_array_make(pool, 1, sizeof(const char *));
        record->not_before = stored ? stored->not_before : 0;
        record->not_after = stored ? stored->not_after : 0;
        record->state_entry = -1;
        record->shown = sl_key_uri_shown(source->certificate, pool);
    }
    if (host)
        add_names(nth(id)->names, host);
}

/* httpd gives a virtual host that has none the name of the main server. */
static int is_nameless(const server_rec *host)
{
    return host->is_virtual && ap_server_conf && host->server_hostname == ap_server_conf->server_hostname;
}

sl_identity_ref_t sl_identities_await(apr_pool_t *pool, const sl_source_t *source, apr_uint64_t stamp,
                                      const server_rec *host)
{
    const char *text = sl_source_text(source, pool);
    sl_identity_ref_t *ref;

    if (!awaited)
        awaited = apr_hash_make(pool);
    ref = apr_hash_get(awaited, text, APR_HASH_KEY_STRING);
    if (!ref) {
        ref = apr_palloc(pool, sizeof(*ref));
        *ref = sl_supply_await(supply);
        apr_hash_set(awaited, text, APR_HASH_KEY_STRING, ref);
    }
    sl_identities_note(pool, ref->id, NULL, source, stamp, host);
    nth(ref->id)->any_name |= is_nameless(host);
    return *ref;
}

const sl_identity_record_t *sl_identities_record(int id)
{
    return id >= 0 && id < records->nelts ? nth(id) : NULL;
}

int sl_identities_state(int id, sl_reload_state_t *state)
{
    const sl_identity_record_t *record = sl_identities_record(id);

    sl_reload_state_read(record && record->state_entry >= 0 ? sl_reload_states() : NULL,
                         record ? record->state_entry : 0, state);
    if (record && !state->not_after) {
        state->not_before = record->not_before;
        state->not_after = record->not_after;
    }
    return state->not_after || sl_supply_start_of(supply, id);
}

/* ---- watching ---- */

/* An sl_expiry_look_t; in the keeper. */
static int look_at_expiry(void *unused, int id, sl_expiry_t *what)
{
    sl_reload_state_t state;

    (void)unused;
    if (!sl_identities_state(id, &state))
        return 0;
    what->name = nth(id)->shown;
    what->not_before = state.not_before;
    what->not_after = state.not_after;
    return 1;
}

/* ---- starting ---- */

static void reload(apr_pool_t *pool, int id, sl_section_t *news, const sl_phrases_t *phrases)
{
    sl_identity_record_t *record = nth(id);
    sl_reload_identity_t *what;
    sl_reload_item_t *item;
    const char *paths[SL_WATCH_PATHS + 1];

    sl_identities_paths(&record->source, paths);
    if (!*paths || sl_supply_is_on_token(supply, id))
        return;
    item = sl_reload_add(pool);
    memcpy(item->paths, paths, sizeof(*paths) * 4);
    what = apr_pcalloc(pool, sizeof(*what));
    what->id = id;
    what->any_name = record->any_name;
    what->source = &record->source;
    what->names = record->names;
    what->supply = supply;
    what->news = news;
    what->phrases = phrases;
    item->name = apr_pstrcat(pool, "the certificate ", record->source.certificate, NULL);
    item->stamp = record->stamp;
    item->is_awaited = !sl_supply_start_of(supply, id);
    item->load = sl_reload_identity;
    item->baton = what;
    record->state_entry = item->entry;
}

/* Those of the start, and those that a host is to be served with. */
static char *list_wanted(apr_pool_t *pool, const server_rec *main_server, int count)
{
    char *wanted = apr_pcalloc(pool, (apr_size_t)count);

    for (int i = 0; i < count; i++)
        wanted[i] = sl_supply_start_of(supply, i) != NULL;
    for (const server_rec *s = main_server; awaited && s; s = s->next) {
        const sl_vhost_t *vhost = sl_config_vhost(s);

        for (int i = 0; vhost && vhost->left_out == SL_OUT_UNTIL_REPAIRED && i < vhost->identities->nelts; i++)
            wanted[APR_ARRAY_IDX(vhost->identities, i, sl_identity_ref_t).id] = 1;
    }
    return wanted;
}

static void reload_all(apr_pool_t *pool, const server_rec *main_server, int count, sl_section_t *news)
{
    apr_pool_t *scratch;
    const char *wanted;

    apr_pool_create(&scratch, pool);
    wanted = list_wanted(scratch, main_server, count);
    for (int i = 0; i < count; i++) {
        if (wanted[i])
            reload(pool, i, news, sl_remembered_phrases(1));
    }
    apr_pool_destroy(scratch);
}

apr_status_t sl_identities_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
{
    int count = sl_supply_count(supply);
    sl_section_t *news = NULL;

    ready_most = sl_settings_number(sl_config_of_server(main_server)->settings, SL_IDENTITY_CACHE);
    if (count && sl_reload_is_on(main_server)) {
        apr_status_t rv = sl_section_make_large(&news, pool, count, SL_IDENTITY_SIZE_MAX, 16384, why);

        if (rv != APR_SUCCESS)
            return rv;
        reload_all(pool, main_server, count, news);
    }
    sl_keeper_hooks_board()->identities = news;
    sl_supply_settle(supply, news);
    if (count)
        sl_keeper_hooks_add(pool, SL_KEEPER, sl_expiry_job_make(pool, count, look_at_expiry, NULL));
    return APR_SUCCESS;
}

static void child_init(apr_pool_t *pool, server_rec *s)
{
    (void)s;
    if (!supply)
        return;
    sl_supply_start(supply, pool, (int)ready_most);
    if (sl_counters_cell(SL_COUNT_IDENTITY, SL_IDENTITY_MADE))
        sl_supply_count_at(supply, sl_counters_cell(SL_COUNT_IDENTITY, SL_IDENTITY_MADE),
                           sl_counters_cell(SL_COUNT_IDENTITY, SL_IDENTITY_FOUND));
}

void sl_identities_register(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
}
