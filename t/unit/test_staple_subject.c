/* staple_subject: a certificate and its issuer are made of the newest bytes when they are needed, and of no others than
 * those that the staple is about. */
#include "unit.h"

#include "keeper/staple_subject.h"
#include "material.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

typedef struct setup_t {
    apr_pool_t *pool;
    material_pair_t *ca, *other_ca, *first, *second;
    sl_vault_t *vault;
    sl_stored_t *stored;      /* of the first */
    sl_section_t *identities; /* one */
    sl_staple_t staple;       /* about the first */
} setup_t;

static sl_identity_t *identity_of(const material_pair_t *pair, const material_pair_t *issuer)
{
    return material_identity(pair, issuer, "a.test");
}

static apr_status_t give_up(void *baton)
{
    setup_t *t = baton;

    sl_stored_free(t->stored, t->vault);
    sl_vault_free(t->vault);
    if (t->staple.owns_cert)
        X509_free(t->staple.cert);
    if (t->staple.owns_issuer)
        X509_free(t->staple.issuer);
    return APR_SUCCESS;
}

static setup_t *make(apr_pool_t *pool)
{
    setup_t *t = apr_pcalloc(pool, sizeof(*t));
    sl_identity_t *identity;

    t->pool = pool;
    t->ca = material_ca(pool, "CA", NULL);
    t->other_ca = material_ca(pool, "other CA", NULL);
    t->first = material_server(pool, "a.test", "P-256", t->ca);
    t->second = material_server(pool, "a.test", "P-256", t->ca);
    t->vault = sl_vault_new();
    identity = identity_of(t->first, t->ca);
    t->stored = sl_stored_new(identity, 0, t->vault, NULL);
    sl_identity_release(identity);
    apr_pool_cleanup_register(pool, t, give_up, apr_pool_cleanup_null);
    assert_int_equal(sl_section_make(&t->identities, pool, 1, SL_IDENTITY_SIZE_MAX, NULL, NULL), APR_SUCCESS);
    memcpy(t->staple.key, t->stored->digest, sizeof(t->staple.key));
    t->staple.start = t->stored;
    t->staple.owns_cert = t->staple.owns_issuer = 1;
    return t;
}

/* As the keeper does it. */
static void publish(setup_t *t, const material_pair_t *pair, const material_pair_t *issuer)
{
    sl_identity_t *identity = identity_of(pair, issuer);
    apr_size_t length;
    unsigned char *bytes = sl_blob_encode(identity, &length, NULL);

    assert_int_equal(sl_section_publish(t->identities, 0, bytes, length), APR_SUCCESS);
    OPENSSL_clear_free(bytes, length);
    sl_identity_release(identity);
}

/* As the job does it when it sees a newer version. */
static void change_to(setup_t *t, const material_pair_t *pair, const material_pair_t *issuer)
{
    sl_identity_t *identity = identity_of(pair, issuer);

    publish(t, pair, issuer);
    t->staple.version = sl_section_version(t->identities, 0);
    assert_int_equal(sl_staple_subject_change(&t->staple, identity), 1);
    sl_identity_release(identity);
}

static int is_made_of(const setup_t *t, const material_pair_t *pair, const material_pair_t *issuer)
{
    return t->staple.cert && t->staple.issuer && !X509_cmp(t->staple.cert, pair->cert) &&
           !X509_cmp(t->staple.issuer, issuer->cert);
}

static void that_of_the_start_is_made_when_it_is_needed(void **state)
{
    setup_t *t = make(*state);

    for (int round = 0; round < 2; round++) {
        assert_int_equal(sl_staple_subject_make(&t->staple, t->identities), 1);
        assert_true(is_made_of(t, t->first, t->ca));
        assert_int_equal(sl_staple_subject_make(&t->staple, t->identities), 1);
        sl_staple_subject_leave(&t->staple, t->identities);
        assert_true(!t->staple.cert && !t->staple.issuer);
    }
}

/* Where CAs complete the chain. */
static void an_issuer_from_elsewhere_stays(void **state)
{
    setup_t *t = make(*state);

    t->staple.issuer = t->ca->cert;
    t->staple.owns_issuer = 0;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(sl_staple_subject_make(&t->staple, t->identities), 1);
        assert_true(is_made_of(t, t->first, t->ca));
        sl_staple_subject_leave(&t->staple, t->identities);
        assert_true(!t->staple.cert && t->staple.issuer == t->ca->cert);
    }
    change_to(t, t->second, NULL);
    assert_true(is_made_of(t, t->second, t->ca));
}

static void a_newer_one_is_made_of_the_board(void **state)
{
    setup_t *t = make(*state);

    change_to(t, t->second, t->ca);
    assert_memory_not_equal(t->staple.key, t->stored->digest, sizeof(t->staple.key));
    assert_true(is_made_of(t, t->second, t->ca));
    sl_staple_subject_leave(&t->staple, t->identities);
    assert_null(t->staple.cert);
    assert_int_equal(sl_staple_subject_make(&t->staple, t->identities), 1);
    assert_true(is_made_of(t, t->second, t->ca));
}

/* An answer would be asked for by the wrong certificate. */
static void one_that_the_staple_does_not_know_of_is_not_made(void **state)
{
    setup_t *t = make(*state);

    change_to(t, t->second, t->ca);
    sl_staple_subject_leave(&t->staple, t->identities);
    publish(t, t->first, t->ca);
    assert_int_equal(sl_staple_subject_make(&t->staple, t->identities), 0);
    assert_null(t->staple.cert);
}

static void without_its_issuer_that_of_an_older_one_is_taken(void **state)
{
    setup_t *t = make(*state);
    material_pair_t *third = material_server(*state, "a.test", "P-256", t->other_ca);
    material_pair_t *fourth = material_server(*state, "a.test", "P-256", t->other_ca);
    material_pair_t *stranger = material_server(*state, "a.test", "P-256", material_ca(*state, "stranger", NULL));

    change_to(t, t->second, NULL); /* that of the start */
    assert_true(is_made_of(t, t->second, t->ca));
    change_to(t, third, t->other_ca);
    sl_staple_subject_leave(&t->staple, t->identities);
    change_to(t, fourth, NULL); /* that of the last */
    assert_true(is_made_of(t, fourth, t->other_ca));
    sl_staple_subject_leave(&t->staple, t->identities);
    assert_int_equal(sl_staple_subject_make(&t->staple, t->identities), 1);
    assert_true(is_made_of(t, fourth, t->other_ca));
    change_to(t, stranger, NULL);
    assert_null(t->staple.issuer);
    assert_int_equal(sl_staple_subject_make(&t->staple, t->identities), 0);
}

/* In a configuration's pool, or of a directory. */
static void what_could_not_be_made_again_stays(void **state)
{
    setup_t *t = make(*state);
    sl_staple_t borrowed = {.cert = t->first->cert, .issuer = t->ca->cert};
    sl_identity_t *identity = identity_of(t->first, t->ca);
    sl_staple_t own;

    sl_staple_subject_leave(&borrowed, t->identities);
    assert_ptr_equal(borrowed.cert, t->first->cert);
    memset(&own, 0, sizeof(own));
    own.identity = -1;
    assert_int_equal(sl_staple_subject_change(&own, identity), 1);
    sl_identity_release(identity);
    sl_staple_subject_leave(&own, NULL);
    assert_true(own.cert && own.issuer);
    X509_free(own.cert);
    X509_free(own.issuer);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(that_of_the_start_is_made_when_it_is_needed),
    UNIT_TEST(an_issuer_from_elsewhere_stays),
    UNIT_TEST(a_newer_one_is_made_of_the_board),
    UNIT_TEST(one_that_the_staple_does_not_know_of_is_not_made),
    UNIT_TEST(without_its_issuer_that_of_an_older_one_is_taken),
    UNIT_TEST(what_could_not_be_made_again_stays),
};

UNIT_MAIN(tests)
