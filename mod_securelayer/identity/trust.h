/* Whom we believe: CA certificates, CRLs, and the CA names sent in a CertificateRequest. Shared, counted, immutable.
 * Made in the parent at start; read by all threads. */
#ifndef SL_IDENTITY_TRUST_H
#define SL_IDENTITY_TRUST_H

#include "base/problem.h"
#include "base/refcount.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

typedef enum { SL_CRL_NONE, SL_CRL_LEAF, SL_CRL_CHAIN } sl_crl_check_t;

/* What to build it from; any may be NULL. Origins are for messages. */
typedef struct sl_trust_source_t {
    const char *ca_file;
    const char *ca_path; /* hashed directory: looked up by hash while verifying; all its files are read for names */
    const char *names_file, *names_path; /* SSLCADNRequestFile/Path: the names sent instead of those of the CAs */
    const char *crl_file, *crl_path;
    const char *chain_file;     /* believed as the CAs are, but named to nobody; needs CAs */
    const char *responder_file; /* certificates of OCSP responders */
    sl_crl_check_t crl_check;
    int crl_missing_ok; /* no_crl_for_cert_ok */
    apr_uint64_t stamp; /* base/file_stamp of its files, in the order of sl_trust_paths(), before they were read; 0:
                           not known */
    sl_origin_t ca_file_origin, ca_path_origin, names_file_origin, names_path_origin, crl_file_origin, crl_path_origin,
        crl_check_origin, chain_file_origin, responder_file_origin;
} sl_trust_source_t;

typedef struct sl_trust_t {
    sl_refcount_t holders;
    X509_STORE *store;           /* CRL flags are set on it; NULL if no CA was given */
    STACK_OF(X509_NAME) *names;  /* distinct, in file order (directories: in the order of file names); NULL if no CA
                                    was given */
    STACK_OF(X509) *cas;         /* those put into the store; NULL if it is */
    STACK_OF(X509_CRL) *crls;    /* likewise */
    STACK_OF(X509) *responders;  /* whom OCSP answers are believed besides the issuer; NULL: nobody */
    apr_uint64_t version;        /* grows with each that takes its place while the server runs; 0: of the start */
    int crl_missing_ok;          /* a certificate without a CRL of its issuer passes; the verify callback sees to it */
} sl_trust_t;

#define SL_TRUST_PATHS 8
/* Its files and directories, and a NULL behind them. */
void sl_trust_paths(const sl_trust_source_t *source, const char *paths[SL_TRUST_PATHS + 1]);
/* Equal for sources that make the same trust of the same files. */
const char *sl_trust_source_text(const sl_trust_source_t *source, apr_pool_t *pool);

/* Problems (all of them) go to `problems`: AH01895 unreadable CA file, AH02210 unreadable file of names, AH01896 no
 * name found, AH01899 CRL check without a CRL file or path, AH01901 unreadable CRL file; warnings: AH01902 CRLs
 * given but check is none, an expired CA or CRL, a directory without hash links (certificates in it are named to
 * clients but not found when verifying).
 *
 * Of a hashed directory the certificates and CRLs that its links lead to are put into the store at once, so that they
 * are settled before threads share them; OpenSSL looks up in the directory what comes later.
 * Returns APR_SUCCESS or the status of the first error; `*trust` is then NULL. */
apr_status_t sl_trust_new(sl_trust_t **trust, const sl_trust_source_t *source, apr_int64_t now, apr_pool_t *scratch,
                          sl_problems_t *problems) __attribute__((warn_unused_result));
/* The same from objects that somebody else has read (identity/trust_blob): of `source` the directories and the kind of
 * check count, no file is read now. The lists become the trust's, in any case. NULL only if memory ends. */
sl_trust_t *sl_trust_assemble(const sl_trust_source_t *source, STACK_OF(X509) *cas, STACK_OF(X509_NAME) *names,
                              STACK_OF(X509_CRL) *crls, STACK_OF(X509) *responders);
void sl_trust_retain(sl_trust_t *trust);
void sl_trust_release(sl_trust_t *trust);

#endif
