/* A store on one of httpd's small object caches (mod_socache_...): provider, instance, and the mutex that some need.
 *
 * Made and started in the parent, which also ends it with the pool it was started with; used by all threads of the
 * children. */
#ifndef SL_HTTPD_SOCACHE_STORE_H
#define SL_HTTPD_SOCACHE_STORE_H

#include <httpd.h>
#include <ap_socache.h>

#include "base/problem.h"
#include "resume/store.h"

typedef struct sl_socache_t sl_socache_t;

typedef struct sl_socache_use_t {
    const char *name;  /* whose entries these are, at most 16 characters: "mod_ssl-sess" */
    const char *mutex; /* as the Mutex directive has it: "ssl-cache" */
    struct ap_socache_hints hints;
} sl_socache_use_t;

/* `spec` is "provider" or "provider:arguments". Fails with the names of the providers there are, or with the words of
 * the provider itself. */
apr_status_t sl_socache_make(sl_socache_t **cache, const char *spec, apr_pool_t *pool, apr_pool_t *scratch,
                             sl_problem_t *why) __attribute__((warn_unused_result));
/* From here on, until `pool` goes, it holds entries. `use` outlives it. */
apr_status_t sl_socache_start(sl_socache_t *cache, const sl_socache_use_t *use, server_rec *s, apr_pool_t *pool,
                              sl_problem_t *why) __attribute__((warn_unused_result));
/* Once in each child, before its first use there. */
apr_status_t sl_socache_child(sl_socache_t *cache, apr_pool_t *pool, sl_problem_t *why)
    __attribute__((warn_unused_result));

const sl_store_t *sl_socache_store(const sl_socache_t *cache);
/* As the directive has it. */
const char *sl_socache_spec(const sl_socache_t *cache);
/* The provider's own lines for mod_status; `flags` are AP_STATUS_... */
void sl_socache_status(sl_socache_t *cache, request_rec *r, int flags);

#endif
