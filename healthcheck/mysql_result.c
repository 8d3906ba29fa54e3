/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/mysql_result.h"

#include <string.h>
#include <strings.h>

#include "healthcheck/mysql_packet.h"

#define EOF_FIRST 0xfe
#define EOF_MAX	  8 /* a row that begins like it is longer */
#define NAME_AT	  4 /* texts of a column's description before its name */

void hc_mysql_result_init(struct hc_mysql_result *r, const char *const *names)
{
	*r = (struct hc_mysql_result){ .names = names, .picked = -1 };
}

bool hc_mysql_cell_is(const struct hc_mysql_cell *c, const char *word)
{
	return c->text && strlen(word) == c->len && strncasecmp(c->text, word, c->len) == 0;
}

static bool is_eof(const struct wire *packet)
{
	return packet->left > 0 && packet->left <= EOF_MAX && packet->data[0] == EOF_FIRST;
}

static bool take_column(struct hc_mysql_result *r, struct wire w)
{
	struct hc_mysql_cell name = { 0 };

	for (unsigned i = 0; i <= NAME_AT; i++)
		name.len = hc_mysql_text(&w, &name.text);
	for (size_t i = 0; r->names && r->names[i]; i++) {
		if (r->picked < 0 && hc_mysql_cell_is(&name, r->names[i]))
			r->picked = (int32_t)r->seen;
	}
	r->seen++;
	return !w.bad;
}

static bool take_row(struct hc_mysql_result *r, struct wire w, struct hc_mysql_cell *cells)
{
	cells[0] = cells[1] = (struct hc_mysql_cell){ 0 };
	for (uint32_t i = 0; i < r->columns; i++) {
		struct hc_mysql_cell cell;

		cell.len = hc_mysql_text(&w, &cell.text);
		if (r->names ? (int32_t)i == r->picked : i < 2)
			cells[r->names ? 0 : i] = cell;
	}
	return wire_end(&w) && ++r->rows <= HC_MYSQL_ROWS_MAX;
}

/* The first packet: how many columns there are. */
static bool take_head(struct hc_mysql_result *r, struct wire w)
{
	uint64_t columns = hc_mysql_number(&w);

	if (!wire_end(&w) || columns == 0 || columns > HC_MYSQL_COLUMNS_MAX)
		return false;
	r->columns = (uint32_t)columns;
	r->stage = HC_MYSQL_RESULT_COLUMNS;
	return true;
}

enum hc_mysql_result_step hc_mysql_result_feed(struct hc_mysql_result *r, struct wire packet,
					       struct hc_mysql_cell cells[static 2])
{
	bool ok = false;

	if (hc_mysql_error(packet))
		return HC_MYSQL_RESULT_ERROR;
	switch (r->stage) {
	case HC_MYSQL_RESULT_HEAD:
		ok = take_head(r, packet);
		break;
	case HC_MYSQL_RESULT_COLUMNS:
		ok = take_column(r, packet);
		if (r->seen == r->columns)
			r->stage = HC_MYSQL_RESULT_COLUMNS_END;
		break;
	case HC_MYSQL_RESULT_COLUMNS_END:
		ok = is_eof(&packet);
		r->stage = HC_MYSQL_RESULT_ROWS;
		break;
	case HC_MYSQL_RESULT_ROWS:
		if (is_eof(&packet))
			return HC_MYSQL_RESULT_END;
		return take_row(r, packet, cells) ? HC_MYSQL_RESULT_ROW : HC_MYSQL_RESULT_BAD;
	}
	return ok ? HC_MYSQL_RESULT_MORE : HC_MYSQL_RESULT_BAD;
}
