/* Files that are something else.  Called by pem.c when it found nothing it could use. */
#include "crypto/file_look.h"

#include <ctype.h>
#include <string.h>

#define LOOKED_AT 4096

enum at { AT_START, AT_TEXT, ANYWHERE };

/* In the order of trial. AT_TEXT: at the first byte that is no blank. */
static const struct {
    enum at at;
    unsigned char length;
    const char *bytes;
    sl_file_look_t look;
} looks[] = {
    {AT_START, 4, "\xfe\xed\xfe\xed",
     {"is a Java keystore (JKS)",
      "Convert it: keytool -importkeystore -srckeystore %s -destkeystore NEW.p12 -deststoretype pkcs12"}},
    {AT_START, 4, "\xce\xce\xce\xce",
     {"is a Java keystore (JCEKS)",
      "Convert it: keytool -importkeystore -srckeystore %s -srcstoretype jceks -destkeystore NEW.p12 "
      "-deststoretype pkcs12"}},
    {AT_START, 2, "\xff\xfe", {"is UTF-16 text", "Save it as ASCII or UTF-8 text"}},
    {AT_START, 2, "\xfe\xff", {"is UTF-16 text", "Save it as ASCII or UTF-8 text"}},
    {AT_START, 2, "\x1f\x8b", {"is compressed (gzip)", "Unpack it first: gunzip"}},
    {AT_START, 6, "\xfd" "7zXZ\0", {"is compressed (xz)", "Unpack it first: unxz"}},
    {AT_START, 3, "BZh", {"is compressed (bzip2)", "Unpack it first: bunzip2"}},
    {AT_START, 4, "PK\3\4", {"is a ZIP archive", "Unpack it first: unzip"}},
    {AT_START, 4, "\x7f" "ELF", {"is a program", NULL}},
    {AT_START, 4, "%PDF", {"is a PDF document", NULL}},
    {AT_START, 15, "openssh-key-v1\0", {"is an OpenSSH key", "Convert a copy: ssh-keygen -p -m PKCS8 -f COPY"}},
    {AT_TEXT, 20, "PuTTY-User-Key-File-", {"is a PuTTY key", "Convert it: puttygen %s -O private-openssh-new -o NEW && "
                                                            "ssh-keygen -p -m PKCS8 -f NEW"}},
    {AT_TEXT, 4, "ssh-", {"is an OpenSSH public key", "Name a file in PEM form"}},
    {AT_TEXT, 11, "ecdsa-sha2-", {"is an OpenSSH public key", "Name a file in PEM form"}},
    {AT_TEXT, 5, "<?xml", {"is XML", "Download the file itself, in PEM form"}},
    {AT_TEXT, 1, "<", {"is a web page (HTML)", "Download the file itself instead of the page that shows it"}},
    {AT_TEXT, 1, "{", {"is JSON", "Take the PEM text out of it"}},
    {AT_TEXT, 12, "Certificate:",
     {"is a certificate printed as text", "Get the file again, with its PEM block (-----BEGIN CERTIFICATE-----)"}},
    {AT_TEXT, 14, "Bag Attributes",
     {"is what is left of a PKCS#12 conversion; it holds no PEM block", "Convert the PKCS#12 file again"}},
    {ANYWHERE, 6, "-BEGIN", {"holds a BEGIN line that is not as PEM has it",
                             "A PEM block begins with a line like -----BEGIN CERTIFICATE-----, five dashes on each "
                             "side"}},
    {ANYWHERE, 4, "-END", {"holds the end of a PEM block but not its beginning", "Get the whole file again"}},
};

static const sl_file_look_t empty = {"is empty", "Put the certificate or key into it"};
static const sl_file_look_t blank = {"holds nothing but blanks", "Put the certificate or key into it"};
static const sl_file_look_t der = {"is binary (ASN.1), but no whole certificate, key, CRL, PKCS#7 or PKCS#12",
                                   NULL};
static const sl_file_look_t binary = {"is binary, but no certificate, key, PKCS#7 or PKCS#12", NULL};
static const sl_file_look_t text = {"is text without a PEM block", "A PEM block begins with a line like "
                                                                   "-----BEGIN CERTIFICATE-----"};

static int contains(const unsigned char *bytes, apr_size_t length, const char *what, apr_size_t what_length)
{
    for (apr_size_t i = 0; i + what_length <= length; i++) {
        if (memcmp(bytes + i, what, what_length) == 0)
            return 1;
    }
    return 0;
}

static int is_binary(const unsigned char *bytes, apr_size_t length)
{
    apr_size_t odd = 0;

    for (apr_size_t i = 0; i < length; i++) {
        if (bytes[i] == '\0')
            return 1;
        if (bytes[i] >= 0x80 || (bytes[i] < 0x20 && !isspace(bytes[i])))
            odd++;
    }
    return odd > length / 4;
}

const sl_file_look_t *sl_file_look(const unsigned char *bytes, apr_size_t length)
{
    apr_size_t start = 0;

    if (length == 0)
        return &empty;
    if (length > LOOKED_AT)
        length = LOOKED_AT;
    if (length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
        start = 3;
    while (start < length && isspace(bytes[start]))
        start++;
    if (start == length)
        return &blank;
    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
        apr_size_t from = looks[i].at == AT_TEXT ? start : 0;

        if (looks[i].at == ANYWHERE
                ? contains(bytes, length, looks[i].bytes, looks[i].length)
                : length - from >= looks[i].length && memcmp(bytes + from, looks[i].bytes, looks[i].length) == 0)
            return &looks[i].look;
    }
    if (bytes[0] == 0x30 && is_binary(bytes, length))
        return &der;
    return is_binary(bytes, length) ? &binary : &text;
}
