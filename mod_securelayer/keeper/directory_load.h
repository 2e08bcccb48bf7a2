/* The identities in the files of an entry, as far as they can be used: each for the entry, as good as the one before,
 * no two of the same key type.
 *
 * Runs in the keeper, one thread; blocking reads of local files. Nothing is logged or put on the board here. */
#ifndef SL_KEEPER_DIRECTORY_LOAD_H
#define SL_KEEPER_DIRECTORY_LOAD_H

#include "keeper/directory_slots.h"

/* What is to be on the board, and what keeps some of it away. */
typedef struct sl_directory_fresh_t {
    sl_directory_bundle_t bundle; /* to be cleared by the caller */
    unsigned news;     /* a bit for each: not the certificate that was on the board before */
    sl_problem_t *why; /* of the first file that can't be used, in the question's scratch pool; NULL: all can */
    int keeps_old;     /* that one's place is held by what was there before */
} sl_directory_fresh_t;

/* From q->files. Of `old`, what is on the board (or nothing), stays what can't be had anew. */
void sl_directory_load(const sl_directory_question_t *q, sl_directory_fresh_t *fresh, const sl_directory_bundle_t *old);

#endif
