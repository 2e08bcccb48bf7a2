/* What the keeper knows of each slot of the directory_board besides what is on it, and the entry that it is busy with.
 *
 * Runs in the keeper, one thread. Used by the parts of directory_job alone. */
#ifndef SL_KEEPER_DIRECTORY_SLOTS_H
#define SL_KEEPER_DIRECTORY_SLOTS_H

#include "keeper/directory_board.h"
#include "keeper/directory_bundle.h"
#include "keeper/directory_failures.h"
#include "keeper/directory_files.h"
#include "keeper/directory_limits.h"
#include "keeper/loop.h"
#include "keeper/watch.h"

#include <apr_tables.h>

#define SL_DIRECTORY_BY_EVENTS (-1)
#define SL_DIRECTORY_NEVER 0
/* Microseconds for which nobody looks at what a look found */
#define SL_DIRECTORY_LOOK_BLIND 1000000u   /* where no events tell of changes */
#define SL_DIRECTORY_LOOK_SETTLE 200000u   /* at files that were changed a moment ago, and may be changed further */
#define SL_DIRECTORY_LOOK_ALL (60 * 1000000u) /* in case an event got lost */

typedef struct sl_directory_dates_t {
    apr_int64_t not_before, not_after; /* seconds since 1970 */
} sl_directory_dates_t;

typedef struct sl_directory_slot_t {
    int directory;
    char *entry; /* NULL: the slot is free */
    apr_uint64_t stamp; /* of the files of what is on the board; 0: unknown */
    apr_uint64_t gone; /* since when they are not all there; 0: they are */
    int covers_all; /* the names that the entry is for */
    int by_events;
    int is_partial; /* not all of its files could be used */
    int count; /* of its identities; 0: not known */
    sl_directory_dates_t dates[SL_DIRECTORY_KINDS]; /* of their certificates */
} sl_directory_slot_t;

typedef struct sl_directory_expiry_t sl_directory_expiry_t;

/* Who is asked for the OCSP answers to be stapled for certificates of a directory. */
typedef enum {
    SL_DIRECTORY_NOT_STAPLED,
    SL_DIRECTORY_STAPLED,        /* the responder that a certificate names */
    SL_DIRECTORY_STAPLED_BY_ONE, /* always the same one */
} sl_directory_staple_t;

/* What directory_job works on, made anew in each keeper. */
typedef struct sl_directory_work_t {
    sl_directory_board_t *board;
    const apr_array_header_t *paths; /* const char *, by number */
    const sl_directory_staple_t *staples; /* likewise */
    int interval;
    sl_section_t *refusals;
    sl_loop_t *loop;
    sl_watch_t *watch;
    apr_pool_t *scratch; /* of one question */
    sl_directory_slot_t *slots;
    sl_directory_limits_t *limits;
    sl_directory_failures_t *failures;
    sl_directory_expiry_t *expiry;
    int *is_lost; /* by directory: it is not there, and that was told */
    int denied; /* something was found not to be there since this was set to 0 */
} sl_directory_work_t;

/* One entry that is being answered. */
typedef struct sl_directory_question_t {
    sl_directory_work_t *work;
    int directory;
    const char *entry;
    sl_entry_key_t key;
    apr_uint64_t now; /* sl_directory_ticks() */
    sl_directory_files_t files;
} sl_directory_question_t;

/* In `pool`, that of the keeper: whatever the one before it left on the board, to be looked at again when it is asked
 * for. */
void sl_directory_slots_begin(sl_directory_work_t *work, apr_pool_t *pool);
void sl_directory_slots_end(sl_directory_work_t *work);

const char *sl_directory_path(const sl_directory_work_t *work, int directory);
/* Since 1970, by the clock of the loop's world. */
apr_int64_t sl_directory_seconds(const sl_directory_work_t *work);
/* Was it within that time (microseconds)? What is from the future was not: somebody else's clock made it. */
int sl_directory_is_recent(const sl_directory_work_t *work, apr_time_t moment, apr_interval_time_t time);
/* Does the identity cover all names that the entry is for? */
int sl_directory_covers_all(const sl_identity_t *identity, const char *entry);

/* What is on the slot, for the caller to be cleared; nothing if nothing is, or memory ends. */
void sl_directory_slot_get(const sl_directory_work_t *work, int slot, sl_blob_want_t want,
                           sl_directory_bundle_t *bundle);
void sl_directory_slot_note_dates(sl_directory_slot_t *record, const sl_directory_bundle_t *bundle);
/* The bundle, which is not empty, is on the slot from now on, and confirmed as what q->files hold; `is_partial`: not
 * all of them can be used. On failure nothing changes. */
apr_status_t sl_directory_slot_put(sl_directory_question_t *q, int slot, const sl_directory_bundle_t *bundle,
                                   int is_partial, sl_problem_t *why) __attribute__((warn_unused_result));
/* The same on a slot for an entry that has none; another one may lose it. -1: told in `why`. */
int sl_directory_slot_give(sl_directory_question_t *q, const sl_directory_bundle_t *bundle, int is_partial,
                           sl_problem_t *why);
/* What is on the slot is what q->files hold: for how long need nobody look? */
void sl_directory_slot_confirm(sl_directory_question_t *q, int slot);
/* Whatever it is: nobody looks for that long. */
void sl_directory_slot_serve_on(const sl_directory_question_t *q, int slot, apr_uint64_t length);
/* Nothing holds the slot from now on. */
void sl_directory_slot_drop(sl_directory_work_t *work, int slot);

#endif
