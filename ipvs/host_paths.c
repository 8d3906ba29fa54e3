/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/host_paths.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"
#include "ipvs/host_shown.h"

/* The paths of one family. */
struct entries {
	const char *ip; /* of the family */
	const struct ipvs_path **v;
	size_t count;
};

/*
 * In the order in which nftables prints elements: by their key as a number whose last byte counts most
 * (so little-endian machines read it), which is that of the path's port. No two have the same.
 */
static int entry_cmp(const void *a, const void *b)
{
	uint16_t x = ipvs_path_port(*(const struct ipvs_path *const *)a);
	uint16_t y = ipvs_path_port(*(const struct ipvs_path *const *)b);

	return (x & 0xff) == (y & 0xff) ? x - y : (x & 0xff) - (y & 0xff);
}

static struct entries entries_of(const struct ipvs_paths *p, uint8_t family)
{
	struct entries e = { family == AF_INET ? "ip" : "ip6", NULL, 0 };

	e.v = xcalloc(p->count + 1, sizeof(struct ipvs_path *));
	for (size_t i = 0; i < p->count; i++) {
		if (p->items[i].vip.family == family)
			e.v[e.count++] = &p->items[i];
	}
	qsort(e.v, e.count, sizeof(struct ipvs_path *), entry_cmp);
	return e;
}

static void entries_done(struct entries *e)
{
	free(e->v);
}

/* --- text --- */

static void put_addr(const struct addr *a, struct buf *out)
{
	char text[ADDR_TEXT_MAX];

	buf_str(out, addr_text(a, text));
}

typedef void put_element_fn(const struct ipvs_path *p, struct buf *out);

/* Both ends of a packet, as it is sent and as its answer comes in. */
static void put_key(const struct addr *a, const struct ipvs_path *p, struct buf *out)
{
	put_addr(a, out);
	buf_printf(out, " . %u . %u : ", p->to.port, ipvs_path_port(p));
}

static void put_mark(const struct ipvs_path *p, struct buf *out)
{
	put_key(&p->to.addr, p, out);
	buf_printf(out, "0x%08x", ipvs_path_mark(p));
}

static void put_vip(const struct ipvs_path *p, struct buf *out)
{
	put_key(&p->to.addr, p, out);
	put_addr(&p->vip, out);
}

static void put_server(const struct ipvs_path *p, struct buf *out)
{
	put_key(&p->vip, p, out);
	put_addr(&p->to.addr, out);
}

static void put_map(const struct entries *e, put_element_fn *put, struct buf *out)
{
	buf_str(out, " map {");
	for (size_t i = 0; i < e->count; i++) {
		buf_str(out, i ? ", " : " ");
		put(e->v[i], out);
	}
	buf_str(out, " }\n");
}

static void put_forth(const struct entries *e, struct buf *out)
{
	buf_printf(out, "\t\tmeta mark set %s daddr . tcp dport . tcp sport", e->ip);
	put_map(e, put_mark, out);
	buf_printf(out, "\t\t%s daddr set %s daddr . tcp dport . tcp sport", e->ip, e->ip);
	put_map(e, put_vip, out);
}

static void put_back(const struct entries *e, struct buf *out)
{
	buf_printf(out, "\t\t%s saddr set %s saddr . tcp sport . tcp dport", e->ip, e->ip);
	put_map(e, put_server, out);
}

typedef void put_rules_fn(const struct entries *e, struct buf *out);

static void put_rules(const struct ipvs_paths *p, put_rules_fn *put, struct buf *out)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		CLEANUP(entries_done) struct entries e = entries_of(p, families[i]);

		if (e.count)
			put(&e, out);
	}
}

#define PORTS "61000-61999"
#define MARKS "0x50610000-0x506103e7"
_Static_assert(IPVS_PATH_PORT == 61000 && IPVS_PATHS_MAX == 1000 && IPVS_PATH_MARK == 0x50610000,
	       "PORTS, MARKS");

/*
 * Of TCP from and to other ports nothing else is looked at, nor of what only goes through this host:
 * packets of clients may have such ports, too.
 */
void host_paths_text(const struct ipvs_paths *p, struct buf *out)
{
	if (!p->count)
		return;
	buf_str(out, "table inet " HOST_PATHS_TABLE " {\n"
		     "\tcomment \"written by parasausd, which undoes changes\"\n"
		     "\n"
		     "\tchain output {\n"
		     "\t\ttype route hook output priority -97; policy accept;\n"
		     "\t\ttcp sport " PORTS " fib saddr type local jump forth\n"
		     "\t}\n"
		     "\n"
		     "\tchain forth {\n");
	put_rules(p, put_forth, out);
	buf_str(out, "\t\tmeta mark " MARKS " fib daddr type != local drop\n"
		     "\t}\n"
		     "\n"
		     "\tchain prerouting {\n"
		     "\t\ttype filter hook prerouting priority -310; policy accept;\n"
		     "\t\ttcp dport " PORTS " fib daddr type local jump back\n"
		     "\t}\n"
		     "\n"
		     "\tchain back {\n");
	put_rules(p, put_back, out);
	buf_str(out, "\t}\n}\n");
}

/* --- the kernel --- */

int host_paths_open(struct host_shown **out, struct err *err)
{
	return host_shown_open(HOST_PATHS_TABLE, out, err);
}
