/* Profiles by the digest of their settings. */
#include "profile/profile_set.h"

#include "base/text.h"
#include "profile/contents.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <string.h>

#define RECENT 8

struct sl_profile_set_t {
    apr_pool_t *pool;
    apr_hash_t *by_digest;   /* text -> sl_profile_t *, or &broken */
    apr_hash_t *by_contents; /* text -> sl_profile_t *; NULL: files count by their paths */
    apr_hash_t *trusts;    /* of sl_profile_new() */
    apr_int64_t now;
    sl_profile_prepare_t prepare;
    int apart;
    int weight; /* of the rows that count */
    int made;
    /* Those asked for last: most hosts have the settings of another one. */
    struct {
        const sl_settings_t *settings;
        sl_profile_t *profile;
        int has_contents;
        sl_contents_t contents;
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
    set->by_contents = apr_hash_make(pool);
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
    set->by_contents = NULL; /* others put certificates into the store of each */
    set->compile = sl_profile_new_client;
    return set;
}

/* What is asked for. */
typedef struct question_t {
    const sl_settings_t *settings;
    const char *host;
    int has_contents; /* what is in its files is known */
    sl_contents_t contents;
} question_t;

static sl_profile_t *find_recent(const sl_profile_set_t *set, const sl_settings_t *settings)
{
    for (int i = 0; i < RECENT && !set->apart; i++) {
        if (set->recent[i].settings && sl_settings_is_alike(set->recent[i].settings, settings, set->weight))
            return set->recent[i].profile;
    }
    return NULL;
}

/* What does not compile is told of each path. */
static sl_profile_t *find_recent_contents(const sl_profile_set_t *set, const question_t *question)
{
    for (int i = 0; i < RECENT && question->has_contents; i++) {
        if (set->recent[i].has_contents && set->recent[i].profile != &broken &&
            !memcmp(&set->recent[i].contents, &question->contents, sizeof(question->contents)) &&
            sl_settings_is_alike(set->recent[i].settings, question->settings, set->weight | SL_NOT_BY_CONTENTS))
            return set->recent[i].profile;
    }
    return NULL;
}

static void keep_recent(sl_profile_set_t *set, const question_t *question, sl_profile_t *profile)
{
    set->recent[set->next_recent].settings = question->settings;
    set->recent[set->next_recent].profile = profile;
    set->recent[set->next_recent].has_contents = question->has_contents;
    set->recent[set->next_recent].contents = question->contents;
    set->next_recent = (set->next_recent + 1) % RECENT;
}

static const char *contents_text(const sl_profile_set_t *set, const question_t *question, apr_pool_t *scratch)
{
    return apr_pstrcat(scratch, sl_text_hex(scratch, question->contents.digest, sizeof(question->contents.digest)),
                       sl_settings_digest(question->settings, set->weight | SL_NOT_BY_CONTENTS, scratch), NULL);
}

/* Nobody wrote to its files while they were read twice. */
static int is_still(const question_t *question)
{
    sl_contents_t contents;

    return sl_contents_read(&contents, question->settings) && !memcmp(&contents, &question->contents, sizeof(contents));
}

/* What is in the files is no longer known if it changed meanwhile. */
static sl_profile_t *compile(sl_profile_set_t *set, question_t *question, apr_pool_t *scratch, sl_problems_t *problems)
{
    const char *text = question->has_contents ? contents_text(set, question, scratch) : NULL;
    sl_profile_t *profile = text ? apr_hash_get(set->by_contents, text, APR_HASH_KEY_STRING) : NULL;

    if (profile) {
        sl_profile_retain(profile); /* each digest has one */
        return profile;
    }
    profile = set->compile(question->settings, question->host, set->now, set->prepare, set->apart ? NULL : set->trusts,
                           scratch, problems);
    set->made += profile != NULL;
    question->has_contents = text && profile && is_still(question);
    if (question->has_contents)
        apr_hash_set(set->by_contents, apr_pstrdup(set->pool, text), APR_HASH_KEY_STRING, profile);
    return profile;
}

static sl_profile_t *find_or_make(sl_profile_set_t *set, question_t *question, apr_pool_t *scratch,
                                  sl_problems_t *problems)
{
    const char *digest = sl_settings_digest(question->settings, set->weight, scratch);
    sl_profile_t *profile;

    if (set->apart)
        digest = apr_psprintf(scratch, "%u%s", apr_hash_count(set->by_digest), digest);
    profile = apr_hash_get(set->by_digest, digest, APR_HASH_KEY_STRING);
    if (!profile) {
        profile = compile(set, question, scratch, problems);
        apr_hash_set(set->by_digest, apr_pstrdup(set->pool, digest), APR_HASH_KEY_STRING, profile ? profile : &broken);
    }
    return profile ? profile : &broken;
}

sl_profile_t *sl_profile_set_get(sl_profile_set_t *set, const sl_settings_t *settings, const char *host,
                                 apr_pool_t *scratch, sl_problems_t *problems)
{
    sl_profile_t *profile = find_recent(set, settings);
    question_t question = {settings, host, 0, {{0}}};

    if (!profile) {
        if (set->by_contents && !set->apart)
            question.has_contents = sl_contents_read(&question.contents, settings);
        profile = find_recent_contents(set, &question);
        if (!profile)
            profile = find_or_make(set, &question, scratch, problems);
        keep_recent(set, &question, profile);
    }
    return profile == &broken ? NULL : profile;
}

void sl_profile_set_keep_apart(sl_profile_set_t *set)
{
    set->apart = 1;
}

int sl_profile_set_count(const sl_profile_set_t *set)
{
    return set->made;
}
