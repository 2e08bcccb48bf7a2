/* Called by collect_vhosts and tickets for each host, by startup for the lines that were refused.
 *
 * A file that is not there is found out while its line is read, when nobody knows yet which hosts will need it, nor
 * what they say to SecureLayerBrokenHost. So the line is kept, and each host that needs it says here what follows. */
#include "httpd/broken_hosts.h"

#include <apr_strings.h>
#include <string.h>

#include "httpd/module_config.h"

/* sl_refused_t.uses */
enum { STOPS = 1, LEAVES_OUT = 2, SETTLED = 4 };

static apr_array_header_t *hosts; /* of sl_broken_host_t */

static apr_status_t forget(void *made)
{
    if (hosts == made)
        hosts = NULL;
    return APR_SUCCESS;
}

const apr_array_header_t *sl_broken_hosts(void)
{
    return hosts;
}

void sl_broken_hosts_begin(apr_pool_t *pool)
{
    apr_array_header_t *refused = sl_directives_refused();

    hosts = apr_array_make(pool, 4, sizeof(sl_broken_host_t));
    apr_pool_cleanup_register(pool, hosts, forget, apr_pool_cleanup_null);
    for (int i = 0; i < refused->nelts; i++) {
        sl_refused_t *line = &APR_ARRAY_IDX(refused, i, sl_refused_t);

        line->uses = 0;
        line->why->gravity = SL_PROBLEM_ERROR;
    }
}

/* ---- lines that were refused ---- */

static int is_same_line(const sl_origin_t *a, const sl_origin_t *b)
{
    return a->line == b->line && a->file && b->file && !strcmp(a->file, b->file);
}

/* One line may stand for several files: included by several hosts, with variables in it. */
static sl_refused_t *find_line(const sl_origin_t *origin, const char *path, const server_rec *s)
{
    apr_array_header_t *refused = sl_directives_refused();

    for (int i = 0; i < refused->nelts; i++) {
        sl_refused_t *line = &APR_ARRAY_IDX(refused, i, sl_refused_t);

        if (line->is_path && is_same_line(&line->why->origin, origin) &&
            (line->server == s || (path && !strcmp(path, line->why->object))))
            return line;
    }
    return NULL;
}

/* Whether these are usable shows when they are loaded: a restart may have what was loaded before. */
static int is_of_certificate(sl_row_id_t row)
{
    return row == SL_CERTIFICATE_FILE || row == SL_CERTIFICATE_KEY_FILE || row == SL_CERTIFICATE_CHAIN_FILE;
}

/* Without the others a host would be served, and not as it was meant. */
static int is_needed(const sl_refused_t *line, const server_rec *s)
{
    return line->is_path && !is_of_certificate(line->row) && (line->server == s || !line->server->is_virtual) &&
           sl_settings_is_refused(sl_config_of_server(s)->settings, line->row);
}

int sl_broken_hosts_stops(const sl_refused_t *line)
{
    if (!line->is_path || line->uses & STOPS)
        return 1;
    return !line->uses &&
           sl_settings_number(sl_config_of_server(line->server)->settings, SL_BROKEN_HOST) != SL_BROKEN_SKIP;
}

int sl_broken_hosts_is_idle(const sl_refused_t *line)
{
    return !line->uses && !sl_broken_hosts_stops(line);
}

int sl_broken_hosts_leaves_out(const sl_refused_t *line)
{
    return line->uses & LEAVES_OUT && !sl_broken_hosts_stops(line);
}

static void settle(const char *path, const sl_origin_t *origin)
{
    sl_refused_t *line = path ? find_line(origin, path, NULL) : NULL;

    if (line)
        line->uses |= SETTLED;
}

void sl_broken_hosts_settle(const sl_source_t *source)
{
    settle(source->certificate, &source->origin);
    settle(source->key, &source->key_origin);
    settle(source->chain, &source->chain_origin);
}

/* ---- one host ---- */

/* Without place and advice, which the line before has. */
static const char *brief(apr_pool_t *pool, const sl_problem_t *why)
{
    return apr_pstrcat(pool, why->origin.directive ? why->origin.directive : "", why->origin.directive ? ": " : "",
                       why->object ? why->object : "", why->object ? ": " : "", why->reason, NULL);
}

/* Marks the lines that the host needs, or that are to blame for errors of it. Returns what is to be said of the first
 * thing that is wrong; NULL if nothing is. */
static const sl_problem_t *mark_lines(const server_rec *s, const sl_problems_t *problems, int first, unsigned use)
{
    apr_array_header_t *refused = sl_directives_refused();
    const sl_problem_t *reason = NULL;

    for (int i = 0; i < refused->nelts; i++) {
        sl_refused_t *line = &APR_ARRAY_IDX(refused, i, sl_refused_t);

        if (!is_needed(line, s))
            continue;
        line->uses |= use;
        reason = reason ? reason : line->why;
    }
    for (int i = first; i < problems->all->nelts; i++) {
        const sl_problem_t *why = APR_ARRAY_IDX(problems->all, i, const sl_problem_t *);
        sl_refused_t *line = why->gravity == SL_PROBLEM_ERROR ? find_line(&why->origin, why->object, s) : NULL;

        if (line)
            line->uses |= use;
        if (why->gravity == SL_PROBLEM_ERROR && !reason)
            reason = line ? line->why : why;
    }
    return reason;
}

static void leave_out(const server_rec *s, const char *id, const char *reason, sl_problems_t *problems)
{
    sl_origin_t origin = sl_settings_origin(sl_config_of_server(s)->settings, SL_BROKEN_HOST);
    sl_broken_host_t *host = apr_array_push(hosts);

    host->server = s;
    host->id = apr_pstrdup(hosts->pool, id);
    host->reason = apr_pstrdup(hosts->pool, reason);
    sl_problems_add(problems, SL_PROBLEM_OF_HOST, "SL0180", &origin, host->id, "Repair it and restart httpd gracefully",
                    "the host is left out: %s", host->reason);
}

sl_host_fate_t sl_broken_hosts_judge(const server_rec *s, const char *id, sl_problems_t *problems, int first,
                                     const char *elsewhere)
{
    int skip = sl_settings_number(sl_config_of_server(s)->settings, SL_BROKEN_HOST) == SL_BROKEN_SKIP;
    const sl_problem_t *why = mark_lines(s, problems, first, skip ? LEAVES_OUT : STOPS);

    if (!why && !elsewhere)
        return SL_HOST_GOOD;
    if (skip) {
        leave_out(s, id, why ? brief(problems->pool, why) : elsewhere, problems);
        sl_problems_soften(problems, first);
        return SL_HOST_LEFT_OUT;
    }
    if (!why && !problems->errors) /* the other host is left out for it */
        sl_problems_add(problems, SL_PROBLEM_ERROR, NULL, NULL, id, NULL, "%s", elsewhere);
    return SL_HOST_STOPS;
}

void sl_broken_hosts_sum_up(server_rec *main_server, sl_problems_t *problems)
{
    int served = 0;

    for (const server_rec *s = main_server; s; s = s->next)
        served += sl_config_vhost(s) && !sl_config_vhost(s)->left_out;
    if (hosts->nelts)
        sl_problems_add(problems, SL_PROBLEM_OF_HOST, "SL0181", NULL, NULL, NULL,
                        "%d virtual host%s left out (SecureLayerBrokenHost skip), %d %s served by TLS", hosts->nelts,
                        hosts->nelts == 1 ? " is" : "s are", served, served == 1 ? "is" : "are");
}
