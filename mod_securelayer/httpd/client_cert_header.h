/* SecureLayerClientCertHeader: the client's certificate for what stands behind us, in request headers (RFC 9440). */
#ifndef SL_HTTPD_CLIENT_CERT_HEADER_H
#define SL_HTTPD_CLIENT_CERT_HEADER_H

/* In register_hooks. */
void sl_client_cert_header_register(void);

#endif
