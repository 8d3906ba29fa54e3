/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log: one line an event to standard error, "<level> <subsystem>: <text>",
 * with a "<N>" syslog priority in front where journald reads us and a time
 * stamp where a person does.
 *
 * error: we could not do our job. warning: we go on, and the line says how.
 * info: a state changed. debug: all else. A failure is logged once, where the
 * policy about it is decided. Bytes outside printable ASCII are escaped.
 */
#ifndef AGENT_BASE_LOG_H
#define AGENT_BASE_LOG_H

#include <stdbool.h>

#include "agent/base/attr.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* `process` is put into each line; the string must live for ever. */
void log_open(const char *process, enum log_level level);
enum log_level log_level(void);
/* "error", "warning", "info", "debug"; false for anything else. */
MUST_CHECK bool log_level_parse(const char *name, enum log_level *out);

void log_error(const char *subsystem, const char *fmt, ...) PRINTF_LIKE(2, 3);
void log_warn(const char *subsystem, const char *fmt, ...) PRINTF_LIKE(2, 3);
void log_info(const char *subsystem, const char *fmt, ...) PRINTF_LIKE(2, 3);
void log_debug(const char *subsystem, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Log as an error and exit(1): for a process that cannot start. */
NORETURN void log_fatal(const char *subsystem, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Tests catch lines here; NULL restores standard error. */
typedef void log_sink_fn(enum log_level level, const char *line);
void log_set_sink(log_sink_fn *sink);

#endif
