/* How keeper and courier are: in shared memory of the process, so that children see it however often a helper was
 * replaced since they were forked, and deaths are counted over graceful restarts. */
#ifndef SL_HTTPD_HELPER_HEALTH_H
#define SL_HTTPD_HELPER_HEALTH_H

#include <httpd.h>

#include "keeper/loop.h"
#include "keeper/patience.h"

typedef enum { SL_KEEPER, SL_COURIER, SL_HELPERS } sl_helper_t;

typedef enum {
    SL_HELPER_UNUSED,   /* it has nothing to do */
    SL_HELPER_STARTING, /* no sign of life yet */
    SL_HELPER_RUNNING,
    SL_HELPER_SILENT, /* there, but no sign of life for too long */
    SL_HELPER_GONE,
    SL_HELPER_STATES
} sl_helper_state_t;

typedef struct sl_helper_health_t {
    sl_helper_state_t state;
    apr_int64_t pid;    /* 0: none */
    apr_int64_t since;  /* seconds since 1970 */
    apr_int64_t silent; /* seconds since its last sign of life; -1: there was none */
    apr_uint64_t deaths; /* that were not asked for, since httpd was started */
} sl_helper_health_t;

/* ---- in the parent ---- */

/* In post_config, before helpers are started. Without shared memory all of them look unused. */
void sl_helper_health_open(server_rec *main_server);
/* The job by which a helper gives signs of life. */
sl_job_t *sl_helper_health_job(apr_pool_t *pool, sl_helper_t helper);
void sl_helper_health_unused(sl_helper_t helper);
/* It is about to be started; it was, as `pid` (0: it could not be); it has died. */
void sl_helper_health_begin(sl_helper_t helper);
void sl_helper_health_started(sl_helper_t helper, pid_t pid);
void sl_helper_health_died(sl_helper_t helper);

/* What changes with each sign of life, in *sign; 0 if nothing is known of them. */
int sl_helper_health_last(sl_helper_t helper, apr_int64_t *sign);

/* ---- in the helper ---- */

/* A sign of life, amid long work. */
void sl_helper_health_sign(sl_helper_t helper);

/* ---- any process ---- */

void sl_helper_health_read(sl_helper_t helper, sl_helper_health_t *health);
/* "keeper", "courier" */
const char *sl_helper_word(sl_helper_t helper);
/* "unused", "starting", "running", "silent", "gone" */
const char *sl_helper_state_word(sl_helper_state_t state);

#endif
