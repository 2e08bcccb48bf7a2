/* SSLVerifyClient, SSLVerifyDepth and SSLCipherSuite of sections: asks the client for what it has not shown yet. */
#ifndef SL_HTTPD_DEMAND_H
#define SL_HTTPD_DEMAND_H

#include <httpd.h>

#include "httpd/link.h"

/* DECLINED if the connection meets what the request's section wants, now perhaps after a new handshake (which waits for
 * the client, no longer than SecureLayerHandshakeTimeout); else the status to answer. In check_access. */
int sl_demand_check(request_rec *r, sl_link_t *link);

/* For the machine: sl_host_t.keep. `baton` is the link. */
apr_status_t sl_demand_keep(void *baton, const unsigned char *bytes, apr_size_t length);

#endif
