/* Stapling at a start and in handshakes: what the board has of answers.  Startup starts it; the status callback of
 * conn/machine.c comes here through conn_hooks. */
#include "httpd/stapling.h"

#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_ssl.h>
#include <unixd.h>

#include <apr_strings.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/ocsp_message.h"
#include "httpd/directories.h"
#include "httpd/keeper_hooks.h"
#include "httpd/module_config.h"
#include "httpd/module_hooks.h"
#include "httpd/staples_kept.h"
#include "httpd/stapling_records.h"
#include "keeper/directory_staples.h"

APLOG_USE_MODULE(sl);

/* ---- starting ---- */

/* The courier runs as httpd's User, and so must what it writes to. A link that waits there is none of ours. */
static const char *prepare_directory(const char *path, sl_problem_t *why)
{
    struct stat info;

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        sl_problem_set(why, errno, path, "can't be made: %s", strerror(errno));
    else if (lstat(path, &info) < 0 || !S_ISDIR(info.st_mode))
        sl_problem_set(why, APR_EINVAL, path, "is no directory");
    else if (geteuid() == 0 && info.st_uid != ap_unixd_config.user_id &&
             lchown(path, ap_unixd_config.user_id, ap_unixd_config.group_id) < 0)
        sl_problem_set(why, errno, path, "can't be given to httpd's user: %s", strerror(errno));
    else
        return path;
    return NULL;
}

static const char *state_directory(apr_pool_t *pool, server_rec *main_server)
{
    const sl_settings_t *settings = sl_config_of_server(main_server)->settings;
    const char *configured = sl_settings_text(settings, SL_STATE_DIRECTORY);
    const char *path =
        configured ? ap_server_root_relative(pool, configured) : ap_runtime_dir_relative(pool, "securelayer");
    sl_problem_t *why = sl_problem_make(pool);

    why->origin = sl_settings_origin(settings, SL_STATE_DIRECTORY);
    path = prepare_directory(path, why);
    if (!path)
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, main_server,
                     "SL0144: what is to survive restarts can't be kept in files: %s", sl_problem_text(why, pool));
    return path;
}

/* What the configuration names. */
static apr_status_t start_hosts(apr_pool_t *pool, const char *directory, sl_problem_t *why)
{
    sl_board_t *board = sl_keeper_hooks_board();
    sl_staple_shelf_t shelf;
    unsigned char *keys;
    apr_array_header_t *staples = sl_stapled_staples();
    apr_status_t rv;

    keys = apr_palloc(pool, (apr_size_t)staples->nelts * SL_BOARD_KEY_SIZE);
    for (int i = 0; i < staples->nelts; i++)
        memcpy(keys + i * SL_BOARD_KEY_SIZE, APR_ARRAY_IDX(staples, i, sl_staple_t *)->key, SL_BOARD_KEY_SIZE);
    rv = sl_section_make(&board->staples, pool, staples->nelts, SL_STAPLE_ENTRY_SIZE, keys, why);
    if (rv == APR_SUCCESS)
        rv = sl_section_make(&board->staple_states, pool, staples->nelts, sizeof(sl_staple_state_t), NULL, why);
    if (rv != APR_SUCCESS)
        return rv;
    memset(&shelf, 0, sizeof(shelf));
    shelf.section = board->staples;
    shelf.states = board->staple_states;
    shelf.directory = directory;
    shelf.identities = board->identities;
    for (int i = 0; i < staples->nelts; i++) {
        sl_staple_t *staple = APR_ARRAY_IDX(staples, i, sl_staple_t *);

        staple->entry = sl_section_find(board->staples, staple->key);
        sl_staples_kept_give(&shelf, staple);
    }
    sl_staples_kept_watch(pool);
    sl_keeper_hooks_add(pool, SL_COURIER, sl_staple_job_make(pool, &shelf, staples));
    return APR_SUCCESS;
}

/* How answers are asked for by the directories' numbers, as the first host that wants them says it. NULL: nobody wants
 * any. */
static apr_array_header_t *directory_rules(apr_pool_t *pool, server_rec *main_server)
{
    apr_array_header_t *rules = NULL;

    for (server_rec *s = main_server; s; s = s->next) {
        const sl_vhost_t *vhost = sl_config_vhost(s);
        sl_staple_t **place;

        if (!vhost || vhost->left_out || vhost->directory < 0 || !sl_settings_number(vhost->settings, SL_USE_STAPLING))
            continue;
        if (!rules)
            rules = apr_array_make(pool, vhost->directory + 1, sizeof(sl_staple_t *));
        while (rules->nelts <= vhost->directory)
            APR_ARRAY_PUSH(rules, sl_staple_t *) = NULL;
        place = &APR_ARRAY_IDX(rules, vhost->directory, sl_staple_t *);
        if (!*place) {
            *place = apr_pcalloc(pool, sizeof(**place));
            sl_stapled_set_rules(*place, vhost->settings);
        }
    }
    return rules;
}

/* What certificate directories have. */
static apr_status_t start_directories(apr_pool_t *pool, const apr_array_header_t *rules, const char *directory,
                                      sl_problem_t *why)
{
    const sl_directory_board_t *from = sl_directories_board();
    sl_section_t **section = &sl_keeper_hooks_board()->directory_staples;
    sl_staple_shelf_t shelf;
    apr_status_t rv =
        sl_section_make_large(section, pool, sl_directory_staples_places(from), SL_STAPLE_ENTRY_SIZE, 2048, why);

    if (rv != APR_SUCCESS)
        return rv;
    memset(&shelf, 0, sizeof(shelf));
    shelf.section = *section;
    shelf.directory = directory;
    sl_keeper_hooks_add(pool, SL_COURIER, sl_directory_staples_make(pool, from, &shelf, rules));
    return APR_SUCCESS;
}

apr_status_t sl_stapling_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
{
    const apr_array_header_t *rules = directory_rules(pool, main_server);
    const char *directory = NULL;
    int has_staples = sl_stapled_staples()->nelts > 0;
    apr_status_t rv = APR_SUCCESS;

    sl_keeper_hooks_board()->directory_staples = NULL;
    if (has_staples || rules)
        directory = state_directory(pool, main_server);
    if (has_staples)
        rv = start_hosts(pool, directory, why);
    sl_staples_kept_forget();
    if (rv == APR_SUCCESS && rules)
        rv = start_directories(pool, rules, directory, why);
    return rv;
}

/* ---- the handshake ---- */

typedef struct copy_t {
    unsigned char *der;
    int length;
} copy_t;

static void copy_answer(const unsigned char *der, apr_size_t length, void *baton)
{
    copy_t *copy = baton;

    if (!der || !length || copy->der || length > SL_OCSP_BYTES_MAX)
        return;
    copy->der = OPENSSL_memdup(der, length);
    copy->length = copy->der ? (int)length : 0;
}

static void ask_hook(const sl_link_t *link, const sl_stapled_t *record, copy_t *copy)
{
    unsigned char *der = NULL;
    int length = 0;

    if (!sl_module_hooks_get_stapling_status(&der, &length, link->c, link->server, record->leaf))
        return;
    if (length > 0)
        copy_answer(der, (apr_size_t)length, copy);
    free(der);
}

static void read_board(const sl_stapled_t *record, const unsigned char *key, copy_t *copy)
{
    const sl_section_t *section = sl_keeper_hooks_board()->staples;
    unsigned char answer[SL_STAPLE_SIZE_MAX];

    if (section && record->staple)
        copy_answer(answer, sl_staple_read(section, record->staple->entry, key, apr_time_sec(apr_time_now()), answer),
                    copy);
}

/* A certificate that came after the start is answered for where the one before it was. */
static void read_for_renewed(const sl_vhost_t *vhost, const X509 *leaf, copy_t *copy)
{
    unsigned char key[SL_BOARD_KEY_SIZE];
    unsigned length;

    if (!sl_settings_number(vhost->settings, SL_USE_STAPLING) || X509_digest(leaf, EVP_sha256(), key, &length) != 1)
        return;
    for (int i = 0; i < vhost->identities->nelts; i++) {
        const sl_stapled_t *record = sl_stapled_of(APR_ARRAY_IDX(vhost->identities, i, sl_identity_ref_t).id);

        if (record)
            read_board(record, key, copy);
    }
}

/* By the identity of the connection. What is there may be about another certificate, and is not taken then. */
static void read_for_directory(const sl_conn_t *tls, const X509 *leaf, copy_t *copy)
{
    const sl_section_t *section = sl_keeper_hooks_board()->directory_staples;
    unsigned char key[SL_BOARD_KEY_SIZE], answer[SL_STAPLE_SIZE_MAX];
    unsigned length;

    if (!section || !sl_settings_number(tls->vhost->settings, SL_USE_STAPLING))
        return;
    for (int i = 0; tls->identities && i < tls->identities->nelts; i++) {
        const sl_identity_t *identity = APR_ARRAY_IDX(tls->identities, i, const sl_identity_t *);

        if (identity->leaf == leaf && X509_digest(leaf, EVP_sha256(), key, &length) == 1)
            copy_answer(answer, sl_staple_read(section, identity->place, key, apr_time_sec(apr_time_now()), answer),
                        copy);
    }
}

unsigned char *sl_stapling_get(sl_link_t *link, X509 *leaf, int *length)
{
    const sl_stapled_t *record = sl_stapled_find(leaf);
    copy_t copy = {NULL, 0};

    if (!record) {
        read_for_renewed(link->tls->vhost, leaf, &copy);
        if (!copy.der && link->tls->vhost->directory >= 0)
            read_for_directory(link->tls, leaf, &copy);
    }
    else if (record->primed)
        (void)ap_ssl_ocsp_get_resp(link->server, link->c, (const char *)record->id, SL_STAPLED_ID_SIZE, copy_answer,
                                   &copy);
    else if (record->hooked)
        ask_hook(link, record, &copy);
    else if (sl_settings_number(link->tls->vhost->settings, SL_USE_STAPLING))
        read_board(record, record->key, &copy);
    *length = copy.length;
    return copy.der;
}

/* ---- for the status page ---- */

const char *sl_stapling_word(sl_stapling_kind_t kind)
{
    static const char *const words[SL_STAPLING_KINDS] = {"off", "module", "waiting", "good", "revoked", "missing"};

    return words[kind];
}

sl_stapling_kind_t sl_stapling_look(int id, apr_int64_t now, sl_staple_state_t *state)
{
    const sl_stapled_t *record = sl_stapled_of(id);
    const sl_section_t *section = sl_keeper_hooks_board()->staple_states;

    memset(state, 0, sizeof(*state));
    if (record && (record->primed || record->hooked))
        return SL_STAPLING_MODULE;
    if (!record || !section || !record->staple)
        return SL_STAPLING_OFF;
    sl_staple_state_read(section, record->staple->entry, state);
    if (state->is_unasked || (sl_stapled_is_vacant(record) && !sl_section_version(section, record->staple->entry)))
        return SL_STAPLING_OFF;
    if (state->until > now)
        return state->status == SL_OCSP_REVOKED ? SL_STAPLING_REVOKED : SL_STAPLING_GOOD;
    return state->until || state->failures ? SL_STAPLING_MISSING : SL_STAPLING_WAITING;
}
