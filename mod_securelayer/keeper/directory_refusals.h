/* What can't be used in certificate directories at this moment, for everybody to read: written by directory_job in the
 * keeper alone, one section with one entry. A keeper begins with an empty list.
 *
 * Runs in: making in the parent, publishing in the keeper, reading in any process and thread. */
#ifndef SL_KEEPER_DIRECTORY_REFUSALS_H
#define SL_KEEPER_DIRECTORY_REFUSALS_H

#include "keeper/directory_names.h"
#include "keeper/reload_state.h"

#define SL_DIRECTORY_REFUSALS 50 /* on the list; those that came last */

typedef struct sl_directory_refusal_t {
    apr_int64_t since; /* seconds since 1970: when that reason was found */
    int directory;
    char entry[SL_HOST_MAX + 1];       /* "": the directory as a whole */
    char reason[SL_RELOAD_REASON_MAX]; /* what becomes of it, file, reason, what to do; cut off if it is longer */
} sl_directory_refusal_t;

typedef struct sl_directory_refusals_t {
    int all;   /* how many there are */
    int count; /* of them on the list */
    sl_directory_refusal_t list[SL_DIRECTORY_REFUSALS]; /* the last one first */
} sl_directory_refusals_t;

apr_status_t sl_directory_refusals_make(sl_section_t **section, apr_pool_t *pool, sl_problem_t *why)
    __attribute__((warn_unused_result));
void sl_directory_refusals_publish(sl_section_t *section, const sl_directory_refusals_t *refusals);
/* Zeroes if nothing was published. */
void sl_directory_refusals_read(const sl_section_t *section, sl_directory_refusals_t *refusals);
/* The number alone. */
int sl_directory_refusals_count(const sl_section_t *section);

#endif
