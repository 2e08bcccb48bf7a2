/* DER elements of a file: just enough to tell what a file holds and to take keys of known types apart.
 *
 * Readers come from base/bytes.h and never pass their end. Tags are single bytes (all that certificates and keys
 * begin with); lengths are definite, or indefinite (BER, as some PKCS#12 and PKCS#7 files have it): the content then
 * is all that follows.
 * Runs in: any process and thread; borrows the bytes. */
#ifndef SL_CRYPTO_DER_H
#define SL_CRYPTO_DER_H

#include "base/bytes.h"

enum {
    SL_DER_INTEGER = 0x02,
    SL_DER_BIT_STRING = 0x03,
    SL_DER_OCTET_STRING = 0x04,
    SL_DER_OID = 0x06,
    SL_DER_UTC_TIME = 0x17,
    SL_DER_GENERAL_TIME = 0x18,
    SL_DER_SEQUENCE = 0x30,
    SL_DER_CONTEXT_0 = 0xa0,
    SL_DER_CONTEXT_1 = 0xa1
};

/* The next element: its tag, and a reader of its content. 0 (and `r` failed) if there is none or it passes the end. */
unsigned sl_der_next(sl_reader_t *r, sl_reader_t *content);
/* The same, and 1 if it has the tag `tag`; else `r` has failed, `content` is empty and 0 is returned. */
int sl_der_expect(sl_reader_t *r, unsigned tag, sl_reader_t *content);
/* Tag of the next element without taking it, 0 at the end. */
unsigned sl_der_peek(const sl_reader_t *r);
/* A non-negative INTEGER without leading zeros. */
int sl_der_unsigned(sl_reader_t *r, sl_reader_t *number);

/* What the DER element at the start of `bytes` is, as the label it would have in PEM ("CERTIFICATE", "X509 CRL",
 * "CERTIFICATE REQUEST", "PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY",
 * "DSA PRIVATE KEY", "PUBLIC KEY", "RSA PUBLIC KEY", "DH PARAMETERS", "PKCS7", "PKCS12"); NULL if it is none of them.
 * `*size` is the length of the element with its header; all of `length` when the length is indefinite. */
const char *sl_der_label(const unsigned char *bytes, apr_size_t length, apr_size_t *size);

#endif
