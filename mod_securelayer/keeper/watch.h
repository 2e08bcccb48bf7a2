/* Notices that files have changed: replaced by rename, rewritten in place, removed, or reached through symbolic links
 * of which any was changed. By inotify where there is one; else, and for file systems of other machines, by looking at
 * them from time to time.
 *
 * An item is a number that stands for some paths. Made and used in one process and thread; never waits. */
#ifndef SL_KEEPER_WATCH_H
#define SL_KEEPER_WATCH_H

#include <apr_pools.h>
#include <apr_time.h>

#define SL_WATCH_PATHS 8
#define SL_WATCH_ALL (-1)

typedef struct sl_watch_t sl_watch_t;

/* `pool`: of the process. Without `use_events` nothing but the clock tells. */
sl_watch_t *sl_watch_make(apr_pool_t *pool, int items, int use_events);
/* NULL ends the paths early. Absolute paths; borrowed. A directory stands for all that is in it. Returns the stamp of
 * the files (as sl_watch_stamp()), looked at when they were watched already; 0: somebody has to look yet. */
apr_uint64_t sl_watch_add(sl_watch_t *watch, int item, const char *const *paths);
/* To be polled for reading; -1: there is none. */
int sl_watch_fd(const sl_watch_t *watch);

/* Tells each item that may have changed, or SL_WATCH_ALL. */
typedef void (*sl_watch_tell_t)(void *baton, int item);
void sl_watch_read(sl_watch_t *watch, sl_watch_tell_t tell, void *baton);
/* After a change of the item: links may lead elsewhere now. */
void sl_watch_follow(sl_watch_t *watch, int item);
/* Must this item be looked at from time to time? */
int sl_watch_is_blind(const sl_watch_t *watch, int item);

/* The stamps of the files (base/file_stamp) in their order; that of a directory is followed by one for all that is in
 * it. Any process. */
apr_uint64_t sl_watch_stamp(const char *const *paths);

#endif
