/* The real clock. */
#include "base/world.h"

#include <stddef.h>

static apr_time_t real_now(void *baton)
{
    (void)baton;
    return apr_time_now();
}

const sl_world_t *sl_world_real(void)
{
    static const sl_world_t real = {real_now, NULL};

    return &real;
}

apr_time_t sl_world_now(const sl_world_t *world)
{
    return world->now(world->baton);
}
