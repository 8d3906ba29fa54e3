/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/host_paths.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"
#include "ipvs/host_shown.h"

/* The paths of one family, in the order in which nftables prints what is keyed by that address. */
struct entry {
	const struct addr *addr;
	const struct ipvs_path *path;
};

struct entries {
	const char *ip; /* of the family */
	struct entry *v;
	size_t count;
};

static int entry_cmp(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;
	int c = addr_cmp(x->addr, y->addr);

	if (c == 0)
		c = x->path->to.port - y->path->to.port;
	return c ? c : x->path->number - y->path->number;
}

enum side { SERVER, VIP };

static struct entries entries_of(const struct ipvs_paths *p, uint8_t family, enum side key)
{
	struct entries e = { family == AF_INET ? "ip" : "ip6", NULL, 0 };

	e.v = xreallocarray(NULL, p->count + 1, sizeof(*e.v));
	for (size_t i = 0; i < p->count; i++) {
		const struct ipvs_path *path = &p->items[i];

		if (path->vip.family == family)
			e.v[e.count++] =
				(struct entry){ key == SERVER ? &path->to.addr : &path->vip, path };
	}
	qsort(e.v, e.count, sizeof(*e.v), entry_cmp);
	return e;
}

static void entries_done(struct entries *e)
{
	free(e->v);
}

/* --- text --- */

typedef void put_value_fn(const struct ipvs_path *p, struct buf *out);

static void put_mark(const struct ipvs_path *p, struct buf *out)
{
	buf_printf(out, " : 0x%08x", ipvs_path_mark(p));
}

static void put_vip(const struct ipvs_path *p, struct buf *out)
{
	char text[ADDR_TEXT_MAX];

	buf_printf(out, " : %s", addr_text(&p->vip, text));
}

static void put_server(const struct ipvs_path *p, struct buf *out)
{
	char text[ADDR_TEXT_MAX];

	buf_printf(out, " : %s", addr_text(&p->to.addr, text));
}

static void put_elements(const struct entries *e, put_value_fn *put, struct buf *out)
{
	char text[ADDR_TEXT_MAX];

	buf_str(out, " {");
	for (size_t i = 0; i < e->count; i++) {
		buf_printf(out, "%s %s . %u . %u", i ? "," : "", addr_text(e->v[i].addr, text),
			   e->v[i].path->to.port, ipvs_path_port(e->v[i].path));
		put(e->v[i].path, out);
	}
	buf_str(out, " }");
}

static void put_mark_and_vip(const struct entries *e, struct buf *out)
{
	buf_printf(out, "\t\tmeta mark set %s daddr . tcp dport . tcp sport map", e->ip);
	put_elements(e, put_mark, out);
	buf_printf(out, "\n\t\t%s daddr set %s daddr . tcp dport . tcp sport map", e->ip, e->ip);
	put_elements(e, put_vip, out);
	buf_str(out, "\n");
}

static void put_source(const struct entries *e, struct buf *out)
{
	buf_printf(out, "\t\t%s saddr set %s saddr . tcp sport . tcp dport map", e->ip, e->ip);
	put_elements(e, put_server, out);
	buf_str(out, "\n");
}

typedef void put_rules_fn(const struct entries *e, struct buf *out);

/* Those of both families, the paths in the order of that key. */
static void put_rules(const struct ipvs_paths *p, enum side key, put_rules_fn *put, struct buf *out)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		CLEANUP(entries_done) struct entries e = entries_of(p, families[i], key);

		if (e.count)
			put(&e, out);
	}
}

#define PORTS "61000-61999"
_Static_assert(IPVS_PATH_PORT == 61000 && IPVS_PATHS_MAX == 1000, "PORTS");

/* Of TCP from and to other ports nothing else is looked at. */
void host_paths_text(const struct ipvs_paths *p, struct buf *out)
{
	if (!p->count)
		return;
	buf_str(out, "table inet " HOST_PATHS_TABLE " {\n"
		     "\tcomment \"written by parasausd, which undoes changes\"\n"
		     "\n"
		     "\tchain output {\n"
		     "\t\ttype route hook output priority -97; policy accept;\n"
		     "\t\ttcp sport " PORTS " jump forth\n"
		     "\t}\n"
		     "\n"
		     "\tchain forth {\n");
	put_rules(p, SERVER, put_mark_and_vip, out);
	buf_str(out, "\t}\n"
		     "\n"
		     "\tchain prerouting {\n"
		     "\t\ttype filter hook prerouting priority -310; policy accept;\n"
		     "\t\ttcp dport " PORTS " jump back\n"
		     "\t}\n"
		     "\n"
		     "\tchain back {\n");
	put_rules(p, VIP, put_source, out);
	buf_str(out, "\t}\n}\n");
}

/* --- the kernel --- */

int host_paths_open(struct host_shown **out, struct err *err)
{
	return host_shown_open(HOST_PATHS_TABLE, out, err);
}
