/* Log levels trace4 and trace7: encrypted bytes on their way.  bio_brigade.c calls for each of OpenSSL's reads and
 * writes. */
#include "httpd/trace.h"

#include <http_log.h>

#include "httpd/module_config.h"

APLOG_USE_MODULE(sl);

/* Longer ones are cut: a log is no place for more. */
#define DUMP_LIMIT 65536

static void dump(conn_rec *c, const char *label, const void *bytes, apr_size_t length)
{
    ap_log_cdata(APLOG_MARK, APLOG_TRACE7, c, label, bytes, length < DUMP_LIMIT ? length : DUMP_LIMIT,
                 AP_LOG_DATA_SHOW_OFFSET);
}

void sl_trace_read(const sl_link_t *link, apr_status_t rv, const void *bytes, apr_size_t length, apr_size_t wanted)
{
    if (!APLOG_C_IS_LEVEL(link->c, APLOG_TRACE4))
        return;
    if (rv != APR_SUCCESS) {
        ap_log_cerror(APLOG_MARK, APLOG_TRACE4, rv, link->c,
                      "SL0160: read nothing of %" APR_SIZE_T_FMT " bytes from the client", wanted);
        return;
    }
    ap_log_cerror(APLOG_MARK, APLOG_TRACE4, 0, link->c,
                  "SL0160: read %" APR_SIZE_T_FMT " of %" APR_SIZE_T_FMT " bytes from the client", length, wanted);
    dump(link->c, "SL0161: read", bytes, length);
}

void sl_trace_write(const sl_link_t *link, apr_status_t rv, const void *bytes, apr_size_t length)
{
    if (!APLOG_C_IS_LEVEL(link->c, APLOG_TRACE4))
        return;
    ap_log_cerror(APLOG_MARK, APLOG_TRACE4, rv, link->c, "SL0160: %s %" APR_SIZE_T_FMT " bytes to the client",
                  rv == APR_SUCCESS ? "wrote" : "failed to write", length);
    if (rv == APR_SUCCESS)
        dump(link->c, "SL0161: wrote", bytes, length);
}
