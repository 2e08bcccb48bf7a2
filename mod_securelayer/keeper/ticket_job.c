/* Rotation of ticket keys.  The state is on the board alone, so a keeper that starts anew goes on where the last one
 * was. */
#include "keeper/ticket_job.h"

#include <apr_strings.h>

#define RETRY apr_time_from_sec(30)

typedef struct turn_t {
    sl_section_t *tickets;
    apr_int64_t rotation, keep;
} turn_t;

int sl_ticket_job_read(const sl_section_t *tickets, int entry, sl_ticket_ring_t *ring)
{
    apr_size_t length = sl_section_read(tickets, entry, ring, sizeof(*ring), NULL);

    if (sl_ticket_ring_is_whole(ring, length))
        return 1;
    ring->count = 0;
    return 0;
}

apr_status_t sl_ticket_job_turn(sl_section_t *tickets, apr_int64_t now, apr_int64_t rotation, apr_int64_t keep,
                                apr_int64_t *due, sl_problem_t *why)
{
    sl_ticket_ring_t ring;
    int changed = 0;
    apr_status_t rv;

    (void)sl_ticket_job_read(tickets, 0, &ring);
    rv = sl_ticket_ring_turn(&ring, now, rotation, keep, &changed, why);
    if (rv == APR_SUCCESS && changed)
        rv = sl_section_publish(tickets, 0, &ring, sl_ticket_ring_size(&ring));
    if (due)
        *due = sl_ticket_ring_due(&ring, now, rotation, keep);
    sl_ticket_ring_cleanse(&ring);
    return rv;
}

static void run(sl_job_t *job, sl_loop_t *loop)
{
    const turn_t *turn = job->baton;
    apr_time_t now = sl_world_now(loop->world);
    sl_problem_t *why = sl_problem_make(loop->scratch);
    apr_uint64_t before = sl_section_version(turn->tickets, 0);
    apr_int64_t due;

    if (sl_ticket_job_turn(turn->tickets, apr_time_sec(now), turn->rotation, turn->keep, &due, why) != APR_SUCCESS) {
        sl_loop_say(loop, SL_SAY_ERROR, "SL0130: %s", sl_problem_text(why, loop->scratch));
        job->due = now + RETRY;
        return;
    }
    job->due = apr_time_from_sec(due);
    if (sl_section_version(turn->tickets, 0) != before)
        sl_loop_say(loop, SL_SAY_DEBUG, "SL0131: the keys of session tickets were turned");
}

sl_job_t *sl_ticket_job_make(apr_pool_t *pool, sl_section_t *tickets, apr_int64_t rotation, apr_int64_t keep)
{
    sl_job_t *job = apr_pcalloc(pool, sizeof(*job));
    turn_t *turn = apr_palloc(pool, sizeof(*turn));

    turn->tickets = tickets;
    turn->rotation = rotation;
    turn->keep = keep;
    job->name = "ticket keys";
    job->run = run;
    job->baton = turn;
    return job;
}
