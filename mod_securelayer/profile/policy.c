/* The presets of SSLPolicy.  "intermediate" is also what applies when nothing is set. */
#include "profile/policy.h"

#define SUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
/* The finite-field ones are for the DHE suites, which OpenSSL 4.0 offers only with them (RFC 7919). */
#define GROUPS "X25519MLKEM768:X25519:P-256:P-384:ffdhe2048:ffdhe3072"
#define INTERMEDIATE                                                                                                   \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"                         \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"                           \
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305"
#define SOURCE "Mozilla, Server Side TLS guidelines 5.7; X25519MLKEM768 (RFC 9794 hybrid) put first"

static const sl_policy_t policies[] = {
    [SL_POLICY_MODERN] = {"modern", SOURCE, "2023-07-09", SL_TLS1_3, INTERMEDIATE, SUITES, GROUPS, 0},
    [SL_POLICY_INTERMEDIATE] = {"intermediate", SOURCE, "2023-07-09", SL_TLS1_2 | SL_TLS1_3, INTERMEDIATE, SUITES,
                                GROUPS, 0},
    [SL_POLICY_OLD] = {"old", SOURCE, "2023-07-09", SL_TLS1 | SL_TLS1_1 | SL_TLS1_2 | SL_TLS1_3,
                       INTERMEDIATE ":ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:"
                                    "ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:"
                                    "ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:DHE-RSA-AES128-SHA256:"
                                    "DHE-RSA-AES256-SHA256:AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA256:"
                                    "AES256-SHA256:AES128-SHA:AES256-SHA:DES-CBC3-SHA:@SECLEVEL=0",
                       SUITES, GROUPS, 1},
};

const sl_policy_t *sl_policy(long number)
{
    return &policies[number];
}
