/* What there is to tell of certificates and files: for the status page, JSON, metrics and mod_status's block alike.
 *
 * Only certificates that are asked for one by one are decoded; the rest is known without, however many there are.
 * Runs in: any thread of a child. */
#ifndef SL_HTTPD_SURVEY_H
#define SL_HTTPD_SURVEY_H

#include <httpd.h>

#include "httpd/identities.h"
#include "httpd/stapling.h"

/* ---- all of them ---- */

#define SL_EXPIRY_BOUNDS 7
extern const int sl_expiry_days[SL_EXPIRY_BOUNDS]; /* ascending; the first: 0 */

/* Of a certificate, by its dates. */
typedef enum { SL_TERM_VALID, SL_TERM_SOON, SL_TERM_EXPIRED, SL_TERM_EARLY, SL_TERMS } sl_term_t;

/* "valid"; "expiring": 14 days are left, or a third of the life of one that lives shortly; "expired";
 * "not-yet-valid" */
const char *sl_term_word(sl_term_t term);

sl_term_t sl_term_of(apr_int64_t not_before, apr_int64_t not_after, apr_int64_t now);

/* Certificates by their dates. */
typedef struct sl_survey_dates_t {
    int certificates;
    int terms[SL_TERMS];          /* of those */
    int within[SL_EXPIRY_BOUNDS]; /* of those, that end within so many days (0: have ended) */
    apr_int64_t first_expiry;     /* seconds since 1970; 0: there is none */
} sl_survey_dates_t;

/* One more. */
void sl_survey_add_dates(sl_survey_dates_t *dates, apr_int64_t not_before, apr_int64_t not_after, apr_int64_t now);

typedef struct sl_survey_t {
    sl_survey_dates_t dates;
    int refused; /* of those, with newer files that were refused */
    int staples[SL_STAPLING_KINDS]; /* certificates by what is stapled */
    int staples_failing;            /* whose responder failed the last time */
    int left_out; /* virtual hosts (SecureLayerBrokenHost) */
    int is_reloading;
    int files_refused;        /* of all that is reloaded */
    apr_int64_t last_taken;   /* when newer files were taken last; 0: never */
    apr_int64_t last_refused; /* when files that are there now were refused last; 0: none are */
} sl_survey_t;

void sl_survey_make(sl_survey_t *survey, apr_int64_t now);

/* ---- some of them ---- */

typedef struct sl_place_t {
    apr_int64_t not_after;
    int id;
} sl_place_t;

/* sl_place_t of the certificates with `filter` in a name of a host or in the path, upper and lower case alike, the
 * first to expire first. */
apr_array_header_t *sl_survey_find(apr_pool_t *pool, const char *filter);

typedef struct sl_survey_row_t {
    const sl_identity_record_t *record;
    sl_reload_state_t reload; /* with the dates of what is served */
    sl_term_t term;
    sl_stapling_kind_t stapling;
    sl_staple_state_t staple;
    const char *issuer, *key_type, *serial, *sha256; /* NULL if it could not be decoded */
} sl_survey_row_t;

/* Of an id that sl_survey_find() gave. */
void sl_survey_look(apr_pool_t *pool, int id, apr_int64_t now, sl_survey_row_t *row);

/* ---- files ---- */

typedef struct sl_survey_file_t {
    const char *name; /* "the certificate /etc/ssl/a.pem" */
    sl_reload_state_t state;
} sl_survey_file_t;

/* sl_survey_file_t of what is reloaded and was refused; of what is reloaded and no certificate of a host. The first
 * `most` of them, *all becomes how many there are. */
apr_array_header_t *sl_survey_refused(apr_pool_t *pool, int most, int *all);
apr_array_header_t *sl_survey_others(apr_pool_t *pool, int most, int *all);

/* ---- times ---- */

/* RFC 3339: "2027-01-31T12:00:00Z" */
const char *sl_survey_time(apr_pool_t *pool, apr_int64_t seconds);

#endif
