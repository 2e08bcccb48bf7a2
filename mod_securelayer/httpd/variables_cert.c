/* Variables about certificates: the same getters for the client's and for ours, which the row names. */
#include "httpd/variable_getters.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <openssl/objects.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "crypto/cert_text.h"
#include "httpd/module_config.h"

const char *sl_var_cert_version(const sl_question_t *q, int argument)
{
    (void)argument;
    return sl_cert_text_version(q->pool, q->certificate);
}

const char *sl_var_cert_serial(const sl_question_t *q, int argument)
{
    (void)argument;
    return sl_cert_text_serial(q->pool, q->certificate);
}

const char *sl_var_cert_start(const sl_question_t *q, int argument)
{
    (void)argument;
    return sl_cert_text_not_before(q->pool, q->certificate);
}

const char *sl_var_cert_end(const sl_question_t *q, int argument)
{
    (void)argument;
    return sl_cert_text_not_after(q->pool, q->certificate);
}

const char *sl_var_cert_remain(const sl_question_t *q, int argument)
{
    (void)argument;
    return sl_cert_text_remain(q->pool, q->certificate, apr_time_sec(apr_time_now()));
}

const char *sl_var_cert_signature(const sl_question_t *q, int argument)
{
    (void)argument;
    return sl_cert_text_signature_algorithm(q->pool, q->certificate);
}

const char *sl_var_cert_key(const sl_question_t *q, int argument)
{
    (void)argument;
    return sl_cert_text_key_algorithm(q->pool, q->certificate);
}

const char *sl_var_cert_pem(const sl_question_t *q, int argument)
{
    (void)argument;
    return sl_cert_text_pem(q->pool, q->certificate);
}

const char *sl_var_cert_base64(const sl_question_t *q, int argument)
{
    (void)argument;
    return sl_cert_text_base64(q->pool, q->certificate);
}

const char *sl_var_cert_sha256(const sl_question_t *q, int argument)
{
    (void)argument;
    return sl_cert_text_sha256(q->pool, q->certificate);
}

const char *sl_var_cert_assertion(const sl_question_t *q, int argument)
{
    (void)argument;
    return sl_cert_text_exact_assertion(q->pool, q->certificate);
}

apr_array_header_t *sl_var_cert_san(const sl_question_t *q, int argument)
{
    return sl_cert_text_san(q->pool, q->certificate, (sl_san_t)argument);
}

/* ---- the chain the client sent, its own certificate left out ---- */

static apr_array_header_t *chain_texts(const sl_question_t *q, const char *(*text_of)(apr_pool_t *, X509 *))
{
    STACK_OF(X509) *chain = sl_conn_peer(q->tls) ? sl_conn_peer_chain(q->tls) : NULL;
    apr_array_header_t *texts = apr_array_make(q->pool, 4, sizeof(const char *));

    for (int i = 0; i < sk_X509_num(chain); i++)
        APR_ARRAY_PUSH(texts, const char *) = text_of(q->pool, sk_X509_value(chain, i));
    return texts;
}

apr_array_header_t *sl_var_chain_pem(const sl_question_t *q, int argument)
{
    (void)argument;
    return chain_texts(q, sl_cert_text_pem);
}

apr_array_header_t *sl_var_chain_base64(const sl_question_t *q, int argument)
{
    (void)argument;
    return chain_texts(q, sl_cert_text_base64);
}

/* ---- distinguished names ---- */

static const struct {
    const char *name;
    int nid;
    int is_alias; /* of the one before it: answers, but is not exported */
} attributes[] = {
    {"C", NID_countryName, 0},
    {"ST", NID_stateOrProvinceName, 0},
    {"SP", NID_stateOrProvinceName, 1},
    {"L", NID_localityName, 0},
    {"O", NID_organizationName, 0},
    {"OU", NID_organizationalUnitName, 0},
    {"CN", NID_commonName, 0},
    {"T", NID_title, 0},
    {"I", NID_initials, 0},
    {"G", NID_givenName, 0},
    {"S", NID_surname, 0},
    {"D", NID_description, 0},
    {"SerialNumber", NID_serialNumber, 0},
    {"UID", NID_userId, 0},
    {"Email", NID_pkcs9_emailAddress, 0},
};

#define ATTRIBUTES (sizeof(attributes) / sizeof(attributes[0]))

const char *sl_var_cert_dn(const sl_question_t *q, int argument)
{
    int legacy = q->r && sl_config_options(q->r) & SL_OPT_LEGACY_DN;

    return sl_cert_text_dn(q->pool, q->certificate, (sl_dn_t)argument, legacy);
}

static int attribute_nid(const char *name, apr_size_t length)
{
    for (apr_size_t i = 0; i < ATTRIBUTES; i++) {
        if (strlen(attributes[i].name) == length && !strncasecmp(attributes[i].name, name, length))
            return attributes[i].nid;
    }
    return NID_undef;
}

/* Takes "_12" off the front of `*at`; false if there is something that is neither that nor another suffix. */
static int take_index(const char **at, int *index)
{
    apr_size_t digits;

    *index = 0;
    if (**at != '_' || !apr_isdigit((*at)[1]))
        return 1;
    digits = strspn(*at + 1, "0123456789");
    if (digits > 4)
        return 0;
    *index = atoi(*at + 1);
    *at += 1 + digits;
    return 1;
}

/* ATTRIBUTE[_INDEX][_RAW] */
const char *sl_var_cert_dn_part(const sl_question_t *q, int argument)
{
    apr_size_t length = strcspn(q->rest, "_");
    const char *at = q->rest + length;
    int nid = attribute_nid(q->rest, length), index, raw;

    if (nid == NID_undef || !take_index(&at, &index))
        return NULL;
    raw = !strcasecmp(at, "_RAW");
    if (*at && !raw)
        return NULL;
    return sl_cert_text_dn_part(q->pool, q->certificate, (sl_dn_t)argument, nid, index, raw);
}

static void export_attribute(const sl_question_t *q, int which, const char *name, int nid, sl_variable_take_t *take,
                             void *baton)
{
    const apr_array_header_t *values = sl_cert_text_dn_parts(q->pool, q->certificate, (sl_dn_t)which, nid);
    int stem = (int)(strlen(q->row->name) - (sizeof("x509") - 1));

    for (int i = 0; i < values->nelts; i++) {
        const char *value = APR_ARRAY_IDX(values, i, const char *);

        if (!*value)
            continue;
        take(baton,
             i ? apr_psprintf(q->pool, "%.*s%s_%d", stem, q->row->name, name, i)
               : apr_psprintf(q->pool, "%.*s%s", stem, q->row->name, name),
             value);
    }
}

void sl_var_cert_export_dn_parts(const sl_question_t *q, int which, sl_variable_take_t *take, void *baton)
{
    for (apr_size_t i = 0; i < ATTRIBUTES; i++) {
        if (!attributes[i].is_alias)
            export_attribute(q, which, attributes[i].name, attributes[i].nid, take, baton);
    }
}
