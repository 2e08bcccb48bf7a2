/* What a start wants to know of a certificate, read from its DER without decoding it (RFC 5280 section 4.1): some
 * microseconds instead of a third of a millisecond.
 *
 * Only ordinary certificates are read: version 3, times in UTC, every element in its place. Of any other one the caller
 * asks OpenSSL. Nothing is verified here.
 * Runs in: any process and thread; readers borrow the bytes. */
#ifndef SL_CRYPTO_CERT_DER_H
#define SL_CRYPTO_CERT_DER_H

#include "base/bytes.h"

typedef struct sl_cert_der_t {
    sl_reader_t issuer, subject;         /* contents of the names */
    sl_reader_t issuer_key, subject_key; /* key identifiers; empty if there are none */
    sl_reader_t key_type, key_curve;     /* object identifiers; the second one is empty unless there is one */
    sl_reader_t key;                     /* the subject's public key: the bits of the BIT STRING */
    sl_reader_t signature;               /* object identifier of the signature's algorithm */
    sl_reader_t alt_names;               /* GeneralNames of the subjectAltName; empty if there is none */
    sl_reader_t access;                  /* AccessDescriptions of the authority information access, likewise */
    apr_int64_t not_before, not_after;   /* seconds since 1970 */
    int is_ca;
    int is_no_signer;                    /* its key usage does not allow to sign certificates */
    int names_issuer;                    /* the authority key identifier names the issuer's certificate as well */
    int has_features;                    /* TLS features (RFC 7633): it may say that it has to be stapled */
} sl_cert_der_t;

/* 1 if the whole of the bytes is an ordinary certificate, else 0. */
int sl_cert_der_read(sl_cert_der_t *cert, const unsigned char *der, apr_size_t length);
/* Is it signed by an algorithm that nobody would warn of (ECDSA, PKCS#1 or Ed25519, SHA-256 or more)? */
int sl_cert_der_is_well_signed(const sl_cert_der_t *cert);
/* By names, key identifiers and key usage: is `issuer` for sure the one that `cert` names? */
int sl_cert_der_is_issued_by(const sl_cert_der_t *cert, const sl_cert_der_t *issuer);
/* The DNS names in lower case, each with a NUL behind it and one more at the end, into `names`; returns the bytes used,
 * 0 if there are more than `room`, or none, or names of kinds that only OpenSSL reads. Names with bytes that no host
 * name has are left out. */
apr_size_t sl_cert_der_names(const sl_cert_der_t *cert, char *names, apr_size_t room);
/* The first OCSP responder that it names (RFC 5280 section 4.2.2.1), of http or https, as sl_ocsp_urls() has it. 0:
 * there is none. */
int sl_cert_der_responder(const sl_cert_der_t *cert, sl_reader_t *url);
/* Do the names (as above) cover `host` (lower case) for sure: by the same name, or by a wildcard for its first label
 * (RFC 9525 section 6.3)? Only ordinary names of hosts are. */
int sl_cert_der_names_cover(const char *names, const char *host);

#endif
