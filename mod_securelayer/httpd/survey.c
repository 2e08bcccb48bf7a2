/* Walks over identities and reloaded files.  Asked by status_html, status_json, metrics and status.
 *
 * A walk reads a few numbers of each certificate: it is short even for 100,000 of them. */
#include "httpd/survey.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/cert_text.h"
#include "httpd/broken_hosts.h"
#include "httpd/reload.h"
#include "keeper/reload_identity.h"

#define DAY 86400
#define SOON (14 * DAY)

const int sl_expiry_days[SL_EXPIRY_BOUNDS] = {0, 1, 3, 7, 14, 30, 90};

/* Who is left out for it says why. */
static int is_lacking(const sl_reload_item_t *item, const sl_reload_state_t *state)
{
    return item->is_awaited && !state->version;
}

static int count_of_certificates(void)
{
    return sl_identities_supply() ? sl_supply_count(sl_identities_supply()) : 0;
}

/* ---- all of them ---- */

const char *sl_term_word(sl_term_t term)
{
    static const char *const words[SL_TERMS] = {"valid", "expiring", "expired", "not-yet-valid"};

    return words[term];
}

sl_term_t sl_term_of(apr_int64_t not_before, apr_int64_t not_after, apr_int64_t now)
{
    apr_int64_t third = (not_after - not_before) / 3, left = not_after - now;

    if (left < 0)
        return SL_TERM_EXPIRED;
    if (not_before > now)
        return SL_TERM_EARLY;
    return left < (third < SOON ? third : SOON) ? SL_TERM_SOON : SL_TERM_VALID;
}

void sl_survey_add_dates(sl_survey_dates_t *dates, apr_int64_t not_before, apr_int64_t not_after, apr_int64_t now)
{
    dates->certificates++;
    dates->terms[sl_term_of(not_before, not_after, now)]++;
    if (!dates->first_expiry || not_after < dates->first_expiry)
        dates->first_expiry = not_after;
    for (int i = 0; i < SL_EXPIRY_BOUNDS; i++)
        dates->within[i] += not_after - now < (apr_int64_t)sl_expiry_days[i] * DAY;
}

static void add_certificate(sl_survey_t *survey, int id, apr_int64_t now)
{
    sl_reload_state_t state;
    sl_staple_state_t staple;

    if (!sl_identities_state(id, &state))
        return;
    sl_survey_add_dates(&survey->dates, state.not_before, state.not_after, now);
    survey->refused += state.refused != 0;
    survey->staples[sl_stapling_look(id, now, &staple)]++;
    survey->staples_failing += staple.failures != 0;
}

static void add_file(sl_survey_t *survey, int n)
{
    sl_reload_state_t state;

    sl_reload_state_read(sl_reload_states(), sl_reload_item(n)->entry, &state);
    if (is_lacking(sl_reload_item(n), &state))
        return;
    survey->files_refused += state.refused != 0;
    if (state.changed > survey->last_taken)
        survey->last_taken = state.changed;
    if (state.refused > survey->last_refused)
        survey->last_refused = state.refused;
}

void sl_survey_make(sl_survey_t *survey, apr_int64_t now)
{
    int count = count_of_certificates();

    memset(survey, 0, sizeof(*survey));
    for (int id = 0; id < count; id++) {
        if (sl_identities_record(id))
            add_certificate(survey, id, now);
    }
    survey->is_reloading = sl_reload_states() != NULL;
    for (int i = 0; survey->is_reloading && i < sl_reload_count(); i++)
        add_file(survey, i);
    survey->left_out = sl_broken_hosts_count();
}

/* ---- some of them ---- */

static int matches(const sl_identity_record_t *record, const char *filter)
{
    if (!*filter || (record->shown && ap_strcasestr(record->shown, filter)))
        return 1;
    for (int i = 0; i < record->names->nelts; i++) {
        if (ap_strcasestr(APR_ARRAY_IDX(record->names, i, const char *), filter))
            return 1;
    }
    return 0;
}

static int by_expiry(const void *left, const void *right)
{
    const sl_place_t *a = left, *b = right;

    if (a->not_after != b->not_after)
        return a->not_after < b->not_after ? -1 : 1;
    return a->id - b->id;
}

apr_array_header_t *sl_survey_find(apr_pool_t *pool, const char *filter)
{
    int all = count_of_certificates();
    apr_array_header_t *places = apr_array_make(pool, *filter ? 64 : all, sizeof(sl_place_t));

    for (int id = 0; id < all; id++) {
        const sl_identity_record_t *record = sl_identities_record(id);
        sl_reload_state_t state;
        sl_place_t *place;

        if (!record || !matches(record, filter) || !sl_identities_state(id, &state))
            continue;
        place = apr_array_push(places);
        place->not_after = state.not_after;
        place->id = id;
    }
    qsort(places->elts, (size_t)places->nelts, sizeof(sl_place_t), by_expiry);
    return places;
}

void sl_survey_look(apr_pool_t *pool, int id, apr_int64_t now, sl_survey_row_t *row)
{
    sl_identity_t *identity = sl_supply_look(sl_identities_supply(), id);

    memset(row, 0, sizeof(*row));
    row->record = sl_identities_record(id);
    (void)sl_identities_state(id, &row->reload);
    row->term = sl_term_of(row->reload.not_before, row->reload.not_after, now);
    row->stapling = sl_stapling_look(id, now, &row->staple);
    if (!identity)
        return;
    row->issuer = sl_cert_text_dn_for_log(pool, identity->leaf, SL_DN_ISSUER);
    row->key_type = apr_pstrdup(pool, sl_identity_key_type_of(X509_get0_pubkey(identity->leaf)));
    row->serial = sl_cert_text_serial(pool, identity->leaf);
    row->sha256 = sl_cert_text_sha256(pool, identity->leaf);
    sl_identity_release(identity);
}

/* ---- files ---- */

static void add_to(apr_array_header_t *files, int most, int *all, const sl_survey_file_t *file)
{
    (*all)++;
    if (files->nelts < most)
        APR_ARRAY_PUSH(files, sl_survey_file_t) = *file;
}

static apr_array_header_t *list_files(apr_pool_t *pool, int only_refused, int most, int *all)
{
    apr_array_header_t *files = apr_array_make(pool, 8, sizeof(sl_survey_file_t));

    *all = 0;
    for (int i = 0; sl_reload_states() && i < sl_reload_count(); i++) {
        const sl_reload_item_t *item = sl_reload_item(i);
        sl_survey_file_t file = {.name = item->name};

        if (!only_refused && item->load == sl_reload_identity)
            continue;
        sl_reload_state_read(sl_reload_states(), item->entry, &file.state);
        if (!only_refused || (file.state.refused && !is_lacking(item, &file.state)))
            add_to(files, most, all, &file);
    }
    return files;
}

apr_array_header_t *sl_survey_refused(apr_pool_t *pool, int most, int *all)
{
    return list_files(pool, 1, most, all);
}

apr_array_header_t *sl_survey_others(apr_pool_t *pool, int most, int *all)
{
    return list_files(pool, 0, most, all);
}

/* ---- times ---- */

const char *sl_survey_time(apr_pool_t *pool, apr_int64_t seconds)
{
    apr_time_exp_t at;

    if (apr_time_exp_gmt(&at, apr_time_from_sec(seconds)) != APR_SUCCESS)
        return "";
    return apr_psprintf(pool, "%04d-%02d-%02dT%02d:%02d:%02dZ", at.tm_year + 1900, at.tm_mon + 1, at.tm_mday,
                        at.tm_hour, at.tm_min, at.tm_sec);
}
