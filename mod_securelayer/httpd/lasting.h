/* Memory that lasts until the process ends: over restarts, and while httpd unloads and loads the module between two
 * configurations. In the parent. */
#ifndef SL_HTTPD_LASTING_H
#define SL_HTTPD_LASTING_H

#include <apr.h>

/* The `size` bytes of that name, zeroed at first. The name is copied; it ends in a figure for the layout, which
 * changes with it; nothing in the memory may point into the module. Never NULL. */
void *sl_lasting(const char *name, apr_size_t size);

#endif
