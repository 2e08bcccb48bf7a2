/* shared_certs: the same bytes give the same certificate, as long as it is among those asked for lately; whoever holds
 * one keeps it; what threads get at once is ready to be used by all of them. Says most under ThreadSanitizer. */
#include "unit.h"

#include "crypto/cert_quick.h"
#include "identity/shared_certs.h"
#include "material.h"

#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define MANY 200
#define THREADS 4
#define ROUNDS 300
#ifdef __SANITIZE_THREAD__
#define ISSUERS 12 /* so few that none is given up: it does not see how OpenSSL counts its references */
#else
#define ISSUERS 80 /* more than there is room for */
#endif

static X509 *ask(material_bytes_t der)
{
    return sl_shared_cert((const unsigned char *)der.data, der.length);
}

static material_bytes_t make(apr_pool_t *pool, const char *name)
{
    return material_cert_der(pool, material_ca(pool, name, NULL)->cert);
}

static void the_same_bytes_are_one_certificate(void **state)
{
    material_bytes_t one = make(*state, "one"), two = make(*state, "two"), again;
    X509 *first = ask(one), *second, *other;

    again.data = apr_pmemdup(*state, one.data, one.length); /* wherever they stand */
    again.length = one.length;
    second = ask(again);
    other = ask(two);
    assert_non_null(first);
    assert_ptr_equal(first, second);
    assert_ptr_not_equal(first, other);
    assert_memory_equal(material_cert_der(*state, first).data, one.data, one.length);
    assert_memory_equal(material_cert_der(*state, other).data, two.data, two.length);
    X509_free(first);
    X509_free(second);
    X509_free(other);
    sl_shared_certs_forget();
}

static void cas_are_apart(void **state)
{
    material_bytes_t der = make(*state, "one");
    X509 *cert, *first, *second;

    sl_cert_quick_prepare(*state);
    cert = ask(der);
    first = sl_shared_ca((const unsigned char *)der.data, der.length);
    second = sl_shared_ca((const unsigned char *)der.data, der.length);
    assert_non_null(first);
    assert_ptr_equal(first, second);
    assert_ptr_not_equal(first, cert);
    assert_int_equal(X509_cmp(first, cert), 0);
    assert_null(sl_shared_ca((const unsigned char *)der.data, der.length - 1));
    der = material_join(*state, der, material_text("x"));
    assert_null(sl_shared_ca((const unsigned char *)der.data, der.length));
    X509_free(cert);
    X509_free(first);
    X509_free(second);
    sl_shared_certs_forget();
}

static void garbage_is_none(void **state)
{
    material_bytes_t der = make(*state, "one");

    assert_null(sl_shared_cert((const unsigned char *)"", 0));
    assert_null(sl_shared_cert((const unsigned char *)der.data, der.length - 1));
    der = material_join(*state, der, material_text("x"));
    assert_null(ask(der));
    assert_null(ask(der)); /* nor the second time */
    sl_shared_certs_forget();
}

static void only_so_many_are_kept(void **state)
{
    material_bytes_t der = make(*state, "first");
    X509 *first = ask(der), *again;

    for (int i = 0; i < MANY; i++)
        X509_free(ask(make(*state, apr_psprintf(*state, "n%d", i))));
    assert_memory_equal(material_cert_der(*state, first).data, der.data, der.length); /* ours still */
    again = ask(der);
    assert_ptr_not_equal(again, first);
    assert_int_equal(X509_cmp(again, first), 0);
    X509_free(again);
    X509_free(first);
    sl_shared_certs_forget();
}

static void what_is_forgotten_is_made_anew(void **state)
{
    material_bytes_t der = make(*state, "first");
    X509 *first = ask(der), *again;

    sl_shared_certs_forget();
    sl_shared_certs_forget();
    again = ask(der);
    assert_ptr_not_equal(again, first);
    X509_free(again);
    X509_free(first);
    sl_shared_certs_forget();
}

typedef struct crowd_t {
    material_bytes_t ders[ISSUERS], leaf;
    const material_pair_t *issuers[ISSUERS];
    atomic_int failures;
} crowd_t;

static void *use(void *baton)
{
    crowd_t *crowd = baton;
    const unsigned char *at = (const unsigned char *)crowd->leaf.data;
    X509 *leaf = d2i_X509(NULL, &at, (long)crowd->leaf.length);

    for (int i = 0; i < ROUNDS; i++) {
        int which = i % 3 ? i * 31 % ISSUERS : 0; /* one is asked for by all of them, all the time */
        X509 *cert = ask(crowd->ders[which]);
        unsigned char *der = NULL;
        int length = cert ? i2d_X509(cert, &der) : 0;
        int fine = length > 0 && (apr_size_t)length == crowd->ders[which].length &&
                   memcmp(der, crowd->ders[which].data, (size_t)length) == 0 &&
                   (X509_check_issued(cert, leaf) == X509_V_OK) == (which == 0) &&
                   (which || X509_verify(leaf, X509_get0_pubkey(cert)) == 1);

        if (!fine)
            atomic_fetch_add(&crowd->failures, 1);
        OPENSSL_free(der);
        X509_free(cert);
    }
    X509_free(leaf);
    return NULL;
}

static void crowd_them(apr_pool_t *pool)
{
    crowd_t *crowd = apr_pcalloc(pool, sizeof(*crowd));
    pthread_t threads[THREADS];

    for (int i = 0; i < ISSUERS; i++) {
        crowd->issuers[i] = material_ca(pool, apr_psprintf(pool, "n%d", i), NULL);
        crowd->ders[i] = material_cert_der(pool, crowd->issuers[i]->cert);
    }
    crowd->leaf = material_cert_der(pool, material_server(pool, "a.test", "RSA", crowd->issuers[0])->cert);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, crowd), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&crowd->failures), 0);
    sl_shared_certs_forget();
}

static void threads_may_share_them(void **state)
{
    apr_pool_t *configuration;

    crowd_them(*state);
    apr_pool_create(&configuration, *state);
    sl_cert_quick_prepare(configuration);
    crowd_them(*state);
    apr_pool_destroy(configuration);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(the_same_bytes_are_one_certificate),
    UNIT_TEST(cas_are_apart),
    UNIT_TEST(garbage_is_none),
    UNIT_TEST(only_so_many_are_kept),
    UNIT_TEST(what_is_forgotten_is_made_anew),
    UNIT_TEST(threads_may_share_them),
};

UNIT_MAIN(tests)
