/* Answers about names: from the files of a certificate directory to the directory_board, and what the log says of it.
 *
 * Runs in the keeper, one thread; blocking reads of local files. Called by directory_job alone. */
#ifndef SL_KEEPER_DIRECTORY_ANSWER_H
#define SL_KEEPER_DIRECTORY_ANSWER_H

#include "keeper/directory_slots.h"

/* Answers the entries that `name` stands for until one is for the name, and wakes whoever waits for it. Whatever the
 * number and the name are: they come from children. */
void sl_directory_answer(sl_directory_work_t *work, int directory, const char *name);
/* Looks again at an entry that could not be used; "": at the directory as a whole. */
void sl_directory_try_again(sl_directory_work_t *work, int directory, const char *entry);

#endif
