/* A whole file in memory.  Whoever reads what the configuration names reads it here.
 *
 * The file is opened first and looked at then, so that nothing can be put in its place in between, and opening waits
 * for nobody: what is a pipe or a device is refused. (Of a file system that does not answer nobody is safe: see
 * httpd/keeper_hooks for what becomes of a process that hangs there.)
 * Runs in: any process and thread. */
#ifndef SL_CRYPTO_FILE_READ_H
#define SL_CRYPTO_FILE_READ_H

#include "base/problem.h"

typedef struct sl_file_t {
    unsigned char *bytes; /* own; never NULL after success */
    apr_size_t length;
    unsigned mode;        /* permissions, as stat() has them (S_IROTH ...) */
} sl_file_t;

/* Reads the regular file at `path`, of at most `most` bytes. On failure `file` is empty: the system's status, or
 * APR_EINVAL for what is no regular file, APR_ENOSPC for more than `most`. */
apr_status_t sl_file_read(sl_file_t *file, const char *path, apr_size_t most, sl_problem_t *why)
    __attribute__((warn_unused_result));
/* Cleanses and frees what it holds. */
void sl_file_clear(sl_file_t *file);

#endif
