/* One trust of a child, in its newest version.  httpd/trusts has a slot for each that may be reloaded. */
#include "identity/trust_slot.h"

#include <pthread.h>
#include <stdlib.h>

#define PAUSE apr_time_from_sec(1) /* after a failure */

struct sl_trust_slot_t {
    pthread_mutex_t lock;
    pthread_cond_t is_made;
    sl_trust_t *newest; /* NULL: none that is newer than the start's */
    int is_behind;      /* the start's is not to be used, if it can be helped */
    int is_busy;        /* a thread is making a newer one */
    apr_uint64_t failed; /* version that could not be made; 0: none */
    apr_time_t retry;   /* when to try that again */
};

sl_trust_slot_t *sl_trust_slot_new(int is_behind)
{
    sl_trust_slot_t *slot = calloc(1, sizeof(*slot));

    if (!slot)
        return NULL;
    if (pthread_mutex_init(&slot->lock, NULL) != 0) {
        free(slot);
        return NULL;
    }
    if (pthread_cond_init(&slot->is_made, NULL) != 0) {
        pthread_mutex_destroy(&slot->lock);
        free(slot);
        return NULL;
    }
    slot->is_behind = is_behind;
    return slot;
}

void sl_trust_slot_free(sl_trust_slot_t *slot)
{
    if (!slot)
        return;
    sl_trust_release(slot->newest);
    pthread_cond_destroy(&slot->is_made);
    pthread_mutex_destroy(&slot->lock);
    free(slot);
}

/* Who was slow with its look at the version may find a newer one. */
static int is_wanted(const sl_trust_slot_t *slot, apr_uint64_t version, const sl_world_t *world)
{
    if (slot->is_busy || (slot->newest && slot->newest->version >= version))
        return 0;
    return slot->failed != version || sl_world_ticks(world) >= slot->retry;
}

static void await_first(sl_trust_slot_t *slot)
{
    while (slot->is_behind && slot->is_busy)
        pthread_cond_wait(&slot->is_made, &slot->lock);
}

/* Under the lock. Returns the one that is to be released. */
static sl_trust_t *put(sl_trust_slot_t *slot, sl_trust_t *fresh, apr_uint64_t version, const sl_world_t *world,
                       int *failed)
{
    sl_trust_t *old = slot->newest;

    slot->is_busy = 0;
    if (fresh) {
        slot->newest = fresh;
        slot->is_behind = 0;
        slot->failed = 0;
    }
    else {
        *failed = slot->failed != version;
        slot->failed = version;
        slot->retry = sl_world_ticks(world) + PAUSE;
        old = NULL;
    }
    pthread_cond_broadcast(&slot->is_made);
    return old;
}

/* The lock is held before and after. */
static void renew(sl_trust_slot_t *slot, apr_uint64_t version, const sl_world_t *world, sl_trust_maker_t make,
                  void *baton, int *failed)
{
    sl_trust_t *fresh, *old;

    slot->is_busy = 1;
    pthread_mutex_unlock(&slot->lock);
    fresh = make(baton);
    pthread_mutex_lock(&slot->lock);
    old = put(slot, fresh, version, world, failed);
    pthread_mutex_unlock(&slot->lock);
    sl_trust_release(old); /* it may be the last reference to much */
    pthread_mutex_lock(&slot->lock);
}

sl_trust_t *sl_trust_slot_get(sl_trust_slot_t *slot, apr_uint64_t version, const sl_world_t *world,
                              sl_trust_maker_t make, void *baton, int *failed)
{
    sl_trust_t *trust;

    *failed = 0;
    pthread_mutex_lock(&slot->lock);
    if (is_wanted(slot, version, world))
        renew(slot, version, world, make, baton, failed);
    else
        await_first(slot);
    trust = slot->newest;
    if (trust)
        sl_trust_retain(trust);
    pthread_mutex_unlock(&slot->lock);
    return trust;
}
