/* Fuzz target: configuration text, from its lines to profiles and virtual hosts.  A line is a directive with its
 * arguments; a line that begins with "<" ends what the main server says, the rest is a virtual host's.
 * Beyond memory errors and leaks it checks that a refusal has a reason, that effective values are within their bounds,
 * that inheriting keeps what the virtual host does not change, and that equal settings are compiled once.
 * The files that arguments may name lie in the current directory: no word with a slash is tried.
 * Linked with: t/unit/material.c
 * Words from: mod_securelayer/profile/settings_rows.h mod_securelayer/profile/settings_parse.c */
#include "must.h"
#include "conn/machine.h"
#include "identity/loader.h"
#include "material.h"
#include "profile/profile_set.h"
#include "vhost/vhost.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <ctype.h>
#include <openssl/err.h>
#include <sanitizer/lsan_interface.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of one input. */
typedef struct reading_t {
    apr_pool_t *pool;
    sl_problems_t *problems; /* found while profiles are made */
    sl_profile_set_t *profiles;
    int identities;          /* to be released */
    sl_identity_t *held[8];
} reading_t;

static apr_pool_t *root;
static const char *dir;
static apr_int64_t now;

/* All this stays; what only the pool points to would look like a leak. */
static void prepare(void)
{
    const material_pair_t *ca, *leaf;
    const char *cas;

    __lsan_disable();
    apr_initialize();
    MUST(apr_pool_create(&root, NULL) == APR_SUCCESS);
    now = material_now();
    ca = material_ca(root, "CA", NULL);
    leaf = material_server(root, "a.test", "P-256", ca);
    dir = material_dir(root);
    MUST(chdir(dir) == 0 && mkdir("cas", 0700) == 0);
    cas = apr_pstrcat(root, dir, "/cas", NULL);
    material_file(root, cas, "ca.pem", material_cert_pem(root, ca->cert));
    material_hash_link(root, cas, "ca.pem", X509_get_subject_name(ca->cert), 0);
    material_file(root, dir, "ca.pem", material_cert_pem(root, ca->cert));
    material_file(root, dir, "crl.pem", material_crl_pem(root, material_crl(root, ca, NULL, 0)));
    material_file(root, dir, "cert.pem", material_cert_pem(root, leaf->cert));
    material_file(root, dir, "key.pem", material_key_pem(root, leaf->key, NULL, NULL));
    material_file(root, dir, "empty", material_text(""));
    __lsan_enable();
}

/* ---- words and lines ---- */

static const sl_row_t *row_named(const char *name)
{
    for (int row = 0; row < SL_ROWS; row++) {
        if (!strcasecmp(sl_row((sl_row_id_t)row)->name, name) && !sl_row((sl_row_id_t)row)->is_slot)
            return sl_row((sl_row_id_t)row);
    }
    return NULL;
}

/* Words as httpd takes them apart: between blanks, or in quotes. NULL at the end. */
static const char *next_word(char **rest)
{
    char *at = *rest, *word, quote = '\0';

    while (isspace((unsigned char)*at))
        at++;
    if (!*at)
        return NULL;
    if (*at == '"' || *at == '\'')
        quote = *at++;
    word = at;
    while (*at && (quote ? *at != quote : !isspace((unsigned char)*at)))
        at++;
    if (*at)
        *at++ = '\0';
    *rest = at;
    return word;
}

static void read_line(const reading_t *in, sl_settings_t *settings, char *line, int number)
{
    apr_array_header_t *words = apr_array_make(in->pool, 4, sizeof(const char *));
    const char *word = next_word(&line);
    const sl_row_t *row = word ? row_named(word) : NULL;
    sl_origin_t origin = {"fuzz.conf", number, row ? row->name : NULL};
    sl_problem_t *why = sl_problem_make(in->pool);
    apr_status_t status;

    if (!row)
        return;
    while ((word = next_word(&line)) != NULL) {
        if (strchr(word, '/'))
            return;
        APR_ARRAY_PUSH(words, const char *) = word;
    }
    status = sl_settings_parse(settings, row->id, (const char *const *)words->elts, words->nelts, dir, &origin, why);
    MUST(status == why->status && !ERR_peek_error());
    if (status == APR_SUCCESS)
        return;
    MUST(sl_settings_is_refused(settings, row->id));
    MUST(*why->reason && why->origin.line == number && *sl_problem_text(why, in->pool));
}

/* Until the end of the text, or behind a line with "<". */
static sl_settings_t *read_server(const reading_t *in, char **text, int *number)
{
    sl_settings_t *settings = sl_settings_make(in->pool);
    char *line;

    while (*text && (line = *text) != NULL) {
        *text = strchr(line, '\n');
        if (*text)
            *(*text)++ = '\0';
        ++*number;
        if (*line == '<')
            break;
        read_line(in, settings, line, *number);
    }
    return settings;
}

/* ---- what became of them ---- */

static void check_record(const sl_settings_t *settings)
{
    for (int i = 0; i < settings->set->nelts; i++) {
        const sl_setting_t *setting = &APR_ARRAY_IDX(settings->set, i, sl_setting_t);

        MUST(setting->count > 0 && setting->values && setting->values[0].origin.line > 0);
        MUST(i == 0 || APR_ARRAY_IDX(settings->set, i - 1, sl_setting_t).row < setting->row);
    }
    for (int id = 0; id < SL_ROWS; id++) {
        const sl_row_t *row = sl_row((sl_row_id_t)id);
        long number = sl_settings_number(settings, row->id);

        if (row->kind == SL_KIND_NUMBER)
            MUST(number >= row->minimum && number <= row->maximum);
        if (row->kind == SL_KIND_FLAG)
            MUST(number == 0 || number == 1 || number == row->initial);
        MUST(sl_settings_origin(settings, row->id).directive);
    }
    MUST(sl_settings_text(settings, SL_CIPHERS) && sl_settings_text(settings, SL_SUITES));
}

static void check_inheritance(const reading_t *in, const sl_settings_t *main_server, const sl_settings_t *host,
                              const sl_settings_t *merged)
{
    const sl_settings_t *nothing = sl_settings_make(in->pool);
    const int all = SL_IN_PROFILE | SL_FOR_AUTH | SL_FOR_SECURITY;

    MUST(!sl_settings_difference(main_server, sl_settings_merge(in->pool, main_server, nothing), all, in->pool));
    MUST(!sl_settings_difference(host, sl_settings_merge(in->pool, nothing, host), all, in->pool));
    MUST(!sl_settings_difference(main_server, merged, all, in->pool) ==
         !strcmp(sl_settings_digest(main_server, all, in->pool), sl_settings_digest(merged, all, in->pool)));
    for (int id = 0; id < SL_ROWS; id++) {
        const sl_row_t *row = sl_row((sl_row_id_t)id);
        const sl_setting_t *own = sl_settings_get(host, row->id), *kept = sl_settings_get(merged, row->id);
        const sl_setting_t *inherited = sl_settings_get(main_server, row->id);

        MUST((own || inherited) == (kept != NULL));
        if (kept && (row->merge == SL_CHILD_WINS || !own || !inherited))
            MUST(kept->number == (own ? own : inherited)->number &&
                 kept->values[0].text == (own ? own : inherited)->values[0].text);
    }
}

static void load_identities(reading_t *in, const sl_settings_t *settings, apr_array_header_t *identities)
{
    const sl_setting_t *certificates = sl_settings_get(settings, SL_CERTIFICATE_FILE);
    const sl_setting_t *keys = sl_settings_get(settings, SL_CERTIFICATE_KEY_FILE);

    for (int i = 0; certificates && i < certificates->count && i < 4; i++) {
        const sl_source_t source = {.certificate = certificates->values[i].text,
                                    .key = keys && i < keys->count ? keys->values[i].text : NULL,
                                    .chain = sl_settings_text(settings, SL_CERTIFICATE_CHAIN_FILE),
                                    .first = i == 0,
                                    .origin = certificates->values[i].origin};
        sl_problem_t *why = sl_problem_make(in->pool);
        sl_identity_t *identity;

        if (sl_loader_load(&identity, &source, NULL, NULL, in->pool, in->problems, why) != APR_SUCCESS)
            continue;
        APR_ARRAY_PUSH(identities, sl_identity_ref_t) = (sl_identity_ref_t){in->identities};
        in->held[in->identities++] = identity;
    }
}

/* NULL if the settings do not compile, which has to be told the first time. */
static sl_vhost_t *make_vhost(reading_t *in, const sl_settings_t *settings, const char *id)
{
    apr_array_header_t *identities = apr_array_make(in->pool, 2, sizeof(sl_identity_ref_t));
    int errors = in->problems->errors;
    apr_pool_t *scratch;
    sl_profile_t *profile;

    MUST(apr_pool_create(&scratch, in->pool) == APR_SUCCESS);
    profile = sl_profile_set_get(in->profiles, settings, id, scratch, in->problems);
    apr_pool_destroy(scratch); /* nothing that is kept may live in it */
    MUST(!ERR_peek_error());
    MUST(!profile || in->problems->errors == errors);
    if (!profile) {
        MUST(in->problems->errors > 0);
        return NULL;
    }
    SSL_free(SSL_new(profile->ctx));
    ERR_clear_error();
    load_identities(in, settings, identities);
    return sl_vhost_make(in->pool, id, settings, profile, identities, NULL);
}

static const reading_t *current;

static int is_same_certificate(int a, int b)
{
    MUST(a < current->identities && b < current->identities);
    return sl_identity_is_same(current->held[a], current->held[b]);
}

static void check_vhosts(const reading_t *in, const sl_vhost_t *a, const sl_vhost_t *b)
{
    const int all = SL_IN_PROFILE;

    current = in;
    MUST((a->profile == b->profile) == !sl_settings_difference(a->settings, b->settings, all, in->pool));
    for (int policy = SL_SNI_STRICT; policy <= SL_SNI_INSECURE; policy++) {
        MUST(!sl_vhost_differs(a, a, policy, is_same_certificate, in->pool));
        MUST(!sl_vhost_differs(a, b, policy, is_same_certificate, in->pool) ==
             !sl_vhost_differs(b, a, policy, is_same_certificate, in->pool));
    }
    MUST(a->handshake_timeout > 0 && b->handshake_timeout > 0);
}

static void read_all(reading_t *in, char *text)
{
    int number = 0;
    const sl_settings_t *main_server = read_server(in, &text, &number);
    const sl_settings_t *host = read_server(in, &text, &number);
    const sl_settings_t *merged = sl_settings_merge(in->pool, main_server, host);
    const sl_vhost_t *a, *b;

    check_record(main_server);
    check_record(merged);
    check_inheritance(in, main_server, host, merged);
    in->problems = sl_problems_make(in->pool);
    in->profiles = sl_profile_set_make(in->pool, now, sl_machine_prepare);
    a = make_vhost(in, main_server, "a.test:443");
    b = make_vhost(in, merged, "b.test:443");
    if (a && b)
        check_vhosts(in, a, b);
    for (int i = 0; i < in->problems->all->nelts; i++)
        MUST(*sl_problem_text(APR_ARRAY_IDX(in->problems->all, i, const sl_problem_t *), in->pool));
    for (int i = 0; i < in->identities; i++)
        sl_identity_release(in->held[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    reading_t in = {0};

    if (!root)
        prepare();
    MUST(apr_pool_create(&in.pool, root) == APR_SUCCESS);
    read_all(&in, apr_pstrmemdup(in.pool, (const char *)data, size));
    apr_pool_destroy(in.pool);
    ERR_clear_error();
    return 0;
}
