/* What the status page shows, as OpenMetrics text. */
#ifndef SL_HTTPD_METRICS_H
#define SL_HTTPD_METRICS_H

#include <httpd.h>

/* Writes the body and sets the content type. Any thread of a child. */
void sl_metrics_send(request_rec *r);

#endif
