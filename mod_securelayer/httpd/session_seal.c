/* Keys for what goes into the session cache.  Called by sessions.c for each session put or got. */
#include "httpd/session_seal.h"

#include <httpd.h>
#include <http_main.h>

#include <apr_strings.h>

#include "resume/ticket_seal.h"

_Static_assert(SL_TICKET_SEAL_OVERHEAD <= SL_SEALER_ADDS, "room for what sealing adds");

static sl_ticket_key_t *own;

apr_status_t sl_session_seal_start(sl_problem_t *why)
{
    static const char name[] = "securelayer session key";
    void *key = NULL;
    apr_status_t rv = APR_SUCCESS;

    apr_pool_userdata_get(&key, name, ap_pglobal);
    if (!key) {
        key = apr_pcalloc(ap_pglobal, sizeof(sl_ticket_key_t));
        rv = sl_ticket_key_make(key, 0, why);
        if (rv == APR_SUCCESS)
            apr_pool_userdata_set(key, name, apr_pool_cleanup_null, ap_pglobal);
    }
    own = key;
    return rv;
}

static apr_status_t seal(void *baton, const void *bound, apr_size_t bound_length, const unsigned char *bytes,
                         apr_size_t length, unsigned char *sealed, apr_size_t *sealed_length)
{
    *sealed_length = length + SL_TICKET_SEAL_OVERHEAD;
    return sl_ticket_seal(baton, bound, bound_length, bytes, length, sealed);
}

static apr_status_t open_sealed(void *baton, const void *bound, apr_size_t bound_length, const unsigned char *sealed,
                                apr_size_t length, unsigned char *bytes, apr_size_t *opened_length)
{
    if (!sl_ticket_seal_name(sealed, length))
        return APR_NOTFOUND;
    *opened_length = length - SL_TICKET_SEAL_OVERHEAD;
    return sl_ticket_open(baton, bound, bound_length, sealed, length, bytes) == APR_SUCCESS ? APR_SUCCESS
                                                                                            : APR_NOTFOUND;
}

void sl_session_seal(sl_sealer_t *sealer, const sl_vhost_t *vhost)
{
    (void)vhost;
    sealer->seal = seal;
    sealer->open = open_sealed;
    sealer->baton = own;
}
