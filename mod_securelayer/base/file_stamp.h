/* One number for what a file looks like (device, inode, size, times): another one once it has changed.
 * Pure; any process and thread. The numbers of one host and one boot are comparable. */
#ifndef SL_BASE_FILE_STAMP_H
#define SL_BASE_FILE_STAMP_H

#include <apr.h>

struct stat;

/* Never 0. NULL: there is no such file. */
apr_uint64_t sl_file_stamp(const struct stat *info);

/* One number for several files, in their order: begin with SL_FILE_STAMPS and add the stamp of each. */
#define SL_FILE_STAMPS APR_UINT64_C(1)
apr_uint64_t sl_file_stamp_add(apr_uint64_t stamps, apr_uint64_t stamp);

#endif
