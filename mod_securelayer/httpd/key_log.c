/* The file of SecureLayerKeyLog.  startup.c calls; OpenSSL calls write_line() in whatever thread shakes hands. */
#include "httpd/key_log.h"

#include <http_config.h>
#include <http_log.h>
#include <http_main.h>

#include <apr_env.h>
#include <apr_file_io.h>
#include <apr_strings.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <string.h>

#include "httpd/module_config.h"

APLOG_USE_MODULE(sl);

#define VARIABLE "SSLKEYLOGFILE"
/* A label, 32 bytes of random and at most 64 of secret, in hex. */
#define LINE_LIMIT 512

/* Of this generation. */
static apr_file_t *file;

static const char *named_by_environment(void)
{
    void *name = NULL;

    apr_pool_userdata_get(&name, "securelayer " VARIABLE, ap_pglobal);
    return name;
}

void sl_key_log_take_environment(void)
{
    char *name = NULL;

    if (apr_env_get(&name, VARIABLE, ap_pglobal) != APR_SUCCESS || !*name)
        return;
    /* Copies the key: the module is unloaded between two readings of the configuration. */
    apr_pool_userdata_set(name, "securelayer " VARIABLE, apr_pool_cleanup_null, ap_pglobal);
    apr_env_delete(VARIABLE, ap_pglobal);
}

/* One write for a line: those of several processes do not mix. */
static void write_line(const SSL *ssl, const char *line)
{
    char text[LINE_LIMIT];
    apr_size_t length = strlen(line);

    (void)ssl;
    if (!file || length >= sizeof(text))
        return;
    memcpy(text, line, length);
    text[length] = '\n';
    apr_file_write_full(file, text, length + 1, NULL);
    OPENSSL_cleanse(text, sizeof(text));
}

/* Whoever else may read it can read the traffic. */
static apr_status_t refuse_open_file(const char *path, sl_problem_t *why)
{
    apr_finfo_t info;
    apr_status_t rv = apr_file_info_get(&info, APR_FINFO_PROT | APR_FINFO_TYPE, file);

    if (rv != APR_SUCCESS)
        return sl_problem_set(why, rv, path, "can't be looked at");
    if (info.filetype != APR_REG || !(info.protection & (APR_FPROT_GREAD | APR_FPROT_WREAD)))
        return APR_SUCCESS;
    sl_problem_set(why, APR_EACCES, path, "others than its owner can read it");
    sl_problem_advise(why, "Set its mode to 0600, or name a new file");
    return APR_EACCES;
}

static apr_status_t open_file(const char *path, apr_pool_t *pool, sl_problem_t *why)
{
    char text[120];
    apr_status_t rv = apr_file_open(&file, path, APR_FOPEN_WRITE | APR_FOPEN_CREATE | APR_FOPEN_APPEND,
                                    APR_FPROT_UREAD | APR_FPROT_UWRITE, pool);

    if (rv != APR_SUCCESS) {
        file = NULL;
        return sl_problem_set(why, rv, path, "can't be opened for the keys: %s", apr_strerror(rv, text, sizeof(text)));
    }
    return refuse_open_file(path, why);
}

static apr_status_t find_path(const sl_setting_t *setting, apr_pool_t *pool, const char **path, sl_problem_t *why)
{
    const char *word = setting->values[0].text;

    why->origin = setting->values[0].origin;
    if (!strcasecmp(word, "environment")) {
        word = named_by_environment();
        if (!word) {
            sl_problem_set(why, APR_EINVAL, NULL, VARIABLE " is not in the environment that httpd was started with");
            sl_problem_advise(why, "Set it there, or name a file here");
            return APR_EINVAL;
        }
    }
    *path = ap_server_root_relative(pool, word);
    return *path ? APR_SUCCESS : sl_problem_set(why, APR_EINVAL, word, "is no usable path");
}

static apr_status_t log_keys(const sl_setting_t *setting, apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
{
    const char *path = NULL;
    apr_status_t rv = find_path(setting, pool, &path, why);

    if (rv == APR_SUCCESS)
        rv = open_file(path, pool, why);
    if (rv != APR_SUCCESS)
        return rv;
    for (server_rec *s = main_server; s; s = s->next) {
        if (sl_config_vhost(s))
            SSL_CTX_set_keylog_callback(sl_config_vhost(s)->profile->ctx, write_line);
    }
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, main_server,
                 "SL0162: the keys of all TLS connections are written to %s: whoever reads it can read the traffic. "
                 "Remove SecureLayerKeyLog when you are done",
                 path);
    return APR_SUCCESS;
}

apr_status_t sl_key_log_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
{
    const sl_setting_t *setting = sl_settings_get(sl_config_of_server(main_server)->settings, SL_KEY_LOG);

    file = NULL;
    if (setting)
        return log_keys(setting, pool, main_server, why);
    if (named_by_environment())
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, main_server,
                     "SL0163: " VARIABLE "=%s in the environment is ignored: no keys are written. Who is meant to read "
                     "the traffic of this server says so in its configuration as well, with SecureLayerKeyLog",
                     named_by_environment());
    return APR_SUCCESS;
}
