/* A connection in memory: an sl_host_t over two wires, an OpenSSL client at their other end, and a clock that stands
 * still until a test moves it.
 *
 * What one side sends is under way until it is delivered, so a test decides in what pieces it comes, and what is lost
 * or altered before.  Everything belongs to the pool it was made from.  What cannot be made ends the test program.
 * One thread at a time works on one memory_host_t; virtual hosts may be shared by several. */
#ifndef SL_T_MEMORY_HOST_H
#define SL_T_MEMORY_HOST_H

#include "conn/machine.h"
#include "material.h"

#include <apr_hash.h>
#include <apr_tables.h>

#define MEMORY_ALL ((apr_size_t) - 1)

/* One direction. */
typedef struct memory_wire_t {
    unsigned char *bytes; /* all that was ever sent */
    apr_size_t sent;      /* taken <= arrived <= sent */
    apr_size_t arrived;
    apr_size_t taken;     /* by the reader */
    apr_size_t size;
    apr_status_t end;     /* what a read gives once all is taken: APR_EAGAIN at first */
} memory_wire_t;

void memory_send(memory_wire_t *wire, const void *bytes, apr_size_t length);
apr_size_t memory_under_way(const memory_wire_t *wire);
/* At most `most` of the bytes under way arrive. */
void memory_deliver(memory_wire_t *wire, apr_size_t most);
/* The next `length` bytes under way are lost. */
void memory_drop(memory_wire_t *wire, apr_size_t length);
/* All bytes under way are lost and nothing follows: APR_EOF, APR_ECONNRESET, ... */
void memory_cut(memory_wire_t *wire, apr_status_t end);
/* For the reader: up to *length of what has arrived, at most `most` (0: as much as there is); else what a read gives
 * then. */
apr_status_t memory_take(memory_wire_t *wire, apr_size_t most, unsigned char *buffer, apr_size_t *length);
/* Flips bits of the byte `at` bytes into what is under way; 0 if there are not as many. */
int memory_corrupt(memory_wire_t *wire, apr_size_t at, unsigned char bits);
/* `with` (of the same length) in the place of `text` where that is under way; 0 if it is not. */
int memory_replace(memory_wire_t *wire, const char *text, const char *with);

typedef struct memory_name_t {
    const char *name; /* lower case; NULL: found by nobody, but may be the default */
    const sl_vhost_t *vhost;
} memory_name_t;

typedef struct memory_host_t memory_host_t;
struct memory_host_t {
    apr_pool_t *pool;
    sl_host_t host;
    sl_world_t world;
    apr_time_t now;              /* the clock */
    memory_wire_t up, down;      /* to the server, to the client */
    apr_size_t most;             /* bytes a read of the server gives at most; 0: as many as it asks for */
    apr_size_t piece;            /* bytes that memory_shake() delivers to the server at a time; 0: all */
    apr_size_t room;             /* of bytes the server may still write until `write_error` comes */
    apr_status_t write_error;
    apr_array_header_t *names;   /* of memory_name_t; the first one is the default */
    const char *protocols;       /* "h2,http/1.1": in the server's order of preference; NULL: none */
    sl_identity_t *challenge;    /* answers for challenge_name */
    const char *challenge_name;
    X509 *revoked;               /* whom check_revocation() refuses; NULL: nobody */
    X509 *last_issuer;           /* it was told; gone with the connection */
    int revocation_checks;
    sl_ticket_ring_t ring;       /* one key at first; the same for all virtual hosts */
    int searches, alpn_choices, challenges; /* how often the callbacks were called */
    apr_pool_t *conn_pool;
    sl_conn_t *conn;
    SSL *client;                 /* NULL: the test itself sends bytes */
    int alert_received;          /* by the client; -1: none */
    apr_array_header_t *sessions; /* of SSL_SESSION *: tickets this client got */
    apr_hash_t *kept;            /* sessions that the host keeps, by their id; NULL (as at first): it keeps none */
    int puts, gets, removals;    /* how often it was asked to keep, to give back, to drop a session */
    void (*on_flight)(memory_host_t *memory, int number); /* before the client's n-th flight (1, 2, ...) is delivered */
    int flights;
    void *baton;                 /* for on_flight */
};

memory_host_t *memory_host_make(apr_pool_t *pool);
void memory_host_add(memory_host_t *memory, const char *name, const sl_vhost_t *vhost);
/* A new connection on empty wires; the old connection and its client are freed. */
sl_conn_t *memory_host_accept(memory_host_t *memory);
/* A new connection and a client for it, which asks for `name` (NULL: for none). `ctx` is borrowed. */
SSL *memory_host_client(memory_host_t *memory, SSL_CTX *ctx, const char *name);

/* Both sides take turns until neither goes on: the handshake, or what else there is to exchange. */
sl_state_t memory_shake(memory_host_t *memory);
/* One turn of the client: its handshake or the reading of tickets, and its bytes onto the wire. */
void memory_client_turn(memory_host_t *memory);
/* Application data written by the client, delivered to the server. */
void memory_client_write(memory_host_t *memory, const void *bytes, apr_size_t length);
/* What the client got of the server's application data since the last call; NUL-terminated, in the pool. */
const char *memory_client_read(memory_host_t *memory, apr_size_t *length);
/* Reads of the server until it says something other than APR_SUCCESS, which is returned; NUL-terminated. */
const char *memory_server_read(memory_host_t *memory, apr_pool_t *pool, apr_status_t *end);

/* A client that trusts `ca` (NULL: everybody) and keeps the tickets it gets. */
SSL_CTX *memory_client_ctx(apr_pool_t *pool, const material_pair_t *ca);
void memory_client_versions(SSL_CTX *ctx, int lowest, int highest);

/* Settings of directives, one a line: "SSLProtocol TLSv1.2\nSSLVerifyClient require". */
sl_settings_t *memory_settings(apr_pool_t *pool, const char *directives);
/* A profile of them, prepared for connections. */
sl_profile_t *memory_profile(apr_pool_t *pool, const sl_settings_t *settings);
/* An identity with a number, in a list of its own for this program. */
sl_identity_ref_t memory_ref(sl_identity_t *identity);
sl_identity_t *memory_identity_of(const sl_vhost_t *vhost, int nth);
/* `chain` is borrowed; may be NULL. */
sl_identity_t *memory_identity(apr_pool_t *pool, const material_pair_t *pair, STACK_OF(X509) *chain);
/* A virtual host with a certificate for each of the pairs (NULL at the end). */
sl_vhost_t *memory_vhost(apr_pool_t *pool, const char *id, const char *directives, ...) __attribute__((sentinel));

#endif
