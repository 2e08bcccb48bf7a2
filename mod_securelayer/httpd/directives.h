/* httpd's command table, made from profile/settings_rows.h. */
#ifndef SL_HTTPD_DIRECTIVES_H
#define SL_HTTPD_DIRECTIVES_H

#include <httpd.h>
#include <http_config.h>

extern const command_rec sl_directives[];

#endif
