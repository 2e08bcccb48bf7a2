/* News that one process publishes to all others: shared memory made by the parent before anybody is forked.
 *
 * The board has sections, a section has entries. Each section has exactly one writer at any time (the ticket ring: the
 * keeper; staples: the courier; before those are started the parent), and any number of readers in all processes and
 * threads. A reader gets the bytes of one publication, whole, or nothing; it never waits, not even for a writer that
 * was killed in the middle. Entries may be found by a 32-byte key, fixed when the section is made.
 * The memory is kept out of core dumps. Pages of an entry that was never published cost nothing, and of large entries
 * (whole pages) what is published costs, and nothing of what was before. */
#ifndef SL_KEEPER_BOARD_H
#define SL_KEEPER_BOARD_H

#include "base/problem.h"

#define SL_BOARD_KEY_SIZE 32
#define SL_STAPLE_SIZE_MAX 8192 /* of an OCSP response */
#define SL_TRUST_SIZE_MAX (32 << 20) /* of an identity/trust_blob */
#define SL_IDENTITY_SIZE_MAX 131072 /* of an identity/blob; what is not written to costs nothing */

typedef struct sl_section_t sl_section_t;

typedef struct sl_board_t {
    sl_section_t *identities; /* one entry an identity, by its id: an identity/blob that is newer than the start's; NULL
                                 if nothing is reloaded */
    sl_section_t *trusts; /* one entry a profile with CAs: an identity/trust_blob; NULL if there are none */
    sl_section_t *tickets; /* one entry: an sl_ticket_ring_t */
    sl_section_t *ticket_files; /* one entry a key file: an sl_ticket_ring_t; NULL if there are none */
    sl_section_t *staples; /* one entry a certificate, by the SHA-256 of its DER; NULL if nobody wants staples */
    sl_section_t *staple_states; /* for each of those an sl_staple_state_t */
    sl_section_t *reload_states; /* one entry an item that is reloaded: an sl_reload_state_t; NULL if nothing is */
    sl_section_t *directories; /* the identities of keeper/directory_board; NULL if there are no directories */
    sl_section_t *directory_refusals; /* one entry: an sl_directory_refusals_t; NULL likewise */
    sl_section_t
        *directory_staples; /* as staples, for what is on the directory_board, by place; NULL if nobody wants it */
} sl_board_t;

/* `entries` entries of up to `size` bytes each. `keys`: `entries` distinct keys of SL_BOARD_KEY_SIZE bytes each, in any
 * order, or NULL; copied. Unmapped when `pool` is cleaned up in the process that made it; other processes keep
 * what they have. */
apr_status_t sl_section_make(sl_section_t **section, apr_pool_t *pool, int entries, apr_size_t size,
                             const unsigned char *keys, sl_problem_t *why) __attribute__((warn_unused_result));

/* The same with the largest entries that the system has room for, and that take no more than 256 GiB of addresses
 * together: `most` bytes, or a half, a quarter, ... of it; not less than `least`. */
apr_status_t sl_section_make_large(sl_section_t **section, apr_pool_t *pool, int entries, apr_size_t most,
                                   apr_size_t least, sl_problem_t *why) __attribute__((warn_unused_result));

/* Keeps the memory until the process ends, and until then after the code was unloaded. `pool`: that of its making. */
void sl_section_stay(sl_section_t *section, apr_pool_t *pool);
/* Gives up the memory of a section that stayed, in the process that made it. */
void sl_section_free(sl_section_t *section);

int sl_section_entries(const sl_section_t *section);
/* The key of an entry; entries are in the ascending order of their keys. NULL if the section has none. */
const unsigned char *sl_section_key(const sl_section_t *section, int entry);
/* The entry with that key; -1 if there is none. */
int sl_section_find(const sl_section_t *section, const unsigned char *key);

/* The writer: `bytes` are what readers get from now on; nothing is left in the memory of what was there before.
 * `length` 0 takes the entry back: readers get nothing.
 * APR_ENOSPC if they are more than an entry holds; readers then keep what was there. */
apr_status_t sl_section_publish(sl_section_t *section, int entry, const void *bytes, apr_size_t length)
    __attribute__((warn_unused_result));

/* In a process that is no writer, before it has threads: from now on it can't write there, whatever becomes of it. In
 * the process that made the section this does nothing. NULL is allowed. */
void sl_section_only_read(sl_section_t *section);
/* The same for all sections; `is_courier`: but for those of staples. */
void sl_board_only_read(const sl_board_t *board, int is_courier);

/* Rises with each publication; 0 before the first. One load: cheap enough for every connection. */
apr_uint64_t sl_section_version(const sl_section_t *section, int entry);
/* Copies the entry to `buffer`; returns its length, 0 if nothing is published or `room` is too small for it.
 * *version (may be NULL) becomes that of what was read. */
apr_size_t sl_section_read(const sl_section_t *section, int entry, void *buffer, apr_size_t room,
                           apr_uint64_t *version);
/* The beginning of the entry alone, `room` bytes at most; returns how many those are. */
apr_size_t sl_section_peek(const sl_section_t *section, int entry, void *buffer, apr_size_t room);
/* The whole in memory of its length, from OPENSSL_malloc(), for the caller: to be given to OPENSSL_clear_free() with
 * *length. NULL (and 0) if nothing is published, or memory ended. */
unsigned char *sl_section_copy(const sl_section_t *section, int entry, apr_size_t *length, apr_uint64_t *version);

#endif
