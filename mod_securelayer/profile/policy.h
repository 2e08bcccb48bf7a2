/* SSLPolicy presets as data: what they set, whose recommendation they are, and of when. */
#ifndef SL_PROFILE_POLICY_H
#define SL_PROFILE_POLICY_H

/* The words of SSLPolicy in their order. */
enum { SL_POLICY_MODERN, SL_POLICY_INTERMEDIATE, SL_POLICY_OLD };

/* Protocol versions as bits, here and in the setting SL_PROTOCOL. */
enum { SL_SSL3 = 1, SL_TLS1 = 2, SL_TLS1_1 = 4, SL_TLS1_2 = 8, SL_TLS1_3 = 16, SL_TLS_ALL = 30 };

typedef struct sl_policy_t {
    const char *name;
    const char *source;
    const char *date;
    long protocols;      /* SL_TLS... bits */
    const char *ciphers; /* TLS 1.2 and below */
    const char *suites;  /* TLS 1.3 */
    const char *groups;  /* colon separated, best first; those that the OpenSSL at hand lacks are left out */
    int honor_order;
} sl_policy_t;

/* `number` is SL_POLICY_...; static data. */
const sl_policy_t *sl_policy(long number);

#endif
