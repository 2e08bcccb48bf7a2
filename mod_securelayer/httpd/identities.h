/* The identities of this configuration: their supply, from collecting to the children, and the cache it is filled from.
 */
#ifndef SL_HTTPD_IDENTITIES_H
#define SL_HTTPD_IDENTITIES_H

#include <httpd.h>

#include "identity/identity_cache.h"
#include "keeper/reload_state.h"
#include "keeper/supply.h"

/* In the parent: what was loaded before, by paths; outlives configurations. */
sl_identity_cache_t *sl_identities_cache(void);
/* ServerName and ServerAlias (no patterns) of a host: const char *, in `pool`. */
apr_array_header_t *sl_identities_names(const server_rec *host, apr_pool_t *pool);
/* In the parent, at the begin of each pass over the configuration. */
sl_supply_t *sl_identities_make(apr_pool_t *pool);
/* That of this configuration; in every process. NULL before the first one. */
sl_supply_t *sl_identities_supply(void);
/* In post_config, not in the rehearsal, once everybody has looked at the identities. */
apr_status_t sl_identities_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
    __attribute__((warn_unused_result));

/* What is known of an identity besides: text and arrays live as long as the configuration. */
typedef struct sl_identity_record_t {
    sl_source_t source;
    const char *shown;         /* its place, for messages */
    apr_uint64_t stamp;        /* of its files, taken before they were read (sl_watch_stamp()) */
    apr_array_header_t *names; /* const char *: ServerName and ServerAlias (no patterns) of the hosts that show it */
    apr_int64_t not_before, not_after; /* of the start's */
    int state_entry;           /* for sl_reload_states(); -1: it is not reloaded */
    int any_name;              /* a host without a name of its own shows it */
} sl_identity_record_t;

/* In the parent: the host shows that identity, which came from there; NULL: it is for backends. */
void sl_identities_note(apr_pool_t *pool, int id, const sl_stored_t *stored, const sl_source_t *source,
                        apr_uint64_t stamp, const server_rec *host);
/* In the parent: the host is to show an identity whose files can't be used as they are. The keeper publishes it once
 * they can, if a host with SL_OUT_UNTIL_REPAIRED has it. Hosts with the same source have the same one. */
sl_identity_ref_t sl_identities_await(apr_pool_t *pool, const sl_source_t *source, apr_uint64_t stamp,
                                      const server_rec *host);
/* Any process; NULL if there is none of that number. sl_supply_count() says how many there are. */
const sl_identity_record_t *sl_identities_record(int id);
/* What became of its reloading; its dates are those of what is served, changed or not. 0 if nothing is: it is
 * awaited. */
int sl_identities_state(int id, sl_reload_state_t *state);
/* The places an identity is read from, for sl_watch_stamp(); an empty list if they are not all files. */
void sl_identities_paths(const sl_source_t *source, const char *paths[]);

void sl_identities_register(apr_pool_t *pool);

#endif
