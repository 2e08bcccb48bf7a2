/* What is known of the names in certificate directories (SecureLayerCertificateDirectory): answers of the keeper's
 * directory_job in shared memory, and the way on which children ask it.
 *
 * A name that a client asks for stands for up to SL_ENTRY_NAMES entries (keeper/directory_names). Answers are
 *   - identities of an entry, one for each key type, in a bounded number of slots. Each entry belongs to one set of
 *     slots; the one that was not used for longest there makes room. A slot is an entry of a section (keeper/board):
 *     readers get the bytes of one entry, whole, and never wait, whatever becomes of the keeper.
 *   - "nothing is there", as fingerprints in a table of their own: they count until the next turn of the epoch. However
 *     many names are asked for, they push out no identity.
 * Fingerprints are salted: nobody outside can make names that share one.
 *
 * Made in the parent before anybody is forked. The keeper alone writes; children mark what they use. */
#ifndef SL_KEEPER_DIRECTORY_BOARD_H
#define SL_KEEPER_DIRECTORY_BOARD_H

#include "keeper/board.h"
#include "keeper/directory_names.h"

#define SL_DIRECTORY_IDENTITY_MAX 32768 /* of all identities of an entry, with its name */
#define SL_DIRECTORY_PEEK_MAX 128 /* bytes of a look at the beginning */
#define SL_DIRECTORY_FOREVER APR_UINT64_MAX

typedef struct sl_directory_board_t sl_directory_board_t;

typedef enum {
    SL_ENTRY_UNKNOWN, /* ask */
    SL_ENTRY_ABSENT,
    SL_ENTRY_PUT_OFF, /* as good as absent: the keeper has too many questions to look */
    SL_ENTRY_FOUND,   /* in a slot */
    SL_ENTRY_STALE,   /* in a slot, but the files may have changed since: ask */
} sl_entry_state_t;

typedef enum {
    SL_DIRECTORY_QUESTIONS, /* that came to the keeper */
    SL_DIRECTORY_LOADED,    /* identities read from their files */
    SL_DIRECTORY_ABSENT,    /* names for which there was nothing */
    SL_DIRECTORY_REFUSED,   /* identities that could not be used */
    SL_DIRECTORY_PUT_OFF,   /* questions that were one too many */
    SL_DIRECTORY_UNANSWERED, /* questions of children that got no answer in time */
    SL_DIRECTORY_COUNTS
} sl_directory_count_t;

/* Of an entry. */
typedef struct sl_entry_key_t {
    apr_uint64_t tag;
    apr_uint32_t set, cell;
} sl_entry_key_t;

/* ---- in the parent ---- */

/* At least `slots` slots. */
apr_status_t sl_directory_board_make(sl_directory_board_t **board, apr_pool_t *pool, int slots, sl_problem_t *why)
    __attribute__((warn_unused_result));

/* Where the identities are. */
sl_section_t *sl_directory_board_section(const sl_directory_board_t *board);

/* Keeps it until the process ends, and until then after the code was unloaded. `pool`: that of its making. */
void sl_directory_board_stay(sl_directory_board_t *board, apr_pool_t *pool);
/* Gives up the memory and sockets of one that stayed. */
void sl_directory_board_free(sl_directory_board_t *board);

/* ---- in any process ---- */

int sl_directory_board_slots(const sl_directory_board_t *board);
int sl_directory_board_used(const sl_directory_board_t *board); /* slots with an identity; looks at all of them */
int sl_directory_board_absent(const sl_directory_board_t *board); /* names known not to be there; likewise */
apr_uint64_t sl_directory_board_count(const sl_directory_board_t *board, sl_directory_count_t which);
void sl_directory_board_add(sl_directory_board_t *board, sl_directory_count_t which);

void sl_directory_board_key(const sl_directory_board_t *board, int directory, const char *entry, sl_entry_key_t *key);

/* *slot is set when it is found or stale. Marks it as used. */
sl_entry_state_t sl_directory_board_look(sl_directory_board_t *board, const sl_entry_key_t *key, int *slot);
/* Copies the bytes of an entry (keeper/directory_bundle) into `buffer` (SL_DIRECTORY_IDENTITY_MAX bytes); their length,
 * 0 if the slot holds another entry by now. `bytes` is where they begin in the buffer. A number and version stand for
 * the same bytes forever. */
apr_size_t sl_directory_board_read(const sl_directory_board_t *board, int slot, int directory, const char *entry,
                                   unsigned char *buffer, const unsigned char **bytes, apr_uint64_t *version);
/* The same of whatever entry is there; *directory is its number. *version is that of the slot also if nothing is. */
apr_size_t sl_directory_board_copy(const sl_directory_board_t *board, int slot, unsigned char *buffer, int *directory,
                                   const unsigned char **bytes, apr_uint64_t *version);
/* The beginning of those bytes, `room` at most, and whose they are; returns how many, 0 if nothing is there. */
apr_size_t sl_directory_board_peek(const sl_directory_board_t *board, int slot, int *directory,
                                   char entry[SL_HOST_MAX + 1], unsigned char *bytes, apr_size_t room);
apr_uint64_t sl_directory_board_version(const sl_directory_board_t *board, int slot);

/* ---- in children ---- */

/* Asks the keeper for a name, never waits. APR_EAGAIN: it has too many questions already; any other: it is gone. */
apr_status_t sl_directory_board_ask(sl_directory_board_t *board, int directory, const char *name)
    __attribute__((warn_unused_result));
/* The number of answers that were given to names like this one: taken before a look, it tells sl_..._await() whether
 * there was one since. */
unsigned sl_directory_board_turn(sl_directory_board_t *board, const sl_entry_key_t *key);
void sl_directory_board_await(sl_directory_board_t *board, const sl_entry_key_t *key, unsigned turn,
                              apr_interval_time_t most);
/* In a process that only asks. */
void sl_directory_board_forget_keeper(sl_directory_board_t *board);

/* ---- in the keeper ---- */

int sl_directory_board_fd(const sl_directory_board_t *board); /* to be polled for questions */
/* The next question; 0 if there is none. */
int sl_directory_board_take(sl_directory_board_t *board, int *directory, char name[SL_HOST_MAX + 1]);
/* Whoever waits for an answer about names like this one looks again. */
void sl_directory_board_wake(sl_directory_board_t *board, const sl_entry_key_t *key);

/* The slot of an entry; -1 if it has none. */
int sl_directory_board_find(const sl_directory_board_t *board, const sl_entry_key_t *key);
/* A slot for an entry that has none: another entry may lose it. */
int sl_directory_board_claim(sl_directory_board_t *board, const sl_entry_key_t *key);
/* The slot holds those bytes from now on. */
apr_status_t sl_directory_board_put(sl_directory_board_t *board, int slot, const sl_entry_key_t *key, int directory,
                                    const char *entry, const unsigned char *bytes, apr_size_t length)
    __attribute__((warn_unused_result));
/* Nothing holds the slot from now on. */
void sl_directory_board_drop(sl_directory_board_t *board, int slot);
/* What the slot holds is found until then (microseconds, sl_directory_ticks()), and stale from then on. */
void sl_directory_board_confirm(sl_directory_board_t *board, int slot, apr_uint64_t until);
apr_uint64_t sl_directory_board_confirmed(const sl_directory_board_t *board, int slot);
/* Whose the slot was when the keeper before this one ended; 0: nobody's. */
int sl_directory_board_owner(const sl_directory_board_t *board, int slot, int *directory, char entry[SL_HOST_MAX + 1]);

/* Nothing is there for the entry, until the next turn of the epoch. */
void sl_directory_board_deny(sl_directory_board_t *board, const sl_entry_key_t *key, int put_off);
void sl_directory_board_turn_epoch(sl_directory_board_t *board);

/* Microseconds on the clock of all processes that is never set. */
apr_uint64_t sl_directory_ticks(void);

#endif
