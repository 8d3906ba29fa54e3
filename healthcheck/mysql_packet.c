/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/mysql_packet.h"

#include <string.h>

#define HEADER	      4
#define PROTOCOL      10
#define ERROR	      0xff
#define SWITCH	      0xfe
#define SQL_NULL      0xfb
#define SEED_FIRST    8 /* bytes of the seed before the capabilities */
#define SEED_REST     12
#define SEED_REST_MIN 13 /* with a NUL after it */

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The header is whole: what does it announce? */
static enum hc_mysql_got begin(struct hc_mysql_reader *r)
{
	r->length = r->header[0] | (uint32_t)r->header[1] << 8 | (uint32_t)r->header[2] << 16;
	if (r->length > r->limit || r->total + r->length > HC_MYSQL_TOTAL_MAX)
		return HC_MYSQL_TOO_LONG;
	if (r->header[3] != r->sequence)
		return HC_MYSQL_BROKEN;
	r->sequence++;
	r->total += r->length;
	return HC_MYSQL_MORE;
}

enum hc_mysql_got hc_mysql_read(struct hc_mysql_reader *r, const uint8_t **data, size_t *len)
{
	enum hc_mysql_got got;
	size_t n;

	if (r->is_whole) {
		buf_reset(&r->packet);
		r->header_len = 0;
		r->is_whole = false;
	}
	while (r->header_len < HEADER) {
		if (*len == 0)
			return HC_MYSQL_MORE;
		r->header[r->header_len++] = *(*data)++;
		--*len;
		got = r->header_len == HEADER ? begin(r) : HC_MYSQL_MORE;
		if (got != HC_MYSQL_MORE)
			return got;
	}
	n = min_size(r->length - r->packet.len, *len);
	buf_put(&r->packet, *data, n);
	*data += n;
	*len -= n;
	r->is_whole = r->packet.len == r->length;
	return r->is_whole ? HC_MYSQL_PACKET : HC_MYSQL_MORE;
}

static void skip(struct wire *w, size_t len)
{
	if (w->bad || len > w->left) {
		w->bad = true;
		return;
	}
	w->data += len;
	w->left -= len;
}

/* A text that ends in NUL, which is skipped too; with the packet where `or_end`. */
static size_t terminated(struct wire *w, bool or_end, const char **out)
{
	const uint8_t *end = w->bad || !w->left ? NULL : memchr(w->data, '\0', w->left);
	size_t len = end ? (size_t)(end - w->data) : w->left;

	*out = (const char *)w->data;
	if (!end && !or_end)
		w->bad = true;
	skip(w, len + (end != NULL));
	return w->bad ? 0 : len;
}

static enum hc_mysql_plugin plugin_of(const char *text, size_t len)
{
	char name[HC_MYSQL_PLUGIN_MAX];

	if (len == 0 || len >= sizeof(name))
		return HC_MYSQL_OTHER;
	memcpy(name, text, len);
	name[len] = '\0';
	return hc_mysql_plugin_parse(name);
}

static bool is_ours(const struct hc_mysql_greeting *g)
{
	const uint32_t needed = HC_MYSQL_CAP_PROTOCOL41 | HC_MYSQL_CAP_SECURE;

	return (g->capabilities & needed) == needed;
}

bool hc_mysql_greeting(struct wire w, struct hc_mysql_greeting *out)
{
	const char *text;
	size_t rest, len;

	if (wire_u8(&w) != PROTOCOL)
		return false;
	terminated(&w, false, &text); /* version */
	skip(&w, 4);		      /* connection id */
	wire_bytes(&w, out->seed, SEED_FIRST);
	skip(&w, 1);
	out->capabilities = wire_u16(&w);
	skip(&w, 3); /* collation, status */
	out->capabilities |= (uint32_t)wire_u16(&w) << 16;
	rest = wire_u8(&w);
	skip(&w, 10);
	rest = rest > SEED_FIRST + SEED_REST_MIN ? rest - SEED_FIRST : SEED_REST_MIN;
	/* The NUL after the seed may be missing where nothing follows. */
	rest = w.left == SEED_REST ? SEED_REST : rest;
	wire_bytes(&w, out->seed + SEED_FIRST, SEED_REST);
	skip(&w, rest - SEED_REST);
	out->plugin = HC_MYSQL_NATIVE;
	if (out->capabilities & HC_MYSQL_CAP_PLUGINS) {
		len = terminated(&w, true, &text);
		out->plugin = plugin_of(text, len);
	}
	return !w.bad && is_ours(out);
}

bool hc_mysql_switch(struct wire w, struct hc_mysql_switch *out)
{
	const char *name;
	size_t len;

	memset(out, 0, sizeof(*out));
	if (wire_u8(&w) != SWITCH)
		return false;
	len = terminated(&w, true, &name);
	out->plugin = plugin_of(name, len);
	wire_bytes(&w, out->seed, hc_mysql_seed_len(out->plugin));
	return !w.bad;
}

uint16_t hc_mysql_error(struct wire w)
{
	uint16_t code;

	if (wire_u8(&w) != ERROR)
		return 0;
	code = wire_u16(&w);
	return w.bad ? 0 : code;
}

uint64_t hc_mysql_number(struct wire *w)
{
	uint8_t first = wire_u8(w);

	switch (first) {
	case SQL_NULL:
	case ERROR:
		w->bad = true;
		return 0;
	case 0xfc:
		return wire_u16(w);
	case 0xfd: {
		uint64_t low = wire_u16(w);

		return low | (uint64_t)wire_u8(w) << 16;
	}
	case 0xfe:
		return wire_u64(w);
	default:
		return first;
	}
}

size_t hc_mysql_text(struct wire *w, const char **out)
{
	uint64_t len;

	*out = NULL;
	if (w->left && w->data[0] == SQL_NULL) {
		skip(w, 1);
		return 0;
	}
	len = hc_mysql_number(w);
	if (len > w->left)
		w->bad = true;
	if (w->bad)
		return 0;
	*out = (const char *)w->data;
	skip(w, (size_t)len);
	return (size_t)len;
}

void hc_mysql_finish(struct buf *b, size_t at, uint8_t sequence)
{
	size_t len = b->len - at - HEADER;

	b->data[at] = (uint8_t)len;
	b->data[at + 1] = (uint8_t)(len >> 8);
	b->data[at + 2] = (uint8_t)(len >> 16);
	b->data[at + 3] = sequence;
}
