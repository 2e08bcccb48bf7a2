/* Connections in memory; see memory_host.h. Used by the tests of conn/ and by the fuzz target of the handshake. */
#include "memory_host.h"

#include "identity/identity.h"
#include "profile/compile.h"

#include <apr_strings.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(condition) must((condition) != 0, #condition, __LINE__)
#define MOST_WORDS 16
#define MOST_TURNS 1000
/* 2030-01-01 00:00:00 UTC: only durations count, certificates are checked by the machine's own clock. */
#define START_OF_TIME apr_time_from_sec(1893456000)

static void must(int ok, const char *what, int line)
{
    if (ok)
        return;
    fprintf(stderr, "memory_host.c:%d: %s\n", line, what);
    ERR_print_errors_fp(stderr);
    abort();
}

/* ---- wires ---- */

void memory_send(memory_wire_t *wire, const void *bytes, apr_size_t length)
{
    if (wire->sent + length > wire->size) {
        wire->size = (wire->sent + length) * 2;
        wire->bytes = realloc(wire->bytes, wire->size);
        MUST(wire->bytes);
    }
    if (length)
        memcpy(wire->bytes + wire->sent, bytes, length);
    wire->sent += length;
}

apr_size_t memory_under_way(const memory_wire_t *wire)
{
    return wire->sent - wire->arrived;
}

void memory_deliver(memory_wire_t *wire, apr_size_t most)
{
    apr_size_t left = memory_under_way(wire);

    wire->arrived += left < most ? left : most;
}

void memory_drop(memory_wire_t *wire, apr_size_t length)
{
    apr_size_t left = memory_under_way(wire);

    if (length > left)
        length = left;
    if (length)
        memmove(wire->bytes + wire->arrived, wire->bytes + wire->arrived + length, left - length);
    wire->sent -= length;
}

void memory_cut(memory_wire_t *wire, apr_status_t end)
{
    wire->sent = wire->arrived;
    wire->end = end;
}

apr_status_t memory_take(memory_wire_t *wire, apr_size_t most, unsigned char *buffer, apr_size_t *length)
{
    apr_size_t there = wire->arrived - wire->taken;

    MUST(*length);
    if (!there) {
        *length = 0;
        return memory_under_way(wire) ? APR_EAGAIN : wire->end;
    }
    if (most && there > most)
        there = most;
    if (*length > there)
        *length = there;
    memcpy(buffer, wire->bytes + wire->taken, *length);
    wire->taken += *length;
    return APR_SUCCESS;
}

int memory_corrupt(memory_wire_t *wire, apr_size_t at, unsigned char bits)
{
    if (at >= memory_under_way(wire))
        return 0;
    wire->bytes[wire->arrived + at] ^= bits;
    return 1;
}

int memory_replace(memory_wire_t *wire, const char *text, const char *with)
{
    apr_size_t length = strlen(text);

    MUST(length == strlen(with));
    for (apr_size_t i = wire->arrived; i + length <= wire->sent; i++) {
        if (memcmp(wire->bytes + i, text, length) == 0) {
            memcpy(wire->bytes + i, with, length);
            return 1;
        }
    }
    return 0;
}

static void empty(memory_wire_t *wire)
{
    free(wire->bytes);
    memset(wire, 0, sizeof(*wire));
    wire->end = APR_EAGAIN;
}

/* ---- the host ---- */

static apr_time_t still(void *memory)
{
    return ((memory_host_t *)memory)->now;
}

static apr_status_t read_up(void *baton, unsigned char *buffer, apr_size_t *length)
{
    memory_host_t *memory = baton;

    return memory_take(&memory->up, memory->most, buffer, length);
}

static apr_status_t write_down(void *baton, const unsigned char *bytes, apr_size_t length)
{
    memory_host_t *memory = baton;

    if (memory->write_error != APR_SUCCESS) {
        if (length > memory->room)
            return memory->write_error;
        memory->room -= length;
    }
    memory_send(&memory->down, bytes, length);
    return APR_SUCCESS;
}

static const sl_vhost_t *find_vhost(void *baton, const char *name, int *known)
{
    memory_host_t *memory = baton;

    memory->searches++;
    *known = 0;
    for (int i = 0; name && i < memory->names->nelts; i++) {
        const memory_name_t *entry = &APR_ARRAY_IDX(memory->names, i, memory_name_t);

        if (entry->name && strcmp(entry->name, name) == 0) {
            *known = 1;
            return entry->vhost;
        }
    }
    return APR_ARRAY_IDX(memory->names, 0, memory_name_t).vhost;
}

static const char *select_alpn(void *baton, const sl_vhost_t *vhost, const apr_array_header_t *offered)
{
    memory_host_t *memory = baton;
    char *rest = apr_pstrdup(memory->conn_pool, memory->protocols ? memory->protocols : ""), *last, *mine;

    (void)vhost;
    memory->alpn_choices++;
    for (mine = apr_strtok(rest, ",", &last); mine; mine = apr_strtok(NULL, ",", &last)) {
        for (int i = 0; i < offered->nelts; i++) {
            if (strcmp(mine, APR_ARRAY_IDX(offered, i, const char *)) == 0)
                return APR_ARRAY_IDX(offered, i, const char *);
        }
    }
    return NULL;
}

#define MOST_IDENTITIES 4096
static sl_identity_t *numbered[MOST_IDENTITIES]; /* borrowed */
static int numbers;

sl_identity_ref_t memory_ref(sl_identity_t *identity)
{
    sl_identity_ref_t ref = {numbers % MOST_IDENTITIES};

    numbered[numbers++ % MOST_IDENTITIES] = identity;
    return ref;
}

sl_identity_t *memory_identity_of(const sl_vhost_t *vhost, int nth)
{
    return numbered[APR_ARRAY_IDX(vhost->identities, nth, sl_identity_ref_t).id];
}

static sl_identity_t *get_identity(void *baton, int id)
{
    (void)baton;
    sl_identity_retain(numbered[id]);
    return numbered[id];
}

static sl_identity_t *answer_challenge(void *baton, const char *name)
{
    memory_host_t *memory = baton;

    memory->challenges++;
    if (!memory->challenge || strcmp(memory->challenge_name, name) != 0)
        return NULL;
    sl_identity_retain(memory->challenge);
    return memory->challenge;
}

typedef struct memory_session_t {
    int length;
    unsigned char bytes[];
} memory_session_t;

static int put_session(void *baton, SSL_SESSION *session)
{
    memory_host_t *memory = baton;
    unsigned int length;
    const unsigned char *id = SSL_SESSION_get_id(session, &length);
    int size = i2d_SSL_SESSION(session, NULL);
    memory_session_t *kept;
    unsigned char *at;

    memory->puts++;
    MUST(length && size > 0);
    if (!memory->kept)
        return 0;
    kept = apr_palloc(memory->pool, sizeof(*kept) + (apr_size_t)size);
    kept->length = size;
    at = kept->bytes;
    MUST(i2d_SSL_SESSION(session, &at) == size);
    apr_hash_set(memory->kept, apr_pmemdup(memory->pool, id, length), length, kept);
    return 1;
}

static SSL_SESSION *get_session(void *baton, const unsigned char *id, apr_size_t id_length)
{
    memory_host_t *memory = baton;
    const memory_session_t *kept;
    const unsigned char *at;

    memory->gets++;
    kept = memory->kept ? apr_hash_get(memory->kept, id, (apr_ssize_t)id_length) : NULL;
    at = kept ? kept->bytes : NULL;
    return kept ? d2i_SSL_SESSION(NULL, &at, kept->length) : NULL;
}

static void remove_session(void *baton, const unsigned char *id, apr_size_t id_length)
{
    memory_host_t *memory = baton;

    memory->removals++;
    if (memory->kept)
        apr_hash_set(memory->kept, id, (apr_ssize_t)id_length, NULL);
}

static long check_revocation(void *baton, X509 *cert, X509 *issuer, const char **words)
{
    memory_host_t *memory = baton;

    memory->revocation_checks++;
    memory->last_issuer = issuer;
    if (!memory->revoked || X509_cmp(cert, memory->revoked))
        return X509_V_OK;
    *words = "the responder says so";
    return X509_V_ERR_CERT_REVOKED;
}

static apr_status_t free_memory(void *baton)
{
    memory_host_t *memory = baton;

    SSL_free(memory->client);
    for (int i = 0; i < memory->sessions->nelts; i++)
        SSL_SESSION_free(APR_ARRAY_IDX(memory->sessions, i, SSL_SESSION *));
    empty(&memory->up);
    empty(&memory->down);
    return APR_SUCCESS;
}

static sl_ticket_found_t ticket_key(void *baton, const sl_vhost_t *vhost, const unsigned char *name,
                                    sl_ticket_key_t *key)
{
    (void)vhost;
    return sl_ticket_ring_find(&((memory_host_t *)baton)->ring, name, key);
}

memory_host_t *memory_host_make(apr_pool_t *pool)
{
    static const sl_host_t callbacks = {
        .read = read_up,
        .write = write_down,
        .find_vhost = find_vhost,
        .select_alpn = select_alpn,
        .get_identity = get_identity,
        .answer_challenge = answer_challenge,
        .put_session = put_session,
        .get_session = get_session,
        .remove_session = remove_session,
        .check_revocation = check_revocation,
        .ticket_key = ticket_key,
    };
    sl_ticket_key_t key;
    memory_host_t *memory = apr_pcalloc(pool, sizeof(*memory));

    memory->pool = pool;
    memory->now = START_OF_TIME;
    memory->world.now = still;
    memory->world.baton = memory;
    memory->host = callbacks;
    memory->host.world = &memory->world;
    memory->up.end = memory->down.end = APR_EAGAIN;
    memory->names = apr_array_make(pool, 4, sizeof(memory_name_t));
    memory->sessions = apr_array_make(pool, 4, sizeof(SSL_SESSION *));
    MUST(sl_ticket_key_make(&key, apr_time_sec(START_OF_TIME), NULL) == APR_SUCCESS);
    sl_ticket_ring_add(&memory->ring, &key);
    apr_pool_cleanup_register(pool, memory, free_memory, apr_pool_cleanup_null);
    return memory;
}

void memory_host_add(memory_host_t *memory, const char *name, const sl_vhost_t *vhost)
{
    memory_name_t *entry = apr_array_push(memory->names);

    entry->name = name;
    entry->vhost = vhost;
}

sl_conn_t *memory_host_accept(memory_host_t *memory)
{
    if (memory->conn_pool)
        apr_pool_destroy(memory->conn_pool);
    MUST(apr_pool_create(&memory->conn_pool, memory->pool) == APR_SUCCESS);
    if (memory->client) /* OpenSSL resumes no session of a connection that was not closed */
        SSL_set_shutdown(memory->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(memory->client);
    memory->client = NULL;
    empty(&memory->up);
    empty(&memory->down);
    memory->flights = 0;
    memory->alert_received = -1;
    memory->conn = sl_conn_make(memory->conn_pool, &memory->host, memory);
    return memory->conn;
}

/* ---- the client ---- */

static void note_alert(const SSL *client, int where, int value)
{
    memory_host_t *memory = SSL_get_app_data(client);

    if (where & SSL_CB_ALERT && where & SSL_CB_READ)
        memory->alert_received = value & 0xff;
}

static int keep_session(SSL *client, SSL_SESSION *session)
{
    memory_host_t *memory = SSL_get_app_data(client);

    APR_ARRAY_PUSH(memory->sessions, SSL_SESSION *) = session;
    return 1;
}

static apr_status_t free_ctx(void *ctx)
{
    SSL_CTX_free(ctx);
    return APR_SUCCESS;
}

SSL_CTX *memory_client_ctx(apr_pool_t *pool, const material_pair_t *ca)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    MUST(ctx);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    if (ca) {
        MUST(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca->cert));
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    }
    apr_pool_cleanup_register(pool, ctx, free_ctx, apr_pool_cleanup_null);
    return ctx;
}

void memory_client_versions(SSL_CTX *ctx, int lowest, int highest)
{
    MUST(SSL_CTX_set_min_proto_version(ctx, lowest) && SSL_CTX_set_max_proto_version(ctx, highest));
}

SSL *memory_host_client(memory_host_t *memory, SSL_CTX *ctx, const char *name)
{
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    SSL *client;

    memory_host_accept(memory);
    client = SSL_new(ctx);
    MUST(client && in && out);
    SSL_set_bio(client, in, out);
    SSL_set_app_data(client, memory);
    SSL_set_info_callback(client, note_alert);
    SSL_set_connect_state(client);
    if (name)
        MUST(SSL_set_tlsext_host_name(client, name));
    memory->client = client;
    return client;
}

/* What has arrived for the client into its BIO, what it wrote onto the wire. */
static void feed_client(memory_host_t *memory)
{
    memory_wire_t *down = &memory->down;

    memory_deliver(down, MEMORY_ALL);
    if (down->arrived > down->taken) {
        int length = (int)(down->arrived - down->taken);

        MUST(BIO_write(SSL_get_rbio(memory->client), down->bytes + down->taken, length) == length);
        down->taken = down->arrived;
    }
}

static void empty_client(memory_host_t *memory)
{
    BIO *out = SSL_get_wbio(memory->client);
    char *bytes;
    long length = BIO_get_mem_data(out, &bytes);

    if (length <= 0)
        return;
    memory_send(&memory->up, bytes, (apr_size_t)length);
    (void)BIO_reset(out);
    memory->flights++;
    if (memory->on_flight)
        memory->on_flight(memory, memory->flights);
}

void memory_client_turn(memory_host_t *memory)
{
    char byte;

    feed_client(memory);
    ERR_clear_error();
    if (!SSL_is_init_finished(memory->client))
        (void)SSL_do_handshake(memory->client);
    if (SSL_is_init_finished(memory->client)) /* TLS 1.3 sends tickets behind the handshake */
        (void)SSL_peek(memory->client, &byte, 1);
    ERR_clear_error();
    empty_client(memory);
}

sl_state_t memory_shake(memory_host_t *memory)
{
    for (int turn = 0;; turn++) {
        MUST(turn < MOST_TURNS);
        if (memory->client)
            memory_client_turn(memory);
        if (!memory_under_way(&memory->up) && turn)
            break;
        do {
            memory_deliver(&memory->up, memory->piece ? memory->piece : MEMORY_ALL);
            (void)sl_machine_run(memory->conn);
        } while (memory_under_way(&memory->up));
    }
    return memory->conn->state;
}

void memory_client_write(memory_host_t *memory, const void *bytes, apr_size_t length)
{
    size_t written;

    MUST(SSL_write_ex(memory->client, bytes, length, &written) == 1 && written == length);
    empty_client(memory);
    memory_deliver(&memory->up, MEMORY_ALL);
}

const char *memory_client_read(memory_host_t *memory, apr_size_t *length)
{
    apr_size_t size = memory_under_way(&memory->down) + 16384 + 1, got = 0;
    char *text = apr_palloc(memory->conn_pool, size + 1);
    size_t more;

    feed_client(memory);
    while (got < size && SSL_read_ex(memory->client, text + got, size - got, &more) == 1)
        got += more;
    ERR_clear_error();
    empty_client(memory);
    text[got] = '\0';
    if (length)
        *length = got;
    return text;
}

const char *memory_server_read(memory_host_t *memory, apr_pool_t *pool, apr_status_t *end)
{
    char piece[16384];
    const char *text = "";
    apr_size_t length = sizeof(piece);

    while ((*end = sl_conn_read(memory->conn, piece, &length)) == APR_SUCCESS) {
        text = apr_pstrcat(pool, text, apr_pstrmemdup(pool, piece, length), NULL);
        length = sizeof(piece);
    }
    return text;
}

/* ---- virtual hosts ---- */

static sl_row_id_t row_of(const char *directive)
{
    for (int row = 0; row < SL_ROWS; row++) {
        if (!sl_row((sl_row_id_t)row)->is_slot && strcmp(sl_row((sl_row_id_t)row)->name, directive) == 0)
            return (sl_row_id_t)row;
    }
    MUST(!"a directive with that name");
    return SL_ROWS;
}

sl_settings_t *memory_settings(apr_pool_t *pool, const char *directives)
{
    sl_settings_t *settings = sl_settings_make(pool);
    char *rest = apr_pstrdup(pool, directives), *last_line, *line;

    for (line = apr_strtok(rest, "\n", &last_line); line; line = apr_strtok(NULL, "\n", &last_line)) {
        const char *words[MOST_WORDS];
        char *last, *directive = apr_strtok(line, " ", &last);
        sl_origin_t origin = {"memory.conf", 1, directive};
        sl_problem_t *why = sl_problem_make(pool);
        int count = 0;

        while (count < MOST_WORDS && (words[count] = apr_strtok(NULL, " ", &last)) != NULL)
            count++;
        if (sl_settings_parse(settings, row_of(directive), words, count, "/", &origin, why) != APR_SUCCESS)
            must(0, sl_problem_text(why, pool), __LINE__);
    }
    return settings;
}

static apr_status_t release_profile(void *profile)
{
    sl_profile_release(profile);
    return APR_SUCCESS;
}

sl_profile_t *memory_profile(apr_pool_t *pool, const sl_settings_t *settings)
{
    sl_problems_t *problems = sl_problems_make(pool);
    sl_profile_t *profile =
        sl_profile_new(settings, "memory", material_now(), sl_machine_prepare, NULL, pool, problems);

    if (!profile)
        must(0, sl_problem_text(APR_ARRAY_IDX(problems->all, 0, sl_problem_t *), pool), __LINE__);
    apr_pool_cleanup_register(pool, profile, release_profile, apr_pool_cleanup_null);
    return profile;
}

static apr_status_t release_identity(void *identity)
{
    sl_identity_release(identity);
    return APR_SUCCESS;
}

sl_identity_t *memory_identity(apr_pool_t *pool, const material_pair_t *pair, STACK_OF(X509) *chain)
{
    sl_identity_t *identity;

    MUST(X509_up_ref(pair->cert) && EVP_PKEY_up_ref(pair->key));
    identity = sl_identity_new(pair->cert, chain ? X509_chain_up_ref(chain) : NULL, pair->key, "memory.pem");
    MUST(identity);
    apr_pool_cleanup_register(pool, identity, release_identity, apr_pool_cleanup_null);
    return identity;
}

sl_vhost_t *memory_vhost(apr_pool_t *pool, const char *id, const char *directives, ...)
{
    sl_settings_t *settings = memory_settings(pool, directives);
    apr_array_header_t *identities = apr_array_make(pool, 3, sizeof(sl_identity_ref_t));
    const material_pair_t *pair;
    va_list pairs;

    va_start(pairs, directives);
    while ((pair = va_arg(pairs, const material_pair_t *)) != NULL)
        APR_ARRAY_PUSH(identities, sl_identity_ref_t) = memory_ref(memory_identity(pool, pair, NULL));
    va_end(pairs);
    return sl_vhost_make(pool, id, settings, memory_profile(pool, settings), identities, NULL);
}
