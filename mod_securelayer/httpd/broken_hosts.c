/* Called by collect_vhosts and tickets for each host, by startup for the lines that were refused; asked by connections,
 * requests and the status page.
 *
 * A file that is not there is found out while its line is read, when nobody knows yet which hosts will need it, nor
 * what they say to SecureLayerBrokenHost. So the line is kept, and each host that needs it says here what follows. */
#include "httpd/broken_hosts.h"

#include <apr_strings.h>
#include <string.h>

#include "httpd/directories.h"
#include "httpd/identities.h"
#include "httpd/module_config.h"

/* sl_refused_t.uses */
enum { STOPS = 1, LEAVES_OUT = 2, SETTLED = 4 };

#define RESTART "Repair it and restart httpd gracefully"
#define WAIT "Repair it, and it is served: nothing has to be restarted"

typedef struct broken_t {
    const server_rec *server;
    const char *id, *reason;
    sl_problem_t *line; /* that tells of it; NULL once all hosts were judged */
} broken_t;

static apr_array_header_t *hosts; /* of broken_t */
static apr_array_header_t *lines; /* of sl_refused_t *: those that can't wait until a certificate is loaded */

static apr_status_t forget(void *made)
{
    if (hosts == made)
        hosts = lines = NULL;
    return APR_SUCCESS;
}

/* Whether these are usable shows when they are loaded: a restart may have what was loaded before. */
static int is_of_certificate(sl_row_id_t row)
{
    return row == SL_CERTIFICATE_FILE || row == SL_CERTIFICATE_KEY_FILE || row == SL_CERTIFICATE_CHAIN_FILE;
}

void sl_broken_hosts_begin(apr_pool_t *pool)
{
    apr_array_header_t *refused = sl_directives_refused();

    hosts = apr_array_make(pool, 4, sizeof(broken_t));
    lines = apr_array_make(pool, 4, sizeof(sl_refused_t *));
    apr_pool_cleanup_register(pool, hosts, forget, apr_pool_cleanup_null);
    for (int i = 0; i < refused->nelts; i++) {
        sl_refused_t *line = &APR_ARRAY_IDX(refused, i, sl_refused_t);

        line->uses = 0;
        line->why->gravity = SL_PROBLEM_ERROR;
        if (line->row == SL_CERTIFICATE_DIRECTORY && line->is_path && sl_directories_was_served(line->why->object))
            line->uses = SETTLED; /* a restart while a file system is away */
        else if (line->is_path && !is_of_certificate(line->row))
            APR_ARRAY_PUSH(lines, sl_refused_t *) = line;
    }
}

/* ---- lines that were refused ---- */

static sl_refused_t *find_line(const sl_origin_t *origin, const char *path, const server_rec *s)
{
    apr_array_header_t *refused = sl_directives_refused();

    for (int i = sl_directives_refused_at(origin); i >= 0; i = APR_ARRAY_IDX(refused, i, sl_refused_t).next) {
        sl_refused_t *line = &APR_ARRAY_IDX(refused, i, sl_refused_t);

        if (line->is_path && (line->server == s || (path && !strcmp(path, line->why->object))))
            return line;
    }
    return NULL;
}

/* Without the others a host would be served, and not as it was meant. */
static int is_needed(const sl_refused_t *line, const server_rec *s)
{
    return (line->server == s || !line->server->is_virtual) &&
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

/* Marks the lines that the host needs; what is to be said of the first one, NULL if there is none. */
static const sl_problem_t *mark_needed(const server_rec *s, unsigned use)
{
    const sl_problem_t *reason = NULL;

    for (int i = 0; i < lines->nelts; i++) {
        sl_refused_t *line = APR_ARRAY_IDX(lines, i, sl_refused_t *);

        if (!is_needed(line, s))
            continue;
        line->uses |= use;
        reason = reason ? reason : line->why;
    }
    return reason;
}

/* The same of those that are to blame for errors of the host, or of its first error. *errors: how many there are. */
static const sl_problem_t *mark_blamed(const server_rec *s, const sl_problems_t *problems, int first, unsigned use,
                                       int *errors)
{
    const sl_problem_t *reason = NULL;

    *errors = 0;
    for (int i = first; i < problems->all->nelts; i++) {
        const sl_problem_t *why = APR_ARRAY_IDX(problems->all, i, const sl_problem_t *);
        sl_refused_t *line;

        if (why->gravity != SL_PROBLEM_ERROR)
            continue;
        line = find_line(&why->origin, why->object, s);
        if (line)
            line->uses |= use;
        if (!reason)
            reason = line ? line->why : why;
        ++*errors;
    }
    return reason;
}

/* Judged before, and waiting. */
static broken_t *find_host(const server_rec *s)
{
    for (int i = hosts->nelts - 1; sl_config_vhost(s) && i >= 0; i--) {
        broken_t *host = &APR_ARRAY_IDX(hosts, i, broken_t);

        if (host->server == s)
            return host;
    }
    return NULL;
}

static void leave_out(const server_rec *s, const char *id, const char *reason, const char *advice,
                      sl_problems_t *problems)
{
    sl_origin_t origin = sl_settings_origin(sl_config_of_server(s)->settings, SL_BROKEN_HOST);
    broken_t *host = apr_array_push(hosts);

    host->server = s;
    host->id = apr_pstrdup(hosts->pool, id);
    host->reason = apr_pstrdup(hosts->pool, reason);
    sl_problems_add(problems, SL_PROBLEM_OF_HOST, "SL0180", &origin, host->id, advice, "the host is left out: %s",
                    host->reason);
    host->line = APR_ARRAY_IDX(problems->all, problems->all->nelts - 1, sl_problem_t *);
}

static sl_host_fate_t skip_host(const server_rec *s, const char *id, const char *reason, int waits,
                                sl_problems_t *problems)
{
    broken_t *host = find_host(s);

    if (host) /* there is more to be done for it */
        host->line->advice = RESTART;
    else
        leave_out(s, id, reason, waits ? WAIT : RESTART, problems);
    return waits && !host ? SL_HOST_WAITS : SL_HOST_LEFT_OUT;
}

sl_host_fate_t sl_broken_hosts_judge(const server_rec *s, const char *id, sl_problems_t *problems, int first,
                                     const char *elsewhere, int awaited)
{
    int skip = sl_settings_number(sl_config_of_server(s)->settings, SL_BROKEN_HOST) == SL_BROKEN_SKIP;
    unsigned use = skip ? LEAVES_OUT : STOPS;
    int errors;
    const sl_problem_t *needed = mark_needed(s, use), *blamed = mark_blamed(s, problems, first, use, &errors);
    const sl_problem_t *why = needed ? needed : blamed;

    if (!why && !elsewhere)
        return SL_HOST_GOOD;
    if (skip) {
        int waits = awaited && awaited == errors && !needed && !elsewhere;
        sl_host_fate_t fate = skip_host(s, id, why ? brief(problems->pool, why) : elsewhere, waits, problems);

        sl_problems_soften(problems, first);
        return fate;
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
    for (int i = 0; i < hosts->nelts; i++)
        APR_ARRAY_IDX(hosts, i, broken_t).line = NULL;
    if (hosts->nelts)
        sl_problems_add(problems, SL_PROBLEM_OF_HOST, "SL0181", NULL, NULL, NULL,
                        "%d virtual host%s left out (SecureLayerBrokenHost skip), %d %s served by TLS", hosts->nelts,
                        hosts->nelts == 1 ? " is" : "s are", served, served == 1 ? "is" : "are");
}

/* ---- at this moment ---- */

int sl_broken_hosts_is_out(const sl_vhost_t *vhost)
{
    for (int i = 0; vhost->left_out == SL_OUT_UNTIL_REPAIRED && i < vhost->identities->nelts; i++) {
        if (sl_supply_is_vacant(sl_identities_supply(), APR_ARRAY_IDX(vhost->identities, i, sl_identity_ref_t).id))
            return 1;
    }
    return vhost->left_out == SL_OUT_UNTIL_RESTART;
}

static int is_still_out(const broken_t *host)
{
    const sl_vhost_t *vhost = sl_config_vhost(host->server);

    return !vhost || sl_broken_hosts_is_out(vhost);
}

int sl_broken_hosts_count(void)
{
    int count = 0;

    for (int i = 0; hosts && i < hosts->nelts; i++)
        count += is_still_out(&APR_ARRAY_IDX(hosts, i, const broken_t));
    return count;
}

/* The files may have become others that can't be used either. */
static const char *reason_of(apr_pool_t *pool, const broken_t *host, const sl_vhost_t *vhost)
{
    for (int i = 0; vhost && i < vhost->identities->nelts; i++) {
        int id = APR_ARRAY_IDX(vhost->identities, i, sl_identity_ref_t).id;
        sl_reload_state_t state;

        if (!sl_identities_state(id, &state) && state.refused)
            return apr_pstrdup(pool, state.reason);
    }
    return host->reason;
}

apr_array_header_t *sl_broken_hosts_list(apr_pool_t *pool, int most)
{
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(sl_broken_host_t));

    for (int i = 0; hosts && i < hosts->nelts && list->nelts < most; i++) {
        const broken_t *host = &APR_ARRAY_IDX(hosts, i, const broken_t);
        const sl_vhost_t *vhost = sl_config_vhost(host->server);
        sl_broken_host_t *shown;

        if (!is_still_out(host))
            continue;
        shown = apr_array_push(list);
        shown->id = host->id;
        shown->reason = reason_of(pool, host, vhost);
        shown->needs_restart = !vhost || vhost->left_out != SL_OUT_UNTIL_REPAIRED;
    }
    return list;
}
