/* A table by fingerprints of entries, in sets like those of the directory_board.  Used by keeper/directory_answer;
 * directory_job asks whom to try again, and when to publish. */
#include "keeper/directory_failures.h"

#include "base/bytes.h"
#include "keeper/directory_refusals.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 8
#define SETS (SL_DIRECTORY_FAILURES / WAYS)
#define PUBLISH_PAUSE 200000u
#define SECOND 1000000u

typedef struct failure_t {
    apr_uint64_t tag; /* 0: none */
    apr_uint64_t first, last; /* when it was found, and looked at */
    apr_uint64_t said; /* fingerprint of the words */
    apr_int64_t since; /* of the words, seconds since 1970 */
    int directory, is_told;
    char *entry, *words; /* words: NULL until they are told, or memory ended */
} failure_t;

struct sl_directory_failures_t {
    const sl_world_t *world;
    sl_section_t *section;
    int looks_again, looks_left;
    int has_changed;
    apr_uint64_t due, publish_due;
    failure_t all[SL_DIRECTORY_FAILURES];
    sl_directory_refusals_t refusals;
};

static void clear(failure_t *failure)
{
    free(failure->entry);
    free(failure->words);
    memset(failure, 0, sizeof(*failure));
}

static apr_status_t clear_all(void *baton)
{
    sl_directory_failures_t *failures = baton;

    for (int i = 0; i < SL_DIRECTORY_FAILURES; i++)
        clear(&failures->all[i]);
    return APR_SUCCESS;
}

sl_directory_failures_t *sl_directory_failures_make(apr_pool_t *pool, const sl_world_t *world, sl_section_t *section,
                                                    int looks_again)
{
    sl_directory_failures_t *failures = apr_pcalloc(pool, sizeof(*failures));

    failures->world = world;
    failures->section = section;
    failures->looks_again = looks_again;
    failures->has_changed = 1; /* what the keeper before this one published */
    apr_pool_cleanup_register(pool, failures, clear_all, apr_pool_cleanup_null);
    return failures;
}

/* ---- the table ---- */

/* NULL: it has no place. */
static failure_t *find(sl_directory_failures_t *failures, const sl_entry_key_t *key)
{
    failure_t *set = &failures->all[key->cell % SETS * WAYS];

    for (int i = 0; i < WAYS; i++) {
        if (set[i].tag == key->tag)
            return &set[i];
    }
    return NULL;
}

/* A free place, or that of the one that was not looked at for longest. */
static failure_t *claim(sl_directory_failures_t *failures, const sl_entry_key_t *key)
{
    failure_t *set = &failures->all[key->cell % SETS * WAYS], *taken = set;

    for (int i = 1; i < WAYS && taken->tag; i++) {
        if (!set[i].tag || set[i].last < taken->last)
            taken = &set[i];
    }
    failures->has_changed |= taken->is_told;
    clear(taken);
    return taken;
}

/* NULL: memory ended. */
static failure_t *find_or_claim(sl_directory_failures_t *failures, const sl_entry_key_t *key, int directory,
                                const char *entry, apr_uint64_t now)
{
    failure_t *failure = find(failures, key);

    if (failure)
        return failure;
    failure = claim(failures, key);
    failure->entry = strdup(entry);
    if (!failure->entry)
        return NULL;
    failure->tag = key->tag;
    failure->first = now;
    failure->directory = directory;
    return failure;
}

static void sooner(sl_directory_failures_t *failures, apr_uint64_t due)
{
    if (!failures->due || due < failures->due)
        failures->due = due;
}

/* That it was looked at `now`. */
static void note_look(sl_directory_failures_t *failures, failure_t *failure, apr_uint64_t now)
{
    failure->last = now;
    if (failure->is_told && failures->looks_again)
        sooner(failures, now + SL_DIRECTORY_LOOK_REFUSED);
}

int sl_directory_failures_note(sl_directory_failures_t *failures, const sl_entry_key_t *key, int directory,
                               const char *entry, const char *words, int is_fresh, apr_uint64_t now)
{
    failure_t *failure = find_or_claim(failures, key, directory, entry, now);
    apr_uint64_t said = sl_hash(SL_HASH_START, words, strlen(words));

    if (!failure)
        return !is_fresh;
    note_look(failures, failure, now);
    if (failure->is_told && failure->said == said)
        return 0;
    if (!failure->is_told && is_fresh && now < failure->first + SL_DIRECTORY_SETTLING) {
        sooner(failures, failure->first + SL_DIRECTORY_SETTLING);
        return 0;
    }
    failure->is_told = 1;
    failure->said = said;
    failure->since = apr_time_sec(sl_world_now(failures->world));
    free(failure->words);
    failure->words = strndup(words, SL_RELOAD_REASON_MAX - 1);
    failures->has_changed = 1;
    note_look(failures, failure, now);
    return 1;
}

int sl_directory_failures_forget(sl_directory_failures_t *failures, const sl_entry_key_t *key)
{
    failure_t *failure = find(failures, key);
    int was_told = failure && failure->is_told;

    if (failure)
        clear(failure);
    failures->has_changed |= was_told;
    return was_told;
}

/* ---- looking again ---- */

apr_uint64_t sl_directory_failures_due(const sl_directory_failures_t *failures)
{
    return failures->due;
}

/* When that one is to be tried; 0: never. */
static apr_uint64_t due_of(const sl_directory_failures_t *failures, const failure_t *failure, apr_uint64_t now)
{
    apr_uint64_t due;

    if (!failure->tag || (failure->is_told && !failures->looks_again))
        return 0;
    due = failure->is_told ? failure->last + SL_DIRECTORY_LOOK_REFUSED : failure->first + SL_DIRECTORY_SETTLING;
    return failure->is_told && due <= now && !failures->looks_left ? now + SECOND : due;
}

int sl_directory_failures_next(sl_directory_failures_t *failures, int *place, apr_uint64_t now, int *directory,
                               char entry[SL_HOST_MAX + 1])
{
    if (!*place) {
        failures->due = 0;
        failures->looks_left = SL_DIRECTORY_MOST_REFUSED;
    }
    while (*place < SL_DIRECTORY_FAILURES) {
        failure_t *failure = &failures->all[(*place)++];
        apr_uint64_t due = due_of(failures, failure, now);

        if (due > now)
            sooner(failures, due);
        if (!due || due > now)
            continue;
        failures->looks_left -= failure->is_told;
        note_look(failures, failure, now);
        *directory = failure->directory;
        apr_cpystrn(entry, failure->entry, SL_HOST_MAX + 1);
        return 1;
    }
    return 0;
}

/* ---- publishing ---- */

static int is_newer(const failure_t *a, const failure_t *b)
{
    return a->since != b->since ? a->since > b->since : a->first > b->first;
}

/* Puts it where it belongs among the newest ones. */
static void insert(const failure_t *newest[SL_DIRECTORY_REFUSALS], int *count, const failure_t *failure)
{
    int at = *count;

    if (at == SL_DIRECTORY_REFUSALS && !is_newer(failure, newest[at - 1]))
        return;
    at = at < SL_DIRECTORY_REFUSALS ? (*count)++ : at - 1;
    for (; at > 0 && is_newer(failure, newest[at - 1]); at--)
        newest[at] = newest[at - 1];
    newest[at] = failure;
}

static void list(sl_directory_failures_t *failures)
{
    const failure_t *newest[SL_DIRECTORY_REFUSALS];
    sl_directory_refusals_t *refusals = &failures->refusals;

    memset(refusals, 0, sizeof(*refusals));
    for (int i = 0; i < SL_DIRECTORY_FAILURES; i++) {
        if (!failures->all[i].is_told)
            continue;
        refusals->all++;
        insert(newest, &refusals->count, &failures->all[i]);
    }
    for (int i = 0; i < refusals->count; i++) {
        sl_directory_refusal_t *row = &refusals->list[i];

        row->since = newest[i]->since;
        row->directory = newest[i]->directory;
        apr_cpystrn(row->entry, newest[i]->entry, sizeof(row->entry));
        apr_cpystrn(row->reason, newest[i]->words ? newest[i]->words : "memory ended", sizeof(row->reason));
    }
}

apr_uint64_t sl_directory_failures_publish(sl_directory_failures_t *failures, apr_uint64_t now)
{
    if (!failures->has_changed || !failures->section)
        return 0;
    if (now < failures->publish_due)
        return failures->publish_due;
    failures->has_changed = 0;
    failures->publish_due = now + PUBLISH_PAUSE;
    list(failures);
    sl_directory_refusals_publish(failures->section, &failures->refusals);
    return 0;
}
