/* Files that the configuration names.  Called by the readers of certificates, keys and ticket keys, in the parent and
 * in the keeper: both may have root's rights, so a name is looked at only once it is open. */
#include "crypto/file_read.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static apr_status_t cannot_read(sl_problem_t *why, const char *path, apr_status_t status)
{
    char reason[120];

    return sl_problem_set(why, status, path, "cannot be read: %s", apr_strerror(status, reason, sizeof(reason)));
}

static apr_status_t check(const struct stat *info, const char *path, apr_size_t most, sl_problem_t *why)
{
    if (S_ISDIR(info->st_mode))
        return sl_problem_set(why, APR_EINVAL, path, "is a directory, not a file");
    if (!S_ISREG(info->st_mode))
        return sl_problem_set(why, APR_EINVAL, path, "is not a regular file");
    if ((apr_uint64_t)info->st_size > most) {
        int in_mib = most >= 1 << 20;

        return sl_problem_set(why, APR_ENOSPC, path, "is too large (more than %d %s)",
                              (int)(in_mib ? most >> 20 : most >> 10), in_mib ? "MiB" : "KiB");
    }
    return APR_SUCCESS;
}

/* No more than the size it had: who appends to it meanwhile makes another version of it. */
static apr_status_t read_all(sl_file_t *file, int descriptor, apr_size_t size)
{
    while (file->length < size) {
        ssize_t got = read(descriptor, file->bytes + file->length, size - file->length);

        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return errno;
        file->length += got > 0 ? (apr_size_t)got : 0;
    }
    return APR_SUCCESS;
}

static apr_status_t read_open(sl_file_t *file, int descriptor, const char *path, apr_size_t most, sl_problem_t *why)
{
    struct stat info;
    apr_status_t status = fstat(descriptor, &info) ? errno : APR_SUCCESS;

    if (status != APR_SUCCESS)
        return cannot_read(why, path, status);
    status = check(&info, path, most, why);
    if (status != APR_SUCCESS)
        return status;
    file->mode = info.st_mode & 07777;
    file->bytes = OPENSSL_zalloc((apr_size_t)info.st_size + 1);
    status = file->bytes ? read_all(file, descriptor, (apr_size_t)info.st_size) : APR_ENOMEM;
    if (status == APR_SUCCESS)
        return APR_SUCCESS;
    sl_file_clear(file);
    return cannot_read(why, path, status);
}

apr_status_t sl_file_read(sl_file_t *file, const char *path, apr_size_t most, sl_problem_t *why)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    apr_status_t status;

    memset(file, 0, sizeof(*file));
    if (descriptor < 0)
        return cannot_read(why, path, errno);
    status = read_open(file, descriptor, path, most, why);
    close(descriptor);
    return status;
}

void sl_file_clear(sl_file_t *file)
{
    OPENSSL_clear_free(file->bytes, file->length);
    memset(file, 0, sizeof(*file));
}
