/* Counts of the second, and a bit for each name that was found once.  Used by keeper/directory_answer. */
#include "keeper/directory_limits.h"

#include <apr_strings.h>

#define SECOND 1000000u
#define LINES_PER_SECOND 10
#define KNOWN_BITS 22 /* of the number of bits by which names are known that were found once */

struct sl_directory_limits_t {
    apr_uint64_t second;
    int absent_left, lines_left, silent;
    unsigned char *known;
};

sl_directory_limits_t *sl_directory_limits_make(apr_pool_t *pool)
{
    sl_directory_limits_t *limits = apr_pcalloc(pool, sizeof(*limits));

    limits->known = apr_pcalloc(pool, (apr_size_t)1 << (KNOWN_BITS - 3));
    return limits;
}

void sl_directory_limits_begin(sl_directory_limits_t *limits, apr_uint64_t now)
{
    if (now / SECOND == limits->second)
        return;
    limits->second = now / SECOND;
    limits->absent_left = SL_DIRECTORY_MOST_ABSENT;
    limits->lines_left = LINES_PER_SECOND;
}

static unsigned char *known_byte(const sl_directory_limits_t *limits, const sl_entry_key_t *key, unsigned *bit)
{
    apr_uint64_t place = key->tag >> (64 - KNOWN_BITS);

    *bit = 1u << (place & 7);
    return &limits->known[place >> 3];
}

int sl_directory_limits_may_look(const sl_directory_limits_t *limits, const sl_entry_key_t *key)
{
    unsigned bit;
    const unsigned char *byte = known_byte(limits, key, &bit);

    return limits->absent_left > 0 || (*byte & bit) != 0;
}

void sl_directory_limits_charge(sl_directory_limits_t *limits, int cost)
{
    limits->absent_left -= cost;
}

int sl_directory_limits_note_found(sl_directory_limits_t *limits, const sl_entry_key_t *key)
{
    unsigned bit;
    unsigned char *byte = known_byte(limits, key, &bit);
    int is_first = (*byte & bit) == 0;

    *byte = (unsigned char)(*byte | bit);
    return is_first;
}

const char *sl_directory_limits_line(sl_directory_limits_t *limits, apr_pool_t *pool)
{
    const char *more = "";

    if (limits->lines_left <= 0) {
        limits->silent++;
        return NULL;
    }
    limits->lines_left--;
    if (limits->silent)
        more = apr_psprintf(pool, " (%d lines about others were left out)", limits->silent);
    limits->silent = 0;
    return more;
}
