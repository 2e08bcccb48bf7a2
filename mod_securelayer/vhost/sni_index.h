/* From the name a client asks for to the virtual host, in constant time.
 *
 * One index per address and port a server listens on. It answers as httpd itself chooses a virtual host by the Host
 * header: the first one in the order of the configuration whose ServerName or ServerAlias matches, patterns included.
 * Built once in the parent, then read-only for all threads. */
#ifndef SL_VHOST_SNI_INDEX_H
#define SL_VHOST_SNI_INDEX_H

#include "vhost/vhost.h"

#include <apr_pools.h>

typedef struct sl_sni_index_t sl_sni_index_t;

sl_sni_index_t *sl_sni_index_make(apr_pool_t *pool);
/* Adds a name or a pattern (* and ?, any case, a trailing dot is dropped). Of equal names the first one added wins.
 * `vhost` is borrowed; NULL: the name belongs to a virtual host that does not speak TLS, and is left out. */
void sl_sni_index_add(sl_sni_index_t *index, const char *name, const sl_vhost_t *vhost);
/* `host` as sl_text_host() makes it. NULL if no virtual host has that name. */
const sl_vhost_t *sl_sni_index_find(const sl_sni_index_t *index, const char *host);
int sl_sni_index_count(const sl_sni_index_t *index);

#endif
