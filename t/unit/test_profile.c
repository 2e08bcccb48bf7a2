/* profile: settings land in the SSL_CTX, equal settings share one, what can't be is told with where it was said. */
#include "unit.h"

#include "keeper/watch.h"
#include "material.h"
#include "profile/policy.h"
#include "profile/profile_set.h"

#include <openssl/ssl.h>

static sl_problems_t *problems; /* of the last compile */

static const char *told(apr_pool_t *pool)
{
    const char *text = "";

    for (int i = 0; i < problems->all->nelts; i++) {
        const sl_problem_t *why = APR_ARRAY_IDX(problems->all, i, const sl_problem_t *);

        text = apr_pstrcat(pool, text, why->gravity == SL_PROBLEM_ERROR ? "error " : "warning ",
                           why->log_id ? why->log_id : "-", " ", sl_problem_text(why, pool), "\n", NULL);
    }
    return text;
}

static void set(sl_settings_t *settings, sl_row_id_t row, const char *words)
{
    const sl_origin_t origin = {"t.conf", 7, sl_row(row)->name};
    sl_problem_t *why = sl_problem_make(settings->pool);
    const char *list[8];
    char *last, *rest = apr_pstrdup(settings->pool, words);
    int count = 0;

    for (char *word = apr_strtok(rest, " ", &last); word; word = apr_strtok(NULL, " ", &last))
        list[count++] = word;
    if (sl_settings_parse(settings, row, list, count, "/", &origin, why) != APR_SUCCESS)
        fail_msg("%s", sl_problem_text(why, settings->pool));
}

static sl_settings_t *with(apr_pool_t *pool, sl_row_id_t row, const char *words)
{
    sl_settings_t *settings = sl_settings_make(pool);

    set(settings, row, words);
    return settings;
}

static apr_status_t release(void *profile)
{
    sl_profile_release(profile);
    return APR_SUCCESS;
}

/* Belongs to the pool. */
static sl_profile_t *compile(apr_pool_t *pool, const sl_settings_t *settings)
{
    apr_pool_t *scratch;
    sl_profile_t *profile;

    apr_pool_create(&scratch, pool);
    problems = sl_problems_make(pool);
    profile = sl_profile_new(settings, "a.test:443", material_now(), NULL, NULL, scratch, problems);
    apr_pool_destroy(scratch); /* nothing that is kept may live in it */
    assert_int_equal(profile == NULL, problems->errors > 0);
    if (profile)
        apr_pool_cleanup_register(pool, profile, release, apr_pool_cleanup_null);
    return profile;
}

static SSL_CTX *ctx_of(apr_pool_t *pool, const sl_settings_t *settings)
{
    sl_profile_t *profile = compile(pool, settings);

    if (!profile || problems->all->nelts)
        fail_msg("%s", told(pool));
    return profile->ctx;
}

static void assert_told(apr_pool_t *pool, const sl_settings_t *settings, const char *text)
{
    compile(pool, settings);
    if (!strstr(told(pool), text))
        fail_msg("\"%s\" does not hold \"%s\"", told(pool), text);
}

/* ---- versions ---- */

static void assert_versions(apr_pool_t *pool, const char *words, int least, int most)
{
    sl_profile_t *profile = compile(pool, with(pool, SL_PROTOCOL, words));

    assert_non_null(profile);
    if (SSL_CTX_get_min_proto_version(profile->ctx) != least || SSL_CTX_get_max_proto_version(profile->ctx) != most)
        fail_msg("SSLProtocol %s: %lx to %lx", words, (long)SSL_CTX_get_min_proto_version(profile->ctx),
                 (long)SSL_CTX_get_max_proto_version(profile->ctx));
}

static void versions_become_a_range(void **state)
{
    assert_versions(*state, "all", TLS1_VERSION, TLS1_3_VERSION);
    assert_versions(*state, "all -TLSv1 -TLSv1.1", TLS1_2_VERSION, TLS1_3_VERSION);
    assert_versions(*state, "TLSv1.2 TLSv1.3", TLS1_2_VERSION, TLS1_3_VERSION);
    assert_versions(*state, "TLSv1.3", TLS1_3_VERSION, TLS1_3_VERSION);
    assert_versions(*state, "all -TLSv1.3", TLS1_VERSION, TLS1_2_VERSION);
    assert_versions(*state, "TLSv1.1", TLS1_1_VERSION, TLS1_1_VERSION);
    assert_string_equal(told(*state), "");
}

static void versions_below_a_hole_are_not_offered_and_it_is_said(void **state)
{
    assert_versions(*state, "TLSv1 TLSv1.2 TLSv1.3", TLS1_2_VERSION, TLS1_3_VERSION);
    assert_string_equal(told(*state),
                        "warning - t.conf:7: SSLProtocol: a.test:443: versions older than a version that is left out "
                        "are not offered. Name the versions between as well, or leave the older ones out\n");
    assert_versions(*state, "TLSv1 TLSv1.1 TLSv1.3", TLS1_3_VERSION, TLS1_3_VERSION);
    assert_int_equal(problems->all->nelts, 1);
}

static void no_version_at_all_is_an_error(void **state)
{
    assert_told(*state, with(*state, SL_PROTOCOL, "-all"),
                "error AH02231 t.conf:7: SSLProtocol: a.test:443: no protocol version is left. Name at least one");
}

/* ---- suites ---- */

static int has_suite(SSL_CTX *ctx, const char *name)
{
    STACK_OF(SSL_CIPHER) *suites = SSL_CTX_get_ciphers(ctx);

    for (int i = 0; i < sk_SSL_CIPHER_num(suites); i++) {
        if (!strcmp(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(suites, i)), name))
            return 1;
    }
    return 0;
}

static void suites_are_those_named(void **state)
{
    sl_settings_t *settings = with(*state, SL_CIPHERS, "ECDHE-RSA-AES128-GCM-SHA256");
    SSL_CTX *ctx;

    set(settings, SL_CIPHERS, "TLSv1.3 TLS_AES_256_GCM_SHA384");
    ctx = ctx_of(*state, settings);
    assert_true(has_suite(ctx, "ECDHE-RSA-AES128-GCM-SHA256"));
    assert_true(has_suite(ctx, "TLS_AES_256_GCM_SHA384"));
    assert_int_equal(sk_SSL_CIPHER_num(SSL_CTX_get_ciphers(ctx)), 2);
}

static void suites_without_authentication_or_encryption_are_never_there(void **state)
{
    static const char *const lists[] = {"ALL:COMPLEMENTOFALL:@SECLEVEL=0", "aNULL:eNULL:AES128-SHA:@SECLEVEL=0"};

    for (int i = 0; i < 4; i++) {
        sl_settings_t *settings =
            i < 2 ? with(*state, SL_CIPHERS, lists[i])
                  : with(*state, SL_CONF_CMD, apr_pstrcat(*state, "CipherString ", lists[i - 2], NULL));
        STACK_OF(SSL_CIPHER) *suites = SSL_CTX_get_ciphers(ctx_of(*state, settings));

        assert_true(sk_SSL_CIPHER_num(suites) > 3);
        for (int k = 0; k < sk_SSL_CIPHER_num(suites); k++) {
            const SSL_CIPHER *suite = sk_SSL_CIPHER_value(suites, k);

            assert_int_not_equal(SSL_CIPHER_get_auth_nid(suite), NID_auth_null);
            assert_true(SSL_CIPHER_get_bits(suite, NULL) > 0);
        }
    }
}

static void unusable_lists_are_told_with_the_list(void **state)
{
    sl_settings_t *both = with(*state, SL_CIPHERS, "NONSENSE");

    assert_told(*state, both,
                "error AH01898 t.conf:7: SSLCipherSuite: a.test:443: no usable cipher suite in 'NONSENSE'");
    set(both, SL_CIPHERS, "TLSv1.3 HIGH");
    assert_told(*state, both,
                "error AH10127 t.conf:7: SSLCipherSuite: a.test:443: not usable as TLS 1.3 cipher suites: 'HIGH'");
    assert_non_null(strstr(told(*state), "AH01898")); /* both in one go */
}

/* ---- options ---- */

static void flags_land_in_the_context(void **state)
{
    SSL_CTX *ctx = ctx_of(*state, sl_settings_make(*state));

    assert_false(SSL_CTX_get_options(ctx) & SSL_OP_CIPHER_SERVER_PREFERENCE);
    assert_false(SSL_CTX_get_options(ctx) & SSL_OP_NO_TICKET);
    assert_true(SSL_CTX_get_options(ctx) & SSL_OP_NO_COMPRESSION);
    assert_true(SSL_CTX_get_options(ctx) & SSL_OP_NO_RENEGOTIATION);
    assert_true(SSL_CTX_get_options(ctx) & SSL_OP_IGNORE_UNEXPECTED_EOF);
    assert_true(SSL_CTX_get_mode(ctx) & SSL_MODE_RELEASE_BUFFERS);
    assert_int_equal(SSL_CTX_get_session_cache_mode(ctx), SSL_SESS_CACHE_OFF);
    assert_true(SSL_CTX_get_num_tickets(ctx) > 0);
    assert_true(SSL_CTX_get_options(ctx_of(*state, with(*state, SL_HONOR_ORDER, "on"))) &
                SSL_OP_CIPHER_SERVER_PREFERENCE);
    ctx = ctx_of(*state, with(*state, SL_TICKETS, "off"));
    assert_true(SSL_CTX_get_options(ctx) & SSL_OP_NO_TICKET);
    assert_int_equal(SSL_CTX_get_num_tickets(ctx), 0);
}

static void compression_is_refused_where_the_library_has_none(void **state)
{
    STACK_OF(SSL_COMP) *methods;
    sl_profile_t *profile = compile(*state, with(*state, SL_COMPRESSION, "on"));

    methods = SSL_COMP_get_compression_methods();
    if (methods && sk_SSL_COMP_num(methods) > 0)
        assert_false(SSL_CTX_get_options(profile->ctx) & SSL_OP_NO_COMPRESSION);
    else
        assert_non_null(
            strstr(told(*state), "SSLCompression: a.test:443: this OpenSSL has no compression methods. Remove"));
}

static void commands_of_openssl_have_the_last_word(void **state)
{
    sl_settings_t *settings = with(*state, SL_PROTOCOL, "TLSv1.2 TLSv1.3");

    set(settings, SL_CONF_CMD, "MinProtocol TLSv1.3");
    set(settings, SL_CONF_CMD, "Options -SessionTicket");
    assert_int_equal(SSL_CTX_get_min_proto_version(ctx_of(*state, settings)), TLS1_3_VERSION);
    assert_true(SSL_CTX_get_options(ctx_of(*state, settings)) & SSL_OP_NO_TICKET);
}

static void a_refused_command_is_told_with_its_argument(void **state)
{
    sl_settings_t *settings = with(*state, SL_CONF_CMD, "Groups nonsense");

    set(settings, SL_CONF_CMD, "MinProtocol TLSv9");
    assert_told(*state, settings,
                "error AH02407 t.conf:7: SSLOpenSSLConfCmd: a.test:443: 'Groups nonsense' was refused");
    assert_non_null(strstr(told(*state), "'MinProtocol TLSv9' was refused"));
}

static void a_certificate_among_the_commands_is_seen(void **state)
{
    material_pair_t *pair = material_server(*state, "a.test", "P-256", NULL);
    const char *dir = material_dir(*state);
    sl_settings_t *settings = sl_settings_make(*state);

    assert_false(compile(*state, settings)->has_own_certificate);
    set(settings, SL_CONF_CMD,
        apr_pstrcat(*state, "Certificate ", material_file(*state, dir, "a.crt", material_cert_pem(*state, pair->cert)),
                    NULL));
    set(settings, SL_CONF_CMD,
        apr_pstrcat(*state, "PrivateKey ",
                    material_file(*state, dir, "a.key", material_key_pem(*state, pair->key, NULL, NULL)), NULL));
    assert_true(compile(*state, settings)->has_own_certificate);
}

/* ---- groups: by handshake, as nothing else tells ---- */

/* The group that a client which offers `offered` gets, NULL if the handshake fails. */
static const char *group_with(apr_pool_t *pool, const sl_settings_t *settings, const char *offered)
{
    material_pair_t *pair = material_server(pool, "a.test", "P-256", NULL);
    SSL_CTX *client_ctx = SSL_CTX_new(TLS_client_method());
    SSL *server = SSL_new(ctx_of(pool, settings)), *client = SSL_new(client_ctx);
    BIO *ours, *theirs;
    const char *group = NULL;
    int done = 0, failed = 0;

    BIO_new_bio_pair(&ours, 0, &theirs, 0);
    SSL_set_bio(server, ours, ours);
    SSL_set_bio(client, theirs, theirs);
    SSL_use_certificate(server, pair->cert);
    SSL_use_PrivateKey(server, pair->key);
    assert_int_equal(SSL_set1_groups_list(client, offered), 1);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    for (int i = 0; i < 20 && !failed && done != 2; i++) {
        int a = SSL_do_handshake(client), b = SSL_do_handshake(server);

        done = (a == 1) + (b == 1);
        failed = (a != 1 && SSL_get_error(client, a) == SSL_ERROR_SSL) ||
                 (b != 1 && SSL_get_error(server, b) == SSL_ERROR_SSL);
    }
    if (done == 2)
        group = OBJ_nid2sn((int)SSL_get_negotiated_group(server) & 0xffff);
    SSL_free(server);
    SSL_free(client);
    SSL_CTX_free(client_ctx);
    return group;
}

static void groups_are_those_of_the_policy_or_of_openssls_command(void **state)
{
    sl_settings_t *settings = sl_settings_make(*state);

    assert_string_equal(group_with(*state, settings, "P-384:P-256"), "secp384r1"); /* the client's order counts */
    assert_string_equal(group_with(*state, settings, "X25519"), "X25519");
    assert_null(group_with(*state, settings, "P-521"));
    set(settings, SL_CONF_CMD, "Groups P-521");
    assert_string_equal(group_with(*state, settings, "P-256:P-521"), "secp521r1");
    assert_null(group_with(*state, settings, "P-256"));
}

static void groups_that_the_library_lacks_are_left_out(void **state)
{
    assert_string_equal(sl_profile_known_groups("P-256:NoSuchGroup:P-384", *state), "P-256:P-384");
    assert_null(sl_profile_known_groups("NoSuchGroup", *state));
}

/* ---- presets ---- */

static void presets_set_what_they_say(void **state)
{
    SSL_CTX *ctx = ctx_of(*state, with(*state, SL_POLICY, "modern"));

    assert_int_equal(SSL_CTX_get_min_proto_version(ctx), TLS1_3_VERSION);
    ctx = ctx_of(*state, with(*state, SL_POLICY, "intermediate"));
    assert_int_equal(SSL_CTX_get_min_proto_version(ctx), TLS1_2_VERSION);
    assert_int_equal(SSL_CTX_get_max_proto_version(ctx), TLS1_3_VERSION);
    assert_true(has_suite(ctx, "ECDHE-RSA-CHACHA20-POLY1305"));
    assert_false(has_suite(ctx, "AES128-SHA"));
    ctx = ctx_of(*state, with(*state, SL_POLICY, "old"));
    assert_int_equal(SSL_CTX_get_min_proto_version(ctx), TLS1_VERSION);
    assert_int_equal(SSL_CTX_get_security_level(ctx), 0);
    assert_true(has_suite(ctx, "AES128-SHA"));
    assert_true(SSL_CTX_get_options(ctx) & SSL_OP_CIPHER_SERVER_PREFERENCE);
}

static void intermediate_is_what_applies_when_nothing_is_set(void **state)
{
    sl_profile_set_t *set_of = sl_profile_set_make(*state, material_now(), NULL);

    problems = sl_problems_make(*state);
    assert_ptr_equal(sl_profile_set_get(set_of, sl_settings_make(*state), "a", *state, problems),
                     sl_profile_set_get(set_of, with(*state, SL_POLICY, "intermediate"), "b", *state, problems));
}

static void what_is_said_wins_over_the_preset(void **state)
{
    sl_settings_t *settings = with(*state, SL_POLICY, "modern");
    SSL_CTX *ctx;

    set(settings, SL_PROTOCOL, "TLSv1.2");
    set(settings, SL_CIPHERS, "AES128-SHA");
    ctx = ctx_of(*state, settings);
    assert_int_equal(SSL_CTX_get_max_proto_version(ctx), TLS1_2_VERSION);
    assert_true(has_suite(ctx, "AES128-SHA"));
    assert_false(has_suite(ctx, "ECDHE-RSA-AES128-GCM-SHA256"));
}

static void presets_name_their_source_and_date(void **state)
{
    (void)state;
    for (int i = SL_POLICY_MODERN; i <= SL_POLICY_OLD; i++) {
        assert_non_null(sl_policy(i)->source);
        assert_int_equal(strlen(sl_policy(i)->date), 10);
    }
}

/* ---- client certificates ---- */

static void cas_are_believed_and_named(void **state)
{
    const char *dir = material_dir(*state);
    const char *ca =
        material_file(*state, dir, "ca.pem", material_cert_pem(*state, material_ca(*state, "the ca", NULL)->cert));
    sl_settings_t *settings = with(*state, SL_CA_FILE, ca);
    sl_profile_t *profile;
    const STACK_OF(X509_NAME) *names;

    set(settings, SL_VERIFY_CLIENT, "optional");
    set(settings, SL_VERIFY_DEPTH, "3");
    profile = compile(*state, settings);
    assert_string_equal(told(*state), "");
    assert_int_equal(profile->verify_mode, SL_VERIFY_OPTIONAL);
    assert_int_equal(profile->verify_depth, 3);
    assert_int_equal(profile->crl_missing_ok, 0);
    names = SSL_CTX_get_client_CA_list(profile->ctx);
    assert_int_equal(sk_X509_NAME_num(names), 1);
    assert_ptr_equal(SSL_CTX_get_cert_store(profile->ctx), profile->trust->store);
}

static void all_that_is_wrong_with_client_certificates_is_told(void **state)
{
    const char *dir = material_dir(*state);
    const char *junk = material_file(*state, dir, "junk.pem", material_text("no certificate\n"));
    sl_settings_t *settings = with(*state, SL_VERIFY_CLIENT, "require");

    assert_told(*state, settings,
                "warning AH01897 t.conf:7: SSLVerifyClient: a.test:443: client certificates are required");
    set(settings, SL_CA_FILE, junk);
    set(settings, SL_CRL_CHECK, "leaf");
    assert_told(*state, settings, "error AH01895 t.conf:7: SSLCACertificateFile: ");
    assert_non_null(strstr(told(*state), "error AH01899 t.conf:7: SSLCARevocationCheck: "));
    assert_null(strstr(told(*state), "AH01897"));
}

static void the_scope_follows_what_decides_about_clients(void **state)
{
    sl_profile_t *plain = compile(*state, sl_settings_make(*state));
    sl_profile_t *tickets = compile(*state, with(*state, SL_TICKETS, "off"));
    sl_profile_t *asks = compile(*state, with(*state, SL_VERIFY_CLIENT, "optional"));

    assert_memory_equal(plain->scope, tickets->scope, sizeof(plain->scope));
    assert_memory_not_equal(plain->scope, asks->scope, sizeof(plain->scope));
}

/* ---- the set ---- */

static int prepared;

static void count_prepared(SSL_CTX *ctx)
{
    assert_non_null(ctx);
    prepared++;
}

static void equal_settings_share_one_profile(void **state)
{
    sl_profile_set_t *set_of = sl_profile_set_make(*state, material_now(), count_prepared);
    sl_settings_t *a = with(*state, SL_VERIFY_DEPTH, "2"), *b = with(*state, SL_VERIFY_DEPTH, "2");
    sl_profile_t *shared, *other;

    prepared = 0;
    problems = sl_problems_make(*state);
    set(b, SL_HANDSHAKE_TIMEOUT, "5"); /* no part of it */
    shared = sl_profile_set_get(set_of, a, "a", *state, problems);
    assert_non_null(shared);
    assert_ptr_equal(sl_profile_set_get(set_of, b, "b", *state, problems), shared);
    assert_int_equal(sl_profile_set_count(set_of), 1);
    assert_int_equal(prepared, 1);
    other = sl_profile_set_get(set_of, with(*state, SL_VERIFY_DEPTH, "3"), "c", *state, problems);
    assert_ptr_not_equal(other, shared);
    assert_int_equal(sl_profile_set_count(set_of), 2);
}

/* Whose CA file is that one. */
static sl_profile_t *profile_with(apr_pool_t *pool, sl_profile_set_t *set_of, const char *path, const char *depth)
{
    sl_settings_t *settings = with(pool, SL_CA_FILE, path);

    set(settings, SL_VERIFY_DEPTH, depth);
    return sl_profile_set_get(set_of, settings, path, pool, problems);
}

static void files_with_the_same_cas_make_one_profile(void **state)
{
    enum { MANY = 12 }; /* more than are remembered in order */
    material_bytes_t cas = material_cert_pem(*state, material_ca(*state, "the ca", NULL)->cert);
    material_bytes_t others = material_cert_pem(*state, material_ca(*state, "another ca", NULL)->cert);
    const char *dir = material_dir(*state), *first = material_file(*state, dir, "first", cas);
    sl_profile_set_t *set_of = sl_profile_set_make(*state, material_now(), NULL);
    sl_profile_t *shared, *oldest = NULL;

    problems = sl_problems_make(*state);
    shared = profile_with(*state, set_of, first, "2");
    assert_non_null(shared);
    for (int i = 0; i < MANY; i++) {
        const char *same = material_file(*state, dir, apr_psprintf(*state, "same%d", i), cas);
        const char *other = material_file(*state, dir, apr_psprintf(*state, "other%d", i),
                                          material_join(*state, others, material_text(apr_itoa(*state, i))));
        sl_profile_t *profile = profile_with(*state, set_of, other, "2");

        assert_ptr_equal(profile_with(*state, set_of, same, "2"), shared);
        assert_ptr_not_equal(profile, shared);
        oldest = oldest ? oldest : profile;
        assert_ptr_not_equal(profile_with(*state, set_of, same, "3"), shared);
    }
    assert_int_equal(sl_profile_set_count(set_of), 2 + MANY);
    assert_ptr_equal(profile_with(*state, set_of,
                                  material_file(*state, dir, "late", material_join(*state, others, material_text("0"))),
                                  "2"),
                     oldest);
    assert_int_equal(sl_profile_set_count(set_of), 2 + MANY);
    sl_profile_set_keep_apart(set_of);
    assert_ptr_not_equal(profile_with(*state, set_of, first, "2"), shared);
    assert_string_equal(told(*state), "");
}

/* Each path is told, though what is in the files is the same. */
static void files_without_cas_are_told_one_by_one(void **state)
{
    const char *dir = material_dir(*state);
    sl_profile_set_t *set_of = sl_profile_set_make(*state, material_now(), NULL);

    problems = sl_problems_make(*state);
    for (int i = 0; i < 3; i++) {
        const char *path = material_file(*state, dir, apr_psprintf(*state, "junk%d", i), material_text("junk\n"));

        assert_null(profile_with(*state, set_of, path, "2"));
        assert_non_null(strstr(told(*state), path));
    }
    assert_int_equal(sl_profile_set_count(set_of), 0);
}

/* Of a backend's side others put more certificates into the store. */
static void profiles_for_backends_count_by_paths(void **state)
{
    material_bytes_t cas = material_cert_pem(*state, material_ca(*state, "the ca", NULL)->cert);
    const char *dir = material_dir(*state);
    sl_profile_set_t *set_of = sl_profile_set_make_client(*state, material_now(), NULL);
    sl_settings_t *one = with(*state, SL_PROXY_CA_FILE, material_file(*state, dir, "one", cas));
    sl_settings_t *two = with(*state, SL_PROXY_CA_FILE, material_file(*state, dir, "two", cas));

    problems = sl_problems_make(*state);
    assert_ptr_not_equal(sl_profile_set_get(set_of, one, "a", *state, problems),
                         sl_profile_set_get(set_of, two, "b", *state, problems));
}

/* So the keeper need not read them again. */
static void files_are_stamped_as_the_keeper_does_it(void **state)
{
    const char *dir = material_dir(*state), *paths[SL_TRUST_PATHS + 1];
    const char *ca = material_file(*state, dir, "ca", material_text("a"));
    sl_settings_t *settings = with(*state, SL_CA_FILE, ca);
    sl_trust_source_t source;

    set(settings, SL_CRL_FILE, material_file(*state, dir, "crl", material_text("b")));
    set(settings, SL_NAMES_FILE, material_file(*state, dir, "names", material_text("c")));
    sl_profile_trust_source(&source, settings);
    sl_trust_paths(&source, paths);
    assert_string_equal(paths[0], ca);
    assert_non_null(paths[2]);
    assert_null(paths[3]);
    assert_int_equal(source.stamp, sl_watch_stamp(paths));
    material_file(*state, dir, "names", material_text("longer"));
    assert_int_not_equal(source.stamp, sl_watch_stamp(paths));
    set(settings, SL_CA_PATH, dir); /* what is in it changes by itself */
    sl_profile_trust_source(&source, settings);
    assert_int_equal(source.stamp, 0);
}

static void a_profile_outlives_its_set_as_long_as_it_is_held(void **state)
{
    apr_pool_t *pool;
    sl_profile_t *profile;

    apr_pool_create(&pool, *state);
    problems = sl_problems_make(pool);
    profile = sl_profile_set_get(sl_profile_set_make(pool, material_now(), NULL), sl_settings_make(pool), "a", pool,
                                 problems);
    sl_profile_retain(profile);
    apr_pool_destroy(pool);
    assert_int_equal(SSL_CTX_get_min_proto_version(profile->ctx), TLS1_2_VERSION);
    sl_profile_release(profile);
}

static void what_does_not_compile_is_told_once(void **state)
{
    sl_profile_set_t *set_of = sl_profile_set_make(*state, material_now(), NULL);

    problems = sl_problems_make(*state);
    assert_null(sl_profile_set_get(set_of, with(*state, SL_CIPHERS, "NONSENSE"), "a", *state, problems));
    assert_null(sl_profile_set_get(set_of, with(*state, SL_CIPHERS, "NONSENSE"), "b", *state, problems));
    assert_int_equal(problems->errors, 1);
    assert_non_null(sl_profile_set_get(set_of, sl_settings_make(*state), "c", *state, problems));
}

static const struct CMUnitTest tests[] = {
    UNIT_TEST(versions_become_a_range),
    UNIT_TEST(versions_below_a_hole_are_not_offered_and_it_is_said),
    UNIT_TEST(no_version_at_all_is_an_error),
    UNIT_TEST(suites_are_those_named),
    UNIT_TEST(suites_without_authentication_or_encryption_are_never_there),
    UNIT_TEST(unusable_lists_are_told_with_the_list),
    UNIT_TEST(flags_land_in_the_context),
    UNIT_TEST(compression_is_refused_where_the_library_has_none),
    UNIT_TEST(commands_of_openssl_have_the_last_word),
    UNIT_TEST(a_refused_command_is_told_with_its_argument),
    UNIT_TEST(a_certificate_among_the_commands_is_seen),
    UNIT_TEST(groups_are_those_of_the_policy_or_of_openssls_command),
    UNIT_TEST(groups_that_the_library_lacks_are_left_out),
    UNIT_TEST(presets_set_what_they_say),
    UNIT_TEST(intermediate_is_what_applies_when_nothing_is_set),
    UNIT_TEST(what_is_said_wins_over_the_preset),
    UNIT_TEST(presets_name_their_source_and_date),
    UNIT_TEST(cas_are_believed_and_named),
    UNIT_TEST(all_that_is_wrong_with_client_certificates_is_told),
    UNIT_TEST(the_scope_follows_what_decides_about_clients),
    UNIT_TEST(equal_settings_share_one_profile),
    UNIT_TEST(files_with_the_same_cas_make_one_profile),
    UNIT_TEST(files_without_cas_are_told_one_by_one),
    UNIT_TEST(profiles_for_backends_count_by_paths),
    UNIT_TEST(files_are_stamped_as_the_keeper_does_it),
    UNIT_TEST(a_profile_outlives_its_set_as_long_as_it_is_held),
    UNIT_TEST(what_does_not_compile_is_told_once),
};

UNIT_MAIN(tests)
