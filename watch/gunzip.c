/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/gunzip.h"

#include <stdint.h>
#include <stdlib.h>

#include <zlib.h>

#include "agent/base/xalloc.h"

#define OUTPUT (64u << 10)

struct gunzip {
	z_stream z;
	bool begun; /* a stream that has not ended */
	bool bad;
	unsigned char out[OUTPUT];
};

struct gunzip *gunzip_new(void)
{
	struct gunzip *g = xcalloc(1, sizeof(*g));

	/* 15: the largest window; 16: gzip's frame alone. It fails only without memory. */
	if (inflateInit2(&g->z, 15 + 16) != Z_OK)
		abort();
	return g;
}

void gunzip_free(struct gunzip *g)
{
	if (!g)
		return;
	inflateEnd(&g->z);
	free(g);
}

void gunzip_feed(struct gunzip *g, const void *data, size_t len)
{
	g->z.next_in = (unsigned char *)(uintptr_t)data;
	g->z.avail_in = (uInt)len;
}

size_t gunzip_left(const struct gunzip *g)
{
	return g->z.avail_in;
}

enum gunzip_step gunzip_step(struct gunzip *g, const void **out, size_t *out_len)
{
	while (!g->bad) {
		int r;

		if (!g->begun && g->z.avail_in == 0)
			return GUNZIP_MORE;
		g->begun = true;
		g->z.next_out = g->out;
		g->z.avail_out = OUTPUT;
		r = inflate(&g->z, Z_NO_FLUSH);
		/* One stream may follow another: together they are one. */
		if (r == Z_STREAM_END)
			g->begun = inflateReset(&g->z) != Z_OK;
		else if (r != Z_OK && r != Z_BUF_ERROR)
			g->bad = true;
		if (g->z.avail_out < OUTPUT) {
			*out = g->out;
			*out_len = OUTPUT - g->z.avail_out;
			return GUNZIP_OUTPUT;
		}
		if (r != Z_STREAM_END && g->z.avail_in == 0)
			break;
	}
	return g->bad ? GUNZIP_BAD : GUNZIP_MORE;
}

bool gunzip_is_whole(const struct gunzip *g)
{
	return !g->begun && !g->bad;
}
