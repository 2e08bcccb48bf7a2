/* The slots of the counters.  Started by startup; conn_hooks counts, status_page and metrics read.
 *
 * The memory belongs to the process and not to the configuration: httpd unloads this module in a restart, and the next
 * one finds it by a name that changes with its layout. */
#include "httpd/counters.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define SLOTS 64
#define MOST_VALUES 40
#define KEY "mod_securelayer counters 2"

_Static_assert(SL_FAILURES <= MOST_VALUES, "a cell for each reason");

typedef struct slot_t {
    _Atomic apr_uint64_t cells[SL_COUNTERS][MOST_VALUES];
    _Atomic apr_uint64_t times[SL_TIME_BOUNDS + 1]; /* by the first bound that was kept */
    _Atomic apr_uint64_t sum;
} __attribute__((aligned(64))) slot_t;

typedef struct counters_t {
    atomic_uint joined;
    slot_t slots[SLOTS];
} counters_t;

static counters_t *counters;
static slot_t *own;

static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};
#define VERSIONS ((int)(sizeof(versions) / sizeof(versions[0])))

static const char *version_word(int value)
{
    static const char *const words[] = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", "other"};

    return words[value];
}

static const char *kind_word(int value)
{
    return value ? "resumed" : "full";
}

static const char *failure_word(int value)
{
    return sl_failure_word((sl_failure_reason_t)value);
}

const sl_counter_row_t sl_counter_rows[SL_COUNTERS] = {
    [SL_COUNT_VERSION] = {"securelayer_handshakes", "Handshakes completed, by protocol version.", "version",
                          "Handshakes by version", VERSIONS + 1, version_word},
    [SL_COUNT_KIND] = {"securelayer_handshake_kinds", "Handshakes completed, by whether a session was resumed.", "kind",
                       "Handshakes by kind", 2, kind_word},
    [SL_COUNT_FAILURE] = {"securelayer_handshake_failures", "Handshakes that failed, by reason.", "reason",
                          "Failed handshakes", SL_FAILURES, failure_word},
};

const apr_interval_time_t sl_time_bounds[SL_TIME_BOUNDS] = {1000,   2500,   5000,    10000,   25000,   50000,
                                                            100000, 250000, 500000, 1000000, 2500000, 10000000};

apr_status_t sl_counters_start(server_rec *main_server, sl_problem_t *why)
{
    apr_pool_t *pool = main_server->process->pool;
    void *found = NULL;

    apr_pool_userdata_get(&found, KEY, pool);
    if (!found) {
        found = mmap(NULL, sizeof(counters_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (found == MAP_FAILED)
            return sl_problem_set(why, errno, NULL, "there is no shared memory for counters");
        apr_pool_userdata_set(found, KEY, NULL, pool);
    }
    counters = found;
    return APR_SUCCESS;
}

void sl_counters_join(void)
{
    if (counters)
        own = &counters->slots[atomic_fetch_add(&counters->joined, 1) % SLOTS];
}

static void add(_Atomic apr_uint64_t *cell, apr_uint64_t amount)
{
    atomic_fetch_add_explicit(cell, amount, memory_order_relaxed);
}

static void note_success(const sl_conn_t *conn)
{
    int version = SSL_version(conn->ssl), value = 0, bound = 0;

    while (value < VERSIONS && versions[value] != version)
        value++;
    while (bound < SL_TIME_BOUNDS && conn->handshake_time > sl_time_bounds[bound])
        bound++;
    add(&own->cells[SL_COUNT_VERSION][value], 1);
    add(&own->cells[SL_COUNT_KIND][SSL_session_reused(conn->ssl) ? 1 : 0], 1);
    add(&own->times[bound], 1);
    add(&own->sum, (apr_uint64_t)conn->handshake_time);
}

void sl_counters_note(const sl_conn_t *conn)
{
    if (!own)
        return;
    if (conn->state == SL_STATE_OPEN)
        note_success(conn);
    else if (conn->state == SL_STATE_FAILED)
        add(&own->cells[SL_COUNT_FAILURE][conn->failure.reason], 1);
}

static apr_uint64_t read_cell(const _Atomic apr_uint64_t *cell)
{
    return atomic_load_explicit(cell, memory_order_relaxed);
}

apr_uint64_t sl_counters_sum(sl_counter_t counter, int value)
{
    apr_uint64_t sum = 0;

    for (int i = 0; counters && i < SLOTS; i++)
        sum += read_cell(&counters->slots[i].cells[counter][value]);
    return sum;
}

void sl_counters_times(sl_times_t *times)
{
    memset(times, 0, sizeof(*times));
    for (int i = 0; counters && i < SLOTS; i++) {
        for (int bound = 0; bound <= SL_TIME_BOUNDS; bound++)
            times->up_to[bound] += read_cell(&counters->slots[i].times[bound]);
        times->sum += read_cell(&counters->slots[i].sum);
    }
    for (int bound = 1; bound <= SL_TIME_BOUNDS; bound++)
        times->up_to[bound] += times->up_to[bound - 1];
}
