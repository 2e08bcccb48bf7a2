/* Listening sockets of TLS: prepared after the MPM has opened them. */
#ifndef SL_HTTPD_LISTENERS_H
#define SL_HTTPD_LISTENERS_H

#include <httpd.h>

/* In post_config, as root. Lets the kernel hand over silent connections at once where waiting costs no thread. */
void sl_listeners_prepare(server_rec *s);

#endif
