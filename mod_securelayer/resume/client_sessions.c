/* A table of sets of eight places: the key says which set, within it the oldest gives way.  Asked by httpd/proxy. */
#include "resume/client_sessions.h"

#include <pthread.h>
#include <string.h>

#define WAYS 8
#define MOST_SECONDS 3600

typedef struct place_t {
    SSL_SESSION *session; /* NULL: free */
    apr_int64_t since;
    apr_uint64_t order;
    unsigned char key[SL_CLIENT_SESSION_KEY];
} place_t;

struct sl_client_sessions_t {
    pthread_mutex_t lock;
    unsigned sets;
    apr_uint64_t order; /* of the last one put */
    place_t *places;
};

static apr_status_t clear(void *baton)
{
    sl_client_sessions_t *sessions = baton;

    for (unsigned i = 0; i < sessions->sets * WAYS; i++)
        SSL_SESSION_free(sessions->places[i].session);
    pthread_mutex_destroy(&sessions->lock);
    return APR_SUCCESS;
}

sl_client_sessions_t *sl_client_sessions_make(apr_pool_t *pool, int most)
{
    sl_client_sessions_t *sessions = apr_pcalloc(pool, sizeof(*sessions));

    sessions->sets = most > WAYS ? (unsigned)most / WAYS : 1;
    sessions->places = apr_pcalloc(pool, sizeof(place_t) * sessions->sets * WAYS);
    if (pthread_mutex_init(&sessions->lock, NULL) != 0)
        return NULL;
    apr_pool_cleanup_register(pool, sessions, clear, apr_pool_cleanup_null);
    return sessions;
}

static place_t *set_of(const sl_client_sessions_t *sessions, const unsigned char *key)
{
    unsigned number;

    memcpy(&number, key, sizeof(number));
    return sessions->places + (apr_size_t)(number % sessions->sets) * WAYS;
}

static int is_of(const place_t *place, const unsigned char *key)
{
    return place->session && !memcmp(place->key, key, SL_CLIENT_SESSION_KEY);
}

static SSL_SESSION *empty(place_t *place)
{
    SSL_SESSION *session = place->session;

    place->session = NULL;
    return session;
}

void sl_client_sessions_put(sl_client_sessions_t *sessions, const unsigned char key[SL_CLIENT_SESSION_KEY],
                            SSL_SESSION *session, apr_int64_t now)
{
    place_t *set = set_of(sessions, key), *place = set;
    SSL_SESSION *old;

    if (SSL_SESSION_is_resumable(session) != 1 || SSL_SESSION_up_ref(session) != 1)
        return;
    pthread_mutex_lock(&sessions->lock);
    for (int i = 0; i < WAYS && place->session; i++) {
        if (!set[i].session || set[i].order < place->order)
            place = &set[i];
    }
    old = empty(place);
    place->session = session;
    place->since = now;
    place->order = ++sessions->order;
    memcpy(place->key, key, SL_CLIENT_SESSION_KEY);
    pthread_mutex_unlock(&sessions->lock);
    SSL_SESSION_free(old);
}

SSL_SESSION *sl_client_sessions_take(sl_client_sessions_t *sessions, const unsigned char key[SL_CLIENT_SESSION_KEY],
                                     apr_int64_t now)
{
    place_t *set = set_of(sessions, key), *newest = NULL;
    SSL_SESSION *session = NULL;

    pthread_mutex_lock(&sessions->lock);
    for (int i = 0; i < WAYS; i++) {
        if (!is_of(&set[i], key))
            continue;
        if (set[i].since > now || now - set[i].since > MOST_SECONDS)
            SSL_SESSION_free(empty(&set[i]));
        else if (!newest || set[i].order > newest->order)
            newest = &set[i];
    }
    if (newest && SSL_SESSION_get_protocol_version(newest->session) >= TLS1_3_VERSION)
        session = empty(newest);
    else if (newest && SSL_SESSION_up_ref(newest->session) == 1)
        session = newest->session;
    pthread_mutex_unlock(&sessions->lock);
    return session;
}

void sl_client_sessions_drop(sl_client_sessions_t *sessions, const unsigned char key[SL_CLIENT_SESSION_KEY])
{
    place_t *set = set_of(sessions, key);

    pthread_mutex_lock(&sessions->lock);
    for (int i = 0; i < WAYS; i++) {
        if (is_of(&set[i], key))
            SSL_SESSION_free(empty(&set[i]));
    }
    pthread_mutex_unlock(&sessions->lock);
}
