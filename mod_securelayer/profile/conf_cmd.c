/* The commands of SSLOpenSSLConfCmd: settings_parse.c asks what a command takes, compile.c runs them last. */
#include "profile/conf_cmd.h"

#include "crypto/openssl_error.h"

#include <apr_strings.h>
#include <string.h>

static SSL_CONF_CTX *conf_new(SSL_CTX *ctx)
{
    SSL_CONF_CTX *conf = SSL_CONF_CTX_new();

    if (!conf)
        return NULL;
    SSL_CONF_CTX_set_flags(conf, SSL_CONF_FLAG_FILE | SSL_CONF_FLAG_SERVER | SSL_CONF_FLAG_CERTIFICATE);
    if (ctx)
        SSL_CONF_CTX_set_ssl_ctx(conf, ctx);
    return conf;
}

int sl_conf_cmd_type(const char *name)
{
    SSL_CONF_CTX *conf = conf_new(NULL);
    int type = conf ? SSL_CONF_cmd_value_type(conf, name) : SSL_CONF_TYPE_UNKNOWN;

    SSL_CONF_CTX_free(conf);
    sl_openssl_error_clear();
    return type;
}

static void run(SSL_CONF_CTX *conf, const sl_value_t *value, const char *host, apr_pool_t *scratch,
                sl_problems_t *problems)
{
    const char *tab = strchr(value->text, '\t');
    const char *name = apr_pstrmemdup(scratch, value->text, (apr_size_t)(tab - value->text));
    const char *argument = tab + 1;

    if (!strcasecmp(name, "CipherString"))
        argument = apr_pstrcat(scratch, argument, SL_NEVER_SUITES, NULL);
    sl_openssl_error_clear();
    if (SSL_CONF_cmd(conf, name, argument) > 0)
        return;
    sl_problems_add(problems, SL_PROBLEM_ERROR, "AH02407", &value->origin, host,
                    "The manual page SSL_CONF_cmd(3) lists what this OpenSSL knows",
                    "'%s %s' was refused by OpenSSL: %s", name, tab + 1, sl_openssl_error_take(scratch));
}

void sl_conf_cmd_run(SSL_CTX *ctx, const sl_setting_t *commands, const char *host, apr_pool_t *scratch,
                     sl_problems_t *problems)
{
    SSL_CONF_CTX *conf = commands ? conf_new(ctx) : NULL;

    if (!conf)
        return;
    for (int i = 0; i < commands->count; i++)
        run(conf, &commands->values[i], host, scratch, problems);
    sl_openssl_error_clear();
    if (SSL_CONF_CTX_finish(conf) != 1)
        sl_problems_add(problems, SL_PROBLEM_ERROR, "AH02407", &commands->values[0].origin, host, NULL,
                        "OpenSSL refused the commands: %s", sl_openssl_error_take(scratch));
    SSL_CONF_CTX_free(conf);
}
