/* The limits that mod_reqtimeout sets for handshakes and for the wait for a request.
 *
 * mod_reqtimeout measures in its input filter, when something is read; a client that is silent while the MPM waits for
 * it would never be noticed. So we read its directive too and end the waiting in time.
 * Collected in the parent in post_config, read by all threads. */
#ifndef SL_HTTPD_REQTIMEOUT_H
#define SL_HTTPD_REQTIMEOUT_H

#include <httpd.h>

typedef struct sl_stage_limit_t {
    apr_interval_time_t first; /* without a byte from the client; 0: no limit */
    apr_interval_time_t most;  /* with any number of bytes; 0: no limit */
    long rate;                 /* so many bytes add a second; 0: none do */
} sl_stage_limit_t;

typedef struct sl_read_limits_t sl_read_limits_t;
struct sl_read_limits_t {
    sl_stage_limit_t handshake, header;
};

/* Fills in what sl_config_of_server() knows of each server. */
void sl_reqtimeout_collect(apr_pool_t *pool, apr_pool_t *scratch, server_rec *main_server);
/* The time a client has that has sent so many bytes; 0: any. `limit` may be NULL. */
apr_interval_time_t sl_reqtimeout_allows(const sl_stage_limit_t *limit, apr_off_t bytes);

#endif
