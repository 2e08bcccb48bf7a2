/* What outlasts a configuration, by its name in httpd's process pool.  Called by those who keep something over
 * restarts. */
#include "httpd/lasting.h"

#include <http_main.h>

#include <apr_pools.h>

void *sl_lasting(const char *name, apr_size_t size)
{
    void *memory = NULL;

    apr_pool_userdata_get(&memory, name, ap_pglobal);
    if (!memory) {
        memory = apr_pcalloc(ap_pglobal, size);
        apr_pool_userdata_set(memory, name, apr_pool_cleanup_null, ap_pglobal);
    }
    return memory;
}
