/* httpd's side of one TLS connection: the conn_rec, its filters, bytes under way in both directions.
 *
 * Allocated from the connection's pool in pre_connection. One thread works on it at a time; while it is parked
 * (event MPM) none does, only parking.c looks at the fields it owns, under its lock. */
#ifndef SL_HTTPD_LINK_H
#define SL_HTTPD_LINK_H

#include <httpd.h>
#include <util_filter.h>

#include "conn/conn.h"

typedef enum { SL_PARK_NOT, SL_PARK_EXPIRED, SL_PARK_CROWDED_OUT } sl_park_end_t;

typedef struct sl_link_t {
    conn_rec *c;
    server_rec *server;      /* the virtual host the handshake was made for; before the choice the address's default */
    sl_conn_t *tls;
    ap_filter_t *input;      /* our filters on c */
    ap_filter_t *output;

    /* bio_brigade.c: encrypted bytes */
    apr_bucket_brigade *received; /* read from the network, not yet taken by OpenSSL; NULL before the first read */
    const char *at;               /* unread part of its first bucket */
    apr_size_t at_length;
    apr_read_type_e block;        /* may a read wait? */
    apr_time_t deadline;          /* for reads that wait: of the handshake, of the end; 0: none */
    apr_off_t bytes_read;         /* since the connection was made */
    apr_bucket_brigade *to_send;  /* buckets to go down the output filters; NULL before the first */
    struct sl_scratch_t *scratch; /* encrypted bytes that are no bucket yet; NULL if there are none */
    apr_status_t broken;          /* first error of the network; APR_SUCCESS while it works */

    /* filter_in.c: decrypted bytes that were read but not asked for yet; NULL before the first */
    apr_bucket_brigade *plain;

    /* filter_out.c: small pieces of plain text that wait for more; NULL before the first */
    apr_bucket_brigade *held;
    apr_size_t held_length;

    /* env_export.c: what requests were given before; NULL before the first */
    _Atomic(struct sl_env_set_t *) env_sets;

    /* demand.c: a client that is asked again for who it is */
    apr_size_t keep_room;         /* bytes that may come before it answers */
    int asked_in_vain;            /* what it was asked for was not good enough: the connection is about to end */

    /* proxy.c: a connection to a backend; NULL and nothing for those of clients */
    const struct sl_outgoing_t *outgoing;
    unsigned char session_key[32];

    /* conn_hooks.c */
    void *hosts;                  /* httpd's list of virtual hosts for the address; NULL: it has one, or none yet */
    apr_time_t idle_until;        /* a keep-alive connection that woke up for nothing; 0: it did not */
    unsigned handshake_logged : 1;
    unsigned was_parked : 1;      /* the MPM waited for it once */
    unsigned waited : 1;          /* a moment for the first request */
    unsigned handed_over : 1;     /* request processing has begun */
    unsigned shutdown_decided : 1;
    unsigned unclean_shutdown : 1;
    unsigned accurate_shutdown : 1;
    unsigned closing : 1;         /* close_notify was dealt with */
    unsigned failure_told : 1;    /* proxy.c has logged how it ended */
    unsigned plain_told : 1;      /* plain_http.c has answered */

    /* parking.c */
    int waiting;                  /* parked for the handshake or the first bytes of a request */
    int parked;                   /* member of the list */
    sl_park_end_t park_end;
    apr_time_t park_until;
    sl_state_t park_queue;
    struct sl_link_t *park_earlier, *park_later;
} sl_link_t;

/* The link of a connection (of its main connection for an HTTP/2 stream); NULL if TLS is not ours there. */
sl_link_t *sl_link_of(conn_rec *c);

#endif
