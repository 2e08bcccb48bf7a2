/* The distinct profiles of one configuration: equal settings are compiled once, and so are those that differ only in
 * where a file of CAs or CRLs is, not in what is in it.
 * Used by the parent during start only. The set holds a reference to each profile until its pool is cleaned up. */
#ifndef SL_PROFILE_PROFILE_SET_H
#define SL_PROFILE_PROFILE_SET_H

#include "profile/compile.h"

typedef struct sl_profile_set_t sl_profile_set_t;

sl_profile_set_t *sl_profile_set_make(apr_pool_t *pool, apr_int64_t now, sl_profile_prepare_t prepare);
/* The same of profiles for the side that connects to backends. Of both: settings live as long as `pool`. */
sl_profile_set_t *sl_profile_set_make_client(apr_pool_t *pool, apr_int64_t now, sl_profile_prepare_t prepare);
/* The profile for these settings, compiled if it is the first time they are seen; NULL if they do not compile (told in
 * `problems` once per distinct settings). The reference stays the set's. */
sl_profile_t *sl_profile_set_get(sl_profile_set_t *set, const sl_settings_t *settings, const char *host,
                                 apr_pool_t *scratch, sl_problems_t *problems);
/* From now on every call compiles a profile of its own: somebody changes the SSL_CTX of one virtual host. */
void sl_profile_set_keep_apart(sl_profile_set_t *set);
int sl_profile_set_count(const sl_profile_set_t *set);

#endif
