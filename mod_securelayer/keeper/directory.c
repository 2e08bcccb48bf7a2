/* Asked by connections through the host's table (httpd/directories).
 *
 * A look goes through the entries that the name stands for until one has an identity that covers the name. If the board
 * lacks an answer on the way, or has one that may be outdated, the keeper is asked, once for all threads that wait for
 * the name, and the look is repeated whenever it has answered somebody. Its questions may be too many for a moment,
 * after a restart for one: then it is asked a little later. An outdated identity is better than none, and not waited
 * for as long. */
#include "keeper/directory.h"

#include "keeper/directory_bundle.h"
#include "keeper/ready_cache.h"

#include <openssl/crypto.h>
#include <stdatomic.h>

/* A keeper that dies takes the questions along that it had read. */
#define ASK_AGAIN (200 * 1000)
#define CROWDED (10 * 1000) /* until there may be room for another question */
#define ASKED 1024

/* Since the keeper gave no answer in time. */
typedef struct silence_t {
    atomic_uint_least64_t until;     /* sl_directory_ticks(): nobody waits */
    atomic_uint_least64_t questions; /* that the keeper had taken then */
} silence_t;

/* A question that is on its way. Another one may take its place at any time, and then is asked once more. */
typedef struct asked_t {
    atomic_uint_least64_t tag, until; /* sl_directory_ticks(): the keeper may have died with it */
} asked_t;

struct sl_directory_t {
    sl_directory_board_t *board;
    sl_ready_cache_t *ready; /* NULL: none */
    silence_t silences[2];   /* for those who have nothing, and for those who have something outdated */
    asked_t asked[ASKED];
};

/* One call of sl_directory_find(). */
typedef struct look_t {
    sl_directory_t *in;
    int number, count;
    int is_crowded; /* its question found no room */
    const char *name;
    const char *entries[SL_ENTRY_NAMES];
    sl_entry_key_t keys[SL_ENTRY_NAMES];
    sl_identity_t *identity; /* found, or stale */
    char room[2 * SL_HOST_MAX];
} look_t;

sl_directory_t *sl_directory_make(apr_pool_t *pool, sl_directory_board_t *board)
{
    sl_directory_t *directory = apr_pcalloc(pool, sizeof(*directory));

    directory->board = board;
    return directory;
}

void sl_directory_start(sl_directory_t *directory, apr_pool_t *child_pool, int most)
{
    int slots = sl_directory_board_slots(directory->board);

    sl_directory_board_forget_keeper(directory->board);
    directory->ready = sl_ready_cache_make(child_pool, most < slots ? most : slots);
}

void sl_directory_stop(sl_directory_t *directory)
{
    sl_ready_cache_free(directory->ready);
    directory->ready = NULL;
}

/* ---- one look ---- */

static sl_identity_t *from_board(const look_t *look, int nth, int slot)
{
    unsigned char *buffer = OPENSSL_malloc(SL_DIRECTORY_IDENTITY_MAX);
    const unsigned char *bytes = NULL;
    sl_directory_bundle_t bundle = {{NULL}, 0};
    sl_identity_t *identity;
    apr_uint64_t version;
    apr_size_t length = 0;

    if (buffer)
        length =
            sl_directory_board_read(look->in->board, slot, look->number, look->entries[nth], buffer, &bytes, &version);
    if (length)
        sl_directory_bundle_decode(&bundle, bytes, length, SL_BLOB_ALL);
    for (int i = 0; i < bundle.count; i++)
        bundle.of[i]->place = slot * SL_DIRECTORY_KINDS + i;
    identity = sl_directory_bundle_chain(&bundle);
    if (identity)
        sl_ready_cache_keep(look->in->ready, slot, version, look->entries[nth], identity);
    OPENSSL_clear_free(buffer, SL_DIRECTORY_IDENTITY_MAX);
    return identity;
}

static sl_identity_t *from_slot(const look_t *look, int nth, int slot)
{
    apr_uint64_t version = sl_directory_board_version(look->in->board, slot);
    sl_identity_t *identity = sl_ready_cache_find(look->in->ready, slot, version, look->entries[nth]);

    return identity ? identity : from_board(look, nth, slot);
}

static void take(look_t *look, sl_identity_t *identity)
{
    sl_identity_release(look->identity);
    look->identity = identity;
}

/* Found: with the identity. Unknown and stale: the keeper has to be asked; stale: the identity is what there is until
 * it answers. */
static sl_entry_state_t look_once(look_t *look)
{
    sl_entry_state_t answer = SL_ENTRY_ABSENT;

    take(look, NULL);
    for (int i = 0; i < look->count; i++) {
        int slot;
        sl_entry_state_t state = sl_directory_board_look(look->in->board, &look->keys[i], &slot);
        sl_identity_t *identity = slot >= 0 ? from_slot(look, i, slot) : NULL;

        if (identity && sl_identity_covers(identity, look->name)) {
            take(look, identity);
            return answer == SL_ENTRY_UNKNOWN ? SL_ENTRY_STALE : state;
        }
        if (state == SL_ENTRY_STALE || (state == SL_ENTRY_FOUND && !identity)) /* or the slot is another's by now */
            state = SL_ENTRY_UNKNOWN;
        sl_identity_release(identity);
        if (state == SL_ENTRY_UNKNOWN || (state == SL_ENTRY_PUT_OFF && answer == SL_ENTRY_ABSENT))
            answer = state;
    }
    return answer;
}

/* ---- the keeper ---- */

static int is_silent(sl_directory_t *in, int is_stale, apr_uint64_t now)
{
    silence_t *silence = &in->silences[is_stale];

    return now < atomic_load(&silence->until) &&
           atomic_load(&silence->questions) == sl_directory_board_count(in->board, SL_DIRECTORY_QUESTIONS);
}

static void note_silence(sl_directory_t *in, int is_stale, apr_uint64_t now)
{
    silence_t *silence = &in->silences[is_stale];

    sl_directory_board_add(in->board, SL_DIRECTORY_UNANSWERED);
    atomic_store(&silence->questions, sl_directory_board_count(in->board, SL_DIRECTORY_QUESTIONS));
    atomic_store(&silence->until, now + SL_DIRECTORY_SILENCE);
}

static asked_t *asked_of(const look_t *look)
{
    return &look->in->asked[look->keys[0].cell % ASKED];
}

/* The answer may not last: the slot is soon another's where there are too few of them. */
static void note_answer(const look_t *look)
{
    if (atomic_load(&asked_of(look)->tag) == look->keys[0].tag)
        atomic_store(&asked_of(look)->until, 0);
}

/* When to ask again. NULL in *stopped: go on waiting. */
static apr_uint64_t ask(look_t *look, apr_uint64_t now, const char **stopped)
{
    asked_t *asked = asked_of(look);
    apr_uint64_t until = atomic_load(&asked->until);
    apr_status_t rv;

    if (atomic_load(&asked->tag) == look->keys[0].tag && now < until)
        return until;
    rv = sl_directory_board_ask(look->in->board, look->number, look->name);
    look->is_crowded = rv == APR_EAGAIN;
    if (look->is_crowded)
        return now + CROWDED;
    if (rv != APR_SUCCESS)
        *stopped = "the keeper process of this configuration has ended";
    atomic_store(&asked->until, now + ASK_AGAIN);
    atomic_store(&asked->tag, look->keys[0].tag);
    return now + ASK_AGAIN;
}

/* NULL: go on waiting. */
static const char *reason_to_stop(const look_t *look, int is_stale, apr_uint64_t begun, apr_uint64_t now)
{
    apr_uint64_t most = is_stale ? SL_DIRECTORY_PATIENCE / 4 : SL_DIRECTORY_PATIENCE;

    if (is_silent(look->in, is_stale, now))
        return "the keeper process gives no answers about certificates";
    if (now < begun + most)
        return NULL;
    note_silence(look->in, is_stale, now);
    return look->is_crowded ? "the keeper process has too many questions about certificates to take another one"
                            : "the keeper process gave no answer about the certificate in time";
}

/* *stopped: why the keeper is waited for no longer. */
static sl_entry_state_t look_and_ask(look_t *look, const char **stopped)
{
    apr_uint64_t begun = sl_directory_ticks(), ask_due = begun;

    for (apr_uint64_t now = begun;; now = sl_directory_ticks()) {
        unsigned turn = sl_directory_board_turn(look->in->board, &look->keys[0]);
        sl_entry_state_t state = look_once(look);

        if (state != SL_ENTRY_UNKNOWN && state != SL_ENTRY_STALE) {
            if (ask_due != begun)
                note_answer(look);
            return state;
        }
        *stopped = reason_to_stop(look, state == SL_ENTRY_STALE, begun, now);
        if (!*stopped && now >= ask_due)
            ask_due = ask(look, now, stopped);
        if (*stopped)
            return state;
        sl_directory_board_await(look->in->board, &look->keys[0], turn, (apr_interval_time_t)(ask_due - now));
    }
}

sl_identity_t *sl_directory_find(sl_directory_t *directory, int number, const char *name, sl_directory_doubt_t *doubt)
{
    const char *stopped = NULL;
    look_t look;

    look.in = directory;
    look.number = number;
    look.is_crowded = 0;
    look.name = name;
    look.identity = NULL;
    look.count = sl_directory_names(look.entries, look.room, name);
    doubt->words = NULL;
    doubt->has_no_answer = 0;
    if (!look.count)
        return NULL;
    for (int i = 0; i < look.count; i++)
        sl_directory_board_key(directory->board, number, look.entries[i], &look.keys[i]);
    if (look_and_ask(&look, &stopped) == SL_ENTRY_PUT_OFF)
        doubt->words = "more unknown names are asked for than the keeper process looks up in a second";
    if (look.identity) /* outdated perhaps */
        return look.identity;
    if (stopped) {
        doubt->words = stopped;
        doubt->has_no_answer = 1;
    }
    return NULL;
}
