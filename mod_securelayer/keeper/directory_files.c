/* Where the files of a name are, and what is in them.  Called by keeper/directory_job. */
#include "keeper/directory_files.h"

#include "base/bytes.h"
#include "identity/loader.h"
#include "identity/replacement.h"
#include "keeper/directory_names.h"
#include "keeper/watch.h"

#include <apr_strings.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* What the names of an entry's files end in. As HAProxy has it for files; certbot has a directory for each lineage. */
static const struct {
    const char *key_type, *of_file, *of_folder;
} kinds[SL_DIRECTORY_KINDS] = {{NULL, "", ""}, {"ECDSA", ".ecdsa", "-ecdsa"}, {"RSA", ".rsa", "-rsa"}};

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

static void add_file(sl_directory_files_t *files, const char *certificate, const char *key, int kind)
{
    sl_directory_file_t *file = &files->of[files->count++];

    file->certificate = certificate;
    file->key = key;
    file->key_type = kinds[kind].key_type;
}

/* The paths count too: there may be more of them, or less. */
static void note_files(sl_directory_files_t *files)
{
    files->stamp = SL_HASH_START;
    for (int i = 0; i < files->count; i++) {
        const char *paths[] = {files->of[i].certificate, files->of[i].key, NULL};
        apr_uint64_t stamp = sl_watch_stamp(paths);

        files->stamp = sl_hash(files->stamp, &stamp, sizeof(stamp));
        files->stamp = sl_hash(files->stamp, paths[0], strlen(paths[0]));
        for (int k = 0; paths[k]; k++)
            note_file(files, paths[k]);
    }
}

static apr_status_t find_plain(sl_directory_files_t *files, apr_pool_t *pool, const char *base, sl_problem_t *why)
{
    struct stat info;

    files->is_plain = 1;
    for (int kind = 0; kind < SL_DIRECTORY_KINDS; kind++) {
        const char *path = apr_pstrcat(pool, base, ".pem", kinds[kind].of_file, NULL);
        apr_status_t rv = look_at(path, &info, why);

        if (rv == APR_SUCCESS) {
            add_file(files, path, NULL, kind);
            files->is_plain &= S_ISREG(info.st_mode);
        }
        else if (!APR_STATUS_IS_ENOENT(rv)) {
            return rv;
        }
    }
    return files->count ? APR_SUCCESS : APR_ENOENT;
}

static apr_status_t find_folders(sl_directory_files_t *files, apr_pool_t *pool, const char *base, int count,
                                 sl_problem_t *why)
{
    struct stat info;

    files->is_plain = 0;
    for (int kind = 0; kind < count; kind++) {
        const char *folder = apr_pstrcat(pool, base, kinds[kind].of_folder, NULL);
        const char *path = apr_pstrcat(pool, folder, "/fullchain.pem", NULL);
        apr_status_t rv = look_at(path, &info, why);

        if (rv == APR_SUCCESS)
            add_file(files, path, apr_pstrcat(pool, folder, "/privkey.pem", NULL), kind);
        else if (!kind || !APR_STATUS_IS_ENOENT(rv))
            return rv;
    }
    return APR_SUCCESS;
}

static apr_status_t find_at(sl_directory_files_t *files, apr_pool_t *pool, const char *base, int has_twins,
                            sl_problem_t *why)
{
    apr_status_t rv;

    memset(files, 0, sizeof(*files));
    rv = find_plain(files, pool, base, why);
    if (APR_STATUS_IS_ENOENT(rv))
        rv = find_folders(files, pool, base, has_twins ? SL_DIRECTORY_KINDS : 1, why);
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
        rv = find_at(files, pool, base, sl_directory_has_twins(entry), why);
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
        for (int kind = 0; kind < SL_DIRECTORY_KINDS; kind++) {
            if (stat(apr_pstrcat(pool, base, kinds[kind].of_folder, NULL), &info) == 0 && changed(&info) > last)
                last = changed(&info);
        }
    }
    return last;
}

static apr_status_t check_key_type(const sl_identity_t *identity, const char *wanted, sl_problem_t *why)
{
    const char *type = sl_identity_key_type(identity);

    if (!wanted || !strcmp(type, wanted))
        return APR_SUCCESS;
    sl_problem_set(why, APR_EINVAL, identity->origin, "the key is none of type %s, as the name says, but %s", wanted,
                   type);
    sl_problem_advise(why, "Give it the name that goes with its key");
    return APR_EINVAL;
}

/* The loader advises those who name files in directives. */
static void advise(const sl_directory_file_t *file, sl_problem_t *why)
{
    if (!why || !why->advice || !strstr(why->advice, "SSLCertificateKeyFile"))
        return;
    why->advice = NULL;
    sl_problem_advise(why, "%s",
                      file->key ? "fullchain.pem has to hold the certificate with its chain, privkey.pem the key"
                                : "The file has to hold the certificate, its chain and the key");
}

apr_status_t sl_directory_file_load(sl_identity_t **identity, const sl_directory_file_t *file, apr_int64_t now,
                                    apr_pool_t *scratch, sl_problem_t *why)
{
    sl_source_t source = {.certificate = file->certificate, .key = file->key, .first = 1};
    sl_problems_t *warnings = sl_problems_make(scratch);
    apr_status_t rv = sl_loader_load(identity, &source, NULL, NULL, scratch, warnings, why);

    if (rv == APR_SUCCESS)
        rv = sl_replacement_check_dates(*identity, now, scratch, why);
    if (rv == APR_SUCCESS)
        rv = check_key_type(*identity, file->key_type, why);
    if (rv != APR_SUCCESS) {
        advise(file, why);
        sl_identity_release(*identity);
        *identity = NULL;
    }
    return rv;
}
