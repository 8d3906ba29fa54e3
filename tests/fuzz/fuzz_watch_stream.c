/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an API server says, in pieces of any size: the first byte chooses a list
 * or a watch, the second the size of the pieces. Whatever comes, the reflector
 * asks for something else or waits, and items have names of a bounded length.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "tests/lib/fake_http.h"
#include "watch/reflector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TURNS_MAX 2000

static int64_t now_ms;

static mono_t fuzz_mono(void *arg)
{
	(void)arg;
	return (mono_t){ now_ms * 1000000 };
}

static int64_t fuzz_wall(void *arg)
{
	(void)arg;
	return now_ms;
}

static const struct clock fuzz_clock = { fuzz_mono, fuzz_wall, NULL };

static uint32_t no_jitter(void *arg)
{
	(void)arg;
	return 0;
}

static void no_problem(void *arg, const char *where, const char *text)
{
	(void)arg;
	(void)where;
	(void)text;
}

static void on_begin(void *arg)
{
	(void)arg;
}

static void on_item(void *arg, struct reflector_item *item)
{
	struct object *o = item->object;
	struct buf b = { 0 };

	(void)arg;
	if (strlen(item->ns) > OBJECT_NAME_MAX || strlen(item->name) > OBJECT_NAME_MAX)
		abort();
	if (!o) {
		if (!item->why[0])
			abort();
		return;
	}
	if (o->kind != OBJECT_ENDPOINTS || !o->from_cluster)
		abort();
	wire_put_object(&b, o);
	buf_done(&b);
}

static uint32_t on_listed(void *arg, uint64_t revision)
{
	(void)arg;
	if (!revision)
		abort();
	return 0;
}

static void on_moved(void *arg)
{
	(void)arg;
}

static void turn(struct loop *l)
{
	for (int i = 0; i < TURNS_MAX; i++)
		(void)!loop_turn(l, 0);
}

static void turn_little(struct loop *l)
{
	for (int i = 0; i < 3; i++)
		(void)!loop_turn(l, 0);
}

static void answer(struct loop *l, struct http *h, const uint8_t *data, size_t size, size_t piece)
{
	struct fake_request *r = fake_http_find(h, "/api/v1/endpoints", "");

	if (!r)
		abort();
	fake_http_status(r, 200, -1, NULL);
	for (size_t at = 0; at < size && r; at += piece) {
		fake_http_data(r, data + at, size - at < piece ? size - at : piece);
		turn_little(l);
		r = fake_http_find(h, "/api/v1/endpoints", "");
	}
	if (r)
		fake_http_end(r, HTTP_DONE, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kube_access access = { .server_count = 1 };
	struct reflector_sink sink = { on_begin, on_item, on_listed, on_moved, NULL };
	struct kube_credentials *credentials;
	struct kube_api api;
	struct reflector_config config = {
		.api = &api,
		.kind = OBJECT_ENDPOINTS,
		.resource = "endpoints",
		.path = "/api/v1/endpoints",
		.query = "",
	};
	struct reflector *r;
	struct loop *l;
	struct http *h;

	if (size < 2)
		return 0;
	now_ms = 1000000;
	if (loop_new(&fuzz_clock, &l) < 0)
		abort();
	access.servers = xcalloc(1, sizeof(char *));
	access.servers[0] = xstrdup("https://a");
	access.origin = xstrdup("fuzz");
	h = fake_http_new(l, NULL, NULL);
	credentials = kube_credentials_new(l, h, &access, "node", no_problem, NULL);
	kube_api_init(&api, l, h, credentials, no_jitter, NULL);
	r = reflector_new(&config, &sink);
	reflector_start(r, data[0] & 1 ? 7 : 0, 0);
	turn_little(l);
	answer(l, h, data + 2, size - 2, 1 + data[1] * (size_t)7);
	turn_little(l);
	now_ms += 60000;
	turn_little(l);
	/* It goes on asking, whatever that was. */
	if (fake_http_count(h) == 0)
		turn(l);
	if (fake_http_count(h) == 0)
		abort();
	reflector_free(r);
	kube_credentials_free(credentials);
	http_free(h);
	loop_free(l);
	return 0;
}
