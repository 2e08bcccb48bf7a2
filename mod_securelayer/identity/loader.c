/* Files into identities.  Called at start for every distinct source, and wherever a certificate is loaded anew.
 * crypto/pem says what the files hold; here it is decided which certificate is the leaf, whether the key is its key,
 * and in which order the rest is sent. */
#include "identity/loader.h"

#include "crypto/cert_text.h"
#include "crypto/key_uri.h"

#include <apr_strings.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>

/* One call of sl_loader_load(); the three records own what was read until it is taken out of them. */
typedef struct load_t {
    const sl_source_t *source;
    const char *key_path;
    const char *key_name; /* the same, as it may be shown */
    sl_pem_passphrase_t passphrase;
    void *baton;
    apr_pool_t *scratch;
    sl_problems_t *problems;
    sl_problem_t *why;
    sl_pem_t cert_file, key_file, chain_file;
    EVP_PKEY *key; /* borrowed from one of the records */
    X509 *leaf;    /* owned */
    STACK_OF(X509) *chain;
} load_t;

static int key_is_apart(const sl_source_t *source)
{
    return source->key && strcmp(source->key, source->certificate) != 0;
}

/* Tells of the first failure where it was configured. */
static apr_status_t blame(const load_t *load, const sl_origin_t *origin, const char *log_id, apr_status_t status)
{
    if (load->why && load->why->status != APR_SUCCESS) {
        if (!load->why->origin.directive)
            load->why->origin = *origin;
        if (!load->why->log_id)
            load->why->log_id = log_id;
    }
    return status;
}

static const sl_origin_t *key_origin(const load_t *load)
{
    return key_is_apart(load->source) && load->source->key_origin.directive ? &load->source->key_origin
                                                                            : &load->source->origin;
}

/* What a URI names stands where a file's contents would. */
static apr_status_t fetch_certificates(load_t *load)
{
    const char *uri = load->source->certificate;
    sl_asker_t asker = {load->passphrase, load->baton, sl_key_uri_shown(uri, load->scratch)};

    load->cert_file.certificates = sk_X509_new_null();
    load->cert_file.crls = sk_X509_CRL_new_null();
    if (!load->cert_file.certificates || !load->cert_file.crls)
        return sl_problem_set(load->why, APR_ENOMEM, asker.object, "memory ended");
    return sl_key_uri_certificates(load->cert_file.certificates, uri, &asker, load->scratch, load->why);
}

static apr_status_t fetch_key(load_t *load, sl_pem_t *file)
{
    sl_asker_t asker = {load->passphrase, load->baton, load->key_name};

    return sl_key_uri_key(&file->key, load->key_path, &asker, load->scratch, load->why);
}

static apr_status_t read_certificates(load_t *load)
{
    const sl_source_t *source = load->source;
    sl_pem_want_t want = key_is_apart(source) ? SL_PEM_CERTIFICATES : SL_PEM_KEY(source->key_number);
    apr_status_t status;

    if (sl_key_uri_is(source->certificate))
        status = fetch_certificates(load);
    else
        status =
            sl_pem_read_file(&load->cert_file, source->certificate, want, load->passphrase, load->baton, load->why);
    if (status != APR_SUCCESS)
        return blame(load, &source->origin, "AH02572", status);
    if (sk_X509_num(load->cert_file.certificates) > 0)
        return APR_SUCCESS;
    status = sl_problem_set(load->why, APR_EGENERAL, source->certificate, "holds no certificate, but %s",
                            sl_pem_describe(&load->cert_file, load->scratch));
    sl_problem_advise(load->why, "Name the file with the certificate here, and the key with SSLCertificateKeyFile");
    return blame(load, &source->origin, "AH02572", status);
}

static apr_status_t read_key(load_t *load)
{
    sl_pem_t *file = key_is_apart(load->source) ? &load->key_file : &load->cert_file;
    apr_status_t status = APR_SUCCESS;

    if (sl_key_uri_is(load->key_path))
        status = fetch_key(load, file);
    else if (key_is_apart(load->source))
        status =
            sl_pem_read_file(&load->key_file, load->key_path, SL_PEM_ALL, load->passphrase, load->baton, load->why);
    load->key = file->key;
    if (status == APR_SUCCESS && !load->key) {
        status = sl_problem_set(load->why, APR_EGENERAL, load->key_name, "holds no private key, but %s",
                                sl_pem_describe(file, load->scratch));
        if (key_is_apart(load->source))
            sl_problem_advise(load->why, "Name the file with the key that belongs to %s", load->source->certificate);
        else
            sl_problem_advise(load->why, "Name the key's file with SSLCertificateKeyFile, or append the key to this "
                                         "file");
    }
    return blame(load, key_origin(load), "AH02572", status);
}

static void warn_of_key(const sl_source_t *source, sl_problems_t *problems, const char *reason, const char *command)
{
    const char *path = key_is_apart(source) ? source->key : source->certificate;
    const sl_origin_t *origin =
        key_is_apart(source) && source->key_origin.directive ? &source->key_origin : &source->origin;

    sl_problems_add(problems, SL_PROBLEM_WARNING, NULL, origin, apr_pstrdup(problems->pool, path),
                    apr_psprintf(problems->pool, "%s %s", command, path), "%s", reason);
}

void sl_loader_review_mode(const sl_source_t *source, unsigned mode, sl_problems_t *problems)
{
    if (mode & S_IWOTH)
        warn_of_key(source, problems, "the file with the private key can be written by everybody", "chmod o-rwx");
    else if (mode & S_IROTH)
        warn_of_key(source, problems, "the private key can be read by everybody on this machine", "chmod o-rwx");
}

static void check_permissions(const load_t *load)
{
    const sl_pem_t *file = key_is_apart(load->source) ? &load->key_file : &load->cert_file;
    struct stat info;

    if (stat(load->key_path, &info) == 0)
        sl_loader_review_mode(load->source, info.st_mode & (file->key_was_encrypted ? S_IWOTH : S_IWOTH | S_IROTH),
                              load->problems);
}

static int belongs(X509 *cert, const EVP_PKEY *key)
{
    const EVP_PKEY *public_key = X509_get0_pubkey(cert);
    int yes = public_key && EVP_PKEY_eq(public_key, key) == 1;

    ERR_clear_error();
    return yes;
}

static apr_status_t no_match(const load_t *load)
{
    X509 *first = sk_X509_value(load->cert_file.certificates, 0);
    const char *cert_type = sl_identity_key_type_of(X509_get0_pubkey(first));
    const char *key_type = sl_identity_key_type_of(load->key);
    const char *certificate = sl_key_uri_shown(load->source->certificate, load->scratch);
    apr_status_t status;

    ERR_clear_error();
    status = sl_problem_set(load->why, APR_EGENERAL, certificate,
                            "the certificate of %s (%s key) does not belong to the private key in %s (%s)",
                            sl_cert_text_dn_for_log(load->scratch, first, SL_DN_SUBJECT), cert_type,
                            key_is_apart(load->source) ? load->key_name : "the same file", key_type);
    if (strcmp(cert_type, key_type) != 0)
        sl_problem_advise(load->why,
                          "The certificate is for a key of type %s and the key is of type %s: name the key that the "
                          "certificate was made for",
                          cert_type, key_type);
    else
        sl_problem_advise(load->why,
                          "Name the key that the certificate was made for; these two print the same when they belong "
                          "together: openssl x509 -in %s -noout -pubkey; openssl pkey -in %s -pubout",
                          certificate, load->key_name);
    return blame(load, &load->source->origin, "AH02572", status);
}

static apr_status_t find_leaf(load_t *load)
{
    for (int i = 0; i < sk_X509_num(load->cert_file.certificates); i++) {
        if (belongs(sk_X509_value(load->cert_file.certificates, i), load->key)) {
            load->leaf = sk_X509_delete(load->cert_file.certificates, i);
            return APR_SUCCESS;
        }
    }
    return no_match(load);
}

/* The certificates that may become the chain. As in mod_ssl a chain file takes the place of the certificate file's
 * rest, and the leaf may be in the chain file once more. */
static apr_status_t read_chain(load_t *load, STACK_OF(X509) **rest)
{
    apr_status_t status;

    *rest = load->cert_file.certificates;
    if (!load->source->chain)
        return APR_SUCCESS;
    status = sl_pem_read_file(&load->chain_file, load->source->chain, SL_PEM_CERTIFICATES, load->passphrase,
                              load->baton, load->why);
    if (status == APR_SUCCESS && sk_X509_num(load->chain_file.certificates) == 0)
        status = sl_problem_set(load->why, APR_EGENERAL, load->source->chain, "holds no certificate, but %s",
                                sl_pem_describe(&load->chain_file, load->scratch));
    sl_problem_while(load->why, "as chain of %s", load->source->certificate);
    *rest = load->chain_file.certificates;
    return blame(load, load->source->chain_origin.directive ? &load->source->chain_origin : &load->source->origin,
                 "AH01903", status);
}

/* Takes the issuer of `subject` out of `rest`; NULL if it is not there. */
static X509 *take_issuer(STACK_OF(X509) *rest, X509 *subject)
{
    for (int i = 0; i < sk_X509_num(rest); i++) {
        if (X509_check_issued(sk_X509_value(rest, i), subject) == X509_V_OK)
            return sk_X509_delete(rest, i);
    }
    return NULL;
}

/* Each issuer after its subject, then what belongs to neither. Copies of the leaf are left out. */
static apr_status_t order_chain(load_t *load, STACK_OF(X509) *rest)
{
    X509 *subject = load->leaf, *next;
    int pushed = 1;

    load->chain = sk_X509_new_null();
    for (int i = sk_X509_num(rest) - 1; i >= 0; i--) {
        if (X509_cmp(sk_X509_value(rest, i), load->leaf) == 0)
            X509_free(sk_X509_delete(rest, i));
    }
    while (load->chain && pushed && (next = take_issuer(rest, subject)) != NULL) {
        pushed = sk_X509_push(load->chain, next);
        if (!pushed)
            X509_free(next);
        subject = next;
    }
    while (load->chain && pushed && !load->source->is_bundle && (next = sk_X509_shift(rest)) != NULL) {
        pushed = sk_X509_push(load->chain, next);
        if (!pushed)
            X509_free(next);
    }
    ERR_clear_error();
    if (load->chain && pushed)
        return APR_SUCCESS;
    return sl_problem_set(load->why, APR_ENOMEM, load->source->certificate, "memory ended");
}

static apr_status_t make_identity(load_t *load, sl_identity_t **identity)
{
    *identity =
        sl_identity_new(load->leaf, load->chain, load->key, sl_key_uri_shown(load->source->certificate, load->scratch));
    if (!*identity)
        return sl_problem_set(load->why, APR_ENOMEM, load->source->certificate, "memory ended");
    load->leaf = NULL;
    load->chain = NULL;
    if (load->key == load->cert_file.key)
        load->cert_file.key = NULL;
    else
        load->key_file.key = NULL;
    if (load->source->first) {
        (*identity)->dh_parameters = load->cert_file.dh_parameters;
        (*identity)->ec_group = load->cert_file.ec_group;
        load->cert_file.dh_parameters = NULL;
        load->cert_file.ec_group = NULL;
    }
    return APR_SUCCESS;
}

static apr_status_t load_all(load_t *load, sl_identity_t **identity)
{
    STACK_OF(X509) *rest;
    apr_status_t status = read_certificates(load);

    if (status == APR_SUCCESS)
        status = read_key(load);
    if (status == APR_SUCCESS)
        status = find_leaf(load);
    if (status == APR_SUCCESS)
        status = read_chain(load, &rest);
    if (status == APR_SUCCESS)
        status = order_chain(load, rest);
    if (status == APR_SUCCESS)
        status = make_identity(load, identity);
    return status;
}

apr_status_t sl_loader_load(sl_identity_t **identity, const sl_source_t *source, sl_pem_passphrase_t passphrase,
                            void *baton, apr_pool_t *scratch, sl_problems_t *problems, sl_problem_t *why)
{
    load_t load = {.source = source,
                   .key_path = key_is_apart(source) ? source->key : source->certificate,
                   .passphrase = passphrase,
                   .baton = baton,
                   .scratch = scratch,
                   .problems = problems,
                   .why = why};
    apr_status_t status;

    load.key_name = sl_key_uri_shown(load.key_path, scratch);
    *identity = NULL;
    status = load_all(&load, identity);
    if (status == APR_SUCCESS)
        check_permissions(&load);
    sl_pem_clear(&load.cert_file);
    sl_pem_clear(&load.key_file);
    sl_pem_clear(&load.chain_file);
    X509_free(load.leaf);
    sk_X509_pop_free(load.chain, X509_free);
    return status;
}
