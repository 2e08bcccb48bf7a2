/* What can be said at start of SSLVerifyClient and SSLCipherSuite in sections.  directives.c notes them, startup.c
 * asks. */
#include "httpd/sections.h"

#include <apr_strings.h>
#include <openssl/ssl.h>

#include "crypto/openssl_error.h"
#include "httpd/module_config.h"
#include "profile/conf_cmd.h"

static apr_array_header_t *sections[SL_SECTION_KINDS];

void sl_sections_begin(apr_pool_t *pool)
{
    for (int kind = 0; kind < SL_SECTION_KINDS; kind++)
        sections[kind] = apr_array_make(pool, 4, sizeof(sl_config_section_t));
}

const apr_array_header_t *sl_sections_noted(sl_sections_t kind)
{
    return sections[kind];
}

static const char *name_of(const cmd_parms *cmd)
{
    const ap_directive_t *parent = cmd->directive ? cmd->directive->parent : NULL;

    return parent ? apr_psprintf(cmd->pool, "%s %s", parent->directive, parent->args) : cmd->path;
}

void sl_sections_note(cmd_parms *cmd, sl_dir_config_t *dir, sl_sections_t kind)
{
    sl_config_section_t *section;

    if (!sections[kind])
        return;
    for (int i = 0; i < sections[kind]->nelts; i++) {
        if (APR_ARRAY_IDX(sections[kind], i, sl_config_section_t).dir == dir)
            return;
    }
    section = apr_array_push(sections[kind]);
    section->dir = dir;
    section->server = cmd->server;
    section->name = name_of(cmd);
}

/* ---- suites ---- */

static void review_list(const sl_config_section_t *section, sl_problems_t *problems)
{
    const sl_setting_t *list = sl_settings_get(section->dir->settings, SL_CIPHERS);
    SSL_CTX *ctx = list ? SSL_CTX_new(TLS_server_method()) : NULL;

    if (ctx &&
        SSL_CTX_set_cipher_list(ctx, apr_pstrcat(problems->pool, list->values[0].text, SL_NEVER_SUITES, NULL)) != 1)
        sl_problems_add(problems, SL_PROBLEM_ERROR, "AH01898", &list->values[0].origin, section->name,
                        "`openssl ciphers -v 'LIST'` shows what a list stands for",
                        "no usable cipher suite in '%s': %s", list->values[0].text,
                        sl_openssl_error_take(problems->pool));
    SSL_CTX_free(ctx);
}

static void review_suites(const sl_config_section_t *section, sl_problems_t *problems)
{
    const sl_setting_t *suites = sl_settings_get(section->dir->settings, SL_SUITES);
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

    return vhost && vhost->left_out != SL_OUT_UNTIL_RESTART && vhost->profile->verify_mode == SL_VERIFY_NONE &&
           SSL_CTX_get_max_proto_version(vhost->profile->ctx) == TLS1_3_VERSION;
}

static void review_mode(const sl_config_section_t *section, server_rec *main_server, sl_problems_t *problems)
{
    const sl_setting_t *mode = sl_settings_get(section->dir->settings, SL_VERIFY_CLIENT);
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
    const apr_array_header_t *noted = sections[SL_SECTIONS_OF_CLIENTS];

    for (int i = 0; noted && i < noted->nelts; i++) {
        const sl_config_section_t *section = &APR_ARRAY_IDX(noted, i, sl_config_section_t);

        review_list(section, problems);
        review_suites(section, problems);
        review_mode(section, main_server, problems);
    }
}
