/* The keeper's job that looks names up in certificate directories and puts what is there on the directory_board.
 *
 * Nothing is listed: a name costs what its own files cost, when a client asks for it. What is on the board is compared
 * with its files again when it is asked for and they may have changed: after an event in the directory, or where events
 * do not tell of everything (a directory of its own for each name, symbolic links, file systems of other machines) once
 * a second at most. A change that can't be used is refused: what was there before serves on. So does an entry whose
 * files went away a moment ago, for they may be about to be written anew.
 * Names that nobody found before are looked for a bounded number of times per second. */
#ifndef SL_KEEPER_DIRECTORY_JOB_H
#define SL_KEEPER_DIRECTORY_JOB_H

#include "keeper/directory_slots.h"

/* `paths` (const char *, absolute) are the directories, by their numbers, and so are `staples`. `interval`: seconds for
 * which an answer counts, SL_DIRECTORY_BY_EVENTS, or SL_DIRECTORY_NEVER: identities are not looked at again then.
 * `refusals`: keeper/directory_refusals, or NULL. Made in the parent; all arguments live as long as the job. */
sl_job_t *sl_directory_job_make(apr_pool_t *pool, sl_directory_board_t *board, const apr_array_header_t *paths,
                                const sl_directory_staple_t *staples, int interval, sl_section_t *refusals);

#endif
