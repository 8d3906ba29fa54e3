/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/holder.h"

#include <string.h>

#include "agent/api/json_writer.h"

/* Of C0, DEL, or C1 as UTF-8 has it. */
static bool is_control(const unsigned char *s, size_t len)
{
	return s[0] < 0x20 || s[0] == 0x7f || (len == 2 && s[0] == 0xc2 && s[1] < 0xa0);
}

bool subject_name_is_good(const char *s, size_t len)
{
	char text[SUBJECT_NAME_MAX + 1] = "";
	size_t at = 0;

	if (len == 0 || len > SUBJECT_NAME_MAX)
		return false;
	memcpy(text, s, len); /* so that a sequence which is cut short ends in a NUL */
	while (at < len) {
		const unsigned char *p = (const unsigned char *)text + at;
		size_t n = json_utf8_len(p);

		if (n == 0 || is_control(p, n))
			return false;
		at += n;
	}
	return true;
}

static bool is_unit(const char *item)
{
	return strncmp(item, HOLDER_UNIT, strlen(HOLDER_UNIT)) == 0;
}

const char *holder_item_fault(const char *item)
{
	const char *name = is_unit(item) ? item + strlen(HOLDER_UNIT) : item;

	return subject_name_is_good(name, strlen(name)) ? NULL
							: "is no name of a certificate: a common "
							  "name, or a unit as \"OU=NAME\", of 1 "
							  "to 64 bytes without control characters";
}

static bool item_means(const char *item, const struct subject *s)
{
	if (!is_unit(item))
		return strcmp(item, s->name) == 0;
	for (unsigned i = 0; i < s->unit_count; i++)
		if (strcmp(item + strlen(HOLDER_UNIT), s->units[i]) == 0)
			return true;
	return false;
}

static bool is_listed(const char *const *items, size_t count, const struct subject *s)
{
	for (size_t i = 0; i < count; i++)
		if (item_means(items[i], s))
			return true;
	return false;
}

struct holder holder_of(const struct holder_rules *rules, const struct subject *s)
{
	struct holder h = { .claim = HOLDER_NONE };

	if (!*s->name)
		return h;
	h.subject = *s;
	h.claim = HOLDER_KNOWN;
	if (rules && is_listed(rules->editors, rules->editor_count, s))
		h.role = TOKEN_EDITOR;
	else if (rules && is_listed(rules->viewers, rules->viewer_count, s))
		h.role = TOKEN_VIEWER;
	else
		h.claim = HOLDER_UNLISTED;
	return h;
}

void holder_explain(const struct holder *h, struct buf *out)
{
	const struct subject *s = &h->subject;

	buf_printf(out, "the certificate is that of '%s'", s->name);
	for (unsigned i = 0; i < s->unit_count; i++)
		buf_printf(out, "%s'" HOLDER_UNIT "%s'", i ? ", " : " of ", s->units[i]);
	buf_printf(
		out,
		", who is in no list: put '%s'%s into api.clientCertificates.editors or .viewers",
		s->name, s->unit_count ? ", or a unit as it stands here," : "");
}
