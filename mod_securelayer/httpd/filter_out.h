/* "SSL/TLS Filter" and "SSL/TLS Coalescing Filter", the way out. */
#ifndef SL_HTTPD_FILTER_OUT_H
#define SL_HTTPD_FILTER_OUT_H

/* In register_hooks. */
void sl_filter_out_register(void);

#endif
