/* Stamps of files: taken by profile/settings_parse when a directive names a file, by keeper/watch when it looks at the
 * file again. */
#include "base/file_stamp.h"

#include <sys/stat.h>

#include "base/bytes.h"

static apr_uint64_t mix(apr_uint64_t stamp, apr_uint64_t number)
{
    return sl_hash(stamp, &number, sizeof(number));
}

apr_uint64_t sl_file_stamp(const struct stat *info)
{
    apr_uint64_t stamp = SL_HASH_START;

    if (!info)
        return 1;
    stamp = mix(stamp, (apr_uint64_t)info->st_dev);
    stamp = mix(stamp, (apr_uint64_t)info->st_ino);
    stamp = mix(stamp, (apr_uint64_t)info->st_size);
    stamp = mix(stamp, (apr_uint64_t)info->st_mtim.tv_sec);
    stamp = mix(stamp, (apr_uint64_t)info->st_mtim.tv_nsec);
    stamp = mix(stamp, (apr_uint64_t)info->st_ctim.tv_sec);
    stamp = mix(stamp, (apr_uint64_t)info->st_ctim.tv_nsec);
    return stamp ? stamp : 2;
}

apr_uint64_t sl_file_stamp_add(apr_uint64_t stamps, apr_uint64_t stamp)
{
    return mix(stamps, stamp);
}
