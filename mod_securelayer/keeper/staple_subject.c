/* Whom an answer is about.  Called by keeper/staple. Ten thousand certificates as OpenSSL's objects would take more
 * memory than all the rest of their hosts, and time at each start. */
#include "keeper/staple_subject.h"

#include "identity/blob.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <string.h>

/* In the chain. With a reference; NULL if it is not there. */
static X509 *issuer_in(const sl_identity_t *identity, X509 *leaf)
{
    for (int i = 0; identity && i < sk_X509_num(identity->chain); i++) {
        X509 *issuer = sk_X509_value(identity->chain, i);

        if (X509_check_issued(issuer, leaf) == X509_V_OK && X509_up_ref(issuer) == 1)
            return issuer;
    }
    return NULL;
}

static sl_identity_t *at_start(const sl_staple_t *staple)
{
    return staple->start ? sl_stored_get(staple->start, SL_BLOB_CERTIFICATES) : NULL;
}

static sl_identity_t *newest(const sl_staple_t *staple, const sl_section_t *identities)
{
    sl_identity_t *identity;
    unsigned char *bytes;
    apr_size_t length;

    if (!staple->version)
        return at_start(staple);
    bytes = sl_section_copy(identities, staple->identity, &length, NULL);
    identity = bytes ? sl_blob_decode(bytes, length, SL_BLOB_CERTIFICATES) : NULL;
    OPENSSL_clear_free(bytes, length);
    return identity;
}

static int is_about(const sl_staple_t *staple, const sl_identity_t *identity)
{
    unsigned char key[SL_BOARD_KEY_SIZE];
    unsigned length;

    return X509_digest(identity->leaf, EVP_sha256(), key, &length) == 1 && !memcmp(staple->key, key, sizeof(key));
}

int sl_staple_subject_make(sl_staple_t *staple, const sl_section_t *identities)
{
    sl_identity_t *identity = staple->cert && staple->issuer ? NULL : newest(staple, identities);

    if (identity && is_about(staple, identity)) {
        if (!staple->cert && X509_up_ref(identity->leaf) == 1)
            staple->cert = identity->leaf;
        if (!staple->issuer)
            staple->issuer = issuer_in(identity, identity->leaf);
    }
    sl_identity_release(identity);
    return staple->cert && staple->issuer;
}

/* Who issued the one of the start is found again with it. Others are kept, for the next one may come without its
 * issuer; they are few, and shared. */
void sl_staple_subject_leave(sl_staple_t *staple, const sl_section_t *identities)
{
    int is_of_start = !staple->version && staple->start;

    if (staple->owns_cert && (is_of_start || (staple->version && identities))) {
        X509_free(staple->cert);
        staple->cert = NULL;
    }
    if (staple->owns_issuer && is_of_start) {
        X509_free(staple->issuer);
        staple->issuer = NULL;
    }
}

/* In the chain, else who issued one before. With a reference; NULL if nobody did. */
static X509 *find_issuer(const sl_staple_t *staple, const sl_identity_t *identity)
{
    X509 *issuer = issuer_in(identity, identity->leaf);
    sl_identity_t *start;

    if (!issuer && staple->issuer && X509_check_issued(staple->issuer, identity->leaf) == X509_V_OK &&
        X509_up_ref(staple->issuer) == 1)
        issuer = staple->issuer;
    if (issuer)
        return issuer;
    start = at_start(staple);
    issuer = issuer_in(start, identity->leaf);
    sl_identity_release(start);
    return issuer;
}

int sl_staple_subject_change(sl_staple_t *staple, const sl_identity_t *identity)
{
    X509 *issuer;
    unsigned length;

    if (X509_digest(identity->leaf, EVP_sha256(), staple->key, &length) != 1 || X509_up_ref(identity->leaf) != 1)
        return 0;
    issuer = find_issuer(staple, identity);
    if (staple->owns_cert)
        X509_free(staple->cert);
    if (staple->owns_issuer)
        X509_free(staple->issuer);
    staple->owns_cert = staple->owns_issuer = 1;
    staple->cert = identity->leaf;
    staple->issuer = issuer;
    return 1;
}
