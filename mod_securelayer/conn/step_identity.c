/* The identities of the chosen virtual host, put onto the one SSL when OpenSSL needs them: not at all for a resumed
 * session.  OpenSSL then picks among the key types what the client can verify. */
#include "conn/steps.h"

#include <openssl/ssl.h>

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
    if (identity->dh_parameters && EVP_PKEY_up_ref(identity->dh_parameters)
        && SSL_set0_tmp_dh_pkey(ssl, identity->dh_parameters) != 1) {
        EVP_PKEY_free(identity->dh_parameters);
        return 0;
    }
    return 1;
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
