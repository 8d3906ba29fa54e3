/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/fake_host.h"

#include <assert.h>
#include <string.h>

static int fake_open(void *arg, struct loop *l, const struct ipvs_config *c,
		     ipvs_host_event_fn *event, ipvs_host_changed_fn *changed, void *event_arg,
		     void **out, struct err *err)
{
	struct fake_host *h = arg;

	(void)l;
	(void)c;
	(void)event;
	h->changed = changed;
	h->arg = event_arg;
	if (h->fail)
		return err_set(err, h->fail, "the host cannot be opened");
	*out = h;
	return 0;
}

static struct ipvs_frontend *find(struct fake_host *h, const struct endpoint *key)
{
	for (size_t i = 0; i < h->count; i++) {
		if (memcmp(&h->frontends[i].key, key, sizeof(*key)) == 0)
			return &h->frontends[i];
	}
	return NULL;
}

static int fake_add(void *host, const struct ipvs_frontend *f, size_t count, struct err *err)
{
	struct fake_host *h = host;

	for (size_t i = 0; i < count; i++) {
		struct ipvs_frontend *have = find(h, &f[i].key);

		if (!have) {
			assert(h->count < FAKE_HOST_MAX);
			have = &h->frontends[h->count++];
		}
		*have = f[i];
		h->writes++;
	}
	return h->fail ? err_set(err, h->fail, "no route could be added") : 0;
}

static int fake_served(void *host, struct err *err)
{
	struct fake_host *h = host;

	h->served_calls++;
	h->served = h->count;
	h->served_after = h->kernel ? *h->kernel : 0;
	return h->fail ? err_set(err, h->fail, "nothing could be announced") : 0;
}

static int fake_remove(void *host, const struct endpoint *keys, size_t count, struct err *err)
{
	struct fake_host *h = host;

	for (size_t i = 0; i < count; i++) {
		struct ipvs_frontend *have = find(h, &keys[i]);

		if (have)
			*have = h->frontends[--h->count];
		h->writes++;
	}
	return h->fail ? err_set(err, h->fail, "no route could be removed") : 0;
}

static void fake_ours_changed(void *host)
{
	struct fake_host *h = host;

	h->ours_changes++;
}

static int fake_sync(void *host, bool prune, uint64_t *out_repairs, struct err *err)
{
	struct fake_host *h = host;

	h->syncs++;
	h->prunes += prune;
	*out_repairs = 0;
	return h->fail ? err_set(err, h->fail, "no route could be read") : 0;
}

static int fake_notrack(void *host, const struct ipvs_notrack *n, struct err *err)
{
	struct fake_host *h = host;

	h->notrack = *n;
	return h->fail ? err_set(err, h->fail, "no table could be made") : 0;
}

static bool fake_notrack_now(void *host, struct ipvs_notrack *out)
{
	const struct fake_host *h = host;

	if (!h->fail)
		*out = h->notrack;
	return !h->fail;
}

static int fake_paths(void *host, const struct ipvs_paths *p, struct err *err)
{
	struct fake_host *h = host;

	h->paths = (struct ipvs_paths){ .count = p->count, .version = p->version };
	h->paths_told = true;
	return h->fail ? err_set(err, h->fail, "no path could be made") : 0;
}

static int fake_paths_check(void *host, uint64_t *out_repairs, struct err *err)
{
	struct fake_host *h = host;

	*out_repairs = h->paths_changed;
	h->paths_changed = 0;
	return h->fail && h->paths_told ? err_set(err, h->fail, "no path could be read") : 0;
}

static bool fake_paths_now(void *host, struct ipvs_paths_result *out)
{
	const struct fake_host *h = host;

	*out = (struct ipvs_paths_result){ .version = h->paths.version, .error = h->fail };
	if (h->fail)
		strcpy(out->text, "no path could be made");
	else if (h->path_fails.number)
		ipvs_paths_result_fail(out, &h->path_fails, "no route");
	return h->paths_told;
}

static bool fake_has_device(void *host, const char *name)
{
	const struct fake_host *h = host;

	return h->device && strcmp(h->device, name) == 0;
}

static int fake_hold_connections(void *host, bool hold)
{
	struct fake_host *h = host;

	if (h->hold_error)
		return h->hold_error;
	assert(h->held != hold);
	h->held = hold;
	h->holds += hold;
	return 0;
}

static uint64_t fake_writes(const void *host)
{
	return ((const struct fake_host *)host)->writes;
}

static void fake_close(void *host)
{
	(void)host; /* the test's own */
}

void fake_host_init(struct fake_host *h)
{
	memset(h, 0, sizeof(*h));
	h->ops = (struct ipvs_host_ops){
		.open = fake_open,
		.add = fake_add,
		.served = fake_served,
		.remove = fake_remove,
		.sync = fake_sync,
		.ours_changed = fake_ours_changed,
		.notrack = fake_notrack,
		.notrack_now = fake_notrack_now,
		.paths = fake_paths,
		.paths_check = fake_paths_check,
		.paths_now = fake_paths_now,
		.has_device = fake_has_device,
		.hold_connections = fake_hold_connections,
		.writes = fake_writes,
		.close = fake_close,
		.arg = h,
	};
}

const struct ipvs_frontend *fake_host_find(const struct fake_host *h, const struct endpoint *key)
{
	for (size_t i = 0; i < h->count; i++) {
		if (memcmp(&h->frontends[i].key, key, sizeof(*key)) == 0)
			return &h->frontends[i];
	}
	return NULL;
}
