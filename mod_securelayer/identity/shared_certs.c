/* Small tables by the certificates' bytes; a newcomer takes the place of the one whose turn it is.
 * Called by blob and trust_blob. */
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

typedef struct table_t {
    X509 *(*make)(const unsigned char *der, apr_size_t length);
    pthread_mutex_t lock;
    shared_t certs[MOST];
    unsigned turn;
} table_t;

static X509 *decode(const unsigned char *der, apr_size_t length)
{
    const unsigned char *at = der;
    X509 *cert = d2i_X509(NULL, &at, (long)length);

    if (!cert || at == der + length)
        return cert;
    X509_free(cert);
    return NULL;
}

static table_t quick = {sl_cert_quick, PTHREAD_MUTEX_INITIALIZER, {{{0}, NULL}}, 0};
static table_t plain = {decode, PTHREAD_MUTEX_INITIALIZER, {{{0}, NULL}}, 0};

static X509 *find(table_t *table, const unsigned char *digest)
{
    X509 *found = NULL;

    pthread_mutex_lock(&table->lock);
    for (int i = 0; i < MOST && !found; i++) {
        if (table->certs[i].cert && !memcmp(table->certs[i].digest, digest, SL_SHA256_SIZE) &&
            X509_up_ref(table->certs[i].cert) == 1)
            found = table->certs[i].cert;
    }
    pthread_mutex_unlock(&table->lock);
    return found;
}

static void keep(table_t *table, const unsigned char *digest, X509 *cert)
{
    shared_t *place;
    X509 *old;

    if (X509_up_ref(cert) != 1)
        return;
    pthread_mutex_lock(&table->lock);
    place = &table->certs[table->turn];
    old = place->cert;
    memcpy(place->digest, digest, SL_SHA256_SIZE);
    place->cert = cert;
    table->turn = (table->turn + 1) % MOST;
    pthread_mutex_unlock(&table->lock);
    X509_free(old);
}

static X509 *get(table_t *table, const unsigned char *der, apr_size_t length)
{
    unsigned char digest[SL_SHA256_SIZE];
    X509 *cert;

    sl_sha256(digest, der, length);
    cert = find(table, digest);
    if (cert)
        return cert;
    cert = table->make(der, length);
    if (!cert)
        return NULL;
    sl_cert_settle(cert); /* before others see it */
    keep(table, digest, cert);
    return cert;
}

X509 *sl_shared_cert(const unsigned char *der, apr_size_t length)
{
    return get(&quick, der, length);
}

X509 *sl_shared_ca(const unsigned char *der, apr_size_t length)
{
    return get(&plain, der, length);
}

static void forget(table_t *table)
{
    pthread_mutex_lock(&table->lock);
    for (int i = 0; i < MOST; i++) {
        X509_free(table->certs[i].cert);
        table->certs[i].cert = NULL;
    }
    pthread_mutex_unlock(&table->lock);
}

void sl_shared_certs_forget(void)
{
    forget(&quick);
    forget(&plain);
}
