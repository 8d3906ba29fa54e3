/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/front_message.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "agent/api/request_id.h"

#define ABSENT	   UINT16_MAX /* the length of a text that there is not */
#define METHOD_MAX 32

/* --- texts ------------------------------------------------------------------------ */

static void put_text(struct buf *b, const char *s)
{
	size_t len = s ? strlen(s) : ABSENT;

	assert(!s || len < ABSENT);
	wire_put_u16(b, (uint16_t)len);
	if (s)
		buf_put(b, s, len);
}

static const uint8_t *take(struct wire *w, size_t len)
{
	const uint8_t *at = w->data;

	if (w->bad || len > w->left) {
		w->bad = true;
		return NULL;
	}
	w->data += len;
	w->left -= len;
	return at;
}

static const char *get_text(struct wire *w, struct arena *texts)
{
	uint16_t len = wire_u16(w);
	const uint8_t *at;

	if (w->bad || len == ABSENT)
		return NULL;
	at = take(w, len);
	if (at && memchr(at, '\0', len))
		w->bad = true;
	return at && !w->bad ? arena_strndup(texts, (const char *)at, len) : NULL;
}

/* --- hello ------------------------------------------------------------------------ */

void wire_put_front_hello(struct buf *b, const struct front_hello *h)
{
	wire_put_endpoint(b, &h->listen);
	wire_put_str(b, h->fingerprint);
	wire_put_i64(b, h->not_after_ms);
}

void wire_front_hello(struct wire *w, struct front_hello *out)
{
	*out = (struct front_hello){ 0 };
	out->listen = wire_endpoint(w);
	wire_str(w, out->fingerprint, sizeof(out->fingerprint));
	out->not_after_ms = wire_i64(w);
	if (out->fingerprint[strspn(out->fingerprint, "0123456789ABCDEF:")])
		w->bad = true;
}

/* --- requests --------------------------------------------------------------------- */

/* Every text of a request; the first two have to be there. */
static const size_t request_texts[] = {
	offsetof(struct rest_request, method),
	offsetof(struct rest_request, target),
	offsetof(struct rest_request, accept),
	offsetof(struct rest_request, accept_language),
	offsetof(struct rest_request, accept_encoding),
	offsetof(struct rest_request, host),
	offsetof(struct rest_request, origin),
	offsetof(struct rest_request, fetch_site),
	offsetof(struct rest_request, if_none_match),
	offsetof(struct rest_request, last_event_id),
	offsetof(struct rest_request, content_type),
	offsetof(struct rest_request, if_match),
	offsetof(struct rest_request, idempotency_key),
	offsetof(struct rest_request, user_agent),
	offsetof(struct rest_request, request_id),
};

enum { REQUEST_HAS_BODY = 1, REQUEST_AMBIGUOUS = 2, REQUEST_HAS_SUBJECT = 4, REQUEST_FLAGS = 7 };

static void put_subject(struct buf *b, const struct subject *s)
{
	wire_put_str(b, s->name);
	wire_put_u8(b, (uint8_t)s->unit_count);
	for (unsigned i = 0; i < s->unit_count; i++)
		wire_put_str(b, s->units[i]);
}

static void get_name(struct wire *w, char out[static SUBJECT_NAME_MAX + 1])
{
	wire_str(w, out, SUBJECT_NAME_MAX + 1);
	if (!w->bad && !subject_name_is_good(out, strlen(out)))
		w->bad = true;
}

static void get_subject(struct wire *w, struct subject *out)
{
	get_name(w, out->name);
	out->unit_count = wire_u8(w);
	if (out->unit_count > SUBJECT_UNITS_MAX)
		w->bad = true;
	for (unsigned i = 0; i < out->unit_count && !w->bad; i++)
		get_name(w, out->units[i]);
}

void wire_put_front_request(struct buf *b, const struct front_request *r)
{
	const struct rest_request *q = &r->request;

	wire_put_u32(b, r->id);
	wire_put_u8(b, (uint8_t)((q->has_body ? REQUEST_HAS_BODY : 0) |
				 (q->ambiguous ? REQUEST_AMBIGUOUS : 0) |
				 (*r->subject.name ? REQUEST_HAS_SUBJECT : 0)));
	wire_put_u32(b, (uint32_t)q->header_bytes);
	wire_put_u64(b, q->length);
	for (size_t i = 0; i < ARRAY_LEN(request_texts); i++)
		put_text(b, *(const char *const *)((const char *)q + request_texts[i]));
	put_text(b, r->authorization);
	wire_put_addr(b, &r->from);
	if (*r->subject.name)
		put_subject(b, &r->subject);
}

static bool request_is_good(const struct rest_request *q)
{
	return q->method && *q->method && strlen(q->method) <= METHOD_MAX && q->target &&
	       (!q->request_id || request_id_is_good(q->request_id));
}

void wire_front_request(struct wire *w, struct front_request *out)
{
	struct rest_request *q = &out->request;
	uint8_t flags;

	*out = (struct front_request){ .id = wire_u32(w) };
	flags = wire_u8(w);
	q->has_body = flags & REQUEST_HAS_BODY;
	q->ambiguous = flags & REQUEST_AMBIGUOUS;
	q->header_bytes = wire_u32(w);
	q->length = wire_u64(w);
	for (size_t i = 0; i < ARRAY_LEN(request_texts); i++)
		*(const char **)((char *)q + request_texts[i]) = get_text(w, &out->texts);
	out->authorization = get_text(w, &out->texts);
	out->from = wire_addr(w);
	if (flags & REQUEST_HAS_SUBJECT)
		get_subject(w, &out->subject);
	if (w->bad || (flags & ~REQUEST_FLAGS) || !request_is_good(q)) {
		w->bad = true;
		front_request_done(out);
	}
}

void front_request_done(struct front_request *r)
{
	arena_wipe(&r->texts);
	*r = (struct front_request){ 0 };
}

/* --- replies ---------------------------------------------------------------------- */

/* Each a bit of the message. */
static const size_t reply_flags[] = {
	offsetof(struct rest_reply, allow),  offsetof(struct rest_reply, unchanged),
	offsetof(struct rest_reply, close),  offsetof(struct rest_reply, retry),
	offsetof(struct rest_reply, secret), offsetof(struct rest_reply, keep),
	offsetof(struct rest_reply, gzip),
};
static const size_t reply_texts[] = {
	offsetof(struct rest_reply, type),
	offsetof(struct rest_reply, language),
	offsetof(struct rest_reply, methods),
};

static const char *text_of(struct buf *b)
{
	return b->len ? buf_cstr(b) : NULL;
}

void wire_put_front_reply(struct buf *b, struct front_reply *r)
{
	struct rest_reply *p = &r->reply;
	unsigned flags = 0;

	for (size_t i = 0; i < ARRAY_LEN(reply_flags); i++)
		flags |= *(const bool *)((const char *)p + reply_flags[i]) ? 1u << i : 0;
	wire_put_u32(b, r->id);
	wire_put_u16(b, (uint16_t)p->status);
	wire_put_u8(b, (uint8_t)flags);
	wire_put_u64(b, r->length);
	for (size_t i = 0; i < ARRAY_LEN(reply_texts); i++)
		put_text(b, *(const char *const *)((const char *)p + reply_texts[i]));
	wire_put_str(b, p->etag);
	put_text(b, text_of(&p->link));
	put_text(b, text_of(&p->location));
	put_text(b, r->request_id);
}

static void get_into(struct wire *w, struct arena *texts, struct buf *out)
{
	const char *s = get_text(w, texts);

	if (s && !*s)
		w->bad = true; /* that is said by its absence */
	else if (s)
		buf_str(out, s);
}

void wire_front_reply(struct wire *w, struct front_reply *out)
{
	struct rest_reply *p = &out->reply;
	uint8_t flags;

	*out = (struct front_reply){ .id = wire_u32(w) };
	p->status = wire_u16(w);
	flags = wire_u8(w);
	for (size_t i = 0; i < ARRAY_LEN(reply_flags); i++)
		*(bool *)((char *)p + reply_flags[i]) = flags & (1u << i);
	out->length = wire_u64(w);
	for (size_t i = 0; i < ARRAY_LEN(reply_texts); i++)
		*(const char **)((char *)p + reply_texts[i]) = get_text(w, &out->texts);
	wire_str(w, p->etag, sizeof(p->etag));
	get_into(w, &out->texts, &p->link);
	get_into(w, &out->texts, &p->location);
	out->request_id = get_text(w, &out->texts);
	if (w->bad || flags >> ARRAY_LEN(reply_flags) || p->status < 200 || p->status > 599 ||
	    !out->request_id) {
		w->bad = true;
		front_reply_done(out);
	}
}

void front_reply_done(struct front_reply *r)
{
	rest_reply_done(&r->reply);
	arena_done(&r->texts);
	*r = (struct front_reply){ 0 };
}

/* --- pieces ----------------------------------------------------------------------- */

void wire_put_front_piece(struct buf *b, const struct front_piece *p)
{
	assert(p->len <= FRONT_PIECE_MAX);
	wire_put_u32(b, p->id);
	wire_put_u8(b, (uint8_t)p->end);
	buf_put(b, p->data, p->len);
}

void wire_front_piece(struct wire *w, struct front_piece *out)
{
	uint8_t end;

	*out = (struct front_piece){ .id = wire_u32(w) };
	end = wire_u8(w);
	if (end > FRONT_BROKEN || w->left > FRONT_PIECE_MAX)
		w->bad = true;
	if (w->bad)
		return;
	out->end = (enum front_end)end;
	out->len = w->left;
	out->data = take(w, w->left);
}
