/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

/* The one piece of global state: where lines go. Set once, before threads. */
static struct {
	const char *process;
	enum log_level level;
	log_sink_fn *sink;
	bool journal;
} out = { .process = "parasaus", .level = LOG_LEVEL_INFO };

static const struct {
	const char *name;
	int priority; /* syslog(3) */
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", 3 },
	[LOG_LEVEL_WARNING] = { "warning", 4 },
	[LOG_LEVEL_INFO] = { "info", 6 },
	[LOG_LEVEL_DEBUG] = { "debug", 7 },
};

void log_open(const char *process, enum log_level level)
{
	out.process = process;
	out.level = level;
	/* systemd sets this where standard error goes to the journal (systemd.exec(5)). */
	out.journal = getenv("JOURNAL_STREAM") != NULL;
}

enum log_level log_level(void)
{
	return out.level;
}

bool log_level_parse(const char *name, enum log_level *level)
{
	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		if (strcmp(name, levels[i].name) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

void log_set_sink(log_sink_fn *sink)
{
	out.sink = sink;
}

/* Copies with everything outside printable ASCII as \xNN; names and replies of strangers get here. */
static size_t escape(char *to, size_t size, const char *from)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (; *from && n + 5 < size; from++) {
		unsigned char c = (unsigned char)*from;

		if (c >= 0x20 && c < 0x7f) {
			to[n++] = (char)c;
			continue;
		}
		to[n++] = '\\';
		to[n++] = 'x';
		to[n++] = hex[c >> 4];
		to[n++] = hex[c & 15];
	}
	to[n] = '\0';
	return n;
}

static size_t head(char *to, size_t size, enum log_level level, const char *subsystem)
{
	char when[40] = "";
	int n;

	if (out.journal) {
		snprintf(when, sizeof(when), "<%d>", levels[level].priority);
	} else {
		struct timespec ts;
		struct tm tm;

		clock_gettime(CLOCK_REALTIME, &ts);
		gmtime_r(&ts.tv_sec, &tm);
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
		snprintf(when + strlen(when), sizeof(when) - strlen(when), ".%03ldZ ",
			 ts.tv_nsec / 1000000);
	}
	n = snprintf(to, size, "%s%s: %s %s: ", when, out.process, levels[level].name, subsystem);
	if (n < 0)
		return 0;
	return (size_t)n < size ? (size_t)n : size - 1;
}

static PRINTF_LIKE(3, 0) void line(enum log_level level, const char *subsystem, const char *fmt,
				   va_list ap)
{
	char text[LINE_MAX_BYTES];
	char full[2 * LINE_MAX_BYTES];
	int saved = errno;
	size_t n;

	if (level > out.level)
		return;
	errno = saved; /* for %m */
	vsnprintf(text, sizeof(text), fmt, ap);
	n = out.sink ? 0 : head(full, sizeof(full) / 2, level, subsystem);
	n += escape(full + n, sizeof(full) - n - 1, text);
	if (out.sink) {
		out.sink(level, full);
	} else {
		full[n++] = '\n';
		/* One write a line, so that processes do not mix theirs; nothing to do if it fails. */
		if (write(STDERR_FILENO, full, n) < 0)
			errno = saved;
	}
	errno = saved;
}

#define LOG_AT(at)                              \
	do {                                    \
		va_list ap;                     \
		va_start(ap, fmt);              \
		line((at), subsystem, fmt, ap); \
		va_end(ap);                     \
	} while (0)

void log_error(const char *subsystem, const char *fmt, ...)
{
	LOG_AT(LOG_LEVEL_ERROR);
}

void log_warn(const char *subsystem, const char *fmt, ...)
{
	LOG_AT(LOG_LEVEL_WARNING);
}

void log_info(const char *subsystem, const char *fmt, ...)
{
	LOG_AT(LOG_LEVEL_INFO);
}

void log_debug(const char *subsystem, const char *fmt, ...)
{
	LOG_AT(LOG_LEVEL_DEBUG);
}

void log_fatal(const char *subsystem, const char *fmt, ...)
{
	LOG_AT(LOG_LEVEL_ERROR);
	exit(1);
}
