/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/accept.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* How well a media range ("type/subtype", "type/", "") fits: 0 not at all, the longest best. */
static size_t range_fits(const char *range, size_t len, const char *type)
{
	if (len == 3 && memcmp(range, "*/*", 3) == 0)
		return 1;
	if (len > 2 && memcmp(range + len - 2, "/*", 2) == 0)
		return strncasecmp(range, type, len - 1) == 0 ? 2 : 0;
	return len == strlen(type) && strncasecmp(range, type, len) == 0 ? 3 : 0;
}

/* "q=0.8" among the parameters, in thousandths; 1000 where it is absent or odd. */
static unsigned quality(const char *params, size_t len)
{
	for (size_t i = 0; i + 3 < len; i++) {
		const char *p = params + i + 1;
		unsigned q, unit = 100;

		if (params[i] != ';' && params[i] != ' ' && params[i] != '\t')
			continue;
		if ((p[0] != 'q' && p[0] != 'Q') || p[1] != '=' || (p[2] != '0' && p[2] != '1'))
			continue;
		q = (unsigned)(p[2] - '0') * 1000;
		if (p + 3 < params + len && p[3] == '.')
			for (p += 4; p < params + len && isdigit((unsigned char)*p); p++) {
				q += (unsigned)(*p - '0') * unit;
				unit /= 10;
			}
		return q > 1000 ? 1000 : q;
	}
	return 1000;
}

typedef size_t fits_fn(const char *range, size_t len, const char *what);

static unsigned wanted(const char *accept, const char *what, fits_fn *fits)
{
	size_t best = 0;
	unsigned q = 0;

	if (!accept)
		return 1000;
	while (*accept) {
		size_t item = strcspn(accept, ","), start = strspn(accept, " \t"), range, fit;

		range = start < item ? strcspn(accept + start, ",; \t") : 0;
		fit = range ? fits(accept + start, range, what) : 0;
		if (fit > best) {
			best = fit;
			q = quality(accept + start + range, item - start - range);
		}
		accept += item + (accept[item] == ',');
	}
	return q;
}

unsigned accept_type(const char *accept, const char *type)
{
	return wanted(accept, type, range_fits);
}

/* --- codings --------------------------------------------------------------------- */

static size_t coding_fits(const char *range, size_t len, const char *coding)
{
	if (len == 1 && *range == '*')
		return 1;
	return len == strlen(coding) && strncasecmp(range, coding, len) == 0 ? 2 : 0;
}

unsigned accept_coding(const char *accept, const char *coding)
{
	return wanted(accept, coding, coding_fits);
}

/* --- languages ------------------------------------------------------------------- */

/* "zh", "zh-CN" and "zh-Hans-CN" all fit "zh"; the longest best, "*" least. */
static size_t language_fits(const char *range, size_t len, const char *primary)
{
	size_t n = strlen(primary);

	if (len == 1 && *range == '*')
		return 1;
	if (len < n || strncasecmp(range, primary, n) != 0)
		return 0;
	return len == n || range[n] == '-' ? len : 0;
}

enum language accept_language(const char *accept)
{
	unsigned en = wanted(accept, "en", language_fits);
	unsigned zh = wanted(accept, "zh", language_fits);

	return zh > en ? LANGUAGE_ZH_CN : LANGUAGE_EN;
}

const char *language_tag(enum language l)
{
	return l == LANGUAGE_ZH_CN ? "zh-CN" : "en";
}
