/* The real clocks. */
#include "base/world.h"

#include <stddef.h>
#include <time.h>

static apr_time_t real_now(void *baton)
{
    (void)baton;
    return apr_time_now();
}

const sl_world_t *sl_world_real(void)
{
    static const sl_world_t real = {real_now, NULL, NULL};

    return &real;
}

apr_time_t sl_world_now(const sl_world_t *world)
{
    return world->now(world->baton);
}

apr_time_t sl_world_ticks(const sl_world_t *world)
{
    struct timespec now;

    if (world->ticks)
        return world->ticks(world->baton);
    clock_gettime(CLOCK_MONOTONIC, &now);
    return apr_time_from_sec(now.tv_sec) + now.tv_nsec / 1000 + 1;
}
