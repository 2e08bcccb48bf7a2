/* SSLPolicy presets as data: what they set, whose recommendation they are, and of when. */
#ifndef SL_PROFILE_POLICY_H
#define SL_PROFILE_POLICY_H

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
