/* A file of ticket keys into its ring on the board, in the keeper.  An item of reload_job, made by httpd/tickets. */
#include "keeper/reload_tickets.h"

#include "keeper/ticket_job.h"
#include "resume/ticket_source.h"

#include <apr_strings.h>
#include <openssl/crypto.h>

apr_status_t sl_reload_tickets(sl_reload_item_t *item, sl_loop_t *loop, sl_reload_state_t *state, int *news,
                               const char **said, sl_problem_t *why)
{
    const sl_reload_tickets_t *what = item->baton;
    sl_ticket_ring_t ring, old;
    apr_status_t rv = sl_ticket_source_read(&ring, what->path, why);

    (void)state;
    if (rv != APR_SUCCESS)
        return rv;
    *news = !sl_ticket_job_read(what->rings, what->entry, &old) || old.count != ring.count ||
            CRYPTO_memcmp(&old, &ring, sl_ticket_ring_size(&ring)) != 0;
    if (*news)
        rv = sl_section_publish(what->rings, what->entry, &ring, sl_ticket_ring_size(&ring));
    *said = apr_psprintf(loop->scratch, "%u keys", (unsigned)ring.count);
    sl_ticket_ring_cleanse(&ring);
    OPENSSL_cleanse(&old, sizeof(old));
    return rv;
}
