/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Neighbours that ask for an IPv6 VIP by neighbour solicitation are answered by
 * the kernel where it has a proxy neighbour for it. To make one takes the kernel
 * the longer the more there are, with the lock of all interfaces held, and tells
 * the link's switches of a group that is joined: so not too many are made at a
 * time, and the others soon after.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "ipvs/host_state.h"

#define READ_TRIES   5	 /* what somebody writes to meanwhile is read again */
#define VIPS_AT_ONCE 128 /* whose proxy neighbours are made */

/* --- reading --- */

/* Each VIP with proxy neighbours of ours is known by them. */
static void take_proxies(struct ipvs_host *h)
{
	const struct host_proxies *p = &h->proxies;

	host_model_forget(&h->model, HOST_PROXY);
	for (size_t i = 0; i < p->count; i++) {
		struct host_proxy_changes plan = { 0 };
		struct endpoint key = { .addr = p->v[i].addr };

		if (!p->v[i].ours)
			continue;
		host_proxies_plan(p, &h->links, &key.addr, true, &plan);
		host_model_saw(&h->model, HOST_PROXY, &key, plan.count == 0);
		host_proxy_changes_done(&plan);
	}
}

static int read_proxies(struct ipvs_host *h, struct err *err)
{
	struct host_proxies now = { 0 };
	int r = -EINTR;

	for (int i = 0; r == -EINTR && i < READ_TRIES; i++)
		r = host_proxies_read(h->routes, &now);
	if (r < 0)
		return err_set(err, r, "reading proxy neighbours: %s", strerror(-r));
	host_proxies_done(&h->proxies);
	h->proxies = now;
	return 0;
}

int host_answer_read(struct ipvs_host *h, struct err *err)
{
	int r = read_proxies(h, err);

	if (r == 0)
		take_proxies(h);
	return r;
}

/* --- writing --- */

static int take_answers(struct ipvs_host *h, const struct host_proxy_changes *c, struct err *err)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct host_link *l = host_links_find(&h->links, c->v[i].proxy.link);
		char text[ADDR_TEXT_MAX];

		/* An interface that went took its own along. */
		if (c->v[i].error == 0 || !l || c->v[i].error == -ENODEV)
			continue;
		return err_set(err, c->v[i].error, "%s the proxy neighbour %s on %s: %s",
			       c->v[i].add ? "adding" : "removing",
			       addr_text(&c->v[i].proxy.addr, text), l->name,
			       strerror(-c->v[i].error));
	}
	return 0;
}

/* Those of the changes up to `end` are in `plan`. */
static int write_plan(struct ipvs_host *h, const struct host_changes *c, size_t end, bool add,
		      struct host_proxy_changes *plan, struct err *err)
{
	int r;

	h->writes += plan->count;
	r = host_proxies_change(h->routes, &h->proxies, plan);
	if (r < 0)
		return err_set(err, r, "writing proxy neighbours: %s", strerror(-r));
	for (size_t i = 0; i < end; i++) {
		if (c->v[i].part == HOST_PROXY && c->v[i].add == add)
			host_model_made(&h->model, &c->v[i]);
	}
	return take_answers(h, plan, err);
}

/* Of as many as are made at a time. Returns where the changes go on; *out_vips: how many have a part. */
static size_t make_plan(const struct ipvs_host *h, const struct host_changes *c, bool add,
			struct host_proxy_changes *plan, size_t *out_vips)
{
	size_t end;

	*out_vips = 0;
	for (end = 0; end < c->count && !(add && *out_vips == VIPS_AT_ONCE); end++) {
		if (c->v[end].part != HOST_PROXY || c->v[end].add != add)
			continue;
		host_proxies_plan(&h->proxies, &h->links, &c->v[end].key.addr, add, plan);
		++*out_vips;
	}
	return end;
}

int host_answer_write(struct ipvs_host *h, const struct host_changes *c, bool add, bool *out_more,
		      struct err *err)
{
	struct host_proxy_changes plan = { 0 };
	size_t vips = 0;
	size_t end = make_plan(h, c, add, &plan, &vips);
	int r = 0;

	/* Nobody told us what others made or took since we read: theirs must stay theirs. */
	if (plan.count) {
		host_proxy_changes_done(&plan);
		r = read_proxies(h, err);
		if (r == 0)
			end = make_plan(h, c, add, &plan, &vips);
	}
	if (r == 0 && vips)
		r = write_plan(h, c, end, add, &plan, err);
	for (; end < c->count; end++) {
		if (c->v[end].part != HOST_PROXY || c->v[end].add != add)
			continue;
		host_model_touch(&h->model, &c->v[end].key.addr);
		*out_more = true;
	}
	if (add && vips)
		host_answer_sysctls(h);
	host_proxy_changes_done(&plan);
	return r;
}

void host_answer_sysctls(struct ipvs_host *h)
{
	for (size_t i = 0; i < h->links.count; i++) {
		if (host_proxies_on(&h->proxies, h->links.v[i].index))
			h->writes += host_sysctls_answer(h->sysctls, h->links.v[i].name);
	}
}
