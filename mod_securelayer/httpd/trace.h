/* What moves between OpenSSL and the network, for the log: numbers of bytes at trace4, the bytes at trace7.
 * Any thread that works on the connection; costs a comparison of levels when it is off. */
#ifndef SL_HTTPD_TRACE_H
#define SL_HTTPD_TRACE_H

#include "httpd/link.h"

/* A read gave `length` of `wanted` bytes, or `rv`. */
void sl_trace_read(const sl_link_t *link, apr_status_t rv, const void *bytes, apr_size_t length, apr_size_t wanted);
/* `length` bytes were handed over for sending, or `rv`. */
void sl_trace_write(const sl_link_t *link, apr_status_t rv, const void *bytes, apr_size_t length);

#endif
