/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/match.h"

#include <assert.h>

void hc_match_init(struct hc_match *m, const char *text, size_t len)
{
	uint8_t k = 0;

	assert(len <= HC_MATCH_MAX);
	*m = (struct hc_match){ .found = len == 0, .text = text, .len = (uint8_t)len };
	for (size_t i = 1; i < len; i++) {
		while (k > 0 && text[i] != text[k])
			k = m->fallback[k];
		if (text[i] == text[k])
			k++;
		m->fallback[i + 1] = k;
	}
}

void hc_match_feed(struct hc_match *m, const char *data, size_t len)
{
	for (size_t i = 0; i < len && !m->found; i++) {
		while (m->matched > 0 && data[i] != m->text[m->matched])
			m->matched = m->fallback[m->matched];
		if (data[i] == m->text[m->matched])
			m->matched++;
		m->found = m->matched == m->len;
	}
}
