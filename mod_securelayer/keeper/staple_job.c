/* The thread that asks for the answers that are due, and looks for certificates that are new.  httpd/stapling makes the
 * job of what the configuration names, keeper/directory_staples that of certificate directories. */
#include "keeper/staple_job.h"

#include "keeper/supply.h"
#include "ocsp/fetch.h"

#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <signal.h>
#include <string.h>

#define RECALLED_AT_START 1000 /* they take a tenth of a second */
#define LOOKS (1000 * 1000) /* microseconds between them */
#define LEAVE (500 * 1000) /* microseconds for the thread to end in */

typedef struct work_t {
    sl_job_t job;
    sl_staple_shelf_t shelf;
    sl_staple_look_t look;          /* NULL: none come and go */
    void *baton;
    apr_array_header_t *staples; /* of sl_staple_t * */
    apr_thread_t *thread;
    apr_thread_mutex_t *lock;
    apr_thread_cond_t *wake;
    int is_over;     /* the thread is */
    apr_time_t seen; /* of the clock, by the thread */
    apr_time_t looked; /* for news */
    apr_hash_t *silences; /* of responders that gave no answer at all: URL -> apr_time_t */
} work_t;

void sl_staple_notice_clock(apr_array_header_t *staples, apr_time_t *seen, apr_time_t now)
{
    for (int i = 0; now < *seen && i < staples->nelts; i++) {
        sl_staple_t *staple = APR_ARRAY_IDX(staples, i, sl_staple_t *);

        if (staple && staple->due != SL_NEVER)
            staple->due -= *seen - now;
    }
    *seen = now;
}

/* ---- certificates that were renewed ---- */

/* What did not come off is tried again with the next look. */
static void take(work_t *work, sl_staple_t *staple, const sl_identity_t *identity, apr_uint64_t version,
                 apr_pool_t *scratch)
{
    apr_uint64_t before = staple->version;

    staple->version = version; /* the certificate is made of that one from now on */
    if (!sl_staple_take(&work->shelf, staple, identity, scratch))
        staple->version = before;
}

static void look_for_news(work_t *work, sl_staple_t *staple, apr_pool_t *scratch)
{
    const sl_section_t *from = staple->identity >= 0 ? work->shelf.identities : NULL;
    apr_uint64_t version = from ? sl_section_version(from, staple->identity) : staple->version;
    sl_identity_t *identity;

    if (version == staple->version)
        return;
    identity = sl_supply_newer(from, staple->identity, SL_BLOB_CERTIFICATES, &version);
    if (identity)
        take(work, staple, identity, version, scratch);
    sl_identity_release(identity);
}

static void look_for_all_news(work_t *work, apr_pool_t *scratch)
{
    apr_time_t now = apr_time_now();

    if (now >= work->looked && now < work->looked + LOOKS)
        return;
    work->looked = now;
    if (work->look)
        work->look(work->baton, &work->shelf, work->staples, scratch);
    for (int i = 0; work->shelf.identities && i < work->staples->nelts; i++)
        look_for_news(work, APR_ARRAY_IDX(work->staples, i, sl_staple_t *), scratch);
}

/* ---- the thread ---- */

static int is_unasked(const sl_staple_t *staple)
{
    return staple && !staple->due && !staple->until;
}

/* Those that the parent left, or whose answers came to a courier before this one. */
static void recall_others(work_t *work, apr_pool_t *scratch)
{
    for (int i = 0; work->shelf.directory && !work->shelf.stop && i < work->staples->nelts; i++) {
        sl_staple_t *staple = APR_ARRAY_IDX(work->staples, i, sl_staple_t *);

        if (is_unasked(staple))
            sl_staple_recall(&work->shelf, staple, scratch);
        apr_pool_clear(scratch);
    }
}

static sl_staple_t *first_due(const work_t *work)
{
    sl_staple_t *first = NULL;

    for (int i = 0; i < work->staples->nelts; i++) {
        sl_staple_t *staple = APR_ARRAY_IDX(work->staples, i, sl_staple_t *);

        if (staple && (!first || staple->due < first->due))
            first = staple;
    }
    return first;
}

/* When the responder that gave no answer at all is asked again; 0: it gave one, or was never asked. */
static apr_time_t *silence_of(work_t *work, const char *url)
{
    apr_time_t *until = apr_hash_get(work->silences, url, APR_HASH_KEY_STRING);

    if (!until) {
        until = apr_pcalloc(work->shelf.pool, sizeof(*until));
        apr_hash_set(work->silences, apr_pstrdup(work->shelf.pool, url), APR_HASH_KEY_STRING, until);
    }
    return until;
}

/* They would wait for the same silence, one after the other. Those that are new are put off when they come. */
static void put_off_others(work_t *work, const sl_staple_t *failed, apr_pool_t *scratch)
{
    *silence_of(work, failed->url) = failed->due;
    for (int i = 0; i < work->staples->nelts; i++) {
        sl_staple_t *staple = APR_ARRAY_IDX(work->staples, i, sl_staple_t *);

        if (staple && staple != failed && staple->due <= failed->due && staple->url &&
            !strcmp(staple->url, failed->url))
            sl_staple_put_off(&work->shelf, staple, failed->due + 1, scratch);
    }
}

static void fetch(work_t *work, sl_staple_t *staple, apr_pool_t *scratch)
{
    apr_time_t *silence, now = apr_time_now();

    look_for_news(work, staple, scratch);
    if (staple->due > now)
        return;
    silence = silence_of(work, staple->url);
    /* The one that got no answer goes first. */
    if (staple->due < *silence && *silence <= now + apr_time_from_sec(staple->pause)) /* else the clock was set */
        sl_staple_put_off(&work->shelf, staple, *silence + 1, scratch);
    else if (sl_staple_fetch(&work->shelf, staple, scratch))
        *silence = 0;
    else
        put_off_others(work, staple, scratch);
}

static void wait_until_due(work_t *work, apr_time_t due)
{
    apr_interval_time_t left = due - apr_time_now();
    apr_interval_time_t most =
        work->shelf.identities || work->look ? LOOKS : apr_time_from_sec(60); /* news come, clocks are set */

    apr_thread_mutex_lock(work->lock);
    if (!work->shelf.stop && left > 0)
        apr_thread_cond_timedwait(work->wake, work->lock, left < most ? left : most);
    apr_thread_mutex_unlock(work->lock);
}

static void *APR_THREAD_FUNC live(apr_thread_t *thread, void *baton)
{
    work_t *work = baton;
    apr_pool_t *scratch;
    sigset_t all;

    sigfillset(&all); /* signals are the loop's */
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    apr_pool_create(&scratch, work->shelf.pool);
    sl_staple_sweep(&work->shelf, scratch);
    apr_pool_clear(scratch);
    recall_others(work, scratch);
    while (!work->shelf.stop) {
        sl_staple_t *staple;

        look_for_all_news(work, scratch);
        sl_staple_notice_clock(work->staples, &work->seen, apr_time_now());
        staple = first_due(work);
        if (!staple || staple->due > apr_time_now())
            wait_until_due(work, staple ? staple->due : SL_NEVER);
        else
            fetch(work, staple, scratch);
        apr_pool_clear(scratch);
    }
    apr_thread_mutex_lock(work->lock);
    work->is_over = 1;
    apr_thread_cond_signal(work->wake);
    apr_thread_mutex_unlock(work->lock);
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void begin(sl_job_t *job, sl_loop_t *loop)
{
    work_t *work = job->baton;

    work->shelf.loop = loop;
    work->shelf.stop = work->is_over = 0;
    sl_fetch_init();
    apr_pool_create_unmanaged_ex(&work->shelf.pool, NULL, NULL);
    work->shelf.urls = apr_hash_make(work->shelf.pool);
    work->silences = apr_hash_make(work->shelf.pool);
    if (apr_thread_mutex_create(&work->lock, APR_THREAD_MUTEX_DEFAULT, work->shelf.pool) != APR_SUCCESS ||
        apr_thread_cond_create(&work->wake, work->shelf.pool) != APR_SUCCESS ||
        apr_thread_create(&work->thread, NULL, live, work, work->shelf.pool) != APR_SUCCESS) {
        work->thread = NULL;
        sl_loop_say(loop, SL_SAY_ERROR, "SL0145: OCSP stapling: no thread could be started, so no answers are fetched");
    }
}

static void rest(sl_job_t *job, sl_loop_t *loop)
{
    (void)job; /* all the work is the thread's */
    (void)loop;
}

/* A thread that waits for a responder is left behind: the process ends, and others wait for that. */
static void end(sl_job_t *job, sl_loop_t *loop)
{
    work_t *work = job->baton;
    apr_status_t rv = APR_SUCCESS;

    (void)loop;
    if (!work->thread)
        return;
    apr_thread_mutex_lock(work->lock);
    work->shelf.stop = 1;
    apr_thread_cond_signal(work->wake);
    while (!work->is_over && rv == APR_SUCCESS)
        rv = apr_thread_cond_timedwait(work->wake, work->lock, LEAVE);
    apr_thread_mutex_unlock(work->lock);
    if (rv != APR_SUCCESS)
        return;
    apr_thread_join(&rv, work->thread);
    apr_pool_destroy(work->shelf.pool);
}

static work_t *make(apr_pool_t *pool, const sl_staple_shelf_t *shelf, apr_array_header_t *staples)
{
    work_t *work = apr_pcalloc(pool, sizeof(*work));

    work->job.name = "stapling";
    work->job.begin = begin;
    work->job.run = rest;
    work->job.end = end;
    work->job.baton = work;
    work->job.due = SL_NEVER;
    work->shelf = *shelf;
    work->staples = staples;
    return work;
}

sl_job_t *sl_staple_job_make(apr_pool_t *pool, const sl_staple_shelf_t *shelf, apr_array_header_t *staples)
{
    work_t *work = make(pool, shelf, staples);
    apr_pool_t *scratch;
    int others = 0;

    apr_pool_create(&scratch, pool);
    for (int i = 0; shelf->directory && i < staples->nelts; i++) {
        sl_staple_t *staple = APR_ARRAY_IDX(staples, i, sl_staple_t *);

        if (is_unasked(staple) && (staple->is_urgent || others++ < RECALLED_AT_START))
            sl_staple_recall(&work->shelf, staple, scratch);
        apr_pool_clear(scratch);
    }
    apr_pool_destroy(scratch);
    return &work->job;
}

sl_job_t *sl_staple_job_make_open(apr_pool_t *pool, const sl_staple_shelf_t *shelf, apr_array_header_t *staples,
                                  sl_staple_look_t look, void *baton)
{
    work_t *work = make(pool, shelf, staples);

    work->look = look;
    work->baton = baton;
    return &work->job;
}
