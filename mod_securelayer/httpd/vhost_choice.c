/* One sni_index per list of virtual hosts that httpd keeps for an address and port.
 *
 * httpd hangs that list on each connection (vhost_lookup_data). We ask httpd for it at start, for every address and
 * port of the configuration, and index the names in it; at connection time the list's own address is the key. */
#include "httpd/vhost_choice.h"

#include <ap_listen.h>
#include <http_config.h>
#include <http_vhost.h>

#include <apr_hash.h>
#include <string.h>

#include "base/text.h"
#include "httpd/module_config.h"

typedef struct sl_choice_key_t {
    const void *list;
    apr_port_t port;
} sl_choice_key_t;

static apr_hash_t *indexes; /* sl_choice_key_t -> sl_sni_index_t */

static sl_choice_key_t *make_key(sl_choice_key_t *key, const conn_rec *c)
{
    memset(key, 0, sizeof(*key)); /* padding is part of the hash key */
    key->list = c->vhost_lookup_data;
    key->port = c->local_addr->port;
    return key;
}

static void add_names(sl_sni_index_t *index, const server_rec *s)
{
    const sl_vhost_t *vhost = sl_config_vhost(s);
    const apr_array_header_t *lists[] = {s->names, s->wild_names};

    if (s->server_hostname)
        sl_sni_index_add(index, s->server_hostname, vhost);
    for (int l = 0; l < 2; l++) {
        for (int i = 0; lists[l] && i < lists[l]->nelts; i++) {
            const char *name = APR_ARRAY_IDX(lists[l], i, const char *);

            if (name)
                sl_sni_index_add(index, name, vhost);
        }
    }
}

static int add_server(void *index, conn_rec *c, server_rec *s)
{
    (void)c;
    add_names(index, s);
    return 0;
}

static void index_address(apr_pool_t *pool, server_rec *main_server, const apr_sockaddr_t *address, apr_port_t port)
{
    apr_sockaddr_t local = *address;
    conn_rec c;
    sl_choice_key_t *key = apr_palloc(pool, sizeof(*key));
    sl_sni_index_t *index;

    memset(&c, 0, sizeof(c));
    local.port = port;
    if (local.family == APR_INET)
        local.sa.sin.sin_port = htons(port);
#if APR_HAVE_IPV6
    else
        local.sa.sin6.sin6_port = htons(port);
#endif
    c.pool = pool;
    c.local_addr = &local;
    c.base_server = main_server;
    ap_update_vhost_given_ip(&c);
    make_key(key, &c);
    if (!key->list || apr_hash_get(indexes, key, sizeof(*key)))
        return;
    index = sl_sni_index_make(pool);
    ap_vhost_iterate_given_conn(&c, add_server, index);
    apr_hash_set(indexes, key, sizeof(*key), index);
}

void sl_vhost_choice_build(apr_pool_t *pool, server_rec *main_server)
{
    indexes = apr_hash_make(pool);
    for (server_rec *s = main_server; s; s = s->next) {
        for (server_addr_rec *address = s->addrs; address; address = address->next) {
            if (address->host_port) {
                index_address(pool, main_server, address->host_addr, address->host_port);
                continue;
            }
            for (ap_listen_rec *listener = ap_listeners; listener; listener = listener->next)
                index_address(pool, main_server, address->host_addr, listener->bind_addr->port);
        }
    }
}

typedef struct sl_search_t {
    const char *name;
    const sl_vhost_t *found;
} sl_search_t;

static int matches(const server_rec *s, const char *name)
{
    const apr_array_header_t *lists[] = {s->names, s->wild_names};

    if (s->server_hostname && sl_text_match(s->server_hostname, name))
        return 1;
    for (int l = 0; l < 2; l++) {
        for (int i = 0; lists[l] && i < lists[l]->nelts; i++) {
            const char *pattern = APR_ARRAY_IDX(lists[l], i, const char *);

            if (pattern && sl_text_match(pattern, name))
                return 1;
        }
    }
    return 0;
}

static int search_server(void *baton, conn_rec *c, server_rec *s)
{
    sl_search_t *search = baton;
    const sl_vhost_t *vhost = sl_config_vhost(s);

    (void)c;
    if (!vhost || !matches(s, search->name))
        return 0;
    search->found = vhost;
    return 1;
}

const sl_vhost_t *sl_vhost_choice_find(conn_rec *c, const char *name, int *known)
{
    const sl_vhost_t *fallback = sl_config_vhost(c->base_server);
    sl_search_t search = {name, NULL};
    sl_choice_key_t key;
    const sl_sni_index_t *index = apr_hash_get(indexes, make_key(&key, c), sizeof(key));

    if (name && index)
        search.found = sl_sni_index_find(index, name);
    else if (name) /* an address with one server only, or one that no configuration names */
        ap_vhost_iterate_given_conn(c, search_server, &search);
    *known = search.found != NULL;
    return search.found ? search.found : fallback;
}
