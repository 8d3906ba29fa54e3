/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the host: what is there becomes known to the model. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "ipvs/host_state.h"

#define READ_TRIES 5 /* a table that somebody writes to meanwhile is read again */

void host_tell(struct ipvs_host *h, enum log_level level, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX + 100];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	h->event(h->arg, level, text);
}

/* The first failure is the one that is told. */
void host_keep_first(struct err *first, int r, const struct err *why)
{
	if (r < 0 && first->code == 0) {
		*first = *why;
		first->code = r;
	}
}

int host_first(const struct err *first, struct err *err)
{
	if (first->code && err)
		*err = *first;
	return first->code;
}

const struct addr *host_source_of(const struct ipvs_host *h, const struct addr *dst)
{
	return dst->family == AF_INET ? &h->source_v4 : &h->source_v6;
}

static void saw_address(void *arg, const struct addr *a)
{
	struct ipvs_host *h = arg;

	host_model_configured(&h->model, a);
}

static void saw_route(void *arg, const struct host_route *route)
{
	struct ipvs_host *h = arg;
	struct endpoint key = { .addr = route->dst };
	const struct addr *source = host_source_of(h, &route->dst);

	if (!route->ours) {
		host_model_saw_foreign_route(&h->model, &route->dst);
		return;
	}
	host_model_saw(&h->model, HOST_ROUTE, &key, addr_cmp(source, &route->source) == 0);
}

static int read_addresses(struct ipvs_host *h)
{
	int r = -EINTR;

	for (int i = 0; r == -EINTR && i < READ_TRIES; i++) {
		host_model_configured_begin(&h->model);
		r = host_addresses_read(h->routes, saw_address, h);
	}
	host_model_configured_end(&h->model);
	return r;
}

static struct addr usable_source(struct ipvs_host *h, const struct addr *node)
{
	char text[ADDR_TEXT_MAX];

	if (node->family == 0 || host_model_is_configured(&h->model, node))
		return *node;
	if (!h->source_complained)
		host_tell(h, LOG_LEVEL_WARNING,
			  "nodeAddress %s is not on any interface: VIP routes go without it",
			  addr_text(node, text));
	h->source_complained = true;
	return (struct addr){ 0 };
}

static int read_routes(struct ipvs_host *h, struct err *err)
{
	int r = read_addresses(h);

	if (r < 0)
		return err_set(err, r, "reading addresses: %s", strerror(-r));
	h->source_v4 = usable_source(h, &h->config->node_v4);
	h->source_v6 = usable_source(h, &h->config->node_v6);
	r = -EINTR;
	for (int i = 0; r == -EINTR && i < READ_TRIES; i++) {
		host_model_forget(&h->model, HOST_ROUTE);
		r = host_routes_read(h->routes, saw_route, h);
	}
	return r < 0 ? err_set(err, r, "reading routes: %s", strerror(-r)) : 0;
}

bool host_read_links(struct ipvs_host *h, struct host_links *out_before)
{
	struct host_links now;
	int r = host_links_read(&now);

	*out_before = (struct host_links){ 0 };
	if (r < 0) {
		host_tell(h, LOG_LEVEL_WARNING, "reading interfaces: %s", strerror(-r));
		return false;
	}
	*out_before = h->links;
	h->links = now;
	return true;
}

static void saw_element(void *arg, enum host_part part, const struct endpoint *key)
{
	struct ipvs_host *h = arg;

	host_model_saw(&h->model, part, key, true);
}

void host_rules_forget(struct host_model *m)
{
	for (unsigned part = 0; part < HOST_PARTS; part++) {
		if (host_rules_has(part))
			host_model_forget(m, part);
	}
}

static int read_rules(struct ipvs_host *h, struct err *err)
{
	bool changed = host_watch_rules_changed(h->watch);
	int r;

	/* Chains and rules only when the kernel says that something changed: it takes long to list. */
	h->probes_right = h->probes_right && !changed;
	h->paths_right = h->paths_right && !changed;
	if (changed || !h->rules_right) {
		h->rules_right = false;
		r = host_rules_check(h->rules, &h->rules_right, err);
		if (r < 0)
			return r;
	}
	r = -EINTR;
	for (int i = 0; r == -EINTR && i < READ_TRIES; i++) {
		host_rules_forget(&h->model);
		r = host_rules_read(h->rules, saw_element, h);
	}
	/* A table that cannot be read is going to be replaced. */
	if (r < 0)
		h->rules_right = false;
	return 0;
}

static void saw_entry(void *arg, const struct endpoint *key)
{
	struct ipvs_host *h = arg;

	host_model_saw(&h->model, HOST_DECLARED, key, true);
}

/* How many entries are there as far as we know. */
static size_t declared_count(const struct ipvs_host *h)
{
	struct host_changes c = { 0 };
	size_t count;

	host_model_all(&h->model, HOST_DECLARED, false, &c);
	count = c.count;
	host_changes_done(&c);
	return count;
}

/*
 * Whole where `all`; else only where the number of entries is not the one we know: nothing of ours
 * depends on them, and reading tens of thousands takes time.
 */
static int read_sets(struct ipvs_host *h, bool all)
{
	struct err why = { 0 };
	unsigned made = 0;
	size_t count = 0;
	int r = host_sets_make(h->sets, &made, &why);

	h->sets_there = r == 0;
	if (r < 0) {
		if (!h->sets_complained)
			host_tell(h, LOG_LEVEL_WARNING, "the sets of ipset are not kept up: %s",
				  why.text);
		h->sets_complained = true;
		return 0;
	}
	h->writes += made;
	r = host_sets_count(h->sets, &count);
	if (r == 0 && (all || count != declared_count(h))) {
		host_model_forget(&h->model, HOST_DECLARED);
		if (count)
			r = host_sets_read(h->sets, saw_entry, h);
	}
	h->sets_there = r == 0;
	return r;
}

int host_read_all(struct ipvs_host *h, bool sets_whole, struct err *err)
{
	struct err first = { 0 };
	struct err why = { 0 };

	host_keep_first(&first, read_routes(h, &why), &why);
	host_keep_first(&first, read_rules(h, &why), &why);
	host_keep_first(&first, host_answer_read(h, &why), &why);
	(void)read_sets(h, sets_whole);
	return host_first(&first, err);
}
