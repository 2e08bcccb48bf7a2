/* FIPS mode and engines.  Called by startup.c in each pass over the configuration. */
#include "httpd/library.h"

#include <http_log.h>

#include <apr_strings.h>
#include <openssl/evp.h>

#include "crypto/openssl_compat.h"
#include "crypto/openssl_error.h"
#include "httpd/lasting.h"
#include "httpd/module_config.h"

APLOG_USE_MODULE(sl);

/* What we switched on; in memory that outlasts the module. */
typedef struct sl_switched_t {
    int fips;
    char engine[64];
} sl_switched_t;

static sl_switched_t *find_switched(void)
{
    return sl_lasting("securelayer library 1", sizeof(sl_switched_t));
}

/* The library takes the wish without looking whether anything can fulfil it. */
static int offers_anything(void)
{
    EVP_MD *digest = EVP_MD_fetch(NULL, "SHA256", NULL);

    EVP_MD_free(digest);
    return digest != NULL;
}

static void switch_fips(server_rec *s, int on, int tell, sl_problems_t *problems)
{
    const sl_settings_t *settings = sl_config_of_server(s)->settings;
    sl_origin_t origin = sl_settings_origin(settings, SL_FIPS);
    sl_switched_t *switched = find_switched();

    sl_openssl_error_clear();
    if (!on && switched->fips)
        switched->fips = EVP_default_properties_enable_fips(NULL, 0) != 1;
    if (on && !EVP_default_properties_is_fips_enabled(NULL))
        switched->fips = EVP_default_properties_enable_fips(NULL, 1) == 1;
    if (on && !offers_anything()) {
        EVP_default_properties_enable_fips(NULL, 0);
        switched->fips = 0;
        sl_problems_add(problems, SL_PROBLEM_ERROR, "AH01885", &origin, NULL,
                        "Install OpenSSL's FIPS module and activate it in openssl.cnf (openssl fipsinstall), or "
                        "take the directive out",
                        "there is no FIPS mode: OpenSSL has no FIPS provider (%s)",
                        sl_openssl_error_take(problems->pool));
        return;
    }
    if (on && tell)
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s, "AH01884: OpenSSL has FIPS mode enabled");
}

static void use_engine(server_rec *s, const char *id, sl_problems_t *problems)
{
    const sl_settings_t *settings = sl_config_of_server(s)->settings;
    sl_origin_t origin = sl_settings_origin(settings, SL_CRYPTO_DEVICE);
    sl_switched_t *switched = find_switched();

    sl_openssl_error_clear();
    if (*switched->engine && (!id || strcmp(id, switched->engine))) {
        sl_openssl_engine_use(switched->engine, 0);
        *switched->engine = '\0';
    }
    if (!id || !strcmp(id, switched->engine))
        return;
    if (sl_openssl_engine_use(id, 1))
        apr_cpystrn(switched->engine, id, sizeof(switched->engine));
    else
        sl_problems_add(problems, SL_PROBLEM_ERROR, "AH01889", &origin, id,
                        "Look at the engine's own settings, or write SSLCryptoDevice builtin",
                        "the engine cannot be used: %s", sl_openssl_error_take(problems->pool));
}

void sl_library_prepare(server_rec *s, int tell, sl_problems_t *problems)
{
    const sl_settings_t *settings = sl_config_of_server(s)->settings;

    use_engine(s, sl_settings_text(settings, SL_CRYPTO_DEVICE), problems);
    switch_fips(s, sl_settings_number(settings, SL_FIPS) != 0, tell, problems);
}
