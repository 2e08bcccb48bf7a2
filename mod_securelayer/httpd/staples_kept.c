/* Answers over restarts.  Called by stapling when it starts.
 *
 * They live in the process pool, by certificate, and hold no pointers into the module's code: httpd may unload it
 * between two configurations. */
#include "httpd/staples_kept.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <openssl/crypto.h>
#include <unistd.h>

#include "httpd/keeper_hooks.h"
#include "httpd/lasting.h"

typedef struct kept_t {
    apr_pool_t *pool;      /* of the answers; NULL: there are none */
    apr_hash_t *by_key;    /* of the certificate -> answer_t */
    pid_t maker;
} kept_t;

typedef struct answer_t {
    const unsigned char *entry; /* as on the board */
    apr_size_t length;
    sl_staple_state_t state;
} answer_t;

static kept_t *find_kept(void)
{
    return sl_lasting("securelayer kept staples 1", sizeof(kept_t));
}

void sl_staples_kept_forget(void)
{
    kept_t *kept = find_kept();

    if (kept->pool)
        apr_pool_destroy(kept->pool);
    kept->pool = NULL;
}

static void keep(kept_t *kept, const sl_board_t *board, int entry)
{
    apr_size_t length;
    unsigned char *bytes = sl_section_copy(board->staples, entry, &length, NULL);
    answer_t *answer;

    if (length > SL_STAPLE_HEAD) {
        answer = apr_palloc(kept->pool, sizeof(*answer));
        answer->entry = apr_pmemdup(kept->pool, bytes, length);
        answer->length = length;
        sl_staple_state_read(board->staple_states, entry, &answer->state);
        apr_hash_set(kept->by_key, sl_staple_entry_key(answer->entry), SL_BOARD_KEY_SIZE, answer);
    }
    OPENSSL_free(bytes);
}

static apr_status_t keep_all(void *unused)
{
    const sl_board_t *board = sl_keeper_hooks_board();
    kept_t *kept = find_kept();

    (void)unused;
    if (!board->staples || kept->maker != getpid())
        return APR_SUCCESS;
    sl_staples_kept_forget();
    apr_pool_create_unmanaged_ex(&kept->pool, NULL, NULL); /* others may be on their way out */
    kept->by_key = apr_hash_make(kept->pool);
    for (int i = 0; i < sl_section_entries(board->staples); i++)
        keep(kept, board, i);
    return APR_SUCCESS;
}

void sl_staples_kept_watch(apr_pool_t *pool)
{
    find_kept()->maker = getpid();
    apr_pool_pre_cleanup_register(pool, NULL, keep_all);
}

void sl_staples_kept_give(const sl_staple_shelf_t *shelf, sl_staple_t *staple)
{
    const kept_t *kept = find_kept();
    const answer_t *answer = kept->pool ? apr_hash_get(kept->by_key, staple->key, sizeof(staple->key)) : NULL;

    if (answer)
        sl_staple_carry_on(shelf, staple, answer->entry, answer->length, &answer->state);
}
