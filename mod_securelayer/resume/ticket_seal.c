/* Sealing for untrusted stores.  Called by the session cache. */
#include "resume/ticket_seal.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

#define SALT 16
#define NONCE 12
#define TAG 16
#define HEAD (SL_TICKET_NAME_SIZE + SALT + NONCE)

static int derive(const sl_ticket_key_t *key, const unsigned char *salt, unsigned char derived[32])
{
    unsigned int length = 32;

    return HMAC(EVP_sha256(), key->seal, (int)sizeof(key->seal), salt, SALT, derived, &length) != NULL;
}

/* The head and what the bytes are bound to are authenticated, not encrypted. */
static int begin(EVP_CIPHER_CTX *ctx, const sl_ticket_key_t *key, const unsigned char *head, const void *bound,
                 apr_size_t bound_length, int seal)
{
    unsigned char derived[32];
    int ok, written;

    ok = derive(key, head + SL_TICKET_NAME_SIZE, derived) &&
         EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, derived, head + SL_TICKET_NAME_SIZE + SALT, seal) == 1 &&
         EVP_CipherUpdate(ctx, NULL, &written, head, HEAD) == 1 &&
         (!bound_length || EVP_CipherUpdate(ctx, NULL, &written, bound, (int)bound_length) == 1);
    OPENSSL_cleanse(derived, sizeof(derived));
    return ok;
}

apr_status_t sl_ticket_seal(const sl_ticket_key_t *key, const void *bound, apr_size_t bound_length, const void *bytes,
                            apr_size_t length, unsigned char *sealed)
{
    EVP_CIPHER_CTX *ctx;
    int written = 0, ok;

    if (length > INT_MAX / 2 || bound_length > INT_MAX / 2)
        return APR_EINVAL;
    ctx = EVP_CIPHER_CTX_new();
    memcpy(sealed, key->name, SL_TICKET_NAME_SIZE);
    ok = ctx && RAND_bytes(sealed + SL_TICKET_NAME_SIZE, SALT + NONCE) == 1 &&
         begin(ctx, key, sealed, bound, bound_length, 1) &&
         (!length || EVP_CipherUpdate(ctx, sealed + HEAD, &written, bytes, (int)length) == 1) &&
         EVP_CipherFinal_ex(ctx, sealed + HEAD + written, &written) == 1 &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, sealed + HEAD + length) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok ? APR_SUCCESS : APR_EGENERAL;
}

const unsigned char *sl_ticket_seal_name(const unsigned char *sealed, apr_size_t length)
{
    return length >= SL_TICKET_SEAL_OVERHEAD ? sealed : NULL;
}

apr_status_t sl_ticket_open(const sl_ticket_key_t *key, const void *bound, apr_size_t bound_length,
                            const unsigned char *sealed, apr_size_t length, void *bytes)
{
    apr_size_t inner = length - SL_TICKET_SEAL_OVERHEAD;
    unsigned char tag[TAG];
    EVP_CIPHER_CTX *ctx;
    int written = 0, ok;

    if (length < SL_TICKET_SEAL_OVERHEAD || length > INT_MAX / 2 || bound_length > INT_MAX / 2 ||
        memcmp(sealed, key->name, SL_TICKET_NAME_SIZE))
        return APR_EINVAL;
    memcpy(tag, sealed + HEAD + inner, TAG);
    ctx = EVP_CIPHER_CTX_new();
    ok = ctx && begin(ctx, key, sealed, bound, bound_length, 0) &&
         (!inner || EVP_CipherUpdate(ctx, bytes, &written, sealed + HEAD, (int)inner) == 1) &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1 &&
         EVP_CipherFinal_ex(ctx, (unsigned char *)bytes + written, &written) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!ok)
        OPENSSL_cleanse(bytes, inner);
    return ok ? APR_SUCCESS : APR_EINVAL;
}
