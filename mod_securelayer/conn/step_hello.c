/* First step: the ClientHello, read by ourselves, and the virtual host it asks for.  No SSL exists yet, so garbage
 * and silence cost a few kilobytes at most. */
#include "base/text.h"
#include "conn/steps.h"

#include <apr_strings.h>
#include <string.h>

#define RECORD_HEADER 5
#define HANDSHAKE 22

/* A fatal alert before there is an SSL to send it (RFC 8446 section 6): record version as in a first flight. */
static void send_alert(sl_conn_t *conn, int alert)
{
    unsigned char record[] = {21, 3, 3, 0, 2, 2, (unsigned char)alert};

    conn->failure.alert_sent = alert;
    (void)conn->host->write(conn->baton, record, sizeof(record));
}

static sl_step_t fail(sl_conn_t *conn, sl_failure_reason_t reason, const sl_problem_t *why)
{
    sl_conn_fail(conn, reason, why ? why->reason : NULL);
    return SL_STEP_DONE;
}

/* What the record under way still lacks: reading past it would cost a system call that finds nothing, and keep bytes
 * here that OpenSSL can take by itself. */
static apr_size_t lacking(const sl_hello_buffer_t *bytes)
{
    apr_size_t there = bytes->length - bytes->walked;
    apr_size_t whole = RECORD_HEADER;

    if (there >= RECORD_HEADER) {
        const unsigned char *record = bytes->bytes + bytes->walked;

        if (record[0] == HANDSHAKE)
            whole += (apr_size_t)record[3] << 8 | record[4];
    }
    return whole > there ? whole - there : RECORD_HEADER;
}

static apr_status_t read_more(sl_conn_t *conn)
{
    apr_size_t space, wanted = lacking(&conn->bytes);
    unsigned char *room = sl_hello_buffer_room(&conn->bytes, &space);
    apr_status_t rv;

    if (!room)
        return APR_ENOSPC;
    if (space > wanted)
        space = wanted;
    rv = conn->host->read(conn->baton, room, &space);
    if (rv != APR_SUCCESS)
        return rv;
    if (!conn->bytes.length)
        conn->began = sl_world_now(conn->host->world);
    conn->bytes.length += space;
    return APR_SUCCESS;
}

/* One for each key type, as a host has them that names its files. */
static void take_identities(sl_conn_t *conn, sl_identity_t *first)
{
    conn->identities = apr_array_make(conn->pool, 2, sizeof(sl_identity_t *));
    APR_ARRAY_PUSH(conn->identities, sl_identity_t *) = first;
    for (sl_identity_t *also = first->also; also; also = also->also) {
        if (!sl_identity_covers(also, conn->name))
            continue;
        sl_identity_retain(also);
        APR_ARRAY_PUSH(conn->identities, sl_identity_t *) = also;
    }
    conn->name_known = 1;
}

/* Held from here on: what is found in a moment may be another one. */
static const char *look_into_directory(sl_conn_t *conn)
{
    const char *trouble = NULL;
    sl_identity_t *identity = NULL;

    if (conn->name && conn->vhost->directory >= 0 && conn->host->find_identity)
        identity = conn->host->find_identity(conn->baton, conn->vhost, conn->name, &trouble);
    if (identity)
        take_identities(conn, identity);
    return trouble;
}

/* A host that has its certificates in a directory may have no other. */
static int has_nothing_to_show(const sl_conn_t *conn)
{
    return conn->vhost->directory >= 0 && !conn->identities && !conn->vhost->identities->nelts &&
           !conn->vhost->profile->has_own_certificate;
}

static sl_step_t refuse_name(sl_conn_t *conn, sl_failure_reason_t reason, const char *trouble)
{
    send_alert(conn, trouble ? SSL_AD_INTERNAL_ERROR : SSL_AD_UNRECOGNIZED_NAME);
    sl_conn_fail(conn, trouble ? SL_FAIL_OTHER : reason, trouble);
    return SL_STEP_DONE;
}

static int is_left_out(const sl_conn_t *conn)
{
    const sl_vhost_t *vhost = conn->vhost;

    if (vhost->left_out == SL_OUT_UNTIL_REPAIRED && conn->host->is_out)
        return conn->host->is_out(conn->baton, vhost);
    return vhost->left_out != SL_NOT_LEFT_OUT;
}

static sl_step_t choose_vhost(sl_conn_t *conn)
{
    const sl_client_hello_t *hello = conn->hello;
    char host[SL_HOST_MAX + 1];
    const char *trouble;

    if (hello->has_server_name) {
        apr_size_t length = sl_reader_left(&hello->server_name);

        conn->sni = apr_pstrmemdup(conn->pool, (const char *)hello->server_name.at, length);
        if (sl_text_host(host, hello->server_name.at, length))
            conn->name = strcmp(host, conn->sni) ? apr_pstrdup(conn->pool, host) : conn->sni;
    }
    conn->vhost = conn->host->find_vhost(conn->baton, conn->name, &conn->name_known);
    if (is_left_out(conn))
        return refuse_name(conn, SL_FAIL_LEFT_OUT, NULL);
    trouble = look_into_directory(conn);
    if (has_nothing_to_show(conn) || (conn->sni && !conn->name_known && !trouble && conn->vhost->refuse_unknown_name))
        return refuse_name(conn, SL_FAIL_UNKNOWN_NAME, trouble);
    conn->state = SL_STATE_START;
    return SL_STEP_ON;
}

static sl_step_t look(sl_conn_t *conn)
{
    sl_problem_t why = {.pool = conn->hello_pool}; /* a peer that drips comes here once for each byte */
    sl_client_hello_t hello;

    switch (sl_client_hello_read(&hello, &conn->bytes, &why)) {
    case SL_HELLO_MORE:
        return SL_STEP_READ;
    case SL_HELLO_DONE:
        conn->hello = apr_pmemdup(conn->hello_pool, &hello, sizeof(hello));
        return choose_vhost(conn);
    case SL_HELLO_HTTP:
        conn->state = SL_STATE_PLAIN;
        return SL_STEP_DONE;
    case SL_HELLO_GARBAGE:
        return fail(conn, SL_FAIL_NOT_TLS, &why);
    default:
        send_alert(conn, SSL_AD_DECODE_ERROR);
        return fail(conn, SL_FAIL_BAD_HELLO, &why);
    }
}

sl_step_t sl_step_hello(sl_conn_t *conn)
{
    apr_status_t rv;

    if (!conn->hello_pool) {
        if (apr_pool_create(&conn->hello_pool, conn->pool) != APR_SUCCESS)
            return fail(conn, SL_FAIL_OTHER, NULL);
        sl_hello_buffer_init(&conn->bytes, conn->hello_pool);
    }
    rv = read_more(conn);
    if (APR_STATUS_IS_EAGAIN(rv))
        return SL_STEP_READ;
    if (rv != APR_SUCCESS)
        return fail(conn, APR_STATUS_IS_TIMEUP(rv) ? SL_FAIL_TIMEOUT : SL_FAIL_PEER_CLOSED, NULL);
    if (look(conn) == SL_STEP_READ)
        return SL_STEP_ON; /* read until the host has no more: bytes left behind would wake nobody */
    return conn->state == SL_STATE_START ? SL_STEP_ON : SL_STEP_DONE;
}
