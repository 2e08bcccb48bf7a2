/* A failure, told once: what went wrong, on which object, why, and what to do about it.
 *
 * A fallible function takes a `sl_problem_t *why` (NULL: the caller does not care), fills it where the
 * failure happened and returns a status other than APR_SUCCESS.  The first cause is kept: a caller further
 * up that calls sl_problem_set() again changes nothing, it may only add what it was doing.
 *
 * Memory: a problem and all its text live in the pool it was made from.
 * Runs in: any process and thread; one problem belongs to one thread at a time. */
#ifndef SL_BASE_PROBLEM_H
#define SL_BASE_PROBLEM_H

#include <apr_pools.h>
#include <apr_tables.h>

/* Where in the configuration something was asked for. Text is borrowed (it lives as long as the configuration). */
typedef struct sl_origin_t {
    const char *file;      /* configuration file, NULL if unknown */
    int line;              /* 1-based, 0 if unknown */
    const char *directive; /* as documented, e.g. "SSLCertificateFile"; NULL if none */
} sl_origin_t;

typedef enum {
    SL_PROBLEM_WARNING,
    SL_PROBLEM_OF_HOST, /* an error of one virtual host, which is left out for it */
    SL_PROBLEM_ERROR
} sl_gravity_t;

typedef struct sl_problem_t {
    apr_pool_t *pool;
    apr_status_t status;   /* APR_SUCCESS: nothing happened yet */
    sl_gravity_t gravity;
    const char *log_id;    /* "AH02572" or "SL0012", NULL for none */
    const char *object;    /* file, host or peer it happened on, NULL for none */
    const char *reason;    /* one sentence without a full stop */
    const char *advice;    /* what to do, NULL for none */
    sl_origin_t origin;
} sl_problem_t;

sl_problem_t *sl_problem_make(apr_pool_t *pool);

/* Records the first cause and returns `status` (APR_EGENERAL when it is APR_SUCCESS). `object` is copied.
 * `why` may be NULL. */
apr_status_t sl_problem_set(sl_problem_t *why, apr_status_t status, const char *object, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What the administrator should do; the first advice given is kept. */
void sl_problem_advise(sl_problem_t *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "WHAT: " in front of the reason, for a caller that knows what was being tried. */
void sl_problem_while(sl_problem_t *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "file:line: Directive: object: reason. Advice." in `pool`; never NULL. */
const char *sl_problem_text(const sl_problem_t *why, apr_pool_t *pool);

/* Problems of a whole start, collected to be told together. */
typedef struct sl_problems_t {
    apr_pool_t *pool;
    apr_array_header_t *all; /* of sl_problem_t * in the order they were found */
    int errors;
} sl_problems_t;

sl_problems_t *sl_problems_make(apr_pool_t *pool);
/* A new, empty problem that will be part of the list once sl_problems_keep() is called on it. */
sl_problem_t *sl_problems_new(sl_problems_t *problems, const sl_origin_t *origin);
/* Adds `why` if something was set in it. */
void sl_problems_keep(sl_problems_t *problems, sl_problem_t *why, sl_gravity_t gravity);
/* The errors from the `first`-th problem on are those of a virtual host that is left out. Returns how many they are. */
int sl_problems_soften(sl_problems_t *problems, int first);
/* In one go: a warning or error with its text. */
void sl_problems_add(sl_problems_t *problems, sl_gravity_t gravity, const char *log_id, const sl_origin_t *origin,
                     const char *object, const char *advice, const char *format, ...)
    __attribute__((format(printf, 7, 8)));

#endif
