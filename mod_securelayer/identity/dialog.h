/* Who is asked for the pass phrase of a key, and what was answered before (SSLPassPhraseDialog).
 *
 * A dialog lives for one pass over the configuration. A phrase that opened one key is tried on the next before anybody
 * is asked; all are cleansed when the dialog is closed. A token is asked for once and with nothing remembered: it
 * counts wrong PINs.
 * Runs in: the parent's main thread, at start and restart; waits for whoever answers, without a limit, for that may be
 * somebody at a console. */
#ifndef SL_IDENTITY_DIALOG_H
#define SL_IDENTITY_DIALOG_H

#include "base/problem.h"
#include "identity/phrases.h"

typedef struct sl_dialog_t sl_dialog_t;

typedef enum {
    SL_DIALOG_START,   /* everybody may be asked */
    SL_DIALOG_RESTART, /* programs may; the terminal is not ours any more */
    SL_DIALOG_TEST,    /* nobody is asked: keys that need it stay closed */
} sl_dialog_mode_t;

/* `how`: "builtin", "exec:/path" or "|/path arguments". `server` is how httpd calls itself ("Apache/2.4.71").
 * `tell` (NULL: nobody) hears of each program that is asked, before it is. Text is borrowed. */
typedef void (*sl_dialog_tell_t)(void *baton, const char *text);
sl_dialog_t *sl_dialog_make(apr_pool_t *pool, const char *how, const char *server, sl_dialog_mode_t mode,
                            sl_dialog_tell_t tell, void *baton);
/* What opens something is added to `phrases`, too. At a restart, when nobody is there to be asked on the terminal,
 * those that are there already are tried. */
void sl_dialog_keep(sl_dialog_t *dialog, sl_phrases_t *phrases);
/* Ends the program that answers, cleanses what was remembered. */
void sl_dialog_close(sl_dialog_t *dialog);

/* One certificate whose files may need a phrase. Zeroed but for the first three. */
typedef struct sl_question_t {
    sl_dialog_t *dialog;
    const char *host; /* "www.example.org:443" */
    int index;        /* position of the certificate in its host */
    const char *object;
    char *last;       /* the phrase given for `object`, NULL if none yet */
    int tries;        /* answers of the dialog for `object` that did not open it */
    int remembered;   /* how many of the remembered phrases were tried */
    int asked;        /* somebody was asked, for whatever object */
    int withheld;     /* a phrase was needed, and nobody may be asked (SL_DIALOG_TEST) */
    const char *trouble; /* why the one who was asked gave no answer; NULL if that is not the reason */
} sl_question_t;

/* An sl_pem_passphrase_t whose baton is an sl_question_t. */
int sl_dialog_ask(char *phrase, int size, const char *object, void *question);
/* The files were read: remembers the phrase if they could be (`why` NULL or without a problem), else adds to the
 * problem why there was no phrase. To be called after each question. */
void sl_dialog_end(sl_question_t *question, sl_problem_t *why);

#endif
