/* Files by what is in them.  Called by profile_set. */
#include "profile/contents.h"

#include "crypto/file_read.h"

#include <openssl/sha.h>
#include <string.h>

#define LARGEST 1048576 /* bytes of a file; what is larger, as a list of many revoked certificates, no host has alone */
#define MOST 4          /* rows */

/* 0: it can't be had. */
static int digest_file(unsigned char digest[SHA256_DIGEST_LENGTH], const char *path)
{
    sl_file_t file;

    if (sl_file_read(&file, path, LARGEST, NULL) != APR_SUCCESS)
        return 0;
    SHA256(file.bytes, file.length, digest);
    sl_file_clear(&file);
    return 1;
}

int sl_contents_read(sl_contents_t *contents, const sl_settings_t *settings)
{
    unsigned char digests[MOST][SHA256_DIGEST_LENGTH];
    int used = 0, some = 0;

    memset(digests, 0, sizeof(digests));
    for (int row = 0; row < SL_ROWS && used < MOST; row++) {
        const char *path;

        if (!(sl_row((sl_row_id_t)row)->weight & SL_BY_CONTENTS))
            continue;
        path = sl_settings_text(settings, (sl_row_id_t)row);
        if (path && !digest_file(digests[used], path))
            return 0;
        some |= path != NULL;
        used++;
    }
    SHA256(digests[0], sizeof(digests), contents->digest);
    return some;
}
