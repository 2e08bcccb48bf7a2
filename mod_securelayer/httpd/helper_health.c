/* Written by keeper_hooks in the parent, and by a job of each helper; read by the status page and its likes.
 *
 * Ages are by the clock that is never set. */
#include "httpd/helper_health.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

#define KEY "mod_securelayer helpers 1" /* the figure: of the memory's layout */
#define TOO_LONG 20

typedef struct note_t {
    atomic_int is_used;
    _Atomic apr_int64_t pid, since;
    _Atomic apr_int64_t sign; /* seconds; 0: none yet */
    _Atomic apr_uint64_t deaths;
} note_t;

static note_t *notes;

static apr_int64_t seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + 1;
}

void sl_helper_health_open(server_rec *main_server)
{
    apr_pool_t *pool = main_server->process->pool;
    void *found = NULL;

    apr_pool_userdata_get(&found, KEY, pool);
    if (!found) {
        found = mmap(NULL, sizeof(note_t) * SL_HELPERS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (found == MAP_FAILED)
            return;
        apr_pool_userdata_set(found, KEY, NULL, pool);
    }
    notes = found;
}

/* ---- signs of life ---- */

void sl_helper_health_sign(sl_helper_t helper)
{
    if (notes)
        atomic_store_explicit(&notes[helper].sign, seconds(), memory_order_relaxed);
}

static void give_sign(sl_job_t *job, sl_loop_t *loop)
{
    const note_t *note = job->baton;

    sl_helper_health_sign((sl_helper_t)(note - notes));
    job->due = sl_world_now(loop->world) + apr_time_from_sec(SL_PULSE);
}

static void rest(sl_job_t *job, sl_loop_t *loop)
{
    (void)loop;
    job->due = SL_NEVER;
}

sl_job_t *sl_helper_health_job(apr_pool_t *pool, sl_helper_t helper)
{
    sl_job_t *job = apr_pcalloc(pool, sizeof(*job));

    job->name = "signs of life";
    job->run = notes ? give_sign : rest;
    job->baton = notes ? &notes[helper] : NULL;
    return job;
}

/* ---- what the parent knows ---- */

void sl_helper_health_unused(sl_helper_t helper)
{
    if (notes)
        atomic_store(&notes[helper].is_used, 0);
}

void sl_helper_health_begin(sl_helper_t helper)
{
    note_t *note = notes ? &notes[helper] : NULL;

    if (!note)
        return;
    atomic_store(&note->pid, 0);
    atomic_store(&note->sign, 0);
    atomic_store(&note->since, apr_time_sec(apr_time_now()));
    atomic_store(&note->is_used, 1);
}

void sl_helper_health_started(sl_helper_t helper, pid_t pid)
{
    if (notes)
        atomic_store(&notes[helper].pid, pid);
}

void sl_helper_health_died(sl_helper_t helper)
{
    if (!notes)
        return;
    atomic_store(&notes[helper].pid, 0);
    atomic_fetch_add(&notes[helper].deaths, 1);
}

int sl_helper_health_last(sl_helper_t helper, apr_int64_t *sign)
{
    if (notes)
        *sign = atomic_load(&notes[helper].sign);
    return notes != NULL;
}

/* ---- reading ---- */

static sl_helper_state_t state_of(const note_t *note, const sl_helper_health_t *health)
{
    if (!atomic_load(&note->is_used))
        return SL_HELPER_UNUSED;
    if (!health->pid || (kill((pid_t)health->pid, 0) < 0 && errno == ESRCH))
        return SL_HELPER_GONE;
    if (health->silent < 0)
        return SL_HELPER_STARTING;
    return health->silent > TOO_LONG ? SL_HELPER_SILENT : SL_HELPER_RUNNING;
}

void sl_helper_health_read(sl_helper_t helper, sl_helper_health_t *health)
{
    static note_t nothing;
    note_t *note = notes ? &notes[helper] : &nothing;
    apr_int64_t sign = atomic_load(&note->sign);

    health->pid = atomic_load(&note->pid);
    health->since = atomic_load(&note->since);
    health->silent = sign ? seconds() - sign : -1;
    health->deaths = atomic_load(&note->deaths);
    health->state = state_of(note, health);
}

const char *sl_helper_word(sl_helper_t helper)
{
    return helper == SL_KEEPER ? "keeper" : "courier";
}

const char *sl_helper_state_word(sl_helper_state_t state)
{
    static const char *const words[SL_HELPER_STATES] = {"unused", "starting", "running", "silent", "gone"};

    return words[state];
}
