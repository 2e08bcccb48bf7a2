/* Decrypted bytes that nobody asked for yet: link->plain. Runs in the thread that works on the connection. */
#ifndef SL_HTTPD_DECRYPT_H
#define SL_HTTPD_DECRYPT_H

#include "httpd/link.h"

/* No byte there? */
int sl_decrypt_is_empty(sl_link_t *link);
/* At least one byte more, or as sl_conn_read(); APR_EAGAIN only if `block` forbids to wait. */
apr_status_t sl_decrypt_more(sl_link_t *link, apr_read_type_e block);
/* The same without waiting and only if there is none, for TLS connections; what OpenSSL writes meanwhile is left to the
 * caller to send. */
apr_status_t sl_decrypt_ahead(sl_link_t *link);

#endif
