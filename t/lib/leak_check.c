/* Preloaded into httpd before AddressSanitizer: makes its search for leaks fit httpd.
 *
 * APR keeps the memory of pools in pages of its own, which LeakSanitizer does not look through: whatever only a pool
 * points to would be a leak. So every such page is made known as a place that may hold pointers.
 * At the end of a process, when LeakSanitizer looks by itself (leak_check_at_exit=0 keeps it from that), httpd has
 * unloaded its modules and freed pools that hold things over restarts. So we look when the module is about to be
 * unloaded and, in children, which unload nothing, when they end. */
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

void __lsan_do_leak_check(void) __attribute__((weak));
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
void __lsan_register_root_region(const void *start, size_t size) __attribute__((weak));
void __lsan_unregister_root_region(const void *start, size_t size) __attribute__((weak));

#define PLACES 65536

static struct {
    void *start;
    size_t size;
} places[PLACES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static size_t place_of(const void *start)
{
    return ((size_t)start >> 12) % PLACES;
}

static void remember(void *start, size_t size)
{
    size_t i = place_of(start);

    pthread_mutex_lock(&lock);
    for (size_t tries = 0; tries < PLACES && places[i].size; tries++)
        i = (i + 1) % PLACES;
    if (!places[i].size) {
        places[i].start = start;
        places[i].size = size;
        __lsan_register_root_region(start, size);
    }
    pthread_mutex_unlock(&lock);
}

/* Forgotten places keep their start, so that a search goes on past them. */
static void forget(void *start, size_t size)
{
    size_t i = place_of(start);

    pthread_mutex_lock(&lock);
    for (size_t tries = 0; tries < PLACES && places[i].start; tries++, i = (i + 1) % PLACES) {
        if (places[i].start == start && places[i].size == size) {
            __lsan_unregister_root_region(start, size);
            places[i].size = 0;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
}

/* Where the code of libapr lies: only its pages count, and the sanitizer's own calls must not come back to it. */
static struct {
    size_t start, end;
} apr;

static int look_for_apr(struct dl_phdr_info *library, size_t size, void *baton)
{
    (void)size;
    (void)baton;
    if (!strstr(library->dlpi_name, "/libapr-1.so"))
        return 0;
    apr.start = library->dlpi_addr;
    for (int i = 0; i < library->dlpi_phnum; i++) {
        size_t end = library->dlpi_addr + library->dlpi_phdr[i].p_vaddr + library->dlpi_phdr[i].p_memsz;

        if (library->dlpi_phdr[i].p_type == PT_LOAD && end > apr.end)
            apr.end = end;
    }
    return 1;
}

static int is_apr(const void *caller)
{
    return (size_t)caller >= apr.start && (size_t)caller < apr.end;
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    static void *(*their_mmap)(void *, size_t, int, int, int, off_t);
    void *start;

    if (!their_mmap) {
        void *symbol = next("mmap");

        memcpy(&their_mmap, &symbol, sizeof(symbol));
    }
    start = their_mmap(address, size, protection, flags, fd, offset);
    if (start != MAP_FAILED && fd == -1 && is_apr(__builtin_return_address(0)) && __lsan_register_root_region)
        remember(start, size);
    return start;
}

int munmap(void *start, size_t size)
{
    static int (*their_munmap)(void *, size_t);

    if (!their_munmap) {
        void *symbol = next("munmap");

        memcpy(&their_munmap, &symbol, sizeof(symbol));
    }
    if (is_apr(__builtin_return_address(0)) && __lsan_unregister_root_region)
        forget(start, size);
    return their_munmap(start, size);
}

int dlclose(void *handle)
{
    static int (*their_dlclose)(void *);

    if (!their_dlclose) {
        void *symbol = next("dlclose");

        memcpy(&their_dlclose, &symbol, sizeof(symbol));
    }
    if (dlsym(handle, "securelayer_module") && __lsan_do_recoverable_leak_check)
        __lsan_do_recoverable_leak_check();
    return their_dlclose(handle);
}

static void end_of_child(void)
{
    if (__lsan_do_leak_check)
        __lsan_do_leak_check();
}

/* The module's own processes end without exit(): httpd's pools are none of their business. */
void _exit(int status)
{
    static void (*their_exit)(int) __attribute__((noreturn));
    void *symbol = next("_exit");
    char name[16] = "";

    prctl(PR_GET_NAME, name);
    if (!strncmp(name, "sl-", 3))
        end_of_child();
    memcpy(&their_exit, &symbol, sizeof(symbol));
    their_exit(status);
}

static void in_child(void)
{
    atexit(end_of_child);
}

__attribute__((constructor)) static void prepare(void)
{
    dl_iterate_phdr(look_for_apr, NULL);
    pthread_atfork(NULL, NULL, in_child);
}
