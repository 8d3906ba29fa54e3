/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/pool/secret.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/buf.h"
#include "agent/base/hash.h"
#include "agent/base/xalloc.h"

/* One block: the size, what callers see, and the strings. */
struct block {
	size_t size;
	struct secret secret;
	char strings[];
};

static size_t size_of(const char *s)
{
	return s ? strlen(s) + 1 : 0;
}

static const char *place(char **at, const char *s)
{
	char *copy = *at;

	if (!s)
		return NULL;
	memcpy(copy, s, size_of(s));
	*at += size_of(s);
	return copy;
}

struct secret *secret_new(const struct secret *values)
{
	size_t size = sizeof(struct block) + size_of(values->username) + size_of(values->password) +
		      size_of(values->ca) + size_of(values->certificate) + size_of(values->key);
	struct block *b = xmalloc(size);
	char *at = b->strings;

	b->size = size;
	b->secret.username = place(&at, values->username);
	b->secret.password = place(&at, values->password);
	b->secret.ca = place(&at, values->ca);
	b->secret.certificate = place(&at, values->certificate);
	b->secret.key = place(&at, values->key);
	b->secret.ca_fault = values->ca_fault;
	b->secret.pair_fault = values->pair_fault;
	return &b->secret;
}

void secret_free(struct secret *s)
{
	struct block *b;

	if (!s)
		return;
	b = (struct block *)((char *)s - offsetof(struct block, secret));
	explicit_bzero(b, b->size);
	free(b);
}

/* Each is hashed where it lies: a copy would have to be wiped again. */
static uint64_t hash_value(const char *s)
{
	return s ? hash_table(s, strlen(s)) : 0;
}

uint64_t secret_hash(const struct secret *s)
{
	uint64_t parts[] = { hash_value(s->username),	 hash_value(s->password),
			     hash_value(s->ca),		 hash_value(s->ca_fault),
			     hash_value(s->certificate), hash_value(s->key),
			     hash_value(s->pair_fault) };

	return hash_table(parts, sizeof(parts));
}

void secret_wipe(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
}
