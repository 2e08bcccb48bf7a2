/* From files to what is to be on the board: each is read, judged beside what was there before and beside the others.
 * Called by keeper/directory_answer. */
#include "keeper/directory_load.h"

#include "identity/replacement.h"

#include <apr_strings.h>
#include <string.h>

typedef sl_directory_question_t question_t;

static int covers_below(const question_t *q, const sl_identity_t *identity)
{
    return *q->entry != '*' && sl_directory_covers_all(identity, apr_pstrcat(q->work->scratch, "*.", q->entry, NULL));
}

/* A certificate for all names below may be called by its parent alone, as certbot does it. */
static int is_for_entry(const question_t *q, const sl_identity_t *identity, sl_problem_t *why)
{
    if (*q->entry == '*' || sl_directory_covers_all(identity, q->entry) || covers_below(q, identity))
        return 1;
    sl_problem_set(why, APR_EINVAL, identity->origin, "the certificate does not cover %s", q->entry);
    sl_problem_advise(why, "Get one for that name, or give the file the name that it is for");
    return 0;
}

/* Of the same file; else one whose file is not there any more, as of another layout. NULL: there is none. */
static sl_identity_t *one_before(const question_t *q, const sl_directory_bundle_t *old, const char *path)
{
    sl_identity_t *moved = NULL;

    for (int i = 0; i < old->count; i++) {
        int is_there = 0;

        if (!strcmp(old->of[i]->origin, path))
            return old->of[i];
        for (int k = 0; k < q->files.count; k++)
            is_there |= !strcmp(old->of[i]->origin, q->files.of[k].certificate);
        if (!is_there && !moved)
            moved = old->of[i];
    }
    return moved;
}

static int is_as_good(const question_t *q, const sl_identity_t *old, const sl_identity_t *fresh, sl_problem_t *why)
{
    if (sl_replacement_check_strength(old, fresh, q->work->scratch, why) != APR_SUCCESS)
        return 0;
    if (sl_directory_covers_all(old, q->entry) && !sl_directory_covers_all(fresh, q->entry)) {
        sl_problem_set(why, APR_EINVAL, fresh->origin, "the certificate does not cover %s, which the one before covers",
                       q->entry);
        sl_problem_advise(why, "Get one for that name too");
        return 0;
    }
    return 1;
}

/* May it go with the first one? Clients get either for the same names. */
static int fits_first(const question_t *q, const sl_identity_t *first, const sl_identity_t *identity, sl_problem_t *why)
{
    int lacks = sl_directory_covers_all(first, q->entry) && !sl_directory_covers_all(identity, q->entry);
    int lacks_below = covers_below(q, first) && !covers_below(q, identity);

    if (!lacks && !lacks_below)
        return 1;
    sl_problem_set(why, APR_EINVAL, identity->origin, "the certificate does not cover %s%s, which the one in %s covers",
                   lacks ? "" : "*.", q->entry, first->origin);
    sl_problem_advise(why, "Get one for the same names");
    return 0;
}

/* A connection shows one of each key type. NULL: there is none of that type yet. */
static const sl_identity_t *one_of_type(const sl_directory_bundle_t *bundle, const sl_identity_t *identity)
{
    for (int i = 0; i < bundle->count; i++) {
        if (!strcmp(sl_identity_key_type(bundle->of[i]), sl_identity_key_type(identity)))
            return bundle->of[i];
    }
    return NULL;
}

/* The same certificate twice is as good as once: then there is nothing to tell. */
static int may_join(const question_t *q, const sl_directory_fresh_t *fresh, const sl_identity_t *identity,
                    sl_problem_t *why)
{
    const sl_identity_t *other = one_of_type(&fresh->bundle, identity);

    if (other && sl_identity_is_same(other, identity))
        return 0;
    if (other) {
        sl_problem_set(why, APR_EINVAL, identity->origin, "the certificate in %s has the same key type, %s",
                       other->origin, sl_identity_key_type(identity));
        sl_problem_advise(why, "Remove one of them");
        return 0;
    }
    return !fresh->bundle.count || fits_first(q, fresh->bundle.of[0], identity, why);
}

static sl_identity_t *load_file(const question_t *q, const sl_directory_file_t *file, const sl_identity_t *before,
                                const sl_directory_fresh_t *fresh, sl_problem_t *why)
{
    sl_identity_t *identity = NULL;

    if (sl_directory_file_load(&identity, file, sl_directory_seconds(q->work), q->work->scratch, why) != APR_SUCCESS)
        return NULL;
    sl_directory_board_add(q->work->board, SL_DIRECTORY_LOADED);
    if (is_for_entry(q, identity, why) && (!before || is_as_good(q, before, identity, why)) &&
        may_join(q, fresh, identity, why))
        return identity;
    sl_identity_release(identity);
    return NULL;
}

/* One file; what was there before stays if it can't be used. */
static void take_file(const question_t *q, sl_directory_fresh_t *fresh, const sl_directory_file_t *file,
                      const sl_directory_bundle_t *old)
{
    sl_identity_t *before = one_before(q, old, file->certificate);
    sl_problem_t *why = sl_problem_make(q->work->scratch);
    sl_identity_t *identity = load_file(q, file, before, fresh, why);
    int is_news = identity && !(before && sl_identity_is_same(before, identity));

    if (!identity && why->status == APR_SUCCESS && fresh->bundle.count) /* that certificate is there already */
        return;
    if (!identity && !fresh->why)
        fresh->why = why;
    if (!identity && before && !one_of_type(&fresh->bundle, before)) {
        fresh->keeps_old |= fresh->why == why;
        sl_identity_retain(before);
        identity = before;
    }
    if (!identity)
        return;
    fresh->news |= (unsigned)is_news << fresh->bundle.count;
    fresh->bundle.of[fresh->bundle.count++] = identity;
}

void sl_directory_load(const question_t *q, sl_directory_fresh_t *fresh, const sl_directory_bundle_t *old)
{
    memset(fresh, 0, sizeof(*fresh));
    for (int i = 0; i < q->files.count; i++)
        take_file(q, fresh, &q->files.of[i], old);
}
