/* Preloaded into httpd before ThreadSanitizer: shows it how the memory of pools goes from thread to thread.
 *
 * APR is built without ThreadSanitizer, so a pool that one thread clears and another one takes up, or a page that an
 * allocator gives first to this pool and then to that, looks like memory that both use at once. Whatever was done
 * before an allocator got memory back comes before whatever is done with memory it hands out later: its lock, or
 * whoever hands on a pool with an allocator of its own, sees to that. */
#include <dlfcn.h>
#include <stddef.h>

typedef struct apr_pool_t apr_pool_t;
typedef struct apr_allocator_t apr_allocator_t;

extern apr_allocator_t *apr_pool_allocator_get(apr_pool_t *pool);
extern void __tsan_acquire(void *address) __attribute__((weak));
extern void __tsan_release(void *address) __attribute__((weak));

void *apr_palloc(apr_pool_t *pool, size_t size);
void apr_pool_clear(apr_pool_t *pool);
void apr_pool_destroy(apr_pool_t *pool);

static void gives_back(apr_pool_t *pool)
{
    if (pool && __tsan_release)
        __tsan_release(apr_pool_allocator_get(pool));
}

void *apr_palloc(apr_pool_t *pool, size_t size)
{
    static void *(*next)(apr_pool_t *, size_t);
    void *memory;

    if (!next)
        next = (void *(*)(apr_pool_t *, size_t))dlsym(RTLD_NEXT, "apr_palloc");
    memory = next(pool, size);
    if (pool && __tsan_acquire)
        __tsan_acquire(apr_pool_allocator_get(pool));
    return memory;
}

void apr_pool_clear(apr_pool_t *pool)
{
    static void (*next)(apr_pool_t *);

    if (!next)
        next = (void (*)(apr_pool_t *))dlsym(RTLD_NEXT, "apr_pool_clear");
    gives_back(pool);
    next(pool);
}

void apr_pool_destroy(apr_pool_t *pool)
{
    static void (*next)(apr_pool_t *);

    if (!next)
        next = (void (*)(apr_pool_t *))dlsym(RTLD_NEXT, "apr_pool_destroy");
    gives_back(pool);
    next(pool);
}
