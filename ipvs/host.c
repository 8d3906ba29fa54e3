/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of writing is one in which a VIP never shows the host behind it:
 * what is new gets its rules before its route, what goes loses its route
 * before its rules. Neighbours are answered last, and not any more first.
 *
 * Each part is on its own. One that fails is told and tried again by the next
 * ipvs_host_sync(); the others go on.
 */
#include "ipvs/host.h"

#include <errno.h>
#include <malloc.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "agent/base/xalloc.h"
#include "ipvs/host_module.h"
#include "ipvs/host_source.h"
#include "ipvs/host_state.h"

#define MANY	      1024 /* changes at a time, after which memory goes back to the kernel */
#define MORE_AFTER_MS 20   /* that what was left is written */

/* --- writing --- */

static void saw_advertised(void *arg, unsigned ifindex)
{
	struct ipvs_host *h = arg;
	char name[IF_NAMESIZE];

	if (!h->ipv6_held && if_indextoname(ifindex, name))
		h->ipv6_held = host_sysctls_forwarding_hurts(h->sysctls, name);
}

static void write_sysctls(struct ipvs_host *h, bool again)
{
	const struct host_model *m = &h->model;

	if (m->wanted_v6 && (again || !h->ipv6_asked)) {
		h->ipv6_asked = true;
		h->ipv6_held = false;
		/* Where it cannot be read there is no IPv6. */
		if (host_advertised_read(h->routes, saw_advertised, h) < 0)
			h->ipv6_held = true;
	}

	struct host_sysctl_facts facts = {
		.kernel = h->kernel,
		.frontends = m->wanted,
		.ipv4 = m->wanted > m->wanted_v6,
		.ipv6 = m->wanted_v6 > 0 && !h->ipv6_held,
		.masquerade = m->wanted_masquerade > 0,
	};

	h->writes += host_sysctls_apply(h->sysctls, &facts, again);
	host_sysctls_hints(h->sysctls, &facts);
}

static void put_route(struct host_route_change *out, const struct ipvs_host *h,
		      const struct host_change *c, bool add)
{
	*out = (struct host_route_change){ .add = add };
	out->route.dst = c->key.addr;
	if (add)
		out->route.source = *host_source_of(h, &c->key.addr);
}

/* One answer of the kernel. The change is done, or somebody else's route does as well, or not. */
static int take_route_answer(struct ipvs_host *h, const struct host_route_change *done,
			     struct err *err)
{
	struct host_change c = { .key.addr = done->route.dst, .part = HOST_ROUTE };
	char text[ADDR_TEXT_MAX];

	c.add = done->add;
	addr_text(&done->route.dst, text);
	if (done->error == 0 || (!done->add && done->error == -ESRCH)) {
		host_model_made(&h->model, &c);
		return 0;
	}
	if (done->add && done->error == -EEXIST) {
		host_model_saw_foreign_route(&h->model, &done->route.dst);
		host_tell(h, LOG_LEVEL_INFO, "%s has a local route of somebody else, which is left",
			  text);
		return 0;
	}
	if (done->error == -ENETDOWN)
		return err_set(err, done->error, "no route for %s: the interface lo is down", text);
	return err_set(err, done->error, "%s the route of %s: %s",
		       done->add ? "adding" : "removing", text, strerror(-done->error));
}

static int write_routes(struct ipvs_host *h, const struct host_changes *c, bool add,
			struct err *err)
{
	CLEANUP(xfree_ptr)
	struct host_route_change *routes = xcalloc(c->count * 2 + 1, sizeof(*routes));
	struct err first = { 0 };
	struct err why = { 0 };
	size_t count = 0;
	int r;

	for (size_t i = 0; i < c->count; i++) {
		if (c->v[i].part != HOST_ROUTE || c->v[i].add != add)
			continue;
		if (c->v[i].replace)
			put_route(&routes[count++], h, &c->v[i], false);
		put_route(&routes[count++], h, &c->v[i], add);
	}
	if (count == 0)
		return 0;
	h->writes += count;
	r = host_routes_change(h->routes, routes, count);
	if (r < 0)
		return err_set(err, r, "writing routes: %s", strerror(-r));
	for (size_t i = 0; i < count; i++)
		host_keep_first(&first, take_route_answer(h, &routes[i], &why), &why);
	return host_first(&first, err);
}

/* What is removed because nobody wants it. */
enum surplus {
	SURPLUS_KEEP,	 /* nothing: it may be wanted as soon as core has told all */
	SURPLUS_TOUCHED, /* what was wanted until now */
	SURPLUS_REMOVE,	 /* all */
};

static int replace_rules(struct ipvs_host *h, enum surplus surplus, struct err *err)
{
	bool prune = surplus == SURPLUS_REMOVE;
	struct host_changes all = { 0 };
	int r;

	for (unsigned part = 0; part < HOST_PARTS; part++) {
		if (host_rules_has(part))
			host_model_all(&h->model, part, prune, &all);
	}
	r = host_rules_replace(h->rules, all.v, all.count, err);
	h->writes++;
	h->rules_right = r == 0;
	host_rules_forget(&h->model);
	for (size_t i = 0; i < all.count && r == 0; i++)
		host_model_made(&h->model, &all.v[i]);
	host_changes_done(&all);
	return r;
}

/* In one transaction; where that fails, our picture was wrong and the table is written anew. */
static int change_rules(struct ipvs_host *h, const struct host_changes *c, enum surplus surplus,
			struct err *err)
{
	int r;

	if (!h->rules_right)
		return replace_rules(h, surplus, err);
	r = host_rules_change(h->rules, c->v, c->count, err);
	h->writes++;
	if (r < 0) {
		host_tell(h, LOG_LEVEL_WARNING, "the nftables table is written anew: %s",
			  err->text);
		return replace_rules(h, surplus, err);
	}
	for (size_t i = 0; i < c->count; i++) {
		if (host_rules_has(c->v[i].part))
			host_model_made(&h->model, &c->v[i]);
	}
	return 0;
}

/* What is written between the two is not heard of. */
static int begin_writing(struct ipvs_host *h, uint32_t *out_before, struct err *err)
{
	int r = host_rules_generation(h->rules, out_before);

	if (r < 0)
		return err_set(err, r, "nftables: %s", strerror(-r));
	host_watch_rules_pause(h->watch);
	return 0;
}

static void end_writing(struct ipvs_host *h, uint32_t before)
{
	uint32_t after = 0;

	host_watch_rules_resume(h->watch);
	/* At most one is ours: somebody else wrote while we did not listen. */
	if (host_rules_generation(h->rules, &after) < 0 || after - before > 1)
		host_watch_rules_trigger(h->watch);
}

static int write_rules(struct ipvs_host *h, const struct host_changes *c, enum surplus surplus,
		       struct err *err)
{
	bool any = !h->rules_right;
	uint32_t before = 0;
	int r;

	for (size_t i = 0; i < c->count && !any; i++)
		any = host_rules_has(c->v[i].part);
	if (!any)
		return 0;
	r = begin_writing(h, &before, err);
	if (r < 0)
		return r;
	r = change_rules(h, c, surplus, err);
	end_writing(h, before);
	return r;
}

/* A family whose address the kernel picks by itself is kept out of it. */
static int judge_sources(struct ipvs_host *h, struct err *err)
{
	struct err first = { 0 };
	struct err why = { 0 };

	for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++) {
		struct ipvs_notrack_part *p = &h->notrack.parts[i];
		bool picked = false;
		int r = 0;

		if (p->mode == IPVS_NOTRACK_NONE || p->mode == IPVS_NOTRACK_PICKED)
			continue;
		r = host_source_picked(h->routes, &h->config->probes_from[i], p->servers, p->count,
				       &picked);
		if (r < 0)
			r = err_set(&why, r, "reading addresses and routes: %s", strerror(-r));
		host_keep_first(&first, r, &why);
		if (!picked)
			continue;
		*p = (struct ipvs_notrack_part){ .mode = IPVS_NOTRACK_PICKED };
		h->probes_right = false;
	}
	return host_first(&first, err);
}

int host_write_table(struct ipvs_host *h, struct host_shown *table, const char *text,
		     bool *out_right, struct err *err)
{
	uint32_t before = 0;
	bool wrote = false;
	int r;

	r = begin_writing(h, &before, err);
	if (r < 0)
		return r;
	r = host_shown_make(table, text, &wrote, err);
	end_writing(h, before);
	h->writes += wrote;
	*out_right = r == 0;
	return r;
}

static int write_probes(struct ipvs_host *h, struct err *err)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	if (h->probes_right)
		return 0;
	host_probes_text(h->config, &h->notrack, &text);
	return host_write_table(h, h->probe_table, buf_cstr(&text), &h->probes_right, err);
}

static void write_sets(struct ipvs_host *h, const struct host_changes *c)
{
	struct err why = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < c->count; i++)
		count += c->v[i].part == HOST_DECLARED;
	if (count == 0 || !h->sets_there)
		return;
	h->writes += count;
	if (host_sets_change(h->sets, c->v, c->count, &why) < 0) {
		host_tell(h, LOG_LEVEL_WARNING, "the sets of ipset are read again: %s", why.text);
		h->sets_there = false;
		return;
	}
	for (size_t i = 0; i < c->count; i++) {
		if (c->v[i].part == HOST_DECLARED)
			host_model_made(&h->model, &c->v[i]);
	}
}

static void on_more(void *arg);

/* Writes what differs of what was touched; what is too much now, soon. */
static int settle(struct ipvs_host *h, enum surplus surplus, struct err *err)
{
	struct host_changes c = { 0 };
	struct err first = { 0 };
	struct err why = { 0 };
	bool more = false;

	host_model_diff(&h->model, surplus != SURPLUS_KEEP, &c);
	host_keep_first(&first, host_answer_write(h, &c, false, &more, &why), &why);
	host_keep_first(&first, write_routes(h, &c, false, &why), &why);
	host_keep_first(&first, write_rules(h, &c, surplus, &why), &why);
	host_keep_first(&first, write_probes(h, &why), &why);
	host_keep_first(&first, write_routes(h, &c, true, &why), &why);
	host_keep_first(&first, host_answer_write(h, &c, true, &more, &why), &why);
	write_sets(h, &c);
	if (more && !h->more)
		h->more = loop_timer_in(h->loop, MORE_AFTER_MS, on_more, h);
	/* What libnftables and libipset took for it goes back to the kernel. */
	if (c.count > MANY)
		malloc_trim(0);
	host_changes_done(&c);
	return host_first(&first, err);
}

static void on_more(void *arg)
{
	struct ipvs_host *h = arg;
	struct err err = { 0 };

	h->more = 0;
	/* The next sync finds what is missing, and tells of it. */
	if (settle(h, SURPLUS_KEEP, &err) < 0)
		h->changed(h->arg);
	host_tell_fresh(h);
}

/* --- the interface --- */

static void on_changed(void *arg)
{
	struct ipvs_host *h = arg;

	h->changed(h->arg);
}

static void on_sysctl(void *arg, enum log_level level, const char *text)
{
	struct ipvs_host *h = arg;

	h->event(h->arg, level, text);
}

static uint32_t running_kernel(void)
{
	struct utsname u;

	return uname(&u) == 0 ? host_kernel_version(u.release) : 0;
}

static int open_parts(struct ipvs_host *h, struct err *err)
{
	int r = host_routes_open(h->config->route_protocol, &h->routes, err);

	if (r == 0)
		r = host_rules_open(h->config, &h->rules, err);
	if (r == 0)
		r = host_probes_open(&h->probe_table, err);
	if (r == 0)
		r = host_via_open(h, err);
	if (r == 0)
		r = host_sets_open(&h->sets, err);
	return r;
}

int ipvs_host_new(struct loop *l, const struct ipvs_config *c, ipvs_host_event_fn *event,
		  ipvs_host_changed_fn *changed, void *arg, struct ipvs_host **out, struct err *err)
{
	struct ipvs_host *h = xcalloc(1, sizeof(*h));
	struct host_links before;
	struct err why = { 0 };
	int r;

	h->loop = l;
	h->config = c;
	h->event = event;
	h->changed = changed;
	h->arg = arg;
	h->kernel = running_kernel();
	host_model_init(&h->model, &c->announce);
	h->model.links = &h->links;
	h->sysctls = host_sysctls_new("/proc/sys", on_sysctl, h);
	host_module_load();
	r = open_parts(h, err);
	if (r == 0)
		r = host_watch_new(l, host_routes_port(h->routes), HOST_RULES_TABLE, on_changed, h,
				   &h->watch, err);
	if (r < 0) {
		ipvs_host_free(h);
		return r;
	}
	/* What cannot be read now is read by the next sync, and what is there stays there. */
	(void)host_read_links(h, &before);
	if (host_read_all(h, true, &why) < 0)
		host_tell(h, LOG_LEVEL_WARNING, "%s", why.text);
	if (host_probes_read(h->probe_table, h->config, &h->notrack, &why) < 0 ||
	    judge_sources(h, &why) < 0 || write_probes(h, &why) < 0)
		host_tell(h, LOG_LEVEL_WARNING, "%s", why.text);
	host_model_adopt(&h->model);
	host_tell_open(h);
	write_sysctls(h, false);
	*out = h;
	return 0;
}

void ipvs_host_free(struct ipvs_host *h)
{
	if (!h)
		return;
	host_watch_free(h->watch);
	loop_cancel(h->loop, h->more);
	host_tell_close(h);
	host_links_done(&h->links);
	host_proxies_done(&h->proxies);
	host_sysctls_free(h->sysctls);
	host_sets_close(h->sets);
	host_via_close(h);
	host_shown_close(h->probe_table);
	host_rules_close(h->rules);
	host_routes_close(h->routes);
	host_model_done(&h->model);
	free(h);
}

int ipvs_host_add(struct ipvs_host *h, const struct ipvs_frontend *f, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++)
		host_model_want(&h->model, &f[i].key, f[i].masquerade);
	write_sysctls(h, false);
	return settle(h, SURPLUS_KEEP, err);
}

int ipvs_host_remove(struct ipvs_host *h, const struct endpoint *keys, size_t count,
		     struct err *err)
{
	int r;

	for (size_t i = 0; i < count; i++)
		host_model_unwant(&h->model, &keys[i]);
	r = settle(h, SURPLUS_TOUCHED, err);
	host_model_sweep(&h->model);
	return r;
}

int ipvs_host_served(struct ipvs_host *h, struct err *err)
{
	int r;

	/* With another one nobody waits for IPVS. */
	if (h->config->announce.mode != IPVS_ANNOUNCE_OWNER)
		return 0;
	host_model_serve(&h->model);
	r = settle(h, SURPLUS_KEEP, err);
	host_tell_fresh(h);
	return r;
}

int ipvs_host_sync(struct ipvs_host *h, bool prune, uint64_t *out_repairs, struct err *err)
{
	uint64_t writes = h->writes;
	struct host_links before;
	struct err first = { 0 };
	struct err why = { 0 };
	bool links_read = host_read_links(h, &before);

	host_keep_first(&first, host_read_all(h, false, &why), &why);
	write_sysctls(h, true);
	host_answer_sysctls(h);
	host_model_touch_all(&h->model);
	host_keep_first(&first, judge_sources(h, &why), &why);
	host_keep_first(&first, host_via_write(h, &why), &why);
	host_keep_first(&first, settle(h, prune ? SURPLUS_REMOVE : SURPLUS_KEEP, &why), &why);
	host_model_sweep(&h->model);
	host_tell_fresh(h); /* first: what a link is told of all VIPs counts as told */
	if (links_read)
		host_tell_links(h, &before);
	host_links_done(&before);
	*out_repairs = h->writes - writes;
	return host_first(&first, err);
}

void ipvs_host_ours_changed(struct ipvs_host *h)
{
	h->rules_right = false;
}

int ipvs_host_notrack(struct ipvs_host *h, const struct ipvs_notrack *n, struct err *err)
{
	struct err first = { 0 };
	struct err why = { 0 };

	h->notrack = *n;
	for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++) {
		if (!h->config->probes_from[i].family || n->parts[i].mode == IPVS_NOTRACK_PICKED)
			h->notrack.parts[i] = (struct ipvs_notrack_part){ 0 };
	}
	h->probes_right = false;
	host_keep_first(&first, judge_sources(h, &why), &why);
	host_keep_first(&first, write_probes(h, &why), &why);
	return host_first(&first, err);
}

bool ipvs_host_notrack_now(const struct ipvs_host *h, struct ipvs_notrack *out)
{
	if (h->probes_right)
		*out = h->notrack;
	return h->probes_right;
}

bool ipvs_host_has_device(struct ipvs_host *h, const char *name)
{
	return host_has_device(h->routes, name);
}

int ipvs_host_hold_connections(struct ipvs_host *h, bool hold)
{
	unsigned written = 0;
	int r = host_sysctls_hold_connections(h->sysctls, hold, &written);

	h->writes += written;
	return r;
}

uint64_t ipvs_host_writes(const struct ipvs_host *h)
{
	return h->writes;
}
