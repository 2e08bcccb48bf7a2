/* The body of a request, read and kept before the client is asked for a certificate: what it is sending must be out
 * of the way of the handshake's messages. Runs in the request's thread. */
#ifndef SL_HTTPD_BODY_BUFFER_H
#define SL_HTTPD_BODY_BUFFER_H

#include <httpd.h>

/* In register_hooks. */
void sl_body_buffer_register(void);

/* Is a body on its way? One that the client sends only after "100 Continue" is not. */
int sl_body_buffer_is_due(const request_rec *r);

/* Reads the whole body and puts it in front of whoever reads it next. OK, 413 if it has more than `limit` bytes, or
 * what else is to be answered. */
int sl_body_buffer_fill(request_rec *r, apr_off_t limit);

#endif
