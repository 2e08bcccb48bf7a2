/* The board: readers get one publication, whole, however fast the writer is and whatever becomes of it. Says most under
 * ThreadSanitizer. */
#include "keeper/board.h"
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define READERS 3
#define CHANGES 10000
#define SIZE 1000

static sl_section_t *make(apr_pool_t *pool, int entries, apr_size_t size, const unsigned char *keys)
{
    sl_section_t *section;

    assert_int_equal(sl_section_make(&section, pool, entries, size, keys, NULL), APR_SUCCESS);
    return section;
}

static void entries_are_apart(void **state)
{
    sl_section_t *section = make(*state, 3, 13, NULL);
    char text[16];
    apr_uint64_t version = 77;

    assert_int_equal(sl_section_entries(section), 3);
    assert_int_equal(sl_section_read(section, 1, text, sizeof(text), &version), 0);
    assert_int_equal(version, 0);
    for (int round = 1; round <= 3; round++) {
        assert_int_equal(sl_section_publish(section, 1, "thirteen byte", 13), APR_SUCCESS);
        assert_int_equal(sl_section_read(section, 1, text, sizeof(text), &version), 13);
        assert_memory_equal(text, "thirteen byte", 13);
        assert_int_equal(version, 2 * round - 1);
        assert_int_equal(sl_section_publish(section, 1, "ab", 2), APR_SUCCESS);
        assert_int_equal(sl_section_read(section, 1, text, sizeof(text), NULL), 2);
        assert_int_equal(sl_section_version(section, 1), 2 * round);
    }
    assert_int_equal(sl_section_version(section, 0), 0);
    assert_int_equal(sl_section_version(section, 2), 0);
    assert_int_equal(sl_section_publish(section, 1, NULL, 0), APR_SUCCESS);
    assert_int_equal(sl_section_read(section, 1, text, sizeof(text), NULL), 0);
}

/* Wherever it is shared with other processes. */
static int is_in_shared_memory(const char *text)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long from, until;
    char line[512], rights[5];
    int found = 0;

    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%lx-%lx %4s", &from, &until, rights) == 3 && !strcmp(rights, "rw-s"))
            found |= memmem((void *)from, until - from, text, strlen(text)) != NULL;
    }
    fclose(maps);
    return found;
}

/* Of the memory that `place` lies in; -1 if it is not mapped. */
static int is_writable(const void *place)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long from, until;
    char line[512], rights[5];
    int is = -1;

    assert_non_null(maps);
    while (is < 0 && fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%lx-%lx %4s", &from, &until, rights) == 3 && (unsigned long)place >= from &&
            (unsigned long)place < until)
            is = rights[1] == 'w';
    }
    fclose(maps);
    return is;
}

static void what_was_before_is_gone(void **state)
{
    sl_section_t *section = make(*state, 2, 64, NULL);
    char text[65];
    apr_uint64_t version;

    assert_int_equal(sl_section_publish(section, 1, "a secret that is long", 21), APR_SUCCESS);
    assert_true(is_in_shared_memory("secret"));
    assert_int_equal(sl_section_publish(section, 1, "short", 5), APR_SUCCESS);
    assert_false(is_in_shared_memory("secret"));
    assert_int_equal(sl_section_read(section, 1, text, sizeof(text), &version), 5);
    assert_int_equal(sl_section_publish(section, 1, "another long secret", 19), APR_SUCCESS);
    assert_int_equal(sl_section_publish(section, 1, NULL, 0), APR_SUCCESS);
    assert_int_equal(sl_section_read(section, 1, text, sizeof(text), &version), 0);
    assert_int_equal(version, 4);
    assert_false(is_in_shared_memory("secret"));
    assert_false(is_in_shared_memory("short"));
}

/* Pages that the process has of shared memory, its own and that of others alike. */
static long shared_pages(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long all, resident, shared;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld %ld", &all, &resident, &shared), 3);
    fclose(file);
    return shared;
}

/* However often an entry is published, it costs the pages of what is published now, be its place whole pages or not. */
static void what_was_before_costs_nothing(void **state)
{
    enum { ENTRIES = 2000 };
    static const apr_size_t sizes[] = {131072, 8233};

    for (int n = 0; n < 2; n++) {
        sl_section_t *section = make(*state, ENTRIES, sizes[n], NULL);
        long before = shared_pages();

        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < ENTRIES; i++)
                assert_int_equal(sl_section_publish(section, i, "0123456789", 10), APR_SUCCESS);
        }
        assert_in_range(shared_pages() - before, ENTRIES, ENTRIES + ENTRIES / 8);
    }
}

/* `attack`: what becomes of who tries. */
static int child_that(sl_section_t *section, void (*attack)(sl_section_t *section))
{
    int status;
    pid_t child = fork();

    if (!child) {
        sl_section_only_read(section);
        attack(section);
        _exit(0);
    }
    assert_true(waitpid(child, &status, 0) == child);
    return status;
}

static void publish_all_the_same(sl_section_t *section)
{
    signal(SIGSEGV, SIG_DFL);
    _exit(sl_section_publish(section, 0, "lies", 4) == APR_SUCCESS ? 1 : 2);
}

static void *first_map_of_securelayer(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long from = 0;
    char line[512];
    int found = 0;

    while (maps && !found && fgets(line, sizeof(line), maps))
        found = strstr(line, "memfd:securelayer") && sscanf(line, "%lx", &from) == 1;
    if (maps)
        fclose(maps);
    return found ? (void *)from : NULL; /* NOLINT(performance-no-int-to-ptr) */
}

static void make_it_writable(sl_section_t *section)
{
    void *memory = first_map_of_securelayer();
    char text[8];

    if (!memory || sl_section_read(section, 0, text, sizeof(text), NULL) != 5 || memcmp(text, "truth", 5) != 0)
        _exit(3);
    if (is_writable(memory))
        _exit(4);
    if (mprotect(memory, 4096, PROT_READ | PROT_WRITE) == 0)
        _exit(5);
}

static void who_only_reads_can_write_no_more(void **state)
{
    sl_section_t *section = make(*state, 1, 64, NULL);
    char text[8];
    int status;

    assert_int_equal(sl_section_publish(section, 0, "truth", 5), APR_SUCCESS);
    status = child_that(section, publish_all_the_same);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) > 2); /* sanitizers exit */
    assert_int_equal(child_that(section, make_it_writable), 0);
    assert_int_equal(sl_section_read(section, 0, text, sizeof(text), NULL), 5);
    assert_memory_equal(text, "truth", 5);
    sl_section_only_read(section); /* who made it stays its writer */
    assert_int_equal(sl_section_publish(section, 0, "news", 4), APR_SUCCESS);
}

/* A process with more rights reads what one with fewer could have written. */
static void lengths_in_the_memory_are_not_believed(void **state)
{
    sl_section_t *section = make(*state, 1, 64, NULL);
    apr_uint64_t *memory = first_map_of_securelayer();
    char text[256];

    assert_non_null(memory);
    assert_int_equal(sl_section_publish(section, 0, "truth", 5), APR_SUCCESS);
    assert_true(memory[2] == 0 && memory[3] == 5); /* the lengths of both places */
    memory[2] = memory[3] = APR_UINT64_C(1) << 40;
    assert_int_equal(sl_section_read(section, 0, text, sizeof(text), NULL), 64);
    assert_int_equal(sl_section_publish(section, 0, "truth", 5), APR_SUCCESS);
    assert_int_equal(sl_section_publish(section, 0, "truth", 5), APR_SUCCESS);
    assert_int_equal(sl_section_read(section, 0, text, sizeof(text), NULL), 5);
}

static void what_does_not_fit_changes_nothing(void **state)
{
    sl_section_t *section = make(*state, 1, 16, NULL), *none;
    char text[17];

    assert_int_equal(sl_section_publish(section, 0, "0123456789abcdef", 16), APR_SUCCESS);
    assert_int_equal(sl_section_publish(section, 0, "0123456789abcdefg", 17), APR_ENOSPC);
    assert_int_equal(sl_section_read(section, 0, text, 15, NULL), 0);
    assert_int_equal(sl_section_read(section, 0, text, 16, NULL), 16);
    assert_int_not_equal(sl_section_make(&none, *state, 0, 16, NULL, NULL), APR_SUCCESS);
    assert_null(none);
}

static void entries_are_found_by_their_keys(void **state)
{
    unsigned char keys[200 * SL_BOARD_KEY_SIZE], unknown[SL_BOARD_KEY_SIZE] = {0};
    sl_section_t *section;
    int found[200] = {0};

    for (size_t i = 0; i < sizeof(keys); i++)
        keys[i] = (unsigned char)(1 + i * 2654435761u / 65536 % 255);
    section = make(*state, 200, 8, keys);
    for (int i = 0; i < 200; i++) {
        int at = sl_section_find(section, keys + i * SL_BOARD_KEY_SIZE);

        assert_true(at >= 0 && at < 200);
        assert_memory_equal(sl_section_key(section, at), keys + i * SL_BOARD_KEY_SIZE, SL_BOARD_KEY_SIZE);
        assert_false(found[at]++);
    }
    assert_int_equal(sl_section_find(section, unknown), -1);
    assert_int_equal(sl_section_find(make(*state, 1, 8, NULL), unknown), -1);
}

/* ---- one writer, many readers ---- */

typedef struct race_t {
    sl_section_t *section;
    atomic_int over, torn, reads;
} race_t;

/* Each publication is of one byte's value, and as long as that says. */
static apr_size_t length_of(unsigned change)
{
    return 1 + change % SIZE;
}

static void *read_on(void *baton)
{
    race_t *race = baton;
    unsigned char bytes[SIZE];
    apr_uint64_t last = 0;

    while (!atomic_load(&race->over)) {
        apr_uint64_t version;
        apr_size_t length = sl_section_read(race->section, 0, bytes, sizeof(bytes), &version);

        if (version < last || (length && length != length_of((unsigned)version)))
            atomic_fetch_add(&race->torn, 1);
        for (apr_size_t i = 0; i < length; i++) {
            if (bytes[i] != (unsigned char)version)
                atomic_fetch_add(&race->torn, 1);
        }
        last = version;
        atomic_fetch_add(&race->reads, 1);
    }
    return NULL;
}

static void change(sl_section_t *section, unsigned number)
{
    unsigned char bytes[SIZE];

    memset(bytes, (int)(unsigned char)number, sizeof(bytes));
    if (sl_section_publish(section, 0, bytes, length_of(number)) != APR_SUCCESS)
        abort();
}

static void no_read_is_torn(void **state)
{
    race_t race = {.section = make(*state, 1, SIZE, NULL)};
    pthread_t readers[READERS];

    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, &race), 0);
    for (unsigned i = 1; i <= CHANGES; i++)
        change(race.section, i);
    while (atomic_load(&race.reads) < READERS)
        usleep(1000);
    atomic_store(&race.over, 1);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&race.torn), 0);
    assert_true(sl_section_version(race.section, 0) == CHANGES);
}

/* Writers in another process, killed wherever they are: reads stay whole and never wait, the next one goes on. */
static void a_writer_that_dies_spoils_nothing(void **state)
{
    sl_section_t *section = make(*state, 1, SIZE, NULL);

    for (int round = 0; round < 20; round++) {
        unsigned char bytes[SIZE];
        apr_uint64_t version, before = sl_section_version(section, 0);
        apr_size_t length;
        pid_t writer = fork();

        assert_true(writer >= 0);
        if (!writer) {
            for (;;)
                change(section, (unsigned)sl_section_version(section, 0) + 1);
        }
        while (sl_section_version(section, 0) < before + 50)
            usleep(100);
        kill(writer, SIGKILL);
        waitpid(writer, NULL, 0);
        length = sl_section_read(section, 0, bytes, sizeof(bytes), &version);
        assert_int_equal(length, length_of((unsigned)version));
        for (apr_size_t i = 0; i < length; i++)
            assert_int_equal(bytes[i], (unsigned char)version);
    }
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(entries_are_apart),
    UNIT_TEST(what_was_before_is_gone),
    UNIT_TEST(what_was_before_costs_nothing),
    UNIT_TEST(who_only_reads_can_write_no_more),
    UNIT_TEST(lengths_in_the_memory_are_not_believed),
    UNIT_TEST(what_does_not_fit_changes_nothing),
    UNIT_TEST(entries_are_found_by_their_keys),
    UNIT_TEST(no_read_is_torn),
    UNIT_TEST(a_writer_that_dies_spoils_nothing),
};

UNIT_MAIN(tests)
