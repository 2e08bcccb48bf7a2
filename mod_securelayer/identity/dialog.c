/* Pass phrases from the terminal or from a program.  httpd/collect_vhosts makes a dialog for each pass; the loader asks
 * through it. The words on the terminal and to the program are mod_ssl's: scripts wait for them. */
#include "identity/dialog.h"

#include "crypto/key_uri.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <apr_time.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RETRIES 5
#define ANSWER_MAX 8191
#define PAUSE_SECONDS 5
#define NO_ANSWER (-1)

struct sl_dialog_t {
    apr_pool_t *pool;
    const char *how, *server;
    sl_dialog_mode_t mode;
    sl_dialog_tell_t tell;
    void *baton;
    apr_array_header_t *phrases; /* of char *, each opened something */
    sl_phrases_t *kept;          /* NULL: nothing is, beyond this dialog */
    int introduced;
    apr_pool_t *program_pool; /* of the program behind '|'; NULL while there is none */
    apr_proc_t program;
};

sl_dialog_t *sl_dialog_make(apr_pool_t *pool, const char *how, const char *server, sl_dialog_mode_t mode,
                            sl_dialog_tell_t tell, void *baton)
{
    sl_dialog_t *dialog = apr_pcalloc(pool, sizeof(*dialog));

    dialog->pool = pool;
    dialog->how = how;
    dialog->server = server;
    dialog->mode = mode;
    dialog->tell = tell;
    dialog->baton = baton;
    dialog->phrases = apr_array_make(pool, 2, sizeof(char *));
    return dialog;
}

void sl_dialog_keep(sl_dialog_t *dialog, sl_phrases_t *phrases)
{
    int is_alone = dialog->mode == SL_DIALOG_RESTART && !strcmp(dialog->how, "builtin");

    dialog->kept = phrases;
    for (const char *phrase = NULL; is_alone && (phrase = sl_phrases_next(phrases, phrase)) != NULL;)
        APR_ARRAY_PUSH(dialog->phrases, char *) = OPENSSL_strdup(phrase);
}

static void forget(char *phrase)
{
    if (phrase)
        OPENSSL_clear_free(phrase, strlen(phrase) + 1);
}

/* The end of its input tells a program to go; one that does not is made to. */
static void end_program(sl_dialog_t *dialog)
{
    if (!dialog->program_pool)
        return;
    if (dialog->program.in)
        apr_file_close(dialog->program.in);
    for (int i = 0; i < 100 && apr_proc_wait(&dialog->program, NULL, NULL, APR_NOWAIT) == APR_CHILD_NOTDONE; i++)
        apr_sleep(10000);
    apr_pool_destroy(dialog->program_pool);
    dialog->program_pool = NULL;
}

void sl_dialog_close(sl_dialog_t *dialog)
{
    end_program(dialog);
    for (int i = 0; i < dialog->phrases->nelts; i++)
        forget(APR_ARRAY_IDX(dialog->phrases, i, char *));
    apr_array_clear(dialog->phrases);
}

static void tell_of(const sl_dialog_t *dialog, const sl_question_t *question, const char *program)
{
    if (dialog->tell)
        dialog->tell(dialog->baton, apr_psprintf(dialog->pool, "waits for the pass phrase of %s (%s) from %s",
                                                 question->object, question->host, program));
}

static int no_answer(sl_question_t *question, const char *trouble)
{
    question->trouble = trouble;
    return NO_ANSWER;
}

static const char *status_text(const sl_dialog_t *dialog, apr_status_t status)
{
    char text[120];

    return apr_pstrdup(dialog->pool, apr_strerror(status, text, sizeof(text)));
}

/* Copies the answer; it is the question's last phrase from now on. */
static int answer(sl_question_t *question, char *phrase, int size, const char *text)
{
    size_t length = strlen(text);

    if (length > (size_t)size)
        return no_answer(question,
                         apr_psprintf(question->dialog->pool, "the pass phrase is longer than %d bytes", size));
    forget(question->last);
    question->last = OPENSSL_strdup(text);
    memcpy(phrase, text, length);
    return (int)length;
}

/* ---- programs ---- */

/* A line without its end; the length, NO_ANSWER at the end of the file. What does not fit is read and left out. */
static int read_line(apr_file_t *from, char *line, int size)
{
    int length = 0, some = 0;
    char byte;

    while (apr_file_getc(&byte, from) == APR_SUCCESS) {
        some = 1;
        if (byte == '\n')
            break;
        if (length < size - 1)
            line[length++] = byte;
    }
    line[length] = '\0';
    return some ? length : NO_ANSWER;
}

static const char *folder_of(const sl_dialog_t *dialog, const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash > path ? apr_pstrmemdup(dialog->pool, path, (apr_size_t)(slash - path)) : "/";
}

/* The child looks for the program's file only once it is on its own, where nobody hears of a failure. */
static const char *what_hinders(const sl_dialog_t *dialog, const char *path)
{
    struct stat file;

    if (stat(path, &file) != 0 || (S_ISREG(file.st_mode) && access(path, X_OK) != 0))
        return apr_psprintf(dialog->pool, "the program %s cannot be started: %s", path, status_text(dialog, errno));
    return S_ISREG(file.st_mode) ? NULL : apr_psprintf(dialog->pool, "%s is no program", path);
}

/* Programs get an empty environment; what they complain of goes where httpd's own complaints go. */
static apr_status_t start_program(sl_dialog_t *dialog, apr_pool_t *pool, apr_proc_t *program, const char *const *words)
{
    static const char *const nothing[] = {NULL};
    apr_procattr_t *how;
    apr_status_t status = apr_procattr_create(&how, pool);

    if (status == APR_SUCCESS)
        status = apr_procattr_io_set(how, APR_FULL_BLOCK, APR_FULL_BLOCK, APR_NO_PIPE);
    if (status == APR_SUCCESS)
        status = apr_procattr_cmdtype_set(how, APR_PROGRAM);
    if (status == APR_SUCCESS)
        status = apr_procattr_dir_set(how, folder_of(dialog, words[0]));
    if (status == APR_SUCCESS)
        status = apr_procattr_error_check_set(how, 1);
    return status == APR_SUCCESS ? apr_proc_create(program, words[0], words, nothing, how, pool) : status;
}

/* mod_ssl goes by the position, whatever the key is; for a token it says nothing. */
static const char *key_word(const sl_dialog_t *dialog, const sl_question_t *question)
{
    static const char *const words[] = {"RSA", "DSA", "ECC"};

    if (sl_key_uri_is(question->object))
        return NULL;
    return question->index < 3 ? words[question->index] : apr_itoa(dialog->pool, question->index);
}

static const char *how_it_ended(const sl_dialog_t *dialog, apr_proc_t *program)
{
    int code = 0;
    apr_exit_why_e why = APR_PROC_EXIT;

    if (!APR_STATUS_IS_CHILD_DONE(apr_proc_wait(program, &code, &why, APR_WAIT)))
        return "it is gone";
    return apr_psprintf(dialog->pool, why == APR_PROC_EXIT ? "it ended with status %d" : "signal %d ended it", code);
}

static int ask_once(sl_question_t *question, char *phrase, int size)
{
    sl_dialog_t *dialog = question->dialog;
    const char *path = dialog->how + strlen("exec:"),
               *words[] = {path, question->host, key_word(dialog, question), NULL};
    const char *trouble = what_hinders(dialog, path), *end;
    char line[ANSWER_MAX + 1];
    apr_pool_t *pool;
    apr_proc_t program;
    apr_status_t status;
    int length;

    if (question->tries) /* it is asked once for each key */
        return NO_ANSWER;
    if (trouble)
        return no_answer(question, trouble);
    tell_of(dialog, question, path);
    apr_pool_create(&pool, dialog->pool);
    status = start_program(dialog, pool, &program, words);
    if (status != APR_SUCCESS) {
        length = no_answer(question, apr_psprintf(dialog->pool, "the program %s cannot be started: %s", path,
                                                  status_text(dialog, status)));
    }
    else {
        apr_file_close(program.in);
        length = read_line(program.out, line, sizeof(line));
        apr_file_close(program.out);
        end = how_it_ended(dialog, &program);
        if (length > 0)
            length = answer(question, phrase, size, line);
        else
            length = no_answer(question, apr_psprintf(dialog->pool, "the program %s gave none, %s", path, end));
    }
    OPENSSL_cleanse(line, sizeof(line));
    apr_pool_destroy(pool);
    return length;
}

/* ---- what both dialogs say ---- */

typedef void say_t(sl_dialog_t *dialog, const char *text);

static void say_to_terminal(sl_dialog_t *dialog, const char *text)
{
    apr_file_t *out;
    apr_size_t length = strlen(text);

    if (apr_file_open_stdout(&out, dialog->pool) == APR_SUCCESS)
        apr_file_write_full(out, text, length, NULL);
}

/* A program that went away is noticed when its answer is read. */
static void say_to_program(sl_dialog_t *dialog, const char *text)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;

    if (!dialog->program_pool)
        return;
    sigaction(SIGPIPE, &ignore, &before);
    apr_file_write_full(dialog->program.in, text, strlen(text), NULL);
    sigaction(SIGPIPE, &before, NULL);
}

static say_t *voice_of(const sl_dialog_t *dialog)
{
    return *dialog->how == '|' ? say_to_program : say_to_terminal;
}

static void introduce(sl_question_t *question)
{
    sl_dialog_t *dialog = question->dialog;
    say_t *say = voice_of(dialog);

    if (!dialog->introduced)
        say(dialog, apr_psprintf(dialog->pool,
                                 "%s mod_ssl (Pass Phrase Dialog)\n"
                                 "Some of your private key files are encrypted for security reasons.\n"
                                 "In order to read them you have to provide the pass phrases.\n",
                                 dialog->server));
    dialog->introduced = 1;
    say(dialog, apr_psprintf(dialog->pool, "\nPrivate key %s:%d (%s)\n", question->host, question->index,
                             question->object));
}

/* True while one more try is left. */
static int complain(sl_question_t *question)
{
    sl_dialog_t *dialog = question->dialog;
    int left = RETRIES + 1 - question->tries;
    say_t *say = voice_of(dialog);

    if (left <= 0) {
        say(dialog, "Apache:mod_ssl:Error: Pass phrase incorrect.\n**Stopped\n");
        return 0;
    }
    say(dialog, apr_psprintf(dialog->pool, "Apache:mod_ssl:Error: Pass phrase incorrect (%d more retr%s permitted).\n",
                             left, left == 1 ? "y" : "ies"));
    if (say == say_to_terminal && left <= RETRIES - 2)
        apr_sleep(apr_time_from_sec(PAUSE_SECONDS * (RETRIES - 1 - left)));
    return 1;
}

/* ---- the terminal ---- */

/* -1 when there is no line to be had. */
static int read_terminal(char *line, int size)
{
    line[0] = '\0';
    return EVP_read_pw_string_min(line, 0, size, "Enter pass phrase:", 0) == 0 ? (int)strlen(line) : NO_ANSWER;
}

static int ask_terminal(sl_question_t *question, char *line, int size)
{
    sl_dialog_t *dialog = question->dialog;
    int length;

    if (dialog->mode == SL_DIALOG_RESTART)
        return no_answer(question, "it is asked for on the terminal at a start only, not at a restart");
    while ((length = read_terminal(line, size)) == 0)
        say_to_terminal(dialog, "Apache:mod_ssl:Error: Pass phrase empty (needs to be at least 1 character).\n");
    return length < 0 ? no_answer(question, "there is no terminal to ask on, or nobody answered there") : length;
}

/* ---- a program that is asked again and again ---- */

static apr_status_t open_program(sl_dialog_t *dialog, char **words)
{
    apr_status_t status;

    apr_pool_create(&dialog->program_pool, dialog->pool);
    status = start_program(dialog, dialog->program_pool, &dialog->program, (const char *const *)words);
    if (status == APR_SUCCESS)
        apr_pool_note_subprocess(dialog->program_pool, &dialog->program, APR_KILL_AFTER_TIMEOUT);
    else
        apr_pool_destroy(dialog->program_pool);
    if (status != APR_SUCCESS)
        dialog->program_pool = NULL;
    return status;
}

static const char *need_program(sl_dialog_t *dialog)
{
    const char *command = dialog->how + 1, *trouble;
    apr_status_t status;
    char **words;

    if (dialog->program_pool)
        return NULL;
    if (apr_tokenize_to_argv(command, &words, dialog->pool) != APR_SUCCESS || !words[0])
        return "its command line cannot be read";
    trouble = what_hinders(dialog, words[0]);
    if (trouble)
        return trouble;
    status = open_program(dialog, words);
    if (status == APR_SUCCESS)
        return NULL;
    return apr_psprintf(dialog->pool, "the program %s cannot be started: %s", words[0], status_text(dialog, status));
}

static int ask_program(sl_question_t *question, char *line, int size)
{
    sl_dialog_t *dialog = question->dialog;
    int length = 0;

    while (length == 0) {
        say_to_program(dialog, "Enter pass phrase:");
        length = read_line(dialog->program.out, line, size);
        say_to_program(dialog, "\n");
        if (length == 0)
            say_to_program(dialog, "Apache:mod_ssl:Error: Pass phrase empty (needs to be at least 1 character).\n");
    }
    if (length > 0)
        return length;
    end_program(dialog);
    return no_answer(question, apr_psprintf(dialog->pool, "the program '%s' ended without an answer", dialog->how + 1));
}

/* Asks until there is an answer that differs from the last one, which was wrong. */
static int ask_in_turns(sl_question_t *question, char *phrase, int size)
{
    sl_dialog_t *dialog = question->dialog;
    int is_program = *dialog->how == '|', length;
    const char *trouble = is_program ? need_program(dialog) : NULL;
    char line[ANSWER_MAX + 1];

    if (trouble)
        return no_answer(question, trouble);
    if (!question->tries && (is_program || dialog->mode != SL_DIALOG_RESTART)) {
        if (is_program)
            tell_of(dialog, question, dialog->how + 1);
        introduce(question);
    }
    do {
        if (question->tries && !complain(question)) {
            length = NO_ANSWER;
            break;
        }
        question->tries++;
        length = is_program ? ask_program(question, line, sizeof(line)) : ask_terminal(question, line, sizeof(line));
    } while (length > 0 && question->last && !strcmp(question->last, line));
    question->tries--; /* the caller counts the one that it hears of */
    if (length > 0)
        length = answer(question, phrase, size, line);
    OPENSSL_cleanse(line, sizeof(line));
    return length;
}

/* ---- questions ---- */

static void remember(sl_question_t *question)
{
    sl_dialog_t *dialog = question->dialog;

    if (!question->last || sl_key_uri_is(question->object))
        return;
    if (dialog->kept)
        sl_phrases_add(dialog->kept, question->last);
    for (int i = 0; i < dialog->phrases->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(dialog->phrases, i, char *), question->last))
            return;
    }
    APR_ARRAY_PUSH(dialog->phrases, char *) = question->last;
    question->last = NULL;
}

/* `object` is asked for now: what was asked for before has been opened. */
static void turn_to(sl_question_t *question, const char *object)
{
    if (question->object && !strcmp(question->object, object))
        return;
    if (question->object)
        remember(question);
    forget(question->last);
    question->last = NULL;
    question->object = apr_pstrdup(question->dialog->pool, object);
    question->tries = question->remembered = 0;
}

int sl_dialog_ask(char *phrase, int size, const char *object, void *baton)
{
    sl_question_t *question = baton;
    sl_dialog_t *dialog = question->dialog;
    int length;

    turn_to(question, object);
    if (!sl_key_uri_is(object) && question->remembered < dialog->phrases->nelts)
        return answer(question, phrase, size, APR_ARRAY_IDX(dialog->phrases, question->remembered++, char *));
    question->withheld = dialog->mode == SL_DIALOG_TEST;
    if (question->withheld || (question->tries && sl_key_uri_is(object)))
        return NO_ANSWER;
    question->asked = 1;
    if (!strncmp(dialog->how, "exec:", 5))
        length = ask_once(question, phrase, size);
    else
        length = ask_in_turns(question, phrase, size);
    question->tries++;
    return length;
}

static void say_success(sl_question_t *question)
{
    sl_dialog_t *dialog = question->dialog;

    if (strncmp(dialog->how, "exec:", 5))
        voice_of(dialog)(dialog, "\nOK: Pass Phrase Dialog successful.\n");
}

void sl_dialog_end(sl_question_t *question, sl_problem_t *why)
{
    int failed = why && why->status != APR_SUCCESS;

    if (!failed && question->object)
        remember(question);
    if (!failed && question->asked)
        say_success(question);
    if (failed && question->trouble) {
        why->reason = apr_pstrcat(why->pool, why->reason, ": ", question->trouble, NULL);
        why->advice = "Correct SSLPassPhraseDialog, or what it names";
    }
    forget(question->last);
    question->last = NULL;
}
