/* Encrypted bytes between OpenSSL's BIO and httpd's filters below us: the read and write of a sl_host_t.
 * Runs in the thread that works on the connection. */
#ifndef SL_HTTPD_BIO_BRIGADE_H
#define SL_HTTPD_BIO_BRIGADE_H

#include "httpd/link.h"

/* In child_init: from here on each thread keeps its scratch memory. */
void sl_brigade_start(void);
/* sl_host_t callbacks; baton is the link. */
apr_status_t sl_brigade_read(void *link, unsigned char *buffer, apr_size_t *length);
apr_status_t sl_brigade_write(void *link, const unsigned char *bytes, apr_size_t length);

/* Sends everything written so far down the output filters, and `last` (a metadata bucket, NULL: none) behind it. After
 * this and the next two the link holds no memory of the thread. */
apr_status_t sl_brigade_send_with(sl_link_t *link, apr_bucket *last);
/* The same, and asks the network filter not to keep any of it back. Does nothing if there is nothing. */
apr_status_t sl_brigade_flush(sl_link_t *link);
/* A bucket with its own copy of the bytes. The memory comes from malloc: the connection's own allocator would keep
 * 8 KiB for it as long as the connection lives. */
apr_bucket *sl_brigade_copy(sl_link_t *link, const void *bytes, apr_size_t length);
/* Keeps what was written for a later send: the thread's scratch memory is given back. */
void sl_brigade_keep(sl_link_t *link);
int sl_brigade_has_output(const sl_link_t *link);
/* Moves received bytes that nobody took yet to `bb`. */
void sl_brigade_take_input(sl_link_t *link, apr_bucket_brigade *bb);
#endif
