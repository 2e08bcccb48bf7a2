/* Arguments of directives into settings.  One reader per kind; httpd/directives splits the line and calls. */
#include "profile/settings.h"

#include <apr_file_info.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
    apr_array_header_t *set = settings->set;
    int at = set->nelts;

    apr_array_push(set);
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
    values[setting->count].text = text ? apr_pstrdup(in->settings->pool, text) : NULL;
    values[setting->count].origin = *in->origin;
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
    return sl_problem_set(in->why, APR_EINVAL, NULL, "%s %s", in->row->name, text);
}

static apr_status_t want(const sl_arguments_t *in, int least, int most)
{
    if (in->count >= least && in->count <= most)
        return APR_SUCCESS;
    if (!most)
        return wrong(in, "takes no arguments");
    if (least == most)
        return wrong(in, "takes %d argument%s, not %d: %s", least, least == 1 ? "" : "s", in->count, in->row->help);
    return wrong(in, "does not take %d arguments: %s", in->count, in->row->help);
}

static apr_status_t read_flag(const sl_arguments_t *in)
{
    apr_status_t rv = want(in, 1, 1);

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
    if (end == in->words[0] || *end || errno)
        return wrong(in, "must be a whole number, not '%s'", in->words[0]);
    if (number < in->row->minimum || number > in->row->maximum)
        return wrong(in, "must be between %ld and %ld, not %ld", in->row->minimum, in->row->maximum, number);
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

static apr_status_t read_word(const sl_arguments_t *in)
{
    apr_status_t rv = want(in, 1, 1);
    long index;

    if (rv != APR_SUCCESS)
        return rv;
    index = word_index(in->row->words, in->words[0], strlen(in->words[0]));
    if (index < 0)
        return wrong(in, "does not know '%s': %s", in->words[0], in->row->help);
    set_only(in, in->row->id, index, NULL);
    return APR_SUCCESS;
}

static apr_status_t read_text(const sl_arguments_t *in)
{
    apr_status_t rv = want(in, 1, 1);

    if (rv == APR_SUCCESS)
        set_only(in, in->row->id, 0, in->words[0]);
    return rv;
}

/* Makes the path absolute and looks whether it is what the directive wants. */
static apr_status_t check_path(const sl_arguments_t *in, const char *word, apr_filetype_e type, const char **path)
{
    apr_finfo_t info;
    apr_status_t rv;
    char *merged = NULL;

    *path = word;
    if (!in->root)
        return APR_SUCCESS;
    rv = apr_filepath_merge(&merged, in->root, word, APR_FILEPATH_TRUENAME, in->settings->pool);
    if (!merged)
        return wrong(in, "'%s' is no usable path", word);
    *path = merged;
    rv = apr_stat(&info, merged, APR_FINFO_TYPE | APR_FINFO_SIZE, in->settings->pool);
    if (rv != APR_SUCCESS) {
        char text[120];

        return wrong(in, "'%s' can't be used: %s", merged, apr_strerror(rv, text, sizeof(text)));
    }
    if (info.filetype != type)
        return wrong(in, "'%s' is not a %s", merged, type == APR_DIR ? "directory" : "regular file");
    if (type == APR_REG && info.size == 0)
        return wrong(in, "'%s' is empty", merged);
    return APR_SUCCESS;
}

static apr_status_t read_path(const sl_arguments_t *in, apr_filetype_e type)
{
    const char *path;
    apr_status_t rv = want(in, 1, 1);

    if (rv == APR_SUCCESS)
        rv = check_path(in, in->words[0], type, &path);
    if (rv != APR_SUCCESS)
        return rv;
    if (in->row->kind == SL_KIND_FILES)
        set_another(in, path);
    else
        set_only(in, in->row->id, 0, path);
    return APR_SUCCESS;
}

static apr_status_t read_file(const sl_arguments_t *in)
{
    return read_path(in, APR_REG);
}

static apr_status_t read_dir(const sl_arguments_t *in)
{
    return read_path(in, APR_DIR);
}

static apr_status_t read_nothing(const sl_arguments_t *in)
{
    apr_status_t rv = want(in, 0, 0);

    if (rv == APR_SUCCESS)
        set_only(in, in->row->id, 1, NULL);
    return rv;
}

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

/* "TLSv1.2 TLSv1.3" means both; a bare word after [+-] words starts the set anew, as in mod_ssl. */
static apr_status_t read_protocols(const sl_arguments_t *in)
{
    apr_status_t rv = want(in, 1, 16);
    long protocols = 0;
    int bare = 0;

    if (rv != APR_SUCCESS)
        return rv;
    for (int i = 0; i < in->count; i++) {
        const char *word = in->words[i];
        char sign = *word == '+' || *word == '-' ? *word++ : '\0';
        long bits = protocol_bits(word);

        if (!strcasecmp(word, "SSLv2") && sign == '-')
            continue;
        if (!bits && !strcasecmp(word, "SSLv2"))
            return wrong(in, "can't switch SSLv2 on: no library speaks it any more");
        if (!bits)
            return wrong(in, "does not know the protocol '%s': use SSLv3, TLSv1, TLSv1.1, TLSv1.2, TLSv1.3 or all", word);
        if (sign == '-')
            protocols &= ~bits;
        else if (sign == '+' || bare)
            protocols |= bits;
        else
            protocols = bits;
        bare = !sign;
    }
    set_only(in, SL_PROTOCOL, protocols, NULL);
    return APR_SUCCESS;
}

static apr_status_t read_ciphers(const sl_arguments_t *in)
{
    apr_status_t rv = want(in, 1, 2);

    if (rv != APR_SUCCESS)
        return rv;
    if (in->count == 1)
        set_only(in, SL_CIPHERS, 0, in->words[0]);
    else if (!strcmp(in->words[0], "SSL"))
        set_only(in, SL_CIPHERS, 0, in->words[1]);
    else if (!strcmp(in->words[0], "TLSv1.3"))
        set_only(in, SL_SUITES, 0, in->words[1]);
    else
        return wrong(in, "knows the protocols SSL and TLSv1.3, not '%s'", in->words[0]);
    return APR_SUCCESS;
}

static apr_status_t read_conf_cmd(const sl_arguments_t *in)
{
    apr_status_t rv = want(in, 2, 2);

    if (rv == APR_SUCCESS)
        set_another(in, apr_pstrcat(in->settings->pool, in->words[0], "\t", in->words[1], NULL));
    return rv;
}

static apr_status_t read_crl_check(const sl_arguments_t *in)
{
    apr_status_t rv = want(in, 1, 2);
    long check;

    if (rv != APR_SUCCESS)
        return rv;
    check = word_index("none|leaf|chain", in->words[0], strlen(in->words[0]));
    if (check < 0)
        return wrong(in, "does not know '%s': %s", in->words[0], in->row->help);
    if (in->count == 2 && strcasecmp(in->words[1], "no_crl_for_cert_ok"))
        return wrong(in, "does not know the flag '%s': only no_crl_for_cert_ok", in->words[1]);
    set_only(in, SL_CRL_CHECK, check | (in->count == 2 ? SL_CRL_MISSING_OK : 0), NULL);
    return APR_SUCCESS;
}

static apr_status_t read_options(const sl_arguments_t *in)
{
    apr_status_t rv = want(in, 1, 64);
    sl_setting_t *setting;
    long on = 0, off = 0;
    int replaces = 0;

    if (rv != APR_SUCCESS)
        return rv;
    for (int i = 0; i < in->count; i++) {
        const char *word = in->words[i];
        char sign = *word == '+' || *word == '-' ? *word++ : '\0';
        long index = word_index(in->row->words, word, strlen(word));

        if (index < 0)
            return wrong(in, "does not know the option '%s'", in->words[i]);
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

static apr_status_t read_removed(const sl_arguments_t *in)
{
    return sl_problem_set(in->why, APR_EINVAL, NULL, "%s", in->row->words);
}

static const read_kind_t readers[] = {
    [SL_KIND_FLAG] = read_flag,           [SL_KIND_NUMBER] = read_number,       [SL_KIND_WORD] = read_word,
    [SL_KIND_TEXT] = read_text,           [SL_KIND_FILE] = read_file,           [SL_KIND_FILES] = read_file,
    [SL_KIND_DIR] = read_dir,             [SL_KIND_NOTHING] = read_nothing,     [SL_KIND_PROTOCOLS] = read_protocols,
    [SL_KIND_CIPHERS] = read_ciphers,     [SL_KIND_CONF_CMD] = read_conf_cmd,   [SL_KIND_CRL_CHECK] = read_crl_check,
    [SL_KIND_OPTIONS] = read_options,     [SL_KIND_REMOVED] = read_removed,
};

apr_status_t sl_settings_parse(sl_settings_t *settings, sl_row_id_t row, const char *const *words, int count,
                               const char *root, const sl_origin_t *origin, sl_problem_t *why)
{
    sl_arguments_t in = {settings, sl_row(row), words, count, root, origin, why};

    return readers[in.row->kind](&in);
}
