/* Stapled OCSP answers for what is on the directory_board: the courier's job that follows the board, and where a child
 * finds the answer for an identity of a directory (sl_identity_t's `place`).
 *
 * There is room for an answer for each identity on the board, so SecureLayerIdentityCache bounds how many there are;
 * they are asked for one after the other. A certificate that loses its slot is not asked for any more; when it comes
 * back, its file may have the answer. The section has one writer, the courier; the board is only read here. */
#ifndef SL_KEEPER_DIRECTORY_STAPLES_H
#define SL_KEEPER_DIRECTORY_STAPLES_H

#include "keeper/directory_board.h"
#include "keeper/staple_job.h"

/* How many entries the section of the answers needs. */
int sl_directory_staples_places(const sl_directory_board_t *board);
/* `rules` (const sl_staple_t *, by the directories' numbers): how answers are asked for, NULL: not at all. As with
 * sl_staple_job_make(), `shelf` is copied, the rest lives as long as the job. */
sl_job_t *sl_directory_staples_make(apr_pool_t *pool, const sl_directory_board_t *board, const sl_staple_shelf_t *shelf,
                                    const apr_array_header_t *rules);

#endif
