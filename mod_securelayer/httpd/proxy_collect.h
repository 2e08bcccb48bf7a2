/* From the SSLProxy... settings of servers and <Proxy> sections to what connects to backends.  In the parent. */
#ifndef SL_HTTPD_PROXY_COLLECT_H
#define SL_HTTPD_PROXY_COLLECT_H

#include <httpd.h>
#include <http_config.h>

#include "base/problem.h"
#include "identity/source.h"

#include <apr_tables.h>

/* How certificates are loaded: appends to `identities` (sl_identity_ref_t), or tells what is wrong. `index` counts the
 * keys of one side, for pass phrases. */
typedef void (*sl_proxy_load_t)(void *baton, server_rec *s, const sl_source_t *source, int index, const char *id,
                                apr_array_header_t *identities);

typedef struct sl_proxy_collect_t {
    apr_pool_t *pool;    /* of the configuration */
    apr_pool_t *scratch;
    sl_problems_t *problems;
    apr_int64_t now;     /* seconds since 1970 */
    int ask_modules;     /* those that change an SSL_CTX get theirs */
    sl_proxy_load_t load;
    void *baton;
} sl_proxy_collect_t;

/* Gives each server and section that has SSLProxyEngine on its sl_outgoing_t. */
void sl_proxy_collect(const sl_proxy_collect_t *in, server_rec *main_server);
/* Of the last pass, in the parent: sl_outgoing_t *. */
const apr_array_header_t *sl_proxy_outgoings(void);
/* Has any of them SecureLayerProxyOCSP on? In every process. */
int sl_proxy_asks_responders(void);

#endif
