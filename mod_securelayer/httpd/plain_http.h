/* Plain HTTP on a TLS port: a 400 page with a link to the https address. */
#ifndef SL_HTTPD_PLAIN_HTTP_H
#define SL_HTTPD_PLAIN_HTTP_H

#include <httpd.h>

/* In post_read_request: HTTP_BAD_REQUEST for a request that came without TLS on a port for TLS, else DECLINED. */
int sl_plain_http_check(request_rec *r);

#endif
