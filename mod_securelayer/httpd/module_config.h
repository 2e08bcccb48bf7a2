/* What httpd keeps for us: settings per server and per section, the link per connection.
 * Server and section records are written while the configuration is read and in post_config, then only read. */
#ifndef SL_HTTPD_MODULE_CONFIG_H
#define SL_HTTPD_MODULE_CONFIG_H

#include <httpd.h>
#include <http_config.h>

#include "profile/settings.h"
#include "vhost/outgoing.h"
#include "vhost/sni_index.h"
#include "vhost/vhost.h"

/* The module that holds hooks, directives and configuration ("mod_ssl.c"); see dropin.h. */
extern module sl_module;

typedef struct sl_read_limits_t sl_read_limits_t; /* reqtimeout.h */

typedef struct sl_server_config_t {
    sl_settings_t *settings;
    sl_vhost_t *vhost; /* NULL unless TLS is on for this server; set by collect_vhosts */
    int ticket_file; /* the entry of its SSLSessionTicketKeyFile on the board; -1: none; set by tickets.c */
    const sl_read_limits_t *read_limits; /* NULL without mod_reqtimeout; set by reqtimeout.c */
} sl_server_config_t;

typedef struct sl_dir_config_t {
    sl_settings_t *settings;
    int has_outgoing; /* a server's defaults, or a <Proxy> section with settings for backends */
    const sl_outgoing_t *outgoing; /* NULL: SSLProxyEngine is off there; set by proxy_collect.c */
} sl_dir_config_t;

void *sl_config_make_server(apr_pool_t *pool, server_rec *s);
void *sl_config_merge_server(apr_pool_t *pool, void *base, void *added);
void *sl_config_make_dir(apr_pool_t *pool, char *dir);
void *sl_config_merge_dir(apr_pool_t *pool, void *base, void *added);

sl_server_config_t *sl_config_of_server(const server_rec *s);
/* Of the request's section. */
sl_dir_config_t *sl_config_of_request(const request_rec *r);
/* SL_OPT_... bits in force for the request. */
long sl_config_options(const request_rec *r);
/* NULL unless TLS is on for the server. */
const sl_vhost_t *sl_config_vhost(const server_rec *s);

#endif
