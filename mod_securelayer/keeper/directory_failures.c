/* A table by fingerprints of entries.  Used by keeper/directory_answer; directory_job asks whom to try again. */
#include "keeper/directory_failures.h"

#include "base/bytes.h"

#include <apr_strings.h>
#include <string.h>

#define FAILURES 1024

typedef struct failure_t {
    apr_uint64_t tag; /* 0: none */
    apr_uint64_t since;
    apr_uint64_t said; /* fingerprint of the words */
    int directory, is_told;
    char entry[SL_HOST_MAX + 1];
} failure_t;

struct sl_directory_failures_t {
    apr_uint64_t due;
    failure_t all[FAILURES];
};

sl_directory_failures_t *sl_directory_failures_make(apr_pool_t *pool)
{
    return apr_pcalloc(pool, sizeof(sl_directory_failures_t));
}

static failure_t *place_of(sl_directory_failures_t *failures, const sl_entry_key_t *key)
{
    return &failures->all[key->cell % FAILURES];
}

static void sooner(sl_directory_failures_t *failures, apr_uint64_t due)
{
    if (!failures->due || due < failures->due)
        failures->due = due;
}

int sl_directory_failures_note(sl_directory_failures_t *failures, const sl_entry_key_t *key, int directory,
                               const char *entry, const char *words, int is_fresh, apr_uint64_t now)
{
    failure_t *failure = place_of(failures, key);
    apr_uint64_t said = sl_hash(SL_HASH_START, words, strlen(words));

    if (failure->tag != key->tag) {
        memset(failure, 0, sizeof(*failure));
        failure->tag = key->tag;
        failure->since = now;
        failure->directory = directory;
        apr_cpystrn(failure->entry, entry, sizeof(failure->entry));
    }
    if (failure->is_told && failure->said == said)
        return 0;
    if (!failure->is_told && is_fresh && now < failure->since + SL_DIRECTORY_SETTLING) {
        sooner(failures, failure->since + SL_DIRECTORY_SETTLING);
        return 0;
    }
    failure->is_told = 1;
    failure->said = said;
    return 1;
}

int sl_directory_failures_forget(sl_directory_failures_t *failures, const sl_entry_key_t *key)
{
    failure_t *failure = place_of(failures, key);
    int was_told = failure->tag == key->tag && failure->is_told;

    if (failure->tag == key->tag)
        failure->tag = 0;
    return was_told;
}

apr_uint64_t sl_directory_failures_due(const sl_directory_failures_t *failures)
{
    return failures->due;
}

int sl_directory_failures_next(sl_directory_failures_t *failures, int *place, apr_uint64_t now, int *directory,
                               char entry[SL_HOST_MAX + 1])
{
    if (!*place)
        failures->due = 0;
    while (*place < FAILURES) {
        const failure_t *failure = &failures->all[(*place)++];

        if (!failure->tag || failure->is_told)
            continue;
        if (now < failure->since + SL_DIRECTORY_SETTLING) {
            sooner(failures, failure->since + SL_DIRECTORY_SETTLING);
            continue;
        }
        *directory = failure->directory;
        memcpy(entry, failure->entry, sizeof(failure->entry));
        return 1;
    }
    return 0;
}
