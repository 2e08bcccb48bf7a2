/* settings: each row takes the arguments it is to take and says what is wrong with others; inheritance follows the
 * row's rule; records are equal when what they stand for is. */
#include "unit.h"

#include "base/file_stamp.h"
#include "material.h"
#include "keeper/watch.h"
#include "profile/conf_cmd.h"
#include "profile/policy.h"
#include "profile/settings.h"

#include <apr_file_io.h>

static const char *root; /* of relative paths: holds file.pem, empty.pem and dir */

static void make_root(apr_pool_t *pool)
{
    root = material_dir(pool);
    material_file(pool, root, "file.pem", material_text("something\n"));
    material_file(pool, root, "other.pem", material_text("something else\n"));
    material_file(pool, root, "empty.pem", material_text(""));
    apr_dir_make(apr_pstrcat(pool, root, "/dir", NULL), APR_FPROT_OS_DEFAULT, pool);
}

static const char *in_root(apr_pool_t *pool, const char *name)
{
    return apr_pstrcat(pool, root, "/", name, NULL);
}

static apr_status_t parse_line(sl_settings_t *settings, sl_row_id_t row, int line, const char *words, sl_problem_t *why)
{
    const sl_origin_t origin = {"t.conf", line, sl_row(row)->name};
    const char *list[20];
    char *last, *rest = apr_pstrdup(settings->pool, words);
    int count = 0;

    for (char *word = apr_strtok(rest, " ", &last); word; word = apr_strtok(NULL, " ", &last))
        list[count++] = strcmp(word, "\"\"") ? word : "";
    return sl_settings_parse(settings, row, list, count, root, &origin, why);
}

/* Sets what must be right. */
static void set(sl_settings_t *settings, sl_row_id_t row, const char *words)
{
    sl_problem_t *why = sl_problem_make(settings->pool);

    if (parse_line(settings, row, 7, words, why) != APR_SUCCESS)
        fail_msg("%s %s: %s", sl_row(row)->name, words, sl_problem_text(why, settings->pool));
}

static sl_settings_t *with(apr_pool_t *pool, sl_row_id_t row, const char *words)
{
    sl_settings_t *settings = sl_settings_make(pool);

    set(settings, row, words);
    return settings;
}

/* ---- arguments ---- */

/* `error`: part of what is said, NULL if the arguments are right. `text`: of the value; paths without the root. */
typedef struct row_case_t {
    sl_row_id_t row;
    const char *words;
    const char *error;
    long number;
    const char *text;
} row_case_t;

#define GOOD(row, words, number, text) {row, words, NULL, number, text}
#define BAD(row, words, error) {row, words, error, 0, NULL}
#define FLAG(row)                                                                                                      \
    GOOD(row, "on", 1, NULL), GOOD(row, "OFF", 0, NULL), BAD(row, "yes", "must be On or Off, not 'yes'"),              \
        BAD(row, "", "takes 1 argument, not 0"), BAD(row, "maybe on", "must be On or Off, not 'maybe'")
#define FILE_OF(row)                                                                                                   \
    GOOD(row, "file.pem", 0, "/file.pem"), BAD(row, "dir", "/dir: is no regular file. Check the path"),                \
        BAD(row, "empty.pem", "/empty.pem: is empty"), BAD(row, "gone.pem", "/gone.pem: No such file or directory"),   \
        BAD(row, "", "takes 1 argument, not 0"), BAD(row, "file.pem file.pem", "takes 1 argument, not 2"),             \
        BAD(row, "\"\"", "has an empty argument")
#define DIR_OF(row)                                                                                                    \
    GOOD(row, "dir", 0, "/dir"), GOOD(row, ".", 0, "/"), BAD(row, "file.pem", "/file.pem: is no directory"),           \
        BAD(row, "gone", "/gone: No such file or directory"), BAD(row, "", "takes 1 argument, not 0")

static const row_case_t row_cases[] = {
    GOOD(SL_ENGINE, "on", SL_ENGINE_ON, NULL),
    GOOD(SL_ENGINE, "Off", SL_ENGINE_OFF, NULL),
    GOOD(SL_ENGINE, "optional", SL_ENGINE_OPTIONAL, NULL),
    BAD(SL_ENGINE, "maybe", "does not know 'maybe'; it takes on, off"),
    BAD(SL_ENGINE, "o", "does not know 'o'"),
    BAD(SL_ENGINE, "on|off", "does not know 'on|off'"),
    BAD(SL_ENGINE, "\"\"", "does not know ''"),
    FILE_OF(SL_CERTIFICATE_FILE),
    GOOD(SL_CERTIFICATE_FILE, "pkcs11:token=a;object=b", 0, "pkcs11:token=a;object=b"),
    BAD(SL_CERTIFICATE_FILE, "PKCS11:token=a", "No such file"),
    FILE_OF(SL_CERTIFICATE_KEY_FILE),
    GOOD(SL_CERTIFICATE_KEY_FILE, "file:/etc/key", 0, "file:/etc/key"),
    FILE_OF(SL_CERTIFICATE_CHAIN_FILE),
    GOOD(SL_PASS_PHRASE_DIALOG, "BuiltIn", 0, "builtin"),
    GOOD(SL_PASS_PHRASE_DIALOG, "|program", 0, "|program"),
    BAD(SL_PASS_PHRASE_DIALOG, "|", "knows builtin, exec:path and |program, not '|'"),
    BAD(SL_PASS_PHRASE_DIALOG, "exec:", "knows builtin, exec:path and |program, not 'exec:'"),
    BAD(SL_PASS_PHRASE_DIALOG, "exec:gone", "/gone: No such file"),
    BAD(SL_PASS_PHRASE_DIALOG, "exec:dir", "/dir: is no regular file"),
    BAD(SL_PASS_PHRASE_DIALOG, "EXEC:file.pem", "not 'EXEC:file.pem'"),
    BAD(SL_PASS_PHRASE_DIALOG, "builtin builtin", "takes 1 argument, not 2"),

    GOOD(SL_CRYPTO_DEVICE, "builtin", 0, NULL),
    BAD(SL_CRYPTO_DEVICE, "no-such", "no-such"),
    FLAG(SL_FIPS),
    GOOD(SL_RANDOM_SEED, "startup builtin", 0, "builtin"),
    GOOD(SL_RANDOM_SEED, "Connect file:file.pem 512", 0, "file:file.pem"),
    GOOD(SL_RANDOM_SEED, "startup exec:dir", 0, "exec:dir"),
    GOOD(SL_RANDOM_SEED, "startup file.pem 0", 0, "file.pem"),
    BAD(SL_RANDOM_SEED, "startup", "takes at least 2 arguments"),
    BAD(SL_RANDOM_SEED, "startup builtin 1 2", "takes at most 3 arguments"),
    BAD(SL_RANDOM_SEED, "always builtin", "knows the times startup and connect, not 'always'"),
    BAD(SL_RANDOM_SEED, "startup builtin 5", "takes no number of bytes for the source builtin"),
    BAD(SL_RANDOM_SEED, "startup file.pem -1", "must have a whole number of bytes, not '-1'"),
    BAD(SL_RANDOM_SEED, "startup file.pem many", "must have a whole number of bytes, not 'many'"),
    BAD(SL_RANDOM_SEED, "startup egd:file.pem", "no entropy gathering daemon"),
    BAD(SL_RANDOM_SEED, "startup file:gone", "/gone: does not exist"),
    BAD(SL_RANDOM_SEED, "startup file:", "/file:: does not exist"),

    GOOD(SL_POLICY, "modern", SL_POLICY_MODERN, NULL),
    GOOD(SL_POLICY, "INTERMEDIATE", SL_POLICY_INTERMEDIATE, NULL),
    GOOD(SL_POLICY, "old", SL_POLICY_OLD, NULL),
    BAD(SL_POLICY, "newest", "does not know 'newest'; it takes modern, intermediate, old"),
    GOOD(SL_PROTOCOL, "all", SL_TLS_ALL, NULL),
    GOOD(SL_PROTOCOL, "all -SSLv3", SL_TLS_ALL, NULL),
    GOOD(SL_PROTOCOL, "all -SSLv2 -sslv3 -TLSV1", SL_TLS1_1 | SL_TLS1_2 | SL_TLS1_3, NULL),
    GOOD(SL_PROTOCOL, "TLSv1.2 TLSv1.3", SL_TLS1_2 | SL_TLS1_3, NULL),
    GOOD(SL_PROTOCOL, "-all +TLSv1.3", SL_TLS1_3, NULL),
    GOOD(SL_PROTOCOL, "+TLSv1 TLSv1.2", SL_TLS1_2, NULL),
    GOOD(SL_PROTOCOL, "-all", 0, NULL),
    BAD(SL_PROTOCOL, "TLSv1.4", "does not know the protocol 'TLSv1.4': use TLSv1"),
    BAD(SL_PROTOCOL, "all +TLS", "does not know the protocol 'TLS'"),
    BAD(SL_PROTOCOL, "-", "does not know the protocol ''"),
    BAD(SL_PROTOCOL, "SSLv2", "can't switch SSLv2 on"),
    BAD(SL_PROTOCOL, "all +SSLv2", "can't switch SSLv2 on"),
    GOOD(SL_PROTOCOL, "", 0, NULL),
    GOOD(SL_CIPHERS, "HIGH:!aNULL", 0, "HIGH:!aNULL"),
    GOOD(SL_CIPHERS, "SSL HIGH", 0, "HIGH"),
    BAD(SL_CIPHERS, "ssl HIGH", "knows the protocols SSL and TLSv1.3, not 'ssl'"),
    BAD(SL_CIPHERS, "", "takes at least 1 argument"),
    BAD(SL_CIPHERS, "SSL HIGH MEDIUM", "takes at most 2 arguments, not 3"),
    BAD(SL_CIPHERS, "\"\"", "has an empty argument"),
    FLAG(SL_HONOR_ORDER),
    GOOD(SL_CONF_CMD, "Groups P-256:P-384", 0, "Groups\tP-256:P-384"),
    GOOD(SL_CONF_CMD, "groups P-256", 0, "groups\tP-256"),
    BAD(SL_CONF_CMD, "Grooups P-256", "'Grooups' is no command that this OpenSSL knows. The manual page"),
    BAD(SL_CONF_CMD, "-groups P-256", "'-groups' is no command"),
    BAD(SL_CONF_CMD, "Groups", "takes 2 arguments, not 1"),
    BAD(SL_CONF_CMD, "Groups a b", "takes 2 arguments, not 3"),
    BAD(SL_CONF_CMD, "Groups \"\"", "has an empty argument"),
    BAD(SL_CONF_CMD, "DHParameters gone.pem", "/gone.pem: No such file"),
    BAD(SL_CONF_CMD, "ChainCAPath file.pem", "/file.pem: is no directory"),
    FLAG(SL_COMPRESSION),
    FLAG(SL_TICKETS),
    GOOD(SL_SESSION_CACHE, "none", SL_CACHE_NONE, NULL),
    GOOD(SL_SESSION_CACHE, "NoneNotNull", SL_CACHE_NONE_NOT_NULL, NULL),
    GOOD(SL_SESSION_CACHE, "shmcb", SL_CACHE_PROVIDER, "shmcb"),
    GOOD(SL_SESSION_CACHE, "shmcb:/run/scache(512000)", SL_CACHE_PROVIDER, "shmcb:/run/scache(512000)"),
    BAD(SL_SESSION_CACHE, "", "takes 1 argument, not 0"),
    BAD(SL_SESSION_CACHE, "\"\"", "has an empty argument"),
    BAD(SL_SESSION_CACHE, "shmcb scache", "takes 1 argument, not 2"),
    GOOD(SL_SESSION_TIMEOUT, "0", 0, NULL),
    GOOD(SL_SESSION_TIMEOUT, "86400", 86400, NULL),
    BAD(SL_SESSION_TIMEOUT, "-1", "must be between 0 and 2147483647"),
    BAD(SL_SESSION_TIMEOUT, "2147483648", "must be between 0 and 2147483647"),
    BAD(SL_SESSION_TIMEOUT, "soon", "must be a whole number, not 'soon'"),
    FILE_OF(SL_TICKET_KEY_FILE),
    GOOD(SL_RELOAD, "on", -1, NULL),
    GOOD(SL_RELOAD, "OFF", 0, NULL),
    GOOD(SL_RELOAD, "86400", 86400, NULL),
    BAD(SL_RELOAD, "0", "must be between 1 and 86400, not 0"),
    BAD(SL_RELOAD, "5s", "must be a whole number, not '5s'"),
    BAD(SL_RELOAD, "maybe", "takes on, off, or the number of seconds between two looks at the files"),
    GOOD(SL_IDENTITY_CACHE, "10000000", 10000000, NULL),
    BAD(SL_IDENTITY_CACHE, "0", "must be between 1 and 10000000, not 0"),
    GOOD(SL_TICKET_ROTATION, "1", 1, NULL),
    GOOD(SL_TICKET_ROTATION, "604800", 604800, NULL),
    BAD(SL_TICKET_ROTATION, "0", "must be between 1 and 604800, not 0"),
    BAD(SL_TICKET_ROTATION, "604801", "must be between 1 and 604800"),
    BAD(SL_TICKET_ROTATION, "12h", "must be a whole number, not '12h'"),

    FILE_OF(SL_CA_FILE),
    DIR_OF(SL_CERTIFICATE_DIRECTORY),
    GOOD(SL_CERTIFICATE_DIRECTORY, "off", 0, "off"),
    DIR_OF(SL_CA_PATH),
    FILE_OF(SL_NAMES_FILE),
    DIR_OF(SL_NAMES_PATH),
    FILE_OF(SL_CRL_FILE),
    DIR_OF(SL_CRL_PATH),
    GOOD(SL_CRL_CHECK, "none", 0, NULL),
    GOOD(SL_CRL_CHECK, "leaf", 1, NULL),
    GOOD(SL_CRL_CHECK, "Chain", 2, NULL),
    GOOD(SL_CRL_CHECK, "chain no_crl_for_cert_ok", 2 | SL_CRL_MISSING_OK, NULL),
    GOOD(SL_CRL_CHECK, "leaf NO_CRL_FOR_CERT_OK", 1 | SL_CRL_MISSING_OK, NULL),
    BAD(SL_CRL_CHECK, "all", "does not know 'all'; it takes none, leaf, chain"),
    BAD(SL_CRL_CHECK, "leaf ok", "does not know the flag 'ok': only no_crl_for_cert_ok"),
    BAD(SL_CRL_CHECK, "", "takes at least 1 argument"),
    BAD(SL_CRL_CHECK, "leaf a b", "takes at most 2 arguments, not 3"),
    GOOD(SL_OCSP_ENABLE, "off", SL_OCSP_OFF, NULL),
    GOOD(SL_OCSP_ENABLE, "Leaf", SL_OCSP_LEAF, NULL),
    GOOD(SL_OCSP_ENABLE, "on no_ocsp_for_cert_ok", SL_OCSP_CHAIN | SL_OCSP_MISSING_OK, NULL),
    BAD(SL_OCSP_ENABLE, "chain", "does not know 'chain'; it takes off, leaf, on"),
    BAD(SL_OCSP_ENABLE, "on no_crl_for_cert_ok", "only no_ocsp_for_cert_ok"),
    GOOD(SL_OCSP_RESPONDER, "http://a.test:8080/x", 0, "http://a.test:8080/x"),
    BAD(SL_OCSP_RESPONDER, "", "takes 1 argument"),
    FLAG(SL_OCSP_OVERRIDE),
    GOOD(SL_OCSP_SKEW, "0", 0, NULL),
    BAD(SL_OCSP_SKEW, "-1", "must be between 0 and"),
    GOOD(SL_OCSP_MAX_AGE, "-1", -1, NULL),
    GOOD(SL_OCSP_MAX_AGE, "3600", 3600, NULL),
    BAD(SL_OCSP_MAX_AGE, "-2", "must be between -1 and"),
    BAD(SL_OCSP_MAX_AGE, "long", "must be a whole number"),
    GOOD(SL_OCSP_TIMEOUT, "3", 3, NULL),
    BAD(SL_OCSP_TIMEOUT, "10s", "must be a whole number"),
    FLAG(SL_OCSP_NONCE),
    GOOD(SL_OCSP_PROXY, "http://proxy.test:3128", 0, "http://proxy.test:3128"),
    BAD(SL_OCSP_PROXY, "proxy.test", "must be a URL"),
    BAD(SL_OCSP_PROXY, "ftp://proxy.test/", "must be a URL"),
    FLAG(SL_OCSP_NO_VERIFY),
    FILE_OF(SL_OCSP_RESPONDER_CERTS),

    FILE_OF(SL_SRP_VERIFIERS),
    GOOD(SL_SRP_SEED, "a-secret", 0, "a-secret"),
    BAD(SL_SRP_SEED, "", "takes 1 argument"),
    FLAG(SL_USE_STAPLING),
    GOOD(SL_STAPLING_CACHE, "shmcb:/run/staples(512000)", 0, "shmcb:/run/staples(512000)"),
    BAD(SL_STAPLING_CACHE, "", "takes 1 argument"),
    GOOD(SL_STAPLING_SKEW, "60", 60, NULL),
    BAD(SL_STAPLING_SKEW, "-1", "must be between 0 and"),
    GOOD(SL_STAPLING_MAX_AGE, "86400", 86400, NULL),
    BAD(SL_STAPLING_MAX_AGE, "-2", "must be between -1 and"),
    GOOD(SL_STAPLING_TIMEOUT, "3", 3, NULL),
    BAD(SL_STAPLING_TIMEOUT, "soon", "must be a whole number"),
    GOOD(SL_STAPLING_STANDARD_TIMEOUT, "60", 60, NULL),
    BAD(SL_STAPLING_STANDARD_TIMEOUT, "-1", "must be between 0 and"),
    GOOD(SL_STAPLING_ERROR_TIMEOUT, "60", 60, NULL),
    BAD(SL_STAPLING_ERROR_TIMEOUT, "-1", "must be between 0 and"),
    FLAG(SL_STAPLING_ERRORS),
    FLAG(SL_STAPLING_TRY_LATER),
    GOOD(SL_STAPLING_URL, "http://a.test/", 0, "http://a.test/"),
    BAD(SL_STAPLING_URL, "", "takes 1 argument"),
    GOOD(SL_STATE_DIRECTORY, "run/state", 0, "run/state"),
    BAD(SL_STATE_DIRECTORY, "", "takes 1 argument"),
    GOOD(SL_VERIFY_CLIENT, "none", SL_VERIFY_NONE, NULL),
    GOOD(SL_VERIFY_CLIENT, "off", SL_VERIFY_NONE, NULL),
    GOOD(SL_VERIFY_CLIENT, "Optional", SL_VERIFY_OPTIONAL, NULL),
    GOOD(SL_VERIFY_CLIENT, "require", SL_VERIFY_REQUIRE, NULL),
    GOOD(SL_VERIFY_CLIENT, "on", SL_VERIFY_REQUIRE, NULL),
    GOOD(SL_VERIFY_CLIENT, "optional_no_ca", SL_VERIFY_OPTIONAL_NO_CA, NULL),
    BAD(SL_VERIFY_CLIENT, "required", "does not know 'required'; it takes none, optional, require"),
    BAD(SL_VERIFY_CLIENT, "off=none", "does not know 'off=none'"),
    GOOD(SL_VERIFY_DEPTH, "0", 0, NULL),
    GOOD(SL_VERIFY_DEPTH, "100000", 100000, NULL),
    GOOD(SL_VERIFY_DEPTH, "2147483647", 2147483647, NULL),
    BAD(SL_VERIFY_DEPTH, "2147483648", "must be between 0 and 2147483647, not 2147483648"),
    BAD(SL_VERIFY_DEPTH, "99999999999999999999999", "not 99999999999999999999999"),
    BAD(SL_VERIFY_DEPTH, "-1", "must be between 0 and 2147483647, not -1"),
    BAD(SL_VERIFY_DEPTH, "one", "must be a whole number, not 'one'"),
    BAD(SL_VERIFY_DEPTH, "1x", "must be a whole number, not '1x'"),
    BAD(SL_VERIFY_DEPTH, "\"\"", "must be a whole number, not ''"),

    FLAG(SL_INSECURE_RENEGOTIATION),
    GOOD(SL_USER_NAME, "SSL_CLIENT_S_DN_CN", 0, "SSL_CLIENT_S_DN_CN"),
    BAD(SL_USER_NAME, "", "takes 1 argument, not 0"),
    GOOD(SL_RENEG_BUFFER_SIZE, "0", 0, NULL),
    BAD(SL_RENEG_BUFFER_SIZE, "-1", "must be between 0 and 2147483647, not -1"),
    GOOD(SL_CLIENT_CERT_HEADER, "chain", 2, NULL),
    BAD(SL_CLIENT_CERT_HEADER, "all", "does not know 'all'"),
    GOOD(SL_KEY_LOG, "environment", 0, "environment"),
    BAD(SL_KEY_LOG, "", "takes 1 argument, not 0"),
    GOOD(SL_REQUIRE, "true", 0, "true"),
    BAD(SL_REQUIRE, "", "takes"),

    FLAG(SL_STRICT_SNI),
    GOOD(SL_SNI_POLICY, "strict", SL_SNI_STRICT, NULL),
    GOOD(SL_SNI_POLICY, "Secure", SL_SNI_SECURE, NULL),
    GOOD(SL_SNI_POLICY, "authonly", SL_SNI_AUTHONLY, NULL),
    GOOD(SL_SNI_POLICY, "insecure", SL_SNI_INSECURE, NULL),
    BAD(SL_SNI_POLICY, "lax", "does not know 'lax'; it takes strict, secure, authonly, insecure"),
    GOOD(SL_UNKNOWN_NAME, "serve", SL_NAME_SERVE, NULL),
    GOOD(SL_UNKNOWN_NAME, "refuse", SL_NAME_REFUSE, NULL),
    BAD(SL_UNKNOWN_NAME, "reject", "does not know 'reject'; it takes serve, refuse"),
    GOOD(SL_BROKEN_HOST, "refuse-start", SL_BROKEN_REFUSE_START, NULL),
    GOOD(SL_BROKEN_HOST, "Skip", SL_BROKEN_SKIP, NULL),
    BAD(SL_BROKEN_HOST, "serve", "does not know 'serve'; it takes refuse-start, skip"),
    FLAG(SL_STRICT_ALPN),

    GOOD(SL_HANDSHAKE_TIMEOUT, "1", 1, NULL),
    GOOD(SL_HANDSHAKE_TIMEOUT, "3600", 3600, NULL),
    BAD(SL_HANDSHAKE_TIMEOUT, "0", "must be between 1 and 3600, not 0"),
    BAD(SL_HANDSHAKE_TIMEOUT, "3601", "must be between 1 and 3600, not 3601"),
    BAD(SL_HANDSHAKE_TIMEOUT, "10s", "must be a whole number, not '10s'"),
    GOOD(SL_HANDSHAKE_QUEUE, "0", 0, NULL),
    GOOD(SL_HANDSHAKE_QUEUE, "1000000", 1000000, NULL),
    BAD(SL_HANDSHAKE_QUEUE, "1000001", "must be between 0 and 1000000"),
    FLAG(SL_HELLO_VARS),

    GOOD(SL_OPTIONS, "+StdEnvVars", SL_OPT_STD_ENV_VARS, NULL),
    GOOD(SL_OPTIONS, "stdenvvars EXPORTCERTDATA", SL_OPT_STD_ENV_VARS | SL_OPT_EXPORT_CERT_DATA, NULL),
    GOOD(SL_OPTIONS, "FakeBasicAuth StrictRequire OptRenegotiate",
         SL_OPT_FAKE_BASIC_AUTH | SL_OPT_STRICT_REQUIRE | SL_OPT_OPT_RENEGOTIATE, NULL),
    GOOD(SL_OPTIONS, "LegacyDNStringFormat ExportBase64CertData", SL_OPT_LEGACY_DN | SL_OPT_EXPORT_BASE64_CERT_DATA,
         NULL),
    GOOD(SL_OPTIONS, "+StdEnvVars -StdEnvVars", 0, NULL),
    GOOD(SL_OPTIONS, "", 0, NULL),
    BAD(SL_OPTIONS, "StdEnvVars StdEnv", "does not know the option 'StdEnv'; there are StdEnvVars ExportCertData"),
    BAD(SL_OPTIONS, "+", "does not know the option '+'"),
    GOOD(SL_REQUIRE_SSL, "", 1, NULL),
    GOOD(SL_REQUIRE_SSL, "off", 1, NULL),

    FLAG(SL_PROXY_ENGINE),
    GOOD(SL_PROXY_PROTOCOL, "TLSv1.2 TLSv1.3", SL_TLS1_2 | SL_TLS1_3, NULL),
    BAD(SL_PROXY_PROTOCOL, "TLSv9", "does not know the protocol 'TLSv9'"),
    GOOD(SL_PROXY_CIPHERS, "HIGH", 0, "HIGH"),
    BAD(SL_PROXY_CIPHERS, "TLSv1.2 HIGH", "knows the protocols SSL and TLSv1.3"),
    GOOD(SL_PROXY_VERIFY, "require", SL_VERIFY_REQUIRE, NULL),
    GOOD(SL_PROXY_VERIFY, "optional_no_ca", SL_VERIFY_OPTIONAL_NO_CA, NULL),
    BAD(SL_PROXY_VERIFY, "maybe", "does not know 'maybe'"),
    GOOD(SL_PROXY_VERIFY_DEPTH, "3", 3, NULL),
    BAD(SL_PROXY_VERIFY_DEPTH, "deep", "must be a whole number"),
    FILE_OF(SL_PROXY_CA_FILE),
    GOOD(SL_PROXY_CA_FILE, "System", 0, "System"),
    DIR_OF(SL_PROXY_CA_PATH),
    FILE_OF(SL_PROXY_CRL_FILE),
    DIR_OF(SL_PROXY_CRL_PATH),
    GOOD(SL_PROXY_CRL_CHECK, "leaf", 1, NULL),
    BAD(SL_PROXY_CRL_CHECK, "some", "does not know 'some'"),
    FLAG(SL_PROXY_CHECK_EXPIRE),
    FLAG(SL_PROXY_CHECK_CN),
    FLAG(SL_PROXY_CHECK_NAME),
    FILE_OF(SL_PROXY_IDENTITY_FILE),
    GOOD(SL_PROXY_IDENTITY_FILE, "pkcs11:token=a", 0, "pkcs11:token=a"),
    DIR_OF(SL_PROXY_IDENTITY_PATH),
    FILE_OF(SL_PROXY_CHAIN_FILE),
    FLAG(SL_PROXY_MUST_STAPLE),
    GOOD(SL_PROXY_OCSP, "leaf no_ocsp_for_cert_ok", SL_OCSP_LEAF | SL_OCSP_MISSING_OK, NULL),
    BAD(SL_PROXY_OCSP, "perhaps", "does not know 'perhaps'"),
    GOOD(SL_PROXY_PIN, "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 0,
         "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    BAD(SL_PROXY_PIN, "sha1//AAAA", "is no pin"),
    BAD(SL_PROXY_PIN, "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", "is no pin"),
    BAD(SL_PROXY_PIN, "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAA!AAAAAAAAAAAAA=", "is no pin"),
    BAD(SL_PROXY_PIN, "", "takes at least 1 argument"),
    BAD(SL_LOG, "file", "use ErrorLog"),
    BAD(SL_LOG_LEVEL, "debug", "use LogLevel ssl:LEVEL"),
};

static void check_good(apr_pool_t *pool, const row_case_t *c)
{
    sl_settings_t *settings = with(pool, c->row, c->words);
    const sl_setting_t *setting = sl_settings_get(settings, c->row);
    const char *text;

    if (!setting) { /* only SSLOptions without a word sets nothing */
        assert_int_equal(c->row, SL_OPTIONS);
        assert_string_equal(c->words, "");
        return;
    }
    assert_int_equal(setting->count, 1);
    assert_false(sl_settings_is_refused(settings, c->row));
    if (setting->number != c->number)
        fail_msg("%s %s: number %ld, not %ld", sl_row(c->row)->name, c->words, setting->number, c->number);
    assert_int_equal(sl_settings_number(settings, c->row), c->number);
    text = sl_settings_text(settings, c->row);
    assert_int_equal(text != NULL, c->text != NULL);
    if (text)
        assert_string_equal(text, c->text[0] == '/' ? apr_pstrcat(pool, root, c->text, NULL) : c->text);
    assert_string_equal(sl_settings_origin(settings, c->row).file, "t.conf");
    assert_int_equal(sl_settings_origin(settings, c->row).line, 7);
}

static void check_bad(apr_pool_t *pool, const row_case_t *c)
{
    sl_settings_t *settings = sl_settings_make(pool);
    sl_problem_t *why = sl_problem_make(pool);
    const char *start = apr_psprintf(pool, "t.conf:7: %s: ", sl_row(c->row)->name), *text;

    if (parse_line(settings, c->row, 7, c->words, why) == APR_SUCCESS)
        fail_msg("%s %s: accepted", sl_row(c->row)->name, c->words);
    text = sl_problem_text(why, pool);
    if (strncmp(text, start, strlen(start)) != 0 || !strstr(text, c->error))
        fail_msg("%s %s: says \"%s\", not \"%s\"", sl_row(c->row)->name, c->words, text, c->error);
    for (int row = 0; row < SL_ROWS; row++)
        assert_int_equal(sl_settings_is_refused(settings, (sl_row_id_t)row), (sl_row_id_t)row == c->row);
}

static void arguments_are_read_row_by_row(void **state)
{
    make_root(*state);
    for (size_t i = 0; i < sizeof(row_cases) / sizeof(row_cases[0]); i++) {
        if (row_cases[i].error)
            check_bad(*state, &row_cases[i]);
        else
            check_good(*state, &row_cases[i]);
    }
}

static void each_row_has_its_cases(void **state)
{
    int good[SL_ROWS] = {0}, bad[SL_ROWS] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(row_cases) / sizeof(row_cases[0]); i++)
        (row_cases[i].error ? bad : good)[row_cases[i].row]++;
    for (int i = 0; i < SL_ROWS; i++) {
        const sl_row_t *row = sl_row((sl_row_id_t)i);

        assert_int_equal(row->id, i);
        if (row->is_slot)
            continue;
        if (!good[i] && row->kind != SL_KIND_REMOVED)
            fail_msg("no right arguments of %s are tried", row->name);
        if (!bad[i] && row->kind != SL_KIND_NOTHING)
            fail_msg("no wrong arguments of %s are tried", row->name);
    }
}

static void a_version_the_library_lacks_cannot_be_switched_on(void **state)
{
    sl_settings_t *settings = sl_settings_make(*state);
    sl_problem_t *why = sl_problem_make(*state);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    STACK_OF(SSL_CIPHER) *suites;
    SSL *ssl;
    int has;

    SSL_CTX_set_security_level(ctx, 0);
    ssl = SSL_CTX_set_min_proto_version(ctx, SSL3_VERSION) && SSL_CTX_set_max_proto_version(ctx, SSL3_VERSION)
              ? SSL_new(ctx)
              : NULL; /* OpenSSL 4.0 does not even know the number */
    suites = ssl ? SSL_get1_supported_ciphers(ssl) : NULL;
    has = suites && sk_SSL_CIPHER_num(suites) > 0;
    assert_int_equal(parse_line(settings, SL_PROTOCOL, 1, "all +SSLv3", why) == APR_SUCCESS, has);
    if (!has)
        assert_non_null(strstr(why->reason, "this OpenSSL does not speak it"));
    sk_SSL_CIPHER_free(suites);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void a_directive_given_again_replaces_its_first_use(void **state)
{
    sl_settings_t *settings = sl_settings_make(*state);

    make_root(*state);
    set(settings, SL_CA_FILE, "file.pem");
    set(settings, SL_VERIFY_DEPTH, "3");
    set(settings, SL_VERIFY_DEPTH, "4");
    set(settings, SL_CA_FILE, "other.pem");
    assert_int_equal(sl_settings_number(settings, SL_VERIFY_DEPTH), 4);
    assert_string_equal(sl_settings_text(settings, SL_CA_FILE), in_root(*state, "other.pem"));
    assert_int_equal(sl_settings_get(settings, SL_CA_FILE)->count, 1);
}

static void suites_of_tls13_are_a_slot_of_their_own(void **state)
{
    sl_settings_t *settings = with(*state, SL_CIPHERS, "TLSv1.3 TLS_AES_128_GCM_SHA256");

    assert_null(sl_settings_get(settings, SL_CIPHERS));
    set(settings, SL_CIPHERS, "HIGH");
    assert_string_equal(sl_settings_text(settings, SL_CIPHERS), "HIGH");
    assert_string_equal(sl_settings_text(settings, SL_SUITES), "TLS_AES_128_GCM_SHA256");
    assert_true(sl_row(SL_SUITES)->is_slot);
}

static void a_path_is_kept_even_if_nothing_is_there(void **state)
{
    sl_settings_t *settings = sl_settings_make(*state);
    sl_problem_t *why = sl_problem_make(*state);

    make_root(*state);
    assert_int_equal(parse_line(settings, SL_CERTIFICATE_FILE, 3, "gone.pem", why), APR_ENOENT);
    set(settings, SL_CERTIFICATE_FILE, "file.pem");
    assert_int_equal(sl_settings_get(settings, SL_CERTIFICATE_FILE)->count, 2);
    assert_string_equal(sl_settings_get(settings, SL_CERTIFICATE_FILE)->values[1].text, in_root(*state, "file.pem"));
    assert_string_equal(why->object, in_root(*state, "gone.pem"));
}

static void without_a_root_paths_are_not_looked_at(void **state)
{
    sl_settings_t *settings = sl_settings_make(*state);

    root = NULL;
    set(settings, SL_CERTIFICATE_FILE, "gone.pem");
    set(settings, SL_CA_PATH, "/nowhere");
    assert_string_equal(sl_settings_text(settings, SL_CERTIFICATE_FILE), "gone.pem");
}

static void paths_of_openssls_commands_are_made_absolute(void **state)
{
    make_root(*state);
    assert_string_equal(sl_settings_text(with(*state, SL_CONF_CMD, "DHParameters file.pem"), SL_CONF_CMD),
                        apr_pstrcat(*state, "DHParameters\t", in_root(*state, "file.pem"), NULL));
    assert_int_equal(sl_conf_cmd_type("DHParameters"), SSL_CONF_TYPE_FILE);
    assert_int_equal(sl_conf_cmd_type("Groups"), SSL_CONF_TYPE_STRING);
    assert_int_equal(sl_conf_cmd_type("Nonsense"), SSL_CONF_TYPE_UNKNOWN);
}

/* ---- inheritance ---- */

static sl_settings_t *files(apr_pool_t *pool, const char *names)
{
    sl_settings_t *settings = sl_settings_make(pool);

    for (; *names; names++)
        set(settings, SL_CERTIFICATE_FILE, apr_psprintf(pool, "%c", *names));
    return settings;
}

/* The certificates of `child` in `parent`, one letter each. */
static const char *merged_files(apr_pool_t *pool, const char *parent, const char *child)
{
    sl_settings_t *merged = sl_settings_merge(pool, files(pool, parent), files(pool, child));
    const sl_setting_t *setting = sl_settings_get(merged, SL_CERTIFICATE_FILE);
    const char *text = "";

    for (int i = 0; setting && i < setting->count; i++)
        text = apr_pstrcat(pool, text, setting->values[i].text, NULL);
    return text;
}

static void certificates_are_inherited_by_position(void **state)
{
    root = NULL;
    assert_string_equal(merged_files(*state, "", ""), "");
    assert_string_equal(merged_files(*state, "a", ""), "a");
    assert_string_equal(merged_files(*state, "", "x"), "x");
    assert_string_equal(merged_files(*state, "a", "x"), "x");
    assert_string_equal(merged_files(*state, "ab", "x"), "xb");
    assert_string_equal(merged_files(*state, "abc", "xy"), "xyc");
    assert_string_equal(merged_files(*state, "abc", "xyz"), "xyz");
    assert_string_equal(merged_files(*state, "ab", "xyz"), "xyz");
    assert_string_equal(merged_files(*state, "abcd", "x"), "xbcd");
    assert_string_equal(merged_files(*state, "abcd", "vwxy"), "vwxdy");
    assert_string_equal(merged_files(*state, "a", "vwxyz"), "vwxyz");
}

static void commands_of_openssl_are_appended(void **state)
{
    sl_settings_t *parent = with(*state, SL_CONF_CMD, "MinProtocol TLSv1.2"), *merged;
    const sl_setting_t *commands;

    set(parent, SL_CONF_CMD, "Groups P-256");
    merged = sl_settings_merge(*state, parent, with(*state, SL_CONF_CMD, "Groups P-384"));
    commands = sl_settings_get(merged, SL_CONF_CMD);
    assert_int_equal(commands->count, 3);
    assert_string_equal(commands->values[0].text, "MinProtocol\tTLSv1.2");
    assert_string_equal(commands->values[2].text, "Groups\tP-384");
}

static void a_child_wins_row_by_row(void **state)
{
    sl_settings_t *parent = sl_settings_make(*state), *child = sl_settings_make(*state), *merged;

    set(parent, SL_ENGINE, "on");
    set(parent, SL_VERIFY_DEPTH, "5");
    set(parent, SL_CIPHERS, "TLSv1.3 TLS_AES_128_GCM_SHA256");
    set(child, SL_TICKETS, "off");
    set(child, SL_VERIFY_DEPTH, "6");
    set(child, SL_CIPHERS, "HIGH");
    merged = sl_settings_merge(*state, parent, child);
    assert_int_equal(sl_settings_number(merged, SL_ENGINE), SL_ENGINE_ON);
    assert_int_equal(sl_settings_number(merged, SL_VERIFY_DEPTH), 6);
    assert_int_equal(sl_settings_number(merged, SL_TICKETS), 0);
    assert_string_equal(sl_settings_text(merged, SL_CIPHERS), "HIGH");
    assert_string_equal(sl_settings_text(merged, SL_SUITES), "TLS_AES_128_GCM_SHA256");
    assert_int_equal(sl_settings_number(parent, SL_VERIFY_DEPTH), 5);
    assert_null(sl_settings_get(parent, SL_TICKETS));
    for (int i = 1; i < merged->set->nelts; i++)
        assert_true(APR_ARRAY_IDX(merged->set, i - 1, sl_setting_t).row <
                    APR_ARRAY_IDX(merged->set, i, sl_setting_t).row);
}

static void what_was_refused_is_inherited_too(void **state)
{
    sl_settings_t *parent = sl_settings_make(*state), *child = sl_settings_make(*state), *merged;

    assert_int_not_equal(parse_line(parent, SL_ENGINE, 1, "maybe", NULL), APR_SUCCESS);
    assert_int_not_equal(parse_line(child, SL_TICKETS, 1, "maybe", NULL), APR_SUCCESS);
    merged = sl_settings_merge(*state, parent, child);
    for (int row = 0; row < SL_ROWS; row++)
        assert_int_equal(sl_settings_is_refused(merged, (sl_row_id_t)row), row == SL_ENGINE || row == SL_TICKETS);
}

static void what_was_refused_is_not_inherited_by_who_has_another(void **state)
{
    sl_settings_t *parent = sl_settings_make(*state), *child = sl_settings_make(*state), *merged;

    make_root(*state);
    assert_int_equal(parse_line(parent, SL_CA_FILE, 1, "gone.pem", NULL), APR_ENOENT);
    assert_int_equal(parse_line(parent, SL_CERTIFICATE_FILE, 2, "gone.pem", NULL), APR_ENOENT);
    assert_int_equal(parse_line(parent, SL_CONF_CMD, 3, "DHParameters gone.pem", NULL), APR_ENOENT);
    set(child, SL_CA_FILE, "file.pem");
    set(child, SL_CERTIFICATE_FILE, "file.pem");
    set(child, SL_CONF_CMD, "Groups P-256");
    merged = sl_settings_merge(*state, parent, child);
    assert_false(sl_settings_is_refused(merged, SL_CA_FILE));
    assert_true(sl_settings_is_refused(merged, SL_CERTIFICATE_FILE));
    assert_true(sl_settings_is_refused(merged, SL_CONF_CMD));
}

/* Options of sections within each other, each a '|' separated list of lines, the sections separated by ';'. */
static long options(apr_pool_t *pool, const char *sections)
{
    sl_settings_t *all = sl_settings_make(pool);
    char *rest = apr_pstrdup(pool, sections), *last_section, *last_line;

    for (char *section = apr_strtok(rest, ";", &last_section); section;
         section = apr_strtok(NULL, ";", &last_section)) {
        sl_settings_t *own = sl_settings_make(pool);

        for (char *line = apr_strtok(section, "|", &last_line); line; line = apr_strtok(NULL, "|", &last_line))
            set(own, SL_OPTIONS, line);
        all = sl_settings_merge(pool, all, own);
    }
    return sl_settings_number(all, SL_OPTIONS);
}

static void options_are_relative_or_replace(void **state)
{
    const long env = SL_OPT_STD_ENV_VARS, cert = SL_OPT_EXPORT_CERT_DATA, fake = SL_OPT_FAKE_BASIC_AUTH;

    assert_int_equal(options(*state, "+StdEnvVars;+ExportCertData"), env | cert);
    assert_int_equal(options(*state, "+StdEnvVars +ExportCertData;-StdEnvVars"), cert);
    assert_int_equal(options(*state, "StdEnvVars;ExportCertData"), cert);
    assert_int_equal(options(*state, "StdEnvVars ExportCertData;+FakeBasicAuth"), env | cert | fake);
    assert_int_equal(options(*state, "StdEnvVars;+FakeBasicAuth ExportCertData"), fake | cert);
    assert_int_equal(options(*state, "StdEnvVars;+FakeBasicAuth|ExportCertData"), cert);
    assert_int_equal(options(*state, "StdEnvVars;+FakeBasicAuth|+ExportCertData"), env | fake | cert);
    assert_int_equal(options(*state, "StdEnvVars;ExportCertData|+FakeBasicAuth"), cert | fake);
    assert_int_equal(options(*state, "StdEnvVars;ExportCertData|-ExportCertData"), 0);
    assert_int_equal(options(*state, "+StdEnvVars;-StdEnvVars;+StdEnvVars"), env);
    assert_int_equal(options(*state, "+StdEnvVars;-StdEnvVars|+StdEnvVars;+ExportCertData"), env | cert);
    assert_int_equal(options(*state, "+StdEnvVars; ;+ExportCertData"), env | cert);
    assert_int_equal(options(*state, "StdEnvVars ExportCertData FakeBasicAuth"), env | cert | fake);
}

/* Sections are merged from the left or from the right: httpd does both. */
static void merging_options_is_associative(void **state)
{
    static const char *const lines[] = {"+StdEnvVars", "-StdEnvVars", "StdEnvVars", "ExportCertData",
                                        "-ExportCertData"};
    const int many = (int)(sizeof(lines) / sizeof(lines[0]));

    for (int i = 0; i < many * many * many; i++) {
        sl_settings_t *a = with(*state, SL_OPTIONS, lines[i % many]);
        sl_settings_t *b = with(*state, SL_OPTIONS, lines[i / many % many]);
        sl_settings_t *c = with(*state, SL_OPTIONS, lines[i / many / many]);
        sl_settings_t *left = sl_settings_merge(*state, sl_settings_merge(*state, a, b), c);
        sl_settings_t *right = sl_settings_merge(*state, a, sl_settings_merge(*state, b, c));

        assert_int_equal(sl_settings_number(left, SL_OPTIONS), sl_settings_number(right, SL_OPTIONS));
    }
}

/* ---- effective values ---- */

static void the_policy_fills_what_is_not_set(void **state)
{
    sl_settings_t *settings = sl_settings_make(*state);

    assert_int_equal(sl_settings_number(settings, SL_PROTOCOL), SL_TLS1_2 | SL_TLS1_3);
    assert_string_equal(sl_settings_text(settings, SL_CIPHERS), sl_policy(SL_POLICY_INTERMEDIATE)->ciphers);
    assert_int_equal(sl_settings_number(settings, SL_HONOR_ORDER), 0);
    set(settings, SL_POLICY, "old");
    assert_int_equal(sl_settings_number(settings, SL_PROTOCOL), SL_TLS_ALL);
    assert_int_equal(sl_settings_number(settings, SL_HONOR_ORDER), 1);
    set(settings, SL_POLICY, "modern");
    assert_int_equal(sl_settings_number(settings, SL_PROTOCOL), SL_TLS1_3);
    set(settings, SL_PROTOCOL, "TLSv1.2");
    set(settings, SL_HONOR_ORDER, "on");
    assert_int_equal(sl_settings_number(settings, SL_PROTOCOL), SL_TLS1_2);
    assert_int_equal(sl_settings_number(settings, SL_HONOR_ORDER), 1);
    assert_string_equal(sl_settings_text(settings, SL_SUITES), sl_policy(SL_POLICY_MODERN)->suites);
}

static void unset_rows_have_their_initial_value(void **state)
{
    sl_settings_t *settings = sl_settings_make(*state);
    sl_origin_t origin = sl_settings_origin(settings, SL_VERIFY_DEPTH);

    assert_int_equal(sl_settings_number(settings, SL_VERIFY_DEPTH), 1);
    assert_int_equal(sl_settings_number(settings, SL_TICKETS), 1);
    assert_int_equal(sl_settings_number(settings, SL_HANDSHAKE_TIMEOUT), 10);
    assert_int_equal(sl_settings_number(settings, SL_SNI_POLICY), SL_SNI_SECURE);
    assert_int_equal(sl_settings_number(settings, SL_STRICT_ALPN), 1);
    assert_null(sl_settings_text(settings, SL_CA_FILE));
    assert_null(origin.file);
    assert_string_equal(origin.directive, "SSLVerifyDepth");
}

/* ---- comparison ---- */

static const char *digest(const sl_settings_t *settings)
{
    return sl_settings_digest(settings, SL_IN_PROFILE, settings->pool);
}

static void equal_settings_have_equal_digests(void **state)
{
    sl_settings_t *a = sl_settings_make(*state), *b = sl_settings_make(*state);

    set(a, SL_PROTOCOL, "TLSv1.3");
    set(a, SL_VERIFY_DEPTH, "3");
    set(b, SL_VERIFY_DEPTH, "3");
    set(b, SL_PROTOCOL, "-all +TLSv1.3");
    assert_string_equal(digest(a), digest(b));
    assert_null(sl_settings_difference(a, b, SL_IN_PROFILE, *state));
    set(b, SL_POLICY, "intermediate"); /* said or not */
    set(b, SL_TICKETS, "on");
    assert_string_equal(digest(a), digest(b));
    set(b, SL_HANDSHAKE_TIMEOUT, "20"); /* no part of a profile */
    assert_string_equal(digest(a), digest(b));
}

static int is_alike(const sl_settings_t *a, const sl_settings_t *b)
{
    int is = sl_settings_is_alike(a, b, SL_IN_PROFILE);

    assert_int_equal(sl_settings_is_alike(b, a, SL_IN_PROFILE), is);
    if (is)
        assert_string_equal(digest(a), digest(b));
    return is;
}

static void what_sets_the_same_is_alike(void **state)
{
    sl_settings_t *a = sl_settings_make(*state), *b = sl_settings_make(*state);

    assert_true(is_alike(a, b));
    set(a, SL_HANDSHAKE_TIMEOUT, "20"); /* no part of a profile */
    assert_true(is_alike(a, b));
    set(a, SL_VERIFY_DEPTH, "3");
    assert_false(is_alike(a, b));
    set(b, SL_VERIFY_DEPTH, "4");
    assert_false(is_alike(a, b));
    set(b, SL_VERIFY_DEPTH, "3");
    assert_true(is_alike(a, b));
    set(a, SL_CIPHERS, "AES128-SHA");
    set(b, SL_CIPHERS, "AES256-SHA");
    assert_false(is_alike(a, b));
    set(b, SL_CIPHERS, "AES128-SHA");
    assert_true(is_alike(a, b));
    set(b, SL_POLICY, "modern"); /* what is not set comes from it */
    assert_false(is_alike(a, b));
}

static void a_file_is_stamped_when_its_line_is_read(void **state)
{
    const char *path;
    sl_settings_t *settings;

    make_root(*state);
    path = in_root(*state, "file.pem");
    settings = with(*state, SL_CERTIFICATE_FILE, path);
    assert_true(sl_watch_stamp((const char *const[]){path, NULL}) ==
                sl_file_stamp_add(SL_FILE_STAMPS, sl_settings_get(settings, SL_CERTIFICATE_FILE)->values[0].stamp));
    root = NULL;
    settings = with(*state, SL_CERTIFICATE_FILE, path);
    assert_true(sl_settings_get(settings, SL_CERTIFICATE_FILE)->values[0].stamp == 0); /* nobody looked */
}

static void a_difference_is_named(void **state)
{
    sl_settings_t *a = sl_settings_make(*state), *b = sl_settings_make(*state);

    set(a, SL_VERIFY_DEPTH, "3");
    assert_string_equal(sl_settings_difference(a, b, SL_FOR_AUTH, *state), "SSLVerifyDepth");
    assert_null(sl_settings_difference(a, b, SL_FOR_SECURITY, *state));
    assert_string_not_equal(digest(a), digest(b));
    set(b, SL_VERIFY_DEPTH, "3");
    set(b, SL_CIPHERS, "TLSv1.3 TLS_AES_128_GCM_SHA256");
    assert_string_equal(sl_settings_difference(a, b, SL_FOR_SECURITY, *state), "SSLCipherSuite TLSv1.3");
    assert_null(sl_settings_difference(a, b, SL_FOR_AUTH, *state));
}

/* What a profile is made of, and what only the virtual host, the connection or requests look at. */
static int is_in_profile(sl_row_id_t row)
{
    static const sl_row_id_t others[] = {
        SL_BROKEN_HOST,
        SL_ENGINE,      SL_CERTIFICATE_FILE, SL_CERTIFICATE_KEY_FILE, SL_CERTIFICATE_CHAIN_FILE, SL_STRICT_SNI,
        SL_SNI_POLICY,  SL_UNKNOWN_NAME,     SL_STRICT_ALPN,          SL_HANDSHAKE_TIMEOUT,      SL_HANDSHAKE_QUEUE,
        SL_HELLO_VARS,  SL_OPTIONS,          SL_REQUIRE_SSL,          SL_LOG,                    SL_LOG_LEVEL,
        SL_PASS_PHRASE_DIALOG, SL_CRYPTO_DEVICE, SL_REQUIRE, SL_KEY_LOG,
        SL_USER_NAME, SL_RENEG_BUFFER_SIZE, SL_CLIENT_CERT_HEADER, SL_FIPS, SL_RANDOM_SEED,
        SL_TICKET_KEY_FILE, SL_TICKET_ROTATION, SL_RELOAD, SL_IDENTITY_CACHE, SL_CERTIFICATE_DIRECTORY,
        SL_USE_STAPLING, SL_STAPLING_CACHE, SL_STAPLING_SKEW, SL_STAPLING_MAX_AGE, SL_STAPLING_TIMEOUT,
        SL_STAPLING_STANDARD_TIMEOUT, SL_STAPLING_ERROR_TIMEOUT, SL_STAPLING_ERRORS, SL_STAPLING_TRY_LATER,
        SL_STAPLING_URL, SL_STATE_DIRECTORY, SL_PROXY_ENGINE,
    };

    if (!(sl_row(row)->weight & SL_IN_PROFILE) && sl_row(row)->weight & SL_IN_CLIENT_PROFILE)
        return 0;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (others[i] == row)
            return 0;
    }
    return 1;
}

static void each_row_of_a_profile_changes_its_digest(void **state)
{
    sl_settings_t *empty = sl_settings_make(*state);
    int checked[SL_ROWS] = {0};

    make_root(*state);
    for (size_t i = 0; i < sizeof(row_cases) / sizeof(row_cases[0]); i++) {
        const row_case_t *c = &row_cases[i];
        sl_settings_t *settings;

        if (c->error)
            continue;
        settings = with(*state, c->row, c->words);
        if (sl_settings_number(settings, c->row) == sl_settings_number(empty, c->row) && !c->text)
            continue; /* the same as if it was not set */
        if ((strcmp(digest(settings), digest(empty)) != 0) != is_in_profile(c->row))
            fail_msg("%s %s", sl_row(c->row)->name, c->words);
        checked[c->row] = 1;
    }
    for (int i = 0; i < SL_ROWS; i++) {
        if (!checked[i] && sl_row((sl_row_id_t)i)->kind != SL_KIND_REMOVED && !sl_row((sl_row_id_t)i)->is_slot &&
            i != SL_CRYPTO_DEVICE) /* its one right argument everywhere changes nothing */
            fail_msg("%s was not tried", sl_row((sl_row_id_t)i)->name);
    }
}

static void two_texts_are_not_one(void **state)
{
    sl_settings_t *one, *two;

    root = NULL;
    one = with(*state, SL_CONF_CMD, "Groups a:Groups\tb");
    two = with(*state, SL_CONF_CMD, "Groups a");
    set(two, SL_CONF_CMD, "Groups b");
    assert_string_equal(sl_settings_difference(one, two, SL_FOR_AUTH, *state), "SSLOpenSSLConfCmd");
    one = with(*state, SL_CONF_CMD, "Groups a:8:Groups\tb");
    assert_string_equal(sl_settings_difference(one, two, SL_FOR_AUTH, *state), "SSLOpenSSLConfCmd");
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(arguments_are_read_row_by_row),
    UNIT_TEST(each_row_has_its_cases),
    UNIT_TEST(a_version_the_library_lacks_cannot_be_switched_on),
    UNIT_TEST(a_directive_given_again_replaces_its_first_use),
    UNIT_TEST(suites_of_tls13_are_a_slot_of_their_own),
    UNIT_TEST(a_path_is_kept_even_if_nothing_is_there),
    UNIT_TEST(without_a_root_paths_are_not_looked_at),
    UNIT_TEST(paths_of_openssls_commands_are_made_absolute),
    UNIT_TEST(certificates_are_inherited_by_position),
    UNIT_TEST(commands_of_openssl_are_appended),
    UNIT_TEST(a_child_wins_row_by_row),
    UNIT_TEST(what_was_refused_is_inherited_too),
    UNIT_TEST(what_was_refused_is_not_inherited_by_who_has_another),
    UNIT_TEST(options_are_relative_or_replace),
    UNIT_TEST(merging_options_is_associative),
    UNIT_TEST(the_policy_fills_what_is_not_set),
    UNIT_TEST(unset_rows_have_their_initial_value),
    UNIT_TEST(equal_settings_have_equal_digests),
    UNIT_TEST(what_sets_the_same_is_alike),
    UNIT_TEST(a_file_is_stamped_when_its_line_is_read),
    UNIT_TEST(a_difference_is_named),
    UNIT_TEST(each_row_of_a_profile_changes_its_digest),
    UNIT_TEST(two_texts_are_not_one),
};

UNIT_MAIN(tests)
