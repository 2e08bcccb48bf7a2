/* RequestReadTimeout, found in the tree of directives that httpd keeps: mod_reqtimeout tells nobody what it was given.
 * Called by startup.c; conn_hooks.c asks for the time that is left. */
#include "httpd/reqtimeout.h"

#include <http_config.h>

#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "httpd/module_config.h"

/* What mod_reqtimeout does unasked. */
static const sl_read_limits_t defaults = {{0, 0, 0}, {apr_time_from_sec(20), apr_time_from_sec(40), 500}};

static int is_directive(const ap_directive_t *node, const char *name)
{
    return !strcasecmp(node->directive, name);
}

/* "20", "20-40,MinRate=500", "20,MinRate=500"; mod_reqtimeout has refused anything else. */
static void read_stage(sl_stage_limit_t *limit, const char *text)
{
    const char *rate = ap_strchr_c(text, ','), *most = ap_strchr_c(text, '-');

    limit->first = apr_time_from_sec(atol(text));
    limit->rate = rate && !strncasecmp(rate + 1, "MinRate=", 8) ? atol(rate + 9) : 0;
    limit->most = most && (!rate || most < rate) ? apr_time_from_sec(atol(most + 1)) : limit->rate ? 0 : limit->first;
}

static void read_arguments(sl_read_limits_t *limits, apr_pool_t *scratch, const char *arguments)
{
    while (*arguments) {
        const char *word = ap_getword_conf(scratch, &arguments);

        if (!strncasecmp(word, "handshake=", 10))
            read_stage(&limits->handshake, word + 10);
        else if (!strncasecmp(word, "header=", 7))
            read_stage(&limits->header, word + 7);
    }
}

/* All uses from `node` on that are not in a virtual host of their own; returns how many. */
static int read_nodes(sl_read_limits_t *limits, apr_pool_t *scratch, const ap_directive_t *node)
{
    int found = 0;

    for (; node; node = node->next) {
        if (is_directive(node, "RequestReadTimeout")) {
            read_arguments(limits, scratch, node->args);
            found++;
        }
        else if (node->first_child && !is_directive(node, "<VirtualHost")) {
            found += read_nodes(limits, scratch, node->first_child);
        }
    }
    return found;
}

static const char *place(apr_pool_t *pool, const char *file, unsigned line)
{
    return apr_psprintf(pool, "%u:%s", line, file ? file : "");
}

static void find_hosts(apr_hash_t *hosts, const sl_read_limits_t *inherited, apr_pool_t *pool, apr_pool_t *scratch,
                       const ap_directive_t *node)
{
    for (; node; node = node->next) {
        sl_read_limits_t limits = *inherited;

        if (!is_directive(node, "<VirtualHost"))
            find_hosts(hosts, inherited, pool, scratch, node->first_child);
        else if (read_nodes(&limits, scratch, node->first_child))
            apr_hash_set(hosts, place(scratch, node->filename, (unsigned)node->line_num), APR_HASH_KEY_STRING,
                         apr_pmemdup(pool, &limits, sizeof(limits)));
    }
}

void sl_reqtimeout_collect(apr_pool_t *pool, apr_pool_t *scratch, server_rec *main_server)
{
    sl_read_limits_t *inherited = apr_pmemdup(pool, &defaults, sizeof(defaults));
    apr_hash_t *hosts = apr_hash_make(scratch);

    if (!ap_find_linked_module("mod_reqtimeout.c"))
        return;
    read_nodes(inherited, scratch, ap_conftree);
    find_hosts(hosts, inherited, pool, scratch, ap_conftree);
    for (server_rec *s = main_server; s; s = s->next) {
        const sl_read_limits_t *own = NULL;

        if (apr_hash_count(hosts) && s->is_virtual)
            own = apr_hash_get(hosts, place(scratch, s->defn_name, s->defn_line_number), APR_HASH_KEY_STRING);
        sl_config_of_server(s)->read_limits = own ? own : inherited;
    }
}

apr_interval_time_t sl_reqtimeout_allows(const sl_stage_limit_t *limit, apr_off_t bytes)
{
    apr_interval_time_t time;

    if (!limit || !limit->first)
        return 0;
    time = limit->first + (limit->rate ? apr_time_from_sec(bytes) / limit->rate : 0);
    return limit->most && time > limit->most ? limit->most : time;
}
