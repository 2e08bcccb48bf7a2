/* Certificates of issuers that many identities have in their chains, and of CAs that many hosts have in files of their
 * own: each one once in a process, as long as it is among those that were asked for lately. Any thread. */
#ifndef SL_IDENTITY_SHARED_CERTS_H
#define SL_IDENTITY_SHARED_CERTS_H

#include <apr.h>
#include <openssl/x509.h>

/* The whole of the bytes is one certificate; settled (crypto/cert_text), with a reference for the caller. NULL if it is
 * none, or memory ended. */
X509 *sl_shared_cert(const unsigned char *der, apr_size_t length);
/* The same of what certificates of peers are verified with: decoded by the library's own context, where that other one
 * is made by crypto/cert_quick. */
X509 *sl_shared_ca(const unsigned char *der, apr_size_t length);
/* Gives up all of them, for who looks for leaks. */
void sl_shared_certs_forget(void);

#endif
