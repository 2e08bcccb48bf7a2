/* Sessions that are kept by the host under their id: which are worth it, and OpenSSL's callbacks for them.
 * A client that takes tickets keeps its session itself. */
#include "conn/steps.h"

#include <openssl/ssl.h>

static int has_stateless_tickets(const SSL *ssl)
{
    return !(SSL_get_options(ssl) & SSL_OP_NO_TICKET);
}

/* OpenSSL offers the session of each TLS 1.3 ticket, also where the ticket holds it all. */
static int put(SSL *ssl, SSL_SESSION *session)
{
    sl_conn_t *conn = sl_bio_host_conn(ssl);

    if (!conn || !conn->host->put_session || conn->challenge || conn->reauthenticated)
        return 0;
    if (SSL_version(ssl) >= TLS1_3_VERSION && has_stateless_tickets(ssl))
        return 0;
    if (sl_tickets_keep_chain(ssl, session) && conn->host->put_session(conn->baton, session))
        conn->session_kept = 1;
    return 0; /* the reference is not taken */
}

/* Clients of TLS 1.3 make up an id for each TLS 1.2 server (RFC 8446 section 4.1.2). Who takes tickets has got no id
 * from us that would be worth a question. */
static int is_made_up(const SSL *ssl, const sl_conn_t *conn)
{
    sl_reader_t extension;

    return SSL_version(ssl) < TLS1_3_VERSION && has_stateless_tickets(ssl) && conn->hello &&
           sl_client_hello_extension(conn->hello, TLSEXT_TYPE_session_ticket, &extension);
}

static SSL_SESSION *get(SSL *ssl, const unsigned char *id, int id_length, int *copy)
{
    sl_conn_t *conn = sl_bio_host_conn(ssl);
    SSL_SESSION *session;

    *copy = 0;
    if (!conn || !conn->host->get_session || conn->challenge || id_length <= 0 || is_made_up(ssl, conn))
        return NULL;
    session = conn->host->get_session(conn->baton, id, (apr_size_t)id_length);
    if (session && !sl_tickets_may_resume(conn, session)) {
        SSL_SESSION_free(session);
        return NULL;
    }
    if (session)
        conn->session_kept = 1;
    return session;
}

void sl_sessions_prepare(SSL_CTX *ctx)
{
    SSL_CTX_sess_set_new_cb(ctx, put);
    SSL_CTX_sess_set_get_cb(ctx, get);
}
