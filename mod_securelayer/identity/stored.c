/* Stored identities.  Kept by identity_cache, handed out by keeper/supply.
 *
 * sl_stored_read() is the way of nearly all of a start's identities: it reads files, compares bytes and copies them. It
 * only ever says yes to what it has understood in full. */
#include "identity/stored.h"

#include "crypto/cert_der.h"
#include "crypto/file_read.h"
#include "crypto/key_der.h"
#include "crypto/openssl_error.h"
#include "crypto/pem_block.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX 65535
#define CHAIN_MAX 8
#define NAMES_MAX 4096
#define DAY 86400
#define SOON (14 * DAY)

/* ---- one whose files were loaded ---- */

static void note_names(sl_stored_t *stored, const sl_cert_der_t *cert)
{
    char names[NAMES_MAX];
    apr_size_t used = sl_cert_der_names(cert, names, sizeof(names));

    stored->names = used ? malloc(used) : NULL;
    if (stored->names)
        memcpy(stored->names, names, used);
}

static int note_leaf(sl_stored_t *stored, X509 *leaf)
{
    unsigned char *der = NULL;
    int length = i2d_X509(leaf, &der);
    sl_cert_der_t cert;

    if (length <= 0)
        return 0;
    SHA256(der, (size_t)length, stored->digest);
    stored->has_features = 1;
    if (sl_cert_der_read(&cert, der, (apr_size_t)length)) {
        note_names(stored, &cert);
        stored->has_features = cert.has_features;
    }
    OPENSSL_free(der);
    return 1;
}

static int note_bytes(sl_stored_t *stored, sl_identity_t *identity, int on_token, sl_vault_t *vault, sl_problem_t *why)
{
    unsigned char *bytes;
    apr_size_t length;

    if (on_token) {
        sl_identity_retain(identity);
        stored->identity = identity;
        return 1;
    }
    bytes = sl_blob_encode(identity, &length, why);
    return bytes && sl_stored_keep(stored, bytes, length, vault);
}

sl_stored_t *sl_stored_new(sl_identity_t *identity, int on_token, sl_vault_t *vault, sl_problem_t *why)
{
    sl_stored_t *stored = calloc(1, sizeof(*stored));

    if (stored && note_leaf(stored, identity->leaf) && note_bytes(stored, identity, on_token, vault, why)) {
        stored->not_before = identity->not_before;
        stored->not_after = identity->not_after;
        stored->is_complete = sl_identity_is_complete(identity);
        return stored;
    }
    sl_stored_free(stored, vault);
    sl_problem_set(why, APR_ENOMEM, identity->origin, "memory ended");
    return NULL;
}

/* Nearly all have the chain of one of a few CAs. */
static int keep_in_parts(sl_stored_t *stored, unsigned char *bytes, apr_size_t length, sl_vault_t *vault)
{
    if (!sl_blob_chain(bytes, length, &stored->chain_at, &stored->chain_length))
        return 0;
    stored->chain = sl_vault_share(vault, bytes + stored->chain_at, stored->chain_length);
    stored->length = length - stored->chain_length;
    memmove(bytes + stored->chain_at, bytes + stored->chain_at + stored->chain_length,
            stored->length - stored->chain_at);
    stored->bytes = stored->chain ? sl_vault_keep(vault, bytes, stored->length) : NULL;
    return stored->bytes != NULL;
}

int sl_stored_keep(sl_stored_t *stored, unsigned char *bytes, apr_size_t length, sl_vault_t *vault)
{
    int kept = keep_in_parts(stored, bytes, length, vault);

    OPENSSL_clear_free(bytes, length);
    return kept;
}

void sl_stored_free(sl_stored_t *stored, sl_vault_t *vault)
{
    if (!stored)
        return;
    sl_vault_drop(vault, stored->bytes, stored->length);
    sl_vault_unshare(vault, stored->chain, stored->chain_length);
    sl_identity_release(stored->identity);
    free(stored->names);
    free(stored);
}

static apr_size_t names_size(const char *names)
{
    apr_size_t size = 1;

    while (names[size - 1])
        size += strlen(names + size - 1) + 1;
    return size;
}

sl_stored_t *sl_stored_copy(const sl_stored_t *stored)
{
    sl_stored_t *copy = malloc(sizeof(*copy));
    apr_size_t size = stored->names ? names_size(stored->names) : 0;
    char *names = size ? malloc(size) : NULL;

    if (!copy || (size && !names)) {
        free(copy);
        free(names);
        return NULL;
    }
    *copy = *stored;
    if (size)
        memcpy(names, stored->names, size);
    copy->names = names;
    return copy;
}

/* ---- the blocks of files ---- */

typedef struct parts_t {
    sl_pem_block_t certificates[CHAIN_MAX];
    int count;
    sl_pem_block_t key;
} parts_t;

static void clear(parts_t *parts)
{
    for (int i = 0; i < parts->count; i++)
        sl_pem_block_clear(&parts->certificates[i]);
    sl_pem_block_clear(&parts->key);
}

static int is_key(const char *label)
{
    return !strcmp(label, "PRIVATE KEY") || !strcmp(label, "EC PRIVATE KEY") || !strcmp(label, "RSA PRIVATE KEY");
}

/* Takes the block over; 0 if it has no place among them. */
static int place(parts_t *parts, const sl_pem_block_t *block, int want_certificates, int want_key)
{
    if (block->headers_length)
        return 0;
    if (!strcmp(block->label, "CERTIFICATE") && want_certificates && parts->count < CHAIN_MAX) {
        parts->certificates[parts->count++] = *block;
        return 1;
    }
    if (!is_key(block->label) || !want_key || parts->key.der)
        return 0;
    parts->key = *block;
    return 1;
}

static int take_blocks(parts_t *parts, const sl_file_t *file, int want_certificates, int want_key)
{
    sl_reader_t text;
    sl_pem_block_t block;
    const char *damage;
    int found;

    sl_reader_init(&text, file->bytes, file->length);
    while ((found = sl_pem_block_next(&text, &block, &damage)) > 0) {
        if (!want_certificates && !strcmp(block.label, "EC PARAMETERS")) { /* the key names its curve itself */
            sl_pem_block_clear(&block);
            continue;
        }
        if (!place(parts, &block, want_certificates, want_key)) {
            sl_pem_block_clear(&block);
            return 0;
        }
    }
    return found == 0;
}

static int read_file(parts_t *parts, const char *path, int want_certificates, int want_key, unsigned *mode)
{
    sl_file_t file;
    int fine = sl_file_read(&file, path, FILE_MAX, NULL) == APR_SUCCESS &&
               take_blocks(parts, &file, want_certificates, want_key);

    if (fine && want_key)
        *mode = file.mode & (S_IROTH | S_IWOTH);
    sl_file_clear(&file);
    return fine;
}

/* With a chain file the certificate's file gives its leaf alone; the loader refuses what is no certificate all the
 * same. */
static int read_chain(parts_t *parts, const char *path)
{
    sl_cert_der_t cert;
    unsigned mode;

    while (parts->count > 1) {
        const sl_pem_block_t *last = &parts->certificates[parts->count - 1];

        if (!sl_cert_der_read(&cert, last->der, last->der_length))
            return 0;
        sl_pem_block_clear(&parts->certificates[--parts->count]);
    }
    return read_file(parts, path, 1, 0, &mode) && parts->count > 1;
}

static int read_parts(parts_t *parts, const sl_source_t *source, unsigned *mode)
{
    int is_apart = source->key && strcmp(source->key, source->certificate) != 0;

    if (source->key_number || source->is_bundle || *source->certificate != '/' || (source->key && *source->key != '/'))
        return 0;
    if (!read_file(parts, source->certificate, 1, !is_apart, mode) || !parts->count)
        return 0;
    if (source->chain && !read_chain(parts, source->chain))
        return 0;
    return (!is_apart || read_file(parts, source->key, 0, 1, mode)) && parts->key.der;
}

/* ---- what they say ---- */

static int is_own_issuer(const sl_cert_der_t *cert)
{
    return sl_cert_der_is_issued_by(cert, cert);
}

/* The leaf, then each one's issuer; a root may be the last. Nothing that sl_identity_review() would tell of, but that
 * there is no issuer. */
static int is_ordinary(const sl_cert_der_t *certs, int count)
{
    if (certs[0].is_ca || is_own_issuer(&certs[0]))
        return 0;
    for (int i = 0; i < count; i++) {
        if (!sl_cert_der_is_well_signed(&certs[i]) && !is_own_issuer(&certs[i]))
            return 0;
        if (i && (!certs[i].is_ca || !sl_cert_der_is_issued_by(&certs[i - 1], &certs[i])))
            return 0;
        if (i < count - 1 && is_own_issuer(&certs[i]))
            return 0;
    }
    return 1;
}

static void reader_of(sl_reader_t *r, const sl_pem_block_t *block)
{
    sl_reader_init(r, block->der, block->der_length);
}

/* The key as PrivateKeyInfo: its own block, or the wrapped one in `room`. */
static int key_info(sl_reader_t *key, const sl_pem_block_t *block, unsigned char *room, apr_size_t size)
{
    apr_size_t length;

    reader_of(key, block);
    if (!strcmp(block->label, "PRIVATE KEY"))
        return 1;
    length = sl_key_der_wrap(room, size, block->der, block->der_length, block->label);
    sl_reader_init(key, room, length);
    return length > 0;
}

static unsigned char *pack(const parts_t *parts, const sl_source_t *source, const sl_cert_der_t *leaf,
                           apr_size_t *length)
{
    unsigned char wrapped[8192];
    sl_reader_t chain[CHAIN_MAX], key;
    unsigned char *bytes = NULL;

    for (int i = 0; i < parts->count; i++)
        reader_of(&chain[i], &parts->certificates[i]);
    if (key_info(&key, &parts->key, wrapped, sizeof(wrapped)) && sl_key_der_is_of(key.at, sl_reader_left(&key), leaf))
        bytes = sl_blob_pack(source->certificate, &chain[0], chain + 1, parts->count - 1, &key, length);
    OPENSSL_cleanse(wrapped, sizeof(wrapped));
    return bytes;
}

static int read_certificates(const parts_t *parts, sl_cert_der_t *certs)
{
    for (int i = 0; i < parts->count; i++) {
        if (!sl_cert_der_read(&certs[i], parts->certificates[i].der, parts->certificates[i].der_length))
            return 0;
    }
    return is_ordinary(certs, parts->count);
}

static sl_stored_t *make(const parts_t *parts, const sl_source_t *source, unsigned char **bytes, apr_size_t *length)
{
    sl_cert_der_t certs[CHAIN_MAX];
    sl_stored_t *stored = read_certificates(parts, certs) ? calloc(1, sizeof(*stored)) : NULL;

    if (!stored)
        return NULL;
    *bytes = pack(parts, source, &certs[0], length);
    if (!*bytes) {
        free(stored);
        return NULL;
    }
    SHA256(parts->certificates[0].der, parts->certificates[0].der_length, stored->digest);
    stored->not_before = certs[0].not_before;
    stored->not_after = certs[0].not_after;
    stored->is_plain = 1;
    stored->is_complete = parts->count > 1;
    stored->has_features = certs[0].has_features;
    note_names(stored, &certs[0]);
    return stored;
}

sl_stored_t *sl_stored_read(const sl_source_t *source, unsigned char **bytes, apr_size_t *length)
{
    parts_t parts;
    sl_stored_t *stored = NULL;
    unsigned mode = 0;

    memset(&parts, 0, sizeof(parts));
    if (read_parts(&parts, source, &mode))
        stored = make(&parts, source, bytes, length);
    if (stored)
        stored->key_mode = mode;
    clear(&parts);
    return stored;
}

/* ---- questions ---- */

static sl_identity_t *decode(const sl_stored_t *stored, sl_blob_want_t want)
{
    apr_size_t length = stored->length + stored->chain_length, behind = stored->length - stored->chain_at;
    unsigned char *bytes = OPENSSL_malloc(length);
    sl_identity_t *identity;

    if (!bytes)
        return NULL;
    memcpy(bytes, stored->bytes, stored->chain_at);
    memcpy(bytes + stored->chain_at, stored->chain, stored->chain_length);
    memcpy(bytes + stored->chain_at + stored->chain_length, stored->bytes + stored->chain_at, behind);
    identity = sl_blob_decode(bytes, length, want);
    OPENSSL_clear_free(bytes, length);
    return identity;
}

sl_identity_t *sl_stored_get(const sl_stored_t *stored, sl_blob_want_t want)
{
    if (stored->bytes)
        return decode(stored, want);
    sl_identity_retain(stored->identity);
    return stored->identity;
}

/* X509_NAME has the name with its head, cert_der without. */
static int has_name(const X509_NAME *name, const sl_reader_t *wanted)
{
    const unsigned char *der;
    size_t length, content = sl_reader_left(wanted);

    return X509_NAME_get0_der((X509_NAME *)name, &der, &length) == 1 && length > content && length <= content + 4 &&
           !memcmp(der + length - content, wanted->at, content);
}

/* Of CAs that have one name. */
static int has_key_id(X509 *ca, const sl_reader_t *wanted)
{
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(ca);

    return !id || !sl_reader_left(wanted) ||
           sl_reader_is(wanted, ASN1_STRING_get0_data(id), (apr_size_t)ASN1_STRING_length(id));
}

X509 *sl_stored_issuer_among(const sl_stored_t *stored, const STACK_OF(X509) *cas)
{
    sl_cert_der_t cert;
    sl_reader_t leaf;

    if (!stored->bytes || !sl_blob_leaf(stored->bytes, stored->length, &leaf) ||
        !sl_cert_der_read(&cert, leaf.at, sl_reader_left(&leaf)))
        return NULL;
    for (int i = 0; i < sk_X509_num(cas); i++) {
        X509 *ca = sk_X509_value(cas, i);

        if (has_name(X509_get_subject_name(ca), &cert.issuer) && has_key_id(ca, &cert.issuer_key))
            return ca;
    }
    return NULL;
}

int sl_stored_certificates(const sl_stored_t *stored, sl_reader_t *leaf, sl_reader_t *next)
{
    sl_reader_init(next, stored->bytes, 0);
    if (!stored->bytes || !sl_blob_leaf(stored->bytes, stored->length, leaf))
        return 0;
    (void)sl_blob_first_of_chain(stored->chain, stored->chain_length, next);
    return 1;
}

int sl_stored_is_in_order(const sl_stored_t *stored, apr_int64_t now)
{
    apr_int64_t left = stored->not_after - now;

    return stored->is_plain && now >= stored->not_before && left > SOON;
}

int sl_stored_covers(const sl_stored_t *stored, const char *host)
{
    sl_identity_t *identity;
    int answer;

    if (stored->names && sl_cert_der_names_cover(stored->names, host))
        return 1;
    identity = sl_stored_get(stored, SL_BLOB_CERTIFICATES);
    answer = identity && sl_identity_covers(identity, host);
    sl_identity_release(identity);
    return answer;
}
