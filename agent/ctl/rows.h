/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How each kind of list becomes a table.
 */
#ifndef AGENT_CTL_ROWS_H
#define AGENT_CTL_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/doc.h"
#include "agent/ctl/table.h"

struct rows {
	const char *name;    /* "pools" */
	const char *path;    /* of the list */
	const char *by_name; /* the parameter that a NAME goes into */
	bool has_id;
	bool by_service;   /* "namespace/service" is a NAME, too */
	const char *below; /* what a NAME that is a pool's id has below that pool; NULL: nothing */
	const char *const *heads; /* for table_init() */
	const char *const *wide_heads;
	void (*add)(struct table *t, const struct doc *d, bool wide, int64_t now_ms);
};

const struct rows *rows_find(const char *name); /* NULL: there is no such list */
const struct rows *rows_of_pool(void);		/* members, without the pool's name in each row */
/* The texts of a list, with commas. */
void rows_cell_joined(struct table *t, const struct doc *list);

#endif
