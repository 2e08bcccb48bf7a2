/* Application-Layer Protocol Negotiation lists (RFC 7301 section 3.1). Pure functions. */
#ifndef SL_HELLO_ALPN_H
#define SL_HELLO_ALPN_H

#include "base/bytes.h"

#include <apr_pools.h>
#include <apr_tables.h>

/* Names (const char *, NUL-terminated, as sent) of a protocol list without its 2-byte length. NULL if the list is
 * empty or malformed (an empty name, a length past the end). Names holding a NUL byte are kept out of the array. */
apr_array_header_t *sl_alpn_names(apr_pool_t *pool, const void *list, apr_size_t length);

/* The offered names for a log line: escaped, "h2,http/1.1"; at most 16 names of 32 bytes, then "...";
 * "-" if the list is empty or malformed. */
const char *sl_alpn_text(apr_pool_t *pool, const void *list, apr_size_t length);

#endif
