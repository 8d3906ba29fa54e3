/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/http_reply.h"

#include <string.h>
#include <strings.h>

#define LENGTH_DIGITS 15 /* far beyond what is read, and no overflow */
#define CHUNK_DIGITS  12

static void conclude(struct hc_http_reply *r, enum hc_reason reason, int32_t detail)
{
	r->state = HC_HTTP_DONE;
	r->outcome = (struct hc_outcome){ reason, detail };
}

static bool is_among(uint16_t status, const struct check_status_range *ranges, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (status >= ranges[i].first && status <= ranges[i].last)
			return true;
	}
	return false;
}

/* What the status alone says; OK: the body has its say. */
static enum hc_reason reason_of_status(const struct hc_http_reply *r)
{
	const struct check *c = r->check;

	if (is_among(r->status, c->drain, c->drain_count))
		return HC_REASON_DRAINING;
	if (is_among(r->status, c->degraded, c->degraded_count))
		return HC_REASON_DEGRADED;
	return is_among(r->status, c->expect, c->expect_count) ? HC_REASON_OK : HC_REASON_STATUS;
}

/* As much of the body as counts has been seen. */
static void finish(struct hc_http_reply *r)
{
	enum hc_reason reason = reason_of_status(r);

	if (reason == HC_REASON_OK && !r->match.found)
		reason = HC_REASON_NO_MATCH;
	conclude(r, reason, r->status);
}

/* All of it was seen, and where it ends is known. */
static void finish_whole(struct hc_http_reply *r)
{
	r->is_whole = true;
	finish(r);
}

void hc_http_reply_init(struct hc_http_reply *r, const struct check *c)
{
	*r = (struct hc_http_reply){ .check = c };
	hc_match_init(&r->match, c->match, c->match ? strlen(c->match) : 0);
}

static void look_for_match(struct hc_http_reply *r, const char *data, size_t len)
{
	size_t look = HC_HTTP_BODY_LOOK - r->body_looked;

	if (len < look)
		look = len;
	r->body_looked += (uint32_t)look;
	hc_match_feed(&r->match, data, look);
}

/* --- lines -------------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK"; the reason phrase is nobody's business. */
static void status_line(struct hc_http_reply *r)
{
	const char *s = r->line;

	if (r->line_len < 12 || memcmp(s, "HTTP/1.", 7) != 0 || !is_digit(s[7]) || s[8] != ' ' ||
	    !is_digit(s[9]) || !is_digit(s[10]) || !is_digit(s[11]) ||
	    (r->line_len > 12 && s[12] != ' ')) {
		conclude(r, HC_REASON_BAD_REPLY, 0);
		return;
	}
	r->status = (uint16_t)((s[9] - '0') * 100 + (s[10] - '0') * 10 + (s[11] - '0'));
	if (r->status < 100 || r->status > 599) {
		conclude(r, HC_REASON_BAD_REPLY, r->status);
		return;
	}
	r->chunked = r->has_length = false;
	r->says_close = r->says_keep = false;
	r->is_old = s[7] == '0';
	r->state = HC_HTTP_HEADER;
}

static bool is_interim(const struct hc_http_reply *r)
{
	/* After 101 the peer speaks something else: that is its final answer. */
	return r->status < 200 && r->status != 101;
}

static bool has_no_body(const struct hc_http_reply *r)
{
	return r->status == 101 || r->status == 204 || r->status == 304 ||
	       (!r->chunked && r->has_length && r->left == 0);
}

static void header_end(struct hc_http_reply *r)
{
	if (is_interim(r))
		r->state = HC_HTTP_STATUS_LINE;
	else if (has_no_body(r))
		finish_whole(r);
	else if (r->chunked)
		r->state = HC_HTTP_CHUNK_SIZE;
	else if (r->has_length)
		r->state = HC_HTTP_BODY;
	else
		r->state = HC_HTTP_BODY_TO_CLOSE;
}

/* The value of the header if it is `name`, without blanks around; NULL otherwise. */
static const char *header_value(struct hc_http_reply *r, const char *name)
{
	size_t len = strlen(name);
	char *value = r->line + len + 1;
	char *end = r->line + r->line_len;

	if (r->line_len <= len || strncasecmp(r->line, name, len) != 0 || r->line[len] != ':')
		return NULL;
	while (*value == ' ' || *value == '\t')
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	return value;
}

static void content_length(struct hc_http_reply *r, const char *value)
{
	size_t digits = strspn(value, "0123456789");
	uint64_t n = 0;

	if (digits == 0 || digits > LENGTH_DIGITS || value[digits]) {
		conclude(r, HC_REASON_BAD_REPLY, r->status);
		return;
	}
	for (size_t i = 0; i < digits; i++)
		n = n * 10 + (uint64_t)(value[i] - '0');
	if (r->has_length && n != r->left) {
		conclude(r, HC_REASON_BAD_REPLY, r->status);
		return;
	}
	r->has_length = true;
	r->left = n;
}

/* A list of words; of one that was cut the rest is unknown. */
static void connection(struct hc_http_reply *r, const char *value)
{
	static const char *const separators = ", \t";

	r->says_close |= r->line_len >= HC_HTTP_LINE_MAX - 1;
	for (value += strspn(value, separators); *value; value += strspn(value, separators)) {
		size_t len = strcspn(value, separators);

		r->says_close |= len == 5 && strncasecmp(value, "close", len) == 0;
		r->says_keep |= len == 10 && strncasecmp(value, "keep-alive", len) == 0;
		value += len;
	}
}

static void header_line(struct hc_http_reply *r)
{
	const char *value;
	size_t len;

	if (r->line_len == 0) {
		header_end(r);
		return;
	}
	value = header_value(r, "Content-Length");
	if (value) {
		content_length(r, value);
		return;
	}
	value = header_value(r, "Connection");
	if (value) {
		connection(r, value);
		return;
	}
	value = header_value(r, "Transfer-Encoding");
	if (!value)
		return;
	/* The last coding is the one on the wire. */
	len = strlen(value);
	r->chunked = len >= 7 && strcasecmp(value + len - 7, "chunked") == 0;
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static void chunk_size_line(struct hc_http_reply *r)
{
	size_t digits = 0;

	r->left = 0;
	while (hex_value(r->line[digits]) >= 0 && digits <= CHUNK_DIGITS)
		r->left = r->left * 16 + (uint64_t)hex_value(r->line[digits++]);
	if (digits == 0 || digits > CHUNK_DIGITS || !strchr("; \t", r->line[digits])) {
		conclude(r, HC_REASON_BAD_REPLY, r->status);
		return;
	}
	r->state = r->left > 0 ? HC_HTTP_CHUNK : HC_HTTP_TRAILER;
}

static void whole_line(struct hc_http_reply *r)
{
	if (r->line_len > 0 && r->line[r->line_len - 1] == '\r')
		r->line_len--;
	r->line[r->line_len] = '\0';
	switch (r->state) {
	case HC_HTTP_STATUS_LINE:
		status_line(r);
		break;
	case HC_HTTP_HEADER:
		header_line(r);
		break;
	case HC_HTTP_CHUNK_SIZE:
		chunk_size_line(r);
		break;
	case HC_HTTP_CHUNK_END:
		if (r->line_len == 0)
			r->state = HC_HTTP_CHUNK_SIZE;
		else
			conclude(r, HC_REASON_BAD_REPLY, r->status);
		break;
	case HC_HTTP_TRAILER:
		if (r->line_len == 0)
			finish_whole(r);
		break;
	case HC_HTTP_BODY:
	case HC_HTTP_BODY_TO_CLOSE:
	case HC_HTTP_CHUNK:
	case HC_HTTP_DONE:
		break;
	}
	r->line_len = 0;
}

/* Takes bytes up to the end of the line; returns how many. Of a long line the beginning is kept. */
static size_t take_line(struct hc_http_reply *r, const char *data, size_t len)
{
	const char *end = memchr(data, '\n', len);
	size_t n = end ? (size_t)(end - data) : len;
	size_t room = HC_HTTP_LINE_MAX - 1 - r->line_len;
	size_t kept = n < room ? n : room;

	memcpy(r->line + r->line_len, data, kept);
	r->line_len = (uint16_t)(r->line_len + kept);
	if (r->state == HC_HTTP_STATUS_LINE || r->state == HC_HTTP_HEADER) {
		r->header += (uint32_t)(n + (end != NULL));
		if (r->header > HC_HTTP_HEADER_MAX) {
			conclude(r, HC_REASON_TOO_LONG, r->status);
			return len;
		}
	}
	if (!end)
		return n;
	whole_line(r);
	return n + 1;
}

static size_t take_body(struct hc_http_reply *r, const char *data, size_t len)
{
	size_t n = r->state == HC_HTTP_BODY_TO_CLOSE || len < r->left ? len : (size_t)r->left;

	look_for_match(r, data, n);
	if (r->state == HC_HTTP_BODY_TO_CLOSE)
		return n;
	r->left -= n;
	if (r->left > 0)
		return n;
	if (r->state == HC_HTTP_CHUNK)
		r->state = HC_HTTP_CHUNK_END;
	else
		finish_whole(r);
	return n;
}

bool hc_http_reply_feed(struct hc_http_reply *r, const void *data, size_t len)
{
	const char *p = data;
	size_t room = HC_HTTP_TOTAL_MAX - r->total;
	bool is_cut = len >= room;

	if (is_cut)
		len = room;
	r->total += (uint32_t)len;
	while (len > 0 && r->state != HC_HTTP_DONE) {
		bool in_body = r->state == HC_HTTP_BODY || r->state == HC_HTTP_BODY_TO_CLOSE ||
			       r->state == HC_HTTP_CHUNK;
		size_t n = in_body ? take_body(r, p, len) : take_line(r, p, len);

		p += n;
		len -= n;
	}
	if (is_cut && r->state != HC_HTTP_DONE)
		finish(r);
	r->is_whole &= !is_cut && len == 0;
	return r->state == HC_HTTP_DONE;
}

void hc_http_reply_closed(struct hc_http_reply *r)
{
	if (r->state == HC_HTTP_DONE)
		return;
	/* A status that says enough says more than that the rest is missing. */
	if (r->state == HC_HTTP_BODY_TO_CLOSE ||
	    (r->state > HC_HTTP_HEADER && reason_of_status(r) != HC_REASON_OK))
		finish(r);
	else
		conclude(r, HC_REASON_CLOSED, 0);
}

bool hc_http_reply_persists(const struct hc_http_reply *r)
{
	if (r->state != HC_HTTP_DONE || !r->is_whole || r->says_close ||
	    (r->is_old && !r->says_keep))
		return false;
	/* Two lengths are one too many, and behind 101 something else is spoken. */
	if ((r->chunked && r->has_length) || r->status == 101)
		return false;
	return r->outcome.reason == HC_REASON_OK || r->outcome.reason == HC_REASON_DRAINING ||
	       r->outcome.reason == HC_REASON_DEGRADED;
}
