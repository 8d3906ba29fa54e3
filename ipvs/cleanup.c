/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `parasausd --cleanup`: everything of ours leaves the kernel, and stdout says what went. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"
#include "ipvs/host.h"
#include "ipvs/host_rules.h"
#include "ipvs/role_parts.h"

struct found {
	const struct ipvs_config *config;
	struct endpoint *keys;
	size_t count, size;
};

static void take_service(void *arg, const struct ipvs_service *s, uint32_t dests)
{
	struct found *f = arg;

	(void)dests;
	if (!ipvs_is_ours(f->config, &s->key))
		return;
	if (f->count == f->size) {
		f->size = f->size ? f->size * 2 : 256;
		f->keys = xreallocarray(f->keys, f->size, sizeof(*f->keys));
	}
	f->keys[f->count++] = s->key;
}

static int find_services(const struct ipvs_kernel *k, struct found *f)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(families) && r == 0; i++) {
		r = k->ops->list_start(k->kernel, families[i]);
		if (r < 0)
			break;
		do {
			r = k->ops->list_next(k->kernel, take_service, f);
		} while (r > 0);
	}
	return r;
}

/* One batch. Returns how many could not be deleted, or -errno. */
static int delete_some(const struct ipvs_kernel *k, const struct endpoint *keys, size_t count)
{
	struct ipvs_op ops[IPVS_BATCH_MAX];
	int errors[IPVS_BATCH_MAX], failed = 0, r;

	memset(ops, 0, count * sizeof(ops[0]));
	for (size_t i = 0; i < count; i++) {
		ops[i].kind = IPVS_DEL_SERVICE;
		ops[i].key = keys[i];
	}
	r = k->ops->write(k->kernel, ops, count, errors);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		char text[ENDPOINT_TEXT_MAX];

		endpoint_text(&keys[i], text);
		if (errors[i] == 0 || errors[i] == -ESRCH) {
			printf("removed virtual service %s/%s\n", text,
			       protocol_text(keys[i].protocol));
		} else {
			printf("could not remove virtual service %s/%s: %s\n", text,
			       protocol_text(keys[i].protocol), strerror(-errors[i]));
			failed++;
		}
	}
	return failed;
}

static int delete_all(const struct ipvs_kernel *k, const struct found *f, struct err *err)
{
	int failed = 0;

	for (size_t i = 0; i < f->count; i += IPVS_BATCH_MAX) {
		size_t n = f->count - i < IPVS_BATCH_MAX ? f->count - i : IPVS_BATCH_MAX;
		int r = delete_some(k, f->keys + i, n);

		if (r < 0)
			return err_set(err, r, "removing virtual services: %s", strerror(-r));
		failed += r;
	}
	return failed ? err_set(err, -EIO, "%d virtual services remain", failed) : 0;
}

/*
 * Address pools of the store are not in the configuration: what an agent had for ours is in its
 * nftables table, which is cleaned last. Where that cannot be read, the configuration's are all.
 */
static struct ipvs_config with_known(const struct ipvs_config *c, struct ipvs_ours_list *l)
{
	struct ipvs_config all = *c;
	struct host_rules *rules;

	if (host_rules_open(c, &rules, NULL) < 0)
		return all;
	if (host_rules_read_ours(rules, l) == 0) {
		l->items = xreallocarray(l->items, l->count + c->ours_count + 1, sizeof(*l->items));
		for (size_t i = 0; i < c->ours_count; i++)
			l->items[l->count++] = c->ours[i];
		all.ours = l->items;
		all.ours_count = l->count;
	}
	host_rules_close(rules);
	return all;
}

static int clean_ipvs(const struct ipvs_config *c, struct err *err)
{
	struct found f = { .config = c };
	struct ipvs_kernel k;
	int r = ipvs_kernel_open(&k, err);

	if (r == -ENOENT)
		return 0; /* no IPVS, nothing in it */
	if (r < 0)
		return r;
	r = find_services(&k, &f);
	if (r < 0)
		err_set(err, r, "cannot read the IPVS table: %s", strerror(-r));
	else
		r = delete_all(&k, &f, err);
	k.ops->close(k.kernel);
	free(f.keys);
	return r;
}

static void on_removed(void *arg, const char *what)
{
	(void)arg;
	printf("removed %s\n", what);
}

int ipvs_cleanup(const struct ipvs_config *c, struct err *err)
{
	CLEANUP(ipvs_ours_list_done) struct ipvs_ours_list known = { 0 };
	const struct ipvs_config all = with_known(c, &known);
	struct err second = { 0 };
	int r = clean_ipvs(&all, err);
	int h = ipvs_host_cleanup(c, on_removed, NULL, &second);

	if (r == 0 && h < 0) {
		*err = second;
		return h;
	}
	return r;
}
