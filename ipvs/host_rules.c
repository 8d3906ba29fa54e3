/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/host_rules.h"

#include <assert.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"
#include "ipvs/host_nft.h"
#include "ipvs/host_nftables.h"

struct host_rules {
	const struct ipvs_config *config;
	struct host_nft *nft; /* for reading */
	char *shown; /* what libnftables prints where the table is right; NULL: as in our text */
};

int host_rules_open(const struct ipvs_config *c, struct host_rules **out, struct err *err)
{
	struct host_rules *r = xcalloc(1, sizeof(*r));
	int ret = host_nft_open(&r->nft);

	r->config = c;
	if (ret < 0) {
		host_rules_close(r);
		return err_set(err, ret, "netfilter socket: %s", strerror(-ret));
	}
	*out = r;
	return 0;
}

void host_rules_close(struct host_rules *r)
{
	if (!r)
		return;
	host_nft_close(r->nft);
	free(r->shown);
	free(r);
}

/* The tables that there should be. */
static unsigned wanted_tables(const struct host_rules *r)
{
	return HOST_TABLE_INET |
	       (r->config->announce.mode == IPVS_ANNOUNCE_ALL ? 0u : HOST_TABLE_ARP);
}

static int tables_there(struct host_rules *r, unsigned *out, struct err *err)
{
	bool inet = false;
	bool arp = false;
	int ret = host_nft_has_table(r->nft, NFPROTO_INET, HOST_RULES_TABLE, &inet);

	if (ret == 0)
		ret = host_nft_has_table(r->nft, NFPROTO_ARP, HOST_RULES_TABLE, &arp);
	if (ret < 0)
		return err_set(err, ret, "nftables: %s", strerror(-ret));
	*out = (inet ? HOST_TABLE_INET : 0u) | (arp ? HOST_TABLE_ARP : 0u);
	return 0;
}

/* One after the other: asked for two at once, nftables 1.0.6 does not find the first. */
static int list_tables(const struct host_rules *r, char **out, struct err *err)
{
	CLEANUP(xfree_ptr) char *inet = NULL;
	CLEANUP(xfree_ptr) char *arp = NULL;
	int ret = host_nftables_run("list table inet " HOST_RULES_TABLE "\n", &inet, err);

	if (ret == 0 && wanted_tables(r) & HOST_TABLE_ARP)
		ret = host_nftables_run("list table arp " HOST_RULES_TABLE "\n", &arp, err);
	if (ret == 0)
		*out = xasprintf("%s%s", inet, arp ? arp : "");
	return ret;
}

static bool is_right(const struct host_rules *r, const char *listed)
{
	struct buf text = { 0 };
	bool right;

	assert(listed);
	if (r->shown)
		return host_nftables_same(listed, r->shown);
	host_rules_text(wanted_tables(r), &text);
	right = host_nftables_same(listed, buf_cstr(&text));
	buf_done(&text);
	return right;
}

/* --- reading --- */

/*
 * Keys of concatenations: each field in network order, padded to four bytes. An address may be
 * followed by a protocol and a port (direct) or a port (ours).
 */
static bool take_addr(const uint8_t **key, size_t *len, uint8_t family, struct addr *out)
{
	struct addr a = { .family = family };

	if (*len < addr_len(&a))
		return false;
	memcpy(a.bytes, *key, addr_len(&a));
	*key += addr_len(&a);
	*len -= addr_len(&a);
	*out = a;
	return true;
}

static uint16_t port_of(const uint8_t *field)
{
	return (uint16_t)(field[0] << 8 | field[1]);
}

struct read_part {
	host_element_fn *fn;
	void *arg;
	enum host_part part;
	uint8_t family;
};

static int read_element(void *arg, const uint8_t *key, size_t len, const uint8_t *end,
			size_t end_len)
{
	const struct read_part *read = arg;
	struct endpoint e = { 0 };

	(void)end;
	(void)end_len;
	if (!take_addr(&key, &len, read->family, &e.addr) ||
	    len != (read->part == HOST_DIRECT ? 8 : 0))
		return -EBADMSG;
	if (read->part == HOST_DIRECT) {
		e.protocol = key[0];
		e.port = port_of(key + 4);
	}
	read->fn(read->arg, read->part, &e);
	return 0;
}

int host_rules_read(struct host_rules *r, host_element_fn *fn, void *arg)
{
	static const struct {
		const char *name;
		uint8_t table; /* its family */
		enum host_part part;
		uint8_t family;
	} sets[] = {
		{ "vips4", NFPROTO_INET, HOST_VIP, AF_INET },
		{ "vips6", NFPROTO_INET, HOST_VIP, AF_INET6 },
		{ "own4", NFPROTO_INET, HOST_OWN, AF_INET },
		{ "own6", NFPROTO_INET, HOST_OWN, AF_INET6 },
		{ "direct4", NFPROTO_INET, HOST_DIRECT, AF_INET },
		{ "direct6", NFPROTO_INET, HOST_DIRECT, AF_INET6 },
		{ "silent4", NFPROTO_ARP, HOST_SILENT, AF_INET },
	};

	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct read_part read = { fn, arg, sets[i].part, sets[i].family };
		int ret;

		if (sets[i].table == NFPROTO_ARP && !(wanted_tables(r) & HOST_TABLE_ARP))
			continue;
		ret = host_nft_elements(r->nft, sets[i].table, HOST_RULES_TABLE, sets[i].name,
					read_element, &read);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* --- is the table as it should be? --- */

struct compare_ours {
	const struct ipvs_ours *blocks;
	size_t count;
	size_t found; /* blocks that are there; any other makes it SIZE_MAX / 2 and more */
	uint8_t family;
};

static bool take_block(const uint8_t *key, size_t len, const uint8_t *end, size_t end_len,
		       uint8_t family, struct ipvs_ours *out)
{
	*out = (struct ipvs_ours){ 0 };
	if (!take_addr(&key, &len, family, &out->addresses.first) || len != 4 || !end ||
	    !take_addr(&end, &end_len, family, &out->addresses.last) || end_len != 4)
		return false;
	out->ports = (struct port_range){ port_of(key), port_of(end) };
	return true;
}

struct read_ours {
	struct ipvs_ours_list *out;
	uint8_t family;
};

static int add_block(void *arg, const uint8_t *key, size_t len, const uint8_t *end, size_t end_len)
{
	struct read_ours *r = arg;
	struct ipvs_ours o;

	if (!take_block(key, len, end, end_len, r->family, &o) || r->out->count == IPVS_OURS_MAX)
		return 0;
	r->out->items = xreallocarray(r->out->items, r->out->count + 1, sizeof(o));
	r->out->items[r->out->count++] = o;
	return 0;
}

int host_rules_read_ours(struct host_rules *r, struct ipvs_ours_list *out)
{
	struct read_ours read = { out, AF_INET };
	int ret = host_nft_elements(r->nft, NFPROTO_INET, HOST_RULES_TABLE, "ours4", add_block,
				    &read);

	read.family = AF_INET6;
	return ret < 0 ? ret
		       : host_nft_elements(r->nft, NFPROTO_INET, HOST_RULES_TABLE, "ours6",
					   add_block, &read);
}

static int compare_block(void *arg, const uint8_t *key, size_t len, const uint8_t *end,
			 size_t end_len)
{
	struct compare_ours *c = arg;
	struct ipvs_ours o;

	if (!take_block(key, len, end, end_len, c->family, &o)) {
		c->found = SIZE_MAX / 2;
		return 0;
	}
	for (size_t i = 0; i < c->count; i++) {
		if (memcmp(&c->blocks[i], &o, sizeof(o)) == 0) {
			c->found++;
			return 0;
		}
	}
	c->found = SIZE_MAX / 2;
	return 0;
}

/* The kernel does not hold an element twice, so the number will do. */
static int check_ours(struct host_rules *r, bool *out_same)
{
	CLEANUP(xfree_ptr) struct ipvs_ours *blocks = NULL;
	size_t count = host_ours_disjoint(r->config->ours, r->config->ours_count, &blocks);
	struct compare_ours c = { blocks, count, 0, AF_INET };
	int ret = host_nft_elements(r->nft, NFPROTO_INET, HOST_RULES_TABLE, "ours4", compare_block,
				    &c);

	c.family = AF_INET6;
	if (ret == 0)
		ret = host_nft_elements(r->nft, NFPROTO_INET, HOST_RULES_TABLE, "ours6",
					compare_block, &c);
	if (ret == 0)
		*out_same = c.found == count;
	return ret;
}

int host_rules_check(struct host_rules *r, bool *out_intact, struct err *err)
{
	CLEANUP(xfree_ptr) char *listed = NULL;
	unsigned there = 0;
	bool intact;
	int ret = tables_there(r, &there, err);

	if (ret < 0)
		return ret;
	intact = there == wanted_tables(r);
	if (intact) {
		ret = list_tables(r, &listed, err);
		if (ret < 0)
			return ret;
		intact = is_right(r, listed);
	}
	if (intact) {
		ret = check_ours(r, &intact);
		if (ret < 0)
			return err_set(err, ret, "reading nftables sets: %s", strerror(-ret));
	}
	*out_intact = intact;
	return 0;
}

/* --- writing --- */

int host_rules_change(struct host_rules *r, const struct host_change *elements, size_t count,
		      struct err *err)
{
	struct buf text = { 0 };
	int ret = 0;

	(void)r;
	host_rules_element_text(elements, count, &text);
	if (text.len)
		ret = host_nftables_run(buf_cstr(&text), NULL, err);
	buf_done(&text);
	return ret;
}

int host_rules_replace(struct host_rules *r, const struct host_change *elements, size_t count,
		       struct err *err)
{
	CLEANUP(xfree_ptr) char *listed = NULL;
	struct buf text = { 0 };
	unsigned there = 0;
	int ret = tables_there(r, &there, err);

	if (ret < 0)
		return ret;
	host_rules_replace_text(there, wanted_tables(r), r->config->ours, r->config->ours_count,
				elements, count, &text);
	ret = host_nftables_run(buf_cstr(&text), NULL, err);
	buf_done(&text);
	if (ret < 0)
		return ret;
	/* Another version may print our rules in other words. */
	ret = list_tables(r, &listed, err);
	if (ret < 0)
		return ret;
	free(r->shown);
	r->shown = listed;
	listed = NULL;
	return 0;
}

int host_rules_delete(struct host_rules *r, unsigned *out_existed, struct err *err)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	unsigned there = 0;
	int ret = tables_there(r, &there, err);

	if (there & HOST_TABLE_INET)
		buf_str(&text, "delete table inet " HOST_RULES_TABLE "\n");
	if (there & HOST_TABLE_ARP)
		buf_str(&text, "delete table arp " HOST_RULES_TABLE "\n");
	if (ret == 0 && there)
		ret = host_nftables_run(buf_cstr(&text), NULL, err);
	if (ret == 0)
		*out_existed = there;
	return ret;
}

int host_rules_generation(struct host_rules *r, uint32_t *out)
{
	return host_nft_generation(r->nft, out);
}
