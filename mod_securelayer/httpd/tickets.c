/* Ticket keys: files read at start, the ring that all others share, both on the board.  Called by startup; asked by
 * conn_hooks for connections, and by whoever seals something for later. */
#include "httpd/tickets.h"

#include <http_main.h>

#include <apr_file_info.h>
#include <apr_hash.h>
#include <apr_strings.h>

#include "httpd/broken_hosts.h"
#include "httpd/keeper_hooks.h"
#include "httpd/module_config.h"
#include "httpd/reload.h"
#include "keeper/reload_tickets.h"
#include "keeper/ticket_job.h"
#include "resume/ticket_source.h"

static apr_int64_t rotates; /* seconds between two keys */

/* What the key files of this configuration hold, from collecting to the board. */
static apr_array_header_t *files; /* of sl_ticket_ring_t */
static apr_array_header_t *paths; /* of key_file_t, likewise */

typedef struct key_file_t {
    const char *path;
    apr_uint64_t stamp;
} key_file_t;

static apr_status_t forget_files(void *unused)
{
    (void)unused;
    for (int i = 0; files && i < files->nelts; i++)
        sl_ticket_ring_cleanse(&APR_ARRAY_IDX(files, i, sl_ticket_ring_t));
    files = NULL;
    return APR_SUCCESS;
}

/* ---- collecting ---- */

static void warn_if_open_to_all(const char *path, const sl_origin_t *origin, apr_pool_t *scratch,
                                sl_problems_t *problems)
{
    apr_finfo_t info;

    if (apr_stat(&info, path, APR_FINFO_PROT, scratch) == APR_SUCCESS && info.protection & APR_FPROT_WREAD)
        sl_problems_add(problems, SL_PROBLEM_WARNING, NULL, origin, path, "chmod go-rwx it",
                        "anybody on this machine can read these keys, and with them what clients resume");
}

static int read_file(const char *path, const sl_origin_t *origin, apr_pool_t *scratch, sl_problems_t *problems)
{
    sl_problem_t *why = sl_problems_new(problems, origin);
    key_file_t named = {path, sl_watch_stamp((const char *const[]){path, NULL})};
    sl_ticket_ring_t ring;

    if (sl_ticket_source_read(&ring, path, why) != APR_SUCCESS) {
        why->log_id = "AH02287";
        sl_problems_keep(problems, why, SL_PROBLEM_ERROR);
        return -1;
    }
    warn_if_open_to_all(path, origin, scratch, problems);
    APR_ARRAY_PUSH(files, sl_ticket_ring_t) = ring;
    APR_ARRAY_PUSH(paths, key_file_t) = named;
    sl_ticket_ring_cleanse(&ring);
    return files->nelts - 1;
}

static int count_files(server_rec *main_server)
{
    int count = 0;

    for (server_rec *s = main_server; s; s = s->next)
        count += sl_config_vhost(s) && sl_settings_text(sl_config_of_server(s)->settings, SL_TICKET_KEY_FILE);
    return count;
}

static void judge(server_rec *s, sl_vhost_t *vhost, sl_problems_t *problems, int first)
{
    if (sl_broken_hosts_judge(s, vhost->id, problems, first,
                              "has the same SSLSessionTicketKeyFile as another host, which can't be served with it",
                              0) == SL_HOST_LEFT_OUT)
        vhost->left_out = SL_OUT_UNTIL_RESTART;
}

void sl_tickets_collect(apr_pool_t *pool, apr_pool_t *scratch, server_rec *main_server, sl_problems_t *problems)
{
    apr_hash_t *known = apr_hash_make(scratch);

    forget_files(NULL);
    files = apr_array_make(pool, count_files(main_server), sizeof(sl_ticket_ring_t)); /* it never moves */
    paths = apr_array_make(pool, 1, sizeof(key_file_t));
    apr_pool_cleanup_register(pool, NULL, forget_files, apr_pool_cleanup_null);
    for (server_rec *s = main_server; s; s = s->next) {
        sl_server_config_t *config = sl_config_of_server(s);
        const char *path = config->vhost ? sl_settings_text(config->settings, SL_TICKET_KEY_FILE) : NULL;
        sl_origin_t origin = sl_settings_origin(config->settings, SL_TICKET_KEY_FILE);
        int *file, first = problems->all->nelts;

        config->ticket_file = -1;
        if (!path || config->vhost->left_out == SL_OUT_UNTIL_RESTART)
            continue;
        file = apr_hash_get(known, path, APR_HASH_KEY_STRING);
        if (!file) {
            file = apr_palloc(scratch, sizeof(*file));
            *file = read_file(path, &origin, scratch, problems);
            apr_hash_set(known, path, APR_HASH_KEY_STRING, file);
        }
        config->ticket_file = *file;
        if (*file < 0)
            judge(s, config->vhost, problems, first);
    }
}

/* ---- starting ---- */

/* Kept from the first start to the full stop: who got a ticket before a restart resumes after it. */
static apr_status_t find_ring(sl_section_t **ring, sl_problem_t *why)
{
    static const char key[] = "securelayer ticket ring 2"; /* the last figure: of its layout */
    void *kept = NULL;
    apr_status_t rv;

    apr_pool_userdata_get(&kept, key, ap_pglobal);
    *ring = kept;
    if (kept)
        return APR_SUCCESS;
    rv = sl_section_make(ring, ap_pglobal, 1, sizeof(sl_ticket_ring_t), NULL, why);
    if (rv == APR_SUCCESS) {
        sl_section_stay(*ring, ap_pglobal);
        apr_pool_userdata_set(*ring, key, apr_pool_cleanup_null, ap_pglobal);
    }
    return rv;
}

static apr_status_t publish_files(apr_pool_t *pool, sl_section_t **section, sl_problem_t *why)
{
    apr_status_t rv;

    *section = NULL;
    if (!files->nelts)
        return APR_SUCCESS;
    rv = sl_section_make(section, pool, files->nelts, sizeof(sl_ticket_ring_t), NULL, why);
    for (int i = 0; rv == APR_SUCCESS && i < files->nelts; i++) {
        const sl_ticket_ring_t *ring = &APR_ARRAY_IDX(files, i, const sl_ticket_ring_t);

        rv = sl_section_publish(*section, i, ring, sl_ticket_ring_size(ring));
    }
    forget_files(NULL);
    return rv;
}

static void reload_files(apr_pool_t *pool, server_rec *main_server, sl_section_t *section)
{
    for (int i = 0; section && i < paths->nelts && sl_reload_is_on(main_server); i++) {
        const key_file_t *file = &APR_ARRAY_IDX(paths, i, key_file_t);
        sl_reload_tickets_t *what = apr_pcalloc(pool, sizeof(*what));
        sl_reload_item_t *item = sl_reload_add(pool);

        what->path = item->paths[0] = file->path;
        what->rings = section;
        what->entry = i;
        item->name = apr_pstrcat(pool, "the ticket key file ", file->path, NULL);
        item->stamp = file->stamp;
        item->load = sl_reload_tickets;
        item->baton = what;
    }
}

/* Seconds for which sessions live, at most; 0 if nobody speaks TLS. */
static apr_int64_t longest_session(server_rec *main_server)
{
    apr_int64_t longest = 0;

    for (server_rec *s = main_server; s; s = s->next) {
        const sl_vhost_t *vhost = sl_config_vhost(s);
        apr_int64_t life = vhost ? SSL_CTX_get_timeout(vhost->profile->ctx) : 0;

        if (vhost && life < 1)
            life = 1;
        longest = life > longest ? life : longest;
    }
    return longest;
}

apr_status_t sl_tickets_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
{
    apr_int64_t rotation = sl_settings_number(sl_config_of_server(main_server)->settings, SL_TICKET_ROTATION);
    apr_int64_t keep = longest_session(main_server);
    sl_board_t *board = sl_keeper_hooks_board();
    apr_status_t rv;

    if (!keep)
        return APR_SUCCESS;
    keep = keep > rotation ? keep : rotation;
    rotates = rotation;
    rv = find_ring(&board->tickets, why);
    if (rv == APR_SUCCESS)
        rv = publish_files(pool, &board->ticket_files, why);
    if (rv == APR_SUCCESS)
        reload_files(pool, main_server, board->ticket_files);
    if (rv == APR_SUCCESS)
        rv = sl_ticket_job_turn(board->tickets, apr_time_sec(apr_time_now()), rotation, keep, NULL, why);
    if (rv == APR_SUCCESS)
        sl_keeper_hooks_add(pool, SL_KEEPER, sl_ticket_job_make(pool, board->tickets, rotation, keep));
    return rv;
}

/* ---- asking ---- */

int sl_tickets_look(apr_int64_t *made, apr_int64_t *next)
{
    const sl_section_t *section = sl_keeper_hooks_board()->tickets;
    sl_ticket_ring_t ring;
    int count = 0;

    if (section && sl_ticket_job_read(section, 0, &ring)) {
        count = (int)ring.count;
        *made = ring.keys[0].made;
        *next = *made + rotates;
        sl_ticket_ring_cleanse(&ring);
    }
    return count;
}

sl_ticket_found_t sl_tickets_find(const server_rec *s, const unsigned char *name, sl_ticket_key_t *key)
{
    const sl_board_t *board = sl_keeper_hooks_board();
    int file = sl_config_of_server(s)->ticket_file;
    const sl_section_t *section = file < 0 ? board->tickets : board->ticket_files;
    sl_ticket_found_t found = SL_TICKET_NO_KEY;
    sl_ticket_ring_t ring;

    if (section && sl_ticket_job_read(section, file < 0 ? 0 : file, &ring)) {
        found = sl_ticket_ring_find(&ring, name, key);
        sl_ticket_ring_cleanse(&ring);
    }
    return found;
}
