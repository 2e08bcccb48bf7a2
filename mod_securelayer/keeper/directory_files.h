/* From an entry of a certificate directory to its files, and to the identity in them.
 *
 * Runs in the keeper, which may read what only root can; blocking reads of local files. */
#ifndef SL_KEEPER_DIRECTORY_FILES_H
#define SL_KEEPER_DIRECTORY_FILES_H

#include "identity/identity.h"

#define SL_DIRECTORY_KINDS 3 /* any key, ECDSA, RSA */

/* One identity of an entry. */
typedef struct sl_directory_file_t {
    const char *certificate; /* path: with its chain, and the key unless that is apart */
    const char *key;         /* path; NULL: in the same file */
    const char *key_type;    /* as sl_identity_key_type() has it; NULL: any */
} sl_directory_file_t;

typedef struct sl_directory_files_t {
    sl_directory_file_t of[SL_DIRECTORY_KINDS]; /* the first `count` ones */
    int count;
    apr_uint64_t stamp; /* of all of them; another one if there are more or less */
    apr_time_t changed; /* when one of them was changed last; 0: unknown */
    int is_plain;       /* files in the directory itself: whoever watches the directory hears of each change */
} sl_directory_files_t;

/* Looks for DIRECTORY/ENTRY.pem, then for DIRECTORY/ENTRY/fullchain.pem with privkey.pem beside it; an entry "*.NAME"
 * is called "_.NAME" or "*.NAME" there. With them go those of one more key type: ENTRY.pem.ecdsa and ENTRY.pem.rsa,
 * which may be there without ENTRY.pem, or ENTRY-ecdsa/ and ENTRY-rsa/ beside ENTRY/, where sl_directory_has_twins()
 * says so. Paths live in `pool`. APR_ENOENT: nothing is there; any other failure: nobody
 * can tell. */
apr_status_t sl_directory_files_find(sl_directory_files_t *files, apr_pool_t *pool, const char *directory,
                                     const char *entry, sl_problem_t *why) __attribute__((warn_unused_result));

/* When the directory changed last where the entry's files would be; 0: the directory itself is not there. */
apr_time_t sl_directory_files_changed(apr_pool_t *pool, const char *directory, const char *entry);

/* Refused: what can't be read, does not match, has another key type than its name says, has expired or is not valid yet
 * at `now` (seconds since 1970). The caller gets a reference. */
apr_status_t sl_directory_file_load(sl_identity_t **identity, const sl_directory_file_t *file, apr_int64_t now,
                                    apr_pool_t *scratch, sl_problem_t *why) __attribute__((warn_unused_result));

#endif
