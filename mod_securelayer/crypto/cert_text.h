/* Facts of a certificate as text, in the exact formats of mod_ssl's variables (names are those of OpenSSL).
 * Results live in the pool; NULL means "this certificate has no such thing". X509 arguments are borrowed.
 * Runs in: any thread. */
#ifndef SL_CRYPTO_CERT_TEXT_H
#define SL_CRYPTO_CERT_TEXT_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <openssl/x509.h>

typedef enum { SL_DN_SUBJECT, SL_DN_ISSUER } sl_dn_t;
typedef enum { SL_SAN_EMAIL, SL_SAN_DNS, SL_SAN_URI, SL_SAN_IP, SL_SAN_MSUPN, SL_SAN_DNSSRV } sl_san_t;

/* RFC 2253 order and escapes, UTF-8 kept: "CN=a.test,O=Example,C=US"; with `legacy` OpenSSL's one-line slash form. */
const char *sl_cert_text_dn(apr_pool_t *pool, X509 *cert, sl_dn_t which, int legacy);
/* The same for messages: cut after 300 bytes, everything but printable ASCII escaped; never NULL. */
const char *sl_cert_text_dn_for_log(apr_pool_t *pool, X509 *cert, sl_dn_t which);
/* One attribute of the DN: the `index`-th (from 0) of the attribute with OpenSSL NID `nid`. Converted to UTF-8 and
 * control characters escaped unless `raw`. */
const char *sl_cert_text_dn_part(apr_pool_t *pool, X509 *cert, sl_dn_t which, int nid, int index, int raw);
/* All values of one attribute, const char * each, in certificate order, in one walk; empty array if none. */
apr_array_header_t *sl_cert_text_dn_parts(apr_pool_t *pool, X509 *cert, sl_dn_t which, int nid);
/* How often the attribute occurs. */
int sl_cert_text_dn_count(X509 *cert, sl_dn_t which, int nid);
/* All subjectAltName entries of one kind, const char * each, in certificate order; empty array if none.
 * IP as text ("192.0.2.1", "2001:db8::1"). msUPN and dnsSRV are otherName entries (UTF8String; IA5String).
 * Control characters and NUL are escaped (\0A, \00), as mod_ssl does. */
apr_array_header_t *sl_cert_text_san(apr_pool_t *pool, X509 *cert, sl_san_t kind);
const char *sl_cert_text_version(apr_pool_t *pool, X509 *cert);   /* "3" */
const char *sl_cert_text_serial(apr_pool_t *pool, X509 *cert);    /* upper-case hex */
const char *sl_cert_text_not_before(apr_pool_t *pool, X509 *cert); /* "Feb 21 16:28:02 2027 GMT" */
const char *sl_cert_text_not_after(apr_pool_t *pool, X509 *cert);
/* Whole days until notAfter from `now` (seconds since 1970), at least "0". */
const char *sl_cert_text_remain(apr_pool_t *pool, X509 *cert, apr_int64_t now);
const char *sl_cert_text_signature_algorithm(apr_pool_t *pool, X509 *cert); /* OpenSSL long name or "UNKNOWN" */
const char *sl_cert_text_key_algorithm(apr_pool_t *pool, X509 *cert);
const char *sl_cert_text_pem(apr_pool_t *pool, X509 *cert);       /* with trailing newline */
const char *sl_cert_text_pem_of(apr_pool_t *pool, const unsigned char *der, apr_size_t length); /* of its DER */
const char *sl_cert_text_base64(apr_pool_t *pool, X509 *cert);    /* DER in base64, one line */
const char *sl_cert_text_sha256(apr_pool_t *pool, X509 *cert);    /* 64 lower-case hex digits, of the DER */
/* RFC 4523 CertificateExactAssertion: { serialNumber 4711, issuer rdnSequence:"CN=ca" } */
const char *sl_cert_text_exact_assertion(apr_pool_t *pool, X509 *cert);
/* Values of all extensions with `oid` (dotted or OpenSSL name), printed as OpenSSL does (X509V3_EXT_print; unknown
 * ones only if they are a UTF8, IA5, Visible or BMP string); NULL if there is none or the OID is unknown. */
apr_array_header_t *sl_cert_text_extensions(apr_pool_t *pool, X509 *cert, const char *oid);

/* notBefore / notAfter as seconds since 1970; 0 if unparsable. */
apr_int64_t sl_cert_not_before(X509 *cert);
apr_int64_t sl_cert_not_after(X509 *cert);

/* Has OpenSSL compute what it otherwise computes at first use and keeps in the X509 (what its extensions say, its
 * public key). Certificates that several threads share are settled before they do, so that no two are the first. False:
 * memory ended, and the certificate can never be used. */
int sl_cert_settle(X509 *cert);
/* The first of `certs` (NULL: none), but not itself, that may have issued `cert` by names, key identifiers and usages
 * (X509_check_issued()); borrowed. NULL: none did. */
X509 *sl_cert_issuer_among(const STACK_OF(X509) *certs, X509 *cert);

/* Registers the object identifiers that OpenSSL lacks (id-on-dnsSRV 1.3.6.1.5.5.7.8.7) once per process. */
void sl_cert_text_init(void);

#endif
