/* Files by what is in them.  Called by profile_set. */
#include "profile/contents.h"

#include "crypto/file_read.h"

#include <openssl/sha.h>
#include <string.h>

#define LARGEST 1048576 /* bytes of a file; what is larger, as a list of many revoked certificates, no host has alone */
#define DIGEST SHA256_DIGEST_LENGTH

/* Behind what was read so far; nothing for NULL. 0: it can't be had. */
static int add_file(unsigned char digest[DIGEST], const char *path)
{
    unsigned char both[2 * DIGEST] = {0};
    sl_file_t file;

    if (path && sl_file_read(&file, path, LARGEST, NULL) != APR_SUCCESS)
        return 0;
    memcpy(both, digest, DIGEST);
    if (path) {
        SHA256(file.bytes, file.length, both + DIGEST);
        sl_file_clear(&file);
    }
    SHA256(both, sizeof(both), digest);
    return 1;
}

int sl_contents_read(sl_contents_t *contents, const sl_settings_t *settings)
{
    int some = 0;

    memset(contents, 0, sizeof(*contents));
    for (int row = 0; row < SL_ROWS; row++) {
        const char *path;

        if (!(sl_row((sl_row_id_t)row)->weight & SL_BY_CONTENTS))
            continue;
        path = sl_settings_text(settings, (sl_row_id_t)row);
        if (!add_file(contents->digest, path))
            return 0;
        some |= path != NULL;
    }
    return some;
}
