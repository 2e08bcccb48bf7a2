/* The keys of session tickets also seal what goes into the session cache.  Called by sessions.c for each session put or
 * got. */
#include "httpd/session_seal.h"

#include <httpd.h>

#include <string.h>

#include "httpd/tickets.h"
#include "resume/ticket_seal.h"

_Static_assert(SL_TICKET_SEAL_OVERHEAD <= SL_SEALER_ADDS, "room for what sealing adds");

/* Other things are sealed with these keys too: none of them passes for a session. */
#define KIND "session "
#define KIND_SIZE (sizeof(KIND) - 1)

typedef struct bound_t {
    unsigned char bytes[KIND_SIZE + SSL_MAX_SSL_SESSION_ID_LENGTH];
    apr_size_t length;
} bound_t;

static int bind_to(bound_t *to, const void *id, apr_size_t length)
{
    if (length > SSL_MAX_SSL_SESSION_ID_LENGTH)
        return 0;
    memcpy(to->bytes, KIND, KIND_SIZE);
    memcpy(to->bytes + KIND_SIZE, id, length);
    to->length = KIND_SIZE + length;
    return 1;
}

static apr_status_t seal(void *server, const void *id, apr_size_t id_length, const unsigned char *bytes,
                         apr_size_t length, unsigned char *sealed, apr_size_t *sealed_length)
{
    sl_ticket_key_t key;
    bound_t bound;
    apr_status_t rv;

    if (!bind_to(&bound, id, id_length) || sl_tickets_find(server, NULL, &key) == SL_TICKET_NO_KEY)
        return APR_NOTFOUND;
    rv = sl_ticket_seal(&key, bound.bytes, bound.length, bytes, length, sealed);
    sl_ticket_key_cleanse(&key);
    *sealed_length = length + SL_TICKET_SEAL_OVERHEAD;
    return rv;
}

static apr_status_t open_sealed(void *server, const void *id, apr_size_t id_length, const unsigned char *sealed,
                                apr_size_t length, unsigned char *bytes, apr_size_t *opened_length)
{
    const unsigned char *name = sl_ticket_seal_name(sealed, length);
    sl_ticket_key_t key;
    bound_t bound;
    apr_status_t rv;

    if (!name || !bind_to(&bound, id, id_length) || sl_tickets_find(server, name, &key) == SL_TICKET_NO_KEY)
        return APR_NOTFOUND;
    rv = sl_ticket_open(&key, bound.bytes, bound.length, sealed, length, bytes);
    sl_ticket_key_cleanse(&key);
    *opened_length = length - SL_TICKET_SEAL_OVERHEAD;
    return rv == APR_SUCCESS ? APR_SUCCESS : APR_NOTFOUND;
}

void sl_session_seal(sl_sealer_t *sealer, const sl_vhost_t *vhost)
{
    sealer->seal = seal;
    sealer->open = open_sealed;
    sealer->baton = vhost->owner;
}
