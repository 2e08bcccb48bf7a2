/* DER elements.  Used by pem.c to tell what a file without PEM labels holds, and by key_der.c to read keys. */
#include "crypto/der.h"

#include <stddef.h>

unsigned sl_der_peek(const sl_reader_t *r)
{
    return r->failed || !sl_reader_left(r) ? 0 : r->at[0];
}

unsigned sl_der_next(sl_reader_t *r, sl_reader_t *content)
{
    unsigned tag = sl_reader_u8(r);
    apr_size_t length = sl_reader_u8(r);

    if (length == 0x80) {
        length = sl_reader_left(r);
    }
    else if (length > 0x80) {
        int bytes = (int)length - 0x80;

        for (length = 0; bytes > 0 && !r->failed; bytes--) {
            if (length >> 24)
                r->failed = 1;
            length = length << 8 | sl_reader_u8(r);
        }
    }
    sl_reader_init(content, r->end, 0);
    if (r->failed || (tag & 0x1f) == 0x1f || length > sl_reader_left(r)) {
        r->failed = 1;
        r->at = r->end;
        return 0;
    }
    sl_reader_init(content, sl_reader_take(r, length), length);
    return tag;
}

int sl_der_expect(sl_reader_t *r, unsigned tag, sl_reader_t *content)
{
    if (sl_der_next(r, content) == tag)
        return 1;
    r->failed = 1;
    sl_reader_init(content, r->end, 0);
    return 0;
}

int sl_der_unsigned(sl_reader_t *r, sl_reader_t *number)
{
    if (!sl_der_expect(r, SL_DER_INTEGER, number) || !sl_reader_left(number) || number->at[0] & 0x80) {
        r->failed = 1;
        return 0;
    }
    while (sl_reader_left(number) && number->at[0] == 0)
        number->at++;
    return 1;
}

/* SEQUENCE { tbs, algorithm, BIT STRING }: certificate, CRL and request differ in what the first part begins with. */
static const char *signed_label(sl_reader_t tbs)
{
    sl_reader_t part;
    unsigned first = sl_der_peek(&tbs);

    if (first == SL_DER_CONTEXT_0)
        return "CERTIFICATE";
    if (first == SL_DER_SEQUENCE)
        return "X509 CRL"; /* version 1 */
    if (!sl_der_expect(&tbs, SL_DER_INTEGER, &part) || !sl_der_expect(&tbs, SL_DER_SEQUENCE, &part))
        return NULL;
    if (sl_der_peek(&part) != SL_DER_OID)
        return "CERTIFICATE REQUEST";
    if (!sl_der_expect(&tbs, SL_DER_SEQUENCE, &part))
        return NULL;
    return sl_der_peek(&tbs) == SL_DER_SEQUENCE ? "CERTIFICATE" : "X509 CRL";
}

static const char *sequence_first_label(sl_reader_t *top)
{
    sl_reader_t first, second;

    sl_der_next(top, &first);
    switch (sl_der_next(top, &second)) {
    case SL_DER_SEQUENCE:
        return sl_der_peek(top) == SL_DER_BIT_STRING ? signed_label(first) : NULL;
    case SL_DER_OCTET_STRING:
        return "ENCRYPTED PRIVATE KEY";
    case SL_DER_BIT_STRING:
        return "PUBLIC KEY";
    default:
        return NULL;
    }
}

static const char *integers_label(sl_reader_t *top, int version)
{
    sl_reader_t number;
    int more = 0;

    while (sl_der_peek(top) == SL_DER_INTEGER && sl_der_next(top, &number))
        more++;
    if (more == 0)
        return version > 1 ? "RSA PUBLIC KEY" : NULL;
    if (version > 1)
        return "DH PARAMETERS";
    return more == 4 ? "DSA PRIVATE KEY" : more >= 7 ? "RSA PRIVATE KEY" : NULL;
}

static const char *integer_first_label(sl_reader_t *top)
{
    sl_reader_t first, second;
    int version;

    if (!sl_der_unsigned(top, &first))
        return NULL;
    version = sl_reader_left(&first) > 1 ? 256 : sl_reader_left(&first) ? first.at[0] : 0;
    switch (sl_der_next(top, &second)) {
    case SL_DER_SEQUENCE:
        if (version == 3)
            return "PKCS12";
        return sl_der_peek(top) == SL_DER_OCTET_STRING ? "PRIVATE KEY" : NULL;
    case SL_DER_OCTET_STRING:
        return "EC PRIVATE KEY";
    case SL_DER_INTEGER: {
        const char *label = integers_label(top, version);

        /* Two numbers: a modulus and an exponent of at most 64 bits, or a prime and a generator just as small. Only
         * RSA exponents that are used (3, 17, 65537) tell them apart from the usual generators 2 and 5. */
        if (label && version > 1 && sl_reader_left(&second) == 1 && (second.at[0] == 2 || second.at[0] == 5))
            return "DH PARAMETERS";
        return label;
    }
    default:
        return NULL;
    }
}

const char *sl_der_label(const unsigned char *bytes, apr_size_t length, apr_size_t *size)
{
    sl_reader_t file, top;

    *size = 0;
    sl_reader_init(&file, bytes, length);
    if (!sl_der_expect(&file, SL_DER_SEQUENCE, &top))
        return NULL;
    *size = length - sl_reader_left(&file);
    switch (sl_der_peek(&top)) {
    case SL_DER_SEQUENCE:
        return sequence_first_label(&top);
    case SL_DER_INTEGER:
        return integer_first_label(&top);
    case SL_DER_OID:
        return "PKCS7";
    default:
        return NULL;
    }
}
