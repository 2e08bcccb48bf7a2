/* The status page for people. */
#ifndef SL_HTTPD_STATUS_HTML_H
#define SL_HTTPD_STATUS_HTML_H

#include <httpd.h>

/* Writes the body, sets the content type and its policy; `page` of the certificates from 1. An HTTP status if it can't,
 * else OK. */
int sl_status_html_send(request_rec *r, const char *filter, int page);

#endif
