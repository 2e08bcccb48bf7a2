/* One module under two names.
 *
 * The .so exports `securelayer_module` and `ssl_module`. Both are shells: whichever is loaded, the one inner module
 * `sl_module` (called "mod_ssl.c", as other modules order their hooks by that name) becomes active once, and an
 * inner alias makes "mod_securelayer.c" known. Both symbols answer <IfModule> and LogLevel.
 * Runs while the configuration is read, in the parent. */
#ifndef SL_HTTPD_DROPIN_H
#define SL_HTTPD_DROPIN_H

#include <httpd.h>
#include <http_config.h>

/* NULL, or why the module can't serve in this process: the real mod_ssl is loaded too. */
const char *sl_dropin_conflict(void);

/* Modules that come before or behind mod_ssl.c mean what mod_ssl has there. Hooks that it has not, and that come very
 * early, are registered between these two, and go by a name of their own. */
void sl_dropin_own_begin(void);
void sl_dropin_own_end(void);

#endif
