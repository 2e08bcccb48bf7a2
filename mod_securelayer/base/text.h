/* Text: escaping what came from a peer, names of hosts, hexadecimal.  Pure functions; results live in the pool. */
#ifndef SL_BASE_TEXT_H
#define SL_BASE_TEXT_H

#include <apr_pools.h>

/* Longest host name, without a trailing dot (RFC 1035 section 2.3.4). */
#define SL_HOST_MAX 253

/* Printable ASCII as it is, everything else (and backslash and quote) as \xHH; cut after `most` bytes of input
 * with "...".  `text` need not end in NUL. */
const char *sl_text_escape(apr_pool_t *pool, const void *text, apr_size_t length, apr_size_t most);

/* The same for words of our own that may hold such text, escaped already: backslash and quote stay. */
const char *sl_text_printable(apr_pool_t *pool, const char *text, apr_size_t most);

/* Lower-case hexadecimal of `length` bytes. */
char *sl_text_hex(apr_pool_t *pool, const void *bytes, apr_size_t length);

/* Puts `name` in lower case and without one trailing dot into `host` (SL_HOST_MAX + 1 bytes).
 * Returns 0 if it is empty, too long or holds a NUL, blank, control or non-ASCII byte: no host has such a name. */
int sl_text_host(char *host, const void *name, apr_size_t length);

/* Is `host`, as sl_text_host() makes it, a name of the DNS and nothing else: labels of letters, digits, hyphens and
 * underscores, not empty and at most 63 long, no address (RFC 1123 section 2.1)? Such a name may become a file's. */
int sl_text_is_dns_name(const char *host);

/* Does that text begin as an address of http or https does? */
int sl_text_is_web(const char *text, apr_size_t length);

/* Is `host` (lower case) matched by `pattern` (any case), which may hold * (any characters, dots too, as httpd's
 * ServerAlias has it) and ? (one character)? */
int sl_text_match(const char *pattern, const char *host);

#endif
