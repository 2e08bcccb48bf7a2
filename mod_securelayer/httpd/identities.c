/* Holds the supply that collect_vhosts fills and conn_hooks asks; called by startup. */
#include "httpd/identities.h"

#include <http_config.h>
#include <http_main.h>

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

/* The certificates that it made belong to this configuration's library context (crypto/cert_quick). */
static apr_status_t forget(void *made)
{
    if (supply != made)
        return APR_SUCCESS;
    supply = NULL;
    if (maker == getpid())
        sl_shared_certs_forget();
    return APR_SUCCESS;
}

sl_identity_cache_t *sl_identities_cache(void)
{
    static const char key[] = "securelayer identity cache 4"; /* the last figure: of the records' layout */
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
        record->not_before = stored->not_before;
        record->not_after = stored->not_after;
        record->state_entry = -1;
        record->shown = sl_key_uri_shown(source->certificate, pool);
    }
    if (host)
        add_names(nth(id)->names, host);
}

const sl_identity_record_t *sl_identities_record(int id)
{
    return id >= 0 && id < records->nelts ? nth(id) : NULL;
}

void sl_identities_state(int id, sl_reload_state_t *state)
{
    const sl_identity_record_t *record = sl_identities_record(id);

    sl_reload_state_read(record && record->state_entry >= 0 ? sl_reload_states() : NULL,
                         record ? record->state_entry : 0, state);
    if (record && !state->not_after) {
        state->not_before = record->not_before;
        state->not_after = record->not_after;
    }
}

/* ---- watching ---- */

/* An sl_expiry_look_t; in the keeper. */
static int look_at_expiry(void *unused, int id, sl_expiry_t *what)
{
    sl_reload_state_t state;

    (void)unused;
    sl_identities_state(id, &state);
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
    what->source = &record->source;
    what->names = record->names;
    what->supply = supply;
    what->news = news;
    what->phrases = phrases;
    item->name = apr_pstrcat(pool, "the certificate ", record->source.certificate, NULL);
    item->stamp = record->stamp;
    item->load = sl_reload_identity;
    item->baton = what;
    record->state_entry = item->entry;
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
        for (int i = 0; i < count; i++)
            reload(pool, i, news, sl_remembered_phrases(1));
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
