/* Opening what is sealed with a pass phrase.  Called by pem.c. */
#include "crypto/sealed.h"

#include "crypto/key_der.h"
#include "crypto/openssl_error.h"

#include <openssl/asn1.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <string.h>

#define PHRASE_MAX 1023      /* what PEM_do_header() takes */
#define HEADERS_MAX 1024
#define MAC_ROUNDS_MAX 10000000 /* some seconds; more is a mistake or mischief */

typedef enum { OPENED, WRONG_PHRASE, UNREADABLE, DAMAGED } outcome_t;
typedef outcome_t opener_t(void *baton, const char *phrase, int length);

/* Reasons that have nothing to do with the phrase. */
static int says_unsupported(unsigned long code)
{
    int reason = ERR_GET_REASON(code);

    if (reason == ERR_R_UNSUPPORTED)
        return 1;
    switch (ERR_GET_LIB(code)) {
    case ERR_LIB_EVP:
        return reason == EVP_R_UNSUPPORTED_ALGORITHM || reason == EVP_R_UNKNOWN_PBE_ALGORITHM ||
               reason == EVP_R_UNSUPPORTED_CIPHER || reason == EVP_R_UNKNOWN_CIPHER ||
               reason == EVP_R_UNSUPPORTED_PRF || reason == EVP_R_UNSUPPORTED_KEY_DERIVATION_FUNCTION;
    case ERR_LIB_PKCS12:
        return reason == PKCS12_R_UNKNOWN_DIGEST_ALGORITHM || reason == PKCS12_R_UNSUPPORTED_PKCS12_MODE;
    case ERR_LIB_PEM:
        return reason == PEM_R_UNSUPPORTED_CIPHER || reason == PEM_R_UNSUPPORTED_ENCRYPTION;
    default:
        return 0;
    }
}

/* Why OpenSSL could not decrypt; empties its queue. */
static outcome_t judge_failure(void)
{
    outcome_t outcome = WRONG_PHRASE;
    unsigned long code;

    while ((code = ERR_get_error()) != 0) {
        if (says_unsupported(code))
            outcome = UNREADABLE;
    }
    return outcome;
}

static apr_status_t no_phrase(const sl_asker_t *asker, int wrong_before, sl_problem_t *why)
{
    apr_status_t status;

    if (wrong_before)
        status = sl_problem_set(why, APR_EGENERAL, asker->object, "the pass phrase is wrong");
    else if (asker->ask)
        status = sl_problem_set(why, APR_EGENERAL, asker->object, "it is encrypted, and no pass phrase was given");
    else
        status = sl_problem_set(why, APR_EGENERAL, asker->object,
                                "it is encrypted, and there is nobody to ask for the pass phrase");
    sl_problem_advise(why, "Give the right pass phrase, or take it off: openssl pkey -in %s -out NEW", asker->object);
    return status;
}

/* Asks and tries until the phrase is right. The outcome is OPENED, UNREADABLE or DAMAGED, or `*status` tells why it
 * ended with WRONG_PHRASE. */
static outcome_t try_phrases(const sl_asker_t *asker, opener_t *open, void *baton, apr_status_t *status,
                             sl_problem_t *why)
{
    char phrase[2][PHRASE_MAX + 1];
    int length[2] = {-1, -1};
    outcome_t outcome = WRONG_PHRASE;

    for (int turn = 0; outcome == WRONG_PHRASE; turn ^= 1) {
        length[turn] = asker->ask ? asker->ask(phrase[turn], PHRASE_MAX, asker->object, asker->baton) : -1;
        if (length[turn] < 0 || length[turn] > PHRASE_MAX ||
            (length[turn] == length[!turn] && memcmp(phrase[turn], phrase[!turn], (size_t)length[turn]) == 0)) {
            *status = no_phrase(asker, length[!turn] >= 0, why);
            break;
        }
        phrase[turn][length[turn]] = '\0';
        ERR_clear_error();
        outcome = open(baton, phrase[turn], length[turn]);
    }
    OPENSSL_cleanse(phrase, sizeof(phrase));
    return outcome;
}

typedef struct sealed_pkcs8_t {
    const X509_SIG *sealed;
    PKCS8_PRIV_KEY_INFO *info;
} sealed_pkcs8_t;

static outcome_t open_pkcs8(void *baton, const char *phrase, int length)
{
    sealed_pkcs8_t *job = baton;

    job->info = PKCS8_decrypt(job->sealed, phrase, length);
    return job->info ? OPENED : judge_failure();
}

static EVP_PKEY *key_from_info(const PKCS8_PRIV_KEY_INFO *info)
{
    unsigned char *der = NULL;
    int length = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    EVP_PKEY *key = length > 0 ? sl_key_der_pkcs8(der, (apr_size_t)length) : NULL;

    OPENSSL_clear_free(der, length > 0 ? (size_t)length : 0);
    return key;
}

static const char *algorithm_name(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *object;
    const char *name;

    X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    name = OBJ_nid2ln(OBJ_obj2nid(object));
    return name ? name : "an unknown method";
}

apr_status_t sl_sealed_pkcs8(EVP_PKEY **key, const unsigned char *der, apr_size_t length, const sl_asker_t *asker,
                             sl_problem_t *why)
{
    X509_SIG *sealed = d2i_X509_SIG(NULL, &der, (long)length);
    const X509_ALGOR *algorithm;
    sealed_pkcs8_t job = {sealed, NULL};
    apr_status_t status = APR_SUCCESS;

    *key = NULL;
    if (!sealed)
        return sl_openssl_problem(why, asker->object, "the encrypted private key is damaged");
    X509_SIG_get0(sealed, &algorithm, NULL);
    switch (try_phrases(asker, open_pkcs8, &job, &status, why)) {
    case OPENED:
        *key = key_from_info(job.info);
        if (!*key)
            status = sl_openssl_problem(why, asker->object, "the private key cannot be used once it is decrypted");
        break;
    case UNREADABLE:
        status = sl_problem_set(why, APR_ENOTIMPL, asker->object,
                                "the private key is encrypted with %s, which this OpenSSL does not read",
                                algorithm_name(algorithm));
        sl_problem_advise(why,
                          "Convert it: openssl pkcs8 -provider legacy -provider default -in %s -out PLAIN && "
                          "openssl pkcs8 -topk8 -in PLAIN -out NEW",
                          asker->object);
        break;
    default:
        break;
    }
    PKCS8_PRIV_KEY_INFO_free(job.info);
    X509_SIG_free(sealed);
    return status;
}

typedef struct sealed_block_t {
    EVP_CIPHER_INFO cipher;
    const unsigned char *bytes;
    apr_size_t length;
    const char *label;
    unsigned char *plain; /* room for `length` bytes */
    EVP_PKEY *key;
} sealed_block_t;

typedef struct phrase_t {
    const char *text;
    int length;
} phrase_t;

static int give_phrase(char *buffer, int size, int writing, void *baton)
{
    const phrase_t *phrase = baton;

    (void)writing;
    if (phrase->length > size)
        return -1;
    memcpy(buffer, phrase->text, (size_t)phrase->length);
    return phrase->length;
}

static outcome_t open_block(void *baton, const char *phrase, int length)
{
    sealed_block_t *job = baton;
    phrase_t given = {phrase, length};
    long size = (long)job->length;

    memcpy(job->plain, job->bytes, job->length);
    if (!PEM_do_header(&job->cipher, job->plain, &size, give_phrase, &given))
        return judge_failure();
    job->key = sl_key_der_traditional(job->plain, (apr_size_t)size, job->label);
    /* One wrong phrase in 256 gives a padding that looks right, and nonsense before it. */
    ERR_clear_error();
    return job->key ? OPENED : WRONG_PHRASE;
}

static int read_headers(EVP_CIPHER_INFO *cipher, const unsigned char *headers, apr_size_t length)
{
    char text[HEADERS_MAX + 2];
    apr_size_t used = 0;

    if (length > HEADERS_MAX)
        return 0;
    for (apr_size_t i = 0; i < length && headers[i]; i++) {
        int crlf = headers[i] == '\r' && i + 1 < length && headers[i + 1] == '\n';

        if (!crlf && !(headers[i] == ' ' && (!used || text[used - 1] == '\n')))
            text[used++] = headers[i] == '\r' ? '\n' : (char)headers[i];
    }
    text[used++] = '\n';
    text[used] = '\0';
    return PEM_get_EVP_CIPHER_INFO(text, cipher) && cipher->cipher;
}

static apr_status_t unreadable_block(const sl_asker_t *asker, sl_problem_t *why)
{
    apr_status_t status;

    ERR_clear_error();
    status = sl_problem_set(why, APR_ENOTIMPL, asker->object,
                            "the private key is encrypted with a method that this OpenSSL does not read "
                            "(its DEK-Info line names it)");
    sl_problem_advise(why, "Convert it: openssl pkey -provider legacy -provider default -in %s -aes256 -out NEW",
                      asker->object);
    return status;
}

apr_status_t sl_sealed_traditional(EVP_PKEY **key, const unsigned char *bytes, apr_size_t length,
                                   const unsigned char *headers, apr_size_t headers_length, const char *label,
                                   const sl_asker_t *asker, sl_problem_t *why)
{
    sealed_block_t job = {.bytes = bytes, .length = length, .label = label};
    apr_status_t status = APR_SUCCESS;

    *key = NULL;
    if (!read_headers(&job.cipher, headers, headers_length))
        return unreadable_block(asker, why);
    job.plain = length ? OPENSSL_malloc(length) : NULL;
    if (!job.plain)
        return sl_problem_set(why, APR_EGENERAL, asker->object, "the encrypted private key is damaged: it is empty");
    if (try_phrases(asker, open_block, &job, &status, why) == UNREADABLE)
        status = unreadable_block(asker, why);
    *key = job.key;
    OPENSSL_clear_free(job.plain, length);
    return status;
}

typedef struct sealed_bag_job_t {
    PKCS12 *file;
    sl_sealed_bag_t *bag;
} sealed_bag_job_t;

static outcome_t open_bag(void *baton, const char *phrase, int length)
{
    sealed_bag_job_t *job = baton;
    int has_mac = PKCS12_mac_present(job->file);

    if (has_mac && !PKCS12_verify_mac(job->file, phrase, length))
        return judge_failure();
    ERR_clear_error();
    if (PKCS12_parse(job->file, phrase, &job->bag->key, &job->bag->certificate, &job->bag->others))
        return OPENED;
    job->bag->key = NULL;
    job->bag->certificate = NULL;
    job->bag->others = NULL;
    if (!has_mac)
        return judge_failure();
    return judge_failure() == UNREADABLE ? UNREADABLE : DAMAGED;
}

/* No phrase and an empty one are two things in PKCS#12, and both are in use. */
static outcome_t open_bag_without_phrase(sealed_bag_job_t *job)
{
    outcome_t outcome = open_bag(job, NULL, 0);

    return outcome == WRONG_PHRASE ? open_bag(job, "", 0) : outcome;
}

static int too_many_rounds(PKCS12 *file)
{
    const ASN1_INTEGER *rounds = NULL;

    PKCS12_get0_mac(NULL, NULL, NULL, &rounds, file);
    return rounds && (ASN1_INTEGER_get(rounds) < 0 || ASN1_INTEGER_get(rounds) > MAC_ROUNDS_MAX);
}

apr_status_t sl_sealed_pkcs12(sl_sealed_bag_t *bag, const unsigned char *der, apr_size_t length,
                              const sl_asker_t *asker, sl_problem_t *why)
{
    PKCS12 *file = d2i_PKCS12(NULL, &der, (long)length);
    sealed_bag_job_t job = {file, bag};
    apr_status_t status = APR_SUCCESS;
    outcome_t outcome;

    memset(bag, 0, sizeof(*bag));
    if (!file)
        return sl_openssl_problem(why, asker->object, "the PKCS#12 file is damaged");
    outcome = too_many_rounds(file) ? DAMAGED : open_bag_without_phrase(&job);
    if (outcome == WRONG_PHRASE) {
        bag->phrase_needed = 1;
        outcome = try_phrases(asker, open_bag, &job, &status, why);
    }
    if (outcome == UNREADABLE) {
        status = sl_problem_set(why, APR_ENOTIMPL, asker->object,
                                "the PKCS#12 file is encrypted with a method that this OpenSSL does not read "
                                "(RC2 or another old cipher, or one that is too new)");
        sl_problem_advise(why, "Convert it: openssl pkcs12 -legacy -in %s -nodes -out NEW.pem", asker->object);
    }
    else if (outcome == DAMAGED) {
        status = sl_problem_set(why, APR_EGENERAL, asker->object, "the PKCS#12 file is damaged");
    }
    PKCS12_free(file);
    ERR_clear_error();
    return status;
}
