/* Where the files of a name are, and what is in them.  Called by keeper/directory_job. */
#include "keeper/directory_files.h"

#include "crypto/cert_text.h"
#include "identity/loader.h"
#include "keeper/watch.h"

#include <apr_strings.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define CLOCK_SKEW 300 /* seconds that a certificate may be from the future */

/* A file that is moved to its place may be old, but its inode is changed. */
static apr_time_t changed(const struct stat *info)
{
    return apr_time_from_sec(info->st_ctim.tv_sec) + info->st_ctim.tv_nsec / 1000;
}

static void note_file(sl_directory_files_t *files, const char *path)
{
    struct stat info;

    if (stat(path, &info) == 0 && changed(&info) > files->changed)
        files->changed = changed(&info);
    if (lstat(path, &info) == 0 && changed(&info) > files->changed)
        files->changed = changed(&info);
}

/* Links count even if they lead nowhere: that is an error to be told, not an absence. */
static apr_status_t look_at(const char *path, struct stat *info, sl_problem_t *why)
{
    if (lstat(path, info) == 0)
        return APR_SUCCESS;
    if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG)
        return APR_ENOENT;
    return sl_problem_set(why, errno, path, "%s", strerror(errno));
}

static void note_files(sl_directory_files_t *files)
{
    const char *paths[SL_WATCH_PATHS + 1] = {files->certificate, files->key};

    for (int i = 0; paths[i]; i++)
        note_file(files, paths[i]);
    files->stamp = sl_watch_stamp(paths);
}

static apr_status_t find_at(sl_directory_files_t *files, apr_pool_t *pool, const char *base, sl_problem_t *why)
{
    struct stat info;
    apr_status_t rv;

    memset(files, 0, sizeof(*files));
    files->certificate = apr_pstrcat(pool, base, ".pem", NULL);
    rv = look_at(files->certificate, &info, why);
    if (rv == APR_SUCCESS) {
        files->is_plain = S_ISREG(info.st_mode);
    }
    else if (APR_STATUS_IS_ENOENT(rv)) {
        files->certificate = apr_pstrcat(pool, base, "/fullchain.pem", NULL);
        files->key = apr_pstrcat(pool, base, "/privkey.pem", NULL);
        rv = look_at(files->certificate, &info, why);
    }
    if (rv == APR_SUCCESS)
        note_files(files);
    return rv;
}

/* The n-th way to write the entry in the directory; NULL if there are no more. */
static const char *base_of(apr_pool_t *pool, const char *directory, const char *entry, int n)
{
    int ways = *entry == '*' ? 2 : 1;

    if (n >= ways)
        return NULL;
    if (ways == 2 && !n)
        return apr_pstrcat(pool, directory, "/_", entry + 1, NULL);
    return apr_pstrcat(pool, directory, "/", entry, NULL);
}

apr_status_t sl_directory_files_find(sl_directory_files_t *files, apr_pool_t *pool, const char *directory,
                                     const char *entry, sl_problem_t *why)
{
    apr_status_t rv = APR_ENOENT;
    const char *base;

    for (int n = 0; APR_STATUS_IS_ENOENT(rv) && (base = base_of(pool, directory, entry, n)) != NULL; n++)
        rv = find_at(files, pool, base, why);
    return rv;
}

apr_time_t sl_directory_files_changed(apr_pool_t *pool, const char *directory, const char *entry)
{
    apr_time_t last;
    struct stat info;
    const char *base;

    if (stat(directory, &info) != 0)
        return 0;
    last = changed(&info);
    for (int n = 0; (base = base_of(pool, directory, entry, n)) != NULL; n++) {
        if (stat(base, &info) == 0 && changed(&info) > last)
            last = changed(&info);
    }
    return last;
}

static apr_status_t check_dates(const sl_identity_t *identity, apr_int64_t now, apr_pool_t *scratch, sl_problem_t *why)
{
    if (identity->not_after < now) {
        sl_problem_set(why, APR_EINVAL, identity->origin, "the certificate expired on %s",
                       sl_cert_text_not_after(scratch, identity->leaf));
        sl_problem_advise(why, "Renew it");
        return APR_EINVAL;
    }
    if (identity->not_before > now + CLOCK_SKEW) {
        sl_problem_set(why, APR_EINVAL, identity->origin, "the certificate is not valid before %s",
                       sl_cert_text_not_before(scratch, identity->leaf));
        sl_problem_advise(why, "Check the clock of this machine, or put it there later");
        return APR_EINVAL;
    }
    return APR_SUCCESS;
}

/* The loader advises those who name files in directives. */
static void advise(const sl_directory_files_t *files, sl_problem_t *why)
{
    if (!why || !why->advice || !strstr(why->advice, "SSLCertificateKeyFile"))
        return;
    why->advice = NULL;
    sl_problem_advise(why, "%s",
                      files->key ? "fullchain.pem has to hold the certificate with its chain, privkey.pem the key"
                                 : "The file has to hold the certificate, its chain and the key");
}

apr_status_t sl_directory_files_load(sl_identity_t **identity, const sl_directory_files_t *files, apr_int64_t now,
                                     apr_pool_t *scratch, sl_problem_t *why)
{
    sl_source_t source = {.certificate = files->certificate, .key = files->key, .first = 1};
    sl_problems_t *warnings = sl_problems_make(scratch);
    apr_status_t rv = sl_loader_load(identity, &source, NULL, NULL, scratch, warnings, why);

    if (rv == APR_SUCCESS)
        rv = check_dates(*identity, now, scratch, why);
    if (rv != APR_SUCCESS) {
        advise(files, why);
        sl_identity_release(*identity);
        *identity = NULL;
    }
    return rv;
}
