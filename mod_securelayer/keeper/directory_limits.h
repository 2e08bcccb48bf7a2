/* How much the keeper does in a second for names that nobody found before, and how many lines about names it writes.
 *
 * Runs in the keeper, one thread. */
#ifndef SL_KEEPER_DIRECTORY_LIMITS_H
#define SL_KEEPER_DIRECTORY_LIMITS_H

#include "keeper/directory_board.h"

/* Names per second for which nothing is there, or what is there is not to be used. */
#define SL_DIRECTORY_MOST_ABSENT 2000

typedef struct sl_directory_limits_t sl_directory_limits_t;

sl_directory_limits_t *sl_directory_limits_make(apr_pool_t *pool);
/* It is `now` (sl_directory_ticks()): another second may have begun. */
void sl_directory_limits_begin(sl_directory_limits_t *limits, apr_uint64_t now);

/* May the entry be looked for? Those that were found once always may; a few others share their luck. */
int sl_directory_limits_may_look(const sl_directory_limits_t *limits, const sl_entry_key_t *key);
/* Of this second: a look has cost as much as that many names that are not there. */
void sl_directory_limits_charge(sl_directory_limits_t *limits, int cost);
/* It was found. 1 if that is for the first time. */
int sl_directory_limits_note_found(sl_directory_limits_t *limits, const sl_entry_key_t *key);

/* What is to be said at the end of a line that may be written ("", or how many others were left out before it, in
 * `pool`); NULL: there were enough in this second, this one is left out too. */
const char *sl_directory_limits_line(sl_directory_limits_t *limits, apr_pool_t *pool);

#endif
