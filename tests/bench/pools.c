/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many pools as manifests, and how long a change of one takes to the kernel.
 *
 *   pools write [-1 | -k] [-v VIP] PATH POOLS MEMBERS
 *   pools change [-1 | -k] [-v VIP] [-n COUNT] [-s PID] PATH POOLS MEMBERS
 *   pools burst [-v VIP] [-n COUNT] PATH POOLS MEMBERS
 *
 * `write` makes PATH a directory of one file for each pool, with -1 one file
 * of all of them; with -k it is a configuration of keepalived that says the
 * same. Pools have no checks; pool I is VIP:30000+I.
 *
 * `change` adds a member to a pool and takes it away again, at other pools
 * each time, COUNT (200) changes in all. A change is prepared beside the file
 * and begins with the rename(2) into place; -s then sends SIGHUP to PID. It is
 * in the kernel when the sockopts show the new member with a weight, or the
 * old one without one or not at all; they are read every 100 us. Prints one
 * line: count, p50, p99 and the longest, in ms. Run it in the director.
 *
 * `burst` adds a member to COUNT pools, one file after the other at even times
 * over a second, and waits until all are in the kernel.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/ip_vs.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FIRST_PORT   30000
#define MEMBER_PORT  8080
#define MEMBERS_MAX  256
#define POOLS_MAX    35000
#define COUNT_MAX    100000
#define POLL_NS	     100000
#define PATIENCE_S   120
#define STEP	     7919 /* a prime: the next pool to change is far from the last */
#define NO_POOL	     POOLS_MAX
#define EXTRA_MEMBER MEMBERS_MAX /* its number in a pool */

struct pools {
	const char *path, *vip;
	unsigned pools, members, count;
	bool one_file, keepalived;
	pid_t signal_to;
	int fd;
	unsigned widened; /* the pool that has one member more, or NO_POOL */
};

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* The nth host of a network of /24s, none of them one that the test's own links use or broadcast to. */
static struct in_addr host_of(unsigned net, unsigned n)
{
	return (struct in_addr){ htonl(net + (n / 250 << 8) + n % 250 + 1) };
}

/* The extra members have a network of their own. */
static struct in_addr member_addr(const struct pools *p, unsigned pool, unsigned k)
{
	if (k == EXTRA_MEMBER)
		return host_of(0x0ac00000, pool);
	return host_of(0x0a800000, pool * p->members + k);
}

static unsigned member_count(const struct pools *p, unsigned pool)
{
	return p->members + (p->widened == pool);
}

static const char *member_text(const struct pools *p, unsigned pool, unsigned i)
{
	return inet_ntoa(member_addr(p, pool, i < p->members ? i : EXTRA_MEMBER));
}

static void write_manifest(FILE *f, const struct pools *p, unsigned i)
{
	fprintf(f,
		"---\n"
		"apiVersion: v1\n"
		"kind: Service\n"
		"metadata:\n"
		"  name: pool-%05u\n"
		"  namespace: bench\n"
		"  annotations:\n"
		"    parasaus.io/health-check-type: none\n"
		"spec:\n"
		"  type: NodePort\n"
		"  ports:\n"
		"  - name: web\n"
		"    protocol: TCP\n"
		"    port: %u\n"
		"    nodePort: %u\n"
		"---\n"
		"apiVersion: v1\n"
		"kind: Endpoints\n"
		"metadata:\n"
		"  name: pool-%05u\n"
		"  namespace: bench\n"
		"subsets:\n"
		"- ports:\n"
		"  - name: web\n"
		"    port: %u\n"
		"  addresses:\n",
		i, FIRST_PORT + i, FIRST_PORT + i, i, MEMBER_PORT);
	for (unsigned k = 0; k < member_count(p, i); k++)
		fprintf(f, "  - ip: %s\n", member_text(p, i, k));
}

static void write_keepalived(FILE *f, const struct pools *p, unsigned i)
{
	fprintf(f,
		"virtual_server %s %u {\n"
		"    lb_algo wrr\n"
		"    lb_kind NAT\n"
		"    protocol TCP\n",
		p->vip, FIRST_PORT + i);
	for (unsigned k = 0; k < member_count(p, i); k++)
		fprintf(f, "    real_server %s %u {\n        weight 1\n    }\n",
			member_text(p, i, k), MEMBER_PORT);
	fputs("}\n", f);
}

static void write_file(const struct pools *p, const char *path, unsigned first, unsigned end)
{
	FILE *f = fopen(path, "we");

	if (!f)
		err(1, "%s", path);
	if (p->keepalived)
		fputs("global_defs {\n    router_id bench\n}\n", f);
	for (unsigned i = first; i < end; i++) {
		if (p->keepalived)
			write_keepalived(f, p, i);
		else
			write_manifest(f, p, i);
	}
	if (fclose(f))
		err(1, "%s", path);
}

static bool is_one_file(const struct pools *p)
{
	return p->one_file || p->keepalived;
}

/* The file that holds pool i, and one beside it that nobody reads. */
static void paths_of(const struct pools *p, unsigned i, char *path, char *beside, size_t size)
{
	const char *slash = strrchr(p->path, '/');

	if (!is_one_file(p)) {
		snprintf(path, size, "%s/pool-%05u.yaml", p->path, i);
		snprintf(beside, size, "%s/.pool-%05u.yaml.new", p->path, i);
		return;
	}
	snprintf(path, size, "%s", p->path);
	if (slash)
		snprintf(beside, size, "%.*s/.new", (int)(slash - p->path), p->path);
	else
		snprintf(beside, size, ".new");
}

static void write_pool(const struct pools *p, unsigned i, const char *path)
{
	if (is_one_file(p))
		write_file(p, path, 0, p->pools);
	else
		write_file(p, path, i, i + 1);
}

static int write_all(const struct pools *p)
{
	char path[4096], beside[4096];

	if (is_one_file(p)) {
		write_pool(p, 0, p->path);
		return 0;
	}
	if (mkdir(p->path, 0755) && errno != EEXIST)
		err(1, "%s", p->path);
	for (unsigned i = 0; i < p->pools; i++) {
		paths_of(p, i, path, beside, sizeof(path));
		write_pool(p, i, path);
	}
	return 0;
}

/* The weight of the extra member of pool i; 0 where it is not there. */
static int extra_weight(const struct pools *p, unsigned i)
{
	static union {
		struct ip_vs_get_dests get;
		uint8_t room[sizeof(struct ip_vs_get_dests) +
			     (MEMBERS_MAX + 1) * sizeof(struct ip_vs_dest_entry)];
	} dests;
	const struct in_addr extra = member_addr(p, i, EXTRA_MEMBER);
	socklen_t len;

	dests.get = (struct ip_vs_get_dests){
		.protocol = IPPROTO_TCP,
		.addr = inet_addr(p->vip),
		.port = htons((uint16_t)(FIRST_PORT + i)),
		.num_dests = p->members + 1,
	};
	len = (socklen_t)(sizeof(dests.get) +
			  dests.get.num_dests * sizeof(dests.get.entrytable[0]));
	if (getsockopt(p->fd, IPPROTO_IP, IP_VS_SO_GET_DESTS, &dests, &len))
		return 0;
	for (unsigned k = 0; k < dests.get.num_dests; k++) {
		if (dests.get.entrytable[k].addr == extra.s_addr)
			return dests.get.entrytable[k].weight;
	}
	return 0;
}

/* The pool that the nth change is of, far from the one before. */
static unsigned nth_pool(const struct pools *p, unsigned n)
{
	return n * STEP % p->pools;
}

static double change_one(struct pools *p, unsigned i, bool add)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	char path[4096], beside[4096];
	double begin;

	p->widened = add ? i : NO_POOL;
	paths_of(p, i, path, beside, sizeof(path));
	write_pool(p, i, beside);
	begin = now_ms();
	if (rename(beside, path))
		err(1, "%s", path);
	if (p->signal_to && kill(p->signal_to, SIGHUP))
		err(1, "kill %d", (int)p->signal_to);
	while ((extra_weight(p, i) > 0) != add) {
		if (now_ms() - begin > PATIENCE_S * 1e3)
			errx(1, "pool %u: not in the kernel after %d s", i, PATIENCE_S);
		nanosleep(&pause, NULL);
	}
	return now_ms() - begin;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double at_share(const double *sorted, unsigned count, double share)
{
	unsigned i = (unsigned)(share * count);

	return sorted[i < count ? i : count - 1];
}

static int change_all(struct pools *p)
{
	double *took = calloc(p->count, sizeof(*took));

	p->fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (!took || p->fd < 0)
		err(1, "socket");
	for (unsigned n = 0; n < p->count; n++)
		took[n] = change_one(p, nth_pool(p, n / 2), n % 2 == 0);
	qsort(took, p->count, sizeof(*took), by_value);
	printf("%u changes: p50 %.1f ms, p99 %.1f ms, longest %.1f ms\n", p->count,
	       at_share(took, p->count, 0.5), at_share(took, p->count, 0.99), took[p->count - 1]);
	close(p->fd);
	free(took);
	return 0;
}

static int burst(struct pools *p)
{
	char path[4096], beside[4096];
	double begin, renamed;

	p->fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (p->fd < 0)
		err(1, "socket");
	for (unsigned n = 0; n < p->count; n++) {
		p->widened = nth_pool(p, n);
		paths_of(p, p->widened, path, beside, sizeof(path));
		write_pool(p, p->widened, beside);
	}
	begin = now_ms();
	for (unsigned n = 0; n < p->count; n++) {
		const struct timespec pause = { .tv_nsec = POLL_NS };

		while (now_ms() - begin < 1e3 * n / p->count)
			nanosleep(&pause, NULL);
		paths_of(p, nth_pool(p, n), path, beside, sizeof(path));
		if (rename(beside, path))
			err(1, "%s", path);
	}
	renamed = now_ms();
	for (unsigned n = 0; n < p->count; n++) {
		while (extra_weight(p, nth_pool(p, n)) <= 0) {
			const struct timespec pause = { .tv_nsec = POLL_NS };

			if (now_ms() - begin > PATIENCE_S * 1e3)
				errx(1, "pool %u: not in the kernel after %d s", n, PATIENCE_S);
			nanosleep(&pause, NULL);
		}
	}
	printf("%u changes in %.0f ms: all in the kernel %.0f ms after the first\n", p->count,
	       renamed - begin, now_ms() - begin);
	close(p->fd);
	return 0;
}

static unsigned number(const char *text, unsigned max)
{
	int n = atoi(text);

	if (n < 1 || (unsigned)n > max)
		errx(2, "'%s' is not a number from 1 to %u", text, max);
	return (unsigned)n;
}

int main(int argc, char **argv)
{
	struct pools p = { .vip = "192.0.2.10", .count = 200, .widened = NO_POOL };
	const char *command = argc > 1 ? argv[1] : "";
	int opt;

	optind = 2;
	while (argc > 2 && (opt = getopt(argc, argv, "1kv:n:s:")) != -1) {
		switch (opt) {
		case '1':
			p.one_file = true;
			break;
		case 'k':
			p.keepalived = true;
			break;
		case 'v':
			p.vip = optarg;
			break;
		case 'n':
			p.count = number(optarg, COUNT_MAX);
			break;
		case 's':
			p.signal_to = (pid_t)number(optarg, INT32_MAX);
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 3)
		errx(2, "usage: pools write|change|burst [OPTION...] PATH POOLS MEMBERS");
	p.path = argv[optind];
	p.pools = number(argv[optind + 1], POOLS_MAX);
	p.members = number(argv[optind + 2], MEMBERS_MAX);
	if (!strcmp(command, "write"))
		return write_all(&p);
	if (!strcmp(command, "change"))
		return change_all(&p);
	if (!strcmp(command, "burst"))
		return burst(&p);
	errx(2, "'%s' is none of write, change and burst", command);
}
