/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/redis_reply.h"

#include <string.h>

#define DIGITS_MAX 18 /* no overflow */

enum state {
	TYPE, /* what begins a token */
	LINE,
	LINE_END, /* the LF behind a CR */
	BULK,	  /* `number` bytes */
	BULK_CR,
	BULK_LF,
};

static void keep(struct hc_redis_reader *r, uint8_t byte)
{
	if (r->len < HC_REDIS_TEXT_MAX - 1) {
		r->text[r->len] = (char)byte;
		r->text[r->len + 1] = '\0';
	}
	r->len++;
}

/* The text as a number: digits alone, perhaps a sign. */
static bool number_of(struct hc_redis_reader *r)
{
	bool is_minus = r->text[0] == '-';
	const char *s = r->text + is_minus;
	size_t len = r->len - is_minus;
	int64_t n = 0;

	if (len == 0 || len > DIGITS_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		n = n * 10 + (s[i] - '0');
	}
	r->number = is_minus ? -n : n;
	return true;
}

static enum hc_redis_read end_line(struct hc_redis_reader *r)
{
	r->state = TYPE;
	if (r->type == HC_REDIS_SIMPLE || r->type == HC_REDIS_ERROR)
		return HC_REDIS_TOKEN;
	if (!number_of(r))
		return HC_REDIS_BROKEN;
	if (r->type != HC_REDIS_INTEGER && r->number < -1)
		return HC_REDIS_BROKEN;
	r->len = 0;
	r->text[0] = '\0';
	if (r->type != HC_REDIS_BULK || r->number < 0)
		return HC_REDIS_TOKEN;
	if (r->number > HC_REDIS_TOTAL_MAX)
		return HC_REDIS_TOO_LONG;
	r->state = r->number ? BULK : BULK_CR;
	return HC_REDIS_MORE;
}

static enum hc_redis_read begin_token(struct hc_redis_reader *r, uint8_t byte)
{
	if (!byte || !strchr("+-:$*", byte))
		return HC_REDIS_BROKEN;
	r->type = (enum hc_redis_type)byte;
	r->number = -1;
	r->len = 0;
	r->text[0] = '\0';
	r->state = LINE;
	return HC_REDIS_MORE;
}

static enum hc_redis_read take(struct hc_redis_reader *r, uint8_t byte)
{
	switch ((enum state)r->state) {
	case TYPE:
		return begin_token(r, byte);
	case LINE:
		if (byte == '\r')
			r->state = LINE_END;
		else if (byte == '\n')
			return HC_REDIS_BROKEN;
		else
			keep(r, byte);
		return HC_REDIS_MORE;
	case LINE_END:
		return byte == '\n' ? end_line(r) : HC_REDIS_BROKEN;
	case BULK:
		keep(r, byte);
		if (r->len == (size_t)r->number)
			r->state = BULK_CR;
		return HC_REDIS_MORE;
	case BULK_CR:
		r->state = BULK_LF;
		return byte == '\r' ? HC_REDIS_MORE : HC_REDIS_BROKEN;
	case BULK_LF:
		r->state = TYPE;
		return byte == '\n' ? HC_REDIS_TOKEN : HC_REDIS_BROKEN;
	}
	return HC_REDIS_BROKEN;
}

enum hc_redis_read hc_redis_read(struct hc_redis_reader *r, const uint8_t **data, size_t *len)
{
	enum hc_redis_read said = HC_REDIS_MORE;

	while (*len > 0 && said == HC_REDIS_MORE) {
		if (r->total++ == HC_REDIS_TOTAL_MAX)
			return HC_REDIS_TOO_LONG;
		said = take(r, **data);
		(*data)++;
		(*len)--;
	}
	return said;
}

bool hc_redis_is(const struct hc_redis_reader *r, const char *text)
{
	size_t len = strlen(text);

	return r->len == len && memcmp(r->text, text, len) == 0;
}
