/* Questions in, answers out.  Made by httpd/directories; keeper/directory asks.
 *
 * A question is about a name, an answer about an entry: the name's own, the one for all names below its parent, and the
 * parent's (keeper/directory_board). They are answered in that order until one is for the name. */
#include "keeper/directory_job.h"

#include "base/bytes.h"
#include "crypto/cert_text.h"
#include "identity/blob.h"
#include "keeper/directory_files.h"
#include "keeper/watch.h"

#include <apr_strings.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 1000000u
#define MOST_QUESTIONS 256 /* in one run */
#define EPOCH SECOND /* nothing is there: for how long that counts at most */
#define LOOK_BLIND SECOND
#define LOOK_ALL (60 * SECOND) /* in case an event got lost */
#define EXPIRE_PAUSE (SECOND / 10) /* between two looks at all slots */
#define SETTLE (SECOND / 5) /* a file that was changed that recently may be changed further */
#define GONE SECOND /* files that went away may come back within that time */
#define PATIENCE (5 * SECOND) /* with files that do not fit together */
#define FAILURES 1024
#define LINES_PER_SECOND 10
#define KNOWN_BITS 22 /* of the number of bits by which names are known that were found once */
#define COST_REFUSED 10 /* in names that are not there */
#define STAYS "what was served before serves on"
#define DAY 86400
#define WARN_DAYS 14

typedef struct record_t {
    int directory;
    char *entry; /* NULL: the slot is free */
    apr_uint64_t stamp; /* of the files of what is on the board; 0: unknown */
    apr_uint64_t gone; /* since when they are not there; 0: they are */
    int covers_all; /* the names that the entry is for */
    int by_events;
} record_t;

/* An entry that can't be used, or could not. */
typedef struct failure_t {
    apr_uint64_t tag; /* 0: none */
    apr_uint64_t since;
    apr_uint64_t said; /* fingerprint of the words */
    int directory, is_told;
    char entry[SL_HOST_MAX + 1];
} failure_t;

typedef struct work_t {
    sl_job_t job;
    sl_directory_board_t *board;
    const apr_array_header_t *paths;
    int interval;
    /* Made anew in each keeper */
    sl_watch_t *watch;
    struct pollfd fds[2];
    apr_pool_t *scratch; /* of one question */
    record_t *records; /* by slot */
    failure_t *failures;
    unsigned char *known;
    int *has_changed; /* by directory */
    int *is_lost;     /* likewise: it is not there, and that was told */
    int changes, denied;
    apr_uint64_t expire_due, epoch_due, retry_due; /* 0: not due */
    apr_uint64_t second;
    int absent_left, lines_left, silent;
} work_t;

/* One entry that is being answered. */
typedef struct question_t {
    work_t *work;
    sl_loop_t *loop;
    int directory;
    const char *entry;
    sl_entry_key_t key;
    apr_uint64_t now;
    sl_directory_files_t files;
} question_t;

static const char *path_of(const work_t *work, int directory)
{
    return APR_ARRAY_IDX(work->paths, directory, const char *);
}

static int is_off(const work_t *work)
{
    return work->interval == SL_DIRECTORY_NEVER;
}

static apr_int64_t seconds(const sl_loop_t *loop)
{
    return apr_time_sec(sl_world_now(loop->world));
}

/* Was it within that time? What is from the future was not: somebody else's clock made it. */
static int is_recent(const sl_loop_t *loop, apr_time_t moment, apr_interval_time_t time)
{
    apr_interval_time_t ago = sl_world_now(loop->world) - moment;

    return ago >= 0 && ago < time;
}

/* ---- bounds ---- */

static void begin_second(work_t *work, apr_uint64_t now)
{
    if (now / SECOND == work->second)
        return;
    work->second = now / SECOND;
    work->absent_left = SL_DIRECTORY_MOST_ABSENT;
    work->lines_left = LINES_PER_SECOND;
}

static unsigned char *known_byte(const work_t *work, const sl_entry_key_t *key, unsigned *bit)
{
    apr_uint64_t place = key->tag >> (64 - KNOWN_BITS);

    *bit = 1u << (place & 7);
    return &work->known[place >> 3];
}

static int is_known(const work_t *work, const sl_entry_key_t *key)
{
    unsigned bit;
    const unsigned char *byte = known_byte(work, key, &bit);

    return (*byte & bit) != 0;
}

static void note_known(work_t *work, const sl_entry_key_t *key)
{
    unsigned bit;
    unsigned char *byte = known_byte(work, key, &bit);

    *byte = (unsigned char)(*byte | bit);
}

/* " (and ... more)" for a line that may be written; NULL: there were enough. */
static const char *may_say(question_t *q)
{
    work_t *work = q->work;
    const char *more = "";

    if (work->lines_left <= 0) {
        work->silent++;
        return NULL;
    }
    work->lines_left--;
    if (work->silent)
        more = apr_psprintf(work->scratch, " (%d lines about others were left out)", work->silent);
    work->silent = 0;
    return more;
}

/* ---- entries that can't be used ---- */

static apr_uint64_t fingerprint(const char *text)
{
    return sl_hash(SL_HASH_START, text, strlen(text));
}

static failure_t *failure_of(question_t *q)
{
    failure_t *failure = &q->work->failures[q->key.cell % FAILURES];

    if (failure->tag == q->key.tag)
        return failure;
    memset(failure, 0, sizeof(*failure));
    failure->tag = q->key.tag;
    failure->since = q->now;
    failure->directory = q->directory;
    apr_cpystrn(failure->entry, q->entry, sizeof(failure->entry));
    return failure;
}

static void note_refused(question_t *q, const sl_problem_t *why, const char *what_now)
{
    const char *text = sl_problem_text(why, q->work->scratch), *more;
    failure_t *failure = failure_of(q);
    apr_uint64_t said = fingerprint(text);

    sl_directory_board_add(q->work->board, SL_DIRECTORY_REFUSED);
    if (failure->is_told && failure->said == said)
        return;
    if (!failure->is_told && is_recent(q->loop, q->files.changed, PATIENCE) && q->now < failure->since + PATIENCE) {
        if (!q->work->retry_due)
            q->work->retry_due = failure->since + PATIENCE;
        return;
    }
    failure->is_told = 1;
    failure->said = said;
    more = may_say(q);
    if (more)
        sl_loop_say(q->loop, SL_SAY_ERROR, "SL0176: a certificate for %s can't be used; %s: %s%s", q->entry, what_now,
                    text, more);
}

static int forget_failure(question_t *q)
{
    failure_t *failure = &q->work->failures[q->key.cell % FAILURES];
    int was_told = failure->tag == q->key.tag && failure->is_told;

    if (failure->tag == q->key.tag)
        failure->tag = 0;
    return was_told;
}

/* ---- identities ---- */

static void tell_news(question_t *q, const sl_identity_t *identity)
{
    const char *more = may_say(q);

    if (more)
        sl_loop_say(q->loop, SL_SAY_INFO, "SL0179: new connections get the certificate %s, valid until %s%s",
                    identity->origin, sl_cert_text_not_after(q->work->scratch, identity->leaf), more);
}

/* Told when it is found for the first time, and when it is another one. */
static void warn_of(question_t *q, const sl_identity_t *identity)
{
    apr_int64_t soon = (identity->not_after - identity->not_before) / 3, left = identity->not_after - seconds(q->loop);
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
        sl_loop_say(q->loop, SL_SAY_WARNING, "SL0178: the certificate %s: %s%s%s%s", identity->origin, weak ? weak : "",
                    weak && end ? "; " : "", end ? end : "", more);
}

static int covers_all(const sl_identity_t *identity, const char *entry)
{
    char host[SL_HOST_MAX + 8];

    if (*entry != '*')
        return sl_identity_covers(identity, entry);
    apr_snprintf(host, sizeof(host), "any%s", entry + 1);
    return sl_identity_covers(identity, host);
}

static sl_identity_t *on_board(question_t *q, int slot)
{
    unsigned char *buffer = OPENSSL_malloc(SL_DIRECTORY_IDENTITY_MAX);
    const unsigned char *bytes = NULL;
    apr_size_t length =
        buffer ? sl_directory_board_read(q->work->board, slot, q->directory, q->entry, buffer, &bytes, NULL) : 0;
    sl_identity_t *identity = length ? sl_blob_decode(bytes, length, SL_BLOB_ALL) : NULL;

    OPENSSL_clear_free(buffer, SL_DIRECTORY_IDENTITY_MAX);
    return identity;
}

static apr_status_t put(question_t *q, int slot, const sl_identity_t *identity, sl_problem_t *why)
{
    apr_size_t length;
    unsigned char *bytes = sl_blob_encode(identity, &length, why);
    apr_status_t rv = bytes
                          ? sl_directory_board_put(q->work->board, slot, &q->key, q->directory, q->entry, bytes, length)
                          : APR_EGENERAL;

    if (bytes && rv == APR_ENOSPC) {
        sl_problem_set(why, rv, identity->origin, "the certificate, its chain and key are too large");
        sl_problem_advise(why, "Leave out what is not needed of the chain");
    }
    else if (rv != APR_SUCCESS) {
        sl_problem_set(why, rv, identity->origin, "memory ended");
    }
    OPENSSL_clear_free(bytes, length);
    return rv;
}

/* ---- records ---- */

static void forget_record(work_t *work, int slot)
{
    free(work->records[slot].entry);
    memset(&work->records[slot], 0, sizeof(work->records[slot]));
}

static void drop(work_t *work, int slot)
{
    sl_directory_board_drop(work->board, slot);
    forget_record(work, slot);
}

/* How long may what is there go unlooked at? */
static void confirm(question_t *q, int slot)
{
    record_t *record = &q->work->records[slot];
    apr_uint64_t length = LOOK_BLIND;

    record->by_events = q->work->interval == SL_DIRECTORY_BY_EVENTS && q->files.is_plain &&
                        !sl_watch_is_blind(q->work->watch, q->directory);
    if (is_off(q->work))
        length = SL_DIRECTORY_FOREVER - q->now;
    else if (q->work->interval > 0)
        length = (apr_uint64_t)q->work->interval * SECOND;
    else if (is_recent(q->loop, q->files.changed, SETTLE))
        length = SETTLE;
    else if (record->by_events)
        length = LOOK_ALL;
    sl_directory_board_confirm(q->work->board, slot, q->now + length);
}

static void note_record(question_t *q, int slot, const sl_identity_t *identity)
{
    record_t *record = &q->work->records[slot];

    record->directory = q->directory;
    record->stamp = q->files.stamp;
    record->gone = 0;
    record->covers_all = covers_all(identity, q->entry);
    confirm(q, slot);
}

/* ---- answers ---- */

static int deny(question_t *q, int cost)
{
    q->work->absent_left -= cost;
    q->work->denied = 1;
    sl_directory_board_deny(q->work->board, &q->key, 0);
    return -1;
}

/* A certificate for all names below may be called by its parent alone, as certbot does it. */
static sl_identity_t *load(question_t *q, sl_problem_t *why)
{
    apr_pool_t *scratch = q->work->scratch;
    sl_identity_t *identity = NULL;

    if (sl_directory_files_load(&identity, &q->files, seconds(q->loop), scratch, why) != APR_SUCCESS)
        return NULL;
    sl_directory_board_add(q->work->board, SL_DIRECTORY_LOADED);
    if (*q->entry == '*' || covers_all(identity, q->entry) ||
        covers_all(identity, apr_pstrcat(scratch, "*.", q->entry, NULL)))
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
        sl_loop_say(q->loop, SL_SAY_ERROR,
                    "SL0176: certificates in %s can't be used; what was served before serves on: the directory can't "
                    "be reached",
                    path_of(q->work, q->directory));
    *told = !changed;
    return *told;
}

static apr_status_t find_files(question_t *q, sl_problem_t *why)
{
    apr_status_t rv =
        sl_directory_files_find(&q->files, q->work->scratch, path_of(q->work, q->directory), q->entry, why);

    if (rv == APR_SUCCESS)
        q->work->is_lost[q->directory] = 0;
    return rv;
}

/* A slot for an identity that is on no slot; -1 if it can't have one. */
static int give_slot(question_t *q, const sl_identity_t *identity, sl_problem_t *why)
{
    int slot = sl_directory_board_claim(q->work->board, &q->key);

    forget_record(q->work, slot);
    q->work->records[slot].entry = strdup(q->entry);
    if (q->work->records[slot].entry && put(q, slot, identity, why) == APR_SUCCESS) {
        note_record(q, slot, identity);
        return slot;
    }
    sl_problem_set(why, APR_ENOMEM, identity->origin, "memory ended");
    drop(q->work, slot);
    return -1;
}

/* The entry is on no slot. The slot that it is on then, or -1. */
static int look_up(question_t *q)
{
    work_t *work = q->work;
    sl_problem_t *why = sl_problem_make(work->scratch);
    apr_status_t rv = find_files(q, why);
    sl_identity_t *identity;
    int slot = -1;

    if (APR_STATUS_IS_ENOENT(rv)) {
        (void)forget_failure(q);
        (void)is_lost(q, sl_directory_files_changed(work->scratch, path_of(work, q->directory), q->entry));
        sl_directory_board_add(work->board, SL_DIRECTORY_ABSENT);
        return deny(q, 1);
    }
    identity = rv == APR_SUCCESS ? load(q, why) : NULL;
    if (identity)
        slot = give_slot(q, identity, why);
    if (slot >= 0) {
        if (forget_failure(q))
            tell_news(q, identity);
        if (!is_known(work, &q->key))
            warn_of(q, identity);
        note_known(work, &q->key);
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
    if (covers_all(old, q->entry) && !covers_all(fresh, q->entry)) {
        sl_problem_set(why, APR_EINVAL, fresh->origin, "the certificate does not cover %s, which the one before covers",
                       q->entry);
        sl_problem_advise(why, "Get one for that name too");
        return 0;
    }
    return 1;
}

static void serve_on(question_t *q, int slot, apr_uint64_t length)
{
    sl_directory_board_confirm(q->work->board, slot, q->now + length);
}

/* The files are other ones. What can't be used is tried again, for it may be half of a change. */
static void renew(question_t *q, int slot)
{
    sl_problem_t *why = sl_problem_make(q->work->scratch);
    sl_identity_t *old = on_board(q, slot), *fresh = load(q, why);
    int is_news = fresh && old && !sl_identity_is_same(old, fresh);

    if (fresh && (!old || is_as_good(q, old, fresh, why)) && put(q, slot, fresh, why) == APR_SUCCESS) {
        if (forget_failure(q) || is_news)
            tell_news(q, fresh);
        if (is_news)
            warn_of(q, fresh);
        note_record(q, slot, fresh);
    }
    else {
        note_refused(q, why, STAYS);
        serve_on(q, slot, LOOK_BLIND);
    }
    sl_identity_release(old);
    sl_identity_release(fresh);
}

/* The files are there. */
static void compare(question_t *q, int slot)
{
    record_t *record = &q->work->records[slot];

    record->gone = 0;
    if (q->files.stamp == record->stamp)
        confirm(q, slot);
    else if (record->stamp && is_recent(q->loop, q->files.changed, SETTLE))
        serve_on(q, slot, SETTLE);
    else
        renew(q, slot);
}

/* They are not: perhaps not yet again. */
static int await_return(question_t *q, int slot)
{
    record_t *record = &q->work->records[slot];
    apr_time_t changed = sl_directory_files_changed(q->work->scratch, path_of(q->work, q->directory), q->entry);

    if (!record->gone)
        record->gone = q->now;
    if (is_lost(q, changed)) {
        serve_on(q, slot, LOOK_BLIND);
        return slot;
    }
    if (q->now < record->gone + GONE && is_recent(q->loop, changed, GONE)) {
        serve_on(q, slot, SETTLE);
        return slot;
    }
    (void)forget_failure(q);
    drop(q->work, slot);
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
        serve_on(q, slot, LOOK_BLIND);
    }
    return slot;
}

/* The slot of the entry, or -1: then it is denied. */
static int answer_entry(question_t *q)
{
    work_t *work = q->work;
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
    if (work->absent_left > 0 || is_known(work, &q->key))
        return look_up(q);
    work->denied = 1;
    sl_directory_board_add(work->board, SL_DIRECTORY_PUT_OFF);
    sl_directory_board_deny(work->board, &q->key, 1);
    return -1;
}

static void answer(work_t *work, sl_loop_t *loop, int directory, const char *name)
{
    const char *names[SL_ENTRY_NAMES];
    char room[2 * SL_HOST_MAX];
    int count = sl_directory_names(names, room, name);
    question_t q = {work, loop, directory, NULL, {0, 0, 0}, sl_directory_ticks(), {NULL, NULL, 0, 0, 0}};
    sl_entry_key_t first;

    if (directory < 0 || directory >= work->paths->nelts || !count)
        return;
    begin_second(work, q.now);
    for (int i = 0; i < count; i++) {
        int slot;

        q.entry = names[i];
        sl_directory_board_key(work->board, directory, q.entry, &q.key);
        if (!i)
            first = q.key;
        slot = answer_entry(&q);
        if (slot >= 0 && work->records[slot].covers_all)
            break;
    }
    sl_directory_board_wake(work->board, &first);
}

/* ---- changes ---- */

static void tell(void *baton, int directory)
{
    work_t *work = baton;

    work->changes = 1;
    if (directory != SL_WATCH_ALL)
        work->has_changed[directory] = 1;
    for (int i = 0; directory == SL_WATCH_ALL && i < work->paths->nelts; i++)
        work->has_changed[i] = 1;
}

/* An event says that something has changed: what is there is looked at again when it is asked for. */
static void expire(work_t *work)
{
    for (int i = 0; i < work->paths->nelts; i++) {
        if (work->has_changed[i])
            sl_watch_follow(work->watch, i);
    }
    for (int slot = 0; slot < sl_directory_board_slots(work->board); slot++) {
        const record_t *record = &work->records[slot];

        if (record->entry && record->by_events && work->has_changed[record->directory])
            sl_directory_board_confirm(work->board, slot, 0);
    }
    memset(work->has_changed, 0, sizeof(*work->has_changed) * (size_t)work->paths->nelts);
    work->changes = 0;
    sl_directory_board_turn_epoch(work->board);
}

static void follow_changes(work_t *work, apr_uint64_t now)
{
    sl_watch_read(work->watch, tell, work);
    if (work->changes && now >= work->expire_due) {
        expire(work);
        work->expire_due = now + EXPIRE_PAUSE;
    }
}

static void turn_epoch(work_t *work, apr_uint64_t now)
{
    if (work->epoch_due && now >= work->epoch_due) {
        sl_directory_board_turn_epoch(work->board);
        work->epoch_due = 0;
    }
    if (work->denied && !work->epoch_due)
        work->epoch_due = now + EPOCH;
    work->denied = 0;
}

/* Those of which nothing was said because they might have been half of a change. */
static void try_again(work_t *work, sl_loop_t *loop, apr_uint64_t now)
{
    if (!work->retry_due || now < work->retry_due)
        return;
    work->retry_due = 0;
    for (int i = 0; i < FAILURES; i++) {
        const failure_t *failure = &work->failures[i];
        char entry[SL_HOST_MAX + 1];
        question_t q = {work, loop, failure->directory, entry, {0, 0, 0}, now, {NULL, NULL, 0, 0, 0}};
        int slot;

        if (!failure->tag || failure->is_told)
            continue;
        if (now < failure->since + PATIENCE) {
            if (!work->retry_due || failure->since + PATIENCE < work->retry_due)
                work->retry_due = failure->since + PATIENCE;
            continue;
        }
        memcpy(entry, failure->entry, sizeof(entry));
        sl_directory_board_key(work->board, q.directory, entry, &q.key);
        slot = sl_directory_board_find(work->board, &q.key);
        (void)(slot >= 0 ? look_again(&q, slot) : look_up(&q));
        apr_pool_clear(work->scratch);
    }
}

/* ---- the job ---- */

static void sooner(apr_uint64_t *first, apr_uint64_t due)
{
    if (due && due < *first)
        *first = due;
}

static void run(sl_job_t *job, sl_loop_t *loop)
{
    work_t *work = job->baton;
    apr_uint64_t now = sl_directory_ticks(), first = APR_UINT64_MAX;
    char name[SL_HOST_MAX + 1];
    int directory, questions = 0;

    follow_changes(work, now);
    begin_second(work, now);
    try_again(work, loop, now);
    while (questions < MOST_QUESTIONS && sl_directory_board_take(work->board, &directory, name)) {
        sl_directory_board_add(work->board, SL_DIRECTORY_QUESTIONS);
        answer(work, loop, directory, name);
        apr_pool_clear(work->scratch);
        questions++;
    }
    turn_epoch(work, now);
    sooner(&first, work->epoch_due);
    sooner(&first, work->retry_due);
    sooner(&first, work->changes ? work->expire_due : 0);
    if (questions == MOST_QUESTIONS)
        first = now;
    if (first != APR_UINT64_MAX)
        job->due = sl_world_now(loop->world) + (apr_interval_time_t)(first > now ? first - now : 0);
}

/* What the keeper before this one left serves on, and is looked at again when it is asked for. */
static void take_over(work_t *work)
{
    for (int slot = 0; slot < sl_directory_board_slots(work->board); slot++) {
        record_t *record = &work->records[slot];
        char entry[SL_HOST_MAX + 1];

        if (!sl_directory_board_owner(work->board, slot, &record->directory, entry) ||
            (record->entry = strdup(entry)) == NULL) {
            drop(work, slot);
            continue;
        }
        if (!is_off(work))
            sl_directory_board_confirm(work->board, slot, 0);
    }
    sl_directory_board_turn_epoch(work->board);
}

static void begin(sl_job_t *job, sl_loop_t *loop)
{
    work_t *work = job->baton;
    int by_events = work->interval == SL_DIRECTORY_BY_EVENTS;

    apr_pool_create(&work->scratch, loop->pool);
    work->records = apr_pcalloc(loop->pool, sizeof(record_t) * (apr_size_t)sl_directory_board_slots(work->board));
    work->failures = apr_pcalloc(loop->pool, sizeof(failure_t) * FAILURES);
    work->known = apr_pcalloc(loop->pool, (apr_size_t)1 << (KNOWN_BITS - 3));
    work->has_changed = apr_pcalloc(loop->pool, sizeof(int) * (apr_size_t)work->paths->nelts);
    work->is_lost = apr_pcalloc(loop->pool, sizeof(int) * (apr_size_t)work->paths->nelts);
    work->watch = sl_watch_make(loop->pool, work->paths->nelts, by_events);
    for (int i = 0; by_events && i < work->paths->nelts; i++) {
        const char *const paths[] = {path_of(work, i), NULL};

        sl_watch_add(work->watch, i, paths);
    }
    take_over(work);
    work->fds[0].fd = sl_directory_board_fd(work->board);
    work->fds[1].fd = sl_watch_fd(work->watch);
    work->fds[0].events = work->fds[1].events = POLLIN;
    job->fds = work->fds;
    job->fd_count = work->fds[1].fd >= 0 ? 2 : 1;
}

static void end(sl_job_t *job, sl_loop_t *loop)
{
    work_t *work = job->baton;

    (void)loop;
    for (int slot = 0; slot < sl_directory_board_slots(work->board); slot++)
        forget_record(work, slot);
}

sl_job_t *sl_directory_job_make(apr_pool_t *pool, sl_directory_board_t *board, const apr_array_header_t *paths,
                                int interval)
{
    work_t *work = apr_pcalloc(pool, sizeof(*work));

    work->job.name = "directory";
    work->job.begin = begin;
    work->job.run = run;
    work->job.end = end;
    work->job.baton = work;
    work->board = board;
    work->paths = paths;
    work->interval = interval;
    return &work->job;
}
