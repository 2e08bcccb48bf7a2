/* Questions in, answers out.  Made by httpd/directories; keeper/directory asks.
 *
 * What is done with a question stands in directory_answer, what is known of the board in directory_slots; here is when:
 * questions, events, and what is tried again. */
#include "keeper/directory_job.h"

#include "keeper/directory_answer.h"
#include "keeper/directory_expiry.h"

#include <string.h>

#define MOST_QUESTIONS 256 /* in one run */
#define EPOCH 1000000u /* nothing is there: for how long that counts at most */
#define EXPIRE_PAUSE 100000u /* between two looks at all slots */

typedef struct sl_directory_work_t work_t;

typedef struct keeper_t {
    sl_job_t job;
    work_t work;
    struct pollfd fds[2];
    int *has_changed; /* by directory */
    int changes;
    apr_uint64_t expire_due, epoch_due; /* 0: not due */
} keeper_t;

/* ---- changes ---- */

static void tell(void *baton, int directory)
{
    keeper_t *in = baton;

    in->changes = 1;
    if (directory != SL_WATCH_ALL)
        in->has_changed[directory] = 1;
    for (int i = 0; directory == SL_WATCH_ALL && i < in->work.paths->nelts; i++)
        in->has_changed[i] = 1;
}

/* An event says that something has changed: what is there is looked at again when it is asked for. */
static void expire(keeper_t *in)
{
    for (int i = 0; i < in->work.paths->nelts; i++) {
        if (in->has_changed[i])
            sl_watch_follow(in->work.watch, i);
    }
    for (int slot = 0; slot < sl_directory_board_slots(in->work.board); slot++) {
        const sl_directory_slot_t *record = &in->work.slots[slot];

        if (record->entry && record->by_events && in->has_changed[record->directory])
            sl_directory_board_confirm(in->work.board, slot, 0);
    }
    memset(in->has_changed, 0, sizeof(*in->has_changed) * (size_t)in->work.paths->nelts);
    in->changes = 0;
    sl_directory_board_turn_epoch(in->work.board);
}

static void follow_changes(keeper_t *in, apr_uint64_t now)
{
    sl_watch_read(in->work.watch, tell, in);
    if (in->changes && now >= in->expire_due) {
        expire(in);
        in->expire_due = now + EXPIRE_PAUSE;
    }
}

static void turn_epoch(keeper_t *in, apr_uint64_t now)
{
    if (in->epoch_due && now >= in->epoch_due) {
        sl_directory_board_turn_epoch(in->work.board);
        in->epoch_due = 0;
    }
    if (in->work.denied && !in->epoch_due)
        in->epoch_due = now + EPOCH;
    in->work.denied = 0;
}

/* Those of which nothing was said because they might have been half of a change, and those that are on the list of what
 * can't be used. */
static void try_again(work_t *work, apr_uint64_t now)
{
    char entry[SL_HOST_MAX + 1];
    int place = 0, directory;

    if (!sl_directory_failures_due(work->failures) || now < sl_directory_failures_due(work->failures))
        return;
    while (sl_directory_failures_next(work->failures, &place, now, &directory, entry)) {
        sl_directory_try_again(work, directory, entry);
        apr_pool_clear(work->scratch);
    }
}

/* ---- the job ---- */

static void sooner(apr_uint64_t *first, apr_uint64_t due)
{
    if (due && due < *first)
        *first = due;
}

static int answer_questions(work_t *work)
{
    char name[SL_HOST_MAX + 1];
    int directory, questions = 0;

    while (questions < MOST_QUESTIONS && sl_directory_board_take(work->board, &directory, name)) {
        sl_directory_board_add(work->board, SL_DIRECTORY_QUESTIONS);
        sl_directory_answer(work, directory, name);
        apr_pool_clear(work->scratch);
        questions++;
    }
    return questions;
}

static void run(sl_job_t *job, sl_loop_t *loop)
{
    keeper_t *in = job->baton;
    apr_uint64_t now = sl_directory_ticks(), first = APR_UINT64_MAX;

    follow_changes(in, now);
    try_again(&in->work, now);
    if (answer_questions(&in->work) == MOST_QUESTIONS)
        first = now;
    sl_directory_expiry_look(&in->work);
    turn_epoch(in, now);
    sooner(&first, in->epoch_due);
    sooner(&first, sl_directory_failures_due(in->work.failures));
    sooner(&first, sl_directory_failures_publish(in->work.failures, now));
    sooner(&first, in->changes ? in->expire_due : 0);
    job->due = sl_directory_expiry_due(&in->work);
    if (first != APR_UINT64_MAX) {
        apr_time_t due = sl_world_now(loop->world) + (apr_interval_time_t)(first > now ? first - now : 0);

        job->due = due < job->due ? due : job->due;
    }
}

static void begin(sl_job_t *job, sl_loop_t *loop)
{
    keeper_t *in = job->baton;
    work_t *work = &in->work;
    int count = work->paths->nelts, by_events = work->interval == SL_DIRECTORY_BY_EVENTS;

    work->loop = loop;
    apr_pool_create(&work->scratch, loop->pool);
    work->limits = sl_directory_limits_make(loop->pool);
    work->expiry = sl_directory_expiry_make(loop->pool);
    work->failures =
        sl_directory_failures_make(loop->pool, loop->world, work->refusals, work->interval != SL_DIRECTORY_NEVER);
    work->is_lost = apr_pcalloc(loop->pool, sizeof(int) * (apr_size_t)count);
    in->has_changed = apr_pcalloc(loop->pool, sizeof(int) * (apr_size_t)count);
    work->watch = sl_watch_make(loop->pool, count, by_events);
    for (int i = 0; by_events && i < count; i++) {
        const char *const paths[] = {sl_directory_path(work, i), NULL};

        sl_watch_add(work->watch, i, paths);
    }
    sl_directory_slots_begin(work, loop->pool);
    sl_directory_board_turn_epoch(work->board);
    in->fds[0].fd = sl_directory_board_fd(work->board);
    in->fds[1].fd = sl_watch_fd(work->watch);
    in->fds[0].events = in->fds[1].events = POLLIN;
    job->fds = in->fds;
    job->fd_count = in->fds[1].fd >= 0 ? 2 : 1;
}

static void end(sl_job_t *job, sl_loop_t *loop)
{
    keeper_t *in = job->baton;

    (void)loop;
    sl_directory_slots_end(&in->work);
}

sl_job_t *sl_directory_job_make(apr_pool_t *pool, sl_directory_board_t *board, const apr_array_header_t *paths,
                                const sl_directory_staple_t *staples, int interval, sl_section_t *refusals)
{
    keeper_t *in = apr_pcalloc(pool, sizeof(*in));

    in->job.name = "directory";
    in->job.begin = begin;
    in->job.run = run;
    in->job.end = end;
    in->job.baton = in;
    in->work.board = board;
    in->work.paths = paths;
    in->work.staples = staples;
    in->work.interval = interval;
    in->work.refusals = refusals;
    return &in->job;
}
