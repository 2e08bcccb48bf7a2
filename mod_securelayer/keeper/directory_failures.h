/* Entries of certificate directories that can't be used: each is told once for each reason, and not at once if it may
 * be half of a change.
 *
 * A bounded table: an entry may lose its place to another one, and is told again then. Runs in the keeper, one thread;
 * times are sl_directory_ticks(). */
#ifndef SL_KEEPER_DIRECTORY_FAILURES_H
#define SL_KEEPER_DIRECTORY_FAILURES_H

#include "keeper/directory_board.h"

/* With files that were changed a moment ago and do not fit together. Microseconds. */
#define SL_DIRECTORY_SETTLING (5 * 1000000u)

typedef struct sl_directory_failures_t sl_directory_failures_t;

sl_directory_failures_t *sl_directory_failures_make(apr_pool_t *pool);

/* The entry can't be used for the reason `words`. 1: that has to be told. `is_fresh`: its files were changed within the
 * time above; then it is told when it is tried again. */
int sl_directory_failures_note(sl_directory_failures_t *failures, const sl_entry_key_t *key, int directory,
                               const char *entry, const char *words, int is_fresh, apr_uint64_t now);
/* It can be used, or is not there any more. 1 if it was told that it can't. */
int sl_directory_failures_forget(sl_directory_failures_t *failures, const sl_entry_key_t *key);

/* When entries are to be tried again; 0: there are none. */
apr_uint64_t sl_directory_failures_due(const sl_directory_failures_t *failures);
/* To be called when that is due, with *place 0 first: the next one to be tried; 0 if there is no other. */
int sl_directory_failures_next(sl_directory_failures_t *failures, int *place, apr_uint64_t now, int *directory,
                               char entry[SL_HOST_MAX + 1]);

#endif
