/* Settings as plain data: what the directives of one server or section say, and how they are inherited.
 *
 * A record holds only what is set, in the order of the rows, so a virtual host costs what it says.  A value that is
 * not set comes from the SSLPolicy preset where that speaks of it, else from the row.
 * Records live in the pool they were made from and are written until post_config ends; then any thread reads. */
#ifndef SL_PROFILE_SETTINGS_H
#define SL_PROFILE_SETTINGS_H

#include "base/problem.h"
#include "profile/policy.h"

#include <apr_pools.h>
#include <apr_tables.h>

typedef enum {
#define SL_ROW(id, ...) id,
#define SL_SLOT(id, ...) id,
#include "profile/settings_rows.h"
#undef SL_ROW
#undef SL_SLOT
    SL_ROWS
} sl_row_id_t;

typedef enum {
    SL_KIND_FLAG,      /* on | off */
    SL_KIND_NUMBER,    /* decimal, within the row's bounds */
    SL_KIND_WORD,      /* one of the row's words */
    SL_KIND_TEXT,
    SL_KIND_FILE,      /* a regular, non-empty file; relative to the server root */
    SL_KIND_FILES,     /* the same, or the URI of a token's object; each use of the directive adds one */
    SL_KIND_FILE_OR_URI, /* the same, once */
    SL_KIND_DIR,
    SL_KIND_NOTHING,   /* arguments do not matter */
    SL_KIND_PROTOCOLS, /* SSLProtocol */
    SL_KIND_CIPHERS,   /* SSLCipherSuite */
    SL_KIND_CONF_CMD,  /* SSLOpenSSLConfCmd */
    SL_KIND_CRL_CHECK, /* SSLCARevocationCheck */
    SL_KIND_OCSP_CHECK, /* SSLOCSPEnable */
    SL_KIND_URL,       /* http or https, with a host */
    SL_KIND_OPTIONS,   /* SSLOptions */
    SL_KIND_CACHE,     /* one of the row's words, or provider[:arguments] of a cache */
    SL_KIND_EXPRESSION, /* one argument, the whole line; the host makes something of it (sl_value_t.made) */
    SL_KIND_DIALOG,    /* SSLPassPhraseDialog */
    SL_KIND_ENGINE,    /* SSLCryptoDevice */
    SL_KIND_RELOAD,    /* on (-1), off (0) or seconds */
    SL_KIND_PINS,      /* sha256//BASE64 ...; each adds one */
    SL_KIND_ONE_FLAG,  /* a flag that may not be given both ways */
    SL_KIND_RANDOM_SEED, /* SSLRandomSeed */
    SL_KIND_REMOVED,   /* refused; the words column says why */
} sl_kind_t;

enum {
    SL_MAIN = 1,
    SL_SERVER = 2,
    SL_DIR = 4,
    SL_HTACCESS_OPTIONS = 8,
    SL_HTACCESS_AUTH = 16,
    SL_PROXY = 32, /* <Proxy> sections */
    SL_ANYWHERE = SL_SERVER | SL_DIR | SL_HTACCESS_OPTIONS | SL_HTACCESS_AUTH
};

typedef enum {
    SL_CHILD_WINS,
    SL_APPEND,      /* parent's values, then the child's */
    SL_BY_POSITION, /* the child's n-th value replaces the parent's n-th */
    SL_OPTION_BITS, /* SSLOptions: relative words change the inherited set */
} sl_merge_t;

enum { SL_IN_PROFILE = 1, SL_FOR_AUTH = 2, SL_FOR_SECURITY = 4, SL_IN_CLIENT_PROFILE = 8, SL_BY_CONTENTS = 32 };
/* With a weight in a question: rows that sections may set, or those with SL_BY_CONTENTS, do not count. */
enum { SL_NOT_OF_SECTIONS = 16, SL_NOT_BY_CONTENTS = 64 };

/* Words of SL_ENGINE, SL_VERIFY_CLIENT, SL_SNI_POLICY, SL_UNKNOWN_NAME, SL_BROKEN_HOST, SL_CLIENT_CERT_HEADER;
 * policy.h has those of SL_POLICY and the bits of SL_PROTOCOL. */
enum { SL_ENGINE_OFF, SL_ENGINE_ON, SL_ENGINE_OPTIONAL };
enum { SL_VERIFY_NONE, SL_VERIFY_OPTIONAL, SL_VERIFY_REQUIRE, SL_VERIFY_OPTIONAL_NO_CA };
enum { SL_SNI_STRICT, SL_SNI_SECURE, SL_SNI_AUTHONLY, SL_SNI_INSECURE };
enum { SL_NAME_SERVE, SL_NAME_REFUSE };
enum { SL_BROKEN_REFUSE_START, SL_BROKEN_SKIP };
/* SL_SESSION_CACHE's number: the row's words, or that there is a provider, which the text names. */
enum { SL_CACHE_NONE, SL_CACHE_NONE_NOT_NULL, SL_CACHE_PROVIDER };
enum { SL_CERT_HEADER_OFF, SL_CERT_HEADER_ON, SL_CERT_HEADER_CHAIN };
/* Bits of SL_OPTIONS, in the order of the row's words. */
enum {
    SL_OPT_STD_ENV_VARS = 1,
    SL_OPT_EXPORT_CERT_DATA = 2,
    SL_OPT_FAKE_BASIC_AUTH = 4,
    SL_OPT_STRICT_REQUIRE = 8,
    SL_OPT_OPT_RENEGOTIATE = 16,
    SL_OPT_LEGACY_DN = 32,
    SL_OPT_EXPORT_BASE64_CERT_DATA = 64,
};
/* SL_PROXY_CA_FILE: the CAs that the system trusts. */
#define SL_SYSTEM_CAS "system"
/* How each of SL_PROXY_PIN begins; 32 bytes in base64 follow. */
#define SL_PIN_PREFIX "sha256//"
/* SL_CRL_CHECK's number: an sl_crl_check_t, plus this bit. */
enum { SL_CRL_MISSING_OK = 16 };
/* SL_OCSP_ENABLE's number: one of these, plus the bit. */
enum { SL_OCSP_OFF, SL_OCSP_LEAF, SL_OCSP_CHAIN, SL_OCSP_MISSING_OK = 16 };

typedef struct sl_row_t {
    sl_row_id_t id;
    const char *name;
    sl_kind_t kind;
    int where;
    sl_merge_t merge;
    long minimum, maximum, initial;
    const char *words;
    int weight;
    const char *help;
    int is_slot;
} sl_row_t;

const sl_row_t *sl_row(sl_row_id_t id);

typedef struct sl_value_t {
    const char *text;  /* argument: path made absolute, cipher list, "Name\tvalue" for SSLOpenSSLConfCmd */
    union {
        const void *made;   /* SL_KIND_EXPRESSION: what the host made of the text; not looked at here */
        apr_uint64_t stamp; /* paths: of the file when the line was read (base/file_stamp); 0: nobody looked */
    };
    sl_origin_t origin;
} sl_value_t;

typedef struct sl_setting_t {
    sl_row_id_t row;
    int count;          /* of values */
    long number;        /* flag, number, index of the word, bits */
    long cleared;       /* SL_OPTIONS: bits taken away from the inherited ones; -1: nothing is inherited */
    sl_value_t *values; /* at least one: its origin says where it was set */
} sl_setting_t;

#define SL_ROW_WORDS ((SL_ROWS + 63) / 64)

typedef struct sl_settings_t {
    apr_pool_t *pool;
    apr_array_header_t *set; /* of sl_setting_t, ascending by row */
    apr_uint64_t refused[SL_ROW_WORDS]; /* a bit per row: its arguments were wrong, not all that was meant is here */
} sl_settings_t;

sl_settings_t *sl_settings_make(apr_pool_t *pool);
/* Room for one more, at the end: for settings_parse, which keeps them in order. */
sl_setting_t *sl_settings_push(sl_settings_t *settings);
/* A new record in `pool`, which is only read: `child` over `parent`, each row by its merge rule. Shares memory with
 * both. */
sl_settings_t *sl_settings_merge(apr_pool_t *pool, const sl_settings_t *parent, const sl_settings_t *child);

/* Reads the arguments of one directive into the record. `root` is the server root for relative paths, NULL: paths are
 * taken as they are and not looked at (configuration dumps). `words` are the arguments, already unquoted.
 * On failure `why` has the origin, and a reason that names the argument and what is allowed (APR_EINVAL), or the path
 * as object and what is wrong with it (the file system's status, APR_EINVAL); the path is set all the same. */
apr_status_t sl_settings_parse(sl_settings_t *settings, sl_row_id_t row, const char *const *words, int count,
                               const char *root, const sl_origin_t *origin, sl_problem_t *why)
    __attribute__((warn_unused_result));

/* Were the arguments of this directive refused somewhere on the way to this record? Not if others took their place. */
int sl_settings_is_refused(const sl_settings_t *settings, sl_row_id_t row);

/* NULL if it is not set here (an SSLPolicy preset is not looked at). */
const sl_setting_t *sl_settings_get(const sl_settings_t *settings, sl_row_id_t row);
/* Where the row was set; a record with NULLs and the directive's name if it was not. */
sl_origin_t sl_settings_origin(const sl_settings_t *settings, sl_row_id_t row);
/* The effective value: set, else of the SSLPolicy, else the row's initial one. */
long sl_settings_number(const sl_settings_t *settings, sl_row_id_t row);
/* The effective text (first value); NULL if there is none. */
const char *sl_settings_text(const sl_settings_t *settings, sl_row_id_t row);
/* One text that is equal for records whose rows of `weight` (any of the bits) have the same effective values. */
const char *sl_settings_digest(const sl_settings_t *settings, int weight, apr_pool_t *pool);
/* Quicker: is the same set for the rows of `weight`? Then the digests are equal; they may be so without. */
int sl_settings_is_alike(const sl_settings_t *a, const sl_settings_t *b, int weight);
/* The name of the first row of `weight` whose effective value differs; NULL if none does. */
const char *sl_settings_difference(const sl_settings_t *a, const sl_settings_t *b, int weight, apr_pool_t *pool);

#endif
