/* What the status page shows, as JSON. */
#ifndef SL_HTTPD_STATUS_JSON_H
#define SL_HTTPD_STATUS_JSON_H

#include <httpd.h>

#define SL_JSON_ROWS 50       /* certificates in an answer */
#define SL_JSON_MOST_ROWS 500 /* ... that may be asked for */

/* Writes the body and sets the content type; `page` from 1. An HTTP status if there is no memory for it, else OK. */
int sl_status_json_send(request_rec *r, const char *filter, int page, int rows);

#endif
