/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Documents to objects: whatever a manifest says, an object comes out that can be kept, or an error. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/pool/object.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct doc_limits limits = { .nodes = 2000, .depth = 16 };

static void secret_is_bounded(const struct secret *s)
{
	if ((s->username && (!*s->username || strlen(s->username) > SECRET_USERNAME_MAX)) ||
	    (s->password && strlen(s->password) > SECRET_PASSWORD_MAX) ||
	    (s->ca && (!*s->ca || strlen(s->ca) > SECRET_CA_MAX)))
		abort();
}

static void decode(const struct doc *d, bool from_cluster)
{
	const struct object_origin from = { .from_cluster = from_cluster,
					    .exposed = !from_cluster,
					    .path = "f.yaml",
					    .node = "node-a" };
	struct object *o = NULL, *again;
	struct buf b = { 0 };
	struct err err = { 0 };
	struct wire w;
	int r = object_decode(d, &from, &o, &err);

	if (r < 0) {
		if (o || !err.text[0] || (r != -EINVAL && r != -ENOTSUP))
			abort();
		return;
	}
	/* Its values are nobody's business but the healthcheck process's. */
	if ((o->kind == OBJECT_SECRET) != (o->secret != NULL))
		abort();
	if (o->secret) {
		secret_is_bounded(o->secret);
		object_free(o);
		return;
	}
	wire_put_object(&b, o);
	w = wire_of(b.data, b.len);
	again = wire_object(&w);
	if (!again || !wire_end(&w) || again->content != o->content || again->place != o->place)
		abort();
	object_free(again);
	object_free(o);
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct doc_set s = { 0 };

	if (doc_read_yaml(data, size, &limits, &s, NULL) < 0)
		return 0;
	for (size_t i = 0; i < s.count; i++) {
		const struct doc *list = object_list(s.roots[i]);

		decode(s.roots[i], false);
		for (const struct doc *d = list ? list->first : NULL; d; d = d->next)
			decode(d, true);
	}
	doc_set_done(&s);
	return 0;
}
