/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/metric_reader.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/attr.h"
#include "agent/base/xalloc.h"

struct reader {
	unsigned line;
	char family[128], type[16];
	char helped[128]; /* the name of the HELP line that a TYPE must follow */
	char **series;	  /* and families, "# name" */
	size_t series_count;
	double bucket;	     /* of the histogram, the last; of each that the labels tell apart */
	bool inf_seen, open; /* buckets came, and no count yet */
	char fault[256];
};

static bool wrong(struct reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static bool wrong(struct reader *r, const char *fmt, ...)
{
	int n = snprintf(r->fault, sizeof(r->fault), "line %u: ", r->line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->fault + n, sizeof(r->fault) - (size_t)n, fmt, ap);
	va_end(ap);
	return false;
}

/* Remembers it; false: it was there before. */
static bool is_new(struct reader *r, const char *text, size_t len)
{
	for (size_t i = 0; i < r->series_count; i++)
		if (strlen(r->series[i]) == len && memcmp(r->series[i], text, len) == 0)
			return false;
	r->series = xreallocarray(r->series, r->series_count + 1, sizeof(*r->series));
	r->series[r->series_count++] = xstrndup(text, len);
	return true;
}

static size_t name_length(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == ':')
		n++;
	return isdigit((unsigned char)*s) ? 0 : n;
}

/* From the opening quote to behind the closing one; NULL: malformed. */
static const char *after_value(const char *p)
{
	if (*p++ != '"')
		return NULL;
	for (; *p != '"'; p++) {
		if (*p == '\\' && !strchr("\\\"n", *++p))
			return NULL;
		if (!*p || (unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			return NULL;
	}
	return p + 1;
}

static const char *after_labels(const char *p)
{
	do {
		size_t n = name_length(++p);

		if (!n || p[n] != '=')
			return NULL;
		p = after_value(p + n + 1);
	} while (p && *p == ',');
	return p && *p == '}' ? p + 1 : NULL;
}

/* --- families ------------------------------------------------------------------------ */

static bool family_ends(struct reader *r)
{
	if (strcmp(r->type, "histogram") == 0 && r->open)
		return wrong(r, "the histogram %s has no count", r->family);
	return true;
}

static bool read_comment(struct reader *r, const char *line)
{
	const char *name = line + 7, *rest;
	size_t n = name_length(name);

	if (!n || name[n] != ' ' || !name[n + 1] || n >= sizeof(r->family))
		return wrong(r, "no name or no text");
	rest = name + n + 1;
	if (strncmp(line, "# HELP ", 7) == 0) {
		snprintf(r->helped, sizeof(r->helped), "%.*s", (int)n, name);
		return family_ends(r);
	}
	if (strncmp(line, "# TYPE ", 7) != 0)
		return wrong(r, "neither HELP nor TYPE");
	if (strlen(r->helped) != n || memcmp(r->helped, name, n) != 0)
		return wrong(r, "a TYPE without its HELP");
	if (!is_new(r, line, 7 + n))
		return wrong(r, "the family '%s' again", r->helped);
	if (strcmp(rest, "gauge") != 0 && strcmp(rest, "counter") != 0 &&
	    strcmp(rest, "histogram") != 0)
		return wrong(r, "type '%s'", rest);
	snprintf(r->family, sizeof(r->family), "%s", r->helped);
	snprintf(r->type, sizeof(r->type), "%s", rest);
	r->bucket = 0;
	r->inf_seen = r->open = false;
	if ((strcmp(rest, "counter") == 0) != (n > 6 && strcmp(r->family + n - 6, "_total") == 0))
		return wrong(r, "'%s' is a %s", r->family, rest);
	return true;
}

/* --- samples -------------------------------------------------------------------------- */

static bool is_part(const char *suffix, const char *name)
{
	size_t n = strlen(name);

	return strncmp(suffix, name, n) == 0 && (suffix[n] == ' ' || suffix[n] == '{');
}

static bool read_count(struct reader *r, double value)
{
	if (!r->inf_seen)
		return wrong(r, "the histogram %s has no +Inf", r->family);
	if (value < r->bucket || value > r->bucket)
		return wrong(r, "the count is not that of +Inf");
	r->bucket = 0;
	r->inf_seen = r->open = false;
	return true;
}

static bool read_bucket(struct reader *r, const char *suffix, const char *line, double value)
{
	if (strncmp(suffix, "_bucket{", 8) == 0) {
		if (value < r->bucket)
			return wrong(r, "a bucket with less than the one before");
		r->bucket = value;
		r->open = true;
		r->inf_seen |= strstr(line, "le=\"+Inf\"") != NULL;
	} else if (is_part(suffix, "_count")) {
		return read_count(r, value);
	} else if (!is_part(suffix, "_sum")) {
		return wrong(r, "no part of the histogram %s", r->family);
	}
	return true;
}

static bool read_sample(struct reader *r, const char *line)
{
	size_t n = name_length(line), family = strlen(r->family);
	const char *p = line + n;
	char *end;
	double value;

	if (!n || strncmp(line, r->family, family) != 0 || !family)
		return wrong(r, "not a sample of '%s'", r->family);
	if (*p == '{')
		p = after_labels(p);
	if (!p || *p != ' ')
		return wrong(r, "malformed labels");
	if (!is_new(r, line, (size_t)(p - line)))
		return wrong(r, "a series again");
	value = strtod(++p, &end);
	if (end == p || *end || value < 0 || !isdigit((unsigned char)*p))
		return wrong(r, "the value '%s'", p);
	if (strcmp(r->type, "histogram") == 0)
		return read_bucket(r, line + family, line, value);
	return n == family ? true : wrong(r, "not a sample of '%s'", r->family);
}

const char *metric_text_fault(const char *text)
{
	static char fault[256];
	struct reader r = { 0 };
	char *copy = xstrdup(text), *rest = copy, *line;
	bool ok = true;

	while (ok && (line = strsep(&rest, "\n")) && rest) {
		r.line++;
		ok = line[0] == '#' ? read_comment(&r, line) : read_sample(&r, line);
	}
	if (ok && line && *line)
		ok = wrong(&r, "no newline at the end");
	if (ok)
		ok = family_ends(&r);
	for (size_t i = 0; i < r.series_count; i++)
		free(r.series[i]);
	free(r.series);
	free(copy);
	snprintf(fault, sizeof(fault), "%s", r.fault);
	return ok ? NULL : fault;
}

const char *metric_value_of(const char *text, const char *series, char out[static 64])
{
	size_t n = strlen(series);

	for (const char *p = text; (p = strstr(p, series)); p += n)
		if ((p == text || p[-1] == '\n') && p[n] == ' ') {
			snprintf(out, 64, "%.*s", (int)strcspn(p + n + 1, "\n"), p + n + 1);
			return out;
		}
	return NULL;
}
