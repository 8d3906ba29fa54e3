/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules of doctor.h. */
#include "ipvs/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "ipvs/release.h"

#define LONG_CHAIN	  1024 /* services in one bucket that are too many to walk at each packet */
#define FULL_PERCENT	  80
#define PROBES_PERCENT	  50 /* of what can be tracked; the rest is for clients */
#define PROBE_TRACKED_S	  10
#define CHAIN_CONNECTIONS 4 /* a bucket of connections, on average */
#define KEEPALIVE_SPARE_S 60
#define STATS_BYTES	  40 /* each counter, for each possible CPU */
#define STATS_MB_MAX	  512

struct judge {
	const struct doctor_facts *f;
	doctor_finding_fn *fn;
	void *arg;
};

const char *doctor_grade_text(enum doctor_grade g)
{
	static const char *const texts[] = { "note", "warning", "error" };

	return texts[g];
}

/* fmt is what is the matter. */
static void find(const struct judge *j, enum doctor_grade grade, const char *check, const char *fix,
		 const char *fmt, ...) PRINTF_LIKE(5, 6);
static void find(const struct judge *j, enum doctor_grade grade, const char *check, const char *fix,
		 const char *fmt, ...)
{
	char text[500];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	j->fn(j->arg, &(struct doctor_finding){ grade, check, text, fix });
}

/* --- the kernel ------------------------------------------------------------------------------ */

static bool always(const struct doctor_facts *f)
{
	(void)f;
	return true;
}

static bool if_tunnel(const struct doctor_facts *f)
{
	return f->has_tunnel;
}

static bool if_threshold(const struct doctor_facts *f)
{
	return f->has_threshold;
}

static bool unless_threshold(const struct doctor_facts *f)
{
	return !f->has_threshold;
}

static bool if_ipv6(const struct doctor_facts *f)
{
	return f->has_ipv6;
}

/* By the changelogs of Debian's linux 6.1 and 6.12, which carry those of the stable branches. */
static const struct bug {
	struct kernel_fix fix;
	bool (*when)(const struct doctor_facts *f);
	enum doctor_grade grade;
	const char *text;
} bugs[] = {
	{ { 192, 115 },
	  always,
	  DOCTOR_WARNING,
	  "packets from outside can make IPVS read beyond their end (CVE-2026-74747, "
	  "CVE-2026-68476)" },
	{ { 192, 85 },
	  always,
	  DOCTOR_WARNING,
	  "a device towards real servers that goes down under load is never freed "
	  "(CVE-2026-45917)" },
	{ KERNEL_LIMITS_FIX, if_threshold, DOCTOR_ERROR,
	  "connection limits race: a server can stay marked as overloaded" },
	{ KERNEL_LIMITS_FIX, unless_threshold, DOCTOR_NOTE,
	  "connection limits race: max-connections of pools is not used" },
	{ { 180, 100 },
	  if_tunnel,
	  DOCTOR_WARNING,
	  "tunnels to real servers lose large packets or their throughput" },
	{ { 180, 100 },
	  if_ipv6,
	  DOCTOR_WARNING,
	  "IPv6 packets with extension headers are dropped (CVE-2026-45850)" },
	{ { 176, 94 },
	  always,
	  DOCTOR_WARNING,
	  "changing the scheduler of a service under load uses memory that is freed "
	  "(CVE-2026-53270)" },
	{ { 162, 69 },
	  always,
	  DOCTOR_WARNING,
	  "a client on this host crashes the kernel while a real server has no route "
	  "(CVE-2025-68813)" },
};

static void judge_kernel(const struct judge *j)
{
	const struct doctor_facts *f = j->f;
	struct kernel_release k;
	bool known = kernel_release_of(f->release, f->version, &k);

	for (size_t i = 0; known && i < ARRAY_LEN(bugs); i++) {
		const struct bug *b = &bugs[i];
		unsigned first = kernel_lacks(&k, &b->fix);

		if (first && b->when(f))
			find(j, b->grade, "kernel",
			     "install the newest kernel of this branch, and boot it",
			     "Linux %u.%u.%u: %s; mended in %u.%u.%u", k.major, k.minor, k.patch,
			     b->text, k.major, k.minor, first);
	}
	if (!(known && k.major == 6 && (k.minor == 1 || k.minor == 12)) &&
	    host_kernel_version(f->release) < KERNEL_VERSION_OF(7, 1))
		find(j, DOCTOR_NOTE, "kernel", "",
		     "which bugs of IPVS Linux %s has is not known here: keep it up to date",
		     f->release);
}

static void judge_modules(const struct judge *j)
{
	const struct doctor_facts *f = j->f;

	if (f->no_ipvs)
		find(j, DOCTOR_ERROR, "module",
		     "install the kernel's package that has ip_vs (on Debian linux-image-amd64)",
		     "this kernel has no IPVS, and no module of it to load");
	else if (f->no_mh)
		find(j, DOCTOR_WARNING, "module",
		     "install the package that has the kernel's other modules",
		     "there is no module ip_vs_mh: pools with scheduler mh cannot be served");
	if (f->ftp)
		find(j, DOCTOR_WARNING, "module", "rmmod ip_vs_ftp, and keep it from being loaded",
		     "ip_vs_ftp is loaded: it looks into payloads, and had holes");
}

/* Before 7.1 a service's chain is walked for each new connection. */
static void judge_buckets(const struct judge *j)
{
	const struct doctor_facts *f = j->f;
	uint32_t longest = 0;

	if (host_kernel_version(f->release) >= KERNEL_VERSION_OF(7, 1))
		return;
	for (size_t i = 0; i < DOCTOR_BUCKETS; i++)
		longest = f->buckets[i] > longest ? f->buckets[i] : longest;
	if (longest > LONG_CHAIN && longest / 4 > f->services / DOCTOR_BUCKETS)
		find(j, DOCTOR_WARNING, "buckets",
		     "give services ports of their own, or addresses that differ in their last "
		     "byte",
		     "%u of %u virtual services share one of %d hash buckets, which is walked for "
		     "each new connection",
		     longest, f->services, DOCTOR_BUCKETS);
}

static void judge_connections(const struct judge *j)
{
	const struct doctor_facts *f = j->f;

	if (f->conn_tab_bits == DOCTOR_UNKNOWN || f->conn_tab_bits < 0 || f->conn_tab_bits > 27)
		return;
	if (f->connections > (uint64_t)CHAIN_CONNECTIONS << f->conn_tab_bits)
		find(j, DOCTOR_WARNING, "connections",
		     "put \"options ip_vs conn_tab_bits=20\" into /etc/modprobe.d, and boot anew",
		     "%llu connections in a table of %llu buckets",
		     (unsigned long long)f->connections, 1ULL << f->conn_tab_bits);
}

static void judge_memory(const struct judge *j)
{
	const struct doctor_facts *f = j->f;
	uint64_t mb;

	if (f->cpus_possible == DOCTOR_UNKNOWN)
		return;
	mb = ((uint64_t)f->services + f->dests) * STATS_BYTES * (uint64_t)f->cpus_possible >> 20;
	if (mb > STATS_MB_MAX)
		find(j, DOCTOR_WARNING, "memory",
		     "boot with possible_cpus=N, as many as the machine can have",
		     "the counters of %u services and %u real servers take %llu MB, for the kernel "
		     "expects up to %lld CPUs",
		     f->services, f->dests, (unsigned long long)mb, (long long)f->cpus_possible);
}

/* --- settings --------------------------------------------------------------------------------- */

static void judge_sysctls(const struct judge *j)
{
	const struct doctor_facts *f = j->f;

	for (size_t i = 0; i < f->sysctl_count; i++) {
		const struct doctor_sysctl *s = &f->sysctls[i];
		char fix[160];

		if (s->is == DOCTOR_UNKNOWN || s->is == s->want.value)
			continue;
		snprintf(fix, sizeof(fix), "sysctl -w %s=%ld%s", s->want.name, s->want.value,
			 f->running ? ", and find out who set it"
				    : "; the agent does so at its start");
		find(j, f->running ? DOCTOR_WARNING : DOCTOR_NOTE, "sysctl", fix, "%s is %lld: %s",
		     s->want.name, (long long)s->is, s->want.why);
	}
	if (f->nat_icmp_send == 1)
		find(j, DOCTOR_WARNING, "sysctl", "sysctl -w net.ipv4.vs.nat_icmp_send=0",
		     "net.ipv4.vs.nat_icmp_send is 1: each packet of a real server is looked up "
		     "among "
		     "all of them, in 16 chains");
}

static void judge_conntrack(const struct judge *j)
{
	const struct doctor_facts *f = j->f;

	if (f->conntrack_count == DOCTOR_UNKNOWN || f->conntrack_max == DOCTOR_UNKNOWN ||
	    f->conntrack_max <= 0)
		return;
	if (f->conntrack_count * 100 > f->conntrack_max * FULL_PERCENT)
		find(j, DOCTOR_ERROR, "conntrack",
		     "raise net.netfilter.nf_conntrack_max, or use forwarding dr or tunnel",
		     "%lld of %lld connections are tracked: when it is full, new ones are dropped",
		     (long long)f->conntrack_count, (long long)f->conntrack_max);
}

/*
 * A probe that was reset is tracked for nf_conntrack_tcp_timeout_close, 10 s, one that was closed
 * for longer. Each real server of each service counts, though one probe serves all that share it:
 * who is warned for nothing can look at parasaus_probes_total.
 */
static void judge_probes(const struct judge *j)
{
	const struct doctor_facts *f = j->f;
	int64_t rate, tracked;

	if (!f->check_interval_ms || f->conntrack_max == DOCTOR_UNKNOWN || f->conntrack_max <= 0)
		return;
	rate = (int64_t)f->dests * 1000 / f->check_interval_ms;
	tracked = rate * PROBE_TRACKED_S;
	if (tracked * 100 > f->conntrack_max * PROBES_PERCENT)
		find(j, DOCTOR_WARNING, "conntrack",
		     "raise net.netfilter.nf_conntrack_max, check less often "
		     "(defaults.interval), or keep checks from being tracked "
		     "(healthcheck.notrack)",
		     "up to %lld health checks a second are tracked for %d s each: %lld of %lld "
		     "connections that can be",
		     (long long)rate, PROBE_TRACKED_S, (long long)tracked,
		     (long long)f->conntrack_max);
}

static void judge_sources(const struct judge *j)
{
	for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++) {
		const struct addr *from = &j->f->picked[i];
		char text[ADDR_TEXT_MAX], fix[160];

		if (!from->family)
			continue;
		snprintf(fix, sizeof(fix),
			 "give checks an address of their own (%s), or remove healthcheck.notrack",
			 ipvs_notrack_remedy(i));
		find(j, DOCTOR_WARNING, "source", fix,
		     "%s of healthcheck.sourceAddress is an address that the kernel picks for "
		     "connections of others, too: health checks from it are tracked, though "
		     "healthcheck.notrack is set",
		     addr_text(from, text));
	}
}

/* Of pools of database connections one may not be used for long, and keepalives come later still. */
static void judge_timeouts(const struct judge *j)
{
	const struct doctor_facts *f = j->f;
	char fix[120];

	if (!f->services || !f->timeouts.tcp || f->tcp_keepalive_time <= (int64_t)f->timeouts.tcp)
		return;
	snprintf(fix, sizeof(fix),
		 "'timeouts: {tcp: %lld}' in the configuration, or keepalives more often at the "
		 "clients",
		 (long long)f->tcp_keepalive_time + KEEPALIVE_SPARE_S);
	find(j, DOCTOR_NOTE, "timeouts", fix,
	     "IPVS forgets connections on which nothing passes for %u s, and keepalives begin "
	     "after "
	     "%lld s by default: clients that keep connections to databases find them cut",
	     f->timeouts.tcp, (long long)f->tcp_keepalive_time);
}

static void judge_ipv6(const struct judge *j)
{
	if (j->f->wants_ipv6 && j->f->ipv6_off)
		find(j, DOCTOR_ERROR, "ipv6", "sysctl -w net.ipv6.conf.all.disable_ipv6=0",
		     "there are IPv6 VIPs, but IPv6 is turned off on this host");
}

/* --- others ------------------------------------------------------------------------------------ */

static void judge_others(const struct judge *j)
{
	const struct doctor_facts *f = j->f;

	if (f->rival)
		find(j, DOCTOR_ERROR, "writers",
		     "keep the VIPs out of its reach (kube-proxy: ipvs.excludeCIDRs; kube-router: "
		     "--excluded-cidrs), or give them to the agent's node alone",
		     "the interface %s is that of a program that deletes from IPVS what it does "
		     "not "
		     "know",
		     f->rival);
	/* A keepalived that only moves addresses has nothing in the table. */
	if (f->writer)
		find(j, f->foreign ? DOCTOR_WARNING : DOCTOR_NOTE, "writers",
		     "see that no two write the same VIP and port",
		     "%s runs in this network namespace, and %u virtual services are not the "
		     "agent's",
		     f->writer, f->foreign);
}

/* --- the way to real servers -------------------------------------------------------------------- */

/* What is put around each packet: IP and, of gre and gue, their headers. */
static uint32_t overhead(const struct ipvs_dest *d)
{
	static const uint32_t inner[] = { 0, 8 + 4, 4 }; /* ipip, gue, gre */
	uint32_t ip = d->addr.family == AF_INET ? 20 : 40;

	return ip + (d->tunnel < ARRAY_LEN(inner) ? inner[d->tunnel] : 0);
}

static void judge_path(const struct judge *j, const struct doctor_path *p)
{
	char at[ENDPOINT_TEXT_MAX], to[ENDPOINT_TEXT_MAX], fix[160];
	const struct endpoint e = { .addr = p->dest.addr,
				    .port = p->dest.port,
				    .protocol = p->service.protocol };
	uint32_t needed = j->f->client_mtu + overhead(&p->dest);

	endpoint_text(&p->service, at);
	endpoint_text(&e, to);
	if (p->dest.port != p->service.port)
		find(j, DOCTOR_ERROR, "ports",
		     "let the pool's port and its members' port be the same",
		     "%s -> %s: without nat the port is not rewritten, the real server is asked at "
		     "%u",
		     at, to, p->service.port);
	if (!p->routed)
		find(j, DOCTOR_ERROR, "route", "add a route, or take the member out",
		     "%s -> %s: there is no route to the real server", at, to);
	else if (p->dest.forward == IPVS_DIRECT && p->gateway)
		find(j, DOCTOR_ERROR, "route", "use forwarding tunnel, or nat",
		     "%s -> %s: forwarding dr needs the real server on a link of this host, but it "
		     "is behind a router",
		     at, to);
	else if (p->dest.forward == IPVS_TUNNEL && p->mtu < needed) {
		snprintf(fix, sizeof(fix),
			 "raise the MTU of %s to %u, or let the VIP's routes say advmss", p->device,
			 needed);
		find(j, DOCTOR_WARNING, "mtu", fix,
		     "%s -> %s: packets of %u bytes do not fit into a tunnel of MTU %u on %s", at,
		     to, j->f->client_mtu, p->mtu, p->device);
	}
}

static void judge_paths(const struct judge *j)
{
	for (size_t i = 0; i < j->f->path_count; i++)
		judge_path(j, &j->f->paths[i]);
}

/* --- the way from clients ------------------------------------------------------------------------ */

/* What keeps the kernel from answering for it though this machine is to. */
static void judge_arp(const struct judge *j, const struct doctor_vip *v, const char *at)
{
	char fix[160];

	if (v->arp_ignore <= 0)
		return;
	snprintf(fix, sizeof(fix),
		 "sysctl -w net.ipv4.conf.%s.arp_ignore=0 (and of all), or route %s here",
		 v->device, at);
	find(j, DOCTOR_ERROR, "arp", fix,
	     "%s is on the link of %s, whose arp_ignore is %lld: nobody there learns where it is",
	     at, v->device, (long long)v->arp_ignore);
}

static void judge_ndp(const struct judge *j, const struct doctor_vip *v, const char *at)
{
	char fix[160];

	if (!v->proxied)
		find(j, DOCTOR_ERROR, "ndp",
		     j->f->running ? "the agent's log and `parasausctl get problems` say why"
				   : "start the agent",
		     "%s is on the link of %s, and has no proxy neighbour there: nobody there "
		     "learns where it is",
		     at, v->device);
	if (v->forwarding == 0) {
		snprintf(fix, sizeof(fix),
			 "sysctl -w net.ipv6.conf.%s.accept_ra=2 if it has a default route by "
			 "router advertisement, and net.ipv6.conf.all.forwarding=1",
			 v->device);
		find(j, DOCTOR_ERROR, "ndp", fix,
		     "%s is on the link of %s, which does not forward: so the kernel answers "
		     "nobody who asks for it",
		     at, v->device);
	}
	if (v->proxy_ndp == 0) {
		snprintf(fix, sizeof(fix), "sysctl -w net.ipv6.conf.%s.proxy_ndp=1", v->device);
		find(j, DOCTOR_ERROR, "ndp", fix,
		     "%s is on the link of %s, whose proxy_ndp is 0: nobody there learns where it "
		     "is",
		     at, v->device);
	}
}

/* One machine of those that have the VIP should be found at it, by whom its clients ask. */
static void judge_answers(const struct judge *j, const struct doctor_vip *v, const char *at)
{
	bool v6 = v->addr.family == AF_INET6;
	const char *check = v6 ? "ndp" : "arp";

	if (!v->own && !v->silent)
		(v6 ? judge_ndp : judge_arp)(j, v, at);
	if (v->answered && !v->silent)
		find(j, DOCTOR_ERROR, check,
		     v6 ? "of several directors let one answer (`announce` of parasaus.yaml); "
			  "take it off the interfaces of others"
			: "on a real server of dr: arp_ignore=1 and arp_announce=2; of several "
			  "directors let one answer (`announce` of parasaus.yaml)",
		     "%s on the link of %s is answered for by %02x:%02x:%02x:%02x:%02x:%02x as "
		     "well",
		     at, v->device, v->mac[0], v->mac[1], v->mac[2], v->mac[3], v->mac[4],
		     v->mac[5]);
	if (v->elsewhere && !v->answered)
		find(j, DOCTOR_WARNING, check,
		     "start its owner's agent, or name another owner under `announce` of "
		     "parasaus.yaml, on every machine",
		     "%s is on the link of %s, and its owner, another machine, does not answer for "
		     "it",
		     at, v->device);
}

static void judge_vip(const struct judge *j, const struct doctor_vip *v)
{
	const struct doctor_facts *f = j->f;
	char at[ADDR_TEXT_MAX], fix[160];

	addr_text(&v->addr, at);
	if (v->own && f->ports_first && f->ours.first <= f->ports_last &&
	    f->ours.last >= f->ports_first) {
		snprintf(fix, sizeof(fix),
			 "set net.ipv4.ip_local_port_range outside of %u-%u, or use another VIP",
			 f->ours.first, f->ours.last);
		find(j, DOCTOR_WARNING, "ports", fix,
		     "%s is an address of %s itself, and this host's own connections use ports "
		     "%u-%u of "
		     "it: answers to them can be taken for a service's",
		     at, v->device, f->ports_first, f->ports_last);
	}
	judge_answers(j, v, at);
}

static void judge_vips(const struct judge *j)
{
	for (size_t i = 0; i < j->f->vip_count; i++)
		judge_vip(j, &j->f->vips[i]);
}

/* Of what is asked for by a fixed port nothing is said while another connection has that. */
static void judge_probe_ports(const struct judge *j)
{
	if (j->f->probe_paths && j->f->probe_ports)
		find(j, DOCTOR_WARNING, "ports",
		     "add 61000-61999 to net.ipv4.ip_local_reserved_ports, or let "
		     "net.ipv4.ip_local_port_range end before",
		     "%zu health checks go by VIPs, each from a port of its own of 61000-61999, "
		     "and "
		     "this host's own connections may take %u of these: a check whose port is "
		     "taken "
		     "is not made",
		     j->f->probe_paths, j->f->probe_ports);
}

/* That is as it should be where they are routed here, and where `announce` says so. */
static void judge_off_link(const struct judge *j)
{
	char at[ADDR_TEXT_MAX];

	if (j->f->off_link_count)
		find(j, DOCTOR_NOTE, "link",
		     "see that routers have routes to this host, and say so by `announce: {mode: "
		     "none}`, or give an interface an address of the VIPs' network",
		     "%zu VIPs, %s among them, are in the network of no interface: no neighbour "
		     "asks for them, and `announce` has nothing to say",
		     j->f->off_link_count, addr_text(&j->f->off_link, at));
}

void doctor_judge(const struct doctor_facts *f, doctor_finding_fn *fn, void *arg)
{
	static void (*const rules[])(const struct judge *j) = {
		judge_kernel,  judge_modules,  judge_buckets,	judge_connections,
		judge_memory,  judge_sysctls,  judge_conntrack, judge_probes,
		judge_sources, judge_timeouts, judge_ipv6,	judge_others,
		judge_paths,   judge_vips,     judge_off_link,	judge_probe_ports,
	};
	const struct judge j = { f, fn, arg };

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		rules[i](&j);
}
