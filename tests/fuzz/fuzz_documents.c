/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cutting a YAML text into documents: the pieces are the text, and leaving
 * some of them out changes nothing of the others. The first byte says which
 * are left out.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/buf.h"
#include "agent/base/doc.h"
#include "watch/documents.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct doc_limits limits = { .nodes = 2000, .depth = 16 };

static size_t count_nodes(const struct doc *d)
{
	size_t n = 1;

	for (const struct doc *c = d->first; c; c = c->next)
		n += count_nodes(c);
	return n;
}

static void check_pieces(const struct documents *d, size_t size)
{
	size_t offset = 0;
	unsigned line = 1;

	for (size_t i = 0; i < d->count; i++) {
		if (d->items[i].offset != offset || d->items[i].line != line)
			abort();
		offset += d->items[i].len;
		line += d->items[i].lines;
	}
	if (d->count && offset != size)
		abort();
}

/* Is each document of `whole` in `rest` too, in the same line, but for those that are known? */
static void check_rest(const struct doc_set *whole, const struct doc_set *rest,
		       const struct documents *d)
{
	size_t next = 0;

	for (size_t i = 0; i < whole->count; i++) {
		const struct document *in = documents_at(d, whole->roots[i]->line);

		if (in && in->known)
			continue;
		if (next == rest->count || rest->roots[next]->line != whole->roots[i]->line ||
		    count_nodes(rest->roots[next]) != count_nodes(whole->roots[i]))
			abort();
		next++;
	}
	if (next != rest->count)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct doc_set whole = { 0 }, rest = { 0 };
	struct documents d;
	struct buf text = { 0 };
	struct err err;
	uint8_t left_out;

	if (size < 2)
		return 0;
	left_out = *data++;
	size--;
	documents_split(&d, data, size);
	check_pieces(&d, size);
	for (size_t i = 0; i < d.count; i++)
		d.items[i].known = left_out >> i % 8 & 1;
	buf_put(&text, data, size);
	text.len = documents_blank(&d, (char *)text.data, text.len);
	if (doc_read_yaml(data, size, &limits, &whole, &err) == 0) {
		if (doc_read_yaml(text.data, text.len, &limits, &rest, &err) < 0)
			abort();
		check_rest(&whole, &rest, &d);
	}
	doc_set_done(&whole);
	doc_set_done(&rest);
	documents_done(&d);
	buf_done(&text);
	return 0;
}
