/* Identities that were loaded before, by the files they came from: the second pass of a start and a graceful restart
 * find theirs here as long as no file has changed.
 * Lives in a pool that outlasts restarts; used by the parent's main thread only. */
#ifndef SL_IDENTITY_IDENTITY_CACHE_H
#define SL_IDENTITY_IDENTITY_CACHE_H

#include "identity/loader.h"
#include "identity/stored.h"

#include <apr_hash.h>

typedef struct sl_identity_cache_t sl_identity_cache_t;

/* A source, and what its files look like: the caller's number, which differs if they do. Taken before they are read. */
typedef struct sl_wanted_t {
    sl_source_t source;
    apr_uint64_t stamp;
} sl_wanted_t;

/* The records hold no pointers into the module's code, so that httpd may unload it between the passes. */
sl_identity_cache_t *sl_identity_cache_make(apr_pool_t *pool);
/* Reads those of `sources` (of sl_wanted_t) that are ordinary and not known, with all processors if they are many. What
 * can't be read so is left to sl_identity_cache_load(), which is to be called for each of them in any case. */
void sl_identity_cache_read(sl_identity_cache_t *cache, const apr_array_header_t *sources, apr_pool_t *scratch);
/* As sl_loader_load(), but finds what is there already. What is found lives until the sweep after a pass that did not
 * ask for it. The loader's warnings are told with the first call for an identity after each sweep, loaded then or
 * before. */
apr_status_t sl_identity_cache_load(sl_identity_cache_t *cache, const sl_stored_t **stored, const sl_source_t *source,
                                    apr_uint64_t stamp, sl_pem_passphrase_t passphrase, void *baton,
                                    apr_pool_t *scratch, sl_problems_t *problems, sl_problem_t *why)
    __attribute__((warn_unused_result));
/* What was loaded from these paths before, whatever is there now: for a restart that finds the files broken. NULL if
 * there is none. */
const sl_stored_t *sl_identity_cache_last(sl_identity_cache_t *cache, const sl_source_t *source, apr_pool_t *scratch);
/* Between two passes: what can be loaded is there for the next one, which finds it as if it was the pass before that
 * loaded it. 0: it can't be. */
int sl_identity_cache_add(sl_identity_cache_t *cache, const sl_source_t *source, apr_uint64_t stamp,
                          sl_pem_passphrase_t passphrase, void *baton, apr_pool_t *scratch);
int sl_identity_cache_is_empty(const sl_identity_cache_t *cache);
/* Identities of this pass: read from their files, and known from before. */
void sl_identity_cache_count(const sl_identity_cache_t *cache, int *read, int *known);
/* The pass over the configuration is over: forgets what was not asked for in it. */
void sl_identity_cache_sweep(sl_identity_cache_t *cache);

#endif
