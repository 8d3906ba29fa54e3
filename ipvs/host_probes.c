/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/host_probes.h"

#include <sys/socket.h>

#include "agent/base/xalloc.h"
#include "ipvs/host_shown.h"

/* --- text --- */

static bool is_left_alone(const struct ipvs_config *c, const struct ipvs_notrack *n, unsigned part)
{
	enum ipvs_notrack_mode mode = n->parts[part].mode;

	return c->probes_from[part].family &&
	       (mode == IPVS_NOTRACK_SOME || mode == IPVS_NOTRACK_ALL);
}

static const char *ip_of(const struct addr *a)
{
	return a->family == AF_INET ? "ip" : "ip6";
}

static void put_hook(const struct ipvs_config *c, const struct ipvs_notrack *n, const char *hook,
		     const char *side, struct buf *out)
{
	char text[ADDR_TEXT_MAX];

	buf_printf(out,
		   "\tchain %s {\n"
		   "\t\ttype filter hook %s priority -300; policy accept;\n",
		   hook, hook);
	for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++) {
		const struct addr *from = &c->probes_from[i];

		if (is_left_alone(c, n, i))
			buf_printf(
				out, "\t\t%s %s %s %s\n", ip_of(from), side, addr_text(from, text),
				n->parts[i].mode == IPVS_NOTRACK_ALL ? "notrack" : "jump servers");
	}
	buf_str(out, "\t}\n");
}

/* Of either direction: the other end is the address that checks come from. */
static void put_servers(const struct ipvs_config *c, const struct ipvs_notrack *n, struct buf *out)
{
	char text[ADDR_TEXT_MAX];

	buf_str(out, "\n\tchain servers {\n");
	for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++) {
		const struct ipvs_notrack_part *p = &n->parts[i];

		for (uint32_t k = 0; is_left_alone(c, n, i) && k < p->count; k++) {
			const char *ip = ip_of(&p->servers[k]);

			addr_text(&p->servers[k], text);
			buf_printf(out, "\t\t%s daddr %s notrack\n\t\t%s saddr %s notrack\n", ip,
				   text, ip, text);
		}
	}
	buf_str(out, "\t}\n");
}

void host_probes_text(const struct ipvs_config *c, const struct ipvs_notrack *n, struct buf *out)
{
	bool any = false, some = false;

	for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++) {
		any |= is_left_alone(c, n, i);
		some |= is_left_alone(c, n, i) && n->parts[i].mode == IPVS_NOTRACK_SOME;
	}
	if (!any)
		return;
	buf_str(out, "table inet " HOST_PROBES_TABLE " {\n"
		     "\tcomment \"written by parasausd, which undoes changes\"\n");
	put_hook(c, n, "output", "saddr", out);
	buf_str(out, "\n");
	put_hook(c, n, "prerouting", "daddr", out);
	if (some)
		put_servers(c, n, out);
	buf_str(out, "}\n");
}

/* --- the kernel --- */

int host_probes_open(struct host_shown **out, struct err *err)
{
	return host_shown_open(HOST_PROBES_TABLE, out, err);
}

int host_probes_read(struct host_shown *table, const struct ipvs_config *c,
		     struct ipvs_notrack *out, struct err *err)
{
	CLEANUP(xfree_ptr) char *listed = NULL;
	int r = host_shown_list(table, &listed, err);

	*out = (struct ipvs_notrack){ 0 };
	if (r < 0)
		return r;
	/* Both families before each alone. */
	for (unsigned bits = (1u << IPVS_NOTRACK_PARTS) - 1; bits; bits--) {
		CLEANUP(buf_done) struct buf text = { 0 };
		struct ipvs_notrack n = { 0 };

		for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++) {
			if (bits & 1u << i && c->probes_from[i].family)
				n.parts[i].mode = IPVS_NOTRACK_ALL;
		}
		host_probes_text(c, &n, &text);
		if (*listed && host_shown_is(table, listed, buf_cstr(&text))) {
			*out = n;
			return 0;
		}
	}
	return 0;
}
