/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growing byte buffer, and typed reading and writing of messages on it.
 *
 * Writing cannot fail (see xalloc.h). Reading never goes past the end: after
 * the first bad length every read gives zeros and wire_ok() is false, so a
 * decoder reads all its fields and asks once. Integers are little-endian.
 */
#ifndef AGENT_BASE_BUF_H
#define AGENT_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"

struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
};

void buf_done(struct buf *b);  /* frees and zeroes: a zeroed struct buf is an empty one */
void buf_wipe(struct buf *b);  /* the same, for secrets: all its memory is overwritten first */
void buf_reset(struct buf *b); /* empties, keeps the memory */
void *buf_add(struct buf *b,
	      size_t len); /* len uninitialised bytes at the end; valid until the next add */
/* Room for len more bytes: until they are full nothing is moved, and so nothing left behind. */
void buf_reserve(struct buf *b, size_t len);
void buf_put(struct buf *b, const void *data, size_t len);
void buf_str(struct buf *b, const char *s); /* without the NUL */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The bytes as a string; adds a NUL after them that is not counted in len. */
const char *buf_cstr(struct buf *b);

void wire_put_u8(struct buf *b, uint8_t v);
void wire_put_u16(struct buf *b, uint16_t v);
void wire_put_u32(struct buf *b, uint32_t v);
void wire_put_u64(struct buf *b, uint64_t v);
void wire_put_i64(struct buf *b, int64_t v);
/* u16 length, then the bytes; longer than 65,535 is our bug (asserted). */
void wire_put_str(struct buf *b, const char *s);

struct wire {
	const uint8_t *data;
	size_t left;
	bool bad;
};

struct wire wire_of(const void *data, size_t len);
uint8_t wire_u8(struct wire *w);
uint16_t wire_u16(struct wire *w);
uint32_t wire_u32(struct wire *w);
uint64_t wire_u64(struct wire *w);
int64_t wire_i64(struct wire *w);
/* Copies at most size - 1 bytes and a NUL; longer, or with a NUL inside: bad. */
void wire_str(struct wire *w, char *out, size_t size);
void wire_bytes(struct wire *w, void *out, size_t len);
/* Nothing was short and nothing is left over. */
MUST_CHECK bool wire_end(const struct wire *w);

#endif
