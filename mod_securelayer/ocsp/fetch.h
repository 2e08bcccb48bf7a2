/* One HTTP exchange with a responder: posts a body, takes the answer.
 *
 * The deadline covers the whole exchange: the look-up of the name, the connection, every byte. Redirects are not
 * followed: a responder that has moved says so in new certificates, and a server that walks wherever it is sent can be
 * sent into its own network. Proxies of the environment are not used.
 * Runs in: the courier, and any thread of a child; waits for the network. The only unit that knows libcurl. */
#ifndef SL_OCSP_FETCH_H
#define SL_OCSP_FETCH_H

#include "base/problem.h"

#include <apr_time.h>

typedef struct sl_fetch_t {
    const char *url;   /* http or https */
    const char *proxy; /* URL, NULL: none */
    const void *body;
    apr_size_t body_length;
    const char *body_type;       /* "application/ocsp-request" */
    apr_size_t most;             /* bytes of an answer */
    apr_interval_time_t timeout; /* microseconds, for all of it; at least a millisecond */
    const volatile int *stop;    /* ends it within a second once it is set; NULL: nobody does */
} sl_fetch_t;

/* Once per process that fetches, before it has threads. */
void sl_fetch_init(void);

/* The bytes of an answer with status 200, in `pool`. Else `why` names the URL and what went wrong. */
apr_status_t sl_fetch_post(const unsigned char **answer, apr_size_t *length, const sl_fetch_t *fetch, apr_pool_t *pool,
                           sl_problem_t *why) __attribute__((warn_unused_result));

/* Is it a URL that could be fetched: http or https, with a host? */
int sl_fetch_is_url(const char *url);

#endif
