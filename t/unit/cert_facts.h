/* What crypto/cert_der read of a certificate, against what OpenSSL says: for the unit test and the fuzz target. */
#ifndef SL_T_CERT_FACTS_H
#define SL_T_CERT_FACTS_H

#include "crypto/cert_der.h"

#include <openssl/x509.h>

/* The fact that differs, as a word; NULL if all agree. What OpenSSL can't decode itself may be anything. */
const char *cert_facts_difference(const sl_cert_der_t *facts, X509 *cert);

#endif
