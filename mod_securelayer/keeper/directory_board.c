/* The shared memory between directory_job in the keeper and keeper/directory in the children.
 *
 * A slot is taken over in an order that leaves no moment in which its tag promises another entry's bytes for good: tag
 * off, bytes wiped, new bytes, tag on. The bytes begin with the entry's name; a reader who came by an old tag sees that
 * they are none of its. Questions are messages, not a stream: a keeper that dies in the midst loses whole ones. */
#include "keeper/directory_board.h"

#include "base/bytes.h"
#include "base/sha256.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

#define WAYS 8
#define CELLS 65536
#define TURNS 64
#define SALT 16
#define LAYOUT 1
#define HEAD (1 + 4 + 1) /* layout, directory, length of the name */

typedef atomic_uint_least64_t word_t;

/* A cell: the upper bits of a tag, one that says "put off", and 16 of the epoch. */
#define EPOCH_BITS 0xffffu
#define PUT_OFF_BIT 0x10000u
#define CELL_TAG (~(apr_uint64_t)0x1ffff)

typedef struct head_t {
    word_t epoch;
    word_t counts[SL_DIRECTORY_COUNTS];
    atomic_uint turns[TURNS];
} head_t;

struct sl_directory_board_t {
    int slots;
    unsigned char salt[SALT];
    sl_section_t *section;
    head_t *head;       /* shared, and so are these */
    word_t *tags;       /* of slots; 0: free */
    word_t *until;      /* of slots: found until then */
    atomic_uint *marks; /* of slots: used since they were filled, or since the last one in need of room came by */
    word_t *cells;
    apr_size_t mapped;
    pid_t maker;
    int ask, take; /* a pair of sockets */
};

apr_uint64_t sl_directory_ticks(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (apr_uint64_t)now.tv_sec * 1000000 + (apr_uint64_t)now.tv_nsec / 1000;
}

/* ---- making ---- */

static apr_status_t clean_up(void *baton)
{
    sl_directory_board_t *board = baton;

    if (board->maker != getpid()) /* a child that ends: others go on */
        return APR_SUCCESS;
    munmap(board->head, board->mapped);
    close(board->ask);
    close(board->take);
    return APR_SUCCESS;
}

void sl_directory_board_stay(sl_directory_board_t *board, apr_pool_t *pool)
{
    sl_section_stay(board->section, pool);
    apr_pool_cleanup_kill(pool, board, clean_up);
}

void sl_directory_board_free(sl_directory_board_t *board)
{
    (void)clean_up(board);
    sl_section_free(board->section);
}

static apr_status_t make_sockets(sl_directory_board_t *board, sl_problem_t *why)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return sl_problem_set(why, errno, NULL, "no socket for questions about certificates could be had");
    board->ask = pair[0];
    board->take = pair[1];
    return APR_SUCCESS;
}

static apr_status_t make_memory(sl_directory_board_t *board, sl_problem_t *why)
{
    apr_size_t slots = (apr_size_t)board->slots;
    unsigned char *memory;

    board->mapped = sizeof(head_t) + slots * (2 * sizeof(word_t) + sizeof(atomic_uint)) + CELLS * sizeof(word_t);
    memory = mmap(NULL, board->mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return sl_problem_set(why, errno, NULL, "no shared memory of %" APR_SIZE_T_FMT " bytes could be had",
                              board->mapped);
    board->head = (head_t *)(void *)memory;
    board->tags = (word_t *)(void *)(memory + sizeof(head_t));
    board->until = board->tags + slots;
    board->cells = board->until + slots;
    board->marks = (atomic_uint *)(void *)(board->cells + CELLS);
    atomic_store(&board->head->epoch, 1);
    return APR_SUCCESS;
}

apr_status_t sl_directory_board_make(sl_directory_board_t **made, apr_pool_t *pool, int slots, sl_problem_t *why)
{
    sl_directory_board_t *board = apr_pcalloc(pool, sizeof(*board));
    apr_status_t rv;

    *made = NULL;
    board->slots = (slots + WAYS - 1) / WAYS * WAYS;
    board->maker = getpid();
    if (RAND_bytes(board->salt, sizeof(board->salt)) != 1)
        return sl_problem_set(why, APR_EGENERAL, NULL, "OpenSSL has no random bytes");
    rv = sl_section_make_large(&board->section, pool, board->slots, SL_DIRECTORY_IDENTITY_MAX, 8192, why);
    if (rv == APR_SUCCESS)
        rv = make_memory(board, why);
    if (rv != APR_SUCCESS)
        return rv;
    rv = make_sockets(board, why);
    if (rv != APR_SUCCESS) {
        munmap(board->head, board->mapped);
        return rv;
    }
    apr_pool_cleanup_register(pool, board, clean_up, apr_pool_cleanup_null);
    *made = board;
    return APR_SUCCESS;
}

sl_section_t *sl_directory_board_section(const sl_directory_board_t *board)
{
    return board->section;
}

/* ---- entries ---- */

void sl_directory_board_key(const sl_directory_board_t *board, int directory, const char *entry, sl_entry_key_t *key)
{
    unsigned char bytes[SALT + 4 + SL_HOST_MAX + 2], digest[SL_SHA256_SIZE];
    sl_writer_t w;
    sl_reader_t r;

    sl_writer_init(&w, bytes, sizeof(bytes));
    sl_writer_bytes(&w, board->salt, sizeof(board->salt));
    sl_writer_u32(&w, (apr_uint32_t)directory);
    sl_writer_bytes(&w, entry, strlen(entry));
    sl_sha256(digest, bytes, sl_writer_length(&w));
    sl_reader_init(&r, digest, sizeof(digest));
    key->tag = (apr_uint64_t)sl_reader_u32(&r) << 32 | sl_reader_u32(&r) | 1;
    key->set = sl_reader_u32(&r) % (apr_uint32_t)(board->slots / WAYS);
    key->cell = sl_reader_u32(&r) % CELLS;
}

/* ---- looking ---- */

int sl_directory_board_find(const sl_directory_board_t *board, const sl_entry_key_t *key)
{
    int first = (int)key->set * WAYS;

    for (int slot = first; slot < first + WAYS; slot++) {
        if (atomic_load_explicit(&board->tags[slot], memory_order_acquire) == key->tag)
            return slot;
    }
    return -1;
}

static apr_uint64_t cell_of(const sl_directory_board_t *board, const sl_entry_key_t *key, int put_off)
{
    apr_uint64_t epoch = atomic_load_explicit(&board->head->epoch, memory_order_acquire);

    return (key->tag & CELL_TAG) | (put_off ? PUT_OFF_BIT : 0) | (epoch & EPOCH_BITS);
}

sl_entry_state_t sl_directory_board_look(sl_directory_board_t *board, const sl_entry_key_t *key, int *slot)
{
    apr_uint64_t cell;
    int found = sl_directory_board_find(board, key);

    *slot = found;
    if (found >= 0) {
        if (!atomic_load_explicit(&board->marks[found], memory_order_relaxed))
            atomic_store_explicit(&board->marks[found], 1, memory_order_relaxed);
        return sl_directory_ticks() < sl_directory_board_confirmed(board, found) ? SL_ENTRY_FOUND : SL_ENTRY_STALE;
    }
    cell = atomic_load_explicit(&board->cells[key->cell], memory_order_acquire);
    if (cell == cell_of(board, key, 0))
        return SL_ENTRY_ABSENT;
    return cell == cell_of(board, key, 1) ? SL_ENTRY_PUT_OFF : SL_ENTRY_UNKNOWN;
}

/* Takes the head off; 0 if it is none. */
static int read_head(sl_reader_t *r, int *directory, char entry[SL_HOST_MAX + 1])
{
    unsigned layout = sl_reader_u8(r);
    const unsigned char *name;
    unsigned length;

    *directory = (int)sl_reader_u32(r);
    length = sl_reader_u8(r);
    name = sl_reader_take(r, length);
    if (r->failed || layout != LAYOUT || length > SL_HOST_MAX)
        return 0;
    memcpy(entry, name, length);
    entry[length] = '\0';
    return 1;
}

apr_size_t sl_directory_board_read(const sl_directory_board_t *board, int slot, int directory, const char *entry,
                                   unsigned char *buffer, const unsigned char **bytes, apr_uint64_t *version)
{
    apr_size_t length = sl_section_read(board->section, slot, buffer, SL_DIRECTORY_IDENTITY_MAX, version);
    char name[SL_HOST_MAX + 1];
    sl_reader_t r;
    int number;

    sl_reader_init(&r, buffer, length);
    if (!read_head(&r, &number, name) || number != directory || strcmp(name, entry) != 0) {
        OPENSSL_cleanse(buffer, SL_DIRECTORY_IDENTITY_MAX);
        return 0;
    }
    *bytes = r.at;
    return sl_reader_left(&r);
}

apr_size_t sl_directory_board_copy(const sl_directory_board_t *board, int slot, unsigned char *buffer, int *directory,
                                   const unsigned char **bytes, apr_uint64_t *version)
{
    apr_uint64_t before = sl_directory_board_version(board, slot);
    apr_size_t length;
    char name[SL_HOST_MAX + 1];
    sl_reader_t r;

    *version = before;
    length = sl_section_read(board->section, slot, buffer, SL_DIRECTORY_IDENTITY_MAX, version);
    if (!length)
        *version = before;
    sl_reader_init(&r, buffer, length);
    if (!read_head(&r, directory, name)) {
        OPENSSL_cleanse(buffer, SL_DIRECTORY_IDENTITY_MAX);
        return 0;
    }
    *bytes = r.at;
    return sl_reader_left(&r);
}

apr_size_t sl_directory_board_peek(const sl_directory_board_t *board, int slot, int *directory,
                                   char entry[SL_HOST_MAX + 1], unsigned char *bytes, apr_size_t room)
{
    unsigned char head[HEAD + SL_HOST_MAX + SL_DIRECTORY_PEEK_MAX];
    apr_size_t length = 0;
    sl_reader_t r;

    if (atomic_load_explicit(&board->tags[slot], memory_order_acquire))
        length = sl_section_peek(board->section, slot, head, sizeof(head));
    sl_reader_init(&r, head, length);
    if (read_head(&r, directory, entry)) {
        length = sl_reader_left(&r) < room ? sl_reader_left(&r) : room;
        memcpy(bytes, r.at, length);
    }
    else {
        length = 0;
    }
    OPENSSL_cleanse(head, sizeof(head)); /* a short name leaves room for the beginning of a key */
    return length;
}

apr_uint64_t sl_directory_board_version(const sl_directory_board_t *board, int slot)
{
    return sl_section_version(board->section, slot);
}

/* ---- asking ---- */

apr_status_t sl_directory_board_ask(sl_directory_board_t *board, int directory, const char *name)
{
    unsigned char message[4 + SL_HOST_MAX];
    sl_writer_t w;

    sl_writer_init(&w, message, sizeof(message));
    sl_writer_u32(&w, (apr_uint32_t)directory);
    sl_writer_bytes(&w, name, strlen(name));
    if (w.failed)
        return APR_EINVAL;
    if (send(board->ask, message, sl_writer_length(&w), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return APR_SUCCESS;
    return errno == EWOULDBLOCK || errno == ENOBUFS ? APR_EAGAIN : errno;
}

static atomic_uint *turn_of(sl_directory_board_t *board, const sl_entry_key_t *key)
{
    return &board->head->turns[key->cell % TURNS];
}

unsigned sl_directory_board_turn(sl_directory_board_t *board, const sl_entry_key_t *key)
{
    return atomic_load_explicit(turn_of(board, key), memory_order_acquire);
}

void sl_directory_board_await(sl_directory_board_t *board, const sl_entry_key_t *key, unsigned turn,
                              apr_interval_time_t most)
{
#ifdef __linux__
    struct timespec limit = {apr_time_sec(most), apr_time_usec(most) * 1000};

    (void)syscall(SYS_futex, turn_of(board, key), FUTEX_WAIT, turn, &limit, NULL, 0);
#else
    if (sl_directory_board_turn(board, key) == turn)
        (void)poll(NULL, 0, most < 1000 ? 0 : 1);
#endif
}

void sl_directory_board_wake(sl_directory_board_t *board, const sl_entry_key_t *key)
{
    atomic_uint *turn = turn_of(board, key);

    atomic_fetch_add_explicit(turn, 1, memory_order_release);
#ifdef __linux__
    (void)syscall(SYS_futex, turn, FUTEX_WAKE, APR_INT32_MAX, NULL, NULL, 0);
#endif
}

void sl_directory_board_forget_keeper(sl_directory_board_t *board)
{
    if (board->maker == getpid() || board->take < 0)
        return;
    close(board->take);
    board->take = -1;
}

int sl_directory_board_fd(const sl_directory_board_t *board)
{
    return board->take;
}

int sl_directory_board_take(sl_directory_board_t *board, int *directory, char name[SL_HOST_MAX + 1])
{
    unsigned char message[4 + SL_HOST_MAX];
    ssize_t length = recv(board->take, message, sizeof(message), MSG_DONTWAIT);
    sl_reader_t r;

    if (length <= 0)
        return 0;
    sl_reader_init(&r, message, (apr_size_t)length);
    *directory = (int)sl_reader_u32(&r);
    length = (ssize_t)sl_reader_left(&r);
    memcpy(name, r.at, (size_t)length);
    name[length] = '\0';
    return 1;
}

/* ---- answering ---- */

void sl_directory_board_drop(sl_directory_board_t *board, int slot)
{
    apr_status_t rv;

    atomic_store_explicit(&board->tags[slot], 0, memory_order_release);
    atomic_store_explicit(&board->marks[slot], 0, memory_order_relaxed);
    rv = sl_section_publish(board->section, slot, NULL, 0);
    (void)rv; /* there is room for nothing */
}

int sl_directory_board_claim(sl_directory_board_t *board, const sl_entry_key_t *key)
{
    int first = (int)key->set * WAYS, start = (int)((key->tag >> 32) % WAYS), taken = -1;

    for (int i = 0; i < WAYS; i++) {
        if (!atomic_load_explicit(&board->tags[first + i], memory_order_relaxed))
            return first + i;
    }
    for (int i = 0; taken < 0 && i < WAYS; i++) {
        int slot = first + (start + i) % WAYS;

        if (!atomic_exchange_explicit(&board->marks[slot], 0, memory_order_relaxed))
            taken = slot;
    }
    taken = taken < 0 ? first + start : taken;
    sl_directory_board_drop(board, taken);
    return taken;
}

apr_status_t sl_directory_board_put(sl_directory_board_t *board, int slot, const sl_entry_key_t *key, int directory,
                                    const char *entry, const unsigned char *bytes, apr_size_t length)
{
    apr_size_t name = strlen(entry), room = HEAD + name + length;
    unsigned char *all = OPENSSL_malloc(room);
    apr_status_t rv = APR_ENOMEM;
    sl_writer_t w;

    if (all) {
        sl_writer_init(&w, all, room);
        sl_writer_u8(&w, LAYOUT);
        sl_writer_u32(&w, (apr_uint32_t)directory);
        sl_writer_u8(&w, (unsigned)name);
        sl_writer_bytes(&w, entry, name);
        sl_writer_bytes(&w, bytes, length);
        rv = sl_section_publish(board->section, slot, all, room);
    }
    if (rv == APR_SUCCESS)
        atomic_store_explicit(&board->tags[slot], key->tag, memory_order_release);
    OPENSSL_clear_free(all, room);
    return rv;
}

void sl_directory_board_confirm(sl_directory_board_t *board, int slot, apr_uint64_t until)
{
    atomic_store_explicit(&board->until[slot], until, memory_order_release);
}

apr_uint64_t sl_directory_board_confirmed(const sl_directory_board_t *board, int slot)
{
    return atomic_load_explicit(&board->until[slot], memory_order_acquire);
}

int sl_directory_board_owner(const sl_directory_board_t *board, int slot, int *directory, char entry[SL_HOST_MAX + 1])
{
    apr_uint64_t tag = atomic_load_explicit(&board->tags[slot], memory_order_acquire);
    unsigned char *buffer = tag ? OPENSSL_malloc(SL_DIRECTORY_IDENTITY_MAX) : NULL;
    apr_size_t length = 0;
    sl_entry_key_t key;
    sl_reader_t r;
    int is_whole = 0;

    if (buffer)
        length = sl_section_read(board->section, slot, buffer, SL_DIRECTORY_IDENTITY_MAX, NULL);
    if (length) {
        sl_reader_init(&r, buffer, length);
        is_whole = read_head(&r, directory, entry);
    }
    OPENSSL_clear_free(buffer, SL_DIRECTORY_IDENTITY_MAX);
    if (!is_whole)
        return 0;
    sl_directory_board_key(board, *directory, entry, &key);
    return key.tag == tag;
}

void sl_directory_board_deny(sl_directory_board_t *board, const sl_entry_key_t *key, int put_off)
{
    atomic_store_explicit(&board->cells[key->cell], cell_of(board, key, put_off), memory_order_release);
}

void sl_directory_board_turn_epoch(sl_directory_board_t *board)
{
    atomic_fetch_add_explicit(&board->head->epoch, 1, memory_order_release);
}

/* ---- counts ---- */

int sl_directory_board_slots(const sl_directory_board_t *board)
{
    return board->slots;
}

int sl_directory_board_used(const sl_directory_board_t *board)
{
    int used = 0;

    for (int slot = 0; slot < board->slots; slot++)
        used += atomic_load_explicit(&board->tags[slot], memory_order_relaxed) != 0;
    return used;
}

int sl_directory_board_absent(const sl_directory_board_t *board)
{
    apr_uint64_t epoch = atomic_load_explicit(&board->head->epoch, memory_order_relaxed) & EPOCH_BITS;
    int absent = 0;

    for (int cell = 0; cell < CELLS; cell++) {
        apr_uint64_t word = atomic_load_explicit(&board->cells[cell], memory_order_relaxed);

        absent += word && (word & EPOCH_BITS) == epoch;
    }
    return absent;
}

apr_uint64_t sl_directory_board_count(const sl_directory_board_t *board, sl_directory_count_t which)
{
    return atomic_load_explicit(&board->head->counts[which], memory_order_relaxed);
}

void sl_directory_board_add(sl_directory_board_t *board, sl_directory_count_t which)
{
    atomic_fetch_add_explicit(&board->head->counts[which], 1, memory_order_relaxed);
}
