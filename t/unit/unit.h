/* What every unit test includes: cmocka in its order, a pool per test, TAP output. */
#ifndef SL_T_UNIT_H
#define SL_T_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>

static int unit_setup(void **state)
{
    apr_pool_t *pool;

    if (apr_pool_create(&pool, NULL) != APR_SUCCESS)
        return -1;
    *state = pool;
    return 0;
}

static int unit_teardown(void **state)
{
    apr_pool_destroy(*state);
    return 0;
}

#define UNIT_TEST(function) cmocka_unit_test_setup_teardown(function, unit_setup, unit_teardown)

#define UNIT_MAIN(tests)                                                                                               \
    int main(void)                                                                                                     \
    {                                                                                                                  \
        apr_initialize();                                                                                              \
        cmocka_set_message_output(CM_OUTPUT_TAP);                                                                      \
        int failed = cmocka_run_group_tests(tests, NULL, NULL);                                                        \
        apr_terminate();                                                                                               \
        return failed;                                                                                                 \
    }

#endif
