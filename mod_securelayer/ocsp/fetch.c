/* HTTP by libcurl, made tame: http and https only, no redirects, no signals, no environment, one deadline, bounded.
 * ocsp/ask calls it. */
#include "ocsp/fetch.h"

#include "base/text.h"

#include <apr_strings.h>
#include <curl/curl.h>
#include <string.h>

#define AGENT "mod_securelayer"
#define SCHEMES "http,https"
#define LOCATION_SHOWN 200

typedef struct answer_t {
    apr_pool_t *pool;
    unsigned char *bytes;
    apr_size_t length, size, most;
    int too_long;
} answer_t;

void sl_fetch_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

int sl_fetch_is_url(const char *url)
{
    CURLU *parts = curl_url();
    char *scheme = NULL, *host = NULL;
    int ok = parts && !curl_url_set(parts, CURLUPART_URL, url, 0) &&
             !curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) && !curl_url_get(parts, CURLUPART_HOST, &host, 0) &&
             (!strcmp(scheme, "http") || !strcmp(scheme, "https"));

    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parts);
    return ok;
}

static int make_room(answer_t *answer, apr_size_t more)
{
    apr_size_t size = answer->size ? answer->size : 4096;
    unsigned char *larger;

    if (more > answer->most - answer->length)
        return 0;
    while (size < answer->length + more)
        size *= 2;
    if (size == answer->size)
        return 1;
    larger = apr_palloc(answer->pool, size);
    if (answer->length)
        memcpy(larger, answer->bytes, answer->length);
    answer->bytes = larger;
    answer->size = size;
    return 1;
}

static size_t take(char *bytes, size_t one, size_t count, void *baton)
{
    answer_t *answer = baton;

    (void)one; /* always 1 */
    if (!make_room(answer, count)) {
        answer->too_long = 1;
        return 0;
    }
    if (count)
        memcpy(answer->bytes + answer->length, bytes, count);
    answer->length += count;
    return count;
}

static int look_up(void *baton, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const sl_fetch_t *fetch = baton;

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return fetch->stop && *fetch->stop;
}

static void set_up(CURL *curl, const sl_fetch_t *fetch, struct curl_slist *headers, answer_t *answer)
{
    apr_interval_time_t timeout = fetch->timeout < 1000 ? 1000 : fetch->timeout;

    curl_easy_setopt(curl, CURLOPT_URL, fetch->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, SCHEMES);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_PROXY, fetch->proxy ? fetch->proxy : "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L); /* a name server that hangs must not hold us past the deadline */
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(timeout / 1000));
    curl_easy_setopt(curl, CURLOPT_USERAGENT, AGENT);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)fetch->body);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)fetch->body_length);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_up);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, fetch);
}

static apr_status_t explain(const sl_fetch_t *fetch, const answer_t *answer, CURLcode code, sl_problem_t *why)
{
    if (answer->too_long)
        return sl_problem_set(why, APR_ENOSPC, fetch->url, "sends more than %" APR_SIZE_T_FMT " bytes", answer->most);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return sl_problem_set(why, APR_TIMEUP, fetch->url,
                              "has not answered completely within %" APR_TIME_T_FMT " seconds",
                              apr_time_sec(fetch->timeout + APR_USEC_PER_SEC - 1));
    return sl_problem_set(why, APR_EGENERAL, fetch->url, "can't be asked: %s", curl_easy_strerror(code));
}

static apr_status_t check_status(CURL *curl, const sl_fetch_t *fetch, apr_pool_t *pool, sl_problem_t *why)
{
    long status = 0;
    const char *location = NULL;

    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200)
        return APR_SUCCESS;
    curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &location);
    if (location)
        return sl_problem_set(why, APR_EGENERAL, fetch->url, "redirects (%ld) to %s, which is not followed", status,
                              sl_text_escape(pool, location, strlen(location), LOCATION_SHOWN));
    return sl_problem_set(why, APR_EGENERAL, fetch->url, "answers with HTTP status %ld", status);
}

apr_status_t sl_fetch_post(const unsigned char **bytes, apr_size_t *length, const sl_fetch_t *fetch, apr_pool_t *pool,
                           sl_problem_t *why)
{
    answer_t answer = {pool, NULL, 0, 0, fetch->most, 0};
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, apr_pstrcat(pool, "Content-Type: ", fetch->body_type, NULL));
    CURLcode code = CURLE_OUT_OF_MEMORY;
    apr_status_t rv;

    if (curl && headers) {
        set_up(curl, fetch, headers, &answer);
        code = curl_easy_perform(curl);
    }
    rv = code == CURLE_OK ? check_status(curl, fetch, pool, why) : explain(fetch, &answer, code, why);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    *bytes = rv == APR_SUCCESS ? answer.bytes : NULL;
    *length = rv == APR_SUCCESS ? answer.length : 0;
    return rv;
}
