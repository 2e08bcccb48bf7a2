/* The slots of the counters.  Started by startup, joined by status_page; conn_hooks, sessions and parking count; the
 * page, metrics and mod_status's block read.
 *
 * The memory belongs to the process and not to the configuration: httpd unloads this module in a restart, and the next
 * one finds it by a name that changes with its layout. A slot belongs to one child, and to another one once that is
 * gone, however it went; what was counted stays. */
#include "httpd/counters.h"

#include <apr_strings.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto/openssl_compat.h"

#define SLOTS 256
#define MOST_VALUES 40
#define KEY "mod_securelayer counters 2"

_Static_assert(SL_FAILURES <= MOST_VALUES, "a cell for each reason");

/* Of what children have, as it was when this one took the slot. */
enum { BEFORE_FULL, BEFORE_RESUMED, BEFORE_FOUND, BEFORE_MADE, BEFORES };

typedef struct slot_t {
    _Atomic apr_int64_t pid; /* 0: nobody's */
    _Atomic apr_int64_t since;
    _Atomic apr_int64_t parked[SL_WAITS];
    _Atomic apr_uint64_t before[BEFORES];
    _Atomic apr_uint64_t cells[SL_COUNTERS][MOST_VALUES];
    _Atomic apr_uint64_t times[SL_TIME_BOUNDS + 1]; /* by the first bound that was kept */
    _Atomic apr_uint64_t sum;
} __attribute__((aligned(64))) slot_t;

typedef struct counters_t {
    atomic_int used; /* slots from the first one on that ever were somebody's */
    slot_t slots[SLOTS];
} counters_t;

static counters_t *counters;
static slot_t *own;
static int is_shared; /* with another child: sums alone are known */

/* ---- words ---- */

static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};
#define VERSIONS ((int)(sizeof(versions) / sizeof(versions[0])))

static const char *version_word(int value)
{
    static const char *const words[] = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", "other"};

    return words[value];
}

/* As OpenSSL names them, but for upper and lower case. */
static const char *const groups[] = {
    "X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024", "x25519",    "x448",      "secp256r1",
    "secp384r1",      "secp521r1",         "brainpoolP256r1",    "brainpoolP384r1", "brainpoolP512r1",
    "ffdhe2048",      "ffdhe3072",         "ffdhe4096",          "ffdhe6144", "ffdhe8192", "none",
};
#define GROUPS ((int)(sizeof(groups) / sizeof(groups[0])))
_Static_assert(GROUPS < MOST_VALUES, "a cell for each group");

static const char *group_word(int value)
{
    return value < GROUPS ? groups[value] : "other";
}

static const struct {
    int id; /* as on the wire */
    const char *name;
} suites[] = {
    {0x1301, "TLS_AES_128_GCM_SHA256"},
    {0x1302, "TLS_AES_256_GCM_SHA384"},
    {0x1303, "TLS_CHACHA20_POLY1305_SHA256"},
    {0x1304, "TLS_AES_128_CCM_SHA256"},
    {0x1305, "TLS_AES_128_CCM_8_SHA256"},
    {0xc02b, "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {0xc02c, "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {0xc02f, "ECDHE-RSA-AES128-GCM-SHA256"},
    {0xc030, "ECDHE-RSA-AES256-GCM-SHA384"},
    {0xcca9, "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {0xcca8, "ECDHE-RSA-CHACHA20-POLY1305"},
    {0xccaa, "DHE-RSA-CHACHA20-POLY1305"},
    {0x009e, "DHE-RSA-AES128-GCM-SHA256"},
    {0x009f, "DHE-RSA-AES256-GCM-SHA384"},
    {0xc023, "ECDHE-ECDSA-AES128-SHA256"},
    {0xc024, "ECDHE-ECDSA-AES256-SHA384"},
    {0xc027, "ECDHE-RSA-AES128-SHA256"},
    {0xc028, "ECDHE-RSA-AES256-SHA384"},
    {0xc009, "ECDHE-ECDSA-AES128-SHA"},
    {0xc00a, "ECDHE-ECDSA-AES256-SHA"},
    {0xc013, "ECDHE-RSA-AES128-SHA"},
    {0xc014, "ECDHE-RSA-AES256-SHA"},
    {0x0067, "DHE-RSA-AES128-SHA256"},
    {0x006b, "DHE-RSA-AES256-SHA256"},
    {0x0033, "DHE-RSA-AES128-SHA"},
    {0x0039, "DHE-RSA-AES256-SHA"},
    {0x009c, "AES128-GCM-SHA256"},
    {0x009d, "AES256-GCM-SHA384"},
    {0x003c, "AES128-SHA256"},
    {0x003d, "AES256-SHA256"},
    {0x002f, "AES128-SHA"},
    {0x0035, "AES256-SHA"},
};
#define SUITES ((int)(sizeof(suites) / sizeof(suites[0])))
_Static_assert(SUITES < MOST_VALUES, "a cell for each suite");

static const char *suite_word(int value)
{
    return value < SUITES ? suites[value].name : "other";
}

static const char *kind_word(int value)
{
    return value == SL_KIND_RESUMED ? "resumed" : "full";
}

static const char *failure_word(int value)
{
    return sl_failure_word((sl_failure_reason_t)value);
}

static const char *ticket_word(int value)
{
    static const char *const words[] = {[SL_TICKET_NO_KEY] = "unknown",
                                        [SL_TICKET_OLD_KEY] = "opened-old",
                                        [SL_TICKET_FIRST_KEY] = "opened",
                                        [SL_TICKET_MADE] = "made"};

    return words[value];
}

static const char *session_word(int value)
{
    static const char *const words[] = {"hit", "miss", "stored", "failed"};

    return words[value];
}

static const char *identity_word(int value)
{
    return value == SL_IDENTITY_MADE ? "made" : "found";
}

const char *const sl_wait_words[SL_WAITS] = {"hello", "handshake", "request"};

const sl_counter_row_t sl_counter_rows[SL_COUNTERS] = {
    [SL_COUNT_VERSION] = {"securelayer_handshakes", "Handshakes completed, by protocol version.", "version",
                          "by_version",
                          "Versions", VERSIONS + 1, version_word},
    [SL_COUNT_KIND] = {"securelayer_handshake_kinds", "Handshakes completed, by whether a session was resumed.", "kind",
                       "by_kind", "Full and resumed", SL_KINDS, kind_word},
    [SL_COUNT_GROUP] = {"securelayer_handshake_groups", "Handshakes completed, by key exchange group.", "group",
                        "by_group", "Groups", GROUPS + 1, group_word},
    [SL_COUNT_SUITE] = {"securelayer_handshake_suites", "Handshakes completed, by cipher suite.", "suite", "by_suite",
                        "Suites", SUITES + 1, suite_word},
    [SL_COUNT_FAILURE] = {"securelayer_handshake_failures", "Handshakes that failed, by reason.", "reason",
                          "failed_by_reason", "Failed", SL_FAILURES, failure_word},
    [SL_COUNT_BACKEND] = {"securelayer_backend_handshakes",
                          "Handshakes with backends completed, by whether a session was resumed.", "kind", "by_kind",
                          "With backends", SL_KINDS, kind_word},
    [SL_COUNT_BACKEND_FAILURE] = {"securelayer_backend_handshake_failures",
                                  "Handshakes with backends that failed, by reason.", "reason", "failed_by_reason",
                                  "With backends, failed", SL_FAILURES, failure_word},
    [SL_COUNT_TICKET] = {"securelayer_tickets", "Session tickets made, and those that clients showed.", "result",
                         "tickets", "Session tickets", SL_TICKET_COUNTS, ticket_word},
    [SL_COUNT_SESSION] = {"securelayer_session_cache", "Questions to the session cache, and sessions put there.",
                          "result", "session_cache", "Session cache", SL_SESSION_COUNTS, session_word},
    [SL_COUNT_IDENTITY] = {"securelayer_identity_cache",
                           "Certificates with keys that were found ready, or made ready, when a handshake needed them.",
                           "result", "identity_cache", "Identity cache", SL_IDENTITY_COUNTS, identity_word},
};

const apr_interval_time_t sl_time_bounds[SL_TIME_BOUNDS] = {1000,   2500,   5000,    10000,   25000,   50000,
                                                            100000, 250000, 500000, 1000000, 2500000, 10000000};

/* ---- a slot for each child ---- */

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

static apr_uint64_t read_cell(const _Atomic apr_uint64_t *cell)
{
    return atomic_load_explicit(cell, memory_order_relaxed);
}

static int lives(apr_int64_t pid)
{
    return pid && (kill((pid_t)pid, 0) == 0 || errno != ESRCH);
}

static void read_befores(const slot_t *slot, apr_uint64_t values[BEFORES])
{
    values[BEFORE_FULL] = read_cell(&slot->cells[SL_COUNT_KIND][SL_KIND_FULL]);
    values[BEFORE_RESUMED] = read_cell(&slot->cells[SL_COUNT_KIND][SL_KIND_RESUMED]);
    values[BEFORE_FOUND] = read_cell(&slot->cells[SL_COUNT_IDENTITY][SL_IDENTITY_FOUND]);
    values[BEFORE_MADE] = read_cell(&slot->cells[SL_COUNT_IDENTITY][SL_IDENTITY_MADE]);
}

static void move_in(slot_t *slot)
{
    apr_uint64_t values[BEFORES];

    read_befores(slot, values);
    for (int i = 0; i < BEFORES; i++)
        atomic_store(&slot->before[i], values[i]);
    for (int i = 0; i < SL_WAITS; i++)
        atomic_store(&slot->parked[i], 0);
    atomic_store(&slot->since, apr_time_sec(apr_time_now()));
}

static slot_t *take_slot(void)
{
    for (int i = 0; i < SLOTS; i++) {
        slot_t *slot = &counters->slots[i];
        apr_int64_t pid = atomic_load(&slot->pid);
        int used = atomic_load(&counters->used);

        if (lives(pid) || !atomic_compare_exchange_strong(&slot->pid, &pid, getpid()))
            continue;
        move_in(slot);
        while (used < i + 1 && !atomic_compare_exchange_weak(&counters->used, &used, i + 1))
            continue;
        return slot;
    }
    is_shared = 1;
    return &counters->slots[getpid() % SLOTS];
}

/* Other threads of the child may still count. */
static apr_status_t leave(void *unused)
{
    (void)unused;
    atomic_store(&own->pid, 0);
    return APR_SUCCESS;
}

void sl_counters_join(apr_pool_t *child_pool)
{
    if (!counters)
        return;
    own = take_slot();
    if (!is_shared)
        apr_pool_cleanup_register(child_pool, NULL, leave, apr_pool_cleanup_null);
}

/* ---- counting ---- */

static void add(_Atomic apr_uint64_t *cell, apr_uint64_t amount)
{
    atomic_fetch_add_explicit(cell, amount, memory_order_relaxed);
}

_Atomic apr_uint64_t *sl_counters_cell(sl_counter_t counter, int value)
{
    return own ? &own->cells[counter][value] : NULL;
}

void sl_counters_add(sl_counter_t counter, int value)
{
    if (own)
        add(&own->cells[counter][value], 1);
}

void sl_counters_park(const int parked[SL_WAITS])
{
    for (int i = 0; own && !is_shared && i < SL_WAITS; i++)
        atomic_store_explicit(&own->parked[i], parked[i], memory_order_relaxed);
}

static int version_of(const SSL *ssl)
{
    int version = SSL_version(ssl), value = 0;

    while (value < VERSIONS && versions[value] != version)
        value++;
    return value;
}

static int group_of(SSL *ssl)
{
    const char *name = sl_openssl_group_name(ssl);
    int value = 0;

    if (!*name)
        return GROUPS - 1;
    while (value < GROUPS && strcasecmp(groups[value], name) != 0)
        value++;
    return value;
}

static int suite_of(const SSL *ssl)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    int id = cipher ? SSL_CIPHER_get_protocol_id(cipher) : 0, value = 0;

    while (value < SUITES && suites[value].id != id)
        value++;
    return value;
}

static void note_success(const sl_conn_t *conn, int kind)
{
    int bound = 0;

    while (bound < SL_TIME_BOUNDS && conn->handshake_time > sl_time_bounds[bound])
        bound++;
    sl_counters_add(SL_COUNT_VERSION, version_of(conn->ssl));
    sl_counters_add(SL_COUNT_KIND, kind);
    sl_counters_add(SL_COUNT_GROUP, group_of(conn->ssl));
    sl_counters_add(SL_COUNT_SUITE, suite_of(conn->ssl));
    add(&own->times[bound], 1);
    add(&own->sum, (apr_uint64_t)conn->handshake_time);
}

void sl_counters_note(const sl_conn_t *conn)
{
    int kind;

    if (!own)
        return;
    if (conn->state == SL_STATE_FAILED)
        sl_counters_add(conn->target ? SL_COUNT_BACKEND_FAILURE : SL_COUNT_FAILURE, (int)conn->failure.reason);
    if (conn->state != SL_STATE_OPEN)
        return;
    kind = SSL_session_reused(conn->ssl) ? SL_KIND_RESUMED : SL_KIND_FULL;
    if (conn->target)
        sl_counters_add(SL_COUNT_BACKEND, kind);
    else
        note_success(conn, kind);
}

/* ---- reading ---- */

static int used_slots(void)
{
    if (!counters)
        return 0;
    return atomic_load_explicit(&counters->used, memory_order_acquire);
}

apr_uint64_t sl_counters_sum(sl_counter_t counter, int value)
{
    apr_uint64_t sum = 0;

    for (int i = 0; i < used_slots(); i++)
        sum += read_cell(&counters->slots[i].cells[counter][value]);
    return sum;
}

apr_uint64_t sl_counters_total(sl_counter_t counter)
{
    apr_uint64_t sum = 0;

    for (int value = 0; value < sl_counter_rows[counter].values; value++)
        sum += sl_counters_sum(counter, value);
    return sum;
}

void sl_counters_times(sl_times_t *times)
{
    memset(times, 0, sizeof(*times));
    for (int i = 0; i < used_slots(); i++) {
        for (int bound = 0; bound <= SL_TIME_BOUNDS; bound++)
            times->up_to[bound] += read_cell(&counters->slots[i].times[bound]);
        times->sum += read_cell(&counters->slots[i].sum);
    }
    for (int bound = 1; bound <= SL_TIME_BOUNDS; bound++)
        times->up_to[bound] += times->up_to[bound - 1];
}

static void read_child(const slot_t *slot, apr_int64_t pid, sl_child_t *child)
{
    apr_uint64_t values[BEFORES];

    read_befores(slot, values);
    for (int i = 0; i < BEFORES; i++)
        values[i] -= read_cell(&slot->before[i]);
    child->pid = pid;
    child->since = atomic_load_explicit(&slot->since, memory_order_relaxed);
    child->handshakes = values[BEFORE_FULL] + values[BEFORE_RESUMED];
    child->identities_found = values[BEFORE_FOUND];
    child->identities_made = values[BEFORE_MADE];
    for (int i = 0; i < SL_WAITS; i++)
        child->parked[i] = atomic_load_explicit(&slot->parked[i], memory_order_relaxed);
}

apr_array_header_t *sl_counters_children(apr_pool_t *pool)
{
    apr_array_header_t *children = apr_array_make(pool, 8, sizeof(sl_child_t));

    for (int i = 0; i < used_slots(); i++) {
        apr_int64_t pid = atomic_load(&counters->slots[i].pid);

        if (lives(pid))
            read_child(&counters->slots[i], pid, apr_array_push(children));
    }
    return children;
}

apr_int64_t sl_counters_parked(const apr_array_header_t *children, sl_wait_t wait)
{
    apr_int64_t sum = 0;

    for (int i = 0; i < children->nelts; i++)
        sum += APR_ARRAY_IDX(children, i, sl_child_t).parked[wait];
    return sum;
}
