/* Certificate directories (SecureLayerCertificateDirectory) of this configuration: from collecting to the children. */
#ifndef SL_HTTPD_DIRECTORIES_H
#define SL_HTTPD_DIRECTORIES_H

#include <httpd.h>

#include "base/problem.h"
#include "identity/identity.h"
#include "keeper/directory_board.h"
#include "vhost/vhost.h"

/* What SecureLayerCertificateDirectory says for a server; NULL: nothing, or off. */
const sl_setting_t *sl_directories_setting(const sl_settings_t *settings);
/* Before a host is judged: can its directory be read? Told as an error, unless it was served from before a restart. */
void sl_directories_check(const sl_settings_t *settings, sl_problems_t *problems);
/* Did the configuration before this one serve from that directory? Then its names serve on, whatever became of it. */
int sl_directories_was_served(const char *path);
/* In the parent, in each pass, when the virtual hosts are made: gives them their directories' numbers. */
void sl_directories_collect(apr_pool_t *pool, server_rec *main_server, sl_problems_t *problems);
/* In post_config, not in the rehearsal. */
apr_status_t sl_directories_start(apr_pool_t *pool, server_rec *main_server, sl_problem_t *why)
    __attribute__((warn_unused_result));

/* After that; NULL: there is no directory. */
const sl_directory_board_t *sl_directories_board(void);
/* Of the directory with that number; "" if there is none. */
const char *sl_directories_path(int number);

/* In a child, any thread: as conn/host's find_identity. */
sl_identity_t *sl_directories_find(conn_rec *c, const sl_vhost_t *vhost, const char *name, const char **trouble);

/* Sums over all processes of this configuration. */
typedef struct sl_directory_counts_t {
    int directories, slots;
    int identities;         /* on the board now */
    int absent;             /* names that are known not to be there now */
    apr_uint64_t questions; /* to the keeper */
    apr_uint64_t loaded;    /* identities read from their files */
    apr_uint64_t not_there; /* answers */
    apr_uint64_t refused;   /* tries of identities that could not be used */
    apr_uint64_t put_off;   /* names beyond the bound of each second */
    apr_uint64_t unanswered; /* questions that got no answer in time */
} sl_directory_counts_t;

/* Any process. 0: there is no directory. */
int sl_directories_counts(sl_directory_counts_t *counts);

void sl_directories_register(apr_pool_t *pool);

#endif
