/* What can be said at start of SSLVerifyClient and SSLCipherSuite in sections.  directives.c notes them, startup.c
 * asks. */
#include "httpd/sections.h"

#include <apr_strings.h>
#include <openssl/ssl.h>

#include "crypto/openssl_error.h"
#include "httpd/module_config.h"
#include "profile/conf_cmd.h"

typedef struct section_t {
    const sl_settings_t *settings;
    server_rec *server;
    const char *name; /* "<Location /private>" */
} section_t;

static apr_array_header_t *sections;

void sl_sections_begin(apr_pool_t *pool)
{
    sections = apr_array_make(pool, 4, sizeof(section_t));
}

static const char *name_of(const cmd_parms *cmd)
{
    const ap_directive_t *parent = cmd->directive ? cmd->directive->parent : NULL;

    return parent ? apr_psprintf(cmd->pool, "%s %s", parent->directive, parent->args) : cmd->path;
}

void sl_sections_note(cmd_parms *cmd, const sl_settings_t *settings)
{
    section_t *section;

    if (!sections)
        return;
    for (int i = 0; i < sections->nelts; i++) {
        if (APR_ARRAY_IDX(sections, i, section_t).settings == settings)
            return;
    }
    section = apr_array_push(sections);
    section->settings = settings;
    section->server = cmd->server;
    section->name = name_of(cmd);
}

/* ---- suites ---- */

static void review_list(const section_t *section, sl_problems_t *problems)
{
    const sl_setting_t *list = sl_settings_get(section->settings, SL_CIPHERS);
    SSL_CTX *ctx = list ? SSL_CTX_new(TLS_server_method()) : NULL;

    if (ctx &&
        SSL_CTX_set_cipher_list(ctx, apr_pstrcat(problems->pool, list->values[0].text, SL_NEVER_SUITES, NULL)) != 1)
        sl_problems_add(problems, SL_PROBLEM_ERROR, "AH01898", &list->values[0].origin, section->name,
                        "`openssl ciphers -v 'LIST'` shows what a list stands for",
                        "no usable cipher suite in '%s': %s", list->values[0].text,
                        sl_openssl_error_take(problems->pool));
    SSL_CTX_free(ctx);
}

static void review_suites(const section_t *section, sl_problems_t *problems)
{
    const sl_setting_t *suites = sl_settings_get(section->settings, SL_SUITES);
    SSL_CTX *ctx = suites ? SSL_CTX_new(TLS_server_method()) : NULL;

    if (ctx && SSL_CTX_set_ciphersuites(ctx, suites->values[0].text) != 1)
        sl_problems_add(problems, SL_PROBLEM_ERROR, "AH10127", &suites->values[0].origin, section->name,
                        "TLS 1.3 has suites of its own, e.g. TLS_AES_128_GCM_SHA256",
                        "not usable as TLS 1.3 cipher suites: '%s': %s", suites->values[0].text,
                        sl_openssl_error_take(problems->pool));
    SSL_CTX_free(ctx);
}

/* ---- browsers ---- */

static int leaves_browsers_out(const server_rec *s)
{
    const sl_vhost_t *vhost = sl_config_vhost(s);

    return vhost && vhost->profile->verify_mode == SL_VERIFY_NONE &&
           SSL_CTX_get_max_proto_version(vhost->profile->ctx) == TLS1_3_VERSION;
}

static void review_mode(const section_t *section, server_rec *main_server, sl_problems_t *problems)
{
    const sl_setting_t *mode = sl_settings_get(section->settings, SL_VERIFY_CLIENT);
    const char *first = NULL;
    int hosts = 0;

    if (!mode || mode->number != SL_VERIFY_REQUIRE)
        return;
    for (const server_rec *s = main_server; s; s = s->next) {
        /* What the main server's sections say holds in all virtual hosts. */
        if ((section->server != main_server && s != section->server) || !leaves_browsers_out(s))
            continue;
        if (!hosts++)
            first = sl_config_vhost(s)->id;
    }
    if (!hosts)
        return;
    sl_problems_add(
        problems, SL_PROBLEM_WARNING, "SL0007", &mode->values[0].origin, section->name,
        "Have the whole host ask in time (SSLVerifyClient optional outside of sections), give these pages a host "
        "of their own with SSLVerifyClient require, or do without TLS 1.3 there (SSLProtocol -TLSv1.3)",
        "browsers will get 403 here from %s%s: with TLS 1.3 a client that is connected can be asked for a "
        "certificate only by post-handshake authentication, which no browser has",
        first, hosts > 1 ? apr_psprintf(problems->pool, " and %d other hosts", hosts - 1) : "");
}

void sl_sections_review(server_rec *main_server, sl_problems_t *problems)
{
    for (int i = 0; sections && i < sections->nelts; i++) {
        const section_t *section = &APR_ARRAY_IDX(sections, i, section_t);

        review_list(section, problems);
        review_suites(section, problems);
        review_mode(section, main_server, problems);
    }
}
