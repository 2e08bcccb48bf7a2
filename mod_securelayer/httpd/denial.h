/* 403 for the sake of a client certificate or a cipher suite, with a page that says why and what to do. The words go
 * into the note "error-notes", so that ErrorDocument has them too (REDIRECT_ERROR_NOTES). */
#ifndef SL_HTTPD_DENIAL_H
#define SL_HTTPD_DENIAL_H

#include <httpd.h>

#include "httpd/link.h"

typedef enum {
    SL_DENY_NO_CERTIFICATE,  /* none was sent */
    SL_DENY_BAD_CERTIFICATE, /* link->tls->verify_error says why */
    SL_DENY_NOT_OFFERED,     /* TLS 1.3 without post-handshake authentication */
    SL_DENY_INSECURE,        /* TLS 1.2 without secure renegotiation */
    SL_DENY_CIPHER,          /* the section wants other suites, the connection can't change */
    SL_DENY_OTHER_HOST,      /* another host's handshake, whose certificate counts for nothing here */
} sl_denial_t;

/* Puts the page together, logs, and has the connection closed, so that the next one may do better; HTTP_FORBIDDEN.
 * Whatever else would grant access (Satisfy any), the request is denied: sl_denial_stands(). */
int sl_denial(request_rec *r, const sl_link_t *link, sl_denial_t reason);
int sl_denial_stands(const request_rec *r);

#endif
