/* Files into the board's newest bytes of an identity, in the keeper. An item of reload_job, made by
 * httpd/identities. */
#include "keeper/reload_identity.h"

#include "crypto/cert_text.h"
#include "identity/blob.h"
#include "identity/loader.h"
#include "identity/replacement.h"

#include <apr_strings.h>
#include <openssl/crypto.h>

typedef struct check_t {
    const sl_reload_identity_t *what;
    const sl_identity_t *old; /* NULL: this is the first one */
    const sl_identity_t *fresh;
    apr_int64_t now;
    apr_pool_t *scratch;
    sl_problem_t *why;
} check_t;

static int is_same(const sl_identity_t *old, const unsigned char *bytes, apr_size_t length)
{
    apr_size_t old_length;
    unsigned char *old_bytes = sl_blob_encode(old, &old_length, NULL);
    int same = old_bytes && old_length == length && CRYPTO_memcmp(old_bytes, bytes, length) == 0;

    OPENSSL_clear_free(old_bytes, old_length);
    return same;
}

static apr_status_t check_all(const check_t *check)
{
    const sl_reload_identity_t *what = check->what;
    const sl_origin_t *origin = &what->source->origin;
    apr_status_t rv = check->old ? sl_replacement_check(check->old, check->fresh, what->names, check->now, origin,
                                                        check->scratch, check->why)
                                 : sl_replacement_check_first(check->fresh, what->any_name ? NULL : what->names,
                                                              check->now, origin, check->scratch, check->why);

    return rv == APR_SUCCESS ? APR_SUCCESS : SL_RELOAD_REFUSED;
}

static apr_status_t publish(const check_t *check, int *news)
{
    const sl_reload_identity_t *what = check->what;
    apr_size_t length;
    unsigned char *bytes = sl_blob_encode(check->fresh, &length, check->why);
    apr_status_t rv = APR_SUCCESS;

    if (!bytes)
        return APR_EGENERAL;
    *news = !check->old || !is_same(check->old, bytes, length);
    if (*news)
        rv = check_all(check);
    if (*news && rv == APR_SUCCESS) {
        rv = sl_section_publish(what->news, what->id, bytes, length);
        if (rv != APR_SUCCESS) {
            check->why->origin = what->source->origin;
            sl_problem_set(check->why, rv, check->fresh->origin,
                           "the certificate, its chain and key are larger than what can be taken while httpd runs");
            sl_problem_advise(check->why, "Leave out what is not needed of the chain, or restart httpd");
        }
    }
    OPENSSL_clear_free(bytes, length);
    return rv;
}

/* To wait would open nothing. */
static apr_status_t stays_sealed(sl_problem_t *why)
{
    why->reason = "it is encrypted, and no pass phrase that was given at the start opens it";
    why->advice = "Restart httpd, which asks for the pass phrase, or encrypt the key with the one that it had";
    return SL_RELOAD_REFUSED;
}

apr_status_t sl_reload_identity(sl_reload_item_t *item, sl_loop_t *loop, sl_reload_state_t *state, int *news,
                                const char **said, sl_problem_t *why)
{
    sl_reload_identity_t *what = item->baton;
    sl_problems_t *warnings = sl_problems_make(loop->scratch);
    sl_identity_t *fresh = NULL, *old;
    check_t check = {what, NULL, NULL, apr_time_sec(sl_world_now(loop->world)), loop->scratch, why};
    sl_recall_t recall = {.phrases = what->phrases};
    apr_status_t rv = sl_loader_load(&fresh, what->source, sl_phrases_answer, &recall, loop->scratch, warnings, why);

    if (rv != APR_SUCCESS)
        return recall.failed ? stays_sealed(why) : rv;
    check.fresh = fresh;
    check.old = old = sl_supply_get(what->supply, what->id);
    rv = old || sl_supply_is_vacant(what->supply, what->id)
             ? publish(&check, news)
             : sl_problem_set(why, APR_ENOMEM, fresh->origin, "memory ended");
    if (rv == APR_SUCCESS) { /* the keeper before this one may have published them, and no more */
        if (item->is_awaited && !state->version)
            *news = 1;
        state->not_before = fresh->not_before;
        state->not_after = fresh->not_after;
        *said = apr_psprintf(loop->scratch, "valid until %s, serial number %s",
                             sl_cert_text_not_after(loop->scratch, fresh->leaf),
                             sl_cert_text_serial(loop->scratch, fresh->leaf));
    }
    sl_identity_release(old);
    sl_identity_release(fresh);
    return rv;
}
