/* From slots of the directory_board to certificates that answers are asked for.  Made by httpd/directories; called by
 * staple_job in its thread, which alone reads and writes what is here. */
#include "keeper/directory_staples.h"

#include "keeper/directory_bundle.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

typedef struct work_t {
    const sl_directory_board_t *board;
    const apr_array_header_t *rules;
    apr_uint64_t *versions; /* of slots, as they were seen */
} work_t;

int sl_directory_staples_places(const sl_directory_board_t *board)
{
    return sl_directory_board_slots(board) * SL_DIRECTORY_KINDS;
}

static void give_up(sl_staple_t **staple)
{
    if (!*staple)
        return;
    X509_free((*staple)->cert);
    X509_free((*staple)->issuer);
    free((char *)(*staple)->name);
    free(*staple);
    *staple = NULL;
}

static sl_staple_t *new_staple(const sl_staple_t *rules, int place, const sl_identity_t *identity)
{
    sl_staple_t *staple = malloc(sizeof(*staple));

    if (!staple)
        return NULL;
    *staple = *rules;
    staple->entry = place;
    staple->identity = -1;
    staple->name = strdup(identity->origin);
    if (!staple->name) {
        free(staple);
        return NULL;
    }
    return staple;
}

/* `identity` may be NULL: nothing is there. */
static void put(sl_staple_shelf_t *shelf, sl_staple_t **staple, int place, const sl_staple_t *rules,
                const sl_identity_t *identity, apr_pool_t *scratch)
{
    if (identity && rules && *staple && sl_staple_subject_is(*staple, identity))
        return;
    give_up(staple);
    if (identity && rules && (*staple = new_staple(rules, place, identity)) != NULL &&
        !sl_staple_take(shelf, *staple, identity, scratch))
        give_up(staple);
}

static void look_at(work_t *work, sl_staple_shelf_t *shelf, int slot, sl_staple_t **staples, apr_pool_t *scratch)
{
    unsigned char *buffer = OPENSSL_malloc(SL_DIRECTORY_IDENTITY_MAX);
    const unsigned char *bytes = (const unsigned char *)"";
    const sl_staple_t *rules = NULL;
    sl_directory_bundle_t bundle;
    apr_size_t length = 0;
    int directory;

    if (!buffer)
        return;
    length = sl_directory_board_copy(work->board, slot, buffer, &directory, &bytes, &work->versions[slot]);
    if (length && directory >= 0 && directory < work->rules->nelts)
        rules = APR_ARRAY_IDX(work->rules, directory, const sl_staple_t *);
    sl_directory_bundle_decode(&bundle, bytes, rules ? length : 0, SL_BLOB_CERTIFICATES);
    OPENSSL_clear_free(buffer, SL_DIRECTORY_IDENTITY_MAX);
    for (int i = 0; i < SL_DIRECTORY_KINDS; i++)
        put(shelf, &staples[i], slot * SL_DIRECTORY_KINDS + i, rules, i < bundle.count ? bundle.of[i] : NULL, scratch);
    sl_directory_bundle_clear(&bundle);
    apr_pool_clear(scratch);
}

/* An sl_staple_look_t. */
static void look(void *baton, sl_staple_shelf_t *shelf, apr_array_header_t *staples, apr_pool_t *scratch)
{
    work_t *work = baton;

    for (int slot = 0; slot < sl_directory_board_slots(work->board); slot++) {
        if (sl_directory_board_version(work->board, slot) != work->versions[slot])
            look_at(work, shelf, slot, (sl_staple_t **)(void *)staples->elts + (apr_size_t)slot * SL_DIRECTORY_KINDS,
                    scratch);
    }
}

/* In the process that has them; elsewhere there are none. */
static apr_status_t give_up_all(void *baton)
{
    apr_array_header_t *staples = baton;

    for (int i = 0; i < staples->nelts; i++)
        give_up(&APR_ARRAY_IDX(staples, i, sl_staple_t *));
    return APR_SUCCESS;
}

sl_job_t *sl_directory_staples_make(apr_pool_t *pool, const sl_directory_board_t *board, const sl_staple_shelf_t *shelf,
                                    const apr_array_header_t *rules)
{
    int places = sl_directory_staples_places(board);
    apr_array_header_t *staples = apr_array_make(pool, places, sizeof(sl_staple_t *));
    work_t *work = apr_pcalloc(pool, sizeof(*work));

    work->board = board;
    work->rules = rules;
    work->versions = apr_pcalloc(pool, sizeof(*work->versions) * (apr_size_t)sl_directory_board_slots(board));
    memset(staples->elts, 0, sizeof(sl_staple_t *) * (apr_size_t)places);
    staples->nelts = places;
    apr_pool_cleanup_register(pool, staples, give_up_all, apr_pool_cleanup_null);
    return sl_staple_job_make_open(pool, shelf, staples, look, work);
}
