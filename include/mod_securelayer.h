/* What other httpd modules may ask of mod_securelayer.
 *
 * Nothing here needs linking: the interfaces are httpd's own. Prefer http_ssl.h (httpd 2.4.48 and later), which works
 * with whatever TLS module is loaded:
 *
 *   ap_ssl_conn_is_ssl(c)                 is this connection TLS? True for HTTP/2 streams of a TLS connection too.
 *   ap_ssl_var_lookup(p, s, c, r, name)   the value of a variable (docs/variables.md), in `p`; empty if it has none.
 *   hooks ssl_add_cert_files, ssl_add_fallback_cert_files, ssl_answer_challenge
 *                                         are asked for certificates at start, and for those of ACME challenges.
 *
 * The optional functions of mod_ssl.h are there as well: ssl_var_lookup, ssl_ext_list, ssl_is_https. So are the
 * optional hooks of mod_ssl.h and mod_ssl_openssl.h (APR_OPTIONAL_HOOK(ssl, ...)), for modules with the same OpenSSL:
 *
 *   init_server            at start, for each virtual host with TLS, with an SSL_CTX of its own: as long as a module
 *                          attends to it virtual hosts with equal settings don't share theirs
 *   pre_handshake          for each connection, once its SSL is made for the virtual host asked for
 *   answer_challenge       after http_ssl.h's hook of that name
 *   add_cert_files, add_fallback_cert_files
 *                          after http_ssl.h's hooks of those names
 * All may be called from any request or connection hook, in the thread that serves the connection; texts live in the
 * pool that was handed in. */
#ifndef MOD_SECURELAYER_H
#define MOD_SECURELAYER_H

/* The filters of a TLS connection, in and out, at AP_FTYPE_CONNECTION + 5: what lies above sees plain text, what lies
 * below sees records. */
#define SECURELAYER_FILTER_NAME "SSL/TLS Filter"
/* Above it on the way out, at AP_FTYPE_CONNECTION + 4: holds small pieces back until more comes. A module that must see
 * each of its writes leave at once may remove it from c->output_filters; what it holds goes out first. */
#define SECURELAYER_COALESCE_FILTER_NAME "SSL/TLS Coalescing Filter"

/* In front of a request's body (AP_FTYPE_PROTOCOL) when that had to be read before the client was asked for a
 * certificate. */
#define SECURELAYER_BUFFER_FILTER_NAME "SSL/TLS Buffer"

/* Request notes set by the module. */
#define SECURELAYER_NOTE_FORBIDDEN "ssl-access-forbidden" /* "1": SSLRequireSSL or SSLRequire said no */
#define SECURELAYER_NOTE_SECURE_RENEG "ssl-secure-reneg"  /* "1" or "0" (RFC 5746) */
/* "verify-client" or "cipher-suite": what the 403 of an HTTP/2 request is for; HTTP/1.1 would do. */
#define SECURELAYER_NOTE_RENEGOTIATE_FORBIDDEN "ssl-renegotiate-forbidden"

#endif
