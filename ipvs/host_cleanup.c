/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking everything of ours off the host, whether an agent runs or not: all
 * that carries our rtm_protocol or our names. Sysctls stay as they are, for
 * nobody knows who else has come to rely on them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/buf.h"
#include "agent/base/xalloc.h"
#include "ipvs/host.h"
#include "ipvs/host_paths.h"
#include "ipvs/host_probes.h"
#include "ipvs/host_proxy.h"
#include "ipvs/host_route.h"
#include "ipvs/host_rules.h"
#include "ipvs/host_set.h"
#include "ipvs/host_shown.h"
#include "ipvs/path_services.h"

struct route_list {
	struct host_route_change *v;
	size_t count;
	size_t size;
};

static void collect(void *arg, const struct host_route *route)
{
	struct route_list *list = arg;

	if (!route->ours)
		return;
	if (list->count == list->size) {
		list->size = list->size ? list->size * 2 : 64;
		list->v = xreallocarray(list->v, list->size, sizeof(*list->v));
	}
	list->v[list->count++] = (struct host_route_change){ .route = *route };
}

static int remove_routes(const struct ipvs_config *c, ipvs_host_removed_fn *removed, void *arg,
			 struct err *err)
{
	struct host_routes *routes = NULL;
	struct route_list list = { 0 };
	int r = host_routes_open(c->route_protocol, &routes, err);

	if (r < 0)
		return r;
	r = host_routes_read(routes, collect, &list);
	if (r == 0 && list.count)
		r = host_routes_change(routes, list.v, list.count);
	if (r < 0)
		err_set(err, r, "routes: %s", strerror(-r));
	for (size_t i = 0; i < list.count && r == 0; i++) {
		char line[ADDR_TEXT_MAX + 32];
		char text[ADDR_TEXT_MAX];

		snprintf(line, sizeof(line), "route %s", addr_text(&list.v[i].route.dst, text));
		if (list.v[i].error == 0)
			removed(arg, line);
	}
	free(list.v);
	host_routes_close(routes);
	return r;
}

static int plan_removal(struct host_routes *routes, struct host_proxies *proxies,
			struct host_proxy_changes *out)
{
	const struct host_links nowhere = { 0 };
	int r = host_proxies_read(routes, proxies);

	for (size_t i = 0; i < proxies->count; i++) {
		if (i == 0 || addr_cmp(&proxies->v[i - 1].addr, &proxies->v[i].addr) != 0)
			host_proxies_plan(proxies, &nowhere, &proxies->v[i].addr, false, out);
	}
	return r;
}

static int remove_proxies(const struct ipvs_config *c, ipvs_host_removed_fn *removed, void *arg,
			  struct err *err)
{
	struct host_routes *routes = NULL;
	struct host_proxies proxies = { 0 };
	struct host_proxy_changes plan = { 0 };
	int r = host_routes_open(c->route_protocol, &routes, err);

	if (r < 0)
		return r;
	r = plan_removal(routes, &proxies, &plan);
	if (r == 0 && plan.count)
		r = host_proxies_change(routes, &proxies, &plan);
	if (r < 0)
		err_set(err, r, "proxy neighbours: %s", strerror(-r));
	for (size_t i = 0; i < plan.count && r == 0; i++) {
		char name[IF_NAMESIZE] = "?";
		char text[ADDR_TEXT_MAX];
		char line[ADDR_TEXT_MAX + IF_NAMESIZE + 32];

		(void)if_indextoname(plan.v[i].proxy.link, name);
		snprintf(line, sizeof(line), "proxy neighbour %s on %s",
			 addr_text(&plan.v[i].proxy.addr, text), name);
		if (plan.v[i].error == 0)
			removed(arg, line);
	}
	host_proxy_changes_done(&plan);
	host_proxies_done(&proxies);
	host_routes_close(routes);
	return r;
}

static int remove_rules(const struct ipvs_config *c, ipvs_host_removed_fn *removed, void *arg,
			struct err *err)
{
	struct host_rules *rules = NULL;
	unsigned existed = 0;
	int r = host_rules_open(c, &rules, err);

	if (r == 0)
		r = host_rules_delete(rules, &existed, err);
	if (r == 0 && existed & HOST_TABLE_INET)
		removed(arg, "nftables table inet " HOST_RULES_TABLE);
	if (r == 0 && existed & HOST_TABLE_ARP)
		removed(arg, "nftables table arp " HOST_RULES_TABLE);
	host_rules_close(rules);
	return r;
}

typedef int table_open_fn(struct host_shown **out, struct err *err);

/* `what` is its line. */
static int remove_table(table_open_fn *open, const char *what, ipvs_host_removed_fn *removed,
			void *arg, struct err *err)
{
	struct host_shown *table = NULL;
	bool existed = false;
	int r = open(&table, err);

	if (r == 0)
		r = host_shown_delete(table, &existed, err);
	if (r == 0 && existed)
		removed(arg, what);
	host_shown_close(table);
	return r;
}

struct report {
	ipvs_host_removed_fn *removed;
	void *arg;
};

static void report_path_service(void *arg, uint32_t mark, uint8_t family)
{
	const struct report *report = arg;
	char line[64];

	snprintf(line, sizeof(line), "virtual service of the mark 0x%x (%s)", mark,
		 family == AF_INET ? "IPv4" : "IPv6");
	report->removed(report->arg, line);
}

static int remove_path_services(ipvs_host_removed_fn *removed, void *arg, struct err *err)
{
	struct report report = { removed, arg };

	return path_services_delete(report_path_service, &report, err);
}

static void report_set(void *arg, const char *name)
{
	const struct report *report = arg;
	char line[64];

	snprintf(line, sizeof(line), "ipset %s", name);
	report->removed(report->arg, line);
}

static int remove_sets(ipvs_host_removed_fn *removed, void *arg, struct err *err)
{
	struct report report = { removed, arg };
	struct host_sets *sets = NULL;
	int r = host_sets_open(&sets, err);

	if (r == 0)
		r = host_sets_destroy(sets, report_set, &report, err);
	host_sets_close(sets);
	return r;
}

int ipvs_host_cleanup(const struct ipvs_config *c, ipvs_host_removed_fn *removed, void *arg,
		      struct err *err)
{
	struct err why[7] = { 0 };
	int r[7];

	/* Routes before the rules: without the guard a VIP shows the host behind it. */
	r[0] = remove_proxies(c, removed, arg, &why[0]);
	r[1] = remove_routes(c, removed, arg, &why[1]);
	r[2] = remove_rules(c, removed, arg, &why[2]);
	r[3] = remove_sets(removed, arg, &why[3]);
	r[4] = remove_table(host_probes_open, "nftables table inet " HOST_PROBES_TABLE, removed,
			    arg, &why[4]);
	r[5] = remove_table(host_paths_open, "nftables table inet " HOST_PATHS_TABLE, removed, arg,
			    &why[5]);
	r[6] = remove_path_services(removed, arg, &why[6]);
	for (size_t i = 0; i < ARRAY_LEN(r); i++) {
		if (r[i] < 0)
			return err_set(err, r[i], "%s", why[i].text);
	}
	return 0;
}
