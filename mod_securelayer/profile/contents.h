/* What is in the files of certificates and CRLs that settings name (rows with SL_BY_CONTENTS), as one digest: hosting
 * panels give each host files of its own that are the same in all of them.
 * In the parent at start. */
#ifndef SL_PROFILE_CONTENTS_H
#define SL_PROFILE_CONTENTS_H

#include "profile/settings.h"

typedef struct sl_contents_t {
    unsigned char digest[32]; /* SHA-256 */
} sl_contents_t;

/* Equal for settings whose rows name files with the same bytes. 0: they name none, or one that can't be read, or is
 * larger than a file of a host's own would be. */
int sl_contents_read(sl_contents_t *contents, const sl_settings_t *settings);

#endif
