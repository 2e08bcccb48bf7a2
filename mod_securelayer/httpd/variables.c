/* The table of variables and how a name finds its row.  Asked by the ways in (log formats, expressions, the exports,
 * other modules through ssl_api.c); the values come from variables_conn.c, _hello.c, _cert.c and _request.c. */
#include "httpd/variables.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "crypto/cert_text.h"
#include "httpd/link.h"
#include "httpd/variable_getters.h"

#define TEXT(getter) SL_FORM_WHOLE, getter, NULL
#define LIST(getter) SL_FORM_NUMBER, NULL, getter
#define PARTS(getter) SL_FORM_PART, getter, NULL
#define NAMED(getter) SL_FORM_NAME, getter, NULL
#define STD SL_EXPORT_STD
#define TIMED SL_EXPORT_TIMED
#define CERT SL_EXPORT_CERT
#define BASE64 SL_EXPORT_BASE64
#define LOOKUP 0
#define SL_VARIABLE(name, about, getter, argument, exported) {name, SL_ABOUT_##about, getter, argument, exported},

static const sl_variable_t rows[] = {
#include "httpd/variable_rows.h"
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* Rows of one name, sorted for the search, and the families behind them. Filled once, before any thread runs. */
static const sl_variable_t *whole[ROWS], *families[ROWS];
static apr_size_t whole_count, family_count;

static int by_name(const void *a, const void *b)
{
    return strcasecmp((*(const sl_variable_t *const *)a)->name, (*(const sl_variable_t *const *)b)->name);
}

void sl_variables_prepare(void)
{
    whole_count = family_count = 0;
    for (apr_size_t i = 0; i < ROWS; i++) {
        if (rows[i].form == SL_FORM_WHOLE)
            whole[whole_count++] = &rows[i];
        else
            families[family_count++] = &rows[i];
    }
    qsort(whole, whole_count, sizeof(whole[0]), by_name);
}

/* ---- from a name to its row ---- */

/* Length of a family's name without its placeholder. */
static apr_size_t stem_length(const sl_variable_t *row)
{
    static const apr_size_t placeholder[] = {
        [SL_FORM_WHOLE] = 0,
        [SL_FORM_NUMBER] = sizeof("n") - 1,
        [SL_FORM_PART] = sizeof("x509") - 1,
        [SL_FORM_NAME] = sizeof("name") - 1,
    };

    return strlen(row->name) - placeholder[row->form];
}

static int is_number(const char *text)
{
    apr_size_t digits = strspn(text, "0123456789");

    return digits >= 1 && digits <= 4 && !text[digits];
}

static int is_whole(const void *name, const void *row)
{
    return strcasecmp(name, (*(const sl_variable_t *const *)row)->name);
}

const sl_variable_t *sl_variable_find(const char *name, const char **rest)
{
    const sl_variable_t **found = bsearch(name, whole, whole_count, sizeof(whole[0]), is_whole);

    *rest = "";
    if (found)
        return *found;
    for (apr_size_t i = 0; i < family_count; i++) {
        apr_size_t stem = stem_length(families[i]);

        if (strncasecmp(name, families[i]->name, stem))
            continue;
        if (families[i]->form == SL_FORM_NUMBER && !is_number(name + stem))
            continue;
        *rest = name + stem;
        return families[i];
    }
    return NULL;
}

/* ---- from a row to its value ---- */

static const sl_conn_t *tls_of(conn_rec *c)
{
    const sl_link_t *link = c ? sl_link_of(c) : NULL;

    return link && link->tls->ssl ? link->tls : NULL;
}

static X509 *certificate_of(conn_rec *c, int peer)
{
    sl_conn_t *tls = sl_link_of(c)->tls;

    return peer ? sl_conn_peer(tls) : sl_conn_certificate(tls);
}

X509 *sl_variable_certificate(conn_rec *c, int peer)
{
    return tls_of(c) ? certificate_of(c, peer) : NULL;
}

/* Fills in what the question's row is about; false if it is not there. */
static int has_subject(sl_question_t *q)
{
    switch (q->row->about) {
    case SL_ABOUT_NOTHING:
        return 1;
    case SL_ABOUT_SERVER:
        return q->server != NULL;
    case SL_ABOUT_REQUEST:
        return q->r != NULL;
    case SL_ABOUT_CONN:
        return q->tls != NULL;
    case SL_ABOUT_HELLO:
        return q->tls && q->tls->hello;
    case SL_ABOUT_CLIENT_CERTIFICATE:
    case SL_ABOUT_SERVER_CERTIFICATE:
        q->certificate = q->tls ? certificate_of(q->c, q->row->about == SL_ABOUT_CLIENT_CERTIFICATE) : NULL;
        return q->certificate != NULL;
    }
    return 0;
}

static const char *value_of(sl_question_t *q)
{
    const char *value;

    if (!has_subject(q))
        return NULL;
    if (q->row->form == SL_FORM_NUMBER) {
        const apr_array_header_t *list = q->row->list(q, q->row->argument);
        int index = atoi(q->rest);

        value = list && index < list->nelts ? APR_ARRAY_IDX(list, index, const char *) : NULL;
    }
    else {
        value = q->row->text(q, q->row->argument);
    }
    return value && *value ? value : NULL;
}

const char *sl_variable_value(apr_pool_t *pool, server_rec *s, conn_rec *c, request_rec *r, const sl_variable_t *row,
                              const char *rest)
{
    sl_question_t q = {pool, s, c, r, NULL, NULL, row, rest};

    if (!q.c && r)
        q.c = r->connection;
    if (!q.server)
        q.server = r ? r->server : q.c ? q.c->base_server : NULL;
    q.tls = tls_of(q.c);
    return value_of(&q);
}

const char *sl_variable_get(apr_pool_t *pool, server_rec *s, conn_rec *c, request_rec *r, const char *name)
{
    const char *rest;
    const sl_variable_t *row = sl_variable_find(name, &rest);

    return row ? sl_variable_value(pool, s, c, r, row, rest) : NULL;
}

const char *sl_variable_get_conn(apr_pool_t *pool, conn_rec *c, const char *name)
{
    const char *rest;
    const sl_variable_t *row = sl_variable_find(name, &rest);

    return row && row->about >= SL_ABOUT_CONN ? sl_variable_value(pool, NULL, c, NULL, row, rest) : NULL;
}

/* ---- all rows at once ---- */

static void export_list(const sl_question_t *q, sl_variable_take_t *take, void *baton)
{
    const apr_array_header_t *list = q->row->list(q, q->row->argument);
    int stem = (int)stem_length(q->row);

    for (int i = 0; list && i < list->nelts; i++)
        take(baton, apr_psprintf(q->pool, "%.*s%d", stem, q->row->name, i), APR_ARRAY_IDX(list, i, const char *));
}

static void export_text(sl_question_t *q, sl_variable_take_t *take, void *baton)
{
    const char *value = value_of(q);

    if (value || q->row->exported & SL_EXPORT_EMPTY)
        take(baton, q->row->name, value ? value : "");
}

void sl_variables_export(request_rec *r, int which, sl_variable_take_t *take, void *baton)
{
    sl_question_t q = {r->pool, r->server, r->connection, r, tls_of(r->connection), NULL, NULL, ""};

    for (apr_size_t i = 0; i < ROWS; i++) {
        q.row = &rows[i];
        if (!(q.row->exported & which))
            continue;
        if (q.row->form == SL_FORM_WHOLE)
            export_text(&q, take, baton);
        else if (has_subject(&q) && q.row->form == SL_FORM_NUMBER)
            export_list(&q, take, baton);
        else if (has_subject(&q))
            sl_var_cert_export_dn_parts(&q, q.row->argument, take, baton);
    }
}
