/* Where the phrases are kept.  Asked for by collect_vhosts and identities; wiped in children, and by keeper_hooks in
 * the courier. */
#include "httpd/phrases.h"

#include <http_config.h>
#include <http_main.h>

#include <unistd.h>

#include "httpd/dropin.h"

static pid_t owner;

static sl_phrases_t *find(int make)
{
    static const char key[] = "securelayer pass phrases 1"; /* the figure: of their layout */
    void *phrases = NULL;

    apr_pool_userdata_get(&phrases, key, ap_pglobal);
    if (!phrases && make) {
        phrases = sl_phrases_make();
        apr_pool_userdata_set(phrases, key, apr_pool_cleanup_null, ap_pglobal);
    }
    return phrases;
}

sl_phrases_t *sl_remembered_phrases(int is_wanted)
{
    sl_phrases_t *phrases = find(is_wanted);

    owner = getpid();
    if (phrases && !is_wanted)
        sl_phrases_wipe(phrases);
    return is_wanted ? phrases : NULL;
}

void sl_remembered_phrases_forget(void)
{
    sl_phrases_t *phrases = getpid() != owner ? find(0) : NULL; /* with -X the child is the parent */

    if (phrases)
        sl_phrases_wipe(phrases);
}

static void child_init(apr_pool_t *pool, server_rec *s)
{
    (void)pool;
    (void)s;
    sl_remembered_phrases_forget();
}

void sl_phrases_register(apr_pool_t *pool)
{
    (void)pool;
    sl_dropin_own_begin();
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_REALLY_FIRST);
    sl_dropin_own_end();
}
