/* The ClientHello, read before OpenSSL is asked (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2).
 *
 * The assembler takes the first bytes of a connection as they come, in pieces of any size, through record and
 * packet borders, and says what they are.  A hello in one record is parsed where it lies, one in several is put
 * together once; at most SL_HELLO_MAX bytes are kept.
 * The parsed hello borrows the assembler's buffer.
 * Runs in: any thread; one assembler belongs to one connection. No OpenSSL type appears here. */
#ifndef SL_HELLO_CLIENT_HELLO_H
#define SL_HELLO_CLIENT_HELLO_H

#include "base/bytes.h"
#include "base/problem.h"
#include "hello/first_bytes.h"

#include <apr_pools.h>

/* Most bytes (records with their headers) that are taken before the hello must be complete. */
#define SL_HELLO_MAX 65536

/* Raw bytes as read from the connection; grows by doubling up to SL_HELLO_MAX. */
typedef struct sl_hello_buffer_t {
    apr_pool_t *pool;       /* where it grows: freed with the connection's hello pool */
    unsigned char *bytes;
    apr_size_t length;      /* bytes read so far: all of them must be handed on to OpenSSL */
    apr_size_t size;
    /* Where sl_client_hello_read() goes on, so that a hello in tiny pieces costs no more than a whole one: */
    apr_size_t walked;      /* bytes of records that lie behind it */
    apr_size_t gathered;    /* handshake bytes in those records */
    apr_size_t wanted;      /* size of the handshake message with its header, 0 as long as that is not known */
} sl_hello_buffer_t;

typedef struct sl_client_hello_t {
    unsigned record_version;  /* of the first record */
    unsigned legacy_version;  /* 0x0303 for TLS 1.2 and 1.3 */
    sl_reader_t random;       /* 32 bytes */
    sl_reader_t session_id;   /* 0 to 32 bytes */
    sl_reader_t cipher_suites; /* 2 bytes each */
    sl_reader_t compressions; /* 1 byte each */
    sl_reader_t extensions;   /* the whole block without its length; parsed well-formed */
    /* Extensions, empty readers if not sent: */
    sl_reader_t server_name;        /* host_name entry of server_name (RFC 6066), raw, never empty if sent */
    sl_reader_t groups;             /* supported_groups, 2 bytes each (RFC 8422, 8446) */
    sl_reader_t point_formats;      /* ec_point_formats, 1 byte each */
    sl_reader_t signature_algorithms; /* 2 bytes each */
    sl_reader_t alpn;               /* protocol list without its 2-byte length (RFC 7301), well-formed */
    sl_reader_t versions;           /* supported_versions, 2 bytes each (RFC 8446 section 4.2.1) */
    int has_server_name;
    int has_alpn;
    int has_post_handshake_auth;
    int has_pre_shared_key;
    unsigned highest_version;       /* highest non-GREASE version offered, e.g. 0x0304; 0 if only GREASE is */
} sl_client_hello_t;

/* An empty buffer; allocates nothing before the first byte. */
void sl_hello_buffer_init(sl_hello_buffer_t *buffer, apr_pool_t *pool);
/* Room for at least one more byte (up to `*space` bytes, set on return) at the returned place; NULL if SL_HELLO_MAX
 * is reached. The caller writes there and adds to buffer->length. */
unsigned char *sl_hello_buffer_room(sl_hello_buffer_t *buffer, apr_size_t *space);

/* Looks at all bytes so far. On SL_HELLO_DONE `hello` is filled and borrows memory of `buffer->pool` (the handshake
 * message is copied there only if it spans records). On SL_HELLO_BAD, GARBAGE and on SL_HELLO_HTTP `why` says what
 * was seen. Bytes behind the hello (early data) are allowed and left alone.
 * Called again after every read: each record is looked at once. */
sl_hello_state_t sl_client_hello_read(sl_client_hello_t *hello, sl_hello_buffer_t *buffer, sl_problem_t *why);

/* Parses one handshake message (with its 4-byte header). APR_EINVAL and `why` if malformed: lengths that disagree,
 * an extension twice, odd lists, a host_name that is empty or comes twice, a pre_shared_key that is not last.
 * record_version stays 0. */
apr_status_t sl_client_hello_parse(sl_client_hello_t *hello, const unsigned char *message, apr_size_t length,
                                   sl_problem_t *why);

/* Body of the extension `type` (RFC 8446 section 4.2); 0 if it was not sent. */
int sl_client_hello_extension(const sl_client_hello_t *hello, unsigned type, sl_reader_t *body);

/* "TLSv1.3 TLSv1.2" from highest to lowest as offered (GREASE left out; from supported_versions, else from
 * legacy_version); "-" if there is none, 0x0305 for what has no name yet. */
const char *sl_client_hello_versions_text(const sl_client_hello_t *hello, apr_pool_t *pool);

/* Is the value one of RFC 8701's sixteen reserved GREASE values? */
int sl_hello_is_grease(unsigned value);

/* A list of 2-byte values as OpenSSL-free text: "c02b,c02f" lower-case hex, comma separated, GREASE kept. */
const char *sl_hello_list_u16(apr_pool_t *pool, sl_reader_t list);
/* The same for 1-byte values. */
const char *sl_hello_list_u8(apr_pool_t *pool, sl_reader_t list);
/* Types of all extensions in the order sent, 2 bytes each. */
sl_reader_t sl_hello_extension_list(apr_pool_t *pool, const sl_client_hello_t *hello);
/* The same as text. */
const char *sl_hello_extension_types(apr_pool_t *pool, const sl_client_hello_t *hello);

#endif
