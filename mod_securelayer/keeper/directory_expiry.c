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

static sl_expiry_t dates_of(const sl_directory_slot_t *record, int nth)
{
    sl_expiry_t what = {NULL, record->dates[nth].not_before, record->dates[nth].not_after};

    return what;
}

/* ---- what was told ---- */

static unsigned char *byte_of(const sl_directory_work_t *work, int slot, int nth, int step, unsigned *bit)
{
    const sl_directory_slot_t *record = &work->slots[slot];
    apr_uint64_t place = SL_HASH_START;
    sl_entry_key_t key;

    sl_directory_board_key(work->board, record->directory, record->entry, &key);
    place = sl_hash(place, &key.tag, sizeof(key.tag));
    place = sl_hash(place, &nth, sizeof(nth));
    place = sl_hash(place, &record->dates[nth], sizeof(record->dates[nth]));
    place = sl_hash(place, &step, sizeof(step)) >> (64 - TOLD_BITS);
    *bit = 1u << (place & 7);
    return &work->expiry->told[place >> 3];
}

static int is_told(const sl_directory_work_t *work, int slot, int nth, int step)
{
    unsigned bit;
    const unsigned char *byte = byte_of(work, slot, nth, step, &bit);

    return (*byte & bit) != 0;
}

static void note_told(const sl_directory_work_t *work, int slot, int nth, int step)
{
    unsigned bit;
    unsigned char *byte = byte_of(work, slot, nth, step, &bit);

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

void sl_directory_expiry_note(sl_directory_work_t *work, int slot, unsigned told)
{
    apr_int64_t now = sl_directory_seconds(work);

    for (int i = 0; i < work->slots[slot].count; i++) {
        sl_expiry_t what = dates_of(&work->slots[slot], i);
        int over = sl_expiry_steps(&what, now), has_been = (told >> i & 1) != 0;

        if (over && has_been)
            note_told(work, slot, i, over);
        plan(work->expiry, over && !has_been ? now : sl_expiry_next(&what, over));
    }
}

static void tell(const look_t *look, int slot, int nth, sl_expiry_t what)
{
    sl_directory_bundle_t bundle;

    sl_directory_slot_get(look->work, slot, SL_BLOB_CERTIFICATES, &bundle);
    what.name = nth < bundle.count ? bundle.of[nth]->origin : look->work->slots[slot].entry;
    sl_expiry_tell(look->work->loop, &what, look->now);
    sl_directory_bundle_clear(&bundle);
}

/* Another keeper has put it there, and has told of it. */
static void take_over(look_t *look, int slot)
{
    sl_directory_bundle_t bundle;

    if (look->dates_left-- <= 0)
        return;
    sl_directory_slot_get(look->work, slot, SL_BLOB_CERTIFICATES, &bundle);
    sl_directory_slot_note_dates(&look->work->slots[slot], &bundle);
    sl_directory_bundle_clear(&bundle);
    sl_directory_expiry_note(look->work, slot, SL_DIRECTORY_TOLD_ALL);
}

static void look_at(look_t *look, int slot, int nth)
{
    sl_expiry_t what = dates_of(&look->work->slots[slot], nth);
    int over = sl_expiry_steps(&what, look->now);
    apr_int64_t next = sl_expiry_next(&what, over);

    if (over && !is_told(look->work, slot, nth, over)) {
        note_told(look->work, slot, nth, over);
        if (++look->lines <= SL_EXPIRY_LINES)
            tell(look, slot, nth, what);
    }
    if (next < look->next)
        look->next = next;
}

static void look_at_all(look_t *look)
{
    for (int slot = 0; slot < sl_directory_board_slots(look->work->board); slot++) {
        const sl_directory_slot_t *record = &look->work->slots[slot];

        if (record->entry && !record->count)
            take_over(look, slot);
        for (int i = 0; i < record->count; i++)
            look_at(look, slot, i);
    }
}

apr_time_t sl_directory_expiry_due(const sl_directory_work_t *work)
{
    return apr_time_from_sec(work->expiry->due);
}

void sl_directory_expiry_look(sl_directory_work_t *work)
{
    sl_directory_expiry_t *expiry = work->expiry;
    look_t look = {work, sl_directory_seconds(work), APR_INT64_MAX, 0, MOST_DATES};

    if (look.now < expiry->due && look.now >= expiry->last) /* else the clock was set back */
        return;
    expiry->last = look.now;
    expiry->due = look.now + SL_EXPIRY_PAUSE;
    look_at_all(&look);
    sl_expiry_tell_rest(work->loop, look.lines, " in SecureLayerCertificateDirectory");
    plan(expiry, look.next);
    if (look.dates_left < 0)
        expiry->due = look.now + 1;
}
