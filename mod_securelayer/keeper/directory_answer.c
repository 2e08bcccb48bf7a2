/* A question is about a name, an answer about an entry: the name's own, the one for all names below its parent, and the
 * parent's (keeper/directory_board). They are answered in that order until one is for the name. */
#include "keeper/directory_answer.h"

#include "crypto/cert_text.h"
#include "keeper/directory_expiry.h"

#include <apr_strings.h>
#include <string.h>

#define GONE 1000000u /* files that went away may come back within that time */
#define COST_REFUSED 10 /* in names that are not there */
#define STAYS "what was served before serves on"
#define DAY 86400
#define WARN_DAYS 14

typedef sl_directory_question_t question_t;

/* ---- what is told ---- */

static apr_int64_t seconds(const question_t *q)
{
    return apr_time_sec(sl_world_now(q->work->loop->world));
}

static const char *may_say(const question_t *q)
{
    return sl_directory_limits_line(q->work->limits, q->work->scratch);
}

static void note_refused(question_t *q, const sl_problem_t *why, const char *what_now)
{
    const char *text = sl_problem_text(why, q->work->scratch), *more;
    int is_fresh = sl_directory_is_recent(q->work, q->files.changed, SL_DIRECTORY_SETTLING);

    sl_directory_board_add(q->work->board, SL_DIRECTORY_REFUSED);
    if (!sl_directory_failures_note(q->work->failures, &q->key, q->directory, q->entry, text, is_fresh, q->now))
        return;
    more = may_say(q);
    if (more)
        sl_loop_say(q->work->loop, SL_SAY_ERROR, "SL0176: a certificate for %s can't be used; %s: %s%s", q->entry,
                    what_now, text, more);
}

static int forget_failure(question_t *q)
{
    return sl_directory_failures_forget(q->work->failures, &q->key);
}

static void tell_news(question_t *q, const sl_identity_t *identity)
{
    const char *more = may_say(q);

    if (more)
        sl_loop_say(q->work->loop, SL_SAY_INFO, "SL0179: new connections get the certificate %s, valid until %s%s",
                    identity->origin, sl_cert_text_not_after(q->work->scratch, identity->leaf), more);
}

/* Told when it is found for the first time, and when it is another one. */
static void warn_of(question_t *q, const sl_identity_t *identity)
{
    apr_int64_t soon = (identity->not_after - identity->not_before) / 3, left = identity->not_after - seconds(q);
    const char *weak = sl_identity_weakness(identity, q->work->scratch), *end = NULL, *more;

    if (soon > WARN_DAYS * DAY)
        soon = WARN_DAYS * DAY;
    if (left < soon)
        end = apr_psprintf(q->work->scratch, "it expires on %s, in %" APR_INT64_T_FMT " %s: renew it",
                           sl_cert_text_not_after(q->work->scratch, identity->leaf), left / DAY,
                           left / DAY == 1 ? "day" : "days");
    if (!weak && !end)
        return;
    more = may_say(q);
    if (more)
        sl_loop_say(q->work->loop, SL_SAY_WARNING, "SL0178: the certificate %s: %s%s%s%s", identity->origin,
                    weak ? weak : "", weak && end ? "; " : "", end ? end : "", more);
}

/* ---- answers ---- */

static int deny(question_t *q, int cost)
{
    sl_directory_limits_charge(q->work->limits, cost);
    q->work->denied = 1;
    sl_directory_board_deny(q->work->board, &q->key, 0);
    return -1;
}

/* A certificate for all names below may be called by its parent alone, as certbot does it. */
static sl_identity_t *load(question_t *q, sl_problem_t *why)
{
    apr_pool_t *scratch = q->work->scratch;
    sl_identity_t *identity = NULL;

    if (sl_directory_files_load(&identity, &q->files, seconds(q), scratch, why) != APR_SUCCESS)
        return NULL;
    sl_directory_board_add(q->work->board, SL_DIRECTORY_LOADED);
    if (*q->entry == '*' || sl_directory_covers_all(identity, q->entry) ||
        sl_directory_covers_all(identity, apr_pstrcat(scratch, "*.", q->entry, NULL)))
        return identity;
    sl_problem_set(why, APR_EINVAL, identity->origin, "the certificate does not cover %s", q->entry);
    sl_problem_advise(why, "Get one for that name, or give the file the name that it is for");
    sl_identity_release(identity);
    return NULL;
}

/* A directory that is not there says nothing of its names: what is on the board serves on. */
static int is_lost(question_t *q, apr_time_t changed)
{
    int *told = &q->work->is_lost[q->directory];

    if (!changed && !*told)
        sl_loop_say(q->work->loop, SL_SAY_ERROR,
                    "SL0176: certificates in %s can't be used; what was served before serves on: the directory can't "
                    "be reached",
                    sl_directory_path(q->work, q->directory));
    *told = !changed;
    return *told;
}

static apr_status_t find_files(question_t *q, sl_problem_t *why)
{
    apr_status_t rv =
        sl_directory_files_find(&q->files, q->work->scratch, sl_directory_path(q->work, q->directory), q->entry, why);

    if (rv == APR_SUCCESS)
        q->work->is_lost[q->directory] = 0;
    return rv;
}

/* The entry is on no slot. The slot that it is on then, or -1. */
static int look_up(question_t *q)
{
    sl_directory_work_t *work = q->work;
    sl_problem_t *why = sl_problem_make(work->scratch);
    apr_status_t rv = find_files(q, why);
    sl_identity_t *identity;
    int slot = -1, is_first;

    if (APR_STATUS_IS_ENOENT(rv)) {
        (void)forget_failure(q);
        (void)is_lost(q, sl_directory_files_changed(work->scratch, sl_directory_path(work, q->directory), q->entry));
        sl_directory_board_add(work->board, SL_DIRECTORY_ABSENT);
        return deny(q, 1);
    }
    identity = rv == APR_SUCCESS ? load(q, why) : NULL;
    if (identity)
        slot = sl_directory_slot_give(q, identity, why);
    if (slot >= 0) {
        if (forget_failure(q))
            tell_news(q, identity);
        is_first = sl_directory_limits_note_found(work->limits, &q->key);
        if (is_first)
            warn_of(q, identity);
        sl_directory_expiry_note(work, slot, is_first);
    }
    else {
        note_refused(q, why, "it is as if it were not there");
    }
    sl_identity_release(identity);
    return slot >= 0 ? slot : deny(q, COST_REFUSED);
}

static int is_as_good(question_t *q, const sl_identity_t *old, const sl_identity_t *fresh, sl_problem_t *why)
{
    const char *weak = sl_identity_weakness(fresh, q->work->scratch);

    if (weak && !sl_identity_weakness(old, q->work->scratch)) {
        sl_problem_set(why, APR_EINVAL, fresh->origin, "%s", weak);
        sl_problem_advise(why, "Make a new key of at least 2048 bits (RSA) or on P-256, and have it signed with "
                               "SHA-256");
        return 0;
    }
    if (sl_directory_covers_all(old, q->entry) && !sl_directory_covers_all(fresh, q->entry)) {
        sl_problem_set(why, APR_EINVAL, fresh->origin, "the certificate does not cover %s, which the one before covers",
                       q->entry);
        sl_problem_advise(why, "Get one for that name too");
        return 0;
    }
    return 1;
}

/* The files are other ones. What can't be used is tried again, for it may be half of a change. */
static void renew(question_t *q, int slot)
{
    sl_problem_t *why = sl_problem_make(q->work->scratch);
    sl_identity_t *old = sl_directory_slot_get(q->work, slot, SL_BLOB_ALL), *fresh = load(q, why);
    int is_news = fresh && old && !sl_identity_is_same(old, fresh);
    int is_taken_over = !q->work->slots[slot].stamp;

    if (fresh && (!old || is_as_good(q, old, fresh, why)) &&
        sl_directory_slot_put(q, slot, fresh, why) == APR_SUCCESS) {
        if (forget_failure(q) || is_news)
            tell_news(q, fresh);
        if (is_news)
            warn_of(q, fresh);
        sl_directory_expiry_note(q->work, slot, is_news || is_taken_over);
    }
    else {
        note_refused(q, why, STAYS);
        sl_directory_slot_serve_on(q, slot, SL_DIRECTORY_LOOK_BLIND);
    }
    sl_identity_release(old);
    sl_identity_release(fresh);
}

/* The files are there. */
static void compare(question_t *q, int slot)
{
    sl_directory_slot_t *record = &q->work->slots[slot];

    record->gone = 0;
    if (q->files.stamp == record->stamp)
        sl_directory_slot_confirm(q, slot);
    else if (record->stamp && sl_directory_is_recent(q->work, q->files.changed, SL_DIRECTORY_LOOK_SETTLE))
        sl_directory_slot_serve_on(q, slot, SL_DIRECTORY_LOOK_SETTLE);
    else
        renew(q, slot);
}

/* They are not: perhaps not yet again. */
static int await_return(question_t *q, int slot)
{
    sl_directory_slot_t *record = &q->work->slots[slot];
    apr_time_t changed =
        sl_directory_files_changed(q->work->scratch, sl_directory_path(q->work, q->directory), q->entry);

    if (!record->gone)
        record->gone = q->now;
    if (is_lost(q, changed)) {
        sl_directory_slot_serve_on(q, slot, SL_DIRECTORY_LOOK_BLIND);
        return slot;
    }
    if (q->now < record->gone + GONE && sl_directory_is_recent(q->work, changed, GONE)) {
        sl_directory_slot_serve_on(q, slot, SL_DIRECTORY_LOOK_SETTLE);
        return slot;
    }
    (void)forget_failure(q);
    sl_directory_slot_drop(q->work, slot);
    return deny(q, 1);
}

/* What is on the slot is compared with its files. */
static int look_again(question_t *q, int slot)
{
    sl_problem_t *why = sl_problem_make(q->work->scratch);
    apr_status_t rv = find_files(q, why);

    if (APR_STATUS_IS_ENOENT(rv))
        return await_return(q, slot);
    if (rv == APR_SUCCESS) {
        compare(q, slot);
    }
    else {
        note_refused(q, why, STAYS);
        sl_directory_slot_serve_on(q, slot, SL_DIRECTORY_LOOK_BLIND);
    }
    return slot;
}

/* The slot of the entry, or -1: then it is denied. */
static int answer_entry(question_t *q)
{
    sl_directory_work_t *work = q->work;
    int slot;

    switch (sl_directory_board_look(work->board, &q->key, &slot)) {
    case SL_ENTRY_FOUND: /* somebody else has asked for it a moment ago */
        return slot;
    case SL_ENTRY_STALE:
        return look_again(q, slot);
    case SL_ENTRY_UNKNOWN:
        break;
    default:
        return -1;
    }
    if (sl_directory_limits_may_look(work->limits, &q->key))
        return look_up(q);
    work->denied = 1;
    sl_directory_board_add(work->board, SL_DIRECTORY_PUT_OFF);
    sl_directory_board_deny(work->board, &q->key, 1);
    return -1;
}

static void ask_about(question_t *q, sl_directory_work_t *work, int directory, const char *entry)
{
    memset(q, 0, sizeof(*q));
    q->work = work;
    q->directory = directory;
    q->entry = entry;
    q->now = sl_directory_ticks();
    sl_directory_board_key(work->board, directory, entry, &q->key);
    sl_directory_limits_begin(work->limits, q->now);
}

void sl_directory_answer(sl_directory_work_t *work, int directory, const char *name)
{
    const char *names[SL_ENTRY_NAMES];
    char room[2 * SL_HOST_MAX];
    int count = sl_directory_names(names, room, name);
    sl_entry_key_t first;

    if (directory < 0 || directory >= work->paths->nelts || !count)
        return;
    sl_directory_board_key(work->board, directory, names[0], &first);
    for (int i = 0; i < count; i++) {
        question_t q;
        int slot;

        ask_about(&q, work, directory, names[i]);
        slot = answer_entry(&q);
        if (slot >= 0 && work->slots[slot].covers_all)
            break;
    }
    sl_directory_board_wake(work->board, &first);
}

void sl_directory_try_again(sl_directory_work_t *work, int directory, const char *entry)
{
    question_t q;
    int slot;

    ask_about(&q, work, directory, entry);
    slot = sl_directory_board_find(work->board, &q.key);
    (void)(slot >= 0 ? look_again(&q, slot) : look_up(&q));
}
