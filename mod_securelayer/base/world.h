/* What the outside world tells us, injected so that tests run with a fixed clock. */
#ifndef SL_BASE_WORLD_H
#define SL_BASE_WORLD_H

#include <apr_time.h>

typedef struct sl_world_t {
    apr_time_t (*now)(void *baton); /* microseconds since 1970, UTC */
    void *baton;
    apr_time_t (*ticks)(void *baton); /* of a clock that is never set, greater than 0; NULL: the machine's */
} sl_world_t;

/* The machine's own clock; static, never freed. */
const sl_world_t *sl_world_real(void);
apr_time_t sl_world_now(const sl_world_t *world);
apr_time_t sl_world_ticks(const sl_world_t *world);

#endif
