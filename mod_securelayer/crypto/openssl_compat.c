/* Differences between OpenSSL versions.  Called wherever a newer OpenSSL has a function that an older one, which we
 * also build with, has not. Each #if names a define that configure sets after building a small program
 * (SL_OPENSSL_HAS in configure.ac); without config.h the way that works everywhere is taken. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "crypto/openssl_compat.h"

#include <apr_strings.h>
#ifdef HAVE_ENGINES
#include <openssl/engine.h>
#endif
#include <openssl/evp.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#if HAVE_SRP
#include <openssl/srp.h>
#endif
#include <time.h>

#ifdef HAVE_GROUP_NAME
static const char *group_name(SSL *ssl)
{
    return SSL_get0_group_name(ssl);
}
#else
static const char *group_name(SSL *ssl)
{
    int group = (int)SSL_get_negotiated_group(ssl);

    return group ? SSL_group_to_name(ssl, group) : NULL;
}
#endif

const char *sl_openssl_group_name(SSL *ssl)
{
    /* OpenSSL looks into the session without asking whether there is one yet. */
    const char *name = SSL_get_session(ssl) ? group_name(ssl) : NULL;

    return name ? name : "";
}

#ifdef HAVE_SIGALG_NAME
static const char *sigalg_name(SSL *ssl, int own)
{
    const char *name = NULL;
    int known = own ? SSL_get0_signature_name(ssl, &name) : SSL_get0_peer_signature_name(ssl, &name);

    return known && name ? name : "";
}
#else
static const struct {
    int key, digest; /* OpenSSL NIDs; PSS: NID_rsassaPss whatever the key of the certificate is */
    const char *name, *pss_key_name;
} sigalgs[] = {
    {NID_X9_62_id_ecPublicKey, NID_sha256, "ecdsa_secp256r1_sha256", NULL},
    {NID_X9_62_id_ecPublicKey, NID_sha384, "ecdsa_secp384r1_sha384", NULL},
    {NID_X9_62_id_ecPublicKey, NID_sha512, "ecdsa_secp521r1_sha512", NULL},
    {NID_X9_62_id_ecPublicKey, NID_sha224, "ecdsa_sha224", NULL},
    {NID_X9_62_id_ecPublicKey, NID_sha1, "ecdsa_sha1", NULL},
    {NID_ED25519, NID_undef, "ed25519", NULL},
    {NID_ED448, NID_undef, "ed448", NULL},
    {NID_rsassaPss, NID_sha256, "rsa_pss_rsae_sha256", "rsa_pss_pss_sha256"},
    {NID_rsassaPss, NID_sha384, "rsa_pss_rsae_sha384", "rsa_pss_pss_sha384"},
    {NID_rsassaPss, NID_sha512, "rsa_pss_rsae_sha512", "rsa_pss_pss_sha512"},
    {NID_rsaEncryption, NID_sha256, "rsa_pkcs1_sha256", NULL},
    {NID_rsaEncryption, NID_sha384, "rsa_pkcs1_sha384", NULL},
    {NID_rsaEncryption, NID_sha512, "rsa_pkcs1_sha512", NULL},
    {NID_rsaEncryption, NID_sha224, "rsa_pkcs1_sha224", NULL},
    {NID_rsaEncryption, NID_sha1, "rsa_pkcs1_sha1", NULL},
    {NID_rsaEncryption, NID_md5_sha1, "rsa_pkcs1_md5_sha1", NULL},
    {NID_dsa, NID_sha256, "dsa_sha256", NULL},
    {NID_dsa, NID_sha384, "dsa_sha384", NULL},
    {NID_dsa, NID_sha512, "dsa_sha512", NULL},
    {NID_dsa, NID_sha224, "dsa_sha224", NULL},
    {NID_dsa, NID_sha1, "dsa_sha1", NULL},
};

/* Both RSA-PSS families look alike but for the key in the signer's certificate. */
static int signer_has_pss_key(SSL *ssl, int own)
{
    X509 *cert = own ? SSL_get_certificate(ssl) : SSL_get0_peer_certificate(ssl);
    EVP_PKEY *key = cert ? X509_get0_pubkey(cert) : NULL;

    return key && EVP_PKEY_is_a(key, "RSA-PSS");
}

static const char *sigalg_name(SSL *ssl, int own)
{
    int key = 0, digest = 0;

    if (own ? !SSL_get_signature_type_nid(ssl, &key) : !SSL_get_peer_signature_type_nid(ssl, &key))
        return "";
    /* Fails for Ed25519 and Ed448, which have no digest of their own. */
    if (own ? !SSL_get_signature_nid(ssl, &digest) : !SSL_get_peer_signature_nid(ssl, &digest))
        digest = NID_undef;
    for (size_t i = 0; i < sizeof(sigalgs) / sizeof(sigalgs[0]); i++) {
        if (sigalgs[i].key != key || sigalgs[i].digest != digest)
            continue;
        return sigalgs[i].pss_key_name && signer_has_pss_key(ssl, own) ? sigalgs[i].pss_key_name : sigalgs[i].name;
    }
    return "";
}
#endif

/* A scheme is chosen for every handshake, also for those in which the server then has nothing to sign. */
static int server_signed(SSL *ssl)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    int exchange = cipher ? SSL_CIPHER_get_kx_nid(cipher) : NID_undef;

    if (!cipher || SSL_session_reused(ssl))
        return 0;
    return exchange == NID_kx_any || exchange == NID_kx_ecdhe || exchange == NID_kx_dhe;
}

const char *sl_openssl_server_sigalg(SSL *ssl)
{
    return server_signed(ssl) ? sigalg_name(ssl, SSL_is_server(ssl)) : "";
}

const char *sl_openssl_client_sigalg(SSL *ssl)
{
    return sigalg_name(ssl, !SSL_is_server(ssl));
}

int sl_openssl_handshake_rtt(const SSL *ssl, apr_uint64_t *microseconds)
{
#ifdef HAVE_HANDSHAKE_RTT
    uint64_t rtt;

    if (SSL_get_handshake_rtt(ssl, &rtt) != 1)
        return 0;
    *microseconds = rtt;
    return 1;
#else
    (void)ssl;
    *microseconds = 0;
    return 0;
#endif
}

/* Days from 1970-01-01 in the Gregorian calendar: timegm() is not everywhere, and X509_cmp_time() is deprecated. */
static apr_int64_t days_since_1970(int year, int month, int day)
{
    int shifted = month <= 2 ? year - 1 : year; /* the year begins in March, so that the leap day is its last */
    int era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    int year_of_era = shifted - era * 400;
    int day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return (apr_int64_t)era * 146097 + day_of_era - 719468;
}

int sl_openssl_time(const ASN1_TIME *time, apr_int64_t *seconds)
{
    struct tm tm;

    *seconds = 0;
    if (!time || !ASN1_TIME_to_tm(time, &tm))
        return 0;
    *seconds = days_since_1970(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) * 86400 + tm.tm_hour * 3600 +
               tm.tm_min * 60 + tm.tm_sec;
    return 1;
}

#ifdef HAVE_ENGINES
/* Deprecated, and the only way to a token where there is no provider for it. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

const char *sl_openssl_engines(apr_pool_t *pool)
{
    const char *list = "";

    ENGINE_load_builtin_engines();
    for (ENGINE *e = ENGINE_get_first(); e; e = ENGINE_get_next(e))
        list = apr_psprintf(pool, "%s, '%s' (%s)", list, ENGINE_get_id(e), ENGINE_get_name(e));
    return list;
}

int sl_openssl_engine_exists(const char *id)
{
    ENGINE *e;

    ENGINE_load_builtin_engines();
    ERR_set_mark();
    e = ENGINE_by_id(id);
    ERR_pop_to_mark();
    ENGINE_free(e);
    return e != NULL;
}

/* With a functional reference that is never given back: keys of the engine need it as long as the process lives. */
static ENGINE *start_engine(const char *id)
{
    ENGINE *e;

    ENGINE_load_builtin_engines();
    e = ENGINE_by_id(id);
    if (e && !ENGINE_init(e)) {
        ENGINE_free(e);
        return NULL;
    }
    ENGINE_free(e);
    return e;
}

static void withdraw_engine(ENGINE *e)
{
    ENGINE_unregister_RSA(e);
    ENGINE_unregister_DSA(e);
    ENGINE_unregister_EC(e);
    ENGINE_unregister_DH(e);
    ENGINE_unregister_RAND(e);
    ENGINE_unregister_ciphers(e);
    ENGINE_unregister_digests(e);
    ENGINE_unregister_pkey_meths(e);
    ENGINE_unregister_pkey_asn1_meths(e);
}

int sl_openssl_engine_use(const char *id, int on)
{
    ENGINE *e;
    int done;

    ENGINE_load_builtin_engines();
    e = ENGINE_by_id(id);
    done = e != NULL;
    if (e && on)
        done = ENGINE_set_default(e, ENGINE_METHOD_ALL);
    else if (e)
        withdraw_engine(e);
    ENGINE_free(e);
    return done;
}

/* The engine pkcs11 writes names with the PIN in them to standard error. */
static void hush_engine(ENGINE *e)
{
    ERR_set_mark();
    ENGINE_ctrl_cmd(e, "QUIET", 0, NULL, NULL, 1);
    ERR_pop_to_mark();
}

EVP_PKEY *sl_openssl_engine_key(const char *id, const char *name, UI_METHOD *ui, void *baton)
{
    ENGINE *e = start_engine(id);
    EVP_PKEY *key;

    if (e)
        hush_engine(e);
    key = e ? ENGINE_load_private_key(e, name, ui, baton) : NULL;
    /* It would go on asking them later, when they are gone. */
    ERR_set_mark();
    if (e) {
        ENGINE_ctrl_cmd(e, "SET_USER_INTERFACE", 0, NULL, NULL, 1);
        ENGINE_ctrl_cmd(e, "SET_CALLBACK_DATA", 0, NULL, NULL, 1);
    }
    ERR_pop_to_mark();
    return key;
}

void sl_openssl_engine_certificate(STACK_OF(X509) *certificates, const char *id, const char *name)
{
    struct {
        const char *name;
        X509 *cert;
    } wanted = {name, NULL};
    ENGINE *e = start_engine(id);

    if (e)
        hush_engine(e);
    if (!e || !ENGINE_ctrl_cmd(e, "LOAD_CERT_CTRL", 0, &wanted, NULL, 0) || !wanted.cert)
        return;
    if (!sk_X509_push(certificates, wanted.cert))
        X509_free(wanted.cert);
}

#pragma GCC diagnostic pop
#else
const char *sl_openssl_engines(apr_pool_t *pool)
{
    (void)pool;
    return NULL;
}

int sl_openssl_engine_exists(const char *id)
{
    (void)id;
    return 0;
}

int sl_openssl_engine_use(const char *id, int on)
{
    (void)id;
    (void)on;
    return 0;
}

EVP_PKEY *sl_openssl_engine_key(const char *id, const char *name, UI_METHOD *ui, void *baton)
{
    (void)id;
    (void)name;
    (void)ui;
    (void)baton;
    return NULL;
}

void sl_openssl_engine_certificate(STACK_OF(X509) *certificates, const char *id, const char *name)
{
    (void)certificates;
    (void)id;
    (void)name;
}
#endif

/* ---- SRP ---- */

/* Before the handshake is complete the name is but a claim. */
static int is_srp(SSL *ssl)
{
    const SSL_CIPHER *cipher = SSL_is_init_finished(ssl) ? SSL_get_current_cipher(ssl) : NULL;

    return cipher && SSL_CIPHER_get_kx_nid(cipher) == NID_kx_srp;
}

#if HAVE_SRP
/* OpenSSL has deprecated all of it. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

int sl_openssl_has_srp(void)
{
    return 1;
}

static const char *srp_reason(int error)
{
    switch (error) {
    case SRP_ERR_OPEN_FILE:
        return "can't be read";
    case SRP_ERR_VBASE_INCOMPLETE_FILE:
        return "has a line that is no verifier";
    case SRP_ERR_VBASE_BN_LIB:
        return "has a line whose numbers can't be understood";
    default:
        return "out of memory";
    }
}

sl_srp_t *sl_openssl_srp_new(const char *path, const char *seed, const char **reason)
{
    SRP_VBASE *verifiers;
    int error;

    ERR_set_mark();
    verifiers = SRP_VBASE_new((char *)seed);
    error = verifiers ? SRP_VBASE_init(verifiers, (char *)path) : SRP_ERR_MEMORY;
    ERR_pop_to_mark();
    if (error == SRP_NO_ERROR)
        return (sl_srp_t *)verifiers;
    SRP_VBASE_free(verifiers);
    *reason = srp_reason(error);
    return NULL;
}

void sl_openssl_srp_free(sl_srp_t *srp)
{
    SRP_VBASE_free((SRP_VBASE *)srp);
}

/* OpenSSL calls once a suite with SRP is chosen. */
static int give_verifier(SSL *ssl, int *alert, void *verifiers)
{
    char *name = SSL_get_srp_username(ssl);
    SRP_user_pwd *user = name ? SRP_VBASE_get1_by_user(verifiers, name) : NULL;
    int is_given = user && SSL_set_srp_server_param(ssl, user->N, user->g, user->s, user->v, user->info) >= 0;

    SRP_user_pwd_free(user);
    if (!is_given) {
        *alert = user ? SSL_AD_INTERNAL_ERROR : SSL_AD_UNKNOWN_PSK_IDENTITY;
        return SSL3_AL_FATAL;
    }
    if (!(SSL_get_verify_mode(ssl) & SSL_VERIFY_FAIL_IF_NO_PEER_CERT))
        SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    return SSL_ERROR_NONE;
}

int sl_openssl_srp_serve(SSL_CTX *ctx, sl_srp_t *srp)
{
    return SSL_CTX_set_srp_username_callback(ctx, give_verifier) && SSL_CTX_set_srp_cb_arg(ctx, srp);
}

const char *sl_openssl_srp_user(SSL *ssl)
{
    return is_srp(ssl) ? SSL_get_srp_username(ssl) : NULL;
}

const char *sl_openssl_srp_note(SSL *ssl)
{
    return is_srp(ssl) ? SSL_get_srp_userinfo(ssl) : NULL;
}

#pragma GCC diagnostic pop
#else
int sl_openssl_has_srp(void)
{
    return 0;
}

sl_srp_t *sl_openssl_srp_new(const char *path, const char *seed, const char **reason)
{
    (void)path;
    (void)seed;
    *reason = "this OpenSSL has no SRP";
    return NULL;
}

void sl_openssl_srp_free(sl_srp_t *srp)
{
    (void)srp;
}

int sl_openssl_srp_serve(SSL_CTX *ctx, sl_srp_t *srp)
{
    (void)ctx;
    (void)srp;
    return 0;
}

const char *sl_openssl_srp_user(SSL *ssl)
{
    (void)is_srp(ssl);
    return NULL;
}

const char *sl_openssl_srp_note(SSL *ssl)
{
    (void)ssl;
    return NULL;
}
#endif
