/* What differs between the OpenSSL versions we build with, behind functions that are the same for all of them.
 *
 * The only unit with #if on what OpenSSL has; the answers come from small programs that configure builds, never
 * from version numbers. SSL arguments are borrowed; text lives as long as the SSL or for ever.
 * Runs in: any thread. */
#ifndef SL_CRYPTO_OPENSSL_COMPAT_H
#define SL_CRYPTO_OPENSSL_COMPAT_H

#include <apr.h>
#include <apr_pools.h>
#include <openssl/ssl.h>
#include <openssl/ui.h>
#include <openssl/x509.h>

/* Name of the key exchange group in OpenSSL's words ("x25519", "secp256r1", "X25519MLKEM768"); "" before the
 * handshake, and when no group was used (RSA key exchange, some resumptions). */
const char *sl_openssl_group_name(SSL *ssl);

/* Signature scheme that the server (the client) signed this handshake with, in IANA's words:
 * "ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256", "rsa_pkcs1_sha256", "ed25519"; "" if it signed nothing (resumed
 * session, no client certificate) or OpenSSL cannot say. Works in both roles. */
const char *sl_openssl_server_sigalg(SSL *ssl);
const char *sl_openssl_client_sigalg(SSL *ssl);

/* Round-trip time of the handshake as OpenSSL measured it. 0 if it cannot tell (OpenSSL before 3.2, or no flight
 * was answered), 1 on success. */
int sl_openssl_handshake_rtt(const SSL *ssl, apr_uint64_t *microseconds);

/* Seconds since 1970 of a time in a certificate or CRL, years 0 to 9999. 0 if `time` is NULL or no valid time (then
 * `*seconds` is 0), 1 on success. */
int sl_openssl_time(const ASN1_TIME *time, apr_int64_t *seconds);

/* Engines (OpenSSL before 4.0). They belong to the whole process and stay loaded once a key of theirs was loaded.
 * The ids and names of those that are there, each as ", 'id' (name)"; NULL: this OpenSSL has no engines. */
const char *sl_openssl_engines(apr_pool_t *pool);
/* Can it be loaded? "" and what is no engine: 0. */
int sl_openssl_engine_exists(const char *id);
/* From now on it does all it can (`on`), or nothing any more. 0 with OpenSSL's error queued if it cannot. */
int sl_openssl_engine_use(const char *id, int on);
/* NULL with OpenSSL's error queued if there is none. `ui` asks for the PIN, during the call only. */
EVP_PKEY *sl_openssl_engine_key(const char *id, const char *name, UI_METHOD *ui, void *baton);
/* Adds what the engine has by that name, if anything. */
void sl_openssl_engine_certificate(STACK_OF(X509) *certificates, const char *id, const char *name);

/* Secure Remote Password (RFC 5054; TLS 1.2 and older; OpenSSL has deprecated it). A file of verifiers is what
 * `openssl srp` writes. */
typedef struct sl_srp_t sl_srp_t;

int sl_openssl_has_srp(void);
/* The caller's; read only from then on, by any thread. `seed`: names that are not in the file get a made-up salt, made
 * with it, so that nobody learns who is (RFC 5054 section 2.5.1.3); NULL: they are refused. NULL with `*reason`
 * (static text) if the file is no such file, or without SRP. */
sl_srp_t *sl_openssl_srp_new(const char *path, const char *seed, const char **reason);
void sl_openssl_srp_free(sl_srp_t *srp);
/* `srp` stays the caller's and must outlive `ctx`. Clients that log in are asked for no certificate, unless
 * the server requires one. 0: it failed. */
int sl_openssl_srp_serve(SSL_CTX *ctx, sl_srp_t *srp);
/* Who logged in, and the file's note about him or her (with a full handshake only); NULL if nobody did. */
const char *sl_openssl_srp_user(SSL *ssl);
const char *sl_openssl_srp_note(SSL *ssl);

#endif
