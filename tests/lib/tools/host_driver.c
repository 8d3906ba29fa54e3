/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls ipvs/host.h as a script on standard input says, in the network
 * namespace it is started in. For kernel tests.
 *
 *   host_driver [-n NODE_ADDRESS]... [-o ADDRESSES PORTS]... [-a none] [-a PREFIX here|there]...
 *               [-r RATE] [-p ADDRESS]... < SCRIPT
 *
 * -a: who answers for VIPs: nobody; or the owner of the first prefix that has it, this host or another.
 * -p: where health checks come from.
 * -r: packets of gratuitous ARP a second (200).
 *
 * A line is a command; each prints one line beginning with its name:
 *   add VIP:PORT[/udp][/direct]...   add-ports VIP FIRST COUNT
 *   add-vips FIRST COUNT PORT        remove VIP:PORT[/udp]...
 *   served                           IPVS has all of them
 *   notrack [4] [6] [SERVER]...      keeps connection tracking from health checks: all of a family, or
 *                                    of these servers; prints how many, as notrack-now does
 *   path NUMBER VIP SERVER:PORT dr|tunnel   one more way of probes; prints the version and how it went
 *   paths NUMBER COUNT VIP SERVER:PORT   so many by dr from that number on, and no others
 *   no-path NUMBER                   takes it back, or changes nothing: all are told again
 *   paths-check                      as an audit does; ... repairs=N
 *   wait MS                          lets time pass
 *   sync, prune                      ... repairs=N
 *   writes                           requests since the start
 *   changed MS                       waits for the callback: "changed yes" or "changed no"
 *   run COMMAND                      by the shell; prints nothing
 *   memory                           resident KiB
 *   cleanup                          works without anything before it, too
 * Events are printed as "event LEVEL TEXT". Ends at the first error with exit code 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/xalloc.h"
#include "ipvs/host.h"

#define OURS_MAX   16
#define SHARES_MAX 8

struct driver {
	struct loop *loop;
	struct ipvs_config config;
	struct ipvs_ours ours[OURS_MAX];
	struct ipvs_share shares[SHARES_MAX];
	struct ipvs_host *host;
	struct ipvs_frontend *frontends;
	size_t count;
	struct ipvs_paths paths;
	bool changed;
	bool timed_out;
};

static void die(const char *what, const struct err *err)
{
	printf("error %s: %s\n", what, err->text);
	fflush(stdout);
	exit(1);
}

static void on_event(void *arg, enum log_level level, const char *text)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };

	(void)arg;
	printf("event %s %s\n", names[level], text);
}

static void on_changed(void *arg)
{
	struct driver *d = arg;

	d->changed = true;
}

static void on_timeout(void *arg)
{
	struct driver *d = arg;

	d->timed_out = true;
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void take(struct driver *d, const struct endpoint *key, bool masquerade)
{
	d->frontends = xreallocarray(d->frontends, d->count + 1, sizeof(*d->frontends));
	d->frontends[d->count++] = (struct ipvs_frontend){ *key, masquerade };
}

static void parse_frontends(struct driver *d, char *words)
{
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
		struct endpoint key;
		struct err err;
		uint8_t protocol = IPPROTO_TCP;
		bool masquerade = true;
		char *slash;

		while ((slash = strrchr(word, '/'))) {
			if (strcmp(slash, "/udp") == 0)
				protocol = IPPROTO_UDP;
			if (strcmp(slash, "/direct") == 0)
				masquerade = false;
			*slash = '\0';
		}
		if (endpoint_parse(word, protocol, &key) < 0) {
			err_set(&err, -EINVAL, "'%s'", word);
			die("parsing", &err);
		}
		take(d, &key, masquerade);
	}
}

static void parse_many(struct driver *d, const char *address, unsigned port, unsigned count,
		       bool vips)
{
	struct endpoint key = { .protocol = IPPROTO_TCP, .port = (uint16_t)port };

	if (addr_parse(address, &key.addr) < 0)
		exit(2);
	for (unsigned i = 0; i < count; i++) {
		take(d, &key, true);
		if (!vips)
			key.port++;
		for (size_t b = addr_len(&key.addr); vips && b-- > 0;) {
			if (++key.addr.bytes[b])
				break;
		}
	}
}

static void add(struct driver *d, const char *name)
{
	double start = now_ms();
	struct err err = { 0 };

	if (ipvs_host_add(d->host, d->frontends, d->count, &err) < 0)
		die(name, &err);
	printf("%s frontends=%zu ms=%.1f\n", name, d->count, now_ms() - start);
}

static void remove_all(struct driver *d)
{
	struct endpoint *keys = xcalloc(d->count + 1, sizeof(*keys));
	double start = now_ms();
	struct err err = { 0 };

	for (size_t i = 0; i < d->count; i++)
		keys[i] = d->frontends[i].key;
	if (ipvs_host_remove(d->host, keys, d->count, &err) < 0)
		die("remove", &err);
	printf("remove frontends=%zu ms=%.1f\n", d->count, now_ms() - start);
	free(keys);
}

static void print_notrack(const struct driver *d)
{
	static const char *const words[] = { "none", "some", "all", "picked" };
	struct ipvs_notrack n;

	if (!ipvs_host_notrack_now(d->host, &n))
		printf("notrack unknown\n");
	else
		printf("notrack v4=%s/%u v6=%s/%u\n", words[n.parts[IPVS_NOTRACK_V4].mode],
		       n.parts[IPVS_NOTRACK_V4].count, words[n.parts[IPVS_NOTRACK_V6].mode],
		       n.parts[IPVS_NOTRACK_V6].count);
}

static void notrack(struct driver *d, char *words)
{
	struct ipvs_notrack n = { 0 };
	struct err err = { 0 };

	for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
		struct addr a;
		bool is_server = addr_parse(word, &a) == 0;
		bool v6 = is_server ? a.family == AF_INET6 : *word == '6';
		struct ipvs_notrack_part *p = &n.parts[v6 ? IPVS_NOTRACK_V6 : IPVS_NOTRACK_V4];

		p->mode = is_server ? IPVS_NOTRACK_SOME : IPVS_NOTRACK_ALL;
		if (is_server && p->count < IPVS_NOTRACK_SOME_MAX)
			p->servers[p->count++] = a;
	}
	if (ipvs_host_notrack(d->host, &n, &err) < 0)
		die("notrack", &err);
	print_notrack(d);
}

static void print_paths(const char *name, const struct ipvs_paths_result *now)
{
	printf("%s version=%u error=%d", name, now->version, now->error);
	for (size_t i = 0; i < now->failed_count; i++)
		printf(" failed=%u", now->failed[i]);
	printf("%s%s\n", now->text[0] ? " " : "", now->text);
}

static void tell_paths(struct driver *d, const char *name)
{
	struct ipvs_paths_result now;
	struct err err = { 0 };

	d->paths.version++;
	if (ipvs_host_paths(d->host, &d->paths, &err) < 0)
		die(name, &err);
	if (ipvs_host_paths_now(d->host, &now))
		print_paths(name, &now);
}

static void drop_path(struct driver *d, unsigned number)
{
	struct ipvs_paths *p = &d->paths;
	size_t kept = 0;

	for (size_t i = 0; i < p->count; i++) {
		if (p->items[i].number != number)
			p->items[kept++] = p->items[i];
	}
	p->count = kept;
}

/* In the order of numbers. */
static void keep_path(struct driver *d, const struct ipvs_path *path)
{
	struct ipvs_paths *p = &d->paths;
	size_t i = p->count++;

	p->items = xreallocarray(p->items, p->count, sizeof(*p->items));
	for (; i > 0 && p->items[i - 1].number > path->number; i--)
		p->items[i] = p->items[i - 1];
	p->items[i] = *path;
}

static void parse_path(const char *vip, const char *to, struct ipvs_path *out)
{
	struct err err;

	if (addr_parse(vip, &out->vip) < 0 || endpoint_parse(to, IPPROTO_TCP, &out->to) < 0) {
		err_set(&err, -EINVAL, "'%s' to '%s'", vip, to);
		die("path", &err);
	}
}

static void add_path(struct driver *d, const char *words)
{
	struct ipvs_path path = { 0 };
	char vip[ADDR_TEXT_MAX] = "";
	char to[ENDPOINT_TEXT_MAX] = "";
	char forward[16] = "";

	(void)!sscanf(words, "%hu %45s %63s %15s", &path.number, vip, to, forward);
	parse_path(vip, to, &path);
	path.forward = strcmp(forward, "tunnel") == 0 ? IPVS_TUNNEL : IPVS_DIRECT;
	drop_path(d, path.number);
	keep_path(d, &path);
	tell_paths(d, "path");
}

static void add_paths(struct driver *d, const char *words)
{
	struct ipvs_path path = { .forward = IPVS_DIRECT };
	char vip[ADDR_TEXT_MAX] = "";
	char to[ENDPOINT_TEXT_MAX] = "";
	unsigned count = 0;

	(void)!sscanf(words, "%hu %u %45s %63s", &path.number, &count, vip, to);
	parse_path(vip, to, &path);
	for (d->paths.count = 0; d->paths.count < count; path.number++)
		keep_path(d, &path);
	tell_paths(d, "paths");
}

static void check_paths(struct driver *d)
{
	struct err err = { 0 };
	uint64_t repairs = 0;

	if (ipvs_host_paths_check(d->host, &repairs, &err) < 0)
		die("paths-check", &err);
	printf("paths-check repairs=%llu\n", (unsigned long long)repairs);
}

static void served(struct driver *d)
{
	double start = now_ms();
	struct err err = { 0 };

	if (ipvs_host_served(d->host, &err) < 0)
		die("served", &err);
	printf("served ms=%.1f\n", now_ms() - start);
}

static void sync_host(struct driver *d, const char *name, bool prune)
{
	double start = now_ms();
	struct err err = { 0 };
	uint64_t repairs = 0;

	if (ipvs_host_sync(d->host, prune, &repairs, &err) < 0)
		die(name, &err);
	printf("%s repairs=%llu ms=%.1f\n", name, (unsigned long long)repairs, now_ms() - start);
}

/* For so long, or until the callback where that ends it. */
static void turn_for(struct driver *d, int ms, bool until_changed)
{
	timer_id timer;
	int r;

	d->changed = false;
	d->timed_out = false;
	/* The loop has its time from its last turn, which may be long ago. */
	r = loop_turn(d->loop, 0);
	timer = loop_timer_in(d->loop, ms, on_timeout, d);
	while (r >= 0 && !d->timed_out && !(until_changed && d->changed))
		r = loop_turn(d->loop, ms);
	loop_cancel(d->loop, timer);
}

static void wait_changed(struct driver *d, int ms)
{
	turn_for(d, ms, true);
	printf("changed %s\n", d->changed ? "yes" : "no");
}

static void wait_ms(struct driver *d, int ms)
{
	turn_for(d, ms, false);
	printf("wait over\n");
}

static void print_memory(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0;

	if (f && fscanf(f, "%*d %ld", &pages) == 1)
		printf("memory kib=%ld\n", pages * sysconf(_SC_PAGESIZE) / 1024);
	if (f)
		fclose(f);
}

static void on_removed(void *arg, const char *what)
{
	(void)arg;
	printf("removed %s\n", what);
}

static void start(struct driver *d)
{
	struct err err = { 0 };

	if (!d->host &&
	    ipvs_host_new(d->loop, &d->config, on_event, on_changed, d, &d->host, &err) < 0)
		die("new", &err);
}

static void cleanup(struct driver *d)
{
	struct err err = { 0 };

	if (ipvs_host_cleanup(&d->config, on_removed, NULL, &err) < 0)
		die("cleanup", &err);
	printf("cleanup done\n");
}

static void do_line(struct driver *d, char *line)
{
	char *rest = line + strcspn(line, " ");
	char address[ADDR_TEXT_MAX];
	unsigned a;
	unsigned b;

	if (*rest)
		*rest++ = '\0';
	d->count = 0;
	if (strcmp(line, "cleanup") == 0) {
		cleanup(d);
		return;
	}
	start(d);
	if (strcmp(line, "add") == 0) {
		parse_frontends(d, rest);
		add(d, line);
	} else if (strcmp(line, "remove") == 0) {
		parse_frontends(d, rest);
		remove_all(d);
	} else if (strcmp(line, "path") == 0) {
		add_path(d, rest);
	} else if (strcmp(line, "paths") == 0) {
		add_paths(d, rest);
	} else if (sscanf(rest, "%45s %u %u", address, &a, &b) == 3) {
		bool vips = strcmp(line, "add-vips") == 0;

		parse_many(d, address, vips ? b : a, vips ? a : b, vips);
		add(d, line);
	} else if (strcmp(line, "notrack") == 0) {
		notrack(d, rest);
	} else if (strcmp(line, "notrack-now") == 0) {
		print_notrack(d);
	} else if (strcmp(line, "no-path") == 0) {
		drop_path(d, (unsigned)atoi(rest));
		tell_paths(d, line);
	} else if (strcmp(line, "paths-check") == 0) {
		check_paths(d);
	} else if (strcmp(line, "served") == 0) {
		served(d);
	} else if (strcmp(line, "sync") == 0 || strcmp(line, "prune") == 0) {
		sync_host(d, line, line[0] == 'p');
	} else if (strcmp(line, "writes") == 0) {
		printf("writes %llu\n", (unsigned long long)ipvs_host_writes(d->host));
	} else if (strcmp(line, "changed") == 0) {
		wait_changed(d, atoi(rest));
	} else if (strcmp(line, "wait") == 0) {
		wait_ms(d, atoi(rest));
	} else if (strcmp(line, "memory") == 0) {
		print_memory();
	} else if (strcmp(line, "run") == 0) {
		if (system(rest) != 0)
			printf("failed %s\n", rest);
	} else {
		printf("unknown %s\n", line);
	}
}

/* How many words it takes; 0: it is not good. */
static int parse_announce(struct driver *d, int argc, char **argv)
{
	struct ipvs_announce *a = &d->config.announce;
	struct ipvs_share *s = &d->shares[a->share_count];

	if (argc > 0 && strcmp(argv[0], "none") == 0) {
		a->mode = IPVS_ANNOUNCE_NONE;
		return 1;
	}
	if (argc < 2 || a->share_count == SHARES_MAX || prefix_parse(argv[0], &s->addresses) < 0)
		return 0;
	s->here = strcmp(argv[1], "here") == 0;
	a->mode = IPVS_ANNOUNCE_OWNER;
	a->share_count++;
	return 2;
}

static int parse_options(struct driver *d, int argc, char **argv)
{
	struct addr a;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-n") == 0 && i + 1 < argc &&
		    addr_parse(argv[i + 1], &a) == 0) {
			*(a.family == AF_INET ? &d->config.node_v4 : &d->config.node_v6) = a;
			i++;
		} else if (strcmp(argv[i], "-o") == 0 && i + 2 < argc &&
			   d->config.ours_count < OURS_MAX) {
			struct ipvs_ours *o = &d->ours[d->config.ours_count++];

			if (addr_range_parse(argv[i + 1], &o->addresses) < 0 ||
			    port_range_parse(argv[i + 2], &o->ports) < 0)
				return -1;
			i += 2;
		} else if (strcmp(argv[i], "-p") == 0 && i + 1 < argc &&
			   addr_parse(argv[i + 1], &a) == 0) {
			d->config.probes_from[a.family == AF_INET6] = a;
			i++;
		} else if (strcmp(argv[i], "-r") == 0 && i + 1 < argc) {
			d->config.announce.rate = (uint32_t)atoi(argv[++i]);
		} else if (strcmp(argv[i], "-a") == 0) {
			int used = parse_announce(d, argc - i - 1, argv + i + 1);

			if (!used)
				return -1;
			i += used;
		} else {
			return -1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct driver d = { .config = { .ours = d.ours, .route_protocol = 112 } };
	char line[4096];

	setvbuf(stdout, NULL, _IOLBF, 0);
	d.config.announce.shares = d.shares;
	d.config.announce.rate = 200;
	d.config.announce.packet_fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (parse_options(&d, argc, argv) < 0) {
		fprintf(stderr, "usage: host_driver [-n NODE]... [-o ADDRESSES PORTS]... "
				"[-a none] [-a PREFIX here|there]... [-r RATE] "
				"[-p ADDRESS]...\n");
		return 2;
	}
	if (loop_new(&clock_system, &d.loop) < 0)
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0])
			do_line(&d, line);
	}
	ipvs_host_free(d.host);
	loop_free(d.loop);
	free(d.frontends);
	ipvs_paths_done(&d.paths);
	return 0;
}
