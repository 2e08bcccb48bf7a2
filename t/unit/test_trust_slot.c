/* A newer trust is made by one thread while the others go on with the one before; what can't be made is told once and
 * tried again a second later. Whoever begins with an outdated one waits for the first. */
#include "identity/trust_slot.h"
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Where newer ones come from: now at version `version`, none if `fails`; the maker waits as long as `is_shut`. */
typedef struct maker_t {
    sl_trust_slot_t *slot;
    sl_world_t world;
    apr_time_t now;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int is_shut;
    atomic_int is_making, made, at_once, most, fails;
    _Atomic apr_uint64_t version;
} maker_t;

static apr_time_t ticks(void *baton)
{
    return ((maker_t *)baton)->now;
}

static void open_maker(maker_t *maker, int is_behind)
{
    memset(maker, 0, sizeof(*maker));
    pthread_mutex_init(&maker->lock, NULL);
    pthread_cond_init(&maker->changed, NULL);
    maker->now = apr_time_from_sec(1000);
    maker->world.ticks = ticks;
    maker->world.baton = maker;
    maker->slot = sl_trust_slot_new(is_behind);
    assert_non_null(maker->slot);
}

static void close_maker(maker_t *maker)
{
    sl_trust_slot_free(maker->slot);
    pthread_cond_destroy(&maker->changed);
    pthread_mutex_destroy(&maker->lock);
}

static void shut(maker_t *maker, int is_shut)
{
    pthread_mutex_lock(&maker->lock);
    maker->is_shut = is_shut;
    pthread_cond_broadcast(&maker->changed);
    pthread_mutex_unlock(&maker->lock);
}

static sl_trust_t *make(void *baton)
{
    maker_t *maker = baton;
    int now = atomic_fetch_add(&maker->at_once, 1) + 1, most = atomic_load(&maker->most);
    sl_trust_t *trust = NULL;

    while (now > most && !atomic_compare_exchange_weak(&maker->most, &most, now))
        ;
    pthread_mutex_lock(&maker->lock);
    atomic_store(&maker->is_making, 1);
    pthread_cond_broadcast(&maker->changed);
    while (maker->is_shut)
        pthread_cond_wait(&maker->changed, &maker->lock);
    pthread_mutex_unlock(&maker->lock);
    if (!atomic_load(&maker->fails))
        trust = sl_trust_assemble(&(sl_trust_source_t){0}, NULL, NULL, NULL, NULL);
    if (trust)
        trust->version = atomic_load(&maker->version);
    atomic_fetch_add(&maker->made, 1);
    atomic_fetch_sub(&maker->at_once, 1);
    return trust;
}

/* The version that is there to be used; 0: that of the start. */
static apr_uint64_t ask(maker_t *maker, int *failed)
{
    sl_trust_t *trust =
        sl_trust_slot_get(maker->slot, atomic_load(&maker->version), &maker->world, make, maker, failed);
    apr_uint64_t version = trust ? trust->version : 0;

    sl_trust_release(trust);
    return version;
}

typedef struct asker_t {
    maker_t *maker;
    pthread_t thread;
    apr_uint64_t got;
    int failed;
} asker_t;

static void *ask_in_thread(void *baton)
{
    asker_t *asker = baton;

    asker->got = ask(asker->maker, &asker->failed);
    return NULL;
}

static void begin(asker_t *asker, maker_t *maker)
{
    memset(asker, 0, sizeof(*asker));
    asker->maker = maker;
    assert_int_equal(pthread_create(&asker->thread, NULL, ask_in_thread, asker), 0);
}

static void await_making(maker_t *maker)
{
    pthread_mutex_lock(&maker->lock);
    while (!atomic_load(&maker->is_making))
        pthread_cond_wait(&maker->changed, &maker->lock);
    atomic_store(&maker->is_making, 0);
    pthread_mutex_unlock(&maker->lock);
}

static void others_go_on_while_one_makes(void **state)
{
    maker_t maker;
    asker_t one;
    int failed;

    (void)state;
    open_maker(&maker, 0);
    for (apr_uint64_t version = 1; version < 4; version++) {
        atomic_store(&maker.version, version);
        shut(&maker, 1);
        begin(&one, &maker);
        await_making(&maker);
        for (int i = 0; i < 3; i++)
            assert_int_equal(ask(&maker, &failed), version - 1); /* would hang if it waited */
        assert_false(failed);
        shut(&maker, 0);
        pthread_join(one.thread, NULL);
        assert_int_equal(one.got, version);
        assert_int_equal(ask(&maker, &failed), version);
    }
    assert_int_equal(atomic_load(&maker.made), 3);
    close_maker(&maker);
}

static void who_begins_with_an_outdated_one_waits(void **state)
{
    maker_t maker;
    asker_t askers[8];
    int failed;

    (void)state;
    open_maker(&maker, 1);
    atomic_store(&maker.version, 5);
    shut(&maker, 1);
    begin(&askers[0], &maker);
    await_making(&maker);
    for (int i = 1; i < 8; i++)
        begin(&askers[i], &maker);
    shut(&maker, 0);
    for (int i = 0; i < 8; i++) {
        pthread_join(askers[i].thread, NULL);
        assert_int_equal(askers[i].got, 5);
    }
    assert_int_equal(atomic_load(&maker.made), 1);
    atomic_store(&maker.version, 6); /* from then on as everywhere */
    shut(&maker, 1);
    begin(&askers[0], &maker);
    await_making(&maker);
    assert_int_equal(ask(&maker, &failed), 5);
    shut(&maker, 0);
    pthread_join(askers[0].thread, NULL);
    close_maker(&maker);
}

static void a_failure_is_told_once_and_tried_again_later(void **state)
{
    maker_t maker;
    int failed;

    (void)state;
    open_maker(&maker, 0);
    atomic_store(&maker.version, 1);
    assert_int_equal(ask(&maker, &failed), 1);
    atomic_store(&maker.version, 2);
    atomic_store(&maker.fails, 1);
    assert_int_equal(ask(&maker, &failed), 1);
    assert_true(failed);
    for (int i = 0; i < 5; i++) {
        maker.now += apr_time_from_sec(1) - 1;
        for (int k = 0; k < 10; k++) {
            assert_int_equal(ask(&maker, &failed), 1);
            assert_false(failed);
        }
        assert_int_equal(atomic_load(&maker.made), 2 + i); /* the first, the failure, and one each second */
        maker.now++;
        assert_int_equal(ask(&maker, &failed), 1);
        assert_false(failed);
        assert_int_equal(atomic_load(&maker.made), 3 + i);
    }
    atomic_store(&maker.version, 3); /* another one: no reason to wait */
    assert_int_equal(ask(&maker, &failed), 1);
    assert_true(failed);
    atomic_store(&maker.fails, 0);
    maker.now += apr_time_from_sec(1);
    assert_int_equal(ask(&maker, &failed), 3);
    assert_false(failed);
    close_maker(&maker);
}

/* Nobody waits for ever, either. */
static void a_failure_at_the_begin_leaves_that_of_the_start(void **state)
{
    maker_t maker;
    asker_t askers[4];
    int told = 0;

    (void)state;
    open_maker(&maker, 1);
    atomic_store(&maker.version, 1);
    atomic_store(&maker.fails, 1);
    for (int i = 0; i < 4; i++)
        begin(&askers[i], &maker);
    for (int i = 0; i < 4; i++) {
        pthread_join(askers[i].thread, NULL);
        assert_int_equal(askers[i].got, 0);
        told += askers[i].failed;
    }
    assert_int_equal(told, 1);
    assert_int_equal(atomic_load(&maker.made), 1);
    close_maker(&maker);
}

static void who_looked_earlier_does_not_make_it_again(void **state)
{
    maker_t maker;
    sl_trust_t *trust;
    int failed;

    (void)state;
    open_maker(&maker, 0);
    atomic_store(&maker.version, 7);
    assert_int_equal(ask(&maker, &failed), 7);
    trust = sl_trust_slot_get(maker.slot, 6, &maker.world, make, &maker, &failed);
    assert_int_equal(trust->version, 7);
    sl_trust_release(trust);
    assert_int_equal(atomic_load(&maker.made), 1);
    close_maker(&maker);
}

static void *ask_often(void *baton)
{
    asker_t *asker = baton;
    apr_uint64_t last = 0;

    for (int i = 0; i < 2000; i++) {
        asker->got = ask(asker->maker, &asker->failed);
        if (asker->got < last)
            return asker;
        last = asker->got;
    }
    return NULL;
}

static void many_threads_amid_changes(void **state)
{
    maker_t maker;
    asker_t askers[4];
    void *wrong;

    (void)state;
    open_maker(&maker, 1);
    atomic_store(&maker.version, 1);
    for (int i = 0; i < 4; i++) {
        memset(&askers[i], 0, sizeof(askers[i]));
        askers[i].maker = &maker;
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_often, &askers[i]), 0);
    }
    for (int i = 0; i < 200; i++) {
        int made = atomic_load(&maker.made), failed;

        atomic_fetch_add(&maker.version, 1);
        while (atomic_load(&maker.made) == made)
            ask(&maker, &failed);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(askers[i].thread, &wrong);
        assert_null(wrong); /* none went back */
    }
    assert_int_equal(atomic_load(&maker.most), 1); /* one at a time */
    close_maker(&maker);
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(others_go_on_while_one_makes),
    UNIT_TEST(who_begins_with_an_outdated_one_waits),
    UNIT_TEST(a_failure_is_told_once_and_tried_again_later),
    UNIT_TEST(a_failure_at_the_begin_leaves_that_of_the_start),
    UNIT_TEST(who_looked_earlier_does_not_make_it_again),
    UNIT_TEST(many_threads_amid_changes),
};

UNIT_MAIN(tests)
