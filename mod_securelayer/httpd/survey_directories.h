/* What there is to tell of certificate directories (SecureLayerCertificateDirectory): as httpd/survey of all else.
 *
 * Each walk looks at all slots of the directory_board once, at a few numbers of each, and at its name if names are
 * filtered; no certificate is decoded. Runs in: any thread of a child. */
#ifndef SL_HTTPD_SURVEY_DIRECTORIES_H
#define SL_HTTPD_SURVEY_DIRECTORIES_H

#include "httpd/survey.h"
#include "keeper/directory_bundle.h"
#include "keeper/directory_refusals.h"

/* ---- counts ---- */

#define SL_DIRECTORY_FIGURES 8
typedef struct sl_survey_figure_t {
    const char *key;   /* of JSON and metrics: "loaded" */
    const char *words; /* of the page */
    int is_total;      /* it only grows */
    apr_uint64_t value;
} sl_survey_figure_t;

/* 0: there is no directory. */
int sl_survey_directories(sl_survey_figure_t figures[SL_DIRECTORY_FIGURES]);

/* ---- certificates that are in use ---- */

#define SL_SURVEY_SOONEST 50

typedef struct sl_survey_entry_t {
    int directory;
    char entry[SL_HOST_MAX + 1];
    sl_directory_facts_t facts;
} sl_survey_entry_t;

typedef struct sl_survey_entries_t {
    sl_survey_dates_t dates; /* of all */
    int matching;            /* with the filter in the entry or the path of the directory, upper and lower case alike */
    int count;               /* of those in the list */
    sl_survey_entry_t soonest[SL_SURVEY_SOONEST]; /* the first to expire first */
} sl_survey_entries_t;

/* `filter` NULL: dates alone. Zeroes without a directory. */
void sl_survey_entries(sl_survey_entries_t *entries, const char *filter, apr_int64_t now);

/* ---- what can't be used at this moment ---- */

/* Empty without a directory. */
void sl_survey_refusals(sl_directory_refusals_t *refusals);
/* The number alone. */
int sl_survey_refusals_count(void);

#endif
