/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"

#define GAP 2

/* Characters, counting each as one column. */
static size_t text_width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

void table_init(struct table *t, const char *const *heads)
{
	*t = (struct table){ 0 };
	for (; heads[t->columns]; t->columns++) {
		assert(t->columns < TABLE_COLUMNS_MAX);
		t->right[t->columns] = heads[t->columns][0] == '>';
	}
	for (size_t i = 0; i < t->columns; i++)
		table_cell(t, heads[i] + t->right[i]);
}

void table_done(struct table *t)
{
	buf_done(&t->text);
}

void table_forget(struct table *t)
{
	buf_reset(&t->text);
	t->cells = 0;
}

void table_cell(struct table *t, const char *text)
{
	size_t column = t->cells++ % t->columns, len, width;
	char *copy;

	if (!text || !*text)
		text = "-";
	len = strlen(text) + 1;
	copy = buf_add(&t->text, len);
	memcpy(copy, text, len);
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	width = text_width(copy);
	if (width > t->width[column])
		t->width[column] = width;
}

void table_cellf(struct table *t, const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort(); /* out of memory */
	table_cell(t, text);
	free(text);
}

static void put_blanks(struct buf *out, size_t n)
{
	memset(buf_add(out, n), ' ', n);
}

void table_print(const struct table *t, struct buf *out)
{
	const char *cell = (const char *)t->text.data;

	for (size_t i = 0; i < t->cells; i++) {
		size_t column = i % t->columns;
		size_t room = t->width[column] - text_width(cell);
		bool last = column + 1 == t->columns;

		if (t->right[column])
			put_blanks(out, room);
		buf_str(out, cell);
		if (!last)
			put_blanks(out, (t->right[column] ? 0 : room) + GAP);
		else
			buf_str(out, "\n");
		cell += strlen(cell) + 1;
	}
}
