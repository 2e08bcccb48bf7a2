/* The record of settings: rows, inheritance, effective values, comparison.  settings_parse.c reads the arguments. */
#include "profile/settings.h"

#include <apr_strings.h>
#include <string.h>

#define FEW 3 /* settings: as many as most virtual hosts have */

static const sl_row_t rows[] = {
#define SL_ROW(id, name, kind, where, merge, minimum, maximum, initial, words, weight, help)                           \
    {id, name, kind, where, merge, minimum, maximum, initial, words, weight, help, 0},
#define SL_SLOT(id, name, kind, where, merge, minimum, maximum, initial, words, weight, help)                          \
    {id, name, kind, where, merge, minimum, maximum, initial, words, weight, help, 1},
#include "profile/settings_rows.h"
#undef SL_ROW
#undef SL_SLOT
};

const sl_row_t *sl_row(sl_row_id_t id)
{
    return &rows[id];
}

/* Of all records in which nothing is set: most of them. */
static apr_array_header_t nothing = {NULL, sizeof(sl_setting_t), 0, 0, NULL};

sl_settings_t *sl_settings_make(apr_pool_t *pool)
{
    sl_settings_t *settings = apr_palloc(pool, sizeof(*settings));

    settings->pool = pool;
    settings->set = &nothing;
    memset(settings->refused, 0, sizeof(settings->refused));
    return settings;
}

static void append_values(sl_setting_t *to, const sl_setting_t *from, int start, int end)
{
    for (int i = start; i < end && i < from->count; i++)
        to->values[to->count++] = from->values[i];
}

static void merge_values(apr_pool_t *pool, sl_setting_t *merged, const sl_setting_t *parent, const sl_setting_t *child)
{
    merged->values = apr_palloc(pool, sizeof(sl_value_t) * (apr_size_t)(parent->count + child->count));
    merged->count = 0;
    if (rows[child->row].merge == SL_APPEND) {
        append_values(merged, parent, 0, parent->count);
        append_values(merged, child, 0, child->count);
        return;
    }
    /* Only the first three certificates take an inherited one's place, later ones are added: as mod_ssl has it. */
    append_values(merged, child, 0, 3);
    append_values(merged, parent, merged->count, parent->count);
    append_values(merged, child, 3, child->count);
}

static void merge_setting(apr_pool_t *pool, sl_setting_t *merged, const sl_setting_t *parent, const sl_setting_t *child)
{
    *merged = *child;
    switch (rows[child->row].merge) {
    case SL_CHILD_WINS:
        break;
    case SL_APPEND:
    case SL_BY_POSITION:
        merge_values(pool, merged, parent, child);
        break;
    case SL_OPTION_BITS:
        if (child->cleared < 0)
            break;
        merged->number = (parent->number & ~child->cleared) | child->number;
        merged->cleared = parent->cleared < 0 ? -1 : (parent->cleared & ~child->number) | child->cleared;
        break;
    }
}

sl_setting_t *sl_settings_push(sl_settings_t *settings)
{
    if (settings->set == &nothing)
        settings->set = apr_array_make(settings->pool, FEW, sizeof(sl_setting_t));
    return apr_array_push(settings->set);
}

/* What was refused in the parent does not matter where the child has a value of its own. */
static void merge_refused(sl_settings_t *merged, const sl_settings_t *parent, const sl_settings_t *child)
{
    static const apr_uint64_t none[SL_ROW_WORDS];

    memcpy(merged->refused, child->refused, sizeof(merged->refused));
    if (!memcmp(parent->refused, none, sizeof(none)))
        return;
    for (int row = 0; row < SL_ROWS; row++) {
        if (sl_settings_is_refused(parent, (sl_row_id_t)row) &&
            (rows[row].merge != SL_CHILD_WINS || !sl_settings_get(child, (sl_row_id_t)row)))
            merged->refused[row / 64] |= APR_UINT64_C(1) << row % 64;
    }
}

sl_settings_t *sl_settings_merge(apr_pool_t *pool, const sl_settings_t *parent, const sl_settings_t *child)
{
    sl_settings_t *merged = apr_palloc(pool, sizeof(*merged));
    int p = 0, c = 0;

    merged->pool = pool;
    merge_refused(merged, parent, child);
    if (!parent->set->nelts || !child->set->nelts) {
        merged->set = parent->set->nelts ? parent->set : child->set;
        return merged;
    }
    merged->set = apr_array_make(pool, parent->set->nelts + child->set->nelts, sizeof(sl_setting_t));
    while (p < parent->set->nelts || c < child->set->nelts) {
        const sl_setting_t *from_parent = p < parent->set->nelts ? &APR_ARRAY_IDX(parent->set, p, sl_setting_t) : NULL;
        const sl_setting_t *from_child = c < child->set->nelts ? &APR_ARRAY_IDX(child->set, c, sl_setting_t) : NULL;
        sl_setting_t *next = apr_array_push(merged->set);

        if (!from_child || (from_parent && from_parent->row < from_child->row)) {
            *next = *from_parent;
            p++;
        }
        else if (!from_parent || from_child->row < from_parent->row) {
            *next = *from_child;
            c++;
        }
        else {
            merge_setting(pool, next, from_parent, from_child);
            p++;
            c++;
        }
    }
    return merged;
}

int sl_settings_is_refused(const sl_settings_t *settings, sl_row_id_t row)
{
    return settings->refused[row / 64] >> row % 64 & 1;
}

const sl_setting_t *sl_settings_get(const sl_settings_t *settings, sl_row_id_t row)
{
    for (int i = 0; i < settings->set->nelts; i++) {
        const sl_setting_t *setting = &APR_ARRAY_IDX(settings->set, i, sl_setting_t);

        if (setting->row == row)
            return setting;
    }
    return NULL;
}

sl_origin_t sl_settings_origin(const sl_settings_t *settings, sl_row_id_t row)
{
    const sl_setting_t *setting = sl_settings_get(settings, row);
    sl_origin_t none = {NULL, 0, rows[row].name};

    return setting ? setting->values[0].origin : none;
}

static const sl_policy_t *policy_of(const sl_settings_t *settings)
{
    const sl_setting_t *policy = sl_settings_get(settings, SL_POLICY);

    return sl_policy(policy ? policy->number : rows[SL_POLICY].initial);
}

/* The side that connects to backends has one only where a <Proxy> section says so: mod_ssl's defaults count else. */
static const sl_policy_t *client_policy_of(const sl_settings_t *settings)
{
    const sl_setting_t *policy = sl_settings_get(settings, SL_POLICY);

    return policy ? sl_policy(policy->number) : NULL;
}

static const char *client_text(const sl_policy_t *policy, sl_row_id_t row)
{
    switch (row) {
    case SL_PROXY_CIPHERS:
        return policy->ciphers;
    case SL_PROXY_SUITES:
        return policy->suites;
    case SL_PROXY_GROUPS:
        return policy->groups;
    default:
        return NULL;
    }
}

long sl_settings_number(const sl_settings_t *settings, sl_row_id_t row)
{
    const sl_setting_t *setting = sl_settings_get(settings, row);

    if (setting)
        return setting->number;
    if (row == SL_PROTOCOL)
        return policy_of(settings)->protocols;
    if (row == SL_HONOR_ORDER)
        return policy_of(settings)->honor_order;
    if (row == SL_PROXY_PROTOCOL && client_policy_of(settings))
        return client_policy_of(settings)->protocols;
    return rows[row].initial;
}

const char *sl_settings_text(const sl_settings_t *settings, sl_row_id_t row)
{
    const sl_setting_t *setting = sl_settings_get(settings, row);

    if (setting)
        return setting->values[0].text;
    if (row == SL_CIPHERS)
        return policy_of(settings)->ciphers;
    if (row == SL_SUITES)
        return policy_of(settings)->suites;
    return client_policy_of(settings) ? client_text(client_policy_of(settings), row) : NULL;
}

/* With its length: no text can pass for two others. */
static const char *text_digest(const char *digest, const char *text, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%s:%lu:%s", digest, text ? (unsigned long)strlen(text) : 0, text ? text : "");
}

static const char *row_digest(const sl_settings_t *settings, sl_row_id_t row, apr_pool_t *pool)
{
    const sl_setting_t *setting = sl_settings_get(settings, row);
    const char *digest = apr_psprintf(pool, "%d=%ld", (int)row, sl_settings_number(settings, row));

    if (!setting)
        digest = text_digest(digest, sl_settings_text(settings, row), pool);
    for (int i = 0; setting && i < setting->count; i++)
        digest = text_digest(digest, setting->values[i].text, pool);
    return apr_pstrcat(pool, digest, "\n", NULL);
}

static int counts(int row, int weight)
{
    return rows[row].weight & weight && !(weight & SL_NOT_OF_SECTIONS && rows[row].where & SL_DIR) &&
           !(weight & SL_NOT_BY_CONTENTS && rows[row].weight & SL_BY_CONTENTS);
}

/* The next one from `*at` on that says something about rows of `weight`; NULL: none does. */
static const sl_setting_t *next_of(const sl_settings_t *settings, int weight, int *at)
{
    while (*at < settings->set->nelts) {
        const sl_setting_t *setting = &APR_ARRAY_IDX(settings->set, (*at)++, sl_setting_t);

        if (counts((int)setting->row, weight) || setting->row == SL_POLICY)
            return setting;
    }
    return NULL;
}

static int is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static int is_same(const sl_setting_t *a, const sl_setting_t *b)
{
    if (a == b)
        return 1;
    if (!a || !b || a->row != b->row || a->number != b->number || a->count != b->count)
        return 0;
    for (int i = 0; i < a->count; i++) {
        if (!is_same_text(a->values[i].text, b->values[i].text))
            return 0;
    }
    return 1;
}

int sl_settings_is_alike(const sl_settings_t *a, const sl_settings_t *b, int weight)
{
    const sl_setting_t *of_a, *of_b;
    int at_a = 0, at_b = 0;

    do {
        of_a = next_of(a, weight, &at_a);
        of_b = next_of(b, weight, &at_b);
        if (!is_same(of_a, of_b))
            return 0;
    } while (of_a);
    return 1;
}

const char *sl_settings_digest(const sl_settings_t *settings, int weight, apr_pool_t *pool)
{
    const char *digest = "";

    for (int row = 0; row < SL_ROWS; row++) {
        if (counts(row, weight))
            digest = apr_pstrcat(pool, digest, row_digest(settings, (sl_row_id_t)row, pool), NULL);
    }
    return digest;
}

const char *sl_settings_difference(const sl_settings_t *a, const sl_settings_t *b, int weight, apr_pool_t *pool)
{
    for (int row = 0; row < SL_ROWS; row++) {
        if (counts(row, weight) && strcmp(row_digest(a, (sl_row_id_t)row, pool), row_digest(b, (sl_row_id_t)row, pool)))
            return rows[row].name;
    }
    return NULL;
}
