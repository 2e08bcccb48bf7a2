/* A child's side of certificate directories: the identity for a name, from what is ready, from the board, or from the
 * keeper, who is asked and waited for. */
#ifndef SL_KEEPER_DIRECTORY_H
#define SL_KEEPER_DIRECTORY_H

#include "identity/identity.h"
#include "keeper/directory_board.h"

/* How long the keeper is waited for (a quarter of that by who has an identity that may be outdated), and how long
 * nobody waits for it after it gave no answer, unless it takes questions meanwhile. Microseconds. */
#define SL_DIRECTORY_PATIENCE apr_time_from_sec(1)
#define SL_DIRECTORY_SILENCE apr_time_from_sec(5)

typedef struct sl_directory_t sl_directory_t;

/* In the parent. */
sl_directory_t *sl_directory_make(apr_pool_t *pool, sl_directory_board_t *board);
/* In child_init: keeps up to `most` identities ready. Before it (and with 0) each question makes a new one. */
void sl_directory_start(sl_directory_t *directory, apr_pool_t *child_pool, int most);
/* Gives up those that are ready, for who goes on after its end. */
void sl_directory_stop(sl_directory_t *directory);

/* Why an answer may be wrong. */
typedef struct sl_directory_doubt_t {
    const char *words;    /* NULL: it is right */
    int has_no_answer;    /* nobody knows; 0: the keeper has too much to do to look, and says that there is nothing */
} sl_directory_doubt_t;

/* Any thread. The identity for `name` (as sl_text_host() makes it) in the directory of that number, which covers it,
 * with a reference for the caller; others of it (`also`), with other key types, may not. NULL: there is none, as far as
 * *doubt knows. */
sl_identity_t *sl_directory_find(sl_directory_t *directory, int number, const char *name, sl_directory_doubt_t *doubt);

#endif
