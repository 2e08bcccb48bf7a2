/* CA and CRL files onto the board, in the keeper.  An item of reload_job, made by httpd/trusts. */
#include "keeper/reload_trust.h"

#include "identity/trust_blob.h"

#include <apr_strings.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

/* -1: memory ended. */
static int is_served(const sl_reload_trust_t *what, const unsigned char *bytes, apr_size_t length)
{
    unsigned char digest[SL_BOARD_KEY_SIZE], *now;
    apr_size_t now_length;
    int same;

    if (!sl_section_version(what->news, what->id))
        return EVP_Digest(bytes, length, digest, NULL, EVP_sha256(), NULL) == 1 &&
               !memcmp(digest, what->digest, sizeof(digest));
    now = sl_section_copy(what->news, what->id, &now_length, NULL);
    if (!now)
        return -1;
    same = now_length == length && !memcmp(now, bytes, length);
    OPENSSL_free(now);
    return same;
}

static apr_status_t publish(const sl_reload_trust_t *what, const sl_trust_t *trust, int *news, sl_problem_t *why)
{
    apr_size_t length;
    unsigned char *bytes = sl_trust_encode(trust, &length);
    int served = bytes ? is_served(what, bytes, length) : -1;
    apr_status_t rv = APR_SUCCESS;

    *news = !served;
    if (*news)
        rv = sl_section_publish(what->news, what->id, bytes, length);
    OPENSSL_free(bytes);
    if (served < 0)
        return sl_problem_set(why, APR_ENOMEM, NULL, "memory ended");
    if (rv != APR_SUCCESS) {
        sl_problem_set(why, rv, NULL, "they are more than what can be taken while httpd runs");
        sl_problem_advise(why, "Restart httpd gracefully");
    }
    return rv;
}

/* The first error, in the words of the start. */
static void take_first_error(sl_problem_t *why, const sl_problems_t *problems)
{
    apr_pool_t *pool = why->pool;

    for (int i = 0; i < problems->all->nelts; i++) {
        const sl_problem_t *told = APR_ARRAY_IDX(problems->all, i, const sl_problem_t *);

        if (told->gravity != SL_PROBLEM_ERROR || why->status != APR_SUCCESS)
            continue;
        *why = *told;
        why->pool = pool;
    }
}

apr_status_t sl_reload_trust(sl_reload_item_t *item, sl_loop_t *loop, sl_reload_state_t *state, int *news,
                             const char **said, sl_problem_t *why)
{
    const sl_reload_trust_t *what = item->baton;
    sl_problems_t *problems = sl_problems_make(loop->scratch);
    sl_trust_t *trust;
    apr_status_t rv =
        sl_trust_new(&trust, &what->source, apr_time_sec(sl_world_now(loop->world)), loop->scratch, problems);

    (void)state;
    if (rv != APR_SUCCESS) {
        take_first_error(why, problems);
        return rv;
    }
    rv = publish(what, trust, news, why);
    *said = apr_psprintf(loop->scratch, "%d CA certificates, %d CRLs", sk_X509_num(trust->cas),
                         sk_X509_CRL_num(trust->crls));
    sl_trust_release(trust);
    return rv;
}
