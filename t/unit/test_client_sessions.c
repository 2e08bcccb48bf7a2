/* Sessions with backends: given out for their key alone, those of TLS 1.3 once; bounded, and not for ever. */
#include "unit.h"

#include "resume/client_sessions.h"

#include <string.h>

static SSL_SESSION *session_of(int version)
{
    SSL_SESSION *session = SSL_SESSION_new();
    static unsigned char number;
    unsigned char id[32] = {++number, 1};

    assert_int_equal(SSL_SESSION_set_protocol_version(session, version), 1);
    assert_int_equal(SSL_SESSION_set1_id(session, id, sizeof(id)), 1);
    return session;
}

static const unsigned char *key(int number)
{
    static unsigned char bytes[4][SL_CLIENT_SESSION_KEY];
    static int next;
    unsigned char *one = bytes[next++ % 4];

    memset(one, 0, SL_CLIENT_SESSION_KEY);
    one[0] = (unsigned char)number;
    one[SL_CLIENT_SESSION_KEY - 1] = (unsigned char)number;
    return one;
}

static void put(sl_client_sessions_t *sessions, int number, SSL_SESSION *session, apr_int64_t now)
{
    sl_client_sessions_put(sessions, key(number), session, now);
    SSL_SESSION_free(session);
}

static void a_session_is_of_its_key(void **state)
{
    sl_client_sessions_t *sessions = sl_client_sessions_make(*state, 64);
    SSL_SESSION *session = session_of(TLS1_2_VERSION), *found;

    put(sessions, 1, session, 100);
    assert_null(sl_client_sessions_take(sessions, key(2), 100));
    found = sl_client_sessions_take(sessions, key(1), 100);
    assert_ptr_equal(found, session);
    SSL_SESSION_free(found);
    sl_client_sessions_drop(sessions, key(2));
    found = sl_client_sessions_take(sessions, key(1), 101);
    assert_ptr_equal(found, session); /* TLS 1.2: again and again */
    SSL_SESSION_free(found);
    sl_client_sessions_drop(sessions, key(1));
    assert_null(sl_client_sessions_take(sessions, key(1), 101));
}

static void tickets_of_tls13_are_used_once(void **state)
{
    sl_client_sessions_t *sessions = sl_client_sessions_make(*state, 64);
    SSL_SESSION *first = session_of(TLS1_3_VERSION), *second = session_of(TLS1_3_VERSION), *found;

    put(sessions, 1, first, 100);
    put(sessions, 1, second, 100);
    found = sl_client_sessions_take(sessions, key(1), 100);
    assert_ptr_equal(found, second); /* the newest */
    SSL_SESSION_free(found);
    found = sl_client_sessions_take(sessions, key(1), 100);
    assert_ptr_equal(found, first);
    SSL_SESSION_free(found);
    assert_null(sl_client_sessions_take(sessions, key(1), 100));
}

static void an_hour_is_enough(void **state)
{
    sl_client_sessions_t *sessions = sl_client_sessions_make(*state, 64);
    SSL_SESSION *found;

    put(sessions, 1, session_of(TLS1_2_VERSION), 100);
    found = sl_client_sessions_take(sessions, key(1), 3700);
    assert_non_null(found);
    SSL_SESSION_free(found);
    assert_null(sl_client_sessions_take(sessions, key(1), 3701));
    put(sessions, 1, session_of(TLS1_2_VERSION), 100);
    assert_null(sl_client_sessions_take(sessions, key(1), 99)); /* the clock went back */
}

/* All of one set: the oldest goes, and memory stays what it was. */
static void it_is_bounded(void **state)
{
    sl_client_sessions_t *sessions = sl_client_sessions_make(*state, 8);
    int found = 0;

    for (int i = 0; i < 20; i++)
        put(sessions, i, session_of(TLS1_2_VERSION), 100);
    for (int i = 0; i < 20; i++) {
        SSL_SESSION *session = sl_client_sessions_take(sessions, key(i), 100);

        assert_int_equal(session != NULL, i >= 12);
        found += session != NULL;
        SSL_SESSION_free(session);
    }
    assert_int_equal(found, 8);
}

static void what_cannot_be_resumed_is_not_kept(void **state)
{
    sl_client_sessions_t *sessions = sl_client_sessions_make(*state, 64);
    SSL_SESSION *session = SSL_SESSION_new(); /* neither an id nor a ticket */

    put(sessions, 1, session, 100);
    assert_null(sl_client_sessions_take(sessions, key(1), 100));
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(a_session_is_of_its_key),   UNIT_TEST(tickets_of_tls13_are_used_once),
    UNIT_TEST(an_hour_is_enough),         UNIT_TEST(it_is_bounded),
    UNIT_TEST(what_cannot_be_resumed_is_not_kept),
};

UNIT_MAIN(tests)
