/* The identities of the chosen virtual host, put onto the one SSL when OpenSSL needs them: not at all for a resumed
 * session.  OpenSSL then picks among the key types what the client can verify. */
#include "conn/steps.h"

#include <openssl/ssl.h>

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

static int attach(SSL *ssl, const sl_conn_t *conn, const sl_identity_t *identity)
{
    STACK_OF(X509) *chain = identity->chain;

    /* Without a chain of its own a certificate may find its issuers among the CAs, as people rely on. */
    if (!sk_X509_num(chain) && conn->vhost->profile->trust && conn->vhost->profile->trust->store)
        chain = NULL;
    if (SSL_use_cert_and_key(ssl, identity->leaf, identity->key, chain, 1) != 1)
        return 0;
    if (identity->ec_group && SSL_set1_groups_list(ssl, identity->ec_group) != 1)
        return 0;
    return !identity->dh_parameters || use_dh_parameters(ssl, identity->dh_parameters);
}

int sl_step_identity(SSL *ssl, void *baton)
{
    const sl_conn_t *conn = baton;
    const apr_array_header_t *identities = conn->vhost->identities;

    if (conn->challenge)
        return attach(ssl, conn, conn->challenge);
    for (int i = 0; i < identities->nelts; i++) {
        if (!attach(ssl, conn, APR_ARRAY_IDX(identities, i, const sl_identity_t *)))
            return 0;
    }
    return 1;
}
