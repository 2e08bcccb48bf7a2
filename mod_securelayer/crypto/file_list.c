/* Entries of directories of certificates.  Called by identity/trust and httpd/proxy_collect. */
#include "crypto/file_list.h"

#include <apr_file_info.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int is_itself(const char *name)
{
    return !strcmp(name, ".") || !strcmp(name, "..");
}

apr_status_t sl_file_list(apr_array_header_t **names, const char *path, int most, apr_pool_t *pool, sl_problem_t *why)
{
    apr_dir_t *dir;
    apr_finfo_t info;
    char reason[120];
    apr_status_t status = apr_dir_open(&dir, path, pool);

    *names = apr_array_make(pool, 64, sizeof(const char *));
    if (status != APR_SUCCESS)
        return sl_problem_set(why, status, path, "cannot be read: %s", apr_strerror(status, reason, sizeof(reason)));
    while ((*names)->nelts <= most) {
        status = apr_dir_read(&info, APR_FINFO_NAME, dir);
        if (status != APR_SUCCESS && status != APR_INCOMPLETE)
            break;
        if (!is_itself(info.name))
            APR_ARRAY_PUSH(*names, const char *) = apr_pstrdup(pool, info.name);
    }
    apr_dir_close(dir);
    qsort((*names)->elts, (size_t)(*names)->nelts, sizeof(const char *), by_name);
    return (*names)->nelts <= most ? APR_SUCCESS
                                   : sl_problem_set(why, APR_ENOSPC, path, "holds more than %d files", most);
}
