/* A small table by the certificates' bytes; a newcomer takes the place of the one whose turn it is.
 * Called by blob.c. */
#include "identity/shared_certs.h"

#include "base/sha256.h"
#include "crypto/cert_quick.h"
#include "crypto/cert_text.h"

#include <pthread.h>
#include <string.h>

#define MOST 64

typedef struct shared_t {
    unsigned char digest[SL_SHA256_SIZE];
    X509 *cert;
} shared_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static shared_t table[MOST];
static unsigned turn;

static X509 *find(const unsigned char *digest)
{
    X509 *found = NULL;

    pthread_mutex_lock(&lock);
    for (int i = 0; i < MOST && !found; i++) {
        if (table[i].cert && !memcmp(table[i].digest, digest, SL_SHA256_SIZE) && X509_up_ref(table[i].cert) == 1)
            found = table[i].cert;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static void keep(const unsigned char *digest, X509 *cert)
{
    X509 *old;

    if (X509_up_ref(cert) != 1)
        return;
    pthread_mutex_lock(&lock);
    old = table[turn].cert;
    memcpy(table[turn].digest, digest, SL_SHA256_SIZE);
    table[turn].cert = cert;
    turn = (turn + 1) % MOST;
    pthread_mutex_unlock(&lock);
    X509_free(old);
}

X509 *sl_shared_cert(const unsigned char *der, apr_size_t length)
{
    unsigned char digest[SL_SHA256_SIZE];
    X509 *cert;

    sl_sha256(digest, der, length);
    cert = find(digest);
    if (cert)
        return cert;
    cert = sl_cert_quick(der, length);
    if (!cert)
        return NULL;
    sl_cert_settle(cert); /* before others see it */
    keep(digest, cert);
    return cert;
}

void sl_shared_certs_forget(void)
{
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MOST; i++) {
        X509_free(table[i].cert);
        table[i].cert = NULL;
    }
    pthread_mutex_unlock(&lock);
}
