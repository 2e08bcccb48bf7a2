/* What is known of one certificate's answer, and where it goes.  Called by keeper/staple_job in its thread; children
 * read the board. */
#include "keeper/staple.h"

#include "base/text.h"
#include "ocsp/ask.h"

#include <apr_strings.h>
#include <dirent.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FIRST_PAUSE 5
#define SWEPT_AFTER (200 * 86400) /* seconds: no answer lives as long without being fetched anew */

/* ---- when ---- */

apr_int64_t sl_staple_next(apr_int64_t now, apr_int64_t begin, apr_int64_t until, unsigned chance)
{
    apr_int64_t half = begin + (until - begin) * (9 * 255 + 2 * (apr_int64_t)chance) / (20 * 255);

    if (half <= now) /* late already: half of the rest */
        half = now + (until - now) / 2;
    return half > now ? half : now + 1;
}

long sl_staple_pause(int failures, long most)
{
    long pause = FIRST_PAUSE;

    while (--failures > 0 && pause < most)
        pause *= 2;
    if (pause > most)
        pause = most;
    return pause > 0 ? pause : 1;
}

static unsigned chance(void)
{
    unsigned char byte = 128;

    (void)RAND_bytes(&byte, 1);
    return byte;
}

/* ---- the board ---- */

static apr_status_t publish(const sl_staple_shelf_t *shelf, sl_staple_t *staple, apr_int64_t until, const void *bytes,
                            apr_size_t length)
{
    unsigned char entry[SL_STAPLE_ENTRY_SIZE];

    if (length > SL_STAPLE_SIZE_MAX)
        return APR_ENOSPC;
    memcpy(entry, &until, sizeof(until));
    memcpy(entry + sizeof(until), staple->key, sizeof(staple->key));
    memcpy(entry + SL_STAPLE_HEAD, bytes, length);
    return sl_section_publish(shelf->section, staple->entry, entry, SL_STAPLE_HEAD + length);
}

apr_size_t sl_staple_read(const sl_section_t *section, int entry, const unsigned char *key, apr_int64_t now,
                          unsigned char *answer)
{
    unsigned char bytes[SL_STAPLE_ENTRY_SIZE];
    apr_size_t length = sl_section_read(section, entry, bytes, sizeof(bytes), NULL);
    apr_int64_t until;

    if (length <= SL_STAPLE_HEAD || memcmp(bytes + sizeof(until), key, SL_BOARD_KEY_SIZE))
        return 0;
    memcpy(&until, bytes, sizeof(until));
    if (until <= now)
        return 0;
    memcpy(answer, bytes + SL_STAPLE_HEAD, length - SL_STAPLE_HEAD);
    return length - SL_STAPLE_HEAD;
}

/* ---- what is told ---- */

void sl_staple_state_read(const sl_section_t *states, int entry, sl_staple_state_t *state)
{
    if (entry < 0 || sl_section_read(states, entry, state, sizeof(*state), NULL) != sizeof(*state))
        memset(state, 0, sizeof(*state));
}

static void put_state(const sl_staple_shelf_t *shelf, const sl_staple_t *staple, const sl_staple_state_t *state)
{
    apr_status_t rv =
        !shelf->states ? APR_SUCCESS : sl_section_publish(shelf->states, staple->entry, state, sizeof(*state));

    (void)rv; /* entries are as large as it is */
}

static void note_answer(const sl_staple_shelf_t *shelf, const sl_staple_t *staple, const sl_ocsp_answer_t *answer)
{
    sl_staple_state_t state;

    memset(&state, 0, sizeof(state));
    state.since = answer->this_update;
    state.until = staple->until;
    state.status = (apr_int32_t)answer->status;
    put_state(shelf, staple, &state);
}

/* A courier that took the place of another one knows less than is published. */
static void note_failure(const sl_staple_shelf_t *shelf, const sl_staple_t *staple, const char *reason)
{
    sl_staple_state_t state;

    sl_staple_state_read(shelf->states, shelf->states ? staple->entry : -1, &state);
    state.failed = apr_time_sec(apr_time_now());
    state.failures = staple->failures;
    memset(state.reason, 0, sizeof(state.reason));
    apr_cpystrn(state.reason, reason, sizeof(state.reason));
    put_state(shelf, staple, &state);
}

static void note_certificate(const sl_staple_shelf_t *shelf, const sl_staple_t *staple)
{
    sl_staple_state_t state;

    memset(&state, 0, sizeof(state));
    state.is_unasked = staple->due == SL_NEVER;
    put_state(shelf, staple, &state);
}

/* ---- files ---- */

static const char *path_of(const sl_staple_shelf_t *shelf, const sl_staple_t *staple, const char *end, apr_pool_t *pool)
{
    return apr_pstrcat(pool, shelf->directory, "/", sl_text_hex(pool, staple->key, sizeof(staple->key)), end, NULL);
}

static int write_all(int fd, const unsigned char *bytes, apr_size_t length)
{
    while (length) {
        ssize_t n = write(fd, bytes, length);

        if (n <= 0)
            return 0;
        bytes += n;
        length -= (apr_size_t)n;
    }
    return 1;
}

/* A file is there whole or not at all. */
static int save(const sl_staple_shelf_t *shelf, const sl_staple_t *staple, const unsigned char *bytes,
                apr_size_t length, apr_pool_t *pool)
{
    const char *path, *fresh;
    int fd, ok;

    if (!shelf->directory)
        return 1;
    path = path_of(shelf, staple, ".ocsp", pool);
    fresh = path_of(shelf, staple, ".new", pool);
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return 0;
    ok = write_all(fd, bytes, length);
    ok = close(fd) == 0 && ok;
    return ok && rename(fresh, path) == 0;
}

/* The directory is the courier's: what is in it is no more to be trusted than what comes over the network. */
static apr_size_t load(const sl_staple_shelf_t *shelf, const sl_staple_t *staple, unsigned char *bytes,
                       apr_pool_t *pool)
{
    struct stat info;
    int fd = open(path_of(shelf, staple, ".ocsp", pool), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t length = 0;

    if (fd < 0)
        return 0;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 && info.st_size <= SL_STAPLE_SIZE_MAX)
        length = read(fd, bytes, (size_t)info.st_size);
    close(fd);
    return length > 0 ? (apr_size_t)length : 0;
}

/* Is it a name that path_of() makes? Others' files are left alone. */
static int is_of_staple(const char *name)
{
    apr_size_t length = strspn(name, "0123456789abcdef");

    return length == 2 * SL_BOARD_KEY_SIZE && (!strcmp(name + length, ".ocsp") || !strcmp(name + length, ".new"));
}

void sl_staple_sweep(const sl_staple_shelf_t *shelf, apr_pool_t *scratch)
{
    DIR *dir = shelf->directory ? opendir(shelf->directory) : NULL;
    time_t oldest = time(NULL) - SWEPT_AFTER;
    const struct dirent *entry;
    struct stat info;

    while (dir && !shelf->stop && (entry = readdir(dir)) != NULL) {
        if (is_of_staple(entry->d_name) && fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(info.st_mode) && info.st_mtime < oldest)
            (void)unlink(apr_pstrcat(scratch, shelf->directory, "/", entry->d_name, NULL));
    }
    if (dir)
        closedir(dir);
}

/* ---- one certificate ---- */

static void set_rules(sl_ocsp_rules_t *rules, const sl_staple_t *staple)
{
    memset(rules, 0, sizeof(*rules));
    rules->now = apr_time_sec(apr_time_now());
    rules->skew = staple->skew;
    rules->max_age = staple->max_age;
}

static apr_int64_t end_of(const sl_staple_t *staple, const sl_ocsp_answer_t *answer)
{
    apr_int64_t until = answer->next_update ? answer->next_update : answer->this_update + staple->keep;

    if (staple->max_age >= 0 && answer->this_update + staple->max_age < until)
        until = answer->this_update + staple->max_age;
    return until;
}

static void plan(sl_staple_t *staple, apr_int64_t begin, apr_int64_t until)
{
    staple->until = until;
    staple->failures = 0;
    staple->due = apr_time_from_sec(sl_staple_next(apr_time_sec(apr_time_now()), begin, until, chance()));
}

static int is_served(const sl_ocsp_answer_t *answer)
{
    return answer->status == SL_OCSP_GOOD || answer->status == SL_OCSP_REVOKED;
}

static void believe(sl_staple_shelf_t *shelf, sl_staple_t *staple, const unsigned char *bytes, apr_size_t length,
                    apr_pool_t *pool)
{
    sl_ocsp_question_t *question = sl_ocsp_question_make(pool, staple->cert, staple->issuer, 0, NULL);
    sl_ocsp_answer_t answer;
    sl_ocsp_rules_t rules;

    set_rules(&rules, staple);
    if (!question || sl_ocsp_answer_read(&answer, bytes, length, question, &rules, pool, NULL) != APR_SUCCESS)
        return;
    if (!is_served(&answer) || end_of(staple, &answer) <= rules.now)
        return;
    if (publish(shelf, staple, end_of(staple, &answer), bytes, length) != APR_SUCCESS)
        return;
    plan(staple, answer.this_update, end_of(staple, &answer));
    note_answer(shelf, staple, &answer);
}

void sl_staple_recall(sl_staple_shelf_t *shelf, sl_staple_t *staple, apr_pool_t *pool)
{
    unsigned char bytes[SL_STAPLE_SIZE_MAX];
    apr_size_t length = shelf->directory ? load(shelf, staple, bytes, pool) : 0;

    if (length && sl_staple_subject_make(staple, shelf->identities))
        believe(shelf, staple, bytes, length, pool);
    sl_staple_subject_leave(staple, shelf->identities);
}

const unsigned char *sl_staple_entry_key(const unsigned char *entry)
{
    return entry + sizeof(apr_int64_t);
}

void sl_staple_carry_on(const sl_staple_shelf_t *shelf, sl_staple_t *staple, const unsigned char *entry,
                        apr_size_t length, const sl_staple_state_t *state)
{
    apr_int64_t until;

    if (length <= SL_STAPLE_HEAD || memcmp(sl_staple_entry_key(entry), staple->key, sizeof(staple->key)) != 0)
        return;
    memcpy(&until, entry, sizeof(until));
    if (until <= apr_time_sec(apr_time_now()) || state->until != until) /* what is no answer has no end of its own */
        return;
    if (sl_section_publish(shelf->section, staple->entry, entry, length) != APR_SUCCESS)
        return;
    plan(staple, state->since, until);
    put_state(shelf, staple, state);
}

static void say(const sl_staple_shelf_t *shelf, sl_say_t level, const char *line)
{
    shelf->loop->say(shelf->loop->baton, level, line); /* not sl_loop_say(): the loop's memory is its thread's */
}

/* The first of several failures is told, and the one that leaves clients without an answer. */
static void tell_failure(const sl_staple_shelf_t *shelf, sl_staple_t *staple, const char *reason, apr_pool_t *pool)
{
    apr_int64_t now = apr_time_sec(apr_time_now());
    int ran_out = staple->until && staple->until <= now;

    if (ran_out)
        staple->until = 0;
    say(shelf, staple->failures == 1 || ran_out ? SL_SAY_WARNING : SL_SAY_DEBUG,
        apr_psprintf(pool, "SL0142: OCSP stapling for %s: %s; %s, tried again in %ld seconds", staple->name, reason,
                     staple->until ? "the last answer is still good" : "clients get none",
                     sl_staple_pause(staple->failures, staple->pause)));
}

static void fail(const sl_staple_shelf_t *shelf, sl_staple_t *staple, const char *reason, apr_pool_t *pool)
{
    staple->failures++;
    tell_failure(shelf, staple, reason, pool);
    note_failure(shelf, staple, reason);
    staple->due = apr_time_now() + apr_time_from_sec(sl_staple_pause(staple->failures, staple->pause));
}

/* SSLStaplingReturnResponderErrors: what is no answer is served too, but never in the place of one. */
static void serve_error(const sl_staple_shelf_t *shelf, sl_staple_t *staple, apr_status_t rv,
                        const unsigned char *bytes, apr_size_t length)
{
    apr_int64_t now = apr_time_sec(apr_time_now());

    if (!staple->errors_too || staple->until > now)
        return;
    if (!bytes && staple->try_later)
        bytes = sl_ocsp_try_later(&length);
    else if (!APR_STATUS_IS_EAGAIN(rv) && rv != APR_SUCCESS)
        return;
    if (bytes)
        (void)publish(shelf, staple, now + staple->pause + 60, bytes, length);
}

static void accept_answer(sl_staple_shelf_t *shelf, sl_staple_t *staple, const sl_ocsp_answer_t *answer,
                          const unsigned char *bytes, apr_size_t length, apr_pool_t *pool)
{
    apr_int64_t until = end_of(staple, answer);
    char end[APR_RFC822_DATE_LEN];

    if (publish(shelf, staple, until, bytes, length) != APR_SUCCESS) {
        fail(shelf, staple, "the answer is too large to be stapled", pool);
        return;
    }
    plan(staple, answer->this_update, until);
    note_answer(shelf, staple, answer);
    apr_rfc822_date(end, apr_time_from_sec(until));
    say(shelf, SL_SAY_INFO,
        apr_psprintf(pool, "SL0141: OCSP stapling for %s: %s says %s, until %s", staple->name, staple->url,
                     sl_ocsp_status_word(answer->status), end));
    if (answer->status == SL_OCSP_REVOKED)
        say(shelf, SL_SAY_ERROR,
            apr_psprintf(pool, "SL0143: the certificate %s is revoked (%s), and its clients are told so: get a new one",
                         staple->name, answer->reason ? answer->reason : "no reason given"));
    if (!save(shelf, staple, bytes, length, pool))
        say(shelf, SL_SAY_WARNING,
            apr_psprintf(pool, "SL0146: OCSP stapling: %s can't be written: a restart will begin without it",
                         path_of(shelf, staple, ".ocsp", pool)));
}

int sl_staple_fetch(sl_staple_shelf_t *shelf, sl_staple_t *staple, apr_pool_t *pool)
{
    sl_problem_t *why = sl_problem_make(pool);
    const unsigned char *bytes = NULL;
    apr_size_t length = 0;
    sl_ocsp_answer_t answer;
    sl_ask_t ask;
    apr_status_t rv;

    if (!sl_staple_subject_make(staple, shelf->identities)) {
        fail(shelf, staple, "memory ended", pool);
        return 1;
    }
    memset(&ask, 0, sizeof(ask));
    ask.cert = staple->cert;
    ask.issuer = staple->issuer;
    ask.url = staple->url;
    ask.proxy = staple->proxy;
    ask.timeout = staple->timeout;
    ask.stop = &shelf->stop;
    set_rules(&ask.rules, staple);
    rv = sl_ask(&answer, &bytes, &length, &ask, pool, why);
    sl_staple_subject_leave(staple, shelf->identities);
    if (shelf->stop)
        return 1;
    if (rv == APR_SUCCESS && is_served(&answer)) {
        accept_answer(shelf, staple, &answer, bytes, length, pool);
        return 1;
    }
    serve_error(shelf, staple, rv, bytes, length);
    fail(shelf, staple,
         rv == APR_SUCCESS ? apr_pstrcat(pool, staple->url, ": the responder does not know the certificate", NULL)
                           : sl_problem_text(why, pool),
         pool);
    return bytes != NULL;
}

void sl_staple_put_off(sl_staple_shelf_t *shelf, sl_staple_t *staple, apr_time_t due, apr_pool_t *pool)
{
    static const char reason[] = "the responder gives no answers, as those about another certificate show";

    staple->due = due;
    serve_error(shelf, staple, APR_EGENERAL, NULL, 0);
    if (staple->until && staple->until <= apr_time_sec(apr_time_now()))
        tell_failure(shelf, staple, reason, pool);
    if (!staple->until)
        note_failure(shelf, staple, reason);
}

/* ---- another certificate ---- */

/* There are few responders, and many certificates that come and go. */
static const char *keep_url(sl_staple_shelf_t *shelf, const char *url)
{
    const char *kept = apr_hash_get(shelf->urls, url, APR_HASH_KEY_STRING);

    if (!kept) {
        kept = apr_pstrdup(shelf->pool, url);
        apr_hash_set(shelf->urls, kept, APR_HASH_KEY_STRING, kept);
    }
    return kept;
}

static void set_url(sl_staple_shelf_t *shelf, sl_staple_t *staple, apr_pool_t *scratch)
{
    apr_array_header_t *urls;

    if (staple->url_is_forced)
        return;
    urls = sl_ocsp_urls(scratch, staple->cert);
    staple->url = urls->nelts ? keep_url(shelf, APR_ARRAY_IDX(urls, 0, const char *)) : NULL;
}

/* Without an issuer or a responder there is nothing to ask until the next one comes. */
int sl_staple_take(sl_staple_shelf_t *shelf, sl_staple_t *staple, const sl_identity_t *identity, apr_pool_t *scratch)
{
    if (!sl_staple_subject_change(staple, identity))
        return 0;
    set_url(shelf, staple, scratch);
    staple->until = 0;
    staple->failures = 0;
    staple->due = staple->issuer && staple->url ? 0 : SL_NEVER;
    note_certificate(shelf, staple);
    if (staple->due != SL_NEVER)
        sl_staple_recall(shelf, staple, scratch);
    sl_staple_subject_leave(staple, shelf->identities);
    return 1;
}
