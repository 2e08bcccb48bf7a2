/* Identities into bytes and back.  identity/stored makes those of a start, keeper/reload_identity those that are new;
 * children decode.
 *
 * version, origin, leaf, number of intermediates, each of them, key (PKCS#8), group, kind of DH parameters, these. Each
 * text and DER has its length before it, in four bytes. */
#include "identity/blob.h"

#include "crypto/cert_quick.h"
#include "crypto/key_der.h"
#include "crypto/openssl_error.h"
#include "identity/shared_certs.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define LAYOUT 1

/* The variable parts in their order. Of encode() they are owned until clear(). */
typedef struct parts_t {
    const char *origin, *ec_group;
    sl_reader_t leaf, key, dh;
    sl_reader_t *chain;
    int count; /* of the chain */
    int is_dhx;
} parts_t;

static void take(sl_reader_t *part, unsigned char *der, int length)
{
    sl_reader_init(part, der, length > 0 ? (apr_size_t)length : 0);
}

static void give_back(sl_reader_t *part)
{
    OPENSSL_clear_free((unsigned char *)part->at, sl_reader_left(part));
}

static void clear(parts_t *parts)
{
    give_back(&parts->leaf);
    give_back(&parts->key);
    give_back(&parts->dh);
    for (int i = 0; parts->chain && i < parts->count; i++)
        give_back(&parts->chain[i]);
    OPENSSL_free(parts->chain);
}

static int take_key(parts_t *parts, const EVP_PKEY *key)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    unsigned char *der = NULL;

    take(&parts->key, der, info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : 0);
    PKCS8_PRIV_KEY_INFO_free(info);
    return der != NULL;
}

static int take_cert(sl_reader_t *part, X509 *cert)
{
    unsigned char *der = NULL;
    int length = i2d_X509(cert, &der);

    take(part, der, length);
    return length > 0;
}

static int take_chain(parts_t *parts, STACK_OF(X509) *chain)
{
    parts->count = sk_X509_num(chain);
    parts->chain = OPENSSL_zalloc(sizeof(*parts->chain) * ((size_t)parts->count + 1));
    if (!parts->chain || parts->count > SL_BLOB_CERTIFICATES_MAX)
        return 0;
    for (int i = 0; i < parts->count; i++) {
        if (!take_cert(&parts->chain[i], sk_X509_value(chain, i)))
            return 0;
    }
    return 1;
}

static int take_dh_parameters(parts_t *parts, EVP_PKEY *parameters)
{
    unsigned char *der = NULL;
    int length = parameters ? i2d_KeyParams(parameters, &der) : 0;

    take(&parts->dh, der, length);
    parts->is_dhx = parameters && EVP_PKEY_is_a(parameters, "DHX");
    return length >= 0;
}

static int take_all(parts_t *parts, const sl_identity_t *identity)
{
    parts->origin = identity->origin;
    parts->ec_group = identity->ec_group;
    return take_cert(&parts->leaf, identity->leaf) && take_chain(parts, identity->chain) &&
           take_key(parts, identity->key) && take_dh_parameters(parts, identity->dh_parameters);
}

static void put(sl_writer_t *w, const sl_reader_t *part)
{
    sl_writer_u32(w, (apr_uint32_t)sl_reader_left(part));
    if (sl_reader_left(part))
        sl_writer_bytes(w, part->at, sl_reader_left(part));
}

static void put_text(sl_writer_t *w, const char *text)
{
    sl_reader_t part;

    sl_reader_init(&part, text, text ? strlen(text) : 0);
    put(w, &part);
}

static void write_all(sl_writer_t *w, const parts_t *parts)
{
    sl_writer_u8(w, LAYOUT);
    put_text(w, parts->origin);
    put(w, &parts->leaf);
    sl_writer_u16(w, (unsigned)parts->count);
    for (int i = 0; i < parts->count; i++)
        put(w, &parts->chain[i]);
    put(w, &parts->key);
    put_text(w, parts->ec_group);
    sl_writer_u8(w, parts->is_dhx ? 1 : 0);
    put(w, &parts->dh);
}

static apr_size_t room_for(const parts_t *parts)
{
    apr_size_t room = 64 + strlen(parts->origin) + (parts->ec_group ? strlen(parts->ec_group) : 0);

    room += sl_reader_left(&parts->leaf) + sl_reader_left(&parts->key) + sl_reader_left(&parts->dh);
    for (int i = 0; i < parts->count; i++)
        room += 4 + sl_reader_left(&parts->chain[i]);
    return room;
}

static unsigned char *pack(const parts_t *parts, apr_size_t *length)
{
    apr_size_t room = room_for(parts);
    unsigned char *bytes = OPENSSL_malloc(room), *exact;
    sl_writer_t w;

    if (!bytes)
        return NULL;
    sl_writer_init(&w, bytes, room);
    write_all(&w, parts);
    *length = sl_writer_length(&w);
    exact = OPENSSL_clear_realloc(bytes, room, *length);
    if (!exact)
        OPENSSL_clear_free(bytes, room);
    return exact;
}

unsigned char *sl_blob_pack(const char *origin, const sl_reader_t *leaf, const sl_reader_t *chain, int count,
                            const sl_reader_t *key, apr_size_t *length)
{
    parts_t parts;

    memset(&parts, 0, sizeof(parts));
    parts.origin = origin;
    parts.leaf = *leaf;
    parts.chain = (sl_reader_t *)chain;
    parts.count = count;
    parts.key = *key;
    return pack(&parts, length);
}

unsigned char *sl_blob_encode(const sl_identity_t *identity, apr_size_t *length, sl_problem_t *why)
{
    parts_t parts;
    unsigned char *bytes = NULL;

    memset(&parts, 0, sizeof(parts));
    *length = 0;
    sl_openssl_error_clear();
    if (!take_all(&parts, identity))
        (void)sl_openssl_problem(why, identity->origin, "OpenSSL does not give out its bytes");
    else if (!(bytes = pack(&parts, length)))
        sl_problem_set(why, APR_ENOMEM, identity->origin, "memory ended");
    clear(&parts);
    return bytes;
}

/* ---- back ---- */

static sl_reader_t next_part(sl_reader_t *r)
{
    apr_uint32_t length = sl_reader_u32(r);
    const unsigned char *at = sl_reader_take(r, length);
    sl_reader_t part;

    sl_reader_init(&part, at ? at : (const unsigned char *)"", at ? length : 0);
    return part;
}

int sl_blob_chain(const unsigned char *bytes, apr_size_t length, apr_size_t *at, apr_size_t *size)
{
    sl_reader_t r;
    unsigned count;

    sl_reader_init(&r, bytes, length);
    if (sl_reader_u8(&r) != LAYOUT)
        return 0;
    (void)next_part(&r); /* origin */
    (void)next_part(&r); /* leaf */
    *at = length - sl_reader_left(&r);
    count = sl_reader_u16(&r);
    for (unsigned i = 0; i < count; i++)
        (void)next_part(&r);
    *size = length - sl_reader_left(&r) - *at;
    return !r.failed;
}

int sl_blob_leaf(const unsigned char *bytes, apr_size_t length, sl_reader_t *leaf)
{
    sl_reader_t r;

    sl_reader_init(&r, bytes, length);
    if (sl_reader_u8(&r) != LAYOUT)
        return 0;
    (void)next_part(&r); /* origin */
    *leaf = next_part(&r);
    return !r.failed && sl_reader_left(leaf);
}

int sl_blob_first_of_chain(const unsigned char *chain, apr_size_t length, sl_reader_t *cert)
{
    sl_reader_t r;

    sl_reader_init(&r, chain, length);
    if (!sl_reader_u16(&r))
        return 0;
    *cert = next_part(&r);
    return !r.failed && sl_reader_left(cert);
}

static char *take_text(sl_reader_t *r)
{
    sl_reader_t part = next_part(r);
    apr_size_t length = sl_reader_left(&part);
    char *text = malloc(length + 1);

    if (!text)
        return NULL;
    memcpy(text, part.at, length);
    text[length] = '\0';
    return text;
}

static X509 *take_leaf(sl_reader_t *r)
{
    sl_reader_t part = next_part(r);

    return sl_reader_left(&part) ? sl_cert_quick(part.at, sl_reader_left(&part)) : NULL;
}

/* Many identities have the same ones. */
static X509 *take_issuer(sl_reader_t *r)
{
    sl_reader_t part = next_part(r);

    return sl_reader_left(&part) ? sl_shared_cert(part.at, sl_reader_left(&part)) : NULL;
}

static STACK_OF(X509) *take_certificates(sl_reader_t *r)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    unsigned count = sl_reader_u16(r);

    for (unsigned i = 0; chain && i < count; i++) {
        X509 *cert = i < SL_BLOB_CERTIFICATES_MAX ? take_issuer(r) : NULL;

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
    sl_reader_t part = next_part(r);
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
    X509 *leaf = origin ? take_leaf(r) : NULL;
    STACK_OF(X509) *chain = leaf ? take_certificates(r) : NULL;
    sl_reader_t key_bytes = next_part(r);
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
