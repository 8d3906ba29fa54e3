/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"

void buf_done(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

void buf_wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_done(b);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
}

void *buf_add(struct buf *b, size_t len)
{
	void *p;

	if (!b->data || len > b->cap - b->len) {
		size_t cap = b->cap ? b->cap : 256;

		while (cap - b->len < len)
			cap *= 2;
		b->data = xreallocarray(b->data, cap, 1);
		b->cap = cap;
	}
	p = b->data + b->len;
	b->len += len;
	return p;
}

void buf_reserve(struct buf *b, size_t len)
{
	size_t before = b->len;

	(void)buf_add(b, len);
	b->len = before;
}

void buf_put(struct buf *b, const void *data, size_t len)
{
	if (len)
		memcpy(buf_add(b, len), data, len);
}

void buf_str(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	va_start(ap, fmt);
	vsnprintf(buf_add(b, (size_t)n + 1), (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len--; /* the NUL */
}

const char *buf_cstr(struct buf *b)
{
	*(char *)buf_add(b, 1) = '\0';
	b->len--;
	return (const char *)b->data;
}

static void put_le(struct buf *b, uint64_t v, size_t len)
{
	uint8_t *p = buf_add(b, len);

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

void wire_put_u8(struct buf *b, uint8_t v)
{
	put_le(b, v, 1);
}

void wire_put_u16(struct buf *b, uint16_t v)
{
	put_le(b, v, 2);
}

void wire_put_u32(struct buf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void wire_put_u64(struct buf *b, uint64_t v)
{
	put_le(b, v, 8);
}

void wire_put_i64(struct buf *b, int64_t v)
{
	put_le(b, (uint64_t)v, 8);
}

void wire_put_str(struct buf *b, const char *s)
{
	size_t len = strlen(s);

	assert(len <= UINT16_MAX);
	wire_put_u16(b, (uint16_t)len);
	buf_put(b, s, len);
}

struct wire wire_of(const void *data, size_t len)
{
	return (struct wire){ data, len, false };
}

/* The next len bytes, or NULL and bad from then on. */
static const uint8_t *take(struct wire *w, size_t len)
{
	const uint8_t *p = w->data;

	if (w->bad || len > w->left) {
		w->bad = true;
		return NULL;
	}
	if (len) {
		w->data += len;
		w->left -= len;
	}
	return p;
}

static uint64_t get_le(struct wire *w, size_t len)
{
	const uint8_t *p = take(w, len);
	uint64_t v = 0;

	for (size_t i = 0; p && i < len; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

uint8_t wire_u8(struct wire *w)
{
	return (uint8_t)get_le(w, 1);
}

uint16_t wire_u16(struct wire *w)
{
	return (uint16_t)get_le(w, 2);
}

uint32_t wire_u32(struct wire *w)
{
	return (uint32_t)get_le(w, 4);
}

uint64_t wire_u64(struct wire *w)
{
	return get_le(w, 8);
}

int64_t wire_i64(struct wire *w)
{
	return (int64_t)get_le(w, 8);
}

void wire_bytes(struct wire *w, void *out, size_t len)
{
	const uint8_t *p = take(w, len);

	if (p && len)
		memcpy(out, p, len);
	else if (len)
		memset(out, 0, len);
}

void wire_str(struct wire *w, char *out, size_t size)
{
	size_t len = wire_u16(w);
	const uint8_t *p;

	out[0] = '\0';
	if (len >= size)
		w->bad = true;
	p = take(w, len);
	if (!p || len == 0)
		return;
	if (memchr(p, '\0', len)) {
		w->bad = true;
		return;
	}
	memcpy(out, p, len);
	out[len] = '\0';
}

bool wire_end(const struct wire *w)
{
	return !w->bad && w->left == 0;
}
