/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/host_probes.h"

#include <linux/netfilter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"
#include "ipvs/host_nft.h"
#include "ipvs/host_nftables.h"

struct host_probes {
	const struct ipvs_config *config;
	struct host_nft *nft; /* for reading */
	/* The table as it was made, and what libnftables prints of it: another version may print it in
	 * other words. NULL: none was made. */
	char *made, *shown;
};

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

int host_probes_open(const struct ipvs_config *c, struct host_probes **out, struct err *err)
{
	struct host_probes *p = xcalloc(1, sizeof(*p));
	int r = host_nft_open(&p->nft);

	p->config = c;
	if (r < 0) {
		host_probes_close(p);
		return err_set(err, r, "netfilter socket: %s", strerror(-r));
	}
	*out = p;
	return 0;
}

void host_probes_close(struct host_probes *p)
{
	if (!p)
		return;
	host_nft_close(p->nft);
	free(p->made);
	free(p->shown);
	free(p);
}

/* *out: the caller's; "" where there is no table. */
static int list(struct host_probes *p, char **out, struct err *err)
{
	bool there = false;
	int r = host_nft_has_table(p->nft, NFPROTO_INET, HOST_PROBES_TABLE, &there);

	if (r < 0)
		return err_set(err, r, "nftables: %s", strerror(-r));
	if (there)
		return host_nftables_run("list table inet " HOST_PROBES_TABLE "\n", out, err);
	*out = xstrdup("");
	return 0;
}

static bool is_text_of(const struct host_probes *p, const char *listed,
		       const struct ipvs_notrack *n)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	host_probes_text(p->config, n, &text);
	if (p->made && strcmp(p->made, buf_cstr(&text)) == 0)
		return host_nftables_same(listed, p->shown);
	return host_nftables_same(listed, buf_cstr(&text));
}

int host_probes_read(struct host_probes *p, struct ipvs_notrack *out, struct err *err)
{
	CLEANUP(xfree_ptr) char *listed = NULL;
	int r = list(p, &listed, err);

	*out = (struct ipvs_notrack){ 0 };
	if (r < 0)
		return r;
	/* Both families before each alone. */
	for (unsigned bits = (1u << IPVS_NOTRACK_PARTS) - 1; bits; bits--) {
		struct ipvs_notrack n = { 0 };

		for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++) {
			if (bits & 1u << i && p->config->probes_from[i].family)
				n.parts[i].mode = IPVS_NOTRACK_ALL;
		}
		if (*listed && is_text_of(p, listed, &n)) {
			*out = n;
			return 0;
		}
	}
	return 0;
}

/* What it is printed as is known from here on. */
static int remember(struct host_probes *p, const char *made, struct err *err)
{
	char *shown = NULL;
	int r = *made ? list(p, &shown, err) : 0;

	free(p->made);
	free(p->shown);
	p->made = shown ? xstrdup(made) : NULL;
	p->shown = shown;
	return r;
}

int host_probes_make(struct host_probes *p, const struct ipvs_notrack *n, bool *out_wrote,
		     struct err *err)
{
	CLEANUP(xfree_ptr) char *listed = NULL;
	CLEANUP(buf_done) struct buf commands = { 0 };
	CLEANUP(buf_done) struct buf text = { 0 };
	int r = list(p, &listed, err);

	*out_wrote = false;
	if (r < 0 || is_text_of(p, listed, n))
		return r;
	host_probes_text(p->config, n, &text);
	if (*listed)
		buf_str(&commands, "delete table inet " HOST_PROBES_TABLE "\n");
	buf_str(&commands, buf_cstr(&text));
	r = host_nftables_run(buf_cstr(&commands), NULL, err);
	if (r < 0)
		return r;
	*out_wrote = true;
	return remember(p, buf_cstr(&text), err);
}

int host_probes_delete(struct host_probes *p, bool *out_existed, struct err *err)
{
	int r = host_nft_has_table(p->nft, NFPROTO_INET, HOST_PROBES_TABLE, out_existed);

	if (r < 0)
		return err_set(err, r, "nftables: %s", strerror(-r));
	if (!*out_existed)
		return 0;
	return host_nftables_run("delete table inet " HOST_PROBES_TABLE "\n", NULL, err);
}
