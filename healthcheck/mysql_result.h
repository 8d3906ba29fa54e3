/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows that answer a query, as text, packet by packet. Pure.
 *
 * Of each row two cells are of interest: the first two, as in SHOW VARIABLES,
 * or the one under a column of some name.
 */
#ifndef HEALTHCHECK_MYSQL_RESULT_H
#define HEALTHCHECK_MYSQL_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"

#define HC_MYSQL_COLUMNS_MAX 128
#define HC_MYSQL_ROWS_MAX    64

struct hc_mysql_cell {
	const char *text; /* not terminated; in the packet. NULL: SQL NULL, or no such cell */
	size_t len;
};

struct hc_mysql_result {
	enum {
		HC_MYSQL_RESULT_HEAD,
		HC_MYSQL_RESULT_COLUMNS,
		HC_MYSQL_RESULT_COLUMNS_END,
		HC_MYSQL_RESULT_ROWS,
	} stage;
	/* A column of one of these names becomes the first cell of each row; NULL: the first two
	 * columns are the cells. Ends with NULL. */
	const char *const *names;
	uint32_t columns, seen, rows;
	int32_t picked; /* the column, or -1: not among them */
};

enum hc_mysql_result_step {
	HC_MYSQL_RESULT_MORE,
	HC_MYSQL_RESULT_ROW, /* the cells are set */
	HC_MYSQL_RESULT_END,
	HC_MYSQL_RESULT_ERROR, /* an error packet */
	HC_MYSQL_RESULT_BAD,
};

void hc_mysql_result_init(struct hc_mysql_result *r, const char *const *names);
enum hc_mysql_result_step hc_mysql_result_feed(struct hc_mysql_result *r, struct wire packet,
					       struct hc_mysql_cell cells[static 2]);
bool hc_mysql_cell_is(const struct hc_mysql_cell *c, const char *word); /* ASCII, any case */

#endif
