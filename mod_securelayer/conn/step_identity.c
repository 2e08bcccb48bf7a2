/* The identities of the chosen virtual host, put onto the one SSL when OpenSSL needs them: not at all for a resumed
 * session.  OpenSSL then picks among the key types what the client can verify. */
#include "conn/steps.h"

#include <openssl/objects.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>

#define LONGEST_CHAIN 20

/* The profile lets OpenSSL choose; that would go before parameters of ours. */
static int use_dh_parameters(SSL *ssl, EVP_PKEY *parameters)
{
    SSL_set_dh_auto(ssl, 0);
    if (EVP_PKEY_up_ref(parameters) != 1)
        return 0;
    if (SSL_set0_tmp_dh_pkey(ssl, parameters) == 1)
        return 1;
    EVP_PKEY_free(parameters);
    return 0;
}

/* The next one up, with a reference for the caller. NULL: there is none, or it is there already. */
static X509 *next_issuer(X509_STORE_CTX *ctx, X509 *cert, STACK_OF(X509) *chain)
{
    X509 *issuer = NULL;

    if (X509_get_extension_flags(cert) & EXFLAG_SS || sk_X509_num(chain) >= LONGEST_CHAIN ||
        X509_STORE_CTX_get1_issuer(&issuer, ctx, cert) != 1)
        return NULL;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        if (!X509_cmp(sk_X509_value(chain, i), issuer)) {
            X509_free(issuer);
            return NULL;
        }
    }
    return issuer;
}

/* OpenSSL would do it as well, and verify each signature on the way, in each handshake. NULL if memory ended. */
static STACK_OF(X509) *chain_of_cas(X509_STORE *store, X509 *leaf)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *chain = sk_X509_new_null();
    int ok = ctx && chain && X509_STORE_CTX_init(ctx, store, leaf, NULL) == 1;

    for (X509 *cert = leaf, *issuer; ok && (issuer = next_issuer(ctx, cert, chain)) != NULL; cert = issuer) {
        ok = sk_X509_push(chain, issuer) > 0;
        if (!ok)
            X509_free(issuer);
    }
    X509_STORE_CTX_free(ctx);
    if (ok)
        return chain;
    sk_X509_pop_free(chain, X509_free);
    return NULL;
}

static int use_with_chain(SSL *ssl, const sl_identity_t *identity, STACK_OF(X509) *chain)
{
    return chain && SSL_use_cert_and_key(ssl, identity->leaf, identity->key, chain, 1) == 1;
}

/* Without a chain of its own a certificate may find its issuers among the CAs, as people rely on. */
static int use_with_cas(SSL *ssl, const sl_conn_t *conn, const sl_identity_t *identity)
{
    const sl_trust_t *trust = conn->trust ? conn->trust : conn->vhost->profile->trust;
    STACK_OF(X509) *chain;
    int ok;

    if (!trust || !trust->store)
        return use_with_chain(ssl, identity, identity->chain);
    chain = chain_of_cas(trust->store, identity->leaf);
    ok = use_with_chain(ssl, identity, chain);
    sk_X509_pop_free(chain, X509_free);
    return ok;
}

static int attach(SSL *ssl, const sl_conn_t *conn, const sl_identity_t *identity)
{
    int has_chain = sk_X509_num(identity->chain) > 0;

    if (!(has_chain ? use_with_chain(ssl, identity, identity->chain) : use_with_cas(ssl, conn, identity)))
        return 0;
    if (identity->ec_group && SSL_set1_groups_list(ssl, identity->ec_group) != 1)
        return 0;
    return !identity->dh_parameters || use_dh_parameters(ssl, identity->dh_parameters);
}

static sl_identity_t *identity_of(const sl_conn_t *conn, int nth)
{
    return conn->host->get_identity(conn->baton, APR_ARRAY_IDX(conn->vhost->identities, nth, sl_identity_ref_t).id);
}

/* One version of each for the whole handshake, though OpenSSL may ask twice. */
static int hold_identities(sl_conn_t *conn)
{
    int count = conn->vhost->identities->nelts;

    if (conn->identities)
        return 1;
    conn->identities = apr_array_make(conn->pool, count, sizeof(sl_identity_t *));
    for (int i = 0; i < count; i++) {
        sl_identity_t *identity = identity_of(conn, i);

        if (!identity)
            return 0;
        APR_ARRAY_PUSH(conn->identities, sl_identity_t *) = identity;
    }
    return 1;
}

int sl_step_identity(SSL *ssl, void *baton)
{
    sl_conn_t *conn = baton;

    if (conn->challenge)
        return attach(ssl, conn, conn->challenge);
    if (!hold_identities(conn))
        return 0;
    for (int i = 0; i < conn->identities->nelts; i++) {
        if (!attach(ssl, conn, APR_ARRAY_IDX(conn->identities, i, const sl_identity_t *)))
            return 0;
    }
    return 1;
}

static int is_ecdsa(const sl_identity_t *identity)
{
    return !EVP_PKEY_is_a(identity->key, "RSA") && !EVP_PKEY_is_a(identity->key, "RSA-PSS");
}

/* Held already if it is a directory's. */
static sl_identity_t *nth_identity(const sl_conn_t *conn, int nth)
{
    sl_identity_t *identity;

    if (!conn->identities)
        return identity_of(conn, nth);
    identity = APR_ARRAY_IDX(conn->identities, nth, sl_identity_t *);
    sl_identity_retain(identity);
    return identity;
}

/* The first one of the key type that the cipher names, else the very first. */
static sl_identity_t *identity_like(const sl_conn_t *conn)
{
    int count = conn->identities ? conn->identities->nelts : conn->vhost->identities->nelts;
    const SSL_CIPHER *cipher = SSL_get_current_cipher(conn->ssl);
    int authentication = cipher ? SSL_CIPHER_get_auth_nid(cipher) : NID_auth_any;
    sl_identity_t *first = NULL;

    for (int i = 0; i < count; i++) {
        sl_identity_t *identity = nth_identity(conn, i);

        if (identity && (authentication == NID_auth_any || (authentication == NID_auth_ecdsa) == is_ecdsa(identity))) {
            sl_identity_release(first);
            return identity;
        }
        if (first)
            sl_identity_release(identity);
        else
            first = identity;
    }
    return first;
}

X509 *sl_conn_certificate(sl_conn_t *conn)
{
    X509 *shown = conn->ssl ? SSL_get_certificate(conn->ssl) : NULL;
    sl_identity_t *identity, *none = NULL;

    if (shown || !conn->ssl || !conn->vhost)
        return shown;
    identity = atomic_load(&conn->resumed_identity);
    if (!identity) {
        identity = identity_like(conn);
        if (!atomic_compare_exchange_strong(&conn->resumed_identity, &none, identity)) {
            sl_identity_release(identity); /* another stream's thread was first */
            identity = none;
        }
    }
    return identity ? identity->leaf : NULL;
}
