/* SPDX-License-Identifier: GPL-2.0-or-later */
/* YAML and JSON: any bytes are a tree or an error, and a YAML text read in pieces is the same tree. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct doc_limits limits = { .nodes = 2000, .depth = 16 };

static size_t walk(const struct doc *d, unsigned depth)
{
	size_t n = 1, count = 0;

	if (depth > limits.depth)
		abort();
	for (const struct doc *c = d->first; c; c = c->next, count++) {
		if ((c->key != NULL) != (d->type == DOC_MAP))
			abort();
		if (c->key && doc_get(d, c->key) != c)
			abort(); /* keys are unique */
		n += walk(c, depth + 1);
	}
	if (count != d->count || (d->text == NULL) != (d->type == DOC_LIST || d->type == DOC_MAP))
		abort();
	return n;
}

static size_t walk_all(const struct doc_set *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->count; i++) {
		size_t one = walk(s->roots[i], 0);

		if (one > limits.nodes)
			abort();
		n += one;
	}
	return n;
}

/* The parts of all documents; 0 where there is an error. */
static size_t read_in_pieces(const uint8_t *data, size_t size)
{
	struct doc_reader *r = doc_reader_new(data, size, &limits);
	enum doc_step step;
	struct doc_set s;
	size_t n = 0;

	do {
		step = doc_reader_step(r, 1, &s, NULL);
		if (step == DOC_STEP_DOCUMENT) {
			n += walk_all(&s);
			doc_set_done(&s);
		}
	} while (step == DOC_STEP_DOCUMENT || step == DOC_STEP_MORE);
	doc_reader_free(r);
	return step == DOC_STEP_ERROR ? 0 : n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct doc_set s = { 0 };
	struct err err = { 0 };
	size_t n = 0;

	if (doc_read_yaml(data, size, &limits, &s, &err) == 0)
		n = walk_all(&s);
	else if (!err.code || !err.text[0])
		abort();
	doc_set_done(&s);
	if (n != read_in_pieces(data, size))
		abort();
	if (doc_read_json(data, size, &limits, &s, &err) == 0)
		walk_all(&s);
	doc_set_done(&s);
	return 0;
}
