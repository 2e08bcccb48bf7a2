/* "SSL/TLS Filter", the way in: decrypted bytes in all of httpd's input modes. */
#ifndef SL_HTTPD_FILTER_IN_H
#define SL_HTTPD_FILTER_IN_H

#include "httpd/link.h"

apr_status_t sl_filter_in(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode, apr_read_type_e block,
                          apr_off_t readbytes);

#endif
