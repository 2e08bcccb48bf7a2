/* Phrases one behind the other, each with its NUL.  httpd/phrases holds them, identity/dialog adds, the keeper's
 * reload_identity tries them. */
#include "identity/phrases.h"

#include <openssl/crypto.h>
#include <string.h>
#include <sys/mman.h>

#define SIZE 65536

struct sl_phrases_t {
    size_t used;
    char text[SIZE - sizeof(size_t)];
};

sl_phrases_t *sl_phrases_make(void)
{
    sl_phrases_t *phrases = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (phrases == MAP_FAILED)
        return NULL;
#ifdef MADV_DONTDUMP
    (void)madvise(phrases, SIZE, MADV_DONTDUMP);
#endif
    return phrases;
}

const char *sl_phrases_next(const sl_phrases_t *phrases, const char *last)
{
    const char *next = last ? last + strlen(last) + 1 : phrases->text;

    return next < phrases->text + phrases->used ? next : NULL;
}

void sl_phrases_add(sl_phrases_t *phrases, const char *phrase)
{
    size_t length = strlen(phrase) + 1;

    for (const char *known = NULL; (known = sl_phrases_next(phrases, known)) != NULL;) {
        if (!strcmp(known, phrase))
            return;
    }
    if (length > sizeof(phrases->text) - phrases->used)
        return;
    memcpy(phrases->text + phrases->used, phrase, length);
    phrases->used += length;
}

void sl_phrases_wipe(sl_phrases_t *phrases)
{
    OPENSSL_cleanse(phrases->text, phrases->used);
    phrases->used = 0;
}

int sl_phrases_answer(char *phrase, int size, const char *object, void *baton)
{
    sl_recall_t *recall = baton;
    size_t length;

    if (!recall->object || strcmp(recall->object, object) != 0)
        recall->last = NULL;
    recall->object = object;
    recall->last = recall->phrases ? sl_phrases_next(recall->phrases, recall->last) : NULL;
    length = recall->last ? strlen(recall->last) : 0;
    if (!recall->last || length > (size_t)size) {
        recall->failed = 1;
        return -1;
    }
    memcpy(phrase, recall->last, length);
    return (int)length;
}
