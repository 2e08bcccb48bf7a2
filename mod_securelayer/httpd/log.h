/* The only place that writes to httpd's log: problems of a start, failed handshakes, everything else in one style.
 * Other layers hand problems and failures up to here. */
#ifndef SL_HTTPD_LOG_H
#define SL_HTTPD_LOG_H

#include <httpd.h>
#include <http_log.h>

#include "base/problem.h"
#include "conn/conn.h"

/* SL_LOG_ERRORS: only what stops a start. */
typedef enum { SL_LOG_ALL, SL_LOG_ERRORS } sl_log_choice_t;

/* Each problem as one line of its gravity. `terminal`: the log is not open yet, and errors are shown as httpd shows its
 * own then. Of warnings that give the same reason no more than 100 are written to a log, and how many more there
 * are. */
void sl_log_problems(const sl_problems_t *problems, sl_log_choice_t choice, int terminal, server_rec *s);
/* One line (info) for a handshake that failed: client, name asked for, what it offered, alerts, what it means.
 * At most 20 a second per child; the next line after a pause says how many were left out. */
void sl_log_failure(conn_rec *c, const sl_conn_t *conn);
/* One line (error) for a backend with which there is no TLS, as often at most. */
void sl_log_backend_failure(conn_rec *c, const sl_conn_t *conn);
/* One line (info) for a connection with a backend that has ended in an error: what it sent is not all. An alert is told
 * as above. */
void sl_log_backend_end(conn_rec *c, const sl_conn_t *conn);

#endif
