/* The identities of one entry of a certificate directory, one for each key type, and the same as bytes on the
 * directory_board. They are put there and taken from there together: nobody gets half of a change.
 *
 * Runs in: any process and thread. The bytes hold private keys, as those of identity/blob do. */
#ifndef SL_KEEPER_DIRECTORY_BUNDLE_H
#define SL_KEEPER_DIRECTORY_BUNDLE_H

#include "identity/blob.h"
#include "keeper/directory_files.h"

typedef struct sl_directory_bundle_t {
    sl_identity_t *of[SL_DIRECTORY_KINDS]; /* the first `count` ones, with a reference each */
    int count;
} sl_directory_bundle_t;

/* What can be known of a bundle from its first SL_DIRECTORY_FACTS_SIZE bytes, of one identity. */
typedef struct sl_directory_facts_t {
    apr_int64_t not_before, not_after; /* seconds since 1970 */
    char key_type[12];                 /* as sl_identity_key_type() has it */
} sl_directory_facts_t;

#define SL_DIRECTORY_FACTS_SIZE (2 + SL_DIRECTORY_KINDS * 28)

/* Gives up what it holds. */
void sl_directory_bundle_clear(sl_directory_bundle_t *bundle);
/* As sl_blob_encode(). */
unsigned char *sl_directory_bundle_encode(const sl_directory_bundle_t *bundle, apr_size_t *length, sl_problem_t *why);
/* As sl_blob_decode(): nothing is in the bundle if the bytes are none of the above, or memory ended. */
void sl_directory_bundle_decode(sl_directory_bundle_t *bundle, const unsigned char *bytes, apr_size_t length,
                                sl_blob_want_t want);
/* Of how many identities there are facts at the beginning of such bytes; 0 if they are none of the above. */
int sl_directory_bundle_facts(const unsigned char *bytes, apr_size_t length,
                              sl_directory_facts_t facts[SL_DIRECTORY_KINDS]);
/* The first one, which holds the others (`also`) from now on; the bundle is empty then. NULL if it was. */
sl_identity_t *sl_directory_bundle_chain(sl_directory_bundle_t *bundle);

#endif
