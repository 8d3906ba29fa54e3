/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/pool/pack.h"

#include <string.h>

static void *take(struct pack *p, size_t size, size_t align)
{
	size_t at = (p->used + align - 1) & ~(align - 1);

	p->used = at + size;
	return p->block ? p->block + at : NULL;
}

static void *put(struct pack *p, void *data, size_t size, size_t align)
{
	void *to = take(p, size, align);

	if (!to)
		return data;
	return size ? memcpy(to, data, size) : to;
}

void *pack_bytes(struct pack *p, void *data, size_t size)
{
	return put(p, data, size, sizeof(uint64_t));
}

void *pack_room(struct pack *p, size_t size)
{
	return take(p, size, sizeof(uint64_t));
}

char *pack_str(struct pack *p, char *s)
{
	return put(p, s, strlen(s) + 1, 1);
}
