/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model at size: SERVICES x MEMBERS (35000 x 10 unless given as arguments)
 * read from YAML text, worked out, and changed one at a time. Prints seconds,
 * microseconds and resident bytes, one figure a line.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/pool/address_pool.h"
#include "agent/pool/pool.h"

#define CHANGES 1000

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double resident_mb(void)
{
	unsigned long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2)
		log_fatal("bench", "cannot read /proc/self/statm");
	fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static void service_text(struct buf *b, unsigned i)
{
	buf_printf(b,
		   "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: svc-%u\n  namespace: "
		   "bench\n"
		   "  annotations:\n    parasaus.io/health-check-type: none\nspec:\n  type: "
		   "NodePort\n  ports:\n"
		   "  - name: http\n    port: 80\n    nodePort: %u\n    protocol: TCP\n",
		   i, 30000 + i);
}

static void endpoints_text(struct buf *b, unsigned i, unsigned members, unsigned version)
{
	buf_printf(b,
		   "---\napiVersion: v1\nkind: Endpoints\nmetadata:\n  name: svc-%u\n  namespace: "
		   "bench\nsubsets:\n"
		   "- addresses:\n",
		   i);
	for (unsigned m = 0; m < members; m++) {
		unsigned n = (i * members + m + version) & 0xffffff;

		buf_printf(b, "  - ip: 10.%u.%u.%u\n", n >> 16, n >> 8 & 255, n & 255);
	}
	buf_str(b, "  ports:\n  - name: http\n    port: 8080\n");
}

static size_t put_all(struct pools *p, const struct buf *text)
{
	const struct object_origin from = { .path = "bench.yaml" };
	struct doc_reader *r = doc_reader_new(text->data, text->len, &DOC_LIMITS_DEFAULT);
	struct doc_set s;
	struct err err = { 0 };
	enum doc_step step;
	size_t n = 0;

	do {
		struct object *o;

		step = doc_reader_step(r, 1000, &s, &err);
		if (step != DOC_STEP_DOCUMENT)
			continue;
		if (object_decode(s.roots[0], &from, &o, &err) < 0)
			log_fatal("bench", "%s", err.text);
		pools_put(p, o);
		doc_set_done(&s);
		n++;
	} while (step == DOC_STEP_DOCUMENT || step == DOC_STEP_MORE);
	doc_reader_free(r);
	return n;
}

static void count_change(void *arg, const char *id, struct pool *pool)
{
	(void)id;
	(void)pool;
	(*(size_t *)arg)++;
}

static unsigned argument(char **argv, int argc, int i, unsigned otherwise)
{
	return argc > i ? (unsigned)strtoul(argv[i], NULL, 10) : otherwise;
}

/* An address pool comes, and one that nobody has anything of goes: most pools are not concerned. */
static void change_rules(struct pools *p)
{
	const struct pool_rules *before = pool_rules_ref(pools_rules(p)), *more;
	struct addr_range other;
	struct address_pool edge = { .name = (char[]){ "edge" },
				     .addresses = &other,
				     .address_count = 1,
				     .ports = { 1, 999 },
				     .revision = 1,
				     .created = 1 };
	size_t changes = 0;
	double start;

	if (addr_range_parse("192.0.2.2", &other) < 0)
		log_fatal("bench", "no address");
	more = pool_rules_with(before, edge.name, &edge);
	start = now_s();
	pools_set_rules(p, more);
	pools_update(p, count_change, &changes);
	printf("rules: one address pool more in %.1f ms", (now_s() - start) * 1e3);
	start = now_s();
	pools_set_rules(p, before);
	pools_update(p, count_change, &changes);
	printf(", one less in %.1f ms; %zu pools told\n", (now_s() - start) * 1e3, changes);
	pool_rules_unref(more);
	pool_rules_unref(before);
}

int main(int argc, char **argv)
{
	unsigned services = argument(argv, argc, 1, 35000), members = argument(argv, argc, 2, 10);
	struct addr_range vips;
	struct address_pool pool = { .name = (char[]){ "main" },
				     .addresses = &vips,
				     .address_count = 1,
				     .ports = { 30000, 65535 } };
	struct pool_rules rules = {
		.address_pools = &pool,
		.address_pool_count = 1,
		.defaults = { .scheduler = "wrr", .weight = 1, .check = check_new(CHECK_TCP) },
	};
	struct pools *p = pools_new(&rules);
	struct buf text = { 0 };
	size_t n, changes = 0;
	double before, start;

	if (addr_range_parse("192.0.2.1", &vips) < 0)
		return 1;
	for (unsigned i = 0; i < services; i++) {
		service_text(&text, i);
		endpoints_text(&text, i, members, 0);
	}
	before = resident_mb();
	start = now_s();
	n = put_all(p, &text);
	printf("read: %zu objects of %.1f MB in %.3f s\n", n, (double)text.len / 1e6,
	       now_s() - start);
	start = now_s();
	pools_update(p, count_change, &changes);
	printf("build: %zu pools in %.3f s\n", changes, now_s() - start);
	malloc_trim(0);
	printf("memory: %.1f MB\n", resident_mb() - before);
	changes = 0;
	start = now_s();
	for (unsigned i = 0; i < CHANGES; i++) {
		buf_reset(&text);
		endpoints_text(&text, i * 7 % services, members, 1);
		put_all(p, &text);
		pools_update(p, count_change, &changes);
	}
	printf("change: %zu told, %.1f us each, reading included\n", changes,
	       (now_s() - start) / CHANGES * 1e6);
	change_rules(p);
	buf_done(&text);
	pools_free(p);
	check_unref(rules.defaults.check);
	return 0;
}
