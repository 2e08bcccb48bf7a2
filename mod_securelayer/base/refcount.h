/* Counting of shared, immutable objects.  The last release, from whatever thread, frees. */
#ifndef SL_BASE_REFCOUNT_H
#define SL_BASE_REFCOUNT_H

#include <stdatomic.h>

typedef struct sl_refcount_t {
    atomic_uint holders;
} sl_refcount_t;

static inline void sl_refcount_init(sl_refcount_t *count)
{
    atomic_init(&count->holders, 1);
}

static inline void sl_refcount_retain(sl_refcount_t *count)
{
    atomic_fetch_add_explicit(&count->holders, 1, memory_order_relaxed);
}

/* True when the caller held the last reference and must free the object. */
static inline int sl_refcount_release(sl_refcount_t *count)
{
    return atomic_fetch_sub_explicit(&count->holders, 1, memory_order_acq_rel) == 1;
}

#endif
