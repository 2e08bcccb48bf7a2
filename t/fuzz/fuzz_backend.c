/* Fuzz target: connections to backends.  The first byte of the input says what the others are (see kinds below), in
 * what pieces they come, and how the stream ends.
 * Beyond memory errors and leaks it checks that every connection comes to a defined end: open until the stream ends, or
 * failed with a reason, a word and a hint.
 * Linked with: t/unit/material.c t/unit/memory_host.c */
#include "edits.h"
#include "must.h"

#include "conn/connect.h"
#include "conn/hint.h"
#include "conn/machine.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <openssl/err.h>
#include <sanitizer/lsan_interface.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MOST 65536

/* Bits 0 to 2 of the first byte. */
enum {
    FIRST_FLIGHT,       /* all that the backend sends */
    ALTERED_FLIGHTS_12, /* changes to what a real one sends: flight, two bytes of offset, bits to flip */
    ALTERED_FLIGHTS_13,
    BEHIND_HANDSHAKE_12, /* records on an open connection */
    BEHIND_HANDSHAKE_13,
    STAPLED_12, /* the OCSP answer that a real one staples */
    STAPLED_13,
    RENEGOTIATING /* a real one of TLS 1.2 that begins anew, with such changes */
};

typedef struct backend_t {
    SSL *ssl; /* the other side */
    BIO *to, *from;
    edits_t edits;
    const uint8_t *staple;
    size_t staple_length;
    int flight;
    memory_wire_t wire; /* to the connection */
    apr_size_t piece;
    apr_status_t end; /* of the wire, once all has arrived */
} backend_t;

/* Made once. */
static apr_pool_t *root;
static sl_outgoing_t outgoing, stapled; /* the second wants a stapled answer */
static sl_identity_t *identity;
static SSL_CTX *server_12, *server_13;

static void queue(backend_t *backend, const void *bytes, apr_size_t length)
{
    memory_send(&backend->wire, bytes, length);
    edit_flight(&backend->edits, &backend->wire, backend->flight++);
    memory_deliver(&backend->wire, MEMORY_ALL);
}

static apr_status_t read_host(void *baton, unsigned char *buffer, apr_size_t *length)
{
    backend_t *backend = baton;

    return memory_take(&backend->wire, backend->piece, buffer, length);
}

static apr_status_t write_host(void *baton, const unsigned char *bytes, apr_size_t length)
{
    backend_t *backend = baton;

    return !backend->to || BIO_write(backend->to, bytes, (int)length) == (int)length ? APR_SUCCESS : APR_EGENERAL;
}

static sl_identity_t *get_identity(void *baton, int id)
{
    (void)baton;
    (void)id;
    sl_identity_retain(identity);
    return identity;
}

static sl_host_t host = {.read = read_host, .write = write_host, .get_identity = get_identity};

static int staple(SSL *ssl, void *unused)
{
    const backend_t *backend = SSL_get_app_data(ssl);
    unsigned char *copy = backend->staple_length ? OPENSSL_memdup(backend->staple, backend->staple_length) : NULL;

    (void)unused;
    if (!copy)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)backend->staple_length);
    return SSL_TLSEXT_ERR_OK;
}

static int accept_any(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

static int choose(SSL *ssl, const unsigned char **chosen, unsigned char *length, const unsigned char *list,
                  unsigned int list_length, void *unused)
{
    (void)ssl;
    (void)unused;
    *chosen = list + 1;
    *length = *list;
    return list_length ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *make_server(const material_pair_t *pair, const material_pair_t *ca, int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    MUST(ctx && SSL_CTX_use_cert_and_key(ctx, pair->cert, pair->key, NULL, 1) == 1);
    MUST(SSL_CTX_add_client_CA(ctx, ca->cert) == 1 && SSL_CTX_add_extra_chain_cert(ctx, X509_dup(ca->cert)) == 1);
    memory_client_versions(ctx, version, version);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, accept_any);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"s", 1);
    SSL_CTX_set_tlsext_status_cb(ctx, staple);
    SSL_CTX_set_alpn_select_cb(ctx, choose, NULL);
    return ctx;
}

static void make_outgoing(sl_outgoing_t *made, const char *dir, const char *more, sl_problems_t *problems)
{
    const char *directives = apr_psprintf(root,
                                          "SSLProxyVerify optional_no_ca\nSSLProxyCheckPeerName on\n"
                                          "SSLProxyCACertificateFile %s/ca.pem\n%s",
                                          dir, more);

    made->id = "fuzz";
    made->profile = sl_profile_new_client(memory_settings(root, directives), "fuzz", material_now(), sl_connect_prepare,
                                          NULL, root, problems);
    MUST(made->profile);
    made->identities = apr_array_make(root, 1, sizeof(sl_identity_ref_t));
    memset(apr_array_push(made->identities), 0, sizeof(sl_identity_ref_t));
}

/* All this stays; what only the pool points to would look like a leak. */
static void prepare(void)
{
    const material_pair_t *ca, *pair;
    sl_problems_t *problems;
    const char *dir;

    __lsan_disable();
    apr_initialize();
    MUST(apr_pool_create(&root, NULL) == APR_SUCCESS);
    host.world = sl_world_real();
    ca = material_ca(root, "CA", NULL);
    pair = material_server(root, "a.test", "P-256", ca);
    dir = material_dir(root);
    material_file(root, dir, "ca.pem", material_cert_pem(root, ca->cert));
    problems = sl_problems_make(root);
    make_outgoing(&outgoing, dir, "", problems);
    make_outgoing(&stapled, dir, "SecureLayerProxyMustStaple on", problems);
    identity = memory_identity(root, material_client(root, "me", "P-256", ca), NULL);
    server_12 = make_server(pair, ca, TLS1_2_VERSION);
    server_13 = make_server(pair, ca, TLS1_3_VERSION);
    __lsan_enable();
}

static void make_backend(backend_t *backend, SSL_CTX *ctx)
{
    backend->ssl = SSL_new(ctx);
    backend->to = BIO_new(BIO_s_mem());
    backend->from = BIO_new(BIO_s_mem());
    MUST(backend->ssl && backend->to && backend->from);
    SSL_set_app_data(backend->ssl, backend);
    SSL_set_bio(backend->ssl, backend->to, backend->from);
    SSL_set_accept_state(backend->ssl);
}

/* What the backend has to say goes to the connection. */
static void move(backend_t *backend)
{
    static unsigned char bytes[MOST];
    int length = BIO_read(backend->from, bytes, sizeof(bytes));

    if (length > 0)
        queue(backend, bytes, (apr_size_t)length);
}

static void shake(backend_t *backend, sl_conn_t *conn)
{
    for (int turn = 0; turn < 20; turn++) {
        apr_size_t before = backend->wire.sent;

        if (conn->state < SL_STATE_OPEN)
            (void)sl_machine_run(conn);
        (void)SSL_do_handshake(backend->ssl);
        move(backend);
        if (conn->state == SL_STATE_FAILED || (conn->state == SL_STATE_OPEN && before == backend->wire.sent))
            return;
    }
}

static void read_some(sl_conn_t *conn)
{
    char bytes[4000];
    apr_size_t length = sizeof(bytes);

    while (sl_conn_read(conn, bytes, &length) == APR_SUCCESS)
        length = sizeof(bytes);
}

static void renegotiate(backend_t *backend, sl_conn_t *conn)
{
    char bytes[100];

    if (conn->state != SL_STATE_OPEN || SSL_renegotiate(backend->ssl) != 1)
        return;
    for (int turn = 0; turn < 10 && conn->state == SL_STATE_OPEN; turn++) {
        (void)SSL_do_handshake(backend->ssl);
        (void)SSL_read(backend->ssl, bytes, sizeof(bytes));
        move(backend);
        read_some(conn);
    }
}

static void act(backend_t *backend, sl_conn_t *conn, int kind, const uint8_t *data, size_t size)
{
    if (kind == FIRST_FLIGHT) {
        queue(backend, data, size);
        (void)sl_machine_run(conn);
        return;
    }
    make_backend(backend, kind == ALTERED_FLIGHTS_13 || kind == BEHIND_HANDSHAKE_13 || kind == STAPLED_13 ? server_13
                                                                                                          : server_12);
    if (kind == ALTERED_FLIGHTS_12 || kind == ALTERED_FLIGHTS_13 || kind == RENEGOTIATING) {
        backend->edits.at = data;
        backend->edits.end = data + size;
    }
    if (kind == STAPLED_12 || kind == STAPLED_13) {
        backend->staple = data;
        backend->staple_length = size;
    }
    shake(backend, conn);
    if (kind == RENEGOTIATING)
        renegotiate(backend, conn);
    if (kind == BEHIND_HANDSHAKE_12 || kind == BEHIND_HANDSHAKE_13) {
        MUST(conn->state == SL_STATE_OPEN);
        queue(backend, data, size);
    }
}

static void check(backend_t *backend, sl_conn_t *conn, apr_pool_t *pool)
{
    memory_cut(&backend->wire, backend->end);
    if (conn->state < SL_STATE_OPEN && sl_machine_run(conn) == SL_WANT_READ) {
        MUST(APR_STATUS_IS_TIMEUP(backend->end));
        sl_conn_fail(conn, SL_FAIL_TIMEOUT, NULL);
    }
    if (conn->state == SL_STATE_OPEN) {
        MUST(conn->ssl && conn->failure.reason == SL_FAIL_NONE);
        read_some(conn);
        (void)sl_conn_write(conn, "x", 1);
    }
    if (conn->state == SL_STATE_FAILED) {
        MUST(conn->failure.reason > SL_FAIL_NONE && conn->failure.reason < SL_FAILURES);
        MUST(*sl_failure_word(conn->failure.reason) && *sl_hint_backend(conn, pool));
        MUST(sl_conn_write(conn, "x", 1) == APR_ECONNABORTED);
    }
    sl_conn_close(conn, 1);
    MUST(conn->state == SL_STATE_CLOSED || conn->state == SL_STATE_FAILED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const apr_size_t pieces[] = {1, 7, 100, 0};
    static const apr_status_t ends[] = {APR_EOF, APR_ECONNRESET, APR_TIMEUP, APR_EOF};
    backend_t backend;
    sl_target_t target = {&outgoing, "a.test (192.0.2.1:443)", "a.test", NULL, NULL, NULL};
    apr_array_header_t *alpn;
    sl_conn_t *conn;
    apr_pool_t *pool;

    if (!root)
        prepare();
    if (!size)
        return 0;
    MUST(apr_pool_create(&pool, root) == APR_SUCCESS);
    memset(&backend, 0, sizeof(backend));
    backend.wire.end = APR_EAGAIN;
    backend.piece = pieces[*data >> 3 & 3];
    backend.end = ends[*data >> 5 & 3];
    if (*data & 0x80) {
        alpn = apr_array_make(pool, 2, sizeof(const char *));
        APR_ARRAY_PUSH(alpn, const char *) = "h2";
        APR_ARRAY_PUSH(alpn, const char *) = "http/1.1";
        target.alpn = alpn;
    }
    if ((*data & 7) == STAPLED_12 || (*data & 7) == STAPLED_13)
        target.outgoing = &stapled;
    conn = sl_conn_make(pool, &host, &backend);
    sl_conn_aim(conn, &target);
    act(&backend, conn, *data & 7, data + 1, size - 1);
    check(&backend, conn, pool);
    SSL_free(backend.ssl);
    free(backend.wire.bytes);
    apr_pool_destroy(pool);
    ERR_clear_error();
    return 0;
}
