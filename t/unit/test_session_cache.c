/* session_cache: what is put comes back, sealed for its id and until its time; what was altered, moved or is too old is
 * not there; a store that fails is left alone for a while. */
#include "unit.h"

#include "resume/session_cache.h"

#include <apr_hash.h>
#include <openssl/ssl.h>

/* ---- a store, a sealer and a clock ---- */

typedef struct entry_t {
    unsigned char *bytes;
    apr_size_t length;
    apr_time_t expiry;
} entry_t;

typedef struct setup_t {
    apr_pool_t *pool;
    apr_hash_t *entries;
    apr_time_t now;
    apr_status_t failure; /* of the store; APR_SUCCESS: it works */
    int asked;
    apr_status_t meanwhile; /* what somebody else gets who asks while the store is being asked; 1: nobody does */
    unsigned char mask;   /* the sealer's key */
    sl_store_t store;
    sl_sealer_t sealer;
    sl_world_t world;
    sl_session_cache_t *cache;
} setup_t;

static apr_status_t put(void *baton, const unsigned char *key, apr_size_t key_length, const unsigned char *bytes,
                        apr_size_t length, apr_time_t expiry, apr_pool_t *scratch)
{
    setup_t *t = baton;
    entry_t *entry = apr_palloc(t->pool, sizeof(*entry));

    assert_non_null(scratch);
    t->asked++;
    if (t->failure != APR_SUCCESS)
        return t->failure;
    entry->bytes = apr_pmemdup(t->pool, bytes, length);
    entry->length = length;
    entry->expiry = expiry;
    apr_hash_set(t->entries, apr_pmemdup(t->pool, key, key_length), (apr_ssize_t)key_length, entry);
    return APR_SUCCESS;
}

static apr_status_t get(void *baton, const unsigned char *key, apr_size_t key_length, unsigned char *bytes,
                        apr_size_t *length, apr_pool_t *scratch)
{
    setup_t *t = baton;
    const entry_t *entry = apr_hash_get(t->entries, key, (apr_ssize_t)key_length);

    t->asked++;
    if (t->meanwhile != 1) {
        apr_status_t wanted = t->meanwhile;

        t->meanwhile = 1;
        assert_int_equal(sl_session_cache_remove(t->cache, key, key_length, scratch), wanted);
    }
    if (t->failure != APR_SUCCESS)
        return t->failure;
    if (!entry)
        return APR_NOTFOUND;
    assert_true(entry->length <= *length);
    memcpy(bytes, entry->bytes, entry->length);
    *length = entry->length;
    return APR_SUCCESS;
}

static apr_status_t take_out(void *baton, const unsigned char *key, apr_size_t key_length, apr_pool_t *scratch)
{
    setup_t *t = baton;
    int was_there = apr_hash_get(t->entries, key, (apr_ssize_t)key_length) != NULL;

    (void)scratch;
    t->asked++;
    apr_hash_set(t->entries, key, (apr_ssize_t)key_length, NULL);
    return t->failure != APR_SUCCESS ? t->failure : was_there ? APR_SUCCESS : APR_NOTFOUND;
}

static unsigned char sum_of(const void *bound, apr_size_t bound_length, const unsigned char *bytes, apr_size_t length)
{
    unsigned char sum = 1;

    for (apr_size_t i = 0; i < bound_length; i++)
        sum = (unsigned char)(sum * 31 + ((const unsigned char *)bound)[i]);
    for (apr_size_t i = 0; i < length; i++)
        sum = (unsigned char)(sum * 31 + bytes[i]);
    return sum;
}

/* No cipher, but it hides, and notices what a cipher would. */
static apr_status_t seal(void *baton, const void *bound, apr_size_t bound_length, const unsigned char *bytes,
                         apr_size_t length, unsigned char *sealed, apr_size_t *sealed_length)
{
    const setup_t *t = baton;

    sealed[0] = t->mask;
    sealed[1] = sum_of(bound, bound_length, bytes, length);
    for (apr_size_t i = 0; i < length; i++)
        sealed[2 + i] = bytes[i] ^ t->mask;
    *sealed_length = length + 2;
    return t->mask ? APR_SUCCESS : APR_EGENERAL;
}

static apr_status_t open_sealed(void *baton, const void *bound, apr_size_t bound_length, const unsigned char *sealed,
                                apr_size_t length, unsigned char *bytes, apr_size_t *opened_length)
{
    const setup_t *t = baton;

    if (length < 2 || sealed[0] != t->mask)
        return APR_NOTFOUND;
    for (apr_size_t i = 2; i < length; i++)
        bytes[i - 2] = sealed[i] ^ t->mask;
    *opened_length = length - 2;
    return sealed[1] == sum_of(bound, bound_length, bytes, length - 2) ? APR_SUCCESS : APR_NOTFOUND;
}

static apr_time_t clock_of(void *baton)
{
    return ((setup_t *)baton)->now;
}

static setup_t *make(apr_pool_t *pool)
{
    setup_t *t = apr_pcalloc(pool, sizeof(*t));

    t->pool = pool;
    t->entries = apr_hash_make(pool);
    t->now = apr_time_from_sec(1893456000);
    t->mask = 0x5a;
    t->store = (sl_store_t){put, get, take_out, t};
    t->sealer = (sl_sealer_t){seal, open_sealed, t};
    t->world = (sl_world_t){.now = clock_of, .baton = t};
    t->meanwhile = 1;
    t->cache = sl_session_cache_make(pool, &t->store, &t->world);
    return t;
}

/* ---- sessions ---- */

static const unsigned char first_id[] = "the id of the first session 0001";
static const unsigned char second_id[] = "the id of the other session 0002";
#define ID_SIZE 32

static SSL_SESSION *make_session(const unsigned char *id, long timeout, size_t more)
{
    static const unsigned char secret[48] = "the secret that nobody but the two ends may see";
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    SSL *ssl = SSL_new(ctx);
    SSL_SESSION *session = SSL_SESSION_new();
    unsigned char *data = calloc(1, more + 1);

    assert_int_equal(SSL_SESSION_set_protocol_version(session, TLS1_2_VERSION), 1);
    assert_int_equal(SSL_SESSION_set1_id(session, id, ID_SIZE), 1);
    assert_int_equal(SSL_SESSION_set1_master_key(session, secret, sizeof(secret)), 1);
    assert_int_equal(SSL_SESSION_set_cipher(session, SSL_CIPHER_find(ssl, (const unsigned char *)"\xc0\x2f")), 1);
    assert_int_equal(SSL_SESSION_set1_ticket_appdata(session, data, more), 1);
    SSL_SESSION_set_timeout(session, timeout);
    free(data);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return session;
}

static apr_status_t put_session(setup_t *t, const unsigned char *id, long timeout, size_t more)
{
    SSL_SESSION *session = make_session(id, timeout, more);
    apr_status_t rv = sl_session_cache_put(t->cache, &t->sealer, session, t->pool);

    SSL_SESSION_free(session);
    return rv;
}

static apr_status_t get_session(setup_t *t, const unsigned char *id)
{
    SSL_SESSION *session, *wanted = make_session(id, 1, 0);
    apr_status_t rv = sl_session_cache_get(t->cache, &t->sealer, id, ID_SIZE, &session, t->pool);
    unsigned char ours[48], theirs[48];

    assert_int_equal(session != NULL, rv == APR_SUCCESS);
    if (session) {
        assert_int_equal(SSL_SESSION_get_master_key(session, theirs, 48), SSL_SESSION_get_master_key(wanted, ours, 48));
        assert_memory_equal(ours, theirs, 48);
    }
    SSL_SESSION_free(session);
    SSL_SESSION_free(wanted);
    return rv;
}

static entry_t *entry_of(setup_t *t, const unsigned char *id)
{
    return apr_hash_get(t->entries, id, ID_SIZE);
}

static int holds(const entry_t *entry, const char *text)
{
    for (apr_size_t i = 0; i + strlen(text) <= entry->length; i++) {
        if (!memcmp(entry->bytes + i, text, strlen(text)))
            return 1;
    }
    return 0;
}

/* ---- tests ---- */

static void test_round_trip(void **state)
{
    setup_t *t = make(*state);

    assert_int_equal(get_session(t, first_id), APR_NOTFOUND);
    assert_int_equal(put_session(t, first_id, 300, 0), APR_SUCCESS);
    assert_int_equal(get_session(t, first_id), APR_SUCCESS);
    assert_int_equal(get_session(t, second_id), APR_NOTFOUND);
    assert_int_equal(entry_of(t, first_id)->expiry, t->now + apr_time_from_sec(300));
    assert_false(holds(entry_of(t, first_id), "the secret that"));
    assert_int_equal(sl_session_cache_remove(t->cache, first_id, ID_SIZE, t->pool), APR_SUCCESS);
    assert_int_equal(get_session(t, first_id), APR_NOTFOUND);
    assert_int_equal(sl_session_cache_remove(t->cache, first_id, ID_SIZE, t->pool), APR_NOTFOUND);
}

static void test_time(void **state)
{
    setup_t *t = make(*state);

    assert_int_equal(put_session(t, first_id, 300, 0), APR_SUCCESS);
    t->now += apr_time_from_sec(299);
    assert_int_equal(get_session(t, first_id), APR_SUCCESS);
    t->now += apr_time_from_sec(1);
    assert_int_equal(get_session(t, first_id), APR_NOTFOUND); /* whatever the store thinks of it */
    assert_non_null(entry_of(t, first_id));
    t->asked = 0;
    assert_int_equal(put_session(t, second_id, 0, 0), APR_NOTFOUND); /* good for no time at all */
    assert_int_equal(t->asked, 0);
}

static void test_tampering(void **state)
{
    setup_t *t = make(*state);
    entry_t *entry;
    apr_size_t length;

    assert_int_equal(put_session(t, first_id, 300, 0), APR_SUCCESS);
    entry = entry_of(t, first_id);
    length = entry->length;
    for (apr_size_t i = 0; i < length; i++) {
        entry->bytes[i] ^= 1;
        assert_int_equal(get_session(t, first_id), APR_NOTFOUND);
        entry->bytes[i] ^= 1;
    }
    for (entry->length = 0; entry->length < length; entry->length++)
        assert_int_equal(get_session(t, first_id), APR_NOTFOUND);
    assert_int_equal(get_session(t, first_id), APR_SUCCESS);
    apr_hash_set(t->entries, second_id, ID_SIZE, entry); /* one session in the place of another */
    assert_int_equal(get_session(t, second_id), APR_NOTFOUND);
    t->mask = 0x77; /* a key that nobody has any more */
    assert_int_equal(get_session(t, first_id), APR_NOTFOUND);
    assert_non_null(entry_of(t, first_id));
}

/* What opens, but is no session. */
static void test_nonsense(void **state)
{
    static const unsigned char expiry_alone[8] = {0, 0, 0, 0xff};
    setup_t *t = make(*state);
    entry_t entry = {apr_palloc(t->pool, 200), 0, 0};
    unsigned char plain[100] = {0, 0, 0, 0xff, 0, 0, 0, 0, 0x30, 0x7f, 1, 2, 3};

    apr_hash_set(t->entries, first_id, ID_SIZE, &entry);
    assert_int_equal(seal(t, first_id, ID_SIZE, expiry_alone, 8, entry.bytes, &entry.length), APR_SUCCESS);
    assert_int_equal(get_session(t, first_id), APR_NOTFOUND);
    assert_int_equal(seal(t, first_id, ID_SIZE, plain, sizeof(plain), entry.bytes, &entry.length), APR_SUCCESS);
    assert_int_equal(get_session(t, first_id), APR_NOTFOUND);
}

static void test_size(void **state)
{
    setup_t *t = make(*state);

    assert_int_equal(put_session(t, first_id, 300, 20000), APR_SUCCESS);
    assert_true(entry_of(t, first_id)->length > 20000);
    assert_int_equal(get_session(t, first_id), APR_SUCCESS);
    assert_int_equal(put_session(t, first_id, 300, 60000), APR_SUCCESS);
    assert_int_equal(get_session(t, first_id), APR_SUCCESS);
    t->asked = 0;
    assert_int_equal(put_session(t, second_id, 300, SL_SESSION_MOST), APR_ENOSPC);
    assert_int_equal(t->asked, 0);
    t->failure = APR_ENOSPC; /* too large for the store: others may fit */
    assert_int_equal(put_session(t, second_id, 300, 0), APR_ENOSPC);
    t->failure = APR_SUCCESS;
    assert_int_equal(put_session(t, second_id, 300, 0), APR_SUCCESS);
}

static void test_no_seal(void **state)
{
    setup_t *t = make(*state);

    t->mask = 0;
    assert_int_equal(put_session(t, first_id, 300, 0), APR_NOTFOUND);
    assert_int_equal(t->asked, 0);
}

static void test_store_down(void **state)
{
    static const int pauses[] = {1, 2, 4, 8, 16, 32, 32};
    setup_t *t = make(*state);
    int asked = 0;

    t->failure = APR_EGENERAL;
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        assert_int_equal(put_session(t, first_id, 300, 0), APR_EGENERAL);
        assert_int_equal(t->asked, ++asked);
        assert_int_equal(sl_session_cache_pause(t->cache), pauses[i]);
        t->now += apr_time_from_sec(pauses[i]) - 1;
        assert_int_equal(put_session(t, first_id, 300, 0), APR_EBUSY);
        assert_int_equal(get_session(t, first_id), APR_EBUSY);
        assert_int_equal(sl_session_cache_remove(t->cache, first_id, ID_SIZE, t->pool), APR_EBUSY);
        assert_int_equal(t->asked, asked);
        t->now += 1;
        assert_int_equal(sl_session_cache_pause(t->cache), 0);
    }
    t->failure = APR_NOTFOUND; /* as redis that is gone answers a question: no sign of life */
    assert_int_equal(get_session(t, first_id), APR_NOTFOUND);
    assert_int_equal(put_session(t, first_id, 300, 0), APR_EGENERAL); /* and what it says to a session */
    assert_int_equal(sl_session_cache_pause(t->cache), 32);
    t->now += apr_time_from_sec(32);
    t->failure = APR_SUCCESS;
    assert_int_equal(put_session(t, first_id, 300, 0), APR_SUCCESS);
    t->failure = APR_EGENERAL;
    assert_int_equal(get_session(t, first_id), APR_EGENERAL);
    assert_int_equal(sl_session_cache_pause(t->cache), 1);
}

/* A server may take seconds to fail: while one thread finds out whether it is back, the others do without. */
static void test_one_tries(void **state)
{
    setup_t *t = make(*state);

    t->failure = APR_TIMEUP;
    t->meanwhile = APR_TIMEUP; /* both were under way when it began: one tells */
    assert_int_equal(get_session(t, first_id), APR_EBUSY);
    t->now += apr_time_from_sec(1);
    t->meanwhile = APR_EBUSY;
    assert_int_equal(get_session(t, first_id), APR_TIMEUP);
    t->now += apr_time_from_sec(2);
    t->failure = APR_NOTFOUND;
    t->meanwhile = APR_EBUSY;
    assert_int_equal(get_session(t, first_id), APR_NOTFOUND);
    t->failure = APR_SUCCESS;
    t->meanwhile = APR_EBUSY;
    assert_int_equal(get_session(t, first_id), APR_NOTFOUND); /* no more than that: it still is on trial */
    assert_int_equal(put_session(t, first_id, 300, 0), APR_SUCCESS);
    t->meanwhile = APR_SUCCESS;
    assert_int_equal(get_session(t, first_id), APR_SUCCESS);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(test_round_trip), UNIT_TEST(test_time),    UNIT_TEST(test_tampering),  UNIT_TEST(test_nonsense),
    UNIT_TEST(test_size),       UNIT_TEST(test_no_seal), UNIT_TEST(test_store_down), UNIT_TEST(test_one_tries),
};

UNIT_MAIN(tests)
