/* Identities into bytes and back.  keeper/supply encodes those of a start, keeper/reload_job those that are new;
 * children decode.
 *
 * version, origin, leaf, number of intermediates, each of them, key (PKCS#8), group, kind of DH parameters, these. Each
 * text and DER has its length before it, in four bytes. */
#include "identity/blob.h"

#include "base/bytes.h"
#include "crypto/key_der.h"
#include "crypto/openssl_error.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define LAYOUT 1
#define MOST_CERTIFICATES 1000

/* The variable parts in their order; DER is owned until clear(). */
typedef struct parts_t {
    unsigned char *leaf, *key, *dh;
    int leaf_length, key_length, dh_length;
    unsigned char **chain;
    int *chain_lengths;
    int count; /* of the chain */
} parts_t;

static void clear(parts_t *parts)
{
    OPENSSL_free(parts->leaf);
    OPENSSL_clear_free(parts->key, parts->key ? (size_t)parts->key_length : 0);
    OPENSSL_free(parts->dh);
    for (int i = 0; parts->chain && i < parts->count; i++)
        OPENSSL_free(parts->chain[i]);
    OPENSSL_free(parts->chain);
    OPENSSL_free(parts->chain_lengths);
}

static int take_key(parts_t *parts, const EVP_PKEY *key)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);

    parts->key_length = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &parts->key) : 0;
    PKCS8_PRIV_KEY_INFO_free(info);
    return parts->key_length > 0;
}

static int take_chain(parts_t *parts, STACK_OF(X509) *chain)
{
    parts->count = sk_X509_num(chain);
    parts->chain = OPENSSL_zalloc(sizeof(*parts->chain) * ((size_t)parts->count + 1));
    parts->chain_lengths = OPENSSL_zalloc(sizeof(*parts->chain_lengths) * ((size_t)parts->count + 1));
    if (!parts->chain || !parts->chain_lengths || parts->count > MOST_CERTIFICATES)
        return 0;
    for (int i = 0; i < parts->count; i++) {
        parts->chain_lengths[i] = i2d_X509(sk_X509_value(chain, i), &parts->chain[i]);
        if (parts->chain_lengths[i] <= 0)
            return 0;
    }
    return 1;
}

static int take_all(parts_t *parts, const sl_identity_t *identity)
{
    parts->leaf_length = i2d_X509(identity->leaf, &parts->leaf);
    if (parts->leaf_length <= 0 || !take_chain(parts, identity->chain) || !take_key(parts, identity->key))
        return 0;
    if (identity->dh_parameters)
        parts->dh_length = i2d_KeyParams(identity->dh_parameters, &parts->dh);
    return parts->dh_length >= 0;
}

static void put(sl_writer_t *w, const void *bytes, apr_size_t length)
{
    sl_writer_u32(w, (apr_uint32_t)length);
    if (length)
        sl_writer_bytes(w, bytes, length);
}

static void put_text(sl_writer_t *w, const char *text)
{
    put(w, text, text ? strlen(text) : 0);
}

static void write_all(sl_writer_t *w, const parts_t *parts, const sl_identity_t *identity)
{
    sl_writer_u8(w, LAYOUT);
    put_text(w, identity->origin);
    put(w, parts->leaf, (apr_size_t)parts->leaf_length);
    sl_writer_u16(w, (unsigned)parts->count);
    for (int i = 0; i < parts->count; i++)
        put(w, parts->chain[i], (apr_size_t)parts->chain_lengths[i]);
    put(w, parts->key, (apr_size_t)parts->key_length);
    put_text(w, identity->ec_group);
    sl_writer_u8(w, identity->dh_parameters && EVP_PKEY_is_a(identity->dh_parameters, "DHX"));
    put(w, parts->dh, (apr_size_t)parts->dh_length);
}

static apr_size_t room_for(const parts_t *parts, const sl_identity_t *identity)
{
    apr_size_t room = 64 + strlen(identity->origin) + (identity->ec_group ? strlen(identity->ec_group) : 0);

    room += (apr_size_t)parts->leaf_length + (apr_size_t)parts->key_length + (apr_size_t)parts->dh_length;
    for (int i = 0; i < parts->count; i++)
        room += 4 + (apr_size_t)parts->chain_lengths[i];
    return room;
}

unsigned char *sl_blob_encode(const sl_identity_t *identity, apr_size_t *length, sl_problem_t *why)
{
    parts_t parts;
    sl_writer_t w;
    unsigned char *bytes = NULL;
    apr_size_t room;

    memset(&parts, 0, sizeof(parts));
    *length = 0;
    sl_openssl_error_clear();
    if (!take_all(&parts, identity)) {
        (void)sl_openssl_problem(why, identity->origin, "OpenSSL does not give out its bytes");
    }
    else {
        room = room_for(&parts, identity);
        bytes = OPENSSL_malloc(room);
        if (bytes) {
            sl_writer_init(&w, bytes, room);
            write_all(&w, &parts, identity);
            *length = sl_writer_length(&w);
        }
        else {
            sl_problem_set(why, APR_ENOMEM, identity->origin, "memory ended");
        }
    }
    clear(&parts);
    return bytes;
}

/* ---- back ---- */

static sl_reader_t take(sl_reader_t *r)
{
    apr_uint32_t length = sl_reader_u32(r);
    const unsigned char *at = sl_reader_take(r, length);
    sl_reader_t part;

    sl_reader_init(&part, at ? at : (const unsigned char *)"", at ? length : 0);
    return part;
}

static char *take_text(sl_reader_t *r)
{
    sl_reader_t part = take(r);
    apr_size_t length = sl_reader_left(&part);
    char *text = malloc(length + 1);

    if (!text)
        return NULL;
    memcpy(text, part.at, length);
    text[length] = '\0';
    return text;
}

/* The whole of it is one certificate. */
static X509 *take_certificate(sl_reader_t *r)
{
    sl_reader_t part = take(r);
    const unsigned char *at = part.at;
    X509 *cert = sl_reader_left(&part) ? d2i_X509(NULL, &at, (long)sl_reader_left(&part)) : NULL;

    if (cert && at != part.end) {
        X509_free(cert);
        cert = NULL;
    }
    return cert;
}

static STACK_OF(X509) *take_certificates(sl_reader_t *r)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    unsigned count = sl_reader_u16(r);

    for (unsigned i = 0; chain && i < count; i++) {
        X509 *cert = i < MOST_CERTIFICATES ? take_certificate(r) : NULL;

        if (!cert || !sk_X509_push(chain, cert)) {
            X509_free(cert);
            sk_X509_pop_free(chain, X509_free);
            return NULL;
        }
    }
    return chain;
}

/* 0 if they can't be read; none is fine. */
static int take_dh(sl_reader_t *r, EVP_PKEY **parameters)
{
    int type = sl_reader_u8(r) ? EVP_PKEY_DHX : EVP_PKEY_DH;
    sl_reader_t part = take(r);
    const unsigned char *at = part.at;

    *parameters = NULL;
    if (!sl_reader_left(&part))
        return 1;
    *parameters = d2i_KeyParams(type, NULL, &at, (long)sl_reader_left(&part));
    return *parameters != NULL;
}

static sl_identity_t *decode(sl_reader_t *r, sl_blob_want_t want)
{
    sl_identity_t *identity = NULL;
    char *origin = sl_reader_u8(r) == LAYOUT ? take_text(r) : NULL;
    X509 *leaf = origin ? take_certificate(r) : NULL;
    STACK_OF(X509) *chain = leaf ? take_certificates(r) : NULL;
    sl_reader_t key_bytes = take(r);
    EVP_PKEY *key = chain && want == SL_BLOB_ALL ? sl_key_der_pkcs8(key_bytes.at, sl_reader_left(&key_bytes)) : NULL;

    if (chain && (key || want != SL_BLOB_ALL))
        identity = sl_identity_new(leaf, chain, key, origin);
    free(origin);
    if (!identity) {
        X509_free(leaf);
        sk_X509_pop_free(chain, X509_free);
        EVP_PKEY_free(key);
        return NULL;
    }
    identity->ec_group = take_text(r);
    if (identity->ec_group && !*identity->ec_group) {
        free(identity->ec_group);
        identity->ec_group = NULL;
    }
    if (take_dh(r, &identity->dh_parameters) && !r->failed)
        return identity;
    sl_identity_release(identity);
    return NULL;
}

sl_identity_t *sl_blob_decode(const unsigned char *bytes, apr_size_t length, sl_blob_want_t want)
{
    sl_identity_t *identity;
    sl_reader_t r;

    sl_reader_init(&r, bytes, length);
    identity = decode(&r, want);
    sl_openssl_error_clear();
    return identity;
}
