/* What httpd -t prints of the configuration when it is asked to by -D. */
#include "httpd/dumps.h"

#include <http_config.h>
#include <http_core.h>

#include <apr_hash.h>

#include "crypto/key_uri.h"
#include "httpd/module_config.h"

static void print_certificates(apr_file_t *out, server_rec *main_server, apr_pool_t *scratch)
{
    apr_file_printf(out, "Server certificates:\n");
    for (server_rec *s = main_server; s; s = s->next) {
        const sl_setting_t *files = sl_settings_get(sl_config_of_server(s)->settings, SL_CERTIFICATE_FILE);

        for (int i = 0; files && i < files->count; i++)
            apr_file_printf(out, "  %s\n", sl_key_uri_shown(files->values[i].text, scratch));
    }
}

/* Most virtual hosts inherit theirs: each is printed once. */
static void print_authorities(apr_file_t *out, server_rec *main_server, apr_pool_t *scratch)
{
    static const sl_row_id_t rows[] = {SL_CA_FILE, SL_CA_PATH};
    apr_hash_t *printed = apr_hash_make(scratch);

    apr_file_printf(out, "Server CA certificates:\n");
    for (server_rec *s = main_server; s; s = s->next) {
        for (apr_size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            const char *path = sl_settings_text(sl_config_of_server(s)->settings, rows[i]);

            if (!path || apr_hash_get(printed, path, APR_HASH_KEY_STRING))
                continue;
            apr_hash_set(printed, path, APR_HASH_KEY_STRING, path);
            apr_file_printf(out, "  %s\n", path);
        }
    }
}

/* As lines that could stand in a configuration. */
static void print_policy(apr_file_t *out, const sl_policy_t *policy)
{
    static const char *const versions[] = {" SSLv3", " TLSv1", " TLSv1.1", " TLSv1.2", " TLSv1.3"};

    apr_file_printf(out, "Policy \"%s\" (%s, %s):\nSSLProtocol", policy->name, policy->source, policy->date);
    for (unsigned i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        if (policy->protocols & 1L << i)
            apr_file_printf(out, "%s", versions[i]);
    }
    apr_file_printf(out, "\n");
    if (policy->protocols & ~SL_TLS1_3)
        apr_file_printf(out, "SSLCipherSuite %s\n", policy->ciphers);
    apr_file_printf(out, "SSLCipherSuite TLSv1.3 %s\nSSLOpenSSLConfCmd Groups %s\nSSLHonorCipherOrder %s\n\n",
                    policy->suites, policy->groups, policy->honor_order ? "on" : "off");
}

static void print_asked(apr_pool_t *pool, server_rec *s)
{
    apr_file_t *out = NULL;

    if (apr_file_open_stdout(&out, pool) != APR_SUCCESS)
        return;
    if (ap_exists_config_define("DUMP_CERTS"))
        print_certificates(out, s, pool);
    if (ap_exists_config_define("DUMP_CA_CERTS"))
        print_authorities(out, s, pool);
    if (ap_exists_config_define("DUMP_SSL_POLICIES")) {
        for (long i = SL_POLICY_MODERN; i <= SL_POLICY_OLD; i++)
            print_policy(out, sl_policy(i));
    }
}

void sl_dumps_register(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_test_config(print_asked, NULL, NULL, APR_HOOK_MIDDLE);
}
