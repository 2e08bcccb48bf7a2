/* Client-Cert and Client-Cert-Chain.
 *
 * Where the directive is on nobody but us speaks under these names: what a client sends is taken away when the
 * request was read (where the whole host has it on) and when its section is known; so is a Connection header that
 * would have them removed on the way to the backend. */
#include "httpd/client_cert_header.h"

#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#include <apr_base64.h>
#include <apr_strings.h>
#include <limits.h>
#include <openssl/x509.h>
#include <string.h>

#include "httpd/link.h"
#include "httpd/module_config.h"

#define LEAF "Client-Cert"
#define CHAIN "Client-Cert-Chain"

static int is_ours(const char *name, apr_size_t length)
{
    return (length == sizeof(LEAF) - 1 && !strncasecmp(name, LEAF, length)) ||
           (length == sizeof(CHAIN) - 1 && !strncasecmp(name, CHAIN, length));
}

/* Backends must get what is named here, whatever the client wants to have removed. */
static void mend_connection_header(request_rec *r)
{
    const char *at = apr_table_get(r->headers_in, "Connection"), *kept = NULL;
    int is_changed = 0;

    while (at && *at) {
        apr_size_t length = strcspn(at, ","), start = strspn(at, " \t"), end = length;

        while (end > start && (at[end - 1] == ' ' || at[end - 1] == '\t'))
            end--;
        if (end > start && is_ours(at + start, end - start))
            is_changed = 1;
        else if (end > start)
            kept =
                apr_psprintf(r->pool, "%s%s%.*s", kept ? kept : "", kept ? ", " : "", (int)(end - start), at + start);
        at += length + (at[length] == ',');
    }
    if (!is_changed)
        return;
    if (kept)
        apr_table_setn(r->headers_in, "Connection", kept);
    else
        apr_table_unset(r->headers_in, "Connection");
}

static void strip(request_rec *r)
{
    apr_table_unset(r->headers_in, LEAF);
    apr_table_unset(r->headers_in, CHAIN);
    mend_connection_header(r);
}

/* ":BASE64:", a byte sequence of structured fields (RFC 8941 section 3.3.5); NULL if OpenSSL fails. */
static const char *byte_sequence(apr_pool_t *pool, const X509 *certificate)
{
    unsigned char *der = NULL;
    int length = i2d_X509(certificate, &der);
    char *text = NULL;

    if (length > 0) {
        text = apr_palloc(pool, (apr_size_t)apr_base64_encode_len(length) + 2);
        text[0] = ':';
        apr_base64_encode_binary(text + 1, der, length);
        strcat(text, ":");
    }
    OPENSSL_free(der);
    return text;
}

/* As sent: from the one above the client's upwards. What a resumed session does not hold is left out. */
static const char *chain_of(apr_pool_t *pool, const sl_conn_t *tls)
{
    const STACK_OF(X509) *chain = sl_conn_peer_chain(tls);
    apr_array_header_t *all = apr_array_make(pool, 4, sizeof(const char *));

    for (int i = 0; chain && i < sk_X509_num(chain); i++) {
        const char *one = byte_sequence(pool, sk_X509_value(chain, i));

        if (one)
            APR_ARRAY_PUSH(all, const char *) = one;
    }
    return all->nelts ? apr_array_pstrcat(pool, all, ',') : NULL;
}

static void set(request_rec *r, int how)
{
    const sl_link_t *link = sl_link_of(r->connection);
    const X509 *certificate = link && link->tls->ssl ? sl_conn_peer(link->tls) : NULL;
    const char *leaf = certificate ? byte_sequence(r->pool, certificate) : NULL;
    const char *chain = leaf && how == SL_CERT_HEADER_CHAIN ? chain_of(r->pool, link->tls) : NULL;

    if (leaf)
        apr_table_setn(r->headers_in, LEAF, leaf);
    if (chain)
        apr_table_setn(r->headers_in, CHAIN, chain);
}

static int how_for(const request_rec *r)
{
    return (int)sl_settings_number(sl_config_of_request(r)->settings, SL_CLIENT_CERT_HEADER);
}

static int post_read_request(request_rec *r)
{
    if (how_for(r) != SL_CERT_HEADER_OFF)
        strip(r);
    return DECLINED;
}

static int fixups(request_rec *r)
{
    int how = how_for(r);

    if (how == SL_CERT_HEADER_OFF)
        return DECLINED;
    strip(r);
    set(r, how);
    return DECLINED;
}

void sl_client_cert_header_register(void)
{
    /* Modules that order themselves by "mod_ssl.c" mean the hooks that mod_ssl has: these go by another name. */
    const char *name = apr_hook_debug_current;

    apr_hook_debug_current = "mod_securelayer.c";
    ap_hook_post_read_request(post_read_request, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(fixups, NULL, NULL, APR_HOOK_FIRST);
    apr_hook_debug_current = name;
}
