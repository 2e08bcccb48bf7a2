/* Between the table of variables and the units that answer them: what a getter is asked and what it may return.
 *
 * A getter gives text in question->pool, or text that lives as long as the connection or for ever; NULL or "" mean
 * that there is no value. It is called only if what its row is about is there (see sl_about_t). Runs in the thread
 * that handles the request or connection; of an HTTP/2 connection several may ask at a time, so getters change
 * nothing that belongs to the connection. */
#ifndef SL_HTTPD_VARIABLE_GETTERS_H
#define SL_HTTPD_VARIABLE_GETTERS_H

#include <httpd.h>

#include <apr_tables.h>
#include <openssl/x509.h>

#include "conn/conn.h"

/* What must be there for a row to have a value. */
typedef enum {
    SL_ABOUT_NOTHING,
    SL_ABOUT_SERVER,             /* question->server */
    SL_ABOUT_REQUEST,            /* question->r */
    SL_ABOUT_CONN,               /* question->tls, with its ssl */
    SL_ABOUT_HELLO,              /* the same, with its hello */
    SL_ABOUT_CLIENT_CERTIFICATE, /* question->certificate is the client's */
    SL_ABOUT_SERVER_CERTIFICATE, /* question->certificate is the one we showed */
} sl_about_t;

typedef struct sl_variable_t sl_variable_t;
typedef void sl_variable_take_t(void *baton, const char *name, const char *value);

typedef struct sl_question_t {
    apr_pool_t *pool; /* for the answer */
    server_rec *server;
    conn_rec *c;
    request_rec *r;
    const sl_conn_t *tls;
    X509 *certificate;
    const sl_variable_t *row;
    const char *rest; /* what stands where the row's name has a placeholder */
} sl_question_t;

typedef const char *sl_text_getter_t(const sl_question_t *q, int argument);
typedef apr_array_header_t *sl_list_getter_t(const sl_question_t *q, int argument); /* of const char * */

/* How a row's name is matched; the placeholder is its last word. */
typedef enum {
    SL_FORM_WHOLE,
    SL_FORM_NUMBER, /* "..._n": one value of a list, from 0 */
    SL_FORM_PART,   /* "..._x509": an attribute of a DN */
    SL_FORM_NAME,   /* "...:name": anything */
} sl_form_t;

struct sl_variable_t {
    const char *name;
    sl_about_t about;
    sl_form_t form;
    sl_text_getter_t *text; /* all but SL_FORM_NUMBER */
    sl_list_getter_t *list; /* SL_FORM_NUMBER */
    int argument;
    int exported; /* SL_EXPORT_... bits */
};

/* Fills the table's index; in register_hooks, before any lookup. */
void sl_variables_prepare(void);

/* variables_conn.c */
enum { SL_CIPHER_NAME, SL_CIPHER_EXPORT, SL_CIPHER_USED_BITS, SL_CIPHER_ALL_BITS, SL_CIPHER_SHARED };
enum { SL_SIGALG_SERVER, SL_SIGALG_CLIENT };
enum { SL_SRP_USER, SL_SRP_NOTE };
enum { SL_LIBRARY_RUNNING, SL_LIBRARY_BUILT_WITH };
sl_text_getter_t sl_var_https, sl_var_sni, sl_var_protocol, sl_var_session_id, sl_var_resumed, sl_var_secure_reneg,
    sl_var_compression, sl_var_cipher, sl_var_interface, sl_var_library, sl_var_verify, sl_var_verify_error,
    sl_var_alpn, sl_var_group, sl_var_sigalg, sl_var_handshake_ms, sl_var_handshake_rtt, sl_var_srp;

/* variables_hello.c */
enum {
    SL_HELLO_VERSION,
    SL_HELLO_CIPHERS,
    SL_HELLO_EXTENSIONS,
    SL_HELLO_GROUPS,
    SL_HELLO_EC_FORMATS,
    SL_HELLO_SIG_ALGOS,
    SL_HELLO_ALPN,
    SL_HELLO_VERSIONS,
};
sl_text_getter_t sl_var_hello, sl_var_ja3, sl_var_ja3_hash, sl_var_ja4;

/* variables_cert.c. Arguments: sl_dn_t, sl_san_t or 0. */
sl_text_getter_t sl_var_cert_version, sl_var_cert_serial, sl_var_cert_start, sl_var_cert_end, sl_var_cert_remain,
    sl_var_cert_dn, sl_var_cert_dn_part, sl_var_cert_signature, sl_var_cert_key, sl_var_cert_pem, sl_var_cert_base64,
    sl_var_cert_sha256, sl_var_cert_assertion;
sl_list_getter_t sl_var_cert_san, sl_var_chain_pem, sl_var_chain_base64;
/* Every attribute of the DN that has a name here, under the names that exports have. */
void sl_var_cert_export_dn_parts(const sl_question_t *q, int which, sl_variable_take_t *take, void *baton);

/* variables_request.c */
enum { SL_TIME_ALL, SL_TIME_YEAR, SL_TIME_MON, SL_TIME_DAY, SL_TIME_HOUR, SL_TIME_MIN, SL_TIME_SEC, SL_TIME_WDAY };
sl_text_getter_t sl_var_request_field, sl_var_known_header, sl_var_header, sl_var_scheme, sl_var_remote_host,
    sl_var_remote_ident, sl_var_server_admin, sl_var_server_name, sl_var_server_port, sl_var_is_subrequest,
    sl_var_document_root, sl_var_environment, sl_var_server_software, sl_var_api_version, sl_var_time;

#endif
