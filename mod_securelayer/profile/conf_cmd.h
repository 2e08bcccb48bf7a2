/* SSLOpenSSLConfCmd: OpenSSL's own SSL_CONF interface. Runs in the parent while the configuration is read and at
 * start. */
#ifndef SL_PROFILE_CONF_CMD_H
#define SL_PROFILE_CONF_CMD_H

#include "base/problem.h"
#include "profile/settings.h"

#include <openssl/ssl.h>

/* What the command takes: SSL_CONF_TYPE_STRING, _FILE, _DIR, ...; SSL_CONF_TYPE_UNKNOWN: OpenSSL has no such
 * command. */
int sl_conf_cmd_type(const char *name);

/* Suites without authentication or encryption are never wanted, whatever a list says: goes behind every list. */
#define SL_NEVER_SUITES ":!aNULL:!eNULL:!EXP"

/* Runs the commands (of SL_CONF_CMD; NULL: none) on `ctx`. What OpenSSL refuses goes to `problems`; `host` names the
 * virtual host in it. */
void sl_conf_cmd_run(SSL_CTX *ctx, const sl_setting_t *commands, const char *host, apr_pool_t *scratch,
                     sl_problems_t *problems);

#endif
