/* Trust: a certificate store, CRLs, and the CA names for CertificateRequest.  Called when settings are compiled to a
 * profile. Everything that a verification may touch is decoded and settled here, in one thread. */
#include "identity/trust.h"

#include "base/text.h"
#include "crypto/cert_text.h"
#include "crypto/file_list.h"
#include "crypto/openssl_compat.h"
#include "crypto/openssl_error.h"
#include "crypto/pem.h"

#include <apr_file_info.h>
#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX 100000 /* in one directory */
#define WARNINGS_MAX 5   /* of one kind about one file or directory */

/* One call of sl_trust_new(). */
typedef struct build_t {
    sl_trust_t *trust;
    const sl_trust_source_t *source;
    apr_int64_t now;
    apr_pool_t *scratch;
    sl_problems_t *problems;
    apr_hash_t *seen; /* hash of a name -> array of const X509_NAME *, those in trust->names */
    apr_status_t first_error;
} build_t;

/* What a file is read for. */
enum { FOR_STORE = 1, FOR_NAMES = 2 };

/* A directory's distinct file. */
typedef struct dir_file_t {
    const char *path;
    apr_array_header_t *links; /* hashes its links are named after, unsigned long */
} dir_file_t;

void sl_trust_paths(const sl_trust_source_t *source, const char *paths[SL_TRUST_PATHS + 1])
{
    const char *const all[SL_TRUST_PATHS] = {source->ca_file,    source->ca_path,    source->crl_file,
                                             source->crl_path,   source->names_file, source->names_path,
                                             source->responder_file, source->chain_file};
    int count = 0;

    for (int i = 0; i < SL_TRUST_PATHS; i++) {
        if (all[i])
            paths[count++] = all[i];
    }
    paths[count] = NULL;
}

static const char *or_none(const char *path)
{
    return path ? path : "";
}

const char *sl_trust_source_text(const sl_trust_source_t *source, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%s\n%s\n%s\n%s\n%s\n%s\n%s\n%s\n%d %d", or_none(source->ca_file),
                        or_none(source->ca_path), or_none(source->names_file), or_none(source->names_path),
                        or_none(source->crl_file), or_none(source->crl_path), or_none(source->chain_file),
                        or_none(source->responder_file), (int)source->crl_check, source->crl_missing_ok);
}

static const char *keep(const build_t *build, const char *text)
{
    return apr_pstrdup(build->problems->pool, text);
}

static void warn(const build_t *build, const char *log_id, const sl_origin_t *origin, const char *object,
                 const char *advice, const char *reason)
{
    sl_problems_add(build->problems, SL_PROBLEM_WARNING, log_id, origin, object ? keep(build, object) : NULL,
                    advice ? keep(build, advice) : NULL, "%s", reason);
}

/* Files into `why`s: an error of the whole, or (for files in directories) a warning. */
static void tell(build_t *build, sl_problem_t *why, const char *log_id, sl_gravity_t gravity)
{
    why->log_id = log_id;
    if (gravity == SL_PROBLEM_ERROR && build->first_error == APR_SUCCESS)
        build->first_error = why->status;
    sl_problems_keep(build->problems, why, gravity);
}

static void fail(build_t *build, const char *log_id, const sl_origin_t *origin, const char *object, const char *advice,
                 const char *reason)
{
    sl_problem_t *why = sl_problems_new(build->problems, origin);

    sl_problem_set(why, APR_EGENERAL, object, "%s", reason);
    if (advice)
        sl_problem_advise(why, "%s", advice);
    tell(build, why, log_id, SL_PROBLEM_ERROR);
}

/* Distinct names only, found by a hash: a bundle may have very many. */
static int add_name(build_t *build, const X509_NAME *name)
{
    int ok = 1;
    unsigned long hash = X509_NAME_hash_ex(name, NULL, NULL, &ok);
    apr_array_header_t *same = ok ? apr_hash_get(build->seen, &hash, sizeof(hash)) : NULL;
    X509_NAME *copy;

    for (int i = 0; same && i < same->nelts; i++) {
        if (X509_NAME_cmp(APR_ARRAY_IDX(same, i, const X509_NAME *), name) == 0)
            return 1;
    }
    copy = X509_NAME_dup(name);
    if (!copy || !sk_X509_NAME_push(build->trust->names, copy)) {
        X509_NAME_free(copy);
        return 0;
    }
    if (!same) {
        same = apr_array_make(build->scratch, 1, sizeof(const X509_NAME *));
        apr_hash_set(build->seen, apr_pmemdup(build->scratch, &hash, sizeof(hash)), sizeof(hash), same);
    }
    APR_ARRAY_PUSH(same, const X509_NAME *) = copy;
    return 1;
}

static int add_to_store(build_t *build, X509 *cert)
{
    if (!sl_cert_settle(cert) || X509_STORE_add_cert(build->trust->store, cert) != 1 || X509_up_ref(cert) != 1)
        return 0;
    if (sk_X509_push(build->trust->cas, cert) > 0)
        return 1;
    X509_free(cert);
    return 0;
}

/* Does a link lead to it, as far as OpenSSL would look for that name? A file that was named itself (NULL) counts in any
 * case. *ok becomes 0 if memory ends. */
static int linked(const dir_file_t *file, const X509_NAME *name, int *ok)
{
    unsigned long hash = file ? X509_NAME_hash_ex(name, NULL, NULL, ok) : 0;

    for (int i = 0; file && *ok && i < file->links->nelts; i++) {
        if (APR_ARRAY_IDX(file->links, i, unsigned long) == hash)
            return 1;
    }
    return !file;
}

static void warn_of_expired_ca(build_t *build, X509 *cert, const char *path, const sl_origin_t *origin, int *told)
{
    apr_int64_t until;

    if (!sl_openssl_time(X509_get0_notAfter(cert), &until) || until >= build->now || ++*told > WARNINGS_MAX)
        return;
    warn(build, NULL, origin, path, "Replace or remove it",
         apr_psprintf(build->scratch, "the CA certificate of %s expired on %s",
                      sl_cert_text_dn_for_log(build->scratch, cert, SL_DN_SUBJECT),
                      sl_cert_text_not_after(build->scratch, cert)));
}

/* `file` is NULL for a file that was named itself: then all of its certificates count. */
static int take_certificates(build_t *build, const sl_pem_t *pem, int use, const char *path, const dir_file_t *file,
                             const sl_origin_t *origin, int *told)
{
    int ok = 1;

    for (int i = 0; ok && i < sk_X509_num(pem->certificates); i++) {
        X509 *cert = sk_X509_value(pem->certificates, i);

        if (use & FOR_NAMES)
            ok = add_name(build, X509_get_subject_name(cert));
        if (!ok || !(use & FOR_STORE) || !linked(file, X509_get_subject_name(cert), &ok))
            continue;
        ok = add_to_store(build, cert);
        warn_of_expired_ca(build, cert, path, origin, told);
    }
    return ok;
}

static void warn_of_expired_crl(build_t *build, X509_CRL *crl, const char *path, const sl_origin_t *origin, int *told)
{
    apr_int64_t until;
    char *issuer;

    if (!sl_openssl_time(X509_CRL_get0_nextUpdate(crl), &until) || until >= build->now || ++*told > WARNINGS_MAX)
        return;
    issuer = X509_NAME_oneline(X509_CRL_get_issuer(crl), NULL, 0);
    warn(build, NULL, origin, path, "Fetch a new one: an expired CRL makes every verification against it fail",
         apr_psprintf(build->scratch, "the CRL of %s has expired",
                      issuer ? sl_text_escape(build->scratch, issuer, strlen(issuer), 300) : "?"));
    OPENSSL_free(issuer);
}

static int add_crl(sl_trust_t *trust, X509_CRL *crl)
{
    if (X509_STORE_add_crl(trust->store, crl) != 1 || X509_CRL_up_ref(crl) != 1)
        return 0;
    if (sk_X509_CRL_push(trust->crls, crl) > 0)
        return 1;
    X509_CRL_free(crl);
    return 0;
}

/* Takes the CRLs of a file; false if OpenSSL refuses one. */
static int take_crls(build_t *build, const sl_pem_t *pem, const char *path, const dir_file_t *file,
                     const sl_origin_t *origin, int *told)
{
    int ok = 1;

    for (int i = 0; ok && i < sk_X509_CRL_num(pem->crls); i++) {
        X509_CRL *crl = sk_X509_CRL_value(pem->crls, i);

        warn_of_expired_crl(build, crl, path, origin, told);
        if (build->trust->store && linked(file, X509_CRL_get_issuer(crl), &ok))
            ok = add_crl(build->trust, crl);
    }
    return ok;
}

static void use_ca_file(build_t *build, const char *path, int use, const sl_origin_t *origin, const char *log_id)
{
    sl_problem_t *why = sl_problems_new(build->problems, origin);
    sl_pem_t pem;
    apr_status_t status = sl_pem_read_file(&pem, path, SL_PEM_CERTIFICATES, NULL, NULL, why);
    int told = 0, told_crls = 0;

    if (status == APR_SUCCESS && sk_X509_num(pem.certificates) == 0) {
        status = sl_problem_set(why, APR_EGENERAL, path, "holds no certificate, but %s",
                                sl_pem_describe(&pem, build->scratch));
        sl_problem_advise(why, "Name a file with CA certificates in PEM form");
    }
    else if (status == APR_SUCCESS &&
             (!take_certificates(build, &pem, use, path, NULL, origin, &told) ||
              ((use & FOR_STORE) && !take_crls(build, &pem, path, NULL, origin, &told_crls)))) {
        status = sl_openssl_problem(why, path, "its certificates cannot be used");
    }
    if (status != APR_SUCCESS)
        tell(build, why, log_id, SL_PROBLEM_ERROR);
    sl_pem_clear(&pem);
}

/* Is `name` a link by hash, "1a2b3c4d.0" (CRLs: "1a2b3c4d.r0")? */
static int is_hash_link(const char *name, int crl, unsigned long *hash)
{
    const char *number;

    for (int i = 0; i < 8; i++) {
        if (!apr_isxdigit(name[i]) || apr_isupper(name[i]))
            return 0;
    }
    if (name[8] != '.' || (crl && name[9] != 'r'))
        return 0;
    number = name + (crl ? 10 : 9);
    if (!apr_isdigit(*number))
        return 0;
    while (apr_isdigit(*number))
        number++;
    *hash = strtoul(name, NULL, 16);
    return *number == '\0';
}

static apr_status_t list_directory(build_t *build, const char *path, const sl_origin_t *origin, const char *log_id,
                                   apr_array_header_t **names)
{
    sl_problem_t *why = sl_problems_new(build->problems, origin);
    apr_status_t status = sl_file_list(names, path, FILES_MAX, build->scratch, why);

    if (status != APR_SUCCESS)
        tell(build, why, log_id, SL_PROBLEM_ERROR);
    return status;
}

/* Files of a directory, each once however many links lead to it; `*all_links` counts the links. */
static apr_array_header_t *distinct_files(build_t *build, const char *path, const apr_array_header_t *names, int crl,
                                          int *all_links)
{
    apr_array_header_t *files = apr_array_make(build->scratch, 64, sizeof(dir_file_t *));
    apr_hash_t *known = apr_hash_make(build->scratch);
    struct {
        apr_dev_t device;
        apr_ino_t inode;
    } id;
    apr_finfo_t info;

    *all_links = 0;
    for (int i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        const char *full = apr_pstrcat(build->scratch, path, "/", name, NULL);
        unsigned long hash;
        dir_file_t *file;

        if (*name == '.' || apr_stat(&info, full, APR_FINFO_TYPE | APR_FINFO_IDENT, build->scratch) != APR_SUCCESS ||
            info.filetype != APR_REG)
            continue;
        memset(&id, 0, sizeof(id));
        id.device = info.device;
        id.inode = info.inode;
        file = apr_hash_get(known, &id, sizeof(id));
        if (!file) {
            file = apr_pcalloc(build->scratch, sizeof(*file));
            file->path = full;
            file->links = apr_array_make(build->scratch, 1, sizeof(unsigned long));
            apr_hash_set(known, apr_pmemdup(build->scratch, &id, sizeof(id)), sizeof(id), file);
            APR_ARRAY_PUSH(files, dir_file_t *) = file;
        }
        if (is_hash_link(name, crl, &hash)) {
            APR_ARRAY_PUSH(file->links, unsigned long) = hash;
            ++*all_links;
        }
    }
    return files;
}

/* Is it for want of something that the process may have later? Without the file there would be too few CRLs. */
static int is_shortage(apr_status_t status)
{
    return status == APR_ENOMEM || status == APR_EMFILE || status == ENFILE;
}

/* Reads one file of a directory. What is no certificate or CRL there is nobody's concern, unless a hash link makes it
 * OpenSSL's. */
static int read_dir_file(build_t *build, sl_pem_t *pem, const dir_file_t *file, const sl_origin_t *origin, int *told)
{
    sl_problem_t *why = sl_problems_new(build->problems, origin);
    apr_status_t status = sl_pem_read_file(pem, file->path, SL_PEM_CERTIFICATES, NULL, NULL, why);

    if (status == APR_SUCCESS)
        return 1;
    if (is_shortage(status))
        tell(build, why, NULL, SL_PROBLEM_ERROR);
    else if (file->links->nelts > 0 && ++*told <= WARNINGS_MAX)
        tell(build, why, NULL, SL_PROBLEM_WARNING);
    return 0;
}

static void warn_of_missing_links(build_t *build, const char *path, const char *what, const sl_origin_t *origin)
{
    warn(build, NULL, origin, path, apr_psprintf(build->scratch, "Run: openssl rehash %s", path),
         apr_psprintf(build->scratch, "the directory holds %s but no hash links, by which alone they are found", what));
}

static void use_ca_path(build_t *build, const char *path, int use, const sl_origin_t *origin, const char *log_id)
{
    apr_array_header_t *names, *files;
    int links, found = 0, told_broken = 0, told_expired = 0;
    X509_LOOKUP *lookup;

    if (list_directory(build, path, origin, log_id, &names) != APR_SUCCESS)
        return;
    files = distinct_files(build, path, names, 0, &links);
    for (int i = 0; i < files->nelts; i++) {
        const dir_file_t *file = APR_ARRAY_IDX(files, i, const dir_file_t *);
        sl_pem_t pem;

        if (!read_dir_file(build, &pem, file, origin, &told_broken))
            continue;
        found += sk_X509_num(pem.certificates);
        if (!take_certificates(build, &pem, use, file->path, file, origin, &told_expired))
            fail(build, log_id, origin, file->path, NULL, "its certificates cannot be used");
        sl_pem_clear(&pem);
    }
    if (!(use & FOR_STORE))
        return;
    if (found && !links)
        warn_of_missing_links(build, path, "certificates", origin);
    lookup = X509_STORE_add_lookup(build->trust->store, X509_LOOKUP_hash_dir());
    if (!lookup || !X509_LOOKUP_add_dir(lookup, path, X509_FILETYPE_PEM))
        fail(build, log_id, origin, path, NULL, "OpenSSL refuses the directory");
}

static void use_crl_file(build_t *build, const char *path, const sl_origin_t *origin)
{
    sl_problem_t *why = sl_problems_new(build->problems, origin);
    sl_pem_t pem;
    apr_status_t status = sl_pem_read_file(&pem, path, SL_PEM_CERTIFICATES, NULL, NULL, why);
    int told = 0;

    if (status == APR_SUCCESS && sk_X509_CRL_num(pem.crls) == 0) {
        status = sl_problem_set(why, APR_EGENERAL, path, "holds no CRL, but %s", sl_pem_describe(&pem, build->scratch));
        sl_problem_advise(why, "Name a file with certificate revocation lists in PEM form");
    }
    if (status == APR_SUCCESS && !take_crls(build, &pem, path, NULL, origin, &told))
        status = sl_openssl_problem(why, path, "its CRLs cannot be used");
    if (status != APR_SUCCESS)
        tell(build, why, "AH01901", SL_PROBLEM_ERROR);
    sl_pem_clear(&pem);
}

static void use_crl_path(build_t *build, const char *path, const sl_origin_t *origin)
{
    apr_array_header_t *names, *files;
    int links, found = 0, told_broken = 0, told_expired = 0;
    X509_LOOKUP *lookup;

    if (list_directory(build, path, origin, "AH01901", &names) != APR_SUCCESS)
        return;
    files = distinct_files(build, path, names, 1, &links);
    for (int i = 0; i < files->nelts; i++) {
        const dir_file_t *file = APR_ARRAY_IDX(files, i, const dir_file_t *);
        sl_pem_t pem;

        if (!read_dir_file(build, &pem, file, origin, &told_broken))
            continue;
        found += sk_X509_CRL_num(pem.crls);
        if (!take_crls(build, &pem, file->path, file, origin, &told_expired))
            fail(build, "AH01901", origin, file->path, NULL, "its CRLs cannot be used");
        sl_pem_clear(&pem);
    }
    if (!links && found)
        warn_of_missing_links(build, path, "CRLs", origin);
    else if (!found)
        warn(build, NULL, origin, path, "Put CRLs there and run openssl rehash", "the directory holds no CRL");
    if (!build->trust->store)
        return;
    lookup = X509_STORE_add_lookup(build->trust->store, X509_LOOKUP_hash_dir());
    if (!lookup || !X509_LOOKUP_add_dir(lookup, path, X509_FILETYPE_PEM))
        fail(build, "AH01901", origin, path, NULL, "OpenSSL refuses the directory");
}

static void use_cas(build_t *build)
{
    const sl_trust_source_t *source = build->source;
    int own_names = source->names_file || source->names_path;
    int use = own_names ? FOR_STORE : FOR_STORE | FOR_NAMES;
    int errors = build->problems->errors;

    if (source->ca_file)
        use_ca_file(build, source->ca_file, use, &source->ca_file_origin, "AH01895");
    if (source->ca_path)
        use_ca_path(build, source->ca_path, use, &source->ca_path_origin, "AH01895");
    if (source->names_file)
        use_ca_file(build, source->names_file, FOR_NAMES, &source->names_file_origin, "AH02210");
    if (source->names_path)
        use_ca_path(build, source->names_path, FOR_NAMES, &source->names_path_origin, "AH02210");
    if (sk_X509_NAME_num(build->trust->names) > 0 || build->problems->errors > errors)
        return;
    fail(build, "AH01896",
         source->names_file   ? &source->names_file_origin
         : source->names_path ? &source->names_path_origin
         : source->ca_file    ? &source->ca_file_origin
                              : &source->ca_path_origin,
         source->names_file   ? source->names_file
         : source->names_path ? source->names_path
         : source->ca_file    ? source->ca_file
                              : source->ca_path,
         "Put the CA certificates there", "no CA certificate was found, so no CA can be named to clients");
}

static void set_flags(sl_trust_t *trust, const sl_trust_source_t *source)
{
    if (source->crl_check != SL_CRL_NONE && trust->store)
        X509_STORE_set_flags(trust->store, source->crl_check == SL_CRL_CHAIN
                                               ? X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL
                                               : X509_V_FLAG_CRL_CHECK);
}

static void use_crls(build_t *build)
{
    const sl_trust_source_t *source = build->source;
    int given = source->crl_file || source->crl_path;

    if (source->crl_file)
        use_crl_file(build, source->crl_file, &source->crl_file_origin);
    if (source->crl_path)
        use_crl_path(build, source->crl_path, &source->crl_path_origin);
    if (source->crl_check == SL_CRL_NONE && given)
        warn(build, "AH01902", source->crl_file ? &source->crl_file_origin : &source->crl_path_origin,
             source->crl_file ? source->crl_file : source->crl_path,
             apr_psprintf(build->scratch, "Set %s to leaf or chain", source->crl_check_origin.directive),
             "CRLs are given, but revocation is not checked");
    if (source->crl_check != SL_CRL_NONE && !given)
        fail(build, "AH01899", &source->crl_check_origin, NULL,
             "Name the CRLs with SSLCARevocationFile or "
             "SSLCARevocationPath",
             "revocation is to be checked, but there is no CRL to check with");
    set_flags(build->trust, source);
}

static STACK_OF(X509) *read_certificates(build_t *build, const char *path, const sl_origin_t *origin)
{
    STACK_OF(X509) *certificates = sl_pem_read_certificates(path, origin, build->problems);

    int ok = certificates != NULL;

    if (!ok && build->first_error == APR_SUCCESS)
        build->first_error = APR_EGENERAL;
    for (int i = 0; ok && i < sk_X509_num(certificates); i++)
        ok = sl_cert_settle(sk_X509_value(certificates, i));
    if (certificates && !ok)
        fail(build, NULL, origin, path, NULL, "memory ended");
    return certificates;
}

static void use_chain_file(build_t *build, const char *path, const sl_origin_t *origin)
{
    STACK_OF(X509) *certificates = read_certificates(build, path, origin);
    int ok = 1;

    for (int i = 0; ok && i < sk_X509_num(certificates); i++)
        ok = add_to_store(build, sk_X509_value(certificates, i));
    if (!ok)
        fail(build, NULL, origin, path, NULL, "its certificates cannot be used");
    sk_X509_pop_free(certificates, X509_free);
}

static void use_others(build_t *build)
{
    const sl_trust_source_t *source = build->source;

    if (source->chain_file && build->trust->store)
        use_chain_file(build, source->chain_file, &source->chain_file_origin);
    if (source->responder_file)
        build->trust->responders = read_certificates(build, source->responder_file, &source->responder_file_origin);
}

static int make_empty(build_t *build)
{
    build->trust = calloc(1, sizeof(*build->trust));
    if (!build->trust)
        return 0;
    sl_refcount_init(&build->trust->holders);
    build->trust->crl_missing_ok = build->source->crl_missing_ok;
    if (!build->source->ca_file && !build->source->ca_path)
        return 1;
    build->trust->store = X509_STORE_new();
    build->trust->names = sk_X509_NAME_new_null();
    build->trust->cas = sk_X509_new_null();
    build->trust->crls = sk_X509_CRL_new_null();
    return build->trust->store && build->trust->names && build->trust->cas && build->trust->crls;
}

apr_status_t sl_trust_new(sl_trust_t **trust, const sl_trust_source_t *source, apr_int64_t now, apr_pool_t *scratch,
                          sl_problems_t *problems)
{
    build_t build = {.source = source,
                     .now = now,
                     .scratch = scratch,
                     .problems = problems,
                     .seen = apr_hash_make(scratch),
                     .first_error = APR_SUCCESS};

    *trust = NULL;
    sl_openssl_error_clear();
    if (!make_empty(&build)) {
        sl_trust_release(build.trust);
        return APR_ENOMEM;
    }
    if (build.trust->store)
        use_cas(&build);
    use_crls(&build);
    use_others(&build);
    if (build.first_error != APR_SUCCESS)
        sl_trust_release(build.trust);
    else
        *trust = build.trust;
    sl_openssl_error_clear();
    return build.first_error;
}

static int look_up_in(X509_STORE *store, const char *path)
{
    X509_LOOKUP *lookup = path ? X509_STORE_add_lookup(store, X509_LOOKUP_hash_dir()) : NULL;

    return !path || (lookup && X509_LOOKUP_add_dir(lookup, path, X509_FILETYPE_PEM));
}

static int fill_store(const sl_trust_t *trust, const sl_trust_source_t *source)
{
    int ok = 1;

    for (int i = 0; ok && i < sk_X509_num(trust->cas); i++) {
        ok = sl_cert_settle(sk_X509_value(trust->cas, i)) &&
             X509_STORE_add_cert(trust->store, sk_X509_value(trust->cas, i));
    }
    for (int i = 0; ok && i < sk_X509_num(trust->responders); i++)
        ok = sl_cert_settle(sk_X509_value(trust->responders, i));
    for (int i = 0; ok && i < sk_X509_CRL_num(trust->crls); i++)
        ok = X509_STORE_add_crl(trust->store, sk_X509_CRL_value(trust->crls, i));
    return ok && look_up_in(trust->store, source->ca_path) && look_up_in(trust->store, source->crl_path);
}

sl_trust_t *sl_trust_assemble(const sl_trust_source_t *source, STACK_OF(X509) *cas, STACK_OF(X509_NAME) *names,
                              STACK_OF(X509_CRL) *crls, STACK_OF(X509) *responders)
{
    sl_trust_t *trust = calloc(1, sizeof(*trust));

    if (!trust) {
        sk_X509_pop_free(cas, X509_free);
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        sk_X509_CRL_pop_free(crls, X509_CRL_free);
        sk_X509_pop_free(responders, X509_free);
        return NULL;
    }
    sl_refcount_init(&trust->holders);
    trust->crl_missing_ok = source->crl_missing_ok;
    trust->store = X509_STORE_new();
    trust->cas = cas;
    trust->names = names;
    trust->crls = crls;
    trust->responders = responders;
    if (!trust->store || !fill_store(trust, source)) {
        sl_trust_release(trust);
        trust = NULL;
    }
    else {
        set_flags(trust, source);
    }
    sl_openssl_error_clear();
    return trust;
}

void sl_trust_retain(sl_trust_t *trust)
{
    sl_refcount_retain(&trust->holders);
}

void sl_trust_release(sl_trust_t *trust)
{
    if (!trust || !sl_refcount_release(&trust->holders))
        return;
    X509_STORE_free(trust->store);
    sk_X509_NAME_pop_free(trust->names, X509_NAME_free);
    sk_X509_pop_free(trust->cas, X509_free);
    sk_X509_CRL_pop_free(trust->crls, X509_CRL_free);
    sk_X509_pop_free(trust->responders, X509_free);
    free(trust);
}
