/* What a file without certificates and keys looks like, told so that its owner recognises the mistake.
 *
 * Pure; the texts are static. Runs in: any process and thread. */
#ifndef SL_CRYPTO_FILE_LOOK_H
#define SL_CRYPTO_FILE_LOOK_H

#include <apr.h>

typedef struct sl_file_look_t {
    const char *what;   /* "is a web page (HTML)" */
    const char *advice; /* what to do, may hold one %s for the file's name; NULL for none */
} sl_file_look_t;

/* Never NULL. */
const sl_file_look_t *sl_file_look(const unsigned char *bytes, apr_size_t length);

#endif
