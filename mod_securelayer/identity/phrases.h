/* Pass phrases that opened keys at a start, for changed keys that nobody can be asked for while httpd runs.
 *
 * Filled by the parent, in a mapping that core dumps leave out; processes that are forked inherit it, and those that
 * have no business with it wipe their copy. Never freed: it outlasts restarts, and with them the module's code. */
#ifndef SL_IDENTITY_PHRASES_H
#define SL_IDENTITY_PHRASES_H

typedef struct sl_phrases_t sl_phrases_t;

/* NULL if memory ends. */
sl_phrases_t *sl_phrases_make(void);
/* Each once; what does not fit (64 KB) is not kept. */
void sl_phrases_add(sl_phrases_t *phrases, const char *phrase);
/* The one behind `last`; the first for NULL; NULL if there is none. */
const char *sl_phrases_next(const sl_phrases_t *phrases, const char *last);
void sl_phrases_wipe(sl_phrases_t *phrases);

/* While one set of files is loaded. Zeroed but for the first. */
typedef struct sl_recall_t {
    const sl_phrases_t *phrases; /* NULL: there are none */
    const char *object, *last;
    int failed; /* something stayed sealed */
} sl_recall_t;

/* An sl_pem_passphrase_t whose baton is an sl_recall_t: tries them one after the other on each object. */
int sl_phrases_answer(char *phrase, int size, const char *object, void *recall);

#endif
