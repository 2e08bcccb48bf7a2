/* Sessions in a store that is not trusted.  Called by httpd/sessions (and unit tests) for the callbacks of
 * conn/sessions.
 *
 * What is sealed: seconds since 1970 at which the session expires (8 bytes, big endian), then the session as OpenSSL
 * writes it (DER).  It is bound to the session id, so that the store cannot give one session for another. */
#include "resume/session_cache.h"

#include "base/bytes.h"
#include "crypto/openssl_error.h"

#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>

#define EXPIRY_SIZE 8
#define MOST_DER (SL_SESSION_MOST - EXPIRY_SIZE - SL_SEALER_ADDS)
/* Seconds for which a store that failed is left alone; they double with each failure. */
#define FIRST_PAUSE 1
#define LONGEST_PAUSE 32

struct sl_session_cache_t {
    const sl_store_t *store;
    const sl_world_t *world;
    atomic_uint_least64_t pause_until; /* microseconds since 1970 */
    atomic_int pause;                  /* seconds of the last pause; 0: the store works */
};

sl_session_cache_t *sl_session_cache_make(apr_pool_t *pool, const sl_store_t *store, const sl_world_t *world)
{
    sl_session_cache_t *cache = apr_pcalloc(pool, sizeof(*cache));

    cache->store = store;
    cache->world = world;
    atomic_init(&cache->pause_until, 0);
    atomic_init(&cache->pause, 0);
    return cache;
}

/* ---- a store that fails ---- */

/* Seconds that one thread has to find out whether a store works again, before another one tries. */
#define LONGEST_TRIAL 60

typedef enum { DO_NOT_ASK, ASK, TRY } permit_t;

/* A store that hangs holds whoever asks it: once its pause is over one thread tries, and the others go on without. */
static permit_t may_ask(sl_session_cache_t *cache)
{
    apr_uint64_t now = (apr_uint64_t)sl_world_now(cache->world), until = atomic_load(&cache->pause_until);

    if (now < until)
        return DO_NOT_ASK;
    if (!atomic_load(&cache->pause))
        return ASK;
    return atomic_compare_exchange_strong(&cache->pause_until, &until,
                                          now + (apr_uint64_t)apr_time_from_sec(LONGEST_TRIAL))
               ? TRY
               : DO_NOT_ASK;
}

apr_int64_t sl_session_cache_pause(const sl_session_cache_t *cache)
{
    apr_int64_t left = (apr_int64_t)atomic_load(&cache->pause_until) - sl_world_now(cache->world);

    return left > 0 ? (left + APR_USEC_PER_SEC - 1) / APR_USEC_PER_SEC : 0;
}

/* 0 if another thread told of this failure already: those that were under way together fail together. */
static int begin_pause(sl_session_cache_t *cache, permit_t permit)
{
    int works = 0, pause = atomic_load(&cache->pause) * 2;

    if (permit == TRY)
        atomic_store(&cache->pause, pause = pause < LONGEST_PAUSE ? pause : LONGEST_PAUSE);
    else if (atomic_compare_exchange_strong(&cache->pause, &works, FIRST_PAUSE))
        pause = FIRST_PAUSE;
    else
        return 0;
    atomic_store(&cache->pause_until, (apr_uint64_t)(sl_world_now(cache->world) + apr_time_from_sec(pause)));
    return 1;
}

/* What the store answered, and what follows from it. That there is nothing is no sign of life: redis answers so for a
 * server that is gone. */
static apr_status_t judge(sl_session_cache_t *cache, permit_t permit, apr_status_t status)
{
    if (status == APR_SUCCESS) {
        atomic_store(&cache->pause, 0);
        if (permit == TRY)
            atomic_store(&cache->pause_until, 0);
        return APR_SUCCESS;
    }
    if (APR_STATUS_IS_NOTFOUND(status) || APR_STATUS_IS_ENOSPC(status)) {
        if (permit == TRY)
            atomic_store(&cache->pause_until, 0);
        return status;
    }
    if (!begin_pause(cache, permit))
        return APR_EBUSY;
    return APR_STATUS_IS_EBUSY(status) ? APR_EGENERAL : status;
}

/* ---- a session and its bytes ---- */

static void write_expiry(unsigned char *at, apr_uint64_t seconds)
{
    for (int i = EXPIRY_SIZE; i--; seconds >>= 8)
        at[i] = (unsigned char)seconds;
}

static apr_int64_t read_expiry(const unsigned char *at)
{
    apr_uint64_t seconds = 0;

    for (int i = 0; i < EXPIRY_SIZE; i++)
        seconds = seconds << 8 | at[i];
    return (apr_int64_t)seconds;
}

static apr_status_t seal(const sl_sealer_t *sealer, SSL_SESSION *session, apr_int64_t expiry, unsigned char *sealed,
                         apr_size_t *length)
{
    unsigned int id_length;
    const unsigned char *id = SSL_SESSION_get_id(session, &id_length);
    int size = i2d_SSL_SESSION(session, NULL);
    apr_size_t plain_length = EXPIRY_SIZE + (apr_size_t)(size > 0 ? size : 0);
    unsigned char *plain, *at;
    apr_status_t rv;

    if (size <= 0 || size > MOST_DER)
        return size <= 0 ? APR_NOTFOUND : APR_ENOSPC;
    plain = OPENSSL_malloc(plain_length);
    if (!plain)
        return APR_ENOSPC;
    write_expiry(plain, (apr_uint64_t)expiry);
    at = plain + EXPIRY_SIZE;
    i2d_SSL_SESSION(session, &at);
    rv = sealer->seal(sealer->baton, id, id_length, plain, plain_length, sealed, length);
    OPENSSL_clear_free(plain, plain_length);
    return rv == APR_SUCCESS ? APR_SUCCESS : APR_NOTFOUND;
}

static SSL_SESSION *parse(const sl_session_cache_t *cache, const unsigned char *plain, apr_size_t length)
{
    const unsigned char *at = plain + EXPIRY_SIZE;
    SSL_SESSION *session;

    if (length <= EXPIRY_SIZE || read_expiry(plain) <= apr_time_sec(sl_world_now(cache->world)))
        return NULL;
    session = d2i_SSL_SESSION(NULL, &at, (long)(length - EXPIRY_SIZE));
    sl_openssl_error_clear();
    return session;
}

static SSL_SESSION *open_sealed(const sl_session_cache_t *cache, const sl_sealer_t *sealer, const unsigned char *id,
                                apr_size_t id_length, const unsigned char *sealed, apr_size_t length)
{
    unsigned char *plain = OPENSSL_malloc(length ? length : 1);
    apr_size_t plain_length = 0;
    SSL_SESSION *session = NULL;

    if (plain && sealer->open(sealer->baton, id, id_length, sealed, length, plain, &plain_length) == APR_SUCCESS)
        session = parse(cache, plain, plain_length);
    OPENSSL_clear_free(plain, plain_length);
    return session;
}

/* ---- the three things that happen to sessions ---- */

apr_status_t sl_session_cache_put(sl_session_cache_t *cache, const sl_sealer_t *sealer, SSL_SESSION *session,
                                  apr_pool_t *scratch)
{
    long timeout = SSL_SESSION_get_timeout(session);
    apr_time_t now = sl_world_now(cache->world);
    unsigned int id_length;
    const unsigned char *id = SSL_SESSION_get_id(session, &id_length);
    unsigned char *sealed;
    apr_size_t length = 0;
    permit_t permit;
    apr_status_t rv;

    if (!id_length || timeout <= 0)
        return APR_NOTFOUND;
    sealed = malloc(SL_SESSION_MOST);
    if (!sealed)
        return APR_ENOSPC;
    rv = seal(sealer, session, apr_time_sec(now) + timeout, sealed, &length);
    if (rv == APR_SUCCESS && (permit = may_ask(cache)) != DO_NOT_ASK) {
        rv = cache->store->put(cache->store->baton, id, id_length, sealed, length, now + apr_time_from_sec(timeout),
                               scratch);
        rv = judge(cache, permit, APR_STATUS_IS_NOTFOUND(rv) ? APR_EGENERAL : rv); /* no server, as redis has it */
    }
    else if (rv == APR_SUCCESS) {
        rv = APR_EBUSY;
    }
    free(sealed);
    return rv;
}

apr_status_t sl_session_cache_get(sl_session_cache_t *cache, const sl_sealer_t *sealer, const unsigned char *id,
                                  apr_size_t id_length, SSL_SESSION **session, apr_pool_t *scratch)
{
    apr_size_t length = SL_SESSION_MOST;
    unsigned char *sealed;
    permit_t permit;
    apr_status_t rv;

    *session = NULL;
    sealed = id_length ? malloc(SL_SESSION_MOST) : NULL;
    if (!sealed)
        return APR_NOTFOUND;
    permit = may_ask(cache);
    rv = permit == DO_NOT_ASK
             ? APR_EBUSY
             : judge(cache, permit, cache->store->get(cache->store->baton, id, id_length, sealed, &length, scratch));
    if (rv == APR_SUCCESS) {
        *session = open_sealed(cache, sealer, id, id_length, sealed, length);
        rv = *session ? APR_SUCCESS : APR_NOTFOUND;
    }
    free(sealed);
    return rv;
}

apr_status_t sl_session_cache_remove(sl_session_cache_t *cache, const unsigned char *id, apr_size_t id_length,
                                     apr_pool_t *scratch)
{
    permit_t permit;

    if (!id_length)
        return APR_NOTFOUND;
    permit = may_ask(cache);
    if (permit == DO_NOT_ASK)
        return APR_EBUSY;
    return judge(cache, permit, cache->store->remove(cache->store->baton, id, id_length, scratch));
}
