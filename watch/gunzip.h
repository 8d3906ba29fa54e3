/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A gzip stream made plain while it comes, by zlib. libcurl could do that as
 * well, but takes a stream that stops short of its trailer for a whole one.
 */
#ifndef WATCH_GUNZIP_H
#define WATCH_GUNZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/attr.h"

struct gunzip;

MUST_CHECK struct gunzip *gunzip_new(void);
void gunzip_free(struct gunzip *g); /* NULL is fine */

/* What comes next; must stay until gunzip_step() gave GUNZIP_MORE. */
void gunzip_feed(struct gunzip *g, const void *data, size_t len);
/* How much of it was not used yet. */
size_t gunzip_left(const struct gunzip *g);

enum gunzip_step {
	GUNZIP_OUTPUT, /* *out, *out_len hold some, until the next call; call again */
	GUNZIP_MORE,   /* feed more */
	GUNZIP_BAD,    /* no gzip, or damaged */
};
MUST_CHECK enum gunzip_step gunzip_step(struct gunzip *g, const void **out, size_t *out_len);
/* What came so far ends where a gzip stream ends; nothing at all does too. */
bool gunzip_is_whole(const struct gunzip *g);

#endif
