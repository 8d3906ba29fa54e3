/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The facts of doctor.h, from the kernel and from /proc. Each that cannot be
 * had is left unknown: half a look at a host that is ill is worth more than none.
 */
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/xalloc.h"
#include "ipvs/doctor.h"
#include "ipvs/doctor_ask.h"
#include "ipvs/host_link.h"
#include "ipvs/host_proxy.h"
#include "ipvs/host_route.h"
#include "ipvs/host_source.h"
#include "ipvs/path_services.h"
#include "ipvs/role_parts.h"

#define PROC_SYS     "/proc/sys"
#define CLIENT_MTU   1500 /* Ethernet's: few clients have more */
#define MODULES_MAX  (8u << 20)
#define SERVICES_MAX (1u << 20)

struct reading {
	const struct ipvs_config *config;
	struct doctor_facts *facts;
	struct ipvs_kernel kernel;
	struct host_routes *routes;
	struct listed {
		struct ipvs_service service;
		uint32_t dests;
	} * listed;
	size_t listed_count, listed_size;
	const struct ipvs_service *at; /* whose real servers are being read */
};

static int64_t sysctl_of(const char *name)
{
	long value;

	return host_sysctl_read(PROC_SYS, name, &value) < 0 ? DOCTOR_UNKNOWN : value;
}

/* --- the table --------------------------------------------------------------------------------- */

/* ip_vs_svc_hashkey() of net/netfilter/ipvs/ip_vs_ctl.c, but for a constant of the namespace. */
static unsigned bucket_of(const struct endpoint *key)
{
	uint32_t fold = 0, word;

	for (size_t i = 0; i < addr_len(&key->addr); i += sizeof(word)) {
		memcpy(&word, key->addr.bytes + i, sizeof(word));
		fold ^= ntohl(word);
	}
	return (key->protocol ^ fold ^ (uint32_t)key->port >> 8 ^ key->port) % DOCTOR_BUCKETS;
}

static void take_service(void *arg, const struct ipvs_service *s, uint32_t dests)
{
	struct reading *r = arg;

	r->facts->services++;
	r->facts->foreign += !ipvs_is_ours(r->config, &s->key);
	r->facts->buckets[bucket_of(&s->key)]++;
	if (r->listed_count == SERVICES_MAX)
		return;
	if (r->listed_count == r->listed_size) {
		r->listed_size = r->listed_size ? r->listed_size * 2 : 256;
		r->listed = xreallocarray(r->listed, r->listed_size, sizeof(*r->listed));
	}
	r->listed[r->listed_count++] = (struct listed){ *s, dests };
}

static void add_path(struct reading *r, const struct ipvs_dest *d)
{
	struct doctor_facts *f = r->facts;
	struct doctor_path p = { .service = r->at->key, .dest = *d };
	struct host_way way;

	if (f->path_count == DOCTOR_PATHS_MAX)
		return;
	p.routed = host_way_to(r->routes, &d->addr, &way) == 0;
	if (p.routed) {
		p.gateway = way.gateway;
		p.mtu = way.mtu;
		memcpy(p.device, way.device, sizeof(p.device));
	}
	f->paths = xreallocarray(f->paths, f->path_count + 1, sizeof(*f->paths));
	f->paths[f->path_count++] = p;
}

static void take_dest(void *arg, const struct ipvs_dest *d, uint64_t connections)
{
	struct reading *r = arg;
	struct doctor_facts *f = r->facts;

	f->dests++;
	f->connections += connections;
	if (!ipvs_is_ours(r->config, &r->at->key))
		return;
	f->has_tunnel |= d->forward == IPVS_TUNNEL;
	f->has_nat |= d->forward == IPVS_NAT;
	f->has_threshold |= d->upper > 0;
	if (d->forward == IPVS_TUNNEL || d->forward == IPVS_DIRECT)
		add_path(r, d);
}

static int read_services(struct reading *r)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	const struct ipvs_kernel *k = &r->kernel;
	int ret = 0;

	for (size_t i = 0; i < ARRAY_LEN(families) && ret >= 0; i++) {
		ret = k->ops->list_start(k->kernel, families[i]);
		while (ret >= 0 && (ret = k->ops->list_next(k->kernel, take_service, r)) > 0)
			;
	}
	for (size_t i = 0; i < r->listed_count && ret >= 0; i++) {
		r->at = &r->listed[i].service;
		r->facts->has_ipv6 |= r->at->key.addr.family == AF_INET6;
		ret = k->ops->read_dests(k->kernel, &r->at->key, r->listed[i].dests, take_dest, r);
		if (ret == -ESRCH)
			ret = 0; /* it has gone meanwhile */
	}
	return ret;
}

static int read_table(struct reading *r, struct err *err)
{
	int ret = ipvs_kernel_open(&r->kernel, err);

	if (ret == -ENOENT) {
		r->facts->no_ipvs = true;
		return 0;
	}
	if (ret < 0)
		return ret;
	if (r->kernel.ops->get_timeouts(r->kernel.kernel, &r->facts->timeouts) < 0)
		r->facts->timeouts = (struct ipvs_timeouts){ 0 };
	ret = read_services(r);
	r->kernel.ops->close(r->kernel.kernel);
	return ret < 0 ? err_set(err, ret, "cannot read the IPVS table: %s", strerror(-ret)) : 0;
}

/* --- modules, processors, programs ----------------------------------------------------------------- */

/* Whether depmod knows it, loaded or not; where there is no list, nothing is said to be missing. */
static bool is_module(const char *release, const char *name)
{
	static const char *const lists[] = { "modules.dep", "modules.builtin" };
	bool any = false, found = false;

	for (size_t i = 0; i < ARRAY_LEN(lists) && !found; i++) {
		CLEANUP(xfree_ptr) char *path = xasprintf("/lib/modules/%s/%s", release, lists[i]);
		CLEANUP(buf_done) struct buf text = { 0 };
		struct err err;

		if (file_read(path, MODULES_MAX, &text, &err) < 0)
			continue;
		any = true;
		found = strstr(buf_cstr(&text), name) != NULL;
	}
	return found || !any;
}

/* "0-63": the last of them, and one. */
static int64_t cpus_possible(void)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct err err;
	const char *last;

	if (file_read("/sys/devices/system/cpu/possible", 256, &text, &err) < 0)
		return DOCTOR_UNKNOWN;
	last = strrchr(buf_cstr(&text), '-');
	return strtoll(last ? last + 1 : buf_cstr(&text), NULL, 10) + 1;
}

static bool is_in_our_namespace(const char *pid)
{
	char path[64], ours[64] = "", its[64] = "";

	snprintf(path, sizeof(path), "/proc/%.20s/ns/net", pid);
	return readlink("/proc/self/ns/net", ours, sizeof(ours) - 1) > 0 &&
	       readlink(path, its, sizeof(its) - 1) > 0 && strcmp(ours, its) == 0;
}

/* "keepalived" of a process of that name; NULL: it is none of those that write IPVS. */
static const char *writer_of(const char *pid)
{
	static const char *const writers[] = { "keepalived", "ldirectord", "kube-router" };
	char path[64], name[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return NULL;
	if (fgets(name, sizeof(name), f))
		name[strcspn(name, "\n")] = '\0';
	fclose(f);
	for (size_t i = 0; i < ARRAY_LEN(writers); i++)
		if (strcmp(name, writers[i]) == 0 && is_in_our_namespace(pid))
			return writers[i];
	return NULL;
}

static const char *find_writer(void)
{
	DIR *d = opendir("/proc");
	const struct dirent *e;
	const char *found = NULL;

	while (d && !found && (e = readdir(d)))
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
			found = writer_of(e->d_name);
	if (d)
		closedir(d);
	return found;
}

/* --- settings ----------------------------------------------------------------------------------------- */

static void read_wanted(struct doctor_facts *f, const struct ipvs_config *c)
{
	struct host_sysctl_facts want = { .kernel = host_kernel_version(f->release),
					  .frontends = f->services,
					  .masquerade = true };
	const struct host_sysctl *wanted[HOST_SYSCTLS_MAX];

	for (size_t i = 0; i < c->vip_range_count; i++) {
		want.ipv4 |= c->vip_ranges[i].addr.family == AF_INET;
		want.ipv6 |= c->vip_ranges[i].addr.family == AF_INET6;
	}
	f->wants_ipv6 = want.ipv6;
	/* Without a service of it nothing is set for IPv6, and forwarding is not turned on lightly. */
	want.ipv6 &= f->has_ipv6;
	f->sysctl_count = host_sysctls_wanted(&want, wanted);
	for (size_t i = 0; i < f->sysctl_count; i++)
		f->sysctls[i] = (struct doctor_sysctl){ *wanted[i], sysctl_of(wanted[i]->name) };
}

/* As the kernel prints them: "22,80-90". */
static void mark_ports(const char *ranges, bool marks[static IPVS_PATHS_MAX])
{
	for (const char *at = ranges; *at >= '0' && *at <= '9'; at += *at == ',') {
		char *end;
		unsigned long first = strtoul(at, &end, 10);
		unsigned long last = *end == '-' ? strtoul(end + 1, &end, 10) : first;

		for (unsigned long i = 0; i < IPVS_PATHS_MAX; i++)
			marks[i] |= IPVS_PATH_PORT + i >= first && IPVS_PATH_PORT + i <= last;
		at = end;
	}
}

unsigned doctor_probe_ports(uint16_t first, uint16_t last, const char *reserved)
{
	bool kept[IPVS_PATHS_MAX] = { 0 };
	unsigned count = 0;

	mark_ports(reserved, kept);
	for (unsigned i = 0; i < IPVS_PATHS_MAX; i++)
		count += IPVS_PATH_PORT + i >= first && IPVS_PATH_PORT + i <= last && !kept[i];
	return count;
}

static void read_probe_ports(struct doctor_facts *f)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct err err;

	if (path_services_count(&f->probe_paths, &err) < 0 || !f->ports_first)
		return;
	if (file_read(PROC_SYS "/net/ipv4/ip_local_reserved_ports", 1 << 19, &text, &err) == 0)
		f->probe_ports = doctor_probe_ports(f->ports_first, f->ports_last, buf_cstr(&text));
}

static void read_ports(struct doctor_facts *f, const struct ipvs_config *c)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	unsigned first, last;
	struct err err;

	if (file_read(PROC_SYS "/net/ipv4/ip_local_port_range", 64, &text, &err) == 0 &&
	    sscanf(buf_cstr(&text), "%5u %5u", &first, &last) == 2) {
		f->ports_first = (uint16_t)first;
		f->ports_last = (uint16_t)last;
	}
	for (size_t i = 0; i < c->ours_count; i++) {
		const struct port_range *p = &c->ours[i].ports;

		if (!f->ours.first || p->first < f->ours.first)
			f->ours.first = p->first;
		if (p->last > f->ours.last)
			f->ours.last = p->last;
	}
}

static void read_settings(struct doctor_facts *f, const struct ipvs_config *c)
{
	long bits;

	read_wanted(f, c);
	read_ports(f, c);
	read_probe_ports(f);
	f->ipv6_off = access(PROC_SYS "/net/ipv6", F_OK) < 0 ||
		      sysctl_of("net.ipv6.conf.all.disable_ipv6") == 1;
	f->nat_icmp_send = sysctl_of("net.ipv4.vs.nat_icmp_send");
	f->tcp_keepalive_time = sysctl_of("net.ipv4.tcp_keepalive_time");
	f->conntrack_count = sysctl_of("net.netfilter.nf_conntrack_count");
	f->conntrack_max = sysctl_of("net.netfilter.nf_conntrack_max");
	f->conn_tab_bits = host_sysctl_read("/sys/module/ip_vs/parameters", "conn_tab_bits",
					    &bits) < 0
				   ? DOCTOR_UNKNOWN
				   : bits;
}

/* --- VIPs ------------------------------------------------------------------------------------------------ */

/* The interface, of any kind, that has the VIP for an address. */
static const char *owner_of(const struct ifaddrs *all, const struct addr *vip)
{
	struct addr a;

	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		if (host_link_addr(i->ifa_addr, &a) && addr_cmp(&a, vip) == 0)
			return i->ifa_name;
	}
	return NULL;
}

/* The first link on which it can be asked for. */
static const char *link_of(const struct host_links *links, const struct addr *vip)
{
	for (size_t i = 0; i < links->count; i++) {
		if (host_link_has(&links->v[i], vip))
			return links->v[i].name;
	}
	return NULL;
}

/* A device's name may hold a dot: it is not to be a part of the sysctl's. */
static int64_t of_device(const char *family, const char *device, const char *setting)
{
	char path[128];
	long value;

	snprintf(path, sizeof(path), PROC_SYS "/net/%s/conf/%s", family, device);
	return host_sysctl_read(path, setting, &value) < 0 ? DOCTOR_UNKNOWN : value;
}

/* The greater of it and that of all counts. */
static int64_t of_device_or_all(const char *family, const char *device, const char *setting)
{
	int64_t all = of_device(family, "all", setting);
	int64_t own = of_device(family, device, setting);

	return all > own ? all : own;
}

static void read_answering(struct doctor_vip *v, const struct host_proxies *proxies)
{
	unsigned link = if_nametoindex(v->device);

	v->arp_ignore = DOCTOR_UNKNOWN;
	if (v->addr.family == AF_INET) {
		v->arp_ignore = of_device_or_all("ipv4", v->device, "arp_ignore");
		return;
	}
	v->forwarding = of_device("ipv6", v->device, "forwarding");
	v->proxy_ndp = of_device_or_all("ipv6", v->device, "proxy_ndp");
	for (size_t i = 0; i < proxies->count && !v->proxied; i++)
		v->proxied = proxies->v[i].link == link &&
			     addr_cmp(&proxies->v[i].addr, &v->addr) == 0;
}

/* What this host has on its links. */
struct surroundings {
	struct ifaddrs *interfaces;
	struct host_links links;
	struct host_proxies proxies;
};

static void add_vip(struct reading *r, const struct surroundings *at, const struct addr *vip)
{
	const struct ipvs_announce *announce = &r->config->announce;
	struct doctor_facts *f = r->facts;
	struct doctor_vip v = { .addr = *vip };
	const char *device = owner_of(at->interfaces, vip);

	v.own = device != NULL;
	if (!device)
		device = link_of(&at->links, vip);
	v.silent = !v.own && !ipvs_answers_for(announce, vip);
	v.elsewhere = v.silent && announce->mode == IPVS_ANNOUNCE_OWNER;
	if (!device && !v.silent && f->off_link_count++ == 0)
		f->off_link = *vip;
	if (!device || f->vip_count == DOCTOR_VIPS_MAX)
		return;
	snprintf(v.device, sizeof(v.device), "%s", device);
	read_answering(&v, &at->proxies);
	f->vips = xreallocarray(f->vips, f->vip_count + 1, sizeof(*f->vips));
	f->vips[f->vip_count++] = v;
}

static int compare_addrs(const void *a, const void *b)
{
	return addr_cmp(a, b);
}

/* Each VIP of ours once; the caller frees. */
static struct addr *vips_of(const struct reading *r, size_t *out_count)
{
	struct addr *vips = xcalloc(r->listed_count + 1, sizeof(*vips));
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < r->listed_count; i++)
		if (ipvs_is_ours(r->config, &r->listed[i].service.key))
			vips[count++] = r->listed[i].service.key.addr;
	qsort(vips, count, sizeof(*vips), compare_addrs);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || addr_cmp(&vips[kept - 1], &vips[i]) != 0)
			vips[kept++] = vips[i];
	*out_count = kept;
	return vips;
}

static void read_vips(struct reading *r)
{
	struct surroundings at = { 0 };
	size_t count;
	CLEANUP(xfree_ptr) struct addr *vips = vips_of(r, &count);

	if (getifaddrs(&at.interfaces) < 0)
		return;
	/* What cannot be read is as good as not there. */
	if (host_links_read(&at.links) < 0)
		host_links_done(&at.links);
	if (host_proxies_read(r->routes, &at.proxies) < 0)
		host_proxies_done(&at.proxies);
	for (size_t i = 0; i < count; i++)
		add_vip(r, &at, &vips[i]);
	host_proxies_done(&at.proxies);
	host_links_done(&at.links);
	freeifaddrs(at.interfaces);
}

/* --- all of it ------------------------------------------------------------------------------------------------- */

static void read_names(struct doctor_facts *f)
{
	struct utsname u;

	if (uname(&u) < 0)
		return;
	snprintf(f->release, sizeof(f->release), "%s", u.release);
	snprintf(f->version, sizeof(f->version), "%s", u.version);
}

static const char *find_rival(struct host_routes *routes)
{
	static const char *const devices[] = { "kube-ipvs0", "kube-dummy-if" };

	for (size_t i = 0; i < ARRAY_LEN(devices); i++)
		if (host_has_device(routes, devices[i]))
			return devices[i];
	return NULL;
}

/* What cannot be found out is not held against it: the agent asks as well, and keeps checks tracked. */
static void read_sources(struct reading *r)
{
	for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++) {
		const struct addr *from = &r->config->probes_from[i];
		bool picked;

		if (from->family && host_source_picked(r->routes, from, NULL, 0, &picked) == 0 &&
		    picked)
			r->facts->picked[i] = *from;
	}
}

static int read_all(struct reading *r, struct err *err)
{
	struct doctor_facts *f = r->facts;
	int ret = host_routes_open(r->config->route_protocol, &r->routes, err);

	if (ret == 0)
		ret = read_table(r, err);
	if (ret < 0)
		return ret;
	read_settings(f, r->config);
	f->no_mh = !is_module(f->release, "/ip_vs_mh.ko");
	f->ftp = access("/sys/module/ip_vs_ftp", F_OK) == 0;
	f->cpus_possible = cpus_possible();
	f->rival = find_rival(r->routes);
	f->writer = find_writer();
	read_sources(r);
	read_vips(r);
	doctor_ask(f);
	return 0;
}

int doctor_read(const struct ipvs_config *c, struct doctor_facts *out, struct err *err)
{
	struct reading r = { .config = c, .facts = out };
	int ret;

	*out = (struct doctor_facts){ .client_mtu = CLIENT_MTU };
	read_names(out);
	ret = read_all(&r, err);
	host_routes_close(r.routes);
	free(r.listed);
	return ret;
}

void doctor_facts_done(struct doctor_facts *f)
{
	free(f->paths);
	free(f->vips);
	*f = (struct doctor_facts){ 0 };
}
