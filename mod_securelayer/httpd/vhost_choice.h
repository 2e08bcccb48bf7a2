/* The virtual host for a connection's address and the name its client asked for.
 * Built in the parent in post_config, from httpd's own idea of which virtual hosts belong to an address; then only
 * read. */
#ifndef SL_HTTPD_VHOST_CHOICE_H
#define SL_HTTPD_VHOST_CHOICE_H

#include <httpd.h>

#include "vhost/vhost.h"

/* After all servers have their sl_vhost_t. */
void sl_vhost_choice_build(apr_pool_t *pool, server_rec *main_server);
/* Never NULL: the default of the address if nobody has the name (or `name` is NULL); *known says which it is. */
const sl_vhost_t *sl_vhost_choice_find(conn_rec *c, const char *name, int *known);

#endif
