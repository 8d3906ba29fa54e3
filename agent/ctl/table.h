/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table for people: as wide as its widest cells, nothing cut off. Cells are
 * kept in one piece of memory until they are printed.
 */
#ifndef AGENT_CTL_TABLE_H
#define AGENT_CTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"

#define TABLE_COLUMNS_MAX 16

struct table {
	size_t columns;
	size_t width[TABLE_COLUMNS_MAX];
	bool right[TABLE_COLUMNS_MAX]; /* numbers */
	size_t cells;
	struct buf text; /* of all cells, each with a NUL */
};

/* Heads end with NULL; one that begins with '>' is of a column of numbers. */
void table_init(struct table *t, const char *const *heads);
void table_done(struct table *t);
/* The next cell, row by row; NULL and "" come out as "-". Control characters become blanks. */
void table_cell(struct table *t, const char *text);
void table_cellf(struct table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The cells go, the columns stay as wide as they are: for rows that are printed later. */
void table_forget(struct table *t);
void table_print(const struct table *t, struct buf *out);

#endif
