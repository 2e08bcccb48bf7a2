/* What a peer speaks whose first byte does not begin a TLS handshake record: plain HTTP, a PROXY protocol header,
 * SSLv2, or nothing we know.
 * Pure function over the bytes so far; runs in any thread. */
#ifndef SL_HELLO_FIRST_BYTES_H
#define SL_HELLO_FIRST_BYTES_H

#include "base/problem.h"

#include <apr.h>

/* What all readers of the first bytes answer. */
typedef enum {
    SL_HELLO_MORE,    /* not complete yet */
    SL_HELLO_DONE,    /* a whole, well-formed hello */
    SL_HELLO_HTTP,    /* not TLS: the bytes begin with a method token (RFC 9110) and a blank: plain HTTP */
    SL_HELLO_GARBAGE, /* neither */
    SL_HELLO_BAD,     /* TLS, but malformed or too long */
} sl_hello_state_t;

/* Takes all bytes so far (at least one) and looks at no more than the first few dozen.
 * SL_HELLO_MORE as long as they can still become a method, told otherwise at the first impossible byte:
 * SL_HELLO_HTTP    a method token (RFC 9110 section 9.1; a capital first, 32 characters at most) and a blank,
 *                  perhaps behind one empty line (RFC 9112 section 2.2); the HTTP/2 preface is one of these;
 * SL_HELLO_BAD     a ClientHello in SSLv2 form (RFC 6101 appendix E);
 * SL_HELLO_GARBAGE anything else, a PROXY header too.
 * `why` says what was seen, with the first bytes escaped. */
sl_hello_state_t sl_first_bytes_read(const unsigned char *bytes, apr_size_t length, sl_problem_t *why);

#endif
