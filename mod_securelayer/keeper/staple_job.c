/* The courier's thread that keeps stapled answers fresh, and the files they survive restarts in.
 * httpd/stapling makes the job in the parent and reads the board in the children. */
#include "keeper/staple_job.h"

#include "base/text.h"
#include "crypto/ocsp_message.h"
#include "identity/blob.h"
#include "ocsp/ask.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_PAUSE 5
#define LEAVE (500 * 1000) /* microseconds for the thread to end in */
#define HEAD (8 + SL_BOARD_KEY_SIZE) /* of an entry */

typedef struct work_t {
    sl_job_t job;
    sl_section_t *section, *states;
    const sl_section_t *identities; /* NULL: none change */
    apr_array_header_t *staples; /* of sl_staple_t */
    const char *directory;
    sl_loop_t *loop;
    apr_pool_t *pool;
    apr_thread_t *thread;
    apr_thread_mutex_t *lock;
    apr_thread_cond_t *wake;
    volatile int stop;
    int is_over;        /* the thread is */
    apr_time_t seen;    /* of the clock, by the thread */
} work_t;

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

void sl_staple_notice_clock(apr_array_header_t *staples, apr_time_t *seen, apr_time_t now)
{
    for (int i = 0; now < *seen && i < staples->nelts; i++) {
        sl_staple_t *staple = &APR_ARRAY_IDX(staples, i, sl_staple_t);

        if (staple->due != SL_NEVER)
            staple->due -= *seen - now;
    }
    *seen = now;
}

static unsigned chance(void)
{
    unsigned char byte = 128;

    (void)RAND_bytes(&byte, 1);
    return byte;
}

/* ---- the board ---- */

static apr_status_t publish(const work_t *work, sl_staple_t *staple, apr_int64_t until, const void *bytes,
                            apr_size_t length)
{
    unsigned char entry[SL_STAPLE_ENTRY_SIZE];

    if (length > SL_STAPLE_SIZE_MAX)
        return APR_ENOSPC;
    memcpy(entry, &until, sizeof(until));
    memcpy(entry + sizeof(until), staple->key, sizeof(staple->key));
    memcpy(entry + HEAD, bytes, length);
    return sl_section_publish(work->section, staple->entry, entry, HEAD + length);
}

apr_size_t sl_staple_read(const sl_section_t *section, int entry, const unsigned char *key, apr_int64_t now,
                          unsigned char *answer)
{
    unsigned char bytes[SL_STAPLE_ENTRY_SIZE];
    apr_size_t length = sl_section_read(section, entry, bytes, sizeof(bytes), NULL);
    apr_int64_t until;

    if (length <= HEAD || memcmp(bytes + sizeof(until), key, SL_BOARD_KEY_SIZE))
        return 0;
    memcpy(&until, bytes, sizeof(until));
    if (until <= now)
        return 0;
    memcpy(answer, bytes + HEAD, length - HEAD);
    return length - HEAD;
}

/* ---- what is told ---- */

void sl_staple_state_read(const sl_section_t *states, int entry, sl_staple_state_t *state)
{
    if (entry < 0 || sl_section_read(states, entry, state, sizeof(*state), NULL) != sizeof(*state))
        memset(state, 0, sizeof(*state));
}

static void put_state(const work_t *work, const sl_staple_t *staple, const sl_staple_state_t *state)
{
    apr_status_t rv = sl_section_publish(work->states, staple->entry, state, sizeof(*state));

    (void)rv; /* entries are as large as it is */
}

static void note_answer(const work_t *work, const sl_staple_t *staple, const sl_ocsp_answer_t *answer)
{
    sl_staple_state_t state;

    memset(&state, 0, sizeof(state));
    state.since = answer->this_update;
    state.until = staple->until;
    state.status = (apr_int32_t)answer->status;
    put_state(work, staple, &state);
}

/* A courier that took the place of another one knows less than is published. */
static void note_failure(const work_t *work, const sl_staple_t *staple, const char *reason)
{
    sl_staple_state_t state;

    sl_staple_state_read(work->states, staple->entry, &state);
    state.failed = apr_time_sec(apr_time_now());
    state.failures = staple->failures;
    memset(state.reason, 0, sizeof(state.reason));
    apr_cpystrn(state.reason, reason, sizeof(state.reason));
    put_state(work, staple, &state);
}

static void note_certificate(const work_t *work, const sl_staple_t *staple)
{
    sl_staple_state_t state;

    memset(&state, 0, sizeof(state));
    state.is_unasked = staple->due == SL_NEVER;
    put_state(work, staple, &state);
}

/* ---- files ---- */

static const char *path_of(const work_t *work, const sl_staple_t *staple, const char *end, apr_pool_t *pool)
{
    return apr_pstrcat(pool, work->directory, "/", sl_text_hex(pool, staple->key, sizeof(staple->key)), end, NULL);
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
static int save(const work_t *work, const sl_staple_t *staple, const unsigned char *bytes, apr_size_t length,
                apr_pool_t *pool)
{
    const char *path, *fresh;
    int fd, ok;

    if (!work->directory)
        return 1;
    path = path_of(work, staple, ".ocsp", pool);
    fresh = path_of(work, staple, ".new", pool);
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return 0;
    ok = write_all(fd, bytes, length);
    ok = close(fd) == 0 && ok;
    return ok && rename(fresh, path) == 0;
}

/* The directory is the courier's: what is in it is no more to be trusted than what comes over the network. */
static apr_size_t load(const work_t *work, const sl_staple_t *staple, unsigned char *bytes, apr_pool_t *pool)
{
    struct stat info;
    int fd = open(path_of(work, staple, ".ocsp", pool), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t length = 0;

    if (fd < 0)
        return 0;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 && info.st_size <= SL_STAPLE_SIZE_MAX)
        length = read(fd, bytes, (size_t)info.st_size);
    close(fd);
    return length > 0 ? (apr_size_t)length : 0;
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

static void recall(work_t *work, sl_staple_t *staple, apr_pool_t *pool)
{
    unsigned char bytes[SL_STAPLE_SIZE_MAX];
    apr_size_t length = load(work, staple, bytes, pool);
    sl_ocsp_question_t *question = length ? sl_ocsp_question_make(pool, staple->cert, staple->issuer, 0, NULL) : NULL;
    sl_ocsp_answer_t answer;
    sl_ocsp_rules_t rules;

    set_rules(&rules, staple);
    if (!question || sl_ocsp_answer_read(&answer, bytes, length, question, &rules, pool, NULL) != APR_SUCCESS)
        return;
    if (!is_served(&answer) || end_of(staple, &answer) <= rules.now)
        return;
    if (publish(work, staple, end_of(staple, &answer), bytes, length) != APR_SUCCESS)
        return;
    plan(staple, answer.this_update, end_of(staple, &answer));
    note_answer(work, staple, &answer);
}

static void say(const work_t *work, sl_say_t level, const char *line)
{
    work->loop->say(work->loop->baton, level, line); /* not sl_loop_say(): the loop's memory is its thread's */
}

/* The first of several failures is told, and the one that leaves clients without an answer. */
static void tell_failure(const work_t *work, sl_staple_t *staple, const char *reason, apr_pool_t *pool)
{
    apr_int64_t now = apr_time_sec(apr_time_now());
    int ran_out = staple->until && staple->until <= now;

    if (ran_out)
        staple->until = 0;
    say(work, staple->failures == 1 || ran_out ? SL_SAY_WARNING : SL_SAY_DEBUG,
        apr_psprintf(pool, "SL0142: OCSP stapling for %s: %s; %s, tried again in %ld seconds", staple->name, reason,
                     staple->until ? "the last answer is still good" : "clients get none",
                     sl_staple_pause(staple->failures, staple->pause)));
}

static void fail(const work_t *work, sl_staple_t *staple, const char *reason, apr_pool_t *pool)
{
    staple->failures++;
    tell_failure(work, staple, reason, pool);
    note_failure(work, staple, reason);
    staple->due = apr_time_now() + apr_time_from_sec(sl_staple_pause(staple->failures, staple->pause));
}

/* SSLStaplingReturnResponderErrors: what is no answer is served too, but never in the place of one. */
static void serve_error(const work_t *work, sl_staple_t *staple, apr_status_t rv, const unsigned char *bytes,
                        apr_size_t length)
{
    apr_int64_t now = apr_time_sec(apr_time_now());

    if (!staple->errors_too || staple->until > now)
        return;
    if (!bytes && staple->try_later)
        bytes = sl_ocsp_try_later(&length);
    else if (!APR_STATUS_IS_EAGAIN(rv) && rv != APR_SUCCESS)
        return;
    if (bytes)
        (void)publish(work, staple, now + staple->pause + 60, bytes, length);
}

static void accept_answer(work_t *work, sl_staple_t *staple, const sl_ocsp_answer_t *answer, const unsigned char *bytes,
                          apr_size_t length, apr_pool_t *pool)
{
    apr_int64_t until = end_of(staple, answer);
    char end[APR_RFC822_DATE_LEN];

    if (publish(work, staple, until, bytes, length) != APR_SUCCESS) {
        fail(work, staple, "the answer is too large to be stapled", pool);
        return;
    }
    plan(staple, answer->this_update, until);
    note_answer(work, staple, answer);
    apr_rfc822_date(end, apr_time_from_sec(until));
    say(work, SL_SAY_INFO,
        apr_psprintf(pool, "SL0141: OCSP stapling for %s: %s says %s, until %s", staple->name, staple->url,
                     sl_ocsp_status_word(answer->status), end));
    if (answer->status == SL_OCSP_REVOKED)
        say(work, SL_SAY_ERROR,
            apr_psprintf(pool, "SL0143: the certificate %s is revoked (%s), and its clients are told so: get a new one",
                         staple->name, answer->reason ? answer->reason : "no reason given"));
    if (!save(work, staple, bytes, length, pool))
        say(work, SL_SAY_WARNING,
            apr_psprintf(pool, "SL0146: OCSP stapling: %s can't be written: a restart will begin without it",
                         path_of(work, staple, ".ocsp", pool)));
}

static void fetch(work_t *work, sl_staple_t *staple, apr_pool_t *pool)
{
    sl_problem_t *why = sl_problem_make(pool);
    const unsigned char *bytes = NULL;
    apr_size_t length = 0;
    sl_ocsp_answer_t answer;
    sl_ask_t ask;
    apr_status_t rv;

    memset(&ask, 0, sizeof(ask));
    ask.cert = staple->cert;
    ask.issuer = staple->issuer;
    ask.url = staple->url;
    ask.proxy = staple->proxy;
    ask.timeout = staple->timeout;
    ask.stop = &work->stop;
    set_rules(&ask.rules, staple);
    rv = sl_ask(&answer, &bytes, &length, &ask, pool, why);
    if (work->stop)
        return;
    if (rv == APR_SUCCESS && is_served(&answer)) {
        accept_answer(work, staple, &answer, bytes, length, pool);
        return;
    }
    serve_error(work, staple, rv, bytes, length);
    fail(work, staple,
         rv == APR_SUCCESS ? apr_pstrcat(pool, staple->url, ": the responder does not know the certificate", NULL)
                           : sl_problem_text(why, pool),
         pool);
}

/* ---- certificates that were renewed ---- */

/* In the chain, else who issued the one before. With a reference. */
static X509 *issuer_of(const sl_identity_t *identity, X509 *last)
{
    for (int i = 0; i < sk_X509_num(identity->chain); i++) {
        X509 *issuer = sk_X509_value(identity->chain, i);

        if (X509_check_issued(issuer, identity->leaf) == X509_V_OK && X509_up_ref(issuer) == 1)
            return issuer;
    }
    if (last && X509_check_issued(last, identity->leaf) == X509_V_OK && X509_up_ref(last) == 1)
        return last;
    return NULL;
}

static void set_url(work_t *work, sl_staple_t *staple, apr_pool_t *scratch)
{
    apr_array_header_t *urls;

    if (staple->url_is_forced)
        return;
    urls = sl_ocsp_urls(scratch, staple->cert);
    if (!urls->nelts)
        staple->url = NULL;
    else if (!staple->url || strcmp(staple->url, APR_ARRAY_IDX(urls, 0, const char *)) != 0)
        staple->url = apr_pstrdup(work->pool, APR_ARRAY_IDX(urls, 0, const char *));
}

/* Without an issuer or a responder there is nothing to ask until the next one comes. */
static void take_certificate(work_t *work, sl_staple_t *staple, const sl_identity_t *identity, apr_pool_t *scratch)
{
    X509 *issuer;
    unsigned length;

    if (X509_digest(identity->leaf, EVP_sha256(), staple->key, &length) != 1 || X509_up_ref(identity->leaf) != 1)
        return;
    issuer = issuer_of(identity, staple->issuer);
    if (staple->is_own) {
        X509_free(staple->cert);
        X509_free(staple->issuer);
    }
    staple->is_own = 1;
    staple->cert = identity->leaf;
    staple->issuer = issuer;
    staple->until = 0;
    staple->failures = 0;
    set_url(work, staple, scratch);
    staple->due = issuer && staple->url ? 0 : SL_NEVER;
    note_certificate(work, staple);
    if (staple->due != SL_NEVER && work->directory)
        recall(work, staple, scratch);
}

static void look_for_news(work_t *work, sl_staple_t *staple, apr_pool_t *scratch)
{
    apr_uint64_t version = sl_section_version(work->identities, staple->identity);
    sl_identity_t *identity;
    unsigned char *bytes;
    apr_size_t length;

    if (version == staple->version)
        return;
    bytes = sl_section_copy(work->identities, staple->identity, &length, &version);
    identity = bytes ? sl_blob_decode(bytes, length, SL_BLOB_CERTIFICATES) : NULL;
    OPENSSL_clear_free(bytes, length);
    if (identity) {
        staple->version = version;
        take_certificate(work, staple, identity, scratch);
    }
    sl_identity_release(identity);
}

static void look_for_all_news(work_t *work, apr_pool_t *scratch)
{
    for (int i = 0; work->identities && i < work->staples->nelts; i++) {
        sl_staple_t *staple = &APR_ARRAY_IDX(work->staples, i, sl_staple_t);

        if (staple->identity >= 0)
            look_for_news(work, staple, scratch);
    }
}

/* ---- the thread ---- */

static sl_staple_t *first_due(const work_t *work)
{
    sl_staple_t *first = NULL;

    for (int i = 0; i < work->staples->nelts; i++) {
        sl_staple_t *staple = &APR_ARRAY_IDX(work->staples, i, sl_staple_t);

        if (!first || staple->due < first->due)
            first = staple;
    }
    return first;
}

static void wait_until_due(work_t *work, apr_time_t due)
{
    apr_interval_time_t left = due - apr_time_now();
    apr_interval_time_t most = apr_time_from_sec(work->identities ? 1 : 60); /* news come, clocks are set */

    apr_thread_mutex_lock(work->lock);
    if (!work->stop && left > 0)
        apr_thread_cond_timedwait(work->wake, work->lock, left < most ? left : most);
    apr_thread_mutex_unlock(work->lock);
}

static void *APR_THREAD_FUNC live(apr_thread_t *thread, void *baton)
{
    work_t *work = baton;
    apr_pool_t *scratch;
    sigset_t all;

    sigfillset(&all); /* signals are the loop's */
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    apr_pool_create(&scratch, work->pool);
    while (!work->stop) {
        sl_staple_t *staple;

        look_for_all_news(work, scratch);
        sl_staple_notice_clock(work->staples, &work->seen, apr_time_now());
        staple = first_due(work);
        if (staple->due <= apr_time_now())
            fetch(work, staple, scratch);
        else
            wait_until_due(work, staple->due);
        apr_pool_clear(scratch);
    }
    apr_thread_mutex_lock(work->lock);
    work->is_over = 1;
    apr_thread_cond_signal(work->wake);
    apr_thread_mutex_unlock(work->lock);
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void begin(sl_job_t *job, sl_loop_t *loop)
{
    work_t *work = job->baton;

    work->loop = loop;
    work->stop = work->is_over = 0;
    sl_fetch_init();
    apr_pool_create_unmanaged_ex(&work->pool, NULL, NULL);
    if (apr_thread_mutex_create(&work->lock, APR_THREAD_MUTEX_DEFAULT, work->pool) != APR_SUCCESS ||
        apr_thread_cond_create(&work->wake, work->pool) != APR_SUCCESS ||
        apr_thread_create(&work->thread, NULL, live, work, work->pool) != APR_SUCCESS) {
        work->thread = NULL;
        say(work, SL_SAY_ERROR, "SL0145: OCSP stapling: no thread could be started, so no answers are fetched");
    }
}

static void rest(sl_job_t *job, sl_loop_t *loop)
{
    (void)job; /* all the work is the thread's */
    (void)loop;
}

/* A thread that waits for a responder is left behind: the process ends, and others wait for that. */
static void end(sl_job_t *job, sl_loop_t *loop)
{
    work_t *work = job->baton;
    apr_status_t rv = APR_SUCCESS;

    (void)loop;
    if (!work->thread)
        return;
    apr_thread_mutex_lock(work->lock);
    work->stop = 1;
    apr_thread_cond_signal(work->wake);
    while (!work->is_over && rv == APR_SUCCESS)
        rv = apr_thread_cond_timedwait(work->wake, work->lock, LEAVE);
    apr_thread_mutex_unlock(work->lock);
    if (rv != APR_SUCCESS)
        return;
    apr_thread_join(&rv, work->thread);
    apr_pool_destroy(work->pool);
}

sl_job_t *sl_staple_job_make(apr_pool_t *pool, sl_section_t *section, sl_section_t *states,
                             const sl_section_t *identities, apr_array_header_t *staples, const char *directory)
{
    work_t *work = apr_pcalloc(pool, sizeof(*work));
    apr_pool_t *scratch;

    work->job.name = "stapling";
    work->job.begin = begin;
    work->job.run = rest;
    work->job.end = end;
    work->job.baton = work;
    work->job.due = SL_NEVER;
    work->section = section;
    work->states = states;
    work->identities = identities;
    work->staples = staples;
    work->directory = directory;
    apr_pool_create(&scratch, pool);
    for (int i = 0; i < staples->nelts; i++) {
        sl_staple_t *staple = &APR_ARRAY_IDX(staples, i, sl_staple_t);

        staple->entry = sl_section_find(section, staple->key);
        if (directory && staple->cert)
            recall(work, staple, scratch);
        apr_pool_clear(scratch);
    }
    apr_pool_destroy(scratch);
    return &work->job;
}
