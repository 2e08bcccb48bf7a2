/* Arguments of directives into settings.  One reader per kind; httpd/directives splits the line and calls. */
#include "profile/settings.h"

#include "base/file_stamp.h"
#include "crypto/key_uri.h"
#include "crypto/openssl_compat.h"
#include "crypto/openssl_error.h"
#include "profile/conf_cmd.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>
#include <errno.h>
#include <limits.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct sl_arguments_t {
    sl_settings_t *settings;
    const sl_row_t *row;
    const char *const *words;
    int count;
    const char *root;
    const sl_origin_t *origin;
    sl_problem_t *why;
} sl_arguments_t;

typedef apr_status_t (*read_kind_t)(const sl_arguments_t *in);

static sl_setting_t *place(sl_settings_t *settings, sl_row_id_t row)
{
    apr_array_header_t *set;
    int at = settings->set->nelts;

    (void)sl_settings_push(settings);
    set = settings->set;
    for (; at > 0 && APR_ARRAY_IDX(set, at - 1, sl_setting_t).row > row; at--)
        APR_ARRAY_IDX(set, at, sl_setting_t) = APR_ARRAY_IDX(set, at - 1, sl_setting_t);
    memset(&APR_ARRAY_IDX(set, at, sl_setting_t), 0, sizeof(sl_setting_t));
    APR_ARRAY_IDX(set, at, sl_setting_t).row = row;
    return &APR_ARRAY_IDX(set, at, sl_setting_t);
}

static void add_value(const sl_arguments_t *in, sl_setting_t *setting, const char *text)
{
    sl_value_t *values = apr_palloc(in->settings->pool, sizeof(*values) * (apr_size_t)(setting->count + 1));

    if (setting->count)
        memcpy(values, setting->values, sizeof(*values) * (apr_size_t)setting->count);
    values[setting->count] =
        (sl_value_t){.text = text ? apr_pstrdup(in->settings->pool, text) : NULL, .origin = *in->origin};
    setting->values = values;
    setting->count++;
}

/* The setting of `row`, emptied: a directive given again replaces its first use. */
static sl_setting_t *set_only(const sl_arguments_t *in, sl_row_id_t row, long number, const char *text)
{
    sl_setting_t *setting = (sl_setting_t *)sl_settings_get(in->settings, row);

    if (!setting)
        setting = place(in->settings, row);
    setting->count = 0;
    setting->number = number;
    setting->cleared = 0;
    add_value(in, setting, text);
    return setting;
}

static sl_setting_t *set_another(const sl_arguments_t *in, const char *text)
{
    sl_setting_t *setting = (sl_setting_t *)sl_settings_get(in->settings, in->row->id);

    if (!setting)
        setting = place(in->settings, in->row->id);
    add_value(in, setting, text);
    return setting;
}

static apr_status_t wrong(const sl_arguments_t *in, const char *format, ...) __attribute__((format(printf, 2, 3)));
static apr_status_t wrong(const sl_arguments_t *in, const char *format, ...)
{
    va_list args;
    const char *text;

    va_start(args, format);
    text = apr_pvsprintf(in->settings->pool, format, args);
    va_end(args);
    return sl_problem_set(in->why, APR_EINVAL, NULL, "%s", text);
}

static apr_status_t want(const sl_arguments_t *in, int least, int most)
{
    if (in->count >= least && in->count <= most)
        return APR_SUCCESS;
    if (least == most)
        return wrong(in, "takes %d argument%s, not %d: %s", least, least == 1 ? "" : "s", in->count, in->row->help);
    if (in->count < least)
        return wrong(in, "takes at least %d argument%s: %s", least, least == 1 ? "" : "s", in->row->help);
    return wrong(in, "takes at most %d arguments, not %d: %s", most, in->count, in->row->help);
}

/* As for most of httpd's own directives "" counts as a missing argument. */
static apr_status_t want_text(const sl_arguments_t *in, int least, int most)
{
    apr_status_t rv = want(in, least, most);

    for (int i = 0; rv == APR_SUCCESS && i < in->count; i++) {
        if (!*in->words[i])
            rv = wrong(in, "has an empty argument: %s", in->row->help);
    }
    return rv;
}

/* As for httpd's own flags what stands behind the word is not looked at, "# a comment" for one. */
static apr_status_t read_flag(const sl_arguments_t *in)
{
    apr_status_t rv = in->count ? APR_SUCCESS : want(in, 1, 1);

    if (rv != APR_SUCCESS)
        return rv;
    if (!strcasecmp(in->words[0], "on"))
        set_only(in, in->row->id, 1, NULL);
    else if (!strcasecmp(in->words[0], "off"))
        set_only(in, in->row->id, 0, NULL);
    else
        return wrong(in, "must be On or Off, not '%s'", in->words[0]);
    return APR_SUCCESS;
}

static apr_status_t read_number(const sl_arguments_t *in)
{
    apr_status_t rv = want(in, 1, 1);
    char *end = NULL;
    long number;

    if (rv != APR_SUCCESS)
        return rv;
    errno = 0;
    number = strtol(in->words[0], &end, 10);
    if (end == in->words[0] || *end)
        return wrong(in, "must be a whole number, not '%s'", in->words[0]);
    if (errno || number < in->row->minimum || number > in->row->maximum)
        return wrong(in, "must be between %ld and %ld, not %s", in->row->minimum, in->row->maximum, in->words[0]);
    set_only(in, in->row->id, number, NULL);
    return APR_SUCCESS;
}

/* Index of `word` in the '|' separated list, where "a=b" stands for b; -1 if it is not there. */
static long word_index(const char *list, const char *word, apr_size_t length)
{
    long index = 0;

    for (const char *at = list; at && *at; index++) {
        apr_size_t entry = strcspn(at, "|");
        const char *synonym = memchr(at, '=', entry);
        apr_size_t name = synonym ? (apr_size_t)(synonym - at) : entry;

        if (name == length && !strncasecmp(at, word, length))
            return synonym ? word_index(list, synonym + 1, entry - name - 1) : index;
        at += entry + (at[entry] == '|');
    }
    return -1;
}

static apr_status_t read_reload(const sl_arguments_t *in)
{
    if (in->count == 1 && !strcasecmp(in->words[0], "on"))
        set_only(in, in->row->id, -1, NULL);
    else if (in->count == 1 && !strcasecmp(in->words[0], "off"))
        set_only(in, in->row->id, 0, NULL);
    else if (in->count == 1 && apr_isdigit(*in->words[0]))
        return read_number(in);
    else
        return wrong(in, "takes on, off, or the number of seconds between two looks at the files");
    return APR_SUCCESS;
}

static apr_status_t read_word(const sl_arguments_t *in)
{
    apr_status_t rv = want(in, 1, 1);
    long index;

    if (rv != APR_SUCCESS)
        return rv;
    index = word_index(in->row->words, in->words[0], strlen(in->words[0]));
    if (index < 0)
        return wrong(in, "does not know '%s'; it takes %s", in->words[0], in->row->help);
    set_only(in, in->row->id, index, NULL);
    return APR_SUCCESS;
}

static apr_status_t read_text(const sl_arguments_t *in)
{
    apr_status_t rv = want_text(in, 1, 1);

    if (rv == APR_SUCCESS)
        set_only(in, in->row->id, 0, in->words[0]);
    return rv;
}

/* ---- paths ---- */

static apr_status_t wrong_path(const sl_arguments_t *in, apr_status_t status, const char *path, const char *reason)
{
    sl_problem_set(in->why, status, path, "%s", reason);
    sl_problem_advise(in->why, "Check the path%s%s", *path == '/' ? "" : "; relative ones start at ",
                      *path == '/' ? "" : in->root);
    return status;
}

/* Nothing in it that could be written shorter. */
static int is_absolute(const char *path)
{
    return *path == '/' && !strstr(path, "/.") && !strstr(path, "//");
}

typedef struct sl_found_t {
    const char *path;   /* absolute */
    apr_uint64_t stamp; /* 0: nobody looked */
} sl_found_t;

/* Makes the path absolute and looks whether it is what the directive wants. `found` is filled in in any case. */
static apr_status_t check_path(const sl_arguments_t *in, const char *word, mode_t type, sl_found_t *found)
{
    struct stat info;
    apr_status_t rv;
    char *merged = NULL, text[120];

    *found = (sl_found_t){word, 0};
    if (!in->root)
        return APR_SUCCESS;
    if (!is_absolute(word)) {
        rv = apr_filepath_merge(&merged, in->root, word, APR_FILEPATH_TRUENAME, in->settings->pool);
        if (!merged)
            return wrong_path(in, rv, word, "is no usable path");
        found->path = merged;
    }
    rv = stat(found->path, &info) == 0 ? APR_SUCCESS : errno;
    found->stamp = sl_file_stamp(rv == APR_SUCCESS ? &info : NULL);
    if (rv != APR_SUCCESS)
        return wrong_path(in, rv, found->path, apr_strerror(rv, text, sizeof(text)));
    if ((info.st_mode & S_IFMT) != type)
        return wrong_path(in, APR_EINVAL, found->path, type == S_IFDIR ? "is no directory" : "is no regular file");
    if (type == S_IFREG && info.st_size == 0)
        return wrong_path(in, APR_EINVAL, found->path, "is empty");
    return APR_SUCCESS;
}

/* The URI of a token's object, or the row's word for what stands in no file of its own. */
static int is_other_place(const sl_arguments_t *in, const char *path)
{
    if (in->row->kind == SL_KIND_FILES || in->row->kind == SL_KIND_FILE_OR_URI)
        return sl_key_uri_is(path);
    return in->row->words && !strcasecmp(in->row->words, path);
}

/* The path is kept also when nothing is there: certificates and keys belong together by their position. */
static apr_status_t read_path(const sl_arguments_t *in, mode_t type)
{
    sl_found_t found;
    sl_setting_t *setting;
    apr_status_t rv = want_text(in, 1, 1);

    if (rv != APR_SUCCESS)
        return rv;
    found = (sl_found_t){in->words[0], 0};
    if (!is_other_place(in, found.path))
        rv = check_path(in, found.path, type, &found);
    setting = in->row->kind == SL_KIND_FILES ? set_another(in, found.path) : set_only(in, in->row->id, 0, found.path);
    setting->values[setting->count - 1].stamp = found.stamp;
    return rv;
}

static apr_status_t read_file(const sl_arguments_t *in)
{
    return read_path(in, S_IFREG);
}

static apr_status_t read_dir(const sl_arguments_t *in)
{
    return read_path(in, S_IFDIR);
}

/* ---- pass phrases and the library ---- */

static apr_status_t read_dialog(const sl_arguments_t *in)
{
    apr_status_t rv = want_text(in, 1, 1);
    const char *word = in->words[0], *text = NULL;
    sl_found_t found;

    if (rv != APR_SUCCESS)
        return rv;
    if (!strcasecmp(word, "builtin")) {
        text = "builtin";
    }
    else if (*word == '|' && word[1]) {
        text = word;
    }
    else if (!strncmp(word, "exec:", 5) && word[5]) {
        rv = check_path(in, word + 5, S_IFREG, &found);
        text = apr_pstrcat(in->settings->pool, "exec:", found.path, NULL);
    }
    if (!text)
        return wrong(in, "knows builtin, exec:path and |program, not '%s'", word);
    set_only(in, in->row->id, 0, text);
    return rv;
}

static apr_status_t read_engine(const sl_arguments_t *in)
{
    apr_status_t rv = want_text(in, 1, 1);
    const char *word = in->words[0], *names = sl_openssl_engines(in->settings->pool);

    if (rv != APR_SUCCESS)
        return rv;
    if (!strcasecmp(word, "builtin")) {
        set_only(in, in->row->id, 0, NULL);
        return APR_SUCCESS;
    }
    if (!names) {
        rv = wrong(in, "this OpenSSL has no engines, so it cannot use '%s'", word);
        sl_problem_advise(in->why,
                          "Write SSLCryptoDevice builtin; a provider is activated in OpenSSL's own configuration");
        return rv;
    }
    if (!sl_openssl_engine_exists(word))
        return wrong(in, "does not know the engine '%s'; there are 'builtin' (none)%s", word, names);
    set_only(in, in->row->id, 0, word);
    return APR_SUCCESS;
}

static apr_status_t read_one_flag(const sl_arguments_t *in)
{
    const sl_setting_t *before = sl_settings_get(in->settings, in->row->id);
    long number = before ? before->number : -1;
    apr_status_t rv = read_flag(in);

    if (rv == APR_SUCCESS && number >= 0 && sl_settings_number(in->settings, in->row->id) != number)
        rv = wrong(in, "cannot be both On and Off");
    return rv;
}

/* What kind of source the word names; `*path` is where it is, NULL if it has none. */
static int is_builtin_seed(const char *word, const char **path)
{
    *path = NULL;
    if (!strcasecmp(word, "builtin"))
        return 1;
    *path = word;
    if ((!strncmp(word, "file:", 5) || !strncmp(word, "exec:", 5)) && word[5])
        *path = word + 5;
    return 0;
}

static apr_status_t check_seed_size(const sl_arguments_t *in, int builtin)
{
    char *end;
    long bytes;

    if (in->count < 3)
        return APR_SUCCESS;
    if (builtin)
        return wrong(in, "takes no number of bytes for the source builtin");
    errno = 0;
    bytes = strtol(in->words[2], &end, 10);
    if (end == in->words[2] || *end || errno || bytes < 0)
        return wrong(in, "must have a whole number of bytes, not '%s'", in->words[2]);
    return APR_SUCCESS;
}

static apr_status_t read_random_seed(const sl_arguments_t *in)
{
    apr_status_t rv = want_text(in, 2, 3);
    const char *path;
    char *merged = NULL;
    apr_finfo_t info;
    int builtin;

    if (rv != APR_SUCCESS)
        return rv;
    if (word_index("startup|connect", in->words[0], strlen(in->words[0])) < 0)
        return wrong(in, "knows the times startup and connect, not '%s'", in->words[0]);
    if (!strncmp(in->words[1], "egd:", 4))
        return wrong(in, "knows no entropy gathering daemon: OpenSSL no longer speaks to one");
    builtin = is_builtin_seed(in->words[1], &path);
    rv = check_seed_size(in, builtin);
    if (rv == APR_SUCCESS && path && in->root) {
        rv = apr_filepath_merge(&merged, in->root, path, APR_FILEPATH_TRUENAME, in->settings->pool);
        if (!merged || apr_stat(&info, merged, APR_FINFO_TYPE, in->settings->pool) != APR_SUCCESS)
            return wrong_path(in, APR_ENOENT, merged ? merged : path, "does not exist");
    }
    if (rv == APR_SUCCESS)
        set_another(in, in->words[1]);
    return rv;
}

/* mod_ssl takes no notice of arguments here, not even of "off". */
static apr_status_t read_nothing(const sl_arguments_t *in)
{
    set_only(in, in->row->id, 1, NULL);
    return APR_SUCCESS;
}

/* ---- protocols and suites ---- */

static long protocol_bits(const char *name)
{
    static const struct {
        const char *name;
        long bits;
    } names[] = {{"SSLv3", SL_SSL3},     {"TLSv1", SL_TLS1},     {"TLSv1.1", SL_TLS1_1},
                 {"TLSv1.2", SL_TLS1_2}, {"TLSv1.3", SL_TLS1_3}, {"all", SL_TLS_ALL}};

    for (apr_size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcasecmp(name, names[i].name))
            return names[i].bits;
    }
    return 0;
}

/* A library built without SSLv3 takes the version and then has no suite for it. */
static int speaks_ssl3(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    STACK_OF(SSL_CIPHER) *suites = NULL;
    SSL *ssl = NULL;
    int yes;

    if (ctx) {
        SSL_CTX_set_security_level(ctx, 0);
        if (SSL_CTX_set_min_proto_version(ctx, SSL3_VERSION) == 1 &&
            SSL_CTX_set_max_proto_version(ctx, SSL3_VERSION) == 1 && SSL_CTX_set_cipher_list(ctx, "ALL") == 1)
            ssl = SSL_new(ctx);
    }
    if (ssl)
        suites = SSL_get1_supported_ciphers(ssl);
    yes = suites && sk_SSL_CIPHER_num(suites) > 0;
    sk_SSL_CIPHER_free(suites);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    sl_openssl_error_clear();
    return yes;
}

/* "TLSv1.2 TLSv1.3" means both; a bare word after [+-] words starts the set anew, as in mod_ssl. No word leaves none,
 * which is told where it counts. */
static apr_status_t read_protocols(const sl_arguments_t *in)
{
    long protocols = 0;
    int bare = 0;

    for (int i = 0; i < in->count; i++) {
        const char *word = in->words[i];
        char sign = *word == '+' || *word == '-' ? *word++ : '\0';
        long bits = protocol_bits(word);

        if (!strcasecmp(word, "SSLv2") && sign == '-')
            continue;
        if (!bits && !strcasecmp(word, "SSLv2"))
            return wrong(in, "can't switch SSLv2 on: no library speaks it any more");
        if (!bits)
            return wrong(in, "does not know the protocol '%s': use TLSv1, TLSv1.1, TLSv1.2, TLSv1.3 or all", word);
        if (bits == SL_SSL3 && sign != '-' && !speaks_ssl3())
            return wrong(in, "can't switch SSLv3 on: this OpenSSL does not speak it");
        if (sign == '-')
            protocols &= ~bits;
        else if (sign == '+' || bare)
            protocols |= bits;
        else
            protocols = bits;
        bare = !sign;
    }
    set_only(in, in->row->id, protocols, NULL);
    return APR_SUCCESS;
}

static apr_status_t read_ciphers(const sl_arguments_t *in)
{
    apr_status_t rv = want_text(in, 1, 2);

    if (rv != APR_SUCCESS)
        return rv;
    if (in->count == 1)
        set_only(in, in->row->id, 0, in->words[0]);
    else if (!strcmp(in->words[0], "SSL"))
        set_only(in, in->row->id, 0, in->words[1]);
    else if (!strcmp(in->words[0], "TLSv1.3")) /* the row's slot, which stands behind it */
        set_only(in, (sl_row_id_t)(in->row->id + 1), 0, in->words[1]);
    else
        return wrong(in, "knows the protocols SSL and TLSv1.3, not '%s'", in->words[0]);
    return APR_SUCCESS;
}

static apr_status_t read_conf_cmd(const sl_arguments_t *in)
{
    apr_status_t rv = want_text(in, 2, 2);
    sl_found_t value;
    int type;

    if (rv != APR_SUCCESS)
        return rv;
    type = sl_conf_cmd_type(in->words[0]);
    if (type == SSL_CONF_TYPE_UNKNOWN) {
        sl_problem_set(in->why, APR_EINVAL, NULL, "'%s' is no command that this OpenSSL knows", in->words[0]);
        sl_problem_advise(in->why, "The manual page SSL_CONF_cmd(3) lists them");
        return APR_EINVAL;
    }
    value = (sl_found_t){in->words[1], 0};
    if (type == SSL_CONF_TYPE_FILE || type == SSL_CONF_TYPE_DIR)
        rv = check_path(in, in->words[1], type == SSL_CONF_TYPE_DIR ? S_IFDIR : S_IFREG, &value);
    if (rv == APR_SUCCESS)
        set_another(in, apr_pstrcat(in->settings->pool, in->words[0], "\t", value.path, NULL));
    return rv;
}

/* How much is checked, and possibly that what cannot be checked passes. */
static apr_status_t read_check(const sl_arguments_t *in, const char *words, const char *flag, long flag_bit)
{
    apr_status_t rv = want(in, 1, 2);
    long check;

    if (rv != APR_SUCCESS)
        return rv;
    check = word_index(words, in->words[0], strlen(in->words[0]));
    if (check < 0)
        return wrong(in, "does not know '%s'; it takes %s", in->words[0], in->row->help);
    if (in->count == 2 && strcasecmp(in->words[1], flag))
        return wrong(in, "does not know the flag '%s': only %s", in->words[1], flag);
    set_only(in, in->row->id, check | (in->count == 2 ? flag_bit : 0), NULL);
    return APR_SUCCESS;
}

static apr_status_t read_crl_check(const sl_arguments_t *in)
{
    return read_check(in, "none|leaf|chain", "no_crl_for_cert_ok", SL_CRL_MISSING_OK);
}

static apr_status_t read_ocsp_check(const sl_arguments_t *in)
{
    return read_check(in, "off|leaf|on", "no_ocsp_for_cert_ok", SL_OCSP_MISSING_OK);
}

static apr_status_t read_url(const sl_arguments_t *in)
{
    apr_status_t rv = want_text(in, 1, 1);
    apr_uri_t uri;

    if (rv != APR_SUCCESS)
        return rv;
    if (apr_uri_parse(in->settings->pool, in->words[0], &uri) != APR_SUCCESS || !uri.scheme || !uri.hostname ||
        (strcasecmp(uri.scheme, "http") && strcasecmp(uri.scheme, "https")))
        return wrong(in, "must be a URL as http://host:port/, not '%s'", in->words[0]);
    set_only(in, in->row->id, 0, in->words[0]);
    return APR_SUCCESS;
}

static const char *list_words(const sl_arguments_t *in)
{
    char *list = apr_pstrdup(in->settings->pool, in->row->words);

    for (char *at = strchr(list, '|'); at; at = strchr(at, '|'))
        *at = ' ';
    return list;
}

/* Without any word it changes nothing, as in mod_ssl. */
static apr_status_t read_options(const sl_arguments_t *in)
{
    sl_setting_t *setting;
    long on = 0, off = 0;
    int replaces = 0;

    for (int i = 0; i < in->count; i++) {
        const char *word = in->words[i];
        char sign = *word == '+' || *word == '-' ? *word++ : '\0';
        long index = word_index(in->row->words, word, strlen(word));

        if (index < 0)
            return wrong(in, "does not know the option '%s'; there are %s", in->words[i], list_words(in));
        replaces |= !sign;
        if (sign == '-')
            on &= ~(1L << index), off |= 1L << index;
        else
            on |= 1L << index, off &= ~(1L << index);
    }
    setting = (sl_setting_t *)sl_settings_get(in->settings, SL_OPTIONS);
    if (!setting || replaces)
        setting = set_only(in, SL_OPTIONS, 0, NULL);
    setting->number = (setting->number & ~off) | on;
    setting->cleared = replaces || setting->cleared < 0 ? -1 : (setting->cleared & ~on) | off;
    return APR_SUCCESS;
}

/* Whether there is such a provider is known to httpd alone. */
static apr_status_t read_cache(const sl_arguments_t *in)
{
    apr_status_t rv = want_text(in, 1, 1);
    long index;

    if (rv != APR_SUCCESS)
        return rv;
    index = word_index(in->row->words, in->words[0], strlen(in->words[0]));
    set_only(in, in->row->id, index < 0 ? SL_CACHE_PROVIDER : index, index < 0 ? in->words[0] : NULL);
    return APR_SUCCESS;
}

static apr_status_t read_expression(const sl_arguments_t *in)
{
    apr_status_t rv = want_text(in, 1, 1);

    if (rv == APR_SUCCESS)
        set_another(in, in->words[0]);
    return rv;
}

/* As curl writes them: SHA-256 of the SubjectPublicKeyInfo. */
static int is_pin(const char *word)
{
    unsigned char bytes[48];
    apr_size_t prefix = strlen(SL_PIN_PREFIX);

    return !strncmp(word, SL_PIN_PREFIX, prefix) && strlen(word + prefix) == 44 && word[prefix + 43] == '=' &&
           word[prefix + 42] != '=' && EVP_DecodeBlock(bytes, (const unsigned char *)word + prefix, 44) == 33;
}

static apr_status_t read_pins(const sl_arguments_t *in)
{
    apr_status_t rv = want_text(in, 1, INT_MAX);

    for (int i = 0; rv == APR_SUCCESS && i < in->count; i++) {
        if (!is_pin(in->words[i]))
            return wrong(in, "'%s' is no pin: write sha256// and the base64 of the SHA-256 of a public key",
                         in->words[i]);
        set_another(in, in->words[i]);
    }
    return rv;
}

static apr_status_t read_removed(const sl_arguments_t *in)
{
    return wrong(in, "%s", in->row->words);
}

static const read_kind_t readers[] = {
    [SL_KIND_FLAG] = read_flag,       [SL_KIND_NUMBER] = read_number,     [SL_KIND_WORD] = read_word,
    [SL_KIND_TEXT] = read_text,       [SL_KIND_FILE] = read_file,         [SL_KIND_FILES] = read_file,
    [SL_KIND_DIR] = read_dir,         [SL_KIND_NOTHING] = read_nothing,   [SL_KIND_PROTOCOLS] = read_protocols,
    [SL_KIND_CIPHERS] = read_ciphers, [SL_KIND_CONF_CMD] = read_conf_cmd, [SL_KIND_CRL_CHECK] = read_crl_check,
    [SL_KIND_OCSP_CHECK] = read_ocsp_check, [SL_KIND_URL] = read_url,
    [SL_KIND_CACHE] = read_cache,
    [SL_KIND_EXPRESSION] = read_expression,
    [SL_KIND_PINS] = read_pins,
    [SL_KIND_FILE_OR_URI] = read_file,
    [SL_KIND_OPTIONS] = read_options, [SL_KIND_REMOVED] = read_removed,   [SL_KIND_DIALOG] = read_dialog,
    [SL_KIND_RELOAD] = read_reload,
    [SL_KIND_ENGINE] = read_engine,   [SL_KIND_ONE_FLAG] = read_one_flag, [SL_KIND_RANDOM_SEED] = read_random_seed,
};

apr_status_t sl_settings_parse(sl_settings_t *settings, sl_row_id_t row, const char *const *words, int count,
                               const char *root, const sl_origin_t *origin, sl_problem_t *why)
{
    sl_arguments_t in = {settings, sl_row(row), words, count, root, origin, why};
    apr_status_t rv = readers[in.row->kind](&in);

    if (rv != APR_SUCCESS) {
        settings->refused[row / 64] |= APR_UINT64_C(1) << row % 64;
        if (why)
            why->origin = *origin;
    }
    return rv;
}
