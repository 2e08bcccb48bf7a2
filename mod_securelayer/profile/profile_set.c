/* Profiles by the digest of their settings. */
#include "profile/profile_set.h"

#include <apr_hash.h>
#include <apr_strings.h>

#define RECENT 8

struct sl_profile_set_t {
    apr_pool_t *pool;
    apr_hash_t *by_digest; /* text -> sl_profile_t *, or &broken */
    apr_hash_t *trusts;    /* of sl_profile_new() */
    apr_int64_t now;
    sl_profile_prepare_t prepare;
    int apart;
    int weight; /* of the rows that count */
    /* Those asked for last: most hosts have the settings of another one. */
    struct {
        const sl_settings_t *settings;
        sl_profile_t *profile;
    } recent[RECENT];
    int next_recent;
    sl_profile_t *(*compile)(const sl_settings_t *settings, const char *host, apr_int64_t now,
                             sl_profile_prepare_t prepare, apr_hash_t *trusts, apr_pool_t *scratch,
                             sl_problems_t *problems);
};

static sl_profile_t broken;

static apr_status_t release_all(void *baton)
{
    sl_profile_set_t *set = baton;

    for (apr_hash_index_t *i = apr_hash_first(NULL, set->by_digest); i; i = apr_hash_next(i)) {
        sl_profile_t *profile = apr_hash_this_val(i);

        if (profile != &broken)
            sl_profile_release(profile);
    }
    for (apr_hash_index_t *i = apr_hash_first(NULL, set->trusts); i; i = apr_hash_next(i))
        sl_trust_release(apr_hash_this_val(i));
    return APR_SUCCESS;
}

sl_profile_set_t *sl_profile_set_make(apr_pool_t *pool, apr_int64_t now, sl_profile_prepare_t prepare)
{
    sl_profile_set_t *set = apr_pcalloc(pool, sizeof(*set));

    set->pool = pool;
    set->by_digest = apr_hash_make(pool);
    set->trusts = apr_hash_make(pool);
    set->now = now;
    set->prepare = prepare;
    set->weight = SL_IN_PROFILE;
    set->compile = sl_profile_new;
    apr_pool_cleanup_register(pool, set, release_all, apr_pool_cleanup_null);
    return set;
}

sl_profile_set_t *sl_profile_set_make_client(apr_pool_t *pool, apr_int64_t now, sl_profile_prepare_t prepare)
{
    sl_profile_set_t *set = sl_profile_set_make(pool, now, prepare);

    set->weight = SL_IN_CLIENT_PROFILE;
    set->compile = sl_profile_new_client;
    return set;
}

static sl_profile_t *find_recent(const sl_profile_set_t *set, const sl_settings_t *settings)
{
    for (int i = 0; i < RECENT && !set->apart; i++) {
        if (set->recent[i].settings && sl_settings_is_alike(set->recent[i].settings, settings, set->weight))
            return set->recent[i].profile;
    }
    return NULL;
}

static void keep_recent(sl_profile_set_t *set, const sl_settings_t *settings, sl_profile_t *profile)
{
    set->recent[set->next_recent].settings = settings;
    set->recent[set->next_recent].profile = profile;
    set->next_recent = (set->next_recent + 1) % RECENT;
}

static sl_profile_t *find_or_make(sl_profile_set_t *set, const sl_settings_t *settings, const char *host,
                                  apr_pool_t *scratch, sl_problems_t *problems)
{
    const char *digest = sl_settings_digest(settings, set->weight, scratch);
    sl_profile_t *profile;

    if (set->apart)
        digest = apr_psprintf(scratch, "%u%s", apr_hash_count(set->by_digest), digest);
    profile = apr_hash_get(set->by_digest, digest, APR_HASH_KEY_STRING);
    if (!profile) {
        profile =
            set->compile(settings, host, set->now, set->prepare, set->apart ? NULL : set->trusts, scratch, problems);
        apr_hash_set(set->by_digest, apr_pstrdup(set->pool, digest), APR_HASH_KEY_STRING, profile ? profile : &broken);
    }
    return profile ? profile : &broken;
}

sl_profile_t *sl_profile_set_get(sl_profile_set_t *set, const sl_settings_t *settings, const char *host,
                                 apr_pool_t *scratch, sl_problems_t *problems)
{
    sl_profile_t *profile = find_recent(set, settings);

    if (!profile) {
        profile = find_or_make(set, settings, host, scratch, problems);
        keep_recent(set, settings, profile);
    }
    return profile == &broken ? NULL : profile;
}

void sl_profile_set_keep_apart(sl_profile_set_t *set)
{
    set->apart = 1;
}

int sl_profile_set_count(const sl_profile_set_t *set)
{
    return (int)apr_hash_count(set->by_digest);
}
