/* PEM text (RFC 7468 read leniently, and RFC 1421 headers) taken apart into labelled blocks of bytes; base64.
 *
 * Lines may end in LF, CRLF or CR; blanks around lines and text between blocks are skipped.
 * Runs in: any process and thread. Readers borrow the text; decoded bytes belong to the block and are cleansed. */
#ifndef SL_CRYPTO_PEM_BLOCK_H
#define SL_CRYPTO_PEM_BLOCK_H

#include "base/bytes.h"

#define SL_PEM_LABEL_MAX 63

typedef struct sl_pem_block_t {
    char label[SL_PEM_LABEL_MAX + 1]; /* "CERTIFICATE": upper-case letters, digits, blanks and the like only */
    const unsigned char *start;       /* of the BEGIN line */
    const unsigned char *headers;     /* "Proc-Type: ..." lines as they stand, empty if there are none */
    apr_size_t headers_length;
    unsigned char *der;
    apr_size_t der_length;
    apr_size_t der_size;              /* allocated */
} sl_pem_block_t;

/* The next block of `text`: 1 if there is one (the caller clears it), 0 if there is none, -1 if what begins at
 * block->start is damaged; `*damage` then says how ("does not end"), NULL if memory ended, and nothing is to be
 * cleared. */
int sl_pem_block_next(sl_reader_t *text, sl_pem_block_t *block, const char **damage);
void sl_pem_block_clear(sl_pem_block_t *block);

/* Does `text` hold a BEGIN line? */
int sl_pem_block_any(const unsigned char *text, apr_size_t length);

/* Decodes base64 with blanks and line ends in it. 0 if there is anything else or the padding is wrong. `out` has room
 * for length / 4 * 3 + 3 bytes. */
int sl_base64_decode(unsigned char *out, apr_size_t *out_length, const unsigned char *in, apr_size_t length);

#endif
