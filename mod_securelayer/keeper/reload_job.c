/* Watching, waiting for the end of a change, and what is told.  Made by httpd/identities.
 *
 * What has to be done is a list of items that may have changed. Each has its moment: shortly after the last event, but
 * not long after the first one; later again while the files do not fit together. */
#include "keeper/reload_job.h"

#include <apr_strings.h>
#include <string.h>

#define SETTLE (200 * 1000)                 /* microseconds without an event */
#define SETTLE_MOST (1000 * 1000)           /* since the first one */
#define PATIENCE apr_time_from_sec(5)       /* with files that do not fit together */
#define PATIENCE_MOST apr_time_from_sec(30) /* however often they change meanwhile */
#define AGAIN (500 * 1000)
#define SLICE (200 * 1000)                  /* of work in one run */
#define LOOK_BLIND apr_time_from_sec(1)     /* where no events come from */
#define LOOK_ALL apr_time_from_sec(60)      /* in case one got lost */
#define CHILDREN_FIRST (250 * 1000)         /* clients wait for them when the server starts */
#define RETRY apr_time_from_sec(30)         /* of what was refused: clocks are set, and shortages end */
#define SHARE 20                            /* looks take no more than that part of the time */

typedef struct progress_t {
    apr_uint64_t stamp; /* of the files as they were last taken or refused */
    apr_time_t first, due; /* on the clock that is never set; 0: nothing is to be done */
    apr_uint64_t failed; /* stamp of the files that did not fit last; 0: they do */
    apr_time_t failing;  /* since when these do not */
    apr_time_t unfit;    /* since when none did */
    apr_time_t again;   /* when refused ones are tried again as they are; 0: they were not refused */
    int is_listed;
} progress_t;

typedef struct work_t {
    sl_job_t job;
    apr_array_header_t *items; /* of sl_reload_item_t * */
    sl_section_t *states;
    const sl_world_t *world;
    int interval;
    sl_watch_t *watch; /* NULL: the job has not run yet */
    progress_t *progress;
    int *list; /* items with something to be done */
    int listed;
    apr_time_t next_blind, next_all;
    apr_time_t not_before; /* the next look at all, whatever happens */
    struct pollfd fd;
} work_t;

static apr_time_t ticks(const work_t *work)
{
    return sl_world_ticks(work->world);
}

static sl_reload_item_t *nth(const work_t *work, int n)
{
    return APR_ARRAY_IDX(work->items, n, sl_reload_item_t *);
}

/* ---- what is known ---- */

void sl_reload_state_read(const sl_section_t *section, int entry, sl_reload_state_t *state)
{
    if (!section || sl_section_read(section, entry, state, sizeof(*state), NULL) != sizeof(*state))
        memset(state, 0, sizeof(*state));
}

static void put_state(const work_t *work, const sl_reload_item_t *item, const sl_reload_state_t *state)
{
    apr_status_t rv = sl_section_publish(work->states, item->entry, state, sizeof(*state));

    (void)rv; /* entries are as large as it is */
}

/* ---- what has to be done ---- */

static void list(work_t *work, int n, apr_time_t now)
{
    progress_t *progress = &work->progress[n];
    apr_time_t due = now + SETTLE;

    if (!progress->first)
        progress->first = now;
    progress->due = due < progress->first + SETTLE_MOST ? due : progress->first + SETTLE_MOST;
    if (!progress->is_listed) {
        progress->is_listed = 1;
        work->list[work->listed++] = n;
    }
}

/* `stamp`: 0 if nobody looked yet. */
static void look_at(work_t *work, int n, apr_uint64_t stamp, apr_time_t now)
{
    const progress_t *progress = &work->progress[n];

    if (progress->is_listed)
        return;
    if ((progress->again && progress->again <= now) ||
        (stamp ? stamp : sl_watch_stamp(nth(work, n)->paths)) != progress->stamp)
        list(work, n, now);
}

/* Asked for each of very many, and answered for some. */
static int is_over(sl_loop_t *loop, int n)
{
    return n % 256 == 0 && sl_loop_is_over(loop);
}

static void look(work_t *work, sl_loop_t *loop, int blind_only)
{
    apr_time_t now = ticks(work);

    for (int i = 0; i < work->items->nelts && !is_over(loop, i); i++) {
        if (!blind_only || sl_watch_is_blind(work->watch, i))
            look_at(work, i, 0, now);
    }
}

static void tell(void *baton, int item)
{
    work_t *work = baton;

    if (item == SL_WATCH_ALL)
        work->next_all = work->not_before < work->next_all ? work->not_before : work->next_all;
    else
        list(work, item, ticks(work));
}

static apr_time_t after(const work_t *work, apr_time_t begun, apr_interval_time_t pause)
{
    apr_time_t now = ticks(work);
    apr_interval_time_t least = (now - begun) * SHARE;

    return now + (pause > least ? pause : least);
}

static int is_by_clock(const work_t *work)
{
    return work->interval != SL_RELOAD_BY_EVENTS;
}

static void all_looked_at(work_t *work, apr_time_t begun)
{
    work->next_all = after(work, begun, is_by_clock(work) ? apr_time_from_sec(work->interval) : LOOK_ALL);
    work->next_blind = after(work, begun, LOOK_BLIND);
    work->not_before = after(work, begun, 0);
}

static void look_around(work_t *work, sl_loop_t *loop)
{
    apr_time_t begun = ticks(work);

    if (begun >= work->next_all) {
        look(work, loop, 0);
        all_looked_at(work, begun);
    }
    else if (begun >= work->next_blind && !is_by_clock(work)) {
        look(work, loop, 1);
        work->next_blind = after(work, begun, LOOK_BLIND);
    }
}

/* ---- one item ---- */

/* Is there still nothing to serve? */
static int is_lacking(const sl_reload_item_t *item, const sl_reload_state_t *state)
{
    return item->is_awaited && !state->version;
}

static void take_over(work_t *work, sl_loop_t *loop, const sl_reload_item_t *item, sl_reload_state_t *state, int news,
                      const char *said)
{
    int was_refused = state->refused != 0, was_lacking = is_lacking(item, state);

    state->refused = 0;
    memset(state->reason, 0, sizeof(state->reason));
    if (news) {
        state->version++;
        state->changed = apr_time_sec(sl_world_now(loop->world));
    }
    put_state(work, item, state);
    if (news && was_lacking)
        sl_loop_say(loop, SL_SAY_NOTICE, "SL0191: %s is there: who was left out for nothing else is served now%s%s",
                    item->name, said ? ": " : "", said ? said : "");
    else if (news)
        sl_loop_say(loop, SL_SAY_NOTICE, "SL0150: %s was changed, and new connections get it%s%s", item->name,
                    said ? ": " : "", said ? said : "");
    else if (was_refused)
        sl_loop_say(loop, SL_SAY_NOTICE, "SL0151: %s is in order again: what was served before serves on", item->name);
}

/* What is awaited and has not changed is as the start has told. */
static void refuse(work_t *work, sl_loop_t *loop, const sl_reload_item_t *item, sl_reload_state_t *state, int is_change,
                   const sl_problem_t *why)
{
    const char *text = sl_problem_text(why, loop->scratch);
    int is_known = state->refused && !strncmp(state->reason, text, sizeof(state->reason) - 1);

    if (!is_known) {
        state->refused = apr_time_sec(sl_world_now(loop->world));
        memset(state->reason, 0, sizeof(state->reason));
        apr_cpystrn(state->reason, text, sizeof(state->reason));
    }
    put_state(work, item, state);
    if (is_known || (!is_change && is_lacking(item, state)))
        return;
    if (is_lacking(item, state))
        sl_loop_say(loop, SL_SAY_ERROR,
                    "SL0192: %s was changed, but can't be used; who is left out for it stays so: %s", item->name, text);
    else
        sl_loop_say(loop, SL_SAY_ERROR,
                    "SL0152: %s was changed, but can't be used; what was served before serves on: %s", item->name,
                    text);
}

/* The other half of a change may come yet. Patience begins anew with each part of it that comes, not without end. */
static int may_still_fit(progress_t *progress, apr_uint64_t stamp, apr_time_t now)
{
    if (!progress->failed)
        progress->unfit = now;
    if (progress->failed != stamp)
        progress->failing = now;
    progress->failed = stamp;
    return now < progress->failing + PATIENCE && now < progress->unfit + PATIENCE_MOST;
}

/* 1: nothing more is to be done for now. */
static int take(work_t *work, sl_loop_t *loop, int n)
{
    sl_reload_item_t *item = nth(work, n);
    progress_t *progress = &work->progress[n];
    apr_uint64_t stamp = sl_watch_stamp(item->paths);
    sl_problem_t *why = sl_problem_make(loop->scratch);
    sl_reload_state_t state;
    const char *said = NULL;
    apr_status_t rv;
    int news = 0, is_change = stamp != progress->stamp;

    sl_watch_follow(work->watch, n); /* links may have changed and lead to the same file */
    if (!is_change && !progress->again)
        return 1;
    sl_reload_state_read(work->states, item->entry, &state);
    rv = item->load(item, loop, &state, &news, &said, why);
    state.stamp = stamp;
    progress->again = 0;
    if (rv == APR_SUCCESS) {
        take_over(work, loop, item, &state, news, said);
    }
    else if (is_change && rv != SL_RELOAD_REFUSED && may_still_fit(progress, stamp, ticks(work))) {
        progress->first = ticks(work);
        progress->due = progress->first + AGAIN;
        return 0;
    }
    else {
        refuse(work, loop, item, &state, is_change, why);
        progress->again = ticks(work) + RETRY;
    }
    progress->failed = 0;
    progress->stamp = stamp; /* taken before: what changed meanwhile is another change */
    if (sl_watch_stamp(item->paths) == stamp)
        return 1;
    progress->due = ticks(work) + SETTLE;
    return 0;
}

/* The first moment at which something is to be done. */
static apr_time_t work_off(work_t *work, sl_loop_t *loop)
{
    apr_time_t begun = ticks(work), first = SL_NEVER;
    int left = 0;

    for (int i = 0; i < work->listed; i++) {
        int n = work->list[i], is_done = 0;
        progress_t *progress = &work->progress[n];

        if (progress->due <= ticks(work) && ticks(work) - begun < SLICE && !sl_loop_is_over(loop)) {
            apr_pool_t *whole = loop->scratch;

            apr_pool_create(&loop->scratch, whole);
            is_done = take(work, loop, n);
            apr_pool_destroy(loop->scratch);
            loop->scratch = whole;
        }
        if (is_done) {
            progress->is_listed = 0;
            progress->first = progress->due = 0;
            continue;
        }
        work->list[left++] = n;
        first = progress->due < first ? progress->due : first;
    }
    work->listed = left;
    return first;
}

/* ---- the job ---- */

/* What a keeper before this one has taken or refused is known. */
static void recall(work_t *work, int n)
{
    const sl_reload_item_t *item = nth(work, n);
    sl_reload_state_t state;

    sl_reload_state_read(work->states, item->entry, &state);
    work->progress[n].stamp = state.stamp ? state.stamp : item->stamp;
    if (state.refused || is_lacking(item, &state))
        work->progress[n].again = ticks(work) + RETRY;
}

/* Whatever changed since it was loaded is found at once: before the keeper was there, or while it was not. */
static void watch_all(work_t *work, sl_job_t *job, sl_loop_t *loop)
{
    apr_time_t begun = ticks(work);

    work->watch = sl_watch_make(loop->pool, work->items->nelts, !is_by_clock(work));
    for (int i = 0; i < work->items->nelts && !is_over(loop, i); i++) {
        recall(work, i);
        look_at(work, i, sl_watch_add(work->watch, i, nth(work, i)->paths), begun);
    }
    all_looked_at(work, begun);
    work->fd.fd = sl_watch_fd(work->watch);
    work->fd.events = POLLIN;
    job->fds = &work->fd;
    job->fd_count = work->fd.fd >= 0;
    if (!is_by_clock(work) && work->fd.fd < 0)
        sl_loop_say(loop, SL_SAY_WARNING,
                    "SL0153: the system does not tell of changes in files: they are looked at "
                    "every second");
}

static void run(sl_job_t *job, sl_loop_t *loop)
{
    work_t *work = job->baton;
    apr_time_t first, now;

    if (!work->watch) {
        watch_all(work, job, loop);
    }
    else {
        sl_watch_read(work->watch, tell, work);
        look_around(work, loop);
    }
    first = work_off(work, loop);
    if (work->next_all < first)
        first = work->next_all;
    if (!is_by_clock(work) && work->next_blind < first)
        first = work->next_blind;
    now = ticks(work);
    job->due = sl_world_now(loop->world) + (first > now ? first - now : 0);
}

static void begin(sl_job_t *job, sl_loop_t *loop)
{
    work_t *work = job->baton;

    work->world = loop->world;
    work->watch = NULL;
    work->progress = apr_pcalloc(loop->pool, sizeof(*work->progress) * (apr_size_t)work->items->nelts);
    work->list = apr_palloc(loop->pool, sizeof(*work->list) * (apr_size_t)work->items->nelts);
    work->listed = 0;
    job->due = sl_world_now(loop->world) + CHILDREN_FIRST;
}

sl_job_t *sl_reload_job_make(apr_pool_t *pool, apr_array_header_t *items, sl_section_t *states, int interval)
{
    work_t *work = apr_pcalloc(pool, sizeof(*work));

    work->job.name = "reload";
    work->job.begin = begin;
    work->job.run = run;
    work->job.baton = work;
    work->items = items;
    work->states = states;
    work->interval = interval;
    return &work->job;
}
