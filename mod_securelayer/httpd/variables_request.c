/* Names beside the SSL_... family that mod_ssl's lookup answers: facts of the request, the server and the clock. */
#include "httpd/variable_getters.h"

#include <ap_mmn.h>
#include <http_core.h>
#include <http_protocol.h>

#include <apr_env.h>
#include <apr_strings.h>
#include <string.h>

const char *sl_var_request_field(const sl_question_t *q, int argument)
{
    return *(const char *const *)((const char *)q->r + argument);
}

/* HTTP_USER_AGENT is the header User-Agent; case does not matter in either. */
const char *sl_var_known_header(const sl_question_t *q, int argument)
{
    char *header = apr_pstrdup(q->pool, q->row->name + sizeof("HTTP_") - 1);

    (void)argument;
    for (char *at = header; *at; at++) {
        if (*at == '_')
            *at = '-';
    }
    return apr_table_get(q->r->headers_in, header);
}

const char *sl_var_header(const sl_question_t *q, int argument)
{
    (void)argument;
    return apr_table_get(q->r->headers_in, q->rest);
}

const char *sl_var_environment(const sl_question_t *q, int argument)
{
    const char *value = q->r ? apr_table_get(q->r->notes, q->rest) : NULL;
    char *process = NULL;

    (void)argument;
    if (!value && q->r)
        value = apr_table_get(q->r->subprocess_env, q->rest);
    if (!value && apr_env_get(&process, q->rest, q->pool) == APR_SUCCESS)
        value = process;
    return value;
}

const char *sl_var_scheme(const sl_question_t *q, int argument)
{
    (void)argument;
    return ap_http_scheme(q->r);
}

const char *sl_var_remote_host(const sl_question_t *q, int argument)
{
    (void)argument;
    return ap_get_useragent_host(q->r, REMOTE_NAME, NULL);
}

const char *sl_var_remote_ident(const sl_question_t *q, int argument)
{
    (void)argument;
    return ap_get_remote_logname(q->r);
}

const char *sl_var_is_subrequest(const sl_question_t *q, int argument)
{
    (void)argument;
    return q->r->main ? "true" : "false";
}

const char *sl_var_document_root(const sl_question_t *q, int argument)
{
    (void)argument;
    return ap_document_root(q->r);
}

const char *sl_var_server_admin(const sl_question_t *q, int argument)
{
    (void)argument;
    return q->server->server_admin;
}

const char *sl_var_server_name(const sl_question_t *q, int argument)
{
    (void)argument;
    return ap_get_server_name_for_url(q->r);
}

const char *sl_var_server_port(const sl_question_t *q, int argument)
{
    (void)argument;
    return apr_psprintf(q->pool, "%u", ap_get_server_port(q->r));
}

const char *sl_var_server_software(const sl_question_t *q, int argument)
{
    (void)q;
    (void)argument;
    return ap_get_server_banner();
}

const char *sl_var_api_version(const sl_question_t *q, int argument)
{
    (void)argument;
    return apr_itoa(q->pool, MODULE_MAGIC_NUMBER_MAJOR);
}

const char *sl_var_time(const sl_question_t *q, int argument)
{
    apr_time_exp_t now;

    if (apr_time_exp_lt(&now, apr_time_now()) != APR_SUCCESS)
        return NULL;
    switch (argument) {
    case SL_TIME_YEAR:
        return apr_psprintf(q->pool, "%04d", now.tm_year + 1900);
    case SL_TIME_MON:
        return apr_psprintf(q->pool, "%02d", now.tm_mon + 1);
    case SL_TIME_DAY:
        return apr_psprintf(q->pool, "%02d", now.tm_mday);
    case SL_TIME_HOUR:
        return apr_psprintf(q->pool, "%02d", now.tm_hour);
    case SL_TIME_MIN:
        return apr_psprintf(q->pool, "%02d", now.tm_min);
    case SL_TIME_SEC:
        return apr_psprintf(q->pool, "%02d", now.tm_sec);
    case SL_TIME_WDAY:
        return apr_psprintf(q->pool, "%d", now.tm_wday);
    default:
        return apr_psprintf(q->pool, "%04d%02d%02d%02d%02d%02d", now.tm_year + 1900, now.tm_mon + 1, now.tm_mday,
                            now.tm_hour, now.tm_min, now.tm_sec);
    }
}
