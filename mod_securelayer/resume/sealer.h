/* Who encrypts and authenticates what leaves our hands.  Any thread, several at a time. */
#ifndef SL_RESUME_SEALER_H
#define SL_RESUME_SEALER_H

#include <apr_errno.h>

/* Bytes by which sealing may make its input longer. */
#define SL_SEALER_ADDS 128

typedef struct sl_sealer_t {
    /* `bound` does not become part of the result, but has to be the same when it is opened. `sealed` has room for
     * `length` + SL_SEALER_ADDS. */
    apr_status_t (*seal)(void *baton, const void *bound, apr_size_t bound_length, const unsigned char *bytes,
                         apr_size_t length, unsigned char *sealed, apr_size_t *sealed_length);
    /* `bytes` has room for `length`. APR_NOTFOUND: not sealed with a key at hand, or altered since. */
    apr_status_t (*open)(void *baton, const void *bound, apr_size_t bound_length, const unsigned char *sealed,
                         apr_size_t length, unsigned char *bytes, apr_size_t *opened_length);
    void *baton;
} sl_sealer_t;

#endif
