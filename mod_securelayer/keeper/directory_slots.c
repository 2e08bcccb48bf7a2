/* From the board and back, with a record beside each slot.  Used by keeper/directory_answer and directory_job. */
#include "keeper/directory_slots.h"

#include <apr_strings.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static int is_off(const sl_directory_work_t *work)
{
    return work->interval == SL_DIRECTORY_NEVER;
}

const char *sl_directory_path(const sl_directory_work_t *work, int directory)
{
    return APR_ARRAY_IDX(work->paths, directory, const char *);
}

apr_int64_t sl_directory_seconds(const sl_directory_work_t *work)
{
    return apr_time_sec(sl_world_now(work->loop->world));
}

int sl_directory_is_recent(const sl_directory_work_t *work, apr_time_t moment, apr_interval_time_t time)
{
    apr_interval_time_t ago = sl_world_now(work->loop->world) - moment;

    return ago >= 0 && ago < time;
}

int sl_directory_covers_all(const sl_identity_t *identity, const char *entry)
{
    char host[SL_HOST_MAX + 8];

    if (*entry != '*')
        return sl_identity_covers(identity, entry);
    apr_snprintf(host, sizeof(host), "any%s", entry + 1);
    return sl_identity_covers(identity, host);
}

/* ---- the board ---- */

void sl_directory_slot_get(const sl_directory_work_t *work, int slot, sl_blob_want_t want,
                           sl_directory_bundle_t *bundle)
{
    const sl_directory_slot_t *record = &work->slots[slot];
    unsigned char *buffer = record->entry ? OPENSSL_malloc(SL_DIRECTORY_IDENTITY_MAX) : NULL;
    const unsigned char *bytes = NULL;
    apr_size_t length = 0;

    if (buffer)
        length = sl_directory_board_read(work->board, slot, record->directory, record->entry, buffer, &bytes, NULL);
    sl_directory_bundle_decode(bundle, length ? bytes : (const unsigned char *)"", length, want);
    OPENSSL_clear_free(buffer, SL_DIRECTORY_IDENTITY_MAX);
}

static apr_status_t put_on_board(const sl_directory_question_t *q, int slot, const sl_directory_bundle_t *bundle,
                                 sl_problem_t *why)
{
    const char *origin = bundle->of[0]->origin;
    apr_size_t length;
    unsigned char *bytes = sl_directory_bundle_encode(bundle, &length, why);
    apr_status_t rv = bytes
                          ? sl_directory_board_put(q->work->board, slot, &q->key, q->directory, q->entry, bytes, length)
                          : APR_EGENERAL;

    if (bytes && rv == APR_ENOSPC) {
        sl_problem_set(why, rv, origin, "the certificate%s, %s chain and key are too large",
                       bundle->count > 1 ? "s of all key types" : "", bundle->count > 1 ? "each with its" : "its");
        sl_problem_advise(why, "Leave out what is not needed of the chain");
    }
    else if (rv != APR_SUCCESS) {
        sl_problem_set(why, rv, origin, "memory ended");
    }
    OPENSSL_clear_free(bytes, length);
    return rv;
}

/* ---- records ---- */

static void forget(sl_directory_work_t *work, int slot)
{
    free(work->slots[slot].entry);
    memset(&work->slots[slot], 0, sizeof(work->slots[slot]));
}

void sl_directory_slot_drop(sl_directory_work_t *work, int slot)
{
    sl_directory_board_drop(work->board, slot);
    forget(work, slot);
}

void sl_directory_slot_note_dates(sl_directory_slot_t *record, const sl_directory_bundle_t *bundle)
{
    record->count = bundle->count;
    for (int i = 0; i < bundle->count; i++) {
        record->dates[i].not_before = bundle->of[i]->not_before;
        record->dates[i].not_after = bundle->of[i]->not_after;
    }
}

void sl_directory_slot_serve_on(const sl_directory_question_t *q, int slot, apr_uint64_t length)
{
    sl_directory_board_confirm(q->work->board, slot, q->now + length);
}

void sl_directory_slot_confirm(sl_directory_question_t *q, int slot)
{
    const sl_directory_work_t *work = q->work;
    sl_directory_slot_t *record = &work->slots[slot];
    apr_uint64_t length = SL_DIRECTORY_LOOK_BLIND;

    record->by_events =
        work->interval == SL_DIRECTORY_BY_EVENTS && q->files.is_plain && !sl_watch_is_blind(work->watch, q->directory);
    if (is_off(work))
        length = SL_DIRECTORY_FOREVER - q->now;
    else if (work->interval > 0)
        length = (apr_uint64_t)apr_time_from_sec(work->interval);
    else if (record->is_partial)
        length = SL_DIRECTORY_LOOK_BLIND;
    else if (sl_directory_is_recent(work, q->files.changed, SL_DIRECTORY_LOOK_SETTLE))
        length = SL_DIRECTORY_LOOK_SETTLE;
    else if (record->by_events)
        length = SL_DIRECTORY_LOOK_ALL;
    sl_directory_slot_serve_on(q, slot, length);
}

apr_status_t sl_directory_slot_put(sl_directory_question_t *q, int slot, const sl_directory_bundle_t *bundle,
                                   int is_partial, sl_problem_t *why)
{
    sl_directory_slot_t *record = &q->work->slots[slot];
    apr_status_t rv = put_on_board(q, slot, bundle, why);

    if (rv != APR_SUCCESS)
        return rv;
    record->directory = q->directory;
    record->stamp = q->files.stamp;
    record->gone = 0;
    record->is_partial = is_partial;
    record->covers_all = sl_directory_covers_all(bundle->of[0], q->entry);
    sl_directory_slot_note_dates(record, bundle);
    sl_directory_slot_confirm(q, slot);
    return APR_SUCCESS;
}

int sl_directory_slot_give(sl_directory_question_t *q, const sl_directory_bundle_t *bundle, int is_partial,
                           sl_problem_t *why)
{
    int slot = sl_directory_board_claim(q->work->board, &q->key);
    sl_directory_slot_t *record = &q->work->slots[slot];

    forget(q->work, slot);
    record->entry = strdup(q->entry);
    if (!record->entry)
        sl_problem_set(why, APR_ENOMEM, bundle->of[0]->origin, "memory ended");
    else if (sl_directory_slot_put(q, slot, bundle, is_partial, why) == APR_SUCCESS)
        return slot;
    sl_directory_slot_drop(q->work, slot);
    return -1;
}

/* ---- the keeper before this one ---- */

/* What it left serves on. */
static void take_over(sl_directory_work_t *work, int slot)
{
    sl_directory_slot_t *record = &work->slots[slot];
    char entry[SL_HOST_MAX + 1];

    if (!sl_directory_board_owner(work->board, slot, &record->directory, entry) ||
        (record->entry = strdup(entry)) == NULL)
        sl_directory_slot_drop(work, slot);
    else if (!is_off(work))
        sl_directory_board_confirm(work->board, slot, 0);
}

void sl_directory_slots_begin(sl_directory_work_t *work, apr_pool_t *pool)
{
    int count = sl_directory_board_slots(work->board);

    work->slots = apr_pcalloc(pool, sizeof(sl_directory_slot_t) * (apr_size_t)count);
    for (int slot = 0; slot < count; slot++)
        take_over(work, slot);
}

void sl_directory_slots_end(sl_directory_work_t *work)
{
    for (int slot = 0; slot < sl_directory_board_slots(work->board); slot++)
        forget(work, slot);
}
