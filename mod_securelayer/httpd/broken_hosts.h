/* Virtual hosts that can't be served as they are configured: they stop the start, or are left out of it
 * (SecureLayerBrokenHost).
 *
 * Who is left out has an sl_vhost_t like everybody else, so that its port stays one for TLS; left_out in it makes sure
 * that no handshake and no request gets through. If nothing but the files of its certificates is wrong with it, the
 * keeper goes on looking at them, and once all of its identities are on the board it is served, in the same moment in
 * all processes. Written in the parent while it collects the hosts, then only read. */
#ifndef SL_HTTPD_BROKEN_HOSTS_H
#define SL_HTTPD_BROKEN_HOSTS_H

#include <httpd.h>

#include "base/problem.h"
#include "httpd/directives.h"
#include "identity/source.h"
#include "vhost/vhost.h"

typedef struct sl_broken_host_t {
    const char *id;     /* "www.example.org:443" */
    const char *reason; /* the first thing that is wrong, as in the log */
    int needs_restart;  /* to be served; else it is when its files are in order */
} sl_broken_host_t;

/* Any process: is nobody to get through to that host at this moment? */
int sl_broken_hosts_is_out(const sl_vhost_t *vhost);
/* Those that are left out at this moment: how many, and the first `most` of them, sl_broken_host_t in the order of the
 * configuration. Any process. */
int sl_broken_hosts_count(void);
apr_array_header_t *sl_broken_hosts_list(apr_pool_t *pool, int most);

/* ---- in the parent, one pass over the configuration ---- */

void sl_broken_hosts_begin(apr_pool_t *pool);

typedef enum {
    SL_HOST_GOOD,
    SL_HOST_LEFT_OUT, /* what is wrong has become its own matter, and a line says that it is left out */
    SL_HOST_WAITS,    /* the same, until its files are in order */
    SL_HOST_STOPS     /* the start must not go on */
} sl_host_fate_t;

/* Is anything wrong with the host? Its problems are those from the `first`-th on, and lines that were refused when they
 * were read. `elsewhere` (NULL: nothing): what is wrong besides and was told as another host's. `awaited`: so many of
 * its errors are of files whose repair is noticed. A host that waits may be judged again. */
sl_host_fate_t sl_broken_hosts_judge(const server_rec *s, const char *id, sl_problems_t *problems, int first,
                                     const char *elsewhere, int awaited);
/* A certificate was to be had in spite of what was refused of its lines: by now, or as it was loaded before. */
void sl_broken_hosts_settle(const sl_source_t *source);
/* How many are left out, if any. */
void sl_broken_hosts_sum_up(server_rec *main_server, sl_problems_t *problems);

/* When all hosts were judged: does the line stop the start? */
int sl_broken_hosts_stops(const sl_refused_t *line);
/* Does it belong to nobody who is served, nor to anybody who is left out? Then it is worth a warning. */
int sl_broken_hosts_is_idle(const sl_refused_t *line);
/* Is some host left out for it? */
int sl_broken_hosts_leaves_out(const sl_refused_t *line);

#endif
