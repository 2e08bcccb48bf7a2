/* A question is about a name, an answer about an entry: the name's own, the one for all names below its parent, and the
 * parent's (keeper/directory_board). They are answered in that order until one is for the name. */
#include "keeper/directory_answer.h"

#include "crypto/cert_text.h"
#include "crypto/ocsp_message.h"
#include "identity/identity.h"
#include "keeper/directory_expiry.h"
#include "keeper/directory_load.h"

#include <apr_strings.h>
#include <openssl/x509v3.h>
#include <string.h>

#define GONE 1000000u /* files that went away may come back within that time */
#define COST_REFUSED 10 /* in names that are not there */
#define STAYS "what was served before serves on"
#define ABSENT "it is as if it were not there"
#define UNREACHED "the directory can't be reached"
#define ALONE "what else is there for the name is served without it"
#define DAY 86400
#define WARN_DAYS 14

typedef sl_directory_question_t question_t;

/* ---- what is told ---- */

static const char *may_say(const question_t *q)
{
    return sl_directory_limits_line(q->work->limits, q->work->scratch);
}

static void note_refused(question_t *q, const sl_problem_t *why, const char *what_now)
{
    const char *text = apr_pstrcat(q->work->scratch, what_now, ": ", sl_problem_text(why, q->work->scratch), NULL);
    const char *more;
    int is_fresh = sl_directory_is_recent(q->work, q->files.changed, SL_DIRECTORY_SETTLING);

    sl_directory_board_add(q->work->board, SL_DIRECTORY_REFUSED);
    if (!sl_directory_failures_note(q->work->failures, &q->key, q->directory, q->entry, text, is_fresh, q->now))
        return;
    more = may_say(q);
    if (more)
        sl_loop_say(q->work->loop, SL_SAY_ERROR, "SL0176: a certificate for %s can't be used; %s%s", q->entry, text,
                    more);
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

/* As of any host: clients refuse a certificate that says that it is always stapled when it is not. Who may have nothing
 * stapled hears nothing. NULL: all is well. */
static const char *reason_not_to_staple(const question_t *q, const sl_identity_t *identity)
{
    sl_directory_staple_t wanted = q->work->staples[q->directory];
    int must = sl_ocsp_must_staple(identity->leaf);
    int has_url = wanted == SL_DIRECTORY_STAPLED_BY_ONE || sl_ocsp_urls(q->work->scratch, identity->leaf)->nelts;

    if (must && !wanted)
        return "it is only good with a stapled OCSP answer (must-staple), but nothing is stapled: set SSLUseStapling "
               "on";
    if (must && !has_url)
        return "it is only good with a stapled OCSP answer (must-staple), but names no responder: ask its CA for "
               "another one";
    if (wanted && has_url && !sl_cert_issuer_among(identity->chain, identity->leaf))
        return "nothing is stapled, as the certificate of its issuer is not there: append it";
    return NULL;
}

/* Told when it is found for the first time, and when it is another one. */
static void warn_of(question_t *q, const sl_identity_t *identity)
{
    apr_int64_t soon = (identity->not_after - identity->not_before) / 3,
                left = identity->not_after - sl_directory_seconds(q->work);
    const char *weak = sl_identity_weakness(identity, q->work->scratch), *end = NULL, *more;
    const char *staple = reason_not_to_staple(q, identity);

    if (soon > WARN_DAYS * DAY)
        soon = WARN_DAYS * DAY;
    if (left < soon)
        end = apr_psprintf(q->work->scratch, "it expires on %s, in %" APR_INT64_T_FMT " %s: renew it",
                           sl_cert_text_not_after(q->work->scratch, identity->leaf), left / DAY,
                           left / DAY == 1 ? "day" : "days");
    if (!weak && !end && !staple)
        return;
    more = may_say(q);
    if (more)
        sl_loop_say(q->work->loop, SL_SAY_WARNING, "SL0178: the certificate %s: %s%s%s%s%s%s", identity->origin,
                    weak ? weak : "", weak && (end || staple) ? "; " : "", end ? end : "", end && staple ? "; " : "",
                    staple ? staple : "", more);
}

/* ---- answers ---- */

static int deny(question_t *q, int cost)
{
    sl_directory_limits_charge(q->work->limits, cost);
    q->work->denied = 1;
    sl_directory_board_deny(q->work->board, &q->key, 0);
    return -1;
}

static void note_lost(const question_t *q, int is_lost)
{
    sl_directory_work_t *work = q->work;
    sl_entry_key_t whole;

    if (is_lost == work->is_lost[q->directory])
        return;
    work->is_lost[q->directory] = is_lost;
    sl_directory_board_key(work->board, q->directory, "", &whole);
    if (!is_lost) {
        (void)sl_directory_failures_forget(work->failures, &whole);
        return;
    }
    (void)sl_directory_failures_note(work->failures, &whole, q->directory, "", STAYS ": " UNREACHED, 0, q->now);
    sl_loop_say(work->loop, SL_SAY_ERROR, "SL0176: certificates in %s can't be used; " STAYS ": " UNREACHED,
                sl_directory_path(work, q->directory));
}

/* A directory that is not there says nothing of its names: what is on the board serves on. */
static int is_lost(const question_t *q, apr_time_t changed)
{
    note_lost(q, !changed);
    return !changed;
}

static apr_time_t directory_changed(const question_t *q)
{
    return sl_directory_files_changed(q->work->scratch, sl_directory_path(q->work, q->directory), q->entry);
}

static apr_status_t find_files(question_t *q, sl_problem_t *why)
{
    apr_status_t rv =
        sl_directory_files_find(&q->files, q->work->scratch, sl_directory_path(q->work, q->directory), q->entry, why);

    if (rv == APR_SUCCESS)
        note_lost(q, 0);
    return rv;
}

static void note_partly(question_t *q, const sl_directory_fresh_t *fresh)
{
    note_refused(q, fresh->why, fresh->keeps_old ? STAYS : ALONE);
}

/* It is on the slot. Bits for its identities: those that are other ones than before, and those that are to be warned of
 * as at a start. */
static void tell_of(question_t *q, int slot, const sl_directory_fresh_t *fresh, unsigned changed, unsigned warned)
{
    if (fresh->why)
        note_partly(q, fresh);
    else if (forget_failure(q))
        changed = ~0u;
    for (int i = 0; i < fresh->bundle.count; i++) {
        if (changed >> i & 1)
            tell_news(q, fresh->bundle.of[i]);
        if (warned >> i & 1)
            warn_of(q, fresh->bundle.of[i]);
    }
    sl_directory_expiry_note(q->work, slot, warned);
}

/* The files of an entry that is on no slot. The slot that it is on then, or -1. */
static int take_up(question_t *q)
{
    static const sl_directory_bundle_t nothing;
    sl_problem_t *why = sl_problem_make(q->work->scratch);
    sl_directory_fresh_t fresh;
    int slot = -1;

    sl_directory_load(q, &fresh, &nothing);
    if (fresh.bundle.count)
        slot = sl_directory_slot_give(q, &fresh.bundle, fresh.why != NULL, why);
    if (slot >= 0)
        tell_of(q, slot, &fresh, 0, sl_directory_limits_note_found(q->work->limits, &q->key) ? ~0u : 0);
    else
        note_refused(q, fresh.bundle.count ? why : fresh.why, ABSENT);
    sl_directory_bundle_clear(&fresh.bundle);
    return slot;
}

/* The entry is on no slot. The slot that it is on then, or -1. */
static int look_up(question_t *q)
{
    sl_directory_work_t *work = q->work;
    sl_problem_t *why = sl_problem_make(work->scratch);
    apr_status_t rv = find_files(q, why);
    int slot = -1;

    if (APR_STATUS_IS_ENOENT(rv)) {
        (void)forget_failure(q);
        (void)is_lost(q, directory_changed(q));
        sl_directory_board_add(work->board, SL_DIRECTORY_ABSENT);
        return deny(q, 1);
    }
    if (rv == APR_SUCCESS)
        slot = take_up(q);
    else
        note_refused(q, why, ABSENT);
    return slot >= 0 ? slot : deny(q, COST_REFUSED);
}

/* The files are other ones. What can't be used is tried again, for it may be half of a change. */
static void renew(question_t *q, int slot)
{
    sl_problem_t *why = sl_problem_make(q->work->scratch);
    int is_taken_over = !q->work->slots[slot].stamp;
    sl_directory_bundle_t old;
    sl_directory_fresh_t fresh;

    sl_directory_slot_get(q->work, slot, SL_BLOB_ALL, &old);
    sl_directory_load(q, &fresh, &old);
    if (fresh.why && !fresh.news && fresh.bundle.count == old.count) {
        note_partly(q, &fresh);
        sl_directory_slot_serve_on(q, slot, SL_DIRECTORY_LOOK_BLIND);
    }
    else if (fresh.bundle.count &&
             sl_directory_slot_put(q, slot, &fresh.bundle, fresh.why != NULL, why) == APR_SUCCESS) {
        unsigned news = old.count ? fresh.news : 0;

        tell_of(q, slot, &fresh, news, is_taken_over ? SL_DIRECTORY_TOLD_ALL : news);
    }
    else {
        note_refused(q, fresh.bundle.count ? why : fresh.why, STAYS);
        sl_directory_slot_serve_on(q, slot, SL_DIRECTORY_LOOK_BLIND);
    }
    sl_directory_bundle_clear(&old);
    sl_directory_bundle_clear(&fresh.bundle);
}

/* Files that are not there may come back in a moment. */
static int may_return(const question_t *q, int slot, apr_time_t changed)
{
    sl_directory_slot_t *record = &q->work->slots[slot];

    if (!record->gone)
        record->gone = q->now;
    return q->now < record->gone + GONE && sl_directory_is_recent(q->work, changed, GONE);
}

/* The files are there, or some of them. */
static void compare(question_t *q, int slot)
{
    sl_directory_slot_t *record = &q->work->slots[slot];

    if (q->files.count >= record->count)
        record->gone = 0;
    if (q->files.stamp == record->stamp && !record->is_partial)
        sl_directory_slot_confirm(q, slot);
    else if (record->stamp && sl_directory_is_recent(q->work, q->files.changed, SL_DIRECTORY_LOOK_SETTLE))
        sl_directory_slot_serve_on(q, slot, SL_DIRECTORY_LOOK_SETTLE);
    else if (q->files.count < record->count && may_return(q, slot, directory_changed(q)))
        sl_directory_slot_serve_on(q, slot, SL_DIRECTORY_LOOK_SETTLE);
    else
        renew(q, slot);
}

/* They are not: perhaps not yet again. */
static int await_return(question_t *q, int slot)
{
    apr_time_t changed = directory_changed(q);
    int may_be_back = may_return(q, slot, changed);

    if (is_lost(q, changed)) {
        sl_directory_slot_serve_on(q, slot, SL_DIRECTORY_LOOK_BLIND);
        return slot;
    }
    if (may_be_back) {
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
    if (!*entry) {
        (void)is_lost(&q, directory_changed(&q));
        return;
    }
    slot = sl_directory_board_find(work->board, &q.key);
    (void)(slot >= 0 ? look_again(&q, slot) : look_up(&q));
}
