/* A walk over the slots of the directory_board, and what the keeper refuses.  Asked by status_html, status_json and
 * metrics. */
#include "httpd/survey_directories.h"

#include <string.h>

#include "httpd/directories.h"
#include "httpd/keeper_hooks.h"

/* ---- counts ---- */

int sl_survey_directories(sl_survey_figure_t figures[SL_DIRECTORY_FIGURES])
{
    sl_directory_counts_t counts;

    if (!sl_directories_counts(&counts))
        return 0;
    figures[0] = (sl_survey_figure_t){"directories", "directories", 0, (apr_uint64_t)counts.directories};
    figures[1] = (sl_survey_figure_t){"identities", "certificates at hand", 0, (apr_uint64_t)counts.identities};
    figures[2] = (sl_survey_figure_t){"questions", "questions to the keeper", 1, counts.questions};
    figures[3] = (sl_survey_figure_t){"loaded", "certificates read", 1, counts.loaded};
    figures[4] = (sl_survey_figure_t){"not_there", "names that were not there", 1, counts.not_there};
    figures[5] = (sl_survey_figure_t){"refused", "tries of files that can't be used", 1, counts.refused};
    figures[6] = (sl_survey_figure_t){"put_off", "names beyond the bound", 1, counts.put_off};
    figures[7] = (sl_survey_figure_t){"unanswered", "questions without an answer in time", 1, counts.unanswered};
    return 1;
}

/* ---- certificates that are in use ---- */

static int is_sooner(const sl_survey_entry_t *a, const sl_survey_entry_t *b)
{
    if (a->facts.not_after != b->facts.not_after)
        return a->facts.not_after < b->facts.not_after;
    return strcmp(a->entry, b->entry) < 0;
}

/* Puts it where it belongs among the first ones. */
static void insert(sl_survey_entries_t *entries, const sl_survey_entry_t *entry)
{
    sl_survey_entry_t *soonest = entries->soonest;
    int at = 0, last = entries->count < SL_SURVEY_SOONEST ? entries->count : SL_SURVEY_SOONEST - 1;

    if (entries->count == SL_SURVEY_SOONEST && !is_sooner(entry, &soonest[last]))
        return;
    while (at < last && !is_sooner(entry, &soonest[at]))
        at++;
    memmove(&soonest[at + 1], &soonest[at], sizeof(*soonest) * (size_t)(last - at));
    soonest[at] = *entry;
    entries->count = last + 1;
}

static int matches(const sl_survey_entry_t *entry, const char *filter)
{
    return !*filter || ap_strcasestr(entry->entry, filter) ||
           ap_strcasestr(sl_directories_path(entry->directory), filter);
}

static void add_slot(sl_survey_entries_t *entries, int slot, const char *filter, apr_int64_t now)
{
    unsigned char bytes[SL_DIRECTORY_FACTS_SIZE];
    sl_directory_facts_t facts[SL_DIRECTORY_KINDS];
    sl_survey_entry_t entry;
    apr_size_t length =
        sl_directory_board_peek(sl_directories_board(), slot, &entry.directory, entry.entry, bytes, sizeof(bytes));
    int count = length ? sl_directory_bundle_facts(bytes, length, facts) : 0;
    int is_wanted = count && filter && matches(&entry, filter);

    for (int i = 0; i < count; i++) {
        sl_survey_add_dates(&entries->dates, facts[i].not_before, facts[i].not_after, now);
        if (!is_wanted)
            continue;
        entry.facts = facts[i];
        entries->matching++;
        insert(entries, &entry);
    }
}

void sl_survey_entries(sl_survey_entries_t *entries, const char *filter, apr_int64_t now)
{
    const sl_directory_board_t *board = sl_directories_board();

    memset(entries, 0, sizeof(*entries));
    for (int slot = 0; board && slot < sl_directory_board_slots(board); slot++)
        add_slot(entries, slot, filter, now);
}

/* ---- what can't be used at this moment ---- */

static const sl_section_t *refusals_section(void)
{
    return sl_directories_board() ? sl_keeper_hooks_board()->directory_refusals : NULL;
}

void sl_survey_refusals(sl_directory_refusals_t *refusals)
{
    const sl_section_t *section = refusals_section();

    memset(refusals, 0, sizeof(*refusals));
    if (section)
        sl_directory_refusals_read(section, refusals);
}

int sl_survey_refusals_count(void)
{
    const sl_section_t *section = refusals_section();

    return section ? sl_directory_refusals_count(section) : 0;
}
