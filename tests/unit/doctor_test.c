/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor.c: what is found of which facts. */
#include "ipvs/doctor.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"

/* A host on which there is nothing to find. */
static struct doctor_facts well(void)
{
	struct doctor_facts f = {
		.running = true,
		.release = "6.1.0-56-amd64",
		.version = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-10-02)",
		.services = 1000,
		.dests = 10000,
		.connections = 1000,
		.conn_tab_bits = 12,
		.tcp_keepalive_time = 7200,
		.timeouts = { 7260, 120, 300 },
		.conntrack_count = 10,
		.conntrack_max = 262144,
		.cpus_possible = 4,
		.ports_first = 32768,
		.ports_last = 60999,
		.ours = { 30000, 64999 },
		.client_mtu = 1500,
	};

	for (size_t i = 0; i < DOCTOR_BUCKETS; i++)
		f.buckets[i] = 4;
	return f;
}

struct found {
	struct buf text;
	size_t count;
};

static void take(void *arg, const struct doctor_finding *f)
{
	struct found *found = arg;

	found->count++;
	buf_printf(&found->text, "%s %s: %s; %s\n", doctor_grade_text(f->grade), f->check, f->text,
		   f->fix);
}

/* One thing is found, and it says this; NULL: nothing is found. */
static void finds(const struct doctor_facts *f, const char *what)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct found found = { 0 };

	doctor_judge(f, take, &found);
	text = found.text;
	if (found.count != (what ? 1 : 0) || (what && !strstr(buf_cstr(&text), what)))
		fail_msg("not '%s' alone:\n%s", what ? what : "", buf_cstr(&text));
}

static struct endpoint at(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(text, IPPROTO_TCP, &e), 0);
	return e;
}

static struct doctor_path path(const char *service, const char *dest, uint8_t forward)
{
	const struct endpoint to = at(dest);

	return (struct doctor_path){
		.service = at(service),
		.dest = { .addr = to.addr, .port = to.port, .forward = forward },
		.routed = true,
		.mtu = 1500,
		.device = "eth0"
	};
}

static void a_host_that_is_well_has_nothing(void **state)
{
	const struct doctor_facts f = well();

	(void)state;
	finds(&f, NULL);
}

static void a_kernel_is_told_the_bugs_that_matter_to_it(void **state)
{
	struct doctor_facts f = well();

	(void)state;
	strcpy(f.version, "Debian 6.1.191-1");
	f.has_threshold = f.has_tunnel = f.has_ipv6 = true;
	{
		struct found found = { 0 };

		doctor_judge(&f, take, &found);
		assert_int_equal(found.count, 2); /* both of 6.1.192 */
		assert_non_null(strstr(buf_cstr(&found.text), "mended in 6.1.192"));
		buf_done(&found.text);
	}
	strcpy(f.version, "Debian 6.12.114-1");
	finds(&f, "mended in 6.12.115");
	f.has_threshold = true;
	strcpy(f.version, "Debian 6.12.117-1");
	finds(&f, NULL);
	strcpy(f.release, "5.10.0-30-amd64");
	strcpy(f.version, "Debian 5.10.209-2");
	finds(&f, "note kernel: which bugs");
	strcpy(f.release, "7.1.3");
	strcpy(f.version, "#1 SMP");
	finds(&f, NULL);
}

/* A limit that is in the table is somebody's, and is at work; a pool's own would not be set. */
static void a_kernel_whose_limits_race_is_told(void **state)
{
	for (int has = 0; has <= 1; has++) {
		struct doctor_facts f = well();
		struct found found = { 0 };

		strcpy(f.version, "Debian 6.1.186-1");
		f.has_threshold = has;
		doctor_judge(&f, take, &found);
		assert_non_null(
			strstr(buf_cstr(&found.text),
			       has ? "error kernel: Linux 6.1.186: connection limits race: "
				     "a server can stay marked as overloaded; mended in 6.1.187"
				   : "note kernel: Linux 6.1.186: connection limits race: "
				     "max-connections of pools is not used; mended in 6.1.187"));
		assert_int_equal(found.count, 3); /* and both of 6.1.192 */
		buf_done(&found.text);
	}
	(void)state;
}

static void modules(void **state)
{
	struct doctor_facts f = well();

	(void)state;
	f.no_mh = true;
	finds(&f, "warning module: there is no module ip_vs_mh");
	f.no_mh = false;
	f.ftp = true;
	finds(&f, "rmmod ip_vs_ftp");
	f.ftp = false;
	f.no_ipvs = true;
	finds(&f, "error module: this kernel has no IPVS");
}

static void chains_that_are_too_long(void **state)
{
	struct doctor_facts f = well();

	(void)state;
	f.services = 35000;
	for (size_t i = 0; i < DOCTOR_BUCKETS; i++)
		f.buckets[i] = 137;
	finds(&f, NULL);
	f.buckets[7] = 20000;
	finds(&f, "20000 of 35000 virtual services share one of 256");
	strcpy(f.release, "7.1.0");
	strcpy(f.version, "#1");
	finds(&f, NULL); /* that one grows its table */
}

static void a_timeout_before_keepalives_begin_is_noted(void **state)
{
	struct doctor_facts f = well();

	(void)state;
	f.timeouts.tcp = 900;
	finds(&f, "note timeouts: IPVS forgets connections on which nothing passes for 900 s");
	f.tcp_keepalive_time = 600;
	finds(&f, NULL);
	f.timeouts.tcp = 0; /* not known */
	f.tcp_keepalive_time = 7200;
	finds(&f, NULL);
	f.timeouts.tcp = 900;
	f.services = 0;
	finds(&f, NULL);
}

static void tables_that_are_too_small(void **state)
{
	struct doctor_facts f = well();

	(void)state;
	f.connections = 16385;
	finds(&f, "16385 connections in a table of 4096 buckets");
	f.conn_tab_bits = 20;
	finds(&f, NULL);
	f.conn_tab_bits = DOCTOR_UNKNOWN;
	finds(&f, NULL);
	f.conntrack_count = 250000;
	finds(&f, "error conntrack: 250000 of 262144");
	f.conntrack_count = 10;
	/* 350,000 real servers each two seconds. */
	f.check_interval_ms = 2000;
	f.cpus_possible = 1;
	finds(&f, NULL);
	f.dests = 350000;
	finds(&f, "warning conntrack: up to 175000 health checks a second are tracked for 10 s "
		  "each: 1750000 of 262144");
	f.check_interval_ms = 0;
	finds(&f, NULL);
	assert_int_equal(addr_parse("192.0.2.1", &f.picked[IPVS_NOTRACK_V4]), 0);
	finds(&f, "warning source: 192.0.2.1 of healthcheck.sourceAddress is an address that the "
		  "kernel picks");
	f.picked[IPVS_NOTRACK_V4].family = 0;
	assert_int_equal(addr_parse("2001:db8::1", &f.picked[IPVS_NOTRACK_V6]), 0);
	finds(&f, "give checks an address of their own (ip address add ADDRESS/128 dev DEVICE "
		  "preferred_lft 0)");
	f.picked[IPVS_NOTRACK_V6].family = 0;
	f.dests = 10000;
	f.conntrack_count = 250000;
	f.conntrack_max = DOCTOR_UNKNOWN;
	finds(&f, NULL);
	f.services = 35000;
	f.dests = 350000;
	f.cpus_possible = 128;
	finds(&f, "expects up to 128 CPUs");
	f.cpus_possible = DOCTOR_UNKNOWN;
	finds(&f, NULL);
}

static void settings(void **state)
{
	struct doctor_facts f = well();

	(void)state;
	f.sysctl_count = 1;
	f.sysctls[0] = (struct doctor_sysctl){ { "net.ipv4.ip_forward", 1, "so that it forwards" },
					       1 };
	finds(&f, NULL);
	f.sysctls[0].is = 0;
	finds(&f, "warning sysctl: net.ipv4.ip_forward is 0: so that it forwards; sysctl -w "
		  "net.ipv4.ip_forward=1, and find out who set it");
	f.running = false;
	finds(&f, "note sysctl"); /* the agent will set it */
	f.sysctls[0].is = DOCTOR_UNKNOWN;
	finds(&f, NULL);
	f.nat_icmp_send = 1;
	finds(&f, "sysctl -w net.ipv4.vs.nat_icmp_send=0");
	f.nat_icmp_send = 0;
	f.ipv6_off = true;
	finds(&f, NULL);
	f.wants_ipv6 = true;
	finds(&f, "error ipv6");
}

static void others_that_write(void **state)
{
	struct doctor_facts f = well();

	(void)state;
	f.rival = "kube-ipvs0";
	finds(&f, "error writers: the interface kube-ipvs0");
	f.rival = NULL;
	f.writer = "keepalived"; /* for VRRP alone */
	finds(&f, "note writers: keepalived runs");
	f.foreign = 2;
	finds(&f, "warning writers: keepalived runs in this network namespace, and 2 virtual");
}

static void ways_to_real_servers(void **state)
{
	struct doctor_facts f = well();
	struct doctor_path p = path("10.0.0.1:80", "10.1.0.1:80", IPVS_DIRECT);

	(void)state;
	f.paths = &p;
	f.path_count = 1;
	finds(&f, NULL);
	p.gateway = true;
	finds(&f, "error route: 10.0.0.1:80 -> 10.1.0.1:80: forwarding dr needs");
	p.routed = false;
	finds(&f, "there is no route");
	p = path("10.0.0.1:80", "10.1.0.1:8080", IPVS_DIRECT);
	finds(&f, "error ports");
	p = path("10.0.0.1:80", "10.1.0.1:80", IPVS_TUNNEL);
	p.gateway = true; /* is what tunnels are for */
	finds(&f, "raise the MTU of eth0 to 1520");
	p.mtu = 1520;
	finds(&f, NULL);
	p.dest.tunnel = 1; /* gue */
	finds(&f, "to 1532");
	p = path("[2001:db8::1]:80", "[2001:db8:1::1]:80", IPVS_TUNNEL);
	p.dest.tunnel = 2; /* gre */
	finds(&f, "to 1544");
}

static void ports_of_checks_by_vips(void **state)
{
	struct doctor_facts f = well();

	(void)state;
	f.probe_ports = 1000;
	finds(&f, NULL); /* there are no such checks */
	f.probe_paths = 3;
	finds(&f, "warning ports: 3 health checks go by VIPs");
	f.probe_ports = 0;
	finds(&f, NULL);
	assert_int_equal(doctor_probe_ports(32768, 60999, "\n"), 0);
	assert_int_equal(doctor_probe_ports(1024, 65535, "\n"), 1000);
	assert_int_equal(doctor_probe_ports(1024, 61000, ""), 1);
	assert_int_equal(doctor_probe_ports(61990, 65535, "\n"), 10);
	assert_int_equal(doctor_probe_ports(1024, 65535, "61000-61999\n"), 0);
	assert_int_equal(doctor_probe_ports(1024, 65535, "22,80-90,60000-61997,61999\n"), 1);
	assert_int_equal(doctor_probe_ports(1024, 65535, "61000,61005-61006\n"), 997);
	assert_int_equal(doctor_probe_ports(1024, 65535, "nonsense,61000"), 1000);
}

static void ways_from_clients(void **state)
{
	struct doctor_facts f = well();
	struct doctor_vip v = { .addr = at("10.0.0.1:1").addr, .device = "eth0" };

	(void)state;
	f.vips = &v;
	f.vip_count = 1;
	finds(&f, NULL);
	v.arp_ignore = 1;
	finds(&f, "error arp: 10.0.0.1 is on the link of eth0, whose arp_ignore is 1");
	v.own = true; /* is answered for all the same, but then its ports are the host's as well */
	finds(&f, "warning ports: 10.0.0.1 is an address of eth0 itself");
	f.ports_first = 1024;
	f.ports_last = 29999;
	finds(&f, NULL);
	v = (struct doctor_vip){
		.addr = v.addr, .device = "eth0", .answered = true, .mac = { 2, 0, 0, 0, 0, 9 }
	};
	finds(&f, "answered for by 02:00:00:00:00:09 as well");
	v.silent = true; /* is for others to answer for */
	finds(&f, NULL);
	v.arp_ignore = 1;
	finds(&f, NULL);
	v.elsewhere = true;
	finds(&f, NULL);
	v.answered = false;
	finds(&f, "warning arp: 10.0.0.1 is on the link of eth0, and its owner, another machine, "
		  "does not answer");
}

static void ways_from_clients_by_ipv6(void **state)
{
	struct doctor_facts f = well();
	struct doctor_vip v = { .addr = at("[2001:db8::1]:1").addr,
				.device = "eth0",
				.arp_ignore = DOCTOR_UNKNOWN,
				.proxied = true,
				.forwarding = 1,
				.proxy_ndp = 1 };

	(void)state;
	f.vips = &v;
	f.vip_count = 1;
	finds(&f, NULL);
	v.proxied = false;
	finds(&f, "error ndp: 2001:db8::1 is on the link of eth0, and has no proxy neighbour");
	f.running = false;
	finds(&f, "start the agent");
	f.running = true;
	v.own = true; /* the kernel answers for what is its own */
	f.ports_last = 29999;
	finds(&f, NULL);
	v.own = false;
	v.silent = true; /* is for others to answer for */
	finds(&f, NULL);
	v.elsewhere = true;
	finds(&f, "warning ndp: 2001:db8::1 is on the link of eth0, and its owner");
	v.answered = true;
	finds(&f, NULL);
	v = (struct doctor_vip){
		.addr = v.addr, .device = "eth0", .proxied = true, .proxy_ndp = 1
	};
	finds(&f, "error ndp: 2001:db8::1 is on the link of eth0, which does not forward");
	v.forwarding = 1;
	v.proxy_ndp = 0;
	finds(&f, "sysctl -w net.ipv6.conf.eth0.proxy_ndp=1");
	v.proxy_ndp = DOCTOR_UNKNOWN;
	v.answered = true;
	finds(&f, "error ndp: 2001:db8::1 on the link of eth0 is answered for by 00:");
}

static void vips_on_no_link_are_noted(void **state)
{
	struct doctor_facts f = well();

	(void)state;
	f.off_link_count = 3;
	f.off_link = at("10.9.0.1:1").addr;
	finds(&f, "note link: 3 VIPs, 10.9.0.1 among them, are in the network of no interface");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_that_is_well_has_nothing),
		cmocka_unit_test(a_kernel_is_told_the_bugs_that_matter_to_it),
		cmocka_unit_test(a_kernel_whose_limits_race_is_told),
		cmocka_unit_test(modules),
		cmocka_unit_test(chains_that_are_too_long),
		cmocka_unit_test(tables_that_are_too_small),
		cmocka_unit_test(a_timeout_before_keepalives_begin_is_noted),
		cmocka_unit_test(settings),
		cmocka_unit_test(others_that_write),
		cmocka_unit_test(ways_to_real_servers),
		cmocka_unit_test(ports_of_checks_by_vips),
		cmocka_unit_test(ways_from_clients),
		cmocka_unit_test(ways_from_clients_by_ipv6),
		cmocka_unit_test(vips_on_no_link_are_noted),
	};

	return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
