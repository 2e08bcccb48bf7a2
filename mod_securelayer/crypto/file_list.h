/* What a directory holds. Runs in: any process and thread. */
#ifndef SL_CRYPTO_FILE_LIST_H
#define SL_CRYPTO_FILE_LIST_H

#include "base/problem.h"

#include <apr_tables.h>

/* Names of all entries (const char *), sorted: what a directory gives must not depend on the order its file system
 * keeps. More than `most` are an error, as is a directory that can't be read. */
apr_status_t sl_file_list(apr_array_header_t **names, const char *path, int most, apr_pool_t *pool, sl_problem_t *why)
    __attribute__((warn_unused_result));

#endif
