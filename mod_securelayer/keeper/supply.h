/* From the number of an identity to the identity, in its newest version.
 *
 * The parent fills it at start: each identity as bytes (identity/stored), which children inherit. A child makes an
 * identity of them when a connection first asks for it, and keeps those it used last. Newer bytes come from the board:
 * each question compares one version number. Who holds an older one keeps it as long as it likes.
 * An identity whose key does not show its bytes (on a token) is kept as it is, and never changes. */
#ifndef SL_KEEPER_SUPPLY_H
#define SL_KEEPER_SUPPLY_H

#include "identity/stored.h"
#include "keeper/board.h"

typedef struct sl_supply_t sl_supply_t;

/* What the board's `news` have for that number, with a reference for the caller; *version (may be NULL) is that of it.
 * NULL: nothing, or memory ended. Any process and thread. */
sl_identity_t *sl_supply_newer(const sl_section_t *news, int id, sl_blob_want_t want, apr_uint64_t *version);

/* ---- in the parent ---- */

/* Lives in the configuration's pool. */
sl_supply_t *sl_supply_make(apr_pool_t *pool);
/* A number for this identity, the same one for the same pointer; it lives as long as the supply is used. */
sl_identity_ref_t sl_supply_add(sl_supply_t *supply, const sl_stored_t *stored);
/* A number for one that is not there yet and comes by the board, if it comes. */
sl_identity_ref_t sl_supply_await(sl_supply_t *supply);
int sl_supply_count(const sl_supply_t *supply);
/* The one of the start, whatever came since; NULL if there was none, or there is none of that number. Any process. */
const sl_stored_t *sl_supply_start_of(const sl_supply_t *supply, int id);
/* All are there. `news` (NULL: there never are any) has an entry for each of them. */
void sl_supply_settle(sl_supply_t *supply, const sl_section_t *news);
int sl_supply_is_on_token(const sl_supply_t *supply, int id);

/* ---- in a child ---- */

/* In child_init: keeps up to `most` identities ready. Before it (and with 0) each question makes a new one. */
void sl_supply_start(sl_supply_t *supply, apr_pool_t *child_pool, int most);

/* After that: what sl_supply_counts() tells is counted there from now on, beginning with what is there. */
void sl_supply_count_at(sl_supply_t *supply, _Atomic apr_uint64_t *made, _Atomic apr_uint64_t *found);

/* Gives up those that are ready: for who makes a supply and goes on after its end. A child that ends leaves them. */
void sl_supply_stop(sl_supply_t *supply);

/* ---- in any process and thread ---- */

/* Is it one that is not there yet? */
int sl_supply_is_vacant(const sl_supply_t *supply, int id);
/* The newest version, with a reference for the caller; NULL only if memory ends, or it is not there yet. Waits for no
 * other process. */
sl_identity_t *sl_supply_get(sl_supply_t *supply, int id);
/* Of the newest version: grows when a newer one is there. */
apr_uint64_t sl_supply_version(const sl_supply_t *supply, int id);
/* The newest version without its key, with a reference for the caller: for who only looks. Not kept ready, not counted;
 * NULL only if memory ends, or it is not there yet. */
sl_identity_t *sl_supply_look(const sl_supply_t *supply, int id);
/* Do both numbers mean the same certificate now, in their newest versions, from whatever files? Looks at bytes once for
 * each new version, then at digests. 0 also if memory ends. */
int sl_supply_is_same(sl_supply_t *supply, int a, int b);
/* Identities made from bytes so far in this process, and questions that found one ready. */
void sl_supply_counts(sl_supply_t *supply, apr_uint64_t *made, apr_uint64_t *found);

#endif
