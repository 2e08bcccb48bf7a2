/* The bytes of the entry are those of the structure, as far as its list is filled.  Written by directory_failures in
 * the keeper; httpd/survey_directories shows it. */
#include "keeper/directory_refusals.h"

#include <stddef.h>
#include <string.h>

#define HEAD offsetof(sl_directory_refusals_t, list)

apr_status_t sl_directory_refusals_make(sl_section_t **section, apr_pool_t *pool, sl_problem_t *why)
{
    return sl_section_make(section, pool, 1, sizeof(sl_directory_refusals_t), NULL, why);
}

void sl_directory_refusals_publish(sl_section_t *section, const sl_directory_refusals_t *refusals)
{
    apr_status_t rv =
        sl_section_publish(section, 0, refusals, HEAD + sizeof(refusals->list[0]) * (apr_size_t)refusals->count);

    (void)rv; /* there is room for a full list */
}

void sl_directory_refusals_read(const sl_section_t *section, sl_directory_refusals_t *refusals)
{
    apr_size_t length = sl_section_read(section, 0, refusals, sizeof(*refusals), NULL);
    int there = length < HEAD ? 0 : (int)((length - HEAD) / sizeof(refusals->list[0]));

    if (length < HEAD)
        refusals->all = 0;
    if (length < HEAD || refusals->count < 0 || refusals->count > there)
        refusals->count = there;
    for (int i = 0; i < refusals->count; i++) {
        refusals->list[i].entry[sizeof(refusals->list[i].entry) - 1] = '\0';
        refusals->list[i].reason[sizeof(refusals->list[i].reason) - 1] = '\0';
    }
}

int sl_directory_refusals_count(const sl_section_t *section)
{
    int all;

    return sl_section_peek(section, 0, &all, sizeof(all)) == sizeof(all) ? all : 0;
}
