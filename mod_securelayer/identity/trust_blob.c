/* Trust into bytes and back.  keeper/reload_trust encodes, children decode.
 *
 * Four lists (CAs, names, CRLs, OCSP responders), each as its count and its elements; each element has its length
 * before it. All numbers have four bytes. */
#include "identity/trust_blob.h"

#include "base/bytes.h"
#include "crypto/openssl_error.h"
#include "identity/shared_certs.h"

#include <openssl/crypto.h>

#define FEW 8 /* certificates */

static void put_cert(sl_writer_t *w, X509 *cert)
{
    unsigned char *at = w->at + 4;
    int length = i2d_X509(cert, NULL);

    sl_writer_u32(w, (apr_uint32_t)length);
    i2d_X509(cert, &at);
    w->at = at;
}

/* None at all for NULL. */
static void put_certs(sl_writer_t *w, const STACK_OF(X509) *certs)
{
    int count = sk_X509_num(certs);

    sl_writer_u32(w, count > 0 ? (apr_uint32_t)count : 0);
    for (int i = 0; i < count; i++)
        put_cert(w, sk_X509_value(certs, i));
}

static void put_name(sl_writer_t *w, const X509_NAME *name)
{
    unsigned char *at = w->at + 4;
    int length = i2d_X509_NAME(name, NULL);

    sl_writer_u32(w, (apr_uint32_t)length);
    i2d_X509_NAME(name, &at);
    w->at = at;
}

static void put_crl(sl_writer_t *w, X509_CRL *crl)
{
    unsigned char *at = w->at + 4;
    int length = i2d_X509_CRL(crl, NULL);

    sl_writer_u32(w, (apr_uint32_t)length);
    i2d_X509_CRL(crl, &at);
    w->at = at;
}

/* 0 if something gives no bytes. */
static apr_size_t size_of(const sl_trust_t *trust)
{
    apr_size_t size = 16;
    int length = 1;

    for (int i = 0; length > 0 && i < sk_X509_num(trust->cas); i++)
        size += 4 + (apr_size_t)(length = i2d_X509(sk_X509_value(trust->cas, i), NULL));
    for (int i = 0; length > 0 && i < sk_X509_NAME_num(trust->names); i++)
        size += 4 + (apr_size_t)(length = i2d_X509_NAME(sk_X509_NAME_value(trust->names, i), NULL));
    for (int i = 0; length > 0 && i < sk_X509_CRL_num(trust->crls); i++)
        size += 4 + (apr_size_t)(length = i2d_X509_CRL(sk_X509_CRL_value(trust->crls, i), NULL));
    for (int i = 0; length > 0 && i < sk_X509_num(trust->responders); i++)
        size += 4 + (apr_size_t)(length = i2d_X509(sk_X509_value(trust->responders, i), NULL));
    return length > 0 ? size : 0;
}

unsigned char *sl_trust_encode(const sl_trust_t *trust, apr_size_t *length)
{
    apr_size_t size = trust->store ? size_of(trust) : 0;
    unsigned char *bytes = size ? OPENSSL_malloc(size) : NULL;
    sl_writer_t w;

    *length = 0;
    if (!bytes)
        return NULL;
    sl_writer_init(&w, bytes, size);
    put_certs(&w, trust->cas);
    sl_writer_u32(&w, (apr_uint32_t)sk_X509_NAME_num(trust->names));
    for (int i = 0; i < sk_X509_NAME_num(trust->names); i++)
        put_name(&w, sk_X509_NAME_value(trust->names, i));
    sl_writer_u32(&w, (apr_uint32_t)sk_X509_CRL_num(trust->crls));
    for (int i = 0; i < sk_X509_CRL_num(trust->crls); i++)
        put_crl(&w, sk_X509_CRL_value(trust->crls, i));
    put_certs(&w, trust->responders);
    *length = sl_writer_length(&w);
    return bytes;
}

/* ---- back ---- */

/* The next element; NULL if there is none. */
static const unsigned char *take(sl_reader_t *r, long *length)
{
    apr_uint32_t size = sl_reader_u32(r);

    *length = (long)size;
    return size ? sl_reader_take(r, size) : NULL;
}

/* Hosts that have files of their own have few CAs, and mostly the same ones. */
static X509 *take_cert(sl_reader_t *r, int is_of_few)
{
    long length;
    const unsigned char *at = take(r, &length);

    if (!at)
        return NULL;
    return is_of_few ? sl_shared_ca(at, (apr_size_t)length) : d2i_X509(NULL, &at, length);
}

static int take_certs(sl_reader_t *r, STACK_OF(X509) *certs)
{
    apr_uint32_t count = sl_reader_u32(r);

    for (apr_uint32_t left = count; left; left--) {
        X509 *cert = take_cert(r, count <= FEW);

        if (!cert || sk_X509_push(certs, cert) <= 0) {
            X509_free(cert);
            return 0;
        }
    }
    return 1;
}

static int take_names(sl_reader_t *r, STACK_OF(X509_NAME) *names)
{
    for (apr_uint32_t left = sl_reader_u32(r); left; left--) {
        long length;
        const unsigned char *at = take(r, &length);
        X509_NAME *name = at ? d2i_X509_NAME(NULL, &at, length) : NULL;

        if (!name || sk_X509_NAME_push(names, name) <= 0) {
            X509_NAME_free(name);
            return 0;
        }
    }
    return 1;
}

static int take_crls(sl_reader_t *r, STACK_OF(X509_CRL) *crls)
{
    for (apr_uint32_t left = sl_reader_u32(r); left; left--) {
        long length;
        const unsigned char *at = take(r, &length);
        X509_CRL *crl = at ? d2i_X509_CRL(NULL, &at, length) : NULL;

        if (!crl || sk_X509_CRL_push(crls, crl) <= 0) {
            X509_CRL_free(crl);
            return 0;
        }
    }
    return 1;
}

sl_trust_t *sl_trust_decode(const unsigned char *bytes, apr_size_t length, const sl_trust_source_t *source)
{
    STACK_OF(X509) *cas = sk_X509_new_null(), *responders = sk_X509_new_null();
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    STACK_OF(X509_CRL) *crls = sk_X509_CRL_new_null();
    sl_reader_t r;

    sl_reader_init(&r, bytes, length);
    if (cas && names && crls && responders && take_certs(&r, cas) && take_names(&r, names) && take_crls(&r, crls) &&
        take_certs(&r, responders) && !r.failed)
        return sl_trust_assemble(source, cas, names, crls, responders);
    sk_X509_pop_free(cas, X509_free);
    sk_X509_pop_free(responders, X509_free);
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    sk_X509_CRL_pop_free(crls, X509_CRL_free);
    sl_openssl_error_clear();
    return NULL;
}
