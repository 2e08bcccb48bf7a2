/* Entries of certificate directories that can't be used: each is told once for each reason, and not at once if it may
 * be half of a change. Those that were told are published (directory_refusals) until they can be used or are gone, and
 * looked at again by and by, so that the list is right also where nobody asks for them.
 *
 * A bounded table: with more than fit, an entry loses its place to another one, and is told again then. Runs in the
 * keeper, one thread; times are sl_directory_ticks(). */
#ifndef SL_KEEPER_DIRECTORY_FAILURES_H
#define SL_KEEPER_DIRECTORY_FAILURES_H

#include "base/world.h"
#include "keeper/directory_board.h"

/* With files that were changed a moment ago and do not fit together. Microseconds. */
#define SL_DIRECTORY_SETTLING (5 * 1000000u)
/* How many are remembered. */
#define SL_DIRECTORY_FAILURES 4096
/* When the keeper looks again at what was told (microseconds), and how many of them in a second. */
#define SL_DIRECTORY_LOOK_REFUSED (60 * 1000000u)
#define SL_DIRECTORY_MOST_REFUSED 10

typedef struct sl_directory_failures_t sl_directory_failures_t;

/* Publishes to `section`, NULL: nowhere. `looks_again`: at those that were told. What it holds goes with `pool`. */
sl_directory_failures_t *sl_directory_failures_make(apr_pool_t *pool, const sl_world_t *world, sl_section_t *section,
                                                    int looks_again);

/* The entry ("": the directory as a whole) can't be used for the reason `words`. 1: that has to be told. `is_fresh`:
 * its files were changed within the time above; then it is told when it is tried again. */
int sl_directory_failures_note(sl_directory_failures_t *failures, const sl_entry_key_t *key, int directory,
                               const char *entry, const char *words, int is_fresh, apr_uint64_t now);
/* It can be used, or is not there any more. 1 if it was told that it can't. */
int sl_directory_failures_forget(sl_directory_failures_t *failures, const sl_entry_key_t *key);

/* When entries are to be tried again; 0: there are none. */
apr_uint64_t sl_directory_failures_due(const sl_directory_failures_t *failures);
/* To be called when that is due, with *place 0 first: the next one to be tried; 0 if there is no other. */
int sl_directory_failures_next(sl_directory_failures_t *failures, int *place, apr_uint64_t now, int *directory,
                               char entry[SL_HOST_MAX + 1]);

/* Publishes what has changed, five times a second at most. When to call it again; 0: after the next change. */
apr_uint64_t sl_directory_failures_publish(sl_directory_failures_t *failures, apr_uint64_t now);

#endif
