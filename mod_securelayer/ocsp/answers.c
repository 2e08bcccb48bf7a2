/* A set-associative table of answers, and the list of questions under way.  httpd/client_ocsp calls it from the
 * verification of a client's certificate. */
#include "ocsp/answers.h"

#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <openssl/evp.h>
#include <string.h>

#define KEY_SIZE 32
#define SETS 1024
#define WAYS 4
#define REASON_SIZE 240
#define FAILURE_MOST apr_time_from_sec(10) /* longest memory of a failure */

typedef struct entry_t {
    unsigned char key[KEY_SIZE];
    apr_time_t until; /* 0: nobody lives here */
    sl_ocsp_status_t status;
} entry_t;

/* A question under way or just failed; lives in the frame of the thread that asks, or in the table of failures. */
typedef struct result_t {
    apr_status_t rv;
    sl_ocsp_status_t status;
    char reason[REASON_SIZE];
} result_t;

typedef struct flight_t {
    unsigned char key[KEY_SIZE];
    int landed, waiting;
    result_t result;
    struct flight_t *next;
} flight_t;

typedef struct failure_t {
    unsigned char key[KEY_SIZE];
    apr_time_t until;
    result_t result;
} failure_t;

struct sl_answers_t {
    apr_thread_mutex_t *lock;
    apr_thread_cond_t *news;
    flight_t *flights;
    int inside, most; /* threads that wait for an answer */
    failure_t failures[64];
    entry_t entries[SETS][WAYS];
};

sl_answers_t *sl_answers_make(apr_pool_t *pool, int most)
{
    sl_answers_t *answers = apr_pcalloc(pool, sizeof(*answers));

    answers->most = most;
    if (apr_thread_mutex_create(&answers->lock, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS ||
        apr_thread_cond_create(&answers->news, pool) != APR_SUCCESS)
        return NULL;
    return answers;
}

/* Certificate, issuer, and everything that decides what an answer to them is worth. */
static int make_key(unsigned char *key, const unsigned char *scope, const sl_ask_t *ask)
{
    unsigned char digests[3 * KEY_SIZE];
    unsigned length;

    memcpy(digests, scope, KEY_SIZE);
    return X509_digest(ask->cert, EVP_sha256(), digests + KEY_SIZE, &length) == 1 &&
           X509_digest(ask->issuer, EVP_sha256(), digests + 2 * KEY_SIZE, &length) == 1 &&
           EVP_Digest(digests, sizeof(digests), key, NULL, EVP_sha256(), NULL) == 1;
}

static entry_t *set_of(sl_answers_t *answers, const unsigned char *key)
{
    return answers->entries[(key[0] << 8 | key[1]) % SETS];
}

static failure_t *failure_of(sl_answers_t *answers, const unsigned char *key)
{
    return &answers->failures[key[2] % (sizeof(answers->failures) / sizeof(answers->failures[0]))];
}

static int find(sl_answers_t *answers, const unsigned char *key, apr_time_t now, result_t *result)
{
    entry_t *set = set_of(answers, key);
    const failure_t *failure = failure_of(answers, key);

    for (int i = 0; i < WAYS; i++) {
        if (set[i].until > now && !memcmp(set[i].key, key, KEY_SIZE)) {
            result->rv = APR_SUCCESS;
            result->status = set[i].status;
            return 1;
        }
    }
    if (failure->until > now && !memcmp(failure->key, key, KEY_SIZE)) {
        *result = failure->result;
        return 1;
    }
    return 0;
}

/* In the place of the one that is over first. */
static void keep(sl_answers_t *answers, const unsigned char *key, sl_ocsp_status_t status, apr_time_t until)
{
    entry_t *set = set_of(answers, key), *place = set;

    for (int i = 0; i < WAYS; i++) {
        if (!memcmp(set[i].key, key, KEY_SIZE)) {
            place = &set[i];
            break;
        }
        if (set[i].until < place->until)
            place = &set[i];
    }
    memcpy(place->key, key, KEY_SIZE);
    place->status = status;
    place->until = until;
}

static flight_t *flight_of(const sl_answers_t *answers, const unsigned char *key)
{
    for (flight_t *flight = answers->flights; flight; flight = flight->next) {
        if (!flight->landed && !memcmp(flight->key, key, KEY_SIZE))
            return flight;
    }
    return NULL;
}

static void take_off(sl_answers_t *answers, flight_t *flight)
{
    flight->next = answers->flights;
    answers->flights = flight;
}

/* The frame that holds the flight must outlive those who wait for it. */
static void land(sl_answers_t *answers, flight_t *flight)
{
    flight_t **at = &answers->flights;

    flight->landed = 1;
    apr_thread_cond_broadcast(answers->news);
    while (flight->waiting)
        apr_thread_cond_wait(answers->news, answers->lock);
    while (*at != flight)
        at = &(*at)->next;
    *at = flight->next;
}

static void fail(result_t *result, const char *reason)
{
    result->rv = APR_TIMEUP;
    apr_cpystrn(result->reason, reason, sizeof(result->reason));
}

static void wait_for(sl_answers_t *answers, flight_t *flight, apr_interval_time_t timeout, result_t *result)
{
    apr_time_t end = apr_time_now() + timeout, now;

    flight->waiting++;
    while (!flight->landed && (now = apr_time_now()) < end)
        (void)apr_thread_cond_timedwait(answers->news, answers->lock, end - now);
    if (flight->landed)
        *result = flight->result;
    else
        fail(result, "another connection has asked for it, and there is no answer in time");
    if (--flight->waiting == 0)
        apr_thread_cond_broadcast(answers->news);
}

static apr_time_t end_of(const sl_ocsp_answer_t *answer, const sl_ask_t *ask)
{
    apr_int64_t until = answer->next_update;

    if (until && ask->rules.max_age >= 0 && answer->this_update + ask->rules.max_age < until)
        until = answer->this_update + ask->rules.max_age;
    return apr_time_from_sec(until);
}

/* Without the lock. Returns until when the result counts. */
static apr_time_t ask_now(const sl_ask_t *ask, result_t *result, apr_pool_t *scratch)
{
    sl_problem_t *why = sl_problem_make(scratch);
    sl_ocsp_answer_t answer;
    apr_time_t began = apr_time_now(), took;

    result->rv = sl_ask(&answer, NULL, NULL, ask, scratch, why);
    result->status = answer.status;
    if (result->rv == APR_SUCCESS)
        return end_of(&answer, ask);
    apr_cpystrn(result->reason, sl_problem_text(why, scratch), sizeof(result->reason));
    if (!APR_STATUS_IS_TIMEUP(result->rv))
        return 0;
    took = apr_time_now() - began;
    return began + took + (took < FAILURE_MOST ? took : FAILURE_MOST);
}

static void remember(sl_answers_t *answers, const flight_t *flight, apr_time_t until)
{
    failure_t *failure = failure_of(answers, flight->key);

    if (flight->result.rv == APR_SUCCESS) {
        keep(answers, flight->key, flight->result.status, until);
        return;
    }
    memcpy(failure->key, flight->key, KEY_SIZE);
    failure->result = flight->result;
    failure->until = until;
}

static void ask_for_all(sl_answers_t *answers, flight_t *mine, const sl_ask_t *ask, apr_pool_t *scratch)
{
    apr_time_t until;

    take_off(answers, mine);
    apr_thread_mutex_unlock(answers->lock);
    until = ask_now(ask, &mine->result, scratch);
    apr_thread_mutex_lock(answers->lock);
    remember(answers, mine, until);
    land(answers, mine);
}

apr_status_t sl_answers_get(sl_answers_t *answers, sl_ocsp_status_t *status, const unsigned char *scope,
                            const sl_ask_t *ask, int *asked, apr_pool_t *scratch, sl_problem_t *why)
{
    flight_t mine, *theirs;

    memset(&mine, 0, sizeof(mine));
    *asked = 0;
    *status = SL_OCSP_UNKNOWN;
    if (!make_key(mine.key, scope, ask))
        return sl_problem_set(why, APR_EGENERAL, NULL, "OpenSSL makes no digest of the certificate");
    apr_thread_mutex_lock(answers->lock);
    if (!find(answers, mine.key, apr_time_now(), &mine.result)) {
        theirs = flight_of(answers, mine.key);
        *asked = !theirs && answers->inside < answers->most;
        answers->inside++;
        if (answers->inside > answers->most)
            fail(&mine.result, "too many connections wait for OCSP responders already");
        else if (theirs)
            wait_for(answers, theirs, ask->timeout, &mine.result);
        else
            ask_for_all(answers, &mine, ask, scratch);
        answers->inside--;
    }
    apr_thread_mutex_unlock(answers->lock);
    *status = mine.result.status;
    if (mine.result.rv != APR_SUCCESS)
        sl_problem_set(why, mine.result.rv, NULL, "%s", mine.result.reason);
    return mine.result.rv;
}
