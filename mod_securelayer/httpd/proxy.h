/* Connections to backends: whom they go to, how their handshakes end.  proxy_hooks makes them. */
#ifndef SL_HTTPD_PROXY_H
#define SL_HTTPD_PROXY_H

#include "httpd/link.h"

/* For sl_host_t; the baton is an sl_link_t. */
int sl_proxy_accept(void *baton, SSL *ssl);
int sl_proxy_put_session(void *baton, SSL_SESSION *session);
/* Before the first step of an outgoing connection: whom it goes to, from the notes that mod_proxy has made by then. */
void sl_proxy_aim(sl_link_t *link);
/* Its handshake has ended. Also tells mod_proxy, and the log. */
void sl_proxy_note_handshake(sl_link_t *link);
/* A read has failed after that: told once. */
void sl_proxy_note_failure(sl_link_t *link);
/* Until when its handshake must be over. */
apr_time_t sl_proxy_deadline(const sl_link_t *link);

void sl_proxy_register(apr_pool_t *pool);

#endif
