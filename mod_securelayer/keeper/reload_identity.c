/* Files into the board's newest bytes of an identity, in the keeper. An item of reload_job, made by
 * httpd/identities. */
#include "keeper/reload_identity.h"

#include "base/text.h"
#include "crypto/cert_text.h"
#include "identity/blob.h"
#include "identity/loader.h"

#include <apr_strings.h>
#include <openssl/crypto.h>
#include <string.h>

#define CLOCK_SKEW 300 /* seconds that a certificate may be from the future */

typedef struct check_t {
    const sl_reload_identity_t *what;
    const sl_identity_t *old; /* NULL: this is the first one */
    const sl_identity_t *fresh;
    apr_int64_t now;
    apr_pool_t *scratch;
    sl_problem_t *why;
} check_t;

static apr_status_t refuse(const check_t *check, const char *advice, const char *reason)
{
    check->why->origin = check->what->source->origin;
    sl_problem_set(check->why, SL_RELOAD_REFUSED, check->fresh->origin, "%s", reason);
    sl_problem_advise(check->why, "%s", advice);
    return SL_RELOAD_REFUSED;
}

static apr_status_t check_dates(const check_t *check)
{
    if (check->fresh->not_after < check->now)
        return refuse(check, "Renew it",
                      apr_psprintf(check->scratch, "the certificate expired on %s",
                                   sl_cert_text_not_after(check->scratch, check->fresh->leaf)));
    if (check->fresh->not_before > check->now + CLOCK_SKEW)
        return refuse(check, "Check the clock of this machine, or put it there later",
                      apr_psprintf(check->scratch, "the certificate is not valid before %s",
                                   sl_cert_text_not_before(check->scratch, check->fresh->leaf)));
    return APR_SUCCESS;
}

/* A host may have names that its certificate is not meant for, but not only such ones. */
static apr_status_t check_first_names(const check_t *check)
{
    const char *missed = NULL;
    int others = 0;

    for (int i = 0; i < check->what->names->nelts && !check->what->any_name; i++) {
        const char *name = APR_ARRAY_IDX(check->what->names, i, const char *);
        char host[SL_HOST_MAX + 1];

        if (!sl_text_host(host, name, strlen(name)))
            continue;
        if (sl_identity_covers(check->fresh, host))
            return APR_SUCCESS;
        others += missed != NULL;
        missed = missed ? missed : apr_pstrdup(check->scratch, host);
    }
    if (!missed)
        return APR_SUCCESS;
    return refuse(check, "Get a certificate for that name, or restart httpd if this is wanted",
                  apr_psprintf(check->scratch, "the certificate does not cover %s%s", missed,
                               others ? ", nor any other name of its hosts" : ""));
}

static apr_status_t check_names(const check_t *check)
{
    if (!check->old)
        return check_first_names(check);
    for (int i = 0; i < check->what->names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(check->what->names, i, const char *);
        char host[SL_HOST_MAX + 1];

        if (!sl_text_host(host, name, strlen(name)) || !sl_identity_covers(check->old, host) ||
            sl_identity_covers(check->fresh, host))
            continue;
        return refuse(
            check, "Get a certificate for that name too, or restart httpd if this is wanted",
            apr_psprintf(check->scratch, "the certificate does not cover %s, which the one before covers", host));
    }
    return APR_SUCCESS;
}

static apr_status_t check_strength(const check_t *check)
{
    const char *weak = sl_identity_weakness(check->fresh, check->scratch);

    if (!weak || (check->old && sl_identity_weakness(check->old, check->scratch)))
        return APR_SUCCESS;
    return refuse(check, "Make a new key of at least 2048 bits (RSA) or on P-256, and have it signed with SHA-256",
                  weak);
}

static apr_status_t check_all(const check_t *check)
{
    apr_status_t rv = check_dates(check);

    if (rv == APR_SUCCESS)
        rv = check_names(check);
    return rv == APR_SUCCESS ? check_strength(check) : rv;
}

static int is_same(const sl_identity_t *old, const unsigned char *bytes, apr_size_t length)
{
    apr_size_t old_length;
    unsigned char *old_bytes = sl_blob_encode(old, &old_length, NULL);
    int same = old_bytes && old_length == length && CRYPTO_memcmp(old_bytes, bytes, length) == 0;

    OPENSSL_clear_free(old_bytes, old_length);
    return same;
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
