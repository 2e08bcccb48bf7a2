/* The list of waiting connections and the thread that watches it.  Called from conn_hooks. */
#include "httpd/parking.h"

#include <ap_mpm.h>
#include <http_core.h>
#include <http_log.h>

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "httpd/counters.h"
#include "httpd/module_config.h"

APLOG_USE_MODULE(sl);

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t watcher;
    struct {
        sl_link_t *first, *last; /* by deadline */
        int count;
    } queues[SL_STATE_OPEN + 1]; /* by what the connection waits for: its state */
    apr_time_t watched_until; /* when the watcher looks again by itself */
    int count;
    int most;
    int running;
} parking = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* All of these under the lock. */
static void tell_count(void)
{
    const int parked[SL_WAITS] = {
        [SL_WAIT_HELLO] = parking.queues[SL_STATE_HELLO].count + parking.queues[SL_STATE_START].count,
        [SL_WAIT_HANDSHAKE] = parking.queues[SL_STATE_HANDSHAKE].count,
        [SL_WAIT_REQUEST] = parking.queues[SL_STATE_OPEN].count};

    sl_counters_park(parked);
}

static void insert_after(sl_link_t *earlier, sl_link_t *link)
{
    sl_link_t *later = earlier ? earlier->park_later : parking.queues[link->park_queue].first;

    link->park_earlier = earlier;
    link->park_later = later;
    *(earlier ? &earlier->park_later : &parking.queues[link->park_queue].first) = link;
    *(later ? &later->park_earlier : &parking.queues[link->park_queue].last) = link;
    link->parked = 1;
    parking.queues[link->park_queue].count++;
    parking.count++;
    tell_count();
}

static void take_out(sl_link_t *link)
{
    *(link->park_earlier ? &link->park_earlier->park_later : &parking.queues[link->park_queue].first) =
        link->park_later;
    *(link->park_later ? &link->park_later->park_earlier : &parking.queues[link->park_queue].last) = link->park_earlier;
    link->parked = 0;
    parking.queues[link->park_queue].count--;
    parking.count--;
    tell_count();
}

/* The socket is open: its link has not left yet. */
static void send_off(sl_link_t *link, sl_park_end_t why)
{
    take_out(link);
    link->park_end = why;
    apr_socket_shutdown(ap_get_conn_socket(link->c), APR_SHUTDOWN_READ);
}

static sl_link_t *next_to_expire(void)
{
    sl_link_t *next = NULL;

    for (int queue = 0; queue <= SL_STATE_OPEN; queue++) {
        sl_link_t *link = parking.queues[queue].first;

        if (link && (!next || link->park_until < next->park_until))
            next = link;
    }
    return next;
}

/* The oldest of those that are too many. Who floods us crowds one queue, and gives way to honest clients in the others
 * and to the young in its own; the less somebody has shown, the less of his kind may wait. */
static sl_link_t *next_to_give_way(void)
{
    static const int weights[] = {
        [SL_STATE_HELLO] = 4, [SL_STATE_START] = 4, [SL_STATE_HANDSHAKE] = 2, [SL_STATE_OPEN] = 1};
    int most = 0;

    for (int queue = 1; queue <= SL_STATE_OPEN; queue++) {
        if (parking.queues[queue].count * weights[queue] > parking.queues[most].count * weights[most])
            most = queue;
    }
    return parking.queues[most].first;
}

static void *watch(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&parking.lock);
    while (parking.running) {
        sl_link_t *link = next_to_expire();
        apr_time_t now = apr_time_now();

        if (!link) {
            parking.watched_until = APR_INT64_MAX;
            pthread_cond_wait(&parking.changed, &parking.lock);
        }
        else if (link->park_until <= now) {
            send_off(link, SL_PARK_EXPIRED);
        }
        else {
            struct timespec until = {apr_time_sec(link->park_until), (long)apr_time_usec(link->park_until) * 1000};

            parking.watched_until = link->park_until;
            pthread_cond_timedwait(&parking.changed, &parking.lock, &until);
        }
    }
    pthread_mutex_unlock(&parking.lock);
    return NULL;
}

static apr_status_t stop(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&parking.lock);
    parking.running = 0;
    pthread_cond_signal(&parking.changed);
    pthread_mutex_unlock(&parking.lock);
    pthread_join(parking.watcher, NULL);
    return APR_SUCCESS;
}

void sl_parking_start(apr_pool_t *pool, server_rec *s)
{
    sigset_t all, before;
    int threads = 0, rv;

    pthread_cond_init(&parking.changed, NULL);
    parking.most = (int)sl_settings_number(sl_config_of_server(s)->settings, SL_HANDSHAKE_QUEUE);
    if (!parking.most && ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads) == APR_SUCCESS)
        parking.most = 2 * threads;
    parking.running = 1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rv = pthread_create(&parking.watcher, NULL, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rv) {
        parking.running = 0;
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                     "SL0110: no thread for handshake deadlines: silent clients are ended by Timeout only");
        return;
    }
    apr_pool_cleanup_register(pool, NULL, stop, apr_pool_cleanup_null);
}

void sl_parking_enter(sl_link_t *link, apr_time_t deadline)
{
    sl_link_t *earlier;

    pthread_mutex_lock(&parking.lock);
    if (parking.running && !link->parked) {
        link->park_until = deadline;
        link->park_queue = link->tls->state;
        earlier = parking.queues[link->park_queue].last;
        while (earlier && earlier->park_until > deadline)
            earlier = earlier->park_earlier;
        insert_after(earlier, link);
        if (deadline < parking.watched_until) /* waking it for every connection would cost a switch of threads each */
            pthread_cond_signal(&parking.changed);
        if (parking.count > parking.most)
            send_off(next_to_give_way(), SL_PARK_CROWDED_OUT);
    }
    pthread_mutex_unlock(&parking.lock);
}

sl_park_end_t sl_parking_leave(sl_link_t *link)
{
    sl_park_end_t end;

    pthread_mutex_lock(&parking.lock);
    if (link->parked)
        take_out(link);
    end = link->park_end;
    pthread_mutex_unlock(&parking.lock);
    return end;
}
