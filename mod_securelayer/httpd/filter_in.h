/* "SSL/TLS Filter", the way in: decrypted bytes in all of httpd's input modes. */
#ifndef SL_HTTPD_FILTER_IN_H
#define SL_HTTPD_FILTER_IN_H

/* In register_hooks. */
void sl_filter_in_register(void);

#endif
