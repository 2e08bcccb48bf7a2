/* The server's session cache (SSLSessionCache): set up in the parent, asked by connections in the children. */
#ifndef SL_HTTPD_SESSIONS_H
#define SL_HTTPD_SESSIONS_H

#include <httpd.h>

#include "base/problem.h"
#include "httpd/socache_store.h"

#include <openssl/ssl.h>

void sl_sessions_register(apr_pool_t *pool);
/* What the configuration asks for, or what is wrong with it. After the virtual hosts were collected. */
void sl_sessions_collect(apr_pool_t *pool, apr_pool_t *scratch, server_rec *main_server, sl_problems_t *problems);
/* Makes it ready for children that are to come. `pool`: configuration pool, with which it ends. */
apr_status_t sl_sessions_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
    __attribute__((warn_unused_result));
/* NULL: there is none. */
sl_socache_t *sl_sessions_socache(void);

/* For sl_host_t; the baton is an sl_link_t. */
int sl_sessions_put(void *baton, SSL_SESSION *session);
SSL_SESSION *sl_sessions_get(void *baton, const unsigned char *id, apr_size_t id_length);
void sl_sessions_remove(void *baton, const unsigned char *id, apr_size_t id_length);

#endif
