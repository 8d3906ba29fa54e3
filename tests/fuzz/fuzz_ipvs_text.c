/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables as text: what is read prints, and what was printed reads back and prints the same. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "ipvs/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(const char *text, struct buf *out, bool must)
{
	struct ipvs_table t;

	ipvs_table_init(&t);
	if (ipvs_table_parse(text, &t, NULL) == 0)
		ipvs_table_print(&t, out);
	else
		assert(!must);
	ipvs_table_done(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(xfree_ptr) char *text = xstrndup((const char *)data, size);
	CLEANUP(buf_done) struct buf once = { 0 };
	CLEANUP(buf_done) struct buf twice = { 0 };

	print(text, &once, false);
	print(buf_cstr(&once), &twice, true);
	assert(strcmp(buf_cstr(&once), buf_cstr(&twice)) == 0);
	return 0;
}
