/* Called by identity_cache, and by httpd/identities for what is not there yet. */
#include "identity/source.h"

#include <apr_strings.h>

const char *sl_source_text(const sl_source_t *source, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%s\n%d%s\n%s\n%s\n%s", source->first ? "first" : "", source->key_number,
                        source->is_bundle ? " bundle" : "", source->certificate, source->key ? source->key : "",
                        source->chain ? source->chain : "");
}
