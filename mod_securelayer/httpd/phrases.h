/* The pass phrases that are remembered for keys that change while httpd runs: parent and keeper have them, nobody
 * else. */
#ifndef SL_HTTPD_PHRASES_H
#define SL_HTTPD_PHRASES_H

#include <httpd.h>

#include "identity/phrases.h"

/* In the parent, over restarts; NULL if memory ends, or they are not wanted: then those from before are forgotten. */
sl_phrases_t *sl_remembered_phrases(int is_wanted);
/* In a process that has no business with them: the copy that it inherited. */
void sl_remembered_phrases_forget(void);

void sl_phrases_register(apr_pool_t *pool);

#endif
