/* Whom an answer is about.  Called by keeper/staple. Ten thousand certificates as OpenSSL's objects would take more
 * memory than all the rest of their hosts, and time at each start. */
#include "keeper/staple_subject.h"

#include "crypto/cert_text.h"
#include "keeper/supply.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <string.h>

/* In the chain. With a reference; NULL if it is not there. */
static X509 *issuer_in(const sl_identity_t *identity, X509 *leaf)
{
    X509 *issuer = identity ? sl_cert_issuer_among(identity->chain, leaf) : NULL;

    return issuer && X509_up_ref(issuer) == 1 ? issuer : NULL;
}

static sl_identity_t *at_start(const sl_staple_t *staple)
{
    return staple->start ? sl_stored_get(staple->start, SL_BLOB_CERTIFICATES) : NULL;
}

static sl_identity_t *newest(const sl_staple_t *staple, const sl_section_t *identities)
{
    return staple->version ? sl_supply_newer(identities, staple->identity, SL_BLOB_CERTIFICATES, NULL)
                           : at_start(staple);
}

int sl_staple_subject_is(const sl_staple_t *staple, const sl_identity_t *identity)
{
    unsigned char key[SL_BOARD_KEY_SIZE];
    unsigned length;

    return X509_digest(identity->leaf, EVP_sha256(), key, &length) == 1 && !memcmp(staple->key, key, sizeof(key));
}

int sl_staple_subject_make(sl_staple_t *staple, const sl_section_t *identities)
{
    sl_identity_t *identity = staple->cert && staple->issuer ? NULL : newest(staple, identities);

    if (identity && sl_staple_subject_is(staple, identity)) {
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
