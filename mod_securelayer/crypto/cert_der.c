/* Certificates, read without OpenSSL.  Called by identity/stored for each certificate of a start. */
#include "crypto/cert_der.h"

#include "base/text.h"
#include "crypto/der.h"

#include <apr_time.h>
#include <string.h>

#define EXTENSIONS 0xa3
#define BOOLEAN 0x01
#define NONE 0x05 /* NULL */
#define UTF8_STRING 0x0c
#define PRINTABLE_STRING 0x13
#define IA5_STRING 0x16
#define SET 0x31
#define DNS_NAME 0x82
#define IP_ADDRESS 0x87
#define EMAIL 0x81
#define URI 0x86
#define KEY_IDENTIFIER 0x80
#define KEY_CERT_SIGN 0x04 /* in the first byte of the key usage */

/* DER has no indefinite lengths. */
static unsigned next(sl_reader_t *r, sl_reader_t *content)
{
    if (sl_reader_left(r) > 1 && r->at[1] == 0x80)
        r->failed = 1;
    return sl_der_next(r, content);
}

static int expect(sl_reader_t *r, unsigned tag, sl_reader_t *content)
{
    if (next(r, content) == tag)
        return 1;
    r->failed = 1;
    return 0;
}

/* ---- parts whose contents nobody here asks for, but OpenSSL has to be able to decode ---- */

/* Of each number in it only the last byte has no 0x80, and none begins with 0x80 alone. */
static int expect_oid(sl_reader_t *r, sl_reader_t *oid)
{
    int begins = 1;

    if (!expect(r, SL_DER_OID, oid) || !sl_reader_left(oid))
        return 0;
    for (const unsigned char *at = oid->at; at < oid->end; at++) {
        if (begins && *at == 0x80)
            return 0;
        begins = !(*at & 0x80);
    }
    return begins;
}

/* An INTEGER of no more bytes than it needs. */
static int take_serial(sl_reader_t *tbs)
{
    sl_reader_t number;
    const unsigned char *at;

    if (!expect(tbs, SL_DER_INTEGER, &number) || !sl_reader_left(&number))
        return 0;
    at = number.at;
    return sl_reader_left(&number) == 1 || (at[0] != 0 && at[0] != 0xff) || (at[0] ^ at[1]) & 0x80;
}

static int take_algorithm(sl_reader_t *r, sl_reader_t *type, sl_reader_t *curve)
{
    sl_reader_t algorithm, parameter;

    if (!expect(r, SL_DER_SEQUENCE, &algorithm) || !expect_oid(&algorithm, type))
        return 0;
    sl_reader_init(curve, algorithm.end, 0);
    switch (sl_der_peek(&algorithm)) {
    case 0:
        return !sl_reader_left(&algorithm);
    case SL_DER_OID:
        return expect_oid(&algorithm, curve) && !sl_reader_left(&algorithm);
    case NONE:
        return next(&algorithm, &parameter) && !sl_reader_left(&parameter) && !sl_reader_left(&algorithm);
    case SL_DER_SEQUENCE:
        return next(&algorithm, &parameter) && !sl_reader_left(&algorithm);
    default:
        return 0;
    }
}

/* RFC 3629. */
static int is_utf8(sl_reader_t text)
{
    static const apr_uint32_t least[] = {0, 0x80, 0x800, 0x10000};

    while (sl_reader_left(&text)) {
        apr_uint32_t number = sl_reader_u8(&text);
        int more = number < 0x80 ? 0 : number < 0xe0 ? 1 : number < 0xf0 ? 2 : 3;

        if ((number >= 0x80 && number < 0xc0) || number >= 0xf8)
            return 0;
        if (more)
            number &= 0x3fu >> more;
        for (int i = 0; i < more; i++) {
            unsigned byte = sl_reader_u8(&text);

            if ((byte & 0xc0) != 0x80)
                return 0;
            number = number << 6 | (byte & 0x3f);
        }
        if (number < least[more] || number > 0x10ffff || (number >= 0xd800 && number < 0xe000))
            return 0;
    }
    return 1;
}

static int is_attribute(sl_reader_t *set)
{
    sl_reader_t attribute, type, value;
    unsigned tag;

    if (!expect(set, SL_DER_SEQUENCE, &attribute) || !expect_oid(&attribute, &type))
        return 0;
    tag = next(&attribute, &value);
    return !sl_reader_left(&attribute) &&
           (tag == PRINTABLE_STRING || tag == IA5_STRING || (tag == UTF8_STRING && is_utf8(value)));
}

/* RDNSequence. */
static int take_dn(sl_reader_t *tbs, sl_reader_t *name)
{
    sl_reader_t all, set;

    if (!expect(tbs, SL_DER_SEQUENCE, name))
        return 0;
    for (all = *name; sl_reader_left(&all);) {
        if (!expect(&all, SET, &set) || !sl_reader_left(&set))
            return 0;
        while (sl_reader_left(&set)) {
            if (!is_attribute(&set))
                return 0;
        }
    }
    return 1;
}

/* ---- times ---- */

static int two_digits(sl_reader_t *r)
{
    unsigned tens = sl_reader_u8(r) - '0', ones = sl_reader_u8(r) - '0';

    if (tens > 9 || ones > 9)
        r->failed = 1;
    return (int)(tens * 10 + ones);
}

/* RFC 5280 section 4.1.2.5: to the second, in UTC. */
static int take_time(sl_reader_t *validity, apr_int64_t *seconds)
{
    sl_reader_t text;
    apr_time_exp_t parts, same;
    apr_time_t moment;
    unsigned tag = next(validity, &text);
    int year;

    if (tag != SL_DER_UTC_TIME && tag != SL_DER_GENERAL_TIME)
        return 0;
    memset(&parts, 0, sizeof(parts));
    year = two_digits(&text);
    if (tag == SL_DER_GENERAL_TIME)
        year = year * 100 + two_digits(&text);
    else
        year += year < 50 ? 2000 : 1900;
    parts.tm_year = year - 1900;
    parts.tm_mon = two_digits(&text) - 1;
    parts.tm_mday = two_digits(&text);
    parts.tm_hour = two_digits(&text);
    parts.tm_min = two_digits(&text);
    parts.tm_sec = two_digits(&text);
    if (sl_reader_u8(&text) != 'Z' || text.failed || sl_reader_left(&text) || parts.tm_mon < 0 || parts.tm_mon > 11 ||
        parts.tm_mday < 1 || parts.tm_mday > 31 || parts.tm_hour > 23 || parts.tm_min > 59 || parts.tm_sec > 59)
        return 0;
    if (apr_time_exp_gmt_get(&moment, &parts) != APR_SUCCESS || apr_time_exp_gmt(&same, moment) != APR_SUCCESS ||
        same.tm_mday != parts.tm_mday) /* February 30th */
        return 0;
    *seconds = apr_time_sec(moment);
    return 1;
}

static int take_validity(sl_cert_der_t *cert, sl_reader_t *tbs)
{
    sl_reader_t validity;

    return expect(tbs, SL_DER_SEQUENCE, &validity) && take_time(&validity, &cert->not_before) &&
           take_time(&validity, &cert->not_after) && !sl_reader_left(&validity);
}

/* ---- the rest ---- */

static int take_key(sl_cert_der_t *cert, sl_reader_t *tbs)
{
    sl_reader_t info;

    return expect(tbs, SL_DER_SEQUENCE, &info) && take_algorithm(&info, &cert->key_type, &cert->key_curve) &&
           expect(&info, SL_DER_BIT_STRING, &cert->key) && sl_reader_u8(&cert->key) == 0 && !cert->key.failed &&
           !sl_reader_left(&info);
}

static int take_basic_constraints(sl_cert_der_t *cert, sl_reader_t value)
{
    sl_reader_t constraints, flag, depth;

    if (!expect(&value, SL_DER_SEQUENCE, &constraints) || sl_reader_left(&value))
        return 0;
    if (sl_der_peek(&constraints) == BOOLEAN && next(&constraints, &flag))
        cert->is_ca = sl_reader_left(&flag) == 1 && *flag.at;
    if (sl_reader_left(&constraints) && !sl_der_unsigned(&constraints, &depth))
        return 0;
    return !sl_reader_left(&constraints);
}

static int take_issuer_key(sl_cert_der_t *cert, sl_reader_t value)
{
    sl_reader_t identifiers;

    if (!expect(&value, SL_DER_SEQUENCE, &identifiers))
        return 0;
    if (sl_der_peek(&identifiers) == KEY_IDENTIFIER && !next(&identifiers, &cert->issuer_key))
        return 0;
    cert->names_issuer = sl_reader_left(&identifiers) > 0;
    return 1;
}

static int take_key_usage(sl_cert_der_t *cert, sl_reader_t value)
{
    sl_reader_t bits;

    if (!expect(&value, SL_DER_BIT_STRING, &bits))
        return 0;
    /* The first byte of a BIT STRING counts its unused bits. */
    cert->is_no_signer =
        sl_reader_left(&bits) < 2 || !(bits.at[1] & KEY_CERT_SIGN) || (sl_reader_left(&bits) == 2 && bits.at[0] > 2);
    return 1;
}

/* Those of id-ce, 2.5.29.x. */
static int take_known(sl_cert_der_t *cert, unsigned which, sl_reader_t value)
{
    switch (which) {
    case 14:
        return expect(&value, SL_DER_OCTET_STRING, &cert->subject_key);
    case 15:
        return take_key_usage(cert, value);
    case 17:
        return expect(&value, SL_DER_SEQUENCE, &cert->alt_names) && !sl_reader_left(&value);
    case 19:
        return take_basic_constraints(cert, value);
    case 35:
        return take_issuer_key(cert, value);
    default:
        return 1;
    }
}

/* Of two of a kind OpenSSL believes none. */
static int is_first(unsigned which, apr_uint64_t *seen)
{
    apr_uint64_t bit = which < 64 ? (apr_uint64_t)1 << which : 0;

    if (*seen & bit)
        return 0;
    *seen |= bit;
    return 1;
}

/* What is found where: all by addresses in printable ASCII, and one at least. */
static int are_accesses(sl_reader_t all)
{
    sl_reader_t access, method, where;

    do {
        if (!expect(&all, SL_DER_SEQUENCE, &access) || !expect_oid(&access, &method) || !expect(&access, URI, &where) ||
            sl_reader_left(&access))
            return 0;
        while (sl_reader_left(&where)) {
            unsigned byte = sl_reader_u8(&where);

            if (byte <= ' ' || byte > '~')
                return 0;
        }
    } while (sl_reader_left(&all));
    return 1;
}

/* Those of id-pe, 1.3.6.1.5.5.7.1.x. */
static int take_private(sl_cert_der_t *cert, unsigned which, sl_reader_t value)
{
    if (which == 24)
        cert->has_features = 1;
    if (which != 1)
        return 1;
    return !sl_reader_left(&cert->access) && expect(&value, SL_DER_SEQUENCE, &cert->access) &&
           !sl_reader_left(&value) && are_accesses(cert->access);
}

static int take_extension(sl_cert_der_t *cert, sl_reader_t *all, apr_uint64_t *seen)
{
    sl_reader_t extension, oid, critical, value;

    if (!expect(all, SL_DER_SEQUENCE, &extension) || !expect_oid(&extension, &oid))
        return 0;
    if (sl_der_peek(&extension) == BOOLEAN && (!next(&extension, &critical) || sl_reader_left(&critical) != 1))
        return 0;
    if (!expect(&extension, SL_DER_OCTET_STRING, &value) || sl_reader_left(&extension))
        return 0;
    if (sl_reader_left(&oid) == 8 && !memcmp(oid.at, "\x2b\x06\x01\x05\x05\x07\x01", 7))
        return take_private(cert, oid.at[7], value);
    if (sl_reader_left(&oid) != 3 || oid.at[0] != 0x55 || oid.at[1] != 0x1d)
        return 1;
    return is_first(oid.at[2], seen) && take_known(cert, oid.at[2], value);
}

static int take_extensions(sl_cert_der_t *cert, sl_reader_t *tbs)
{
    sl_reader_t outer, all;
    apr_uint64_t seen = 0;

    if (!sl_reader_left(tbs))
        return 1;
    if (!expect(tbs, EXTENSIONS, &outer) || !expect(&outer, SL_DER_SEQUENCE, &all))
        return 0;
    while (sl_reader_left(&all)) {
        if (!take_extension(cert, &all, &seen))
            return 0;
    }
    return !sl_reader_left(tbs);
}

static int take_version(sl_reader_t *tbs)
{
    sl_reader_t outer, version;

    return expect(tbs, SL_DER_CONTEXT_0, &outer) && sl_der_unsigned(&outer, &version) &&
           sl_reader_is(&version, "\2", 1);
}

static int take_tbs(sl_cert_der_t *cert, sl_reader_t *tbs)
{
    sl_reader_t signature, curve;

    return take_version(tbs) && take_serial(tbs) && take_algorithm(tbs, &signature, &curve) &&
           sl_reader_equals(&signature, &cert->signature) && take_dn(tbs, &cert->issuer) && take_validity(cert, tbs) &&
           take_dn(tbs, &cert->subject) && take_key(cert, tbs) && take_extensions(cert, tbs);
}

int sl_cert_der_read(sl_cert_der_t *cert, const unsigned char *der, apr_size_t length)
{
    sl_reader_t file, top, tbs, curve, bits;

    memset(cert, 0, sizeof(*cert));
    sl_reader_init(&cert->issuer_key, der, 0);
    cert->subject_key = cert->alt_names = cert->access = cert->issuer_key;
    sl_reader_init(&file, der, length);
    return expect(&file, SL_DER_SEQUENCE, &top) && !sl_reader_left(&file) && expect(&top, SL_DER_SEQUENCE, &tbs) &&
           take_algorithm(&top, &cert->signature, &curve) && expect(&top, SL_DER_BIT_STRING, &bits) &&
           sl_reader_left(&bits) && *bits.at == 0 && !sl_reader_left(&top) && take_tbs(cert, &tbs);
}

int sl_cert_der_is_well_signed(const sl_cert_der_t *cert)
{
    const sl_reader_t *oid = &cert->signature;
    apr_size_t length = sl_reader_left(oid);

    if (length == 8 && !memcmp(oid->at, "\x2a\x86\x48\xce\x3d\x04\x03", 7)) /* ecdsa-with-SHA256, 384, 512 */
        return oid->at[7] >= 2 && oid->at[7] <= 4;
    if (length == 9 && !memcmp(oid->at, "\x2a\x86\x48\x86\xf7\x0d\x01\x01", 8)) /* sha256, 384, 512WithRSAEncryption */
        return oid->at[8] >= 11 && oid->at[8] <= 13;
    return sl_reader_is(oid, "\x2b\x65\x70", 3);
}

int sl_cert_der_is_issued_by(const sl_cert_der_t *cert, const sl_cert_der_t *issuer)
{
    if (!sl_reader_equals(&cert->issuer, &issuer->subject) || cert->names_issuer || issuer->is_no_signer)
        return 0;
    return !sl_reader_left(&cert->issuer_key) || !sl_reader_left(&issuer->subject_key) ||
           sl_reader_equals(&cert->issuer_key, &issuer->subject_key);
}

int sl_cert_der_responder(const sl_cert_der_t *cert, sl_reader_t *url)
{
    sl_reader_t all = cert->access, access, method;

    while (sl_reader_left(&all)) {
        if (!expect(&all, SL_DER_SEQUENCE, &access) || !expect_oid(&access, &method) || !expect(&access, URI, url))
            return 0;
        if (sl_reader_is(&method, "\x2b\x06\x01\x05\x05\x07\x30\x01", 8) &&
            sl_text_is_web((const char *)url->at, sl_reader_left(url)))
            return 1;
    }
    return 0;
}

/* ---- names ---- */

/* Puts it behind the others if it is a DNS name of a host. 0 if there is no room, or it is of a kind that has a form of
 * its own. */
static int take_name(unsigned tag, const sl_reader_t *name, char *names, apr_size_t room, apr_size_t *used)
{
    apr_size_t length = sl_reader_left(name);
    char host[SL_HOST_MAX + 1];

    if (tag != DNS_NAME)
        return tag == IP_ADDRESS || tag == EMAIL || tag == URI;
    /* No host that is asked for ends in a dot. */
    if (!sl_text_host(host, name->at, length) || name->at[length - 1] == '.')
        return 1;
    length = strlen(host) + 1;
    if (*used + length + 1 > room)
        return 0;
    memcpy(names + *used, host, length);
    *used += length;
    return 1;
}

apr_size_t sl_cert_der_names(const sl_cert_der_t *cert, char *names, apr_size_t room)
{
    sl_reader_t all = cert->alt_names, name;
    apr_size_t used = 0;

    while (sl_reader_left(&all)) {
        unsigned tag = next(&all, &name);

        if (!tag || !take_name(tag, &name, names, room, &used))
            return 0;
    }
    if (!used)
        return 0;
    names[used] = '\0';
    return used + 1;
}

/* Letters, digits, and hyphens within labels; no address. What else there is is compared in ways of their own. */
static int is_ordinary_host(const char *host)
{
    char before = '.';
    int has_letter = 0; /* the label */

    for (; *host; before = *host++) {
        if (*host == '.' || *host == '-') {
            if (before == '.' || (before == '-' && *host == '.'))
                return 0;
            has_letter &= *host != '.';
        }
        else if (*host >= 'a' && *host <= 'z')
            has_letter = 1;
        else if (*host < '0' || *host > '9')
            return 0;
    }
    return has_letter && before != '-';
}

int sl_cert_der_names_cover(const char *names, const char *host)
{
    const char *dot = strchr(host, '.');

    if (!is_ordinary_host(host))
        return 0;
    for (const char *name = names; *name; name += strlen(name) + 1) {
        if (!strcmp(name, host))
            return 1;
        if (dot && name[0] == '*' && name[1] == '.' && !strcmp(name + 1, dot) && strchr(dot + 1, '.'))
            return 1;
    }
    return 0;
}
