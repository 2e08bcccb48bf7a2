/* OpenSSL's error queue, turned into one sentence part. Called by every unit that asks OpenSSL for something and
 * has to tell the administrator why it did not get it. */
#include "crypto/openssl_error.h"

#include "base/text.h"

#include <apr_strings.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <string.h>

void sl_openssl_error_clear(void)
{
    ERR_clear_error();
}

/* "ASN1 lib", "nested asn1 error" and their like only say that something below failed; what did is told by another
 * entry of the queue. */
static int is_vague(unsigned long code)
{
    int reason = ERR_GET_REASON(code);

    if (ERR_SYSTEM_ERROR(code) || !(reason & ERR_RFLAG_COMMON))
        return 0;
    return reason == ERR_R_NESTED_ASN1_ERROR || (reason & ~(ERR_RFLAGS_MASK << ERR_RFLAGS_OFFSET)) < 256;
}

static const char *reason_of(unsigned long code)
{
    if (ERR_SYSTEM_ERROR(code))
        return strerror(ERR_GET_REASON(code));
    return ERR_reason_error_string(code);
}

const char *sl_openssl_error_take(apr_pool_t *pool)
{
    const char *best = NULL, *data;
    unsigned long code;
    int flags, best_is_vague = 0;

    while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        const char *reason = reason_of(code);

        if (!reason || (best && !(best_is_vague && !is_vague(code))))
            continue;
        best = apr_pstrdup(pool, reason);
        best_is_vague = is_vague(code);
        if ((flags & ERR_TXT_STRING) && data && *data)
            best = apr_pstrcat(pool, best, " (", sl_text_escape(pool, data, strlen(data), 200), ")", NULL);
    }
    return best ? best : "no reason given";
}

static int is_memory(unsigned long code)
{
    return !ERR_SYSTEM_ERROR(code) && ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
}

apr_status_t sl_openssl_problem(sl_problem_t *why, const char *object, const char *format, ...)
{
    va_list args;
    const char *what;
    apr_status_t status;

    if (!why || why->status != APR_SUCCESS) {
        ERR_clear_error();
        return sl_problem_set(why, APR_EGENERAL, object, "failed");
    }
    status = is_memory(ERR_peek_error()) || is_memory(ERR_peek_last_error()) ? APR_ENOMEM : APR_EGENERAL;
    va_start(args, format);
    what = apr_pvsprintf(why->pool, format, args);
    va_end(args);
    return sl_problem_set(why, status, object, "%s: %s", what, sl_openssl_error_take(why->pool));
}
