/* OCSP for client certificates (SSLOCSPEnable): asks, or knows from before.
 * The answers known are a child's own; all of its threads use them. */
#ifndef SL_HTTPD_CLIENT_OCSP_H
#define SL_HTTPD_CLIENT_OCSP_H

#include "httpd/link.h"

/* As check_revocation() of conn/host.h. Fails closed: without a believed answer the certificate does not pass. */
long sl_client_ocsp_check(sl_link_t *link, X509 *cert, X509 *issuer, const char **words);

void sl_client_ocsp_register(apr_pool_t *pool);

#endif
