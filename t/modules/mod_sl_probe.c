/* A module for tests: a small protocol of its own on a connection, instead of HTTP, whose commands use the connection's
 * filters in every way a module may, and report what came of it.  Where `SLProbe on` stands, each line the client
 * sends is a command (the table at the end); its answer ends with a line "." and is flushed.  Two filters right below
 * TLS keep what passes them, and misbehave when asked to.  Built by SL::Probe with apxs. */
#include <httpd.h>

#include <http_config.h>
#include <http_connection.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_ssl.h>
#include <mod_ssl.h>
#include <util_filter.h>

#include <apr_optional.h>
#include <apr_optional_hooks.h>
#include <apr_strings.h>

extern module AP_MODULE_DECLARE_DATA sl_probe_module;

typedef enum { READ_PLAIN, READ_ODD, READ_TIMEUP, READ_RESET, READ_EOS } read_way_t;
typedef enum { WRITE_PLAIN, WRITE_KEEP, WRITE_FAIL } write_way_t;

typedef struct probe_t {
    conn_rec *c;
    apr_bucket_brigade *bb;  /* of the command at work */
    char *seen;              /* by the filter below, on the way out */
    char *asked;             /* of the filter below, on the way in */
    apr_bucket_brigade *kept;
    read_way_t read_way;
    write_way_t write_way;
    int destroyed;           /* of our metadata buckets */
    int done;
} probe_t;

static APR_OPTIONAL_FN_TYPE(ssl_var_lookup) *var_lookup;
static APR_OPTIONAL_FN_TYPE(ssl_ext_list) *ext_list;
static APR_OPTIONAL_FN_TYPE(ssl_is_https) *is_https;

/* ---- a metadata bucket that nobody knows ---- */

static apr_status_t mark_read(apr_bucket *bucket, const char **bytes, apr_size_t *length, apr_read_type_e block)
{
    (void)bucket;
    (void)block;
    *bytes = NULL;
    *length = 0;
    return APR_SUCCESS;
}

/* Its owner may write to the connection when it goes. */
static void mark_destroy(void *data)
{
    probe_t *probe = data;

    if (probe && !probe->destroyed++) {
        apr_bucket_brigade *bb = apr_brigade_create(probe->c->pool, probe->c->bucket_alloc);

        apr_brigade_puts(bb, NULL, NULL, "written by a bucket\n");
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(bb->bucket_alloc));
        (void)ap_pass_brigade(probe->c->output_filters, bb);
        apr_brigade_destroy(bb);
    }
}

static const apr_bucket_type_t mark_type = {"MARK",
                                            5,
                                            APR_BUCKET_METADATA,
                                            mark_destroy,
                                            mark_read,
                                            apr_bucket_setaside_noop,
                                            apr_bucket_split_notimpl,
                                            apr_bucket_simple_copy};

static apr_bucket *mark(apr_bucket_alloc_t *list, probe_t *owner)
{
    apr_bucket *bucket = apr_bucket_alloc(sizeof(*bucket), list);

    memset(bucket, 0, sizeof(*bucket));
    APR_BUCKET_INIT(bucket);
    bucket->free = apr_bucket_free;
    bucket->list = list;
    bucket->type = &mark_type;
    bucket->data = owner;
    return bucket;
}

/* ---- below TLS ---- */

static const char *name_of(const apr_bucket *bucket)
{
    return APR_BUCKET_IS_METADATA(bucket) ? bucket->type->name : "data";
}

static void note(probe_t *probe, char **where, const char *what)
{
    *where = apr_pstrcat(probe->c->pool, *where, **where ? " " : "", what, NULL);
}

static apr_status_t below_out(ap_filter_t *f, apr_bucket_brigade *bb)
{
    probe_t *probe = f->ctx;
    apr_bucket *writer = NULL;

    for (apr_bucket *bucket = APR_BRIGADE_FIRST(bb); bucket != APR_BRIGADE_SENTINEL(bb);
         bucket = APR_BUCKET_NEXT(bucket)) {
        note(probe, &probe->seen, name_of(bucket));
        if (bucket->type == &mark_type && bucket->data)
            writer = bucket;
    }
    note(probe, &probe->seen, "|");
    if (probe->write_way == WRITE_FAIL) {
        apr_brigade_cleanup(bb);
        return APR_EPIPE;
    }
    if (probe->write_way == WRITE_KEEP) {
        if (APR_BRIGADE_EMPTY(bb) || !APR_BUCKET_IS_FLUSH(APR_BRIGADE_LAST(bb)))
            return ap_save_brigade(f, &probe->kept, &bb, f->c->pool);
        if (probe->kept)
            APR_BRIGADE_PREPEND(bb, probe->kept);
    }
    if (writer) {
        apr_bucket_brigade *rest = apr_brigade_split(bb, writer);

        (void)ap_pass_brigade(f->next, bb);
        apr_bucket_delete(writer);
        APR_BRIGADE_CONCAT(bb, rest);
    }
    return ap_pass_brigade(f->next, bb);
}

/* Each byte in a bucket of its own, with empty and unknown buckets between. */
static void make_odd(apr_bucket_brigade *bb)
{
    apr_bucket *bucket = APR_BRIGADE_FIRST(bb);

    while (bucket != APR_BRIGADE_SENTINEL(bb)) {
        if (bucket->length > 1)
            apr_bucket_split(bucket, 1);
        APR_BUCKET_INSERT_BEFORE(bucket, apr_bucket_immortal_create("", 0, bb->bucket_alloc));
        APR_BUCKET_INSERT_BEFORE(bucket, mark(bb->bucket_alloc, NULL));
        bucket = APR_BUCKET_NEXT(bucket);
    }
}

static apr_status_t below_in(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode, apr_read_type_e block,
                             apr_off_t wanted)
{
    probe_t *probe = f->ctx;
    apr_status_t rv;

    note(probe, &probe->asked,
         apr_psprintf(f->c->pool, "%d:%s:%" APR_OFF_T_FMT, mode, block == APR_BLOCK_READ ? "block" : "now", wanted));
    switch (probe->read_way) {
    case READ_TIMEUP:
        probe->read_way = READ_PLAIN;
        return APR_TIMEUP;
    case READ_RESET:
        return APR_ECONNRESET;
    case READ_EOS:
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(bb->bucket_alloc));
        return APR_SUCCESS;
    default:
        break;
    }
    rv = ap_get_brigade(f->next, bb, mode, block, wanted);
    if (rv == APR_SUCCESS && probe->read_way == READ_ODD)
        make_odd(bb);
    return rv;
}

/* ---- answers ---- */

static void say(probe_t *probe, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(probe_t *probe, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    apr_brigade_puts(probe->bb, NULL, NULL, apr_pvsprintf(probe->c->pool, format, args));
    apr_brigade_puts(probe->bb, NULL, NULL, "\n");
    va_end(args);
}

static apr_status_t send_answer(probe_t *probe, int flush)
{
    apr_status_t rv;

    if (flush)
        APR_BRIGADE_INSERT_TAIL(probe->bb, apr_bucket_flush_create(probe->bb->bucket_alloc));
    rv = ap_pass_brigade(probe->c->output_filters, probe->bb);
    apr_brigade_cleanup(probe->bb);
    return rv;
}

static const char *status_name(apr_status_t rv)
{
    if (rv == APR_SUCCESS)
        return "success";
    if (APR_STATUS_IS_EAGAIN(rv))
        return "again";
    if (APR_STATUS_IS_EOF(rv))
        return "end";
    if (APR_STATUS_IS_TIMEUP(rv))
        return "timeup";
    if (APR_STATUS_IS_ECONNABORTED(rv))
        return "aborted";
    if (APR_STATUS_IS_ECONNRESET(rv))
        return "reset";
    return rv == APR_ENOTIMPL ? "not implemented" : rv == APR_EPIPE ? "pipe" : "other";
}

/* ---- commands: in ---- */

static void show(probe_t *probe, apr_status_t rv, apr_bucket_brigade *bb)
{
    apr_off_t length = 0;
    char *bytes = NULL;
    apr_size_t size;
    const char *metadata = "", *text;

    apr_brigade_length(bb, 1, &length);
    apr_brigade_pflatten(bb, &bytes, &size, probe->c->pool);
    for (apr_bucket *bucket = APR_BRIGADE_FIRST(bb); bucket != APR_BRIGADE_SENTINEL(bb);
         bucket = APR_BUCKET_NEXT(bucket)) {
        if (APR_BUCKET_IS_METADATA(bucket))
            metadata = apr_pstrcat(probe->c->pool, metadata, " ", bucket->type->name, NULL);
    }
    text = apr_psprintf(probe->c->pool, "%s %" APR_OFF_T_FMT " %s%s", status_name(rv), length,
                        ap_escape_logitem(probe->c->pool, apr_pstrmemdup(probe->c->pool, bytes, size < 60 ? size : 10)),
                        metadata);
    say(probe, "%s", text);
    ap_log_cerror(APLOG_MARK, APLOG_NOTICE, 0, probe->c, "probe: read: %s", text);
    apr_brigade_cleanup(bb);
}

/* "LINE", "READ 100", "PEEK 24"; with "NOW" at the end it does not wait. */
static void read_command(probe_t *probe, const char *name, const char *argument)
{
    static const struct {
        const char *name;
        ap_input_mode_t mode;
    } modes[] = {{"READ", AP_MODE_READBYTES}, {"LINE", AP_MODE_GETLINE}, {"PEEK", AP_MODE_SPECULATIVE},
                 {"EAT", AP_MODE_EATCRLF},    {"INIT", AP_MODE_INIT},    {"ALL", AP_MODE_EXHAUSTIVE}};
    apr_bucket_brigade *bb = apr_brigade_create(probe->c->pool, probe->c->bucket_alloc);
    apr_read_type_e block = strstr(argument, "NOW") ? APR_NONBLOCK_READ : APR_BLOCK_READ;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (!strcmp(name, modes[i].name))
            show(probe, ap_get_brigade(probe->c->input_filters, bb, modes[i].mode, block, apr_atoi64(argument)), bb);
        if (!strcmp(name, modes[i].name) && modes[i].mode == AP_MODE_EATCRLF)
            show(probe, ap_get_brigade(probe->c->input_filters, bb, AP_MODE_SPECULATIVE, APR_NONBLOCK_READ, 4), bb);
    }
}

/* A peek and a read with nothing in between. */
static void peek_and_read(probe_t *probe, const char *name, const char *argument)
{
    (void)name;
    read_command(probe, "PEEK", argument);
    read_command(probe, "READ", argument);
}

/* READ until so many bytes are there; "A" stands for what they all should be. */
static void read_count(probe_t *probe, const char *name, const char *argument)
{
    apr_bucket_brigade *bb = apr_brigade_create(probe->c->pool, probe->c->bucket_alloc);
    apr_off_t left = apr_atoi64(argument), wrong = 0, most = 0;
    apr_status_t rv = APR_SUCCESS;

    (void)name;
    while (left && rv == APR_SUCCESS) {
        char *bytes;
        apr_size_t size;

        rv = ap_get_brigade(probe->c->input_filters, bb, AP_MODE_READBYTES, APR_BLOCK_READ, left);
        apr_brigade_pflatten(bb, &bytes, &size, probe->c->pool);
        for (apr_size_t i = 0; i < size; i++)
            wrong += bytes[i] != 'A';
        left -= (apr_off_t)size;
        if (most < (apr_off_t)size)
            most = (apr_off_t)size;
        apr_brigade_cleanup(bb);
    }
    say(probe, "%s %" APR_OFF_T_FMT " wrong, at most %s at once", status_name(rv), wrong,
        most > 16384 ? "more than a record" : "a record");
}

static void set_read_way(probe_t *probe, const char *name, const char *argument)
{
    static const char *const ways[] = {"plain", "odd", "timeup", "reset", "eos"}; /* as in read_way_t */

    (void)name;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (!strcmp(argument, ways[i]))
            probe->read_way = (read_way_t)i;
    }
}

static void show_asked(probe_t *probe, const char *name, const char *argument)
{
    (void)name;
    (void)argument;
    say(probe, "%s", probe->asked);
    probe->asked = apr_pstrdup(probe->c->pool, "");
}

/* ---- commands: out ---- */

static apr_bucket *bucket_of_file(probe_t *probe)
{
    apr_file_t *file;

    apr_file_open(&file, ap_server_root_relative(probe->c->pool, "docs/long"), APR_FOPEN_READ, APR_FPROT_OS_DEFAULT,
                  probe->c->pool);
    return apr_bucket_file_create(file, 0, 70000, probe->c->pool, probe->bb->bucket_alloc);
}

static apr_bucket *bucket_of_pipe(probe_t *probe)
{
    apr_file_t *in, *out;
    apr_size_t length = 9;

    apr_file_pipe_create(&in, &out, probe->c->pool);
    apr_file_write(out, "in a pipe", &length);
    apr_file_close(out);
    return apr_bucket_pipe_create(in, probe->bb->bucket_alloc);
}

static apr_bucket *bucket_by_name(probe_t *probe, const char *name)
{
    apr_bucket_alloc_t *list = probe->bb->bucket_alloc;
    char *text = apr_psprintf(probe->c->pool, "[%s]", name);

    if (!strcmp(name, "heap"))
        return apr_bucket_heap_create(text, strlen(text), NULL, list);
    if (!strcmp(name, "transient"))
        return apr_bucket_transient_create(text, strlen(text), list);
    if (!strcmp(name, "immortal"))
        return apr_bucket_immortal_create("[immortal]", 10, list);
    if (!strcmp(name, "pool"))
        return apr_bucket_pool_create(text, strlen(text), probe->c->pool, list);
    if (!strcmp(name, "empty"))
        return apr_bucket_immortal_create("", 0, list);
    if (!strcmp(name, "file"))
        return bucket_of_file(probe);
    if (!strcmp(name, "pipe"))
        return bucket_of_pipe(probe);
    if (!strcmp(name, "FLUSH"))
        return apr_bucket_flush_create(list);
    if (!strcmp(name, "EOS"))
        return apr_bucket_eos_create(list);
    return mark(list, strcmp(name, "WRITER") ? NULL : probe);
}

/* "SEND heap MARK pool FLUSH": these buckets in one brigade; "/" passes it on and begins another, "REMOVE" does what
 * mod_proxy does to tunnels. */
static void send_buckets(probe_t *probe, const char *name, const char *argument)
{
    char *rest = apr_pstrdup(probe->c->pool, argument), *last, *word;
    apr_status_t rv = APR_SUCCESS;

    (void)name;
    for (word = apr_strtok(rest, " ", &last); word && rv == APR_SUCCESS; word = apr_strtok(NULL, " ", &last)) {
        if (!strcmp(word, "/"))
            rv = send_answer(probe, 0);
        else if (!strcmp(word, "REMOVE"))
            ap_remove_output_filter_byhandle(probe->c->output_filters, "SSL/TLS Coalescing Filter");
        else
            APR_BRIGADE_INSERT_TAIL(probe->bb, bucket_by_name(probe, word));
    }
    if (rv == APR_SUCCESS)
        rv = send_answer(probe, 0);
    ap_log_cerror(APLOG_MARK, APLOG_NOTICE, 0, probe->c, "probe: sent: %s, aborted %d", status_name(rv),
                  probe->c->aborted);
    if (rv == APR_SUCCESS)
        say(probe, "sent");
}

/* A big body out of one piece of memory. */
static void send_count(probe_t *probe, const char *name, const char *argument)
{
    apr_size_t length = (apr_size_t)apr_atoi64(argument);
    char *bytes = malloc(length);

    (void)name;
    memset(bytes, 'B', length);
    APR_BRIGADE_INSERT_TAIL(probe->bb, apr_bucket_heap_create(bytes, length, free, probe->bb->bucket_alloc));
    say(probe, "%s", "");
}

static void set_write_way(probe_t *probe, const char *name, const char *argument)
{
    (void)name;
    probe->write_way = !strcmp(argument, "keep") ? WRITE_KEEP : !strcmp(argument, "fail") ? WRITE_FAIL : WRITE_PLAIN;
    if (probe->write_way != WRITE_FAIL)
        say(probe, "ok");
}

static void show_seen(probe_t *probe, const char *name, const char *argument)
{
    (void)name;
    (void)argument;
    say(probe, "%s", probe->seen);
    probe->seen = apr_pstrdup(probe->c->pool, "");
}

/* ---- commands: what TLS tells other modules ---- */

static void show_chain(probe_t *probe, const char *way, const ap_filter_t *f)
{
    for (; f; f = f->next)
        say(probe, "%s %s %d", way, f->frec->name, f->frec->ftype);
}

static void show_filters(probe_t *probe, const char *name, const char *argument)
{
    (void)name;
    (void)argument;
    show_chain(probe, "in", probe->c->input_filters);
    show_chain(probe, "out", probe->c->output_filters);
}

static void show_variable(probe_t *probe, const char *name, const char *argument)
{
    conn_rec *c = probe->c;
    char *asked = apr_pstrdup(c->pool, argument);
    const char *by_function = var_lookup ? var_lookup(c->pool, c->base_server, c, NULL, asked) : "no function";
    const char *by_hook = ap_ssl_var_lookup(c->pool, c->base_server, c, NULL, argument);

    (void)name;
    say(probe, "%s / %s", by_function ? by_function : "(null)", by_hook ? by_hook : "(null)");
}

static void show_extension(probe_t *probe, const char *name, const char *argument)
{
    apr_array_header_t *found = ext_list ? ext_list(probe->c->pool, probe->c, *name == 'P', argument) : NULL;

    say(probe, "%s", found ? apr_array_pstrcat(probe->c->pool, found, ',') : "none");
}

static void show_is_tls(probe_t *probe, const char *name, const char *argument)
{
    (void)name;
    (void)argument;
    say(probe, "%d %d", is_https ? is_https(probe->c) : -1, ap_ssl_conn_is_ssl(probe->c));
}

static void abort_connection(probe_t *probe, const char *name, const char *argument)
{
    apr_bucket_brigade *bb = apr_brigade_create(probe->c->pool, probe->c->bucket_alloc);
    apr_status_t in, out;

    (void)name;
    (void)argument;
    probe->c->aborted = 1;
    in = ap_get_brigade(probe->c->input_filters, bb, AP_MODE_READBYTES, APR_BLOCK_READ, 10);
    say(probe, "never seen");
    ap_log_cerror(APLOG_MARK, APLOG_NOTICE, 0, probe->c, "probe: aborted: in %s, %s, out %s", status_name(in),
                  APR_BRIGADE_EMPTY(bb) ? "nothing" : name_of(APR_BRIGADE_FIRST(bb)),
                  (out = send_answer(probe, 1), status_name(out)));
    probe->done = 1;
}

static void quit(probe_t *probe, const char *name, const char *argument)
{
    (void)name;
    (void)argument;
    probe->done = 1;
}

/* ---- the protocol ---- */

static const struct {
    const char *name;
    void (*run)(probe_t *probe, const char *name, const char *argument);
} commands[] = {{"READ", read_command},     {"LINE", read_command},  {"BOTH", peek_and_read},  {"PEEK", read_command},
                {"EAT", read_command},      {"INIT", read_command},  {"ALL", read_command},
                {"COUNT", read_count},      {"INPUT", set_read_way}, {"ASKED", show_asked},
                {"SEND", send_buckets},     {"BIG", send_count},     {"OUTPUT", set_write_way},
                {"SEEN", show_seen},        {"FILTERS", show_filters}, {"VAR", show_variable}, {"EXT", show_extension},
                {"PEEREXT", show_extension}, {"TLS", show_is_tls},   {"ABORT", abort_connection}, {"QUIT", quit}};

static void obey(probe_t *probe, char *line)
{
    char *argument = strchr(line, ' ');

    if (argument)
        *argument++ = '\0';
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (!strcmp(line, commands[i].name))
            commands[i].run(probe, line, argument ? argument : "");
    }
    if (probe->done || probe->c->aborted || probe->write_way == WRITE_FAIL)
        return;
    say(probe, ".");
    (void)send_answer(probe, 1);
}

static char *read_line(probe_t *probe)
{
    char *line = NULL;
    apr_size_t length = 0;

    while (!length || line[length - 1] != '\n') {
        char *more;
        apr_size_t size;

        if (ap_get_brigade(probe->c->input_filters, probe->bb, AP_MODE_GETLINE, APR_BLOCK_READ, 0) != APR_SUCCESS)
            return NULL;
        apr_brigade_pflatten(probe->bb, &more, &size, probe->c->pool);
        apr_brigade_cleanup(probe->bb);
        if (!size)
            return NULL;
        line = apr_pstrcat(probe->c->pool, line ? line : "", apr_pstrmemdup(probe->c->pool, more, size), NULL);
        length += size;
    }
    line[length - 1] = '\0';
    return line;
}

static int process_connection(conn_rec *c)
{
    probe_t *probe;
    char *line;

    if (!ap_get_module_config(c->base_server->module_config, &sl_probe_module))
        return DECLINED;
    probe = ap_get_module_config(c->conn_config, &sl_probe_module);
    while (!probe->done && !c->aborted && (line = read_line(probe)))
        obey(probe, line);
    if (c->cs)
        c->cs->state = CONN_STATE_LINGER;
    return OK;
}

static int pre_connection(conn_rec *c, void *csd)
{
    probe_t *probe;

    (void)csd;
    if (c->master || !ap_get_module_config(c->base_server->module_config, &sl_probe_module))
        return OK;
    probe = apr_pcalloc(c->pool, sizeof(*probe));
    probe->c = c;
    probe->bb = apr_brigade_create(c->pool, c->bucket_alloc);
    probe->seen = apr_pstrdup(c->pool, "");
    probe->asked = apr_pstrdup(c->pool, "");
    ap_set_module_config(c->conn_config, &sl_probe_module, probe);
    ap_add_input_filter("SL_PROBE_BELOW", probe, NULL, c);
    ap_add_output_filter("SL_PROBE_BELOW", probe, NULL, c);
    return OK;
}

static void retrieve_functions(void)
{
    var_lookup = APR_RETRIEVE_OPTIONAL_FN(ssl_var_lookup);
    ext_list = APR_RETRIEVE_OPTIONAL_FN(ssl_ext_list);
    is_https = APR_RETRIEVE_OPTIONAL_FN(ssl_is_https);
}

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_register_input_filter("SL_PROBE_BELOW", below_in, NULL, AP_FTYPE_CONNECTION + 6);
    ap_register_output_filter("SL_PROBE_BELOW", below_out, NULL, AP_FTYPE_CONNECTION + 6);
    ap_hook_pre_connection(pre_connection, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_process_connection(process_connection, NULL, NULL, APR_HOOK_LAST);
    ap_hook_optional_fn_retrieve(retrieve_functions, NULL, NULL, APR_HOOK_MIDDLE);
}

static const char *set_probe(cmd_parms *cmd, void *unused, int on)
{
    (void)unused;
    ap_set_module_config(cmd->server->module_config, &sl_probe_module, on ? (void *)cmd->server : NULL);
    return NULL;
}

static const command_rec directives[] = {
    AP_INIT_FLAG("SLProbe", set_probe, NULL, RSRC_CONF, "connections speak the probe's protocol"), {NULL}};

AP_DECLARE_MODULE(sl_probe) = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, directives, register_hooks, 0};
