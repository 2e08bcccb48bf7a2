/* "SSL/TLS Filter" and "SSL/TLS Coalescing Filter", the way out. */
#ifndef SL_HTTPD_FILTER_OUT_H
#define SL_HTTPD_FILTER_OUT_H

#include "httpd/link.h"

/* Encrypts. */
apr_status_t sl_filter_out(ap_filter_t *f, apr_bucket_brigade *bb);
/* Above it: holds back small pieces (a response's head) until more comes, so that they share a record. */
apr_status_t sl_filter_coalesce(ap_filter_t *f, apr_bucket_brigade *bb);

#endif
