/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tokens: an Authorization header, then, from the next line on, the file of
 * tokens. Who it is taken for is one of the file, and what is held is in bounds.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/tokens.h"
#include "agent/base/xalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_items(const struct tokens *t)
{
	const struct token *items;
	size_t count;

	items = tokens_items(t, &count);
	assert(count <= TOKENS_MAX);
	for (size_t i = 0; i < count; i++) {
		assert(token_name_is_good(items[i].name));
		assert(token_role_text(items[i].role));
		assert(items[i].created_ms > 0);
		assert(items[i].serial == i + 1);
	}
}

static void check_bearer(const struct tokens *t, const struct bearer *b)
{
	const struct token *items;
	size_t count;

	items = tokens_items(t, &count);
	if (b->claim != BEARER_KNOWN)
		return;
	assert(b->serial >= 1 && b->serial <= count);
	assert(strcmp(items[b->serial - 1].name, b->name) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
	size_t head = newline ? (size_t)(newline - data) : size;
	char *authorization = xstrndup((const char *)data, head);
	struct problems faults = { 0 };
	const char *file = newline ? (const char *)newline + 1 : "";
	struct tokens *t;
	struct bearer b;

	t = tokens_of_text("/nonexistent/tokens", file, newline ? size - head - 1 : 0, &faults);
	check_items(t);
	b = tokens_bearer(t, authorization);
	assert(b.claim != BEARER_NONE);
	check_bearer(t, &b);
	assert((b.claim == BEARER_KNOWN) == tokens_hold(t, &b));
	tokens_free(t);
	problems_done(&faults);
	free(authorization);
	return 0;
}
