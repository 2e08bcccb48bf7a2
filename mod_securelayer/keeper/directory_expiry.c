/* A look at the dates of all slots when a step may have come.  Called by keeper/directory_job; directory_answer notes
 * what comes onto the board. */
#include "keeper/directory_expiry.h"

#include "base/bytes.h"
#include "keeper/expiry.h"

#define LOOK_PAUSE 60 /* seconds between two looks at least: each writes a bounded number of lines */
#define MOST_DATES 200 /* that one look takes from the board, of what another keeper left there */
#define TOLD_BITS 22 /* of the number of bits */

struct sl_directory_expiry_t {
    apr_int64_t due, last; /* seconds since 1970 */
    unsigned char *told;
};

/* One look. */
typedef struct look_t {
    sl_directory_work_t *work;
    apr_int64_t now, next;
    int lines, dates_left;
} look_t;

sl_directory_expiry_t *sl_directory_expiry_make(apr_pool_t *pool)
{
    sl_directory_expiry_t *expiry = apr_pcalloc(pool, sizeof(*expiry));

    expiry->told = apr_pcalloc(pool, (apr_size_t)1 << (TOLD_BITS - 3));
    return expiry;
}

static apr_int64_t seconds(const sl_directory_work_t *work)
{
    return apr_time_sec(sl_world_now(work->loop->world));
}

static sl_expiry_t dates_of(const sl_directory_slot_t *record)
{
    sl_expiry_t what = {NULL, record->not_before, record->not_after};

    return what;
}

/* ---- what was told ---- */

static unsigned char *byte_of(const sl_directory_work_t *work, int slot, int step, unsigned *bit)
{
    const sl_directory_slot_t *record = &work->slots[slot];
    apr_uint64_t place = SL_HASH_START;
    sl_entry_key_t key;

    sl_directory_board_key(work->board, record->directory, record->entry, &key);
    place = sl_hash(place, &key.tag, sizeof(key.tag));
    place = sl_hash(place, &record->not_before, sizeof(record->not_before));
    place = sl_hash(place, &record->not_after, sizeof(record->not_after));
    place = sl_hash(place, &step, sizeof(step)) >> (64 - TOLD_BITS);
    *bit = 1u << (place & 7);
    return &work->expiry->told[place >> 3];
}

static int is_told(const sl_directory_work_t *work, int slot, int step)
{
    unsigned bit;
    const unsigned char *byte = byte_of(work, slot, step, &bit);

    return (*byte & bit) != 0;
}

static void note_told(const sl_directory_work_t *work, int slot, int step)
{
    unsigned bit;
    unsigned char *byte = byte_of(work, slot, step, &bit);

    *byte = (unsigned char)(*byte | bit);
}

/* ---- a look ---- */

static void plan(sl_directory_expiry_t *expiry, apr_int64_t when)
{
    if (when < expiry->last + LOOK_PAUSE)
        when = expiry->last + LOOK_PAUSE;
    if (when < expiry->due)
        expiry->due = when;
}

void sl_directory_expiry_note(sl_directory_work_t *work, int slot, int told)
{
    sl_expiry_t what = dates_of(&work->slots[slot]);
    apr_int64_t now = seconds(work);
    int over = sl_expiry_steps(&what, now);

    if (over && told)
        note_told(work, slot, over);
    plan(work->expiry, over && !told ? now : sl_expiry_next(&what, over));
}

static void tell(const look_t *look, int slot, const sl_expiry_t *dates)
{
    sl_identity_t *identity = sl_directory_slot_get(look->work, slot, SL_BLOB_CERTIFICATES);
    sl_expiry_t what = *dates;

    what.name = identity ? identity->origin : look->work->slots[slot].entry;
    sl_expiry_tell(look->work->loop, &what, look->now);
    sl_identity_release(identity);
}

/* Another keeper has put it there, and has told of it. 0: not now. */
static int take_over(look_t *look, int slot)
{
    sl_identity_t *identity =
        look->dates_left > 0 ? sl_directory_slot_get(look->work, slot, SL_BLOB_CERTIFICATES) : NULL;

    look->dates_left--;
    if (!identity)
        return 0;
    sl_directory_slot_note_dates(&look->work->slots[slot], identity);
    sl_identity_release(identity);
    sl_directory_expiry_note(look->work, slot, 1);
    return 1;
}

static void look_at(look_t *look, int slot)
{
    const sl_directory_slot_t *record = &look->work->slots[slot];
    sl_expiry_t what;
    apr_int64_t next;
    int over;

    if (!record->entry || (!record->not_after && !take_over(look, slot)))
        return;
    what = dates_of(record);
    over = sl_expiry_steps(&what, look->now);
    if (over && !is_told(look->work, slot, over)) {
        note_told(look->work, slot, over);
        if (++look->lines <= SL_EXPIRY_LINES)
            tell(look, slot, &what);
    }
    next = sl_expiry_next(&what, over);
    if (next < look->next)
        look->next = next;
}

apr_time_t sl_directory_expiry_due(const sl_directory_work_t *work)
{
    return apr_time_from_sec(work->expiry->due);
}

void sl_directory_expiry_look(sl_directory_work_t *work)
{
    sl_directory_expiry_t *expiry = work->expiry;
    look_t look = {work, seconds(work), APR_INT64_MAX, 0, MOST_DATES};

    if (look.now < expiry->due && look.now >= expiry->last) /* else the clock was set back */
        return;
    expiry->last = look.now;
    expiry->due = look.now + SL_EXPIRY_PAUSE;
    for (int slot = 0; slot < sl_directory_board_slots(work->board); slot++)
        look_at(&look, slot);
    sl_expiry_tell_rest(work->loop, look.lines, " in SecureLayerCertificateDirectory");
    plan(expiry, look.next);
    if (look.dates_left < 0)
        expiry->due = look.now + 1;
}
