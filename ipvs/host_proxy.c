/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/host_proxy.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"
#include "ipvs/host_rtnl.h"

/* --- the values --- */

static int compare(const void *a, const void *b)
{
	const struct host_proxy *x = a;
	const struct host_proxy *y = b;
	int by_addr = addr_cmp(&x->addr, &y->addr);

	return by_addr ? by_addr : (x->link > y->link) - (x->link < y->link);
}

void host_proxies_add(struct host_proxies *p, const struct host_proxy *proxy)
{
	if (p->count == p->size) {
		p->size = p->size ? p->size * 2 : 16;
		p->v = xreallocarray(p->v, p->size, sizeof(*p->v));
	}
	p->v[p->count++] = *proxy;
}

void host_proxies_sort(struct host_proxies *p)
{
	if (p->count > 1)
		qsort(p->v, p->count, sizeof(*p->v), compare);
}

void host_proxies_done(struct host_proxies *p)
{
	free(p->v);
	*p = (struct host_proxies){ 0 };
}

bool host_proxies_on(const struct host_proxies *p, unsigned link)
{
	for (size_t i = 0; i < p->count; i++) {
		if (p->v[i].ours && p->v[i].link == link)
			return true;
	}
	return false;
}

/* The first of an address, or where it would be. */
static size_t first_of(const struct host_proxies *p, const struct addr *a)
{
	size_t low = 0;
	size_t high = p->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (addr_cmp(&p->v[middle].addr, a) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void put_planned(struct host_proxy_changes *out, const struct addr *vip, unsigned link,
			bool add)
{
	if (out->count == out->size) {
		out->size = out->size ? out->size * 2 : 16;
		out->v = xreallocarray(out->v, out->size, sizeof(*out->v));
	}
	out->v[out->count++] = (struct host_proxy_change){ { *vip, link, true }, add, 0 };
}

void host_proxies_plan(const struct host_proxies *p, const struct host_links *l,
		       const struct addr *vip, bool wanted, struct host_proxy_changes *out)
{
	size_t first = first_of(p, vip);
	size_t end = first;

	for (; end < p->count && addr_cmp(&p->v[end].addr, vip) == 0; end++) {
		const struct host_link *at = host_links_find(l, p->v[end].link);

		if (p->v[end].ours && !(wanted && at && host_link_has(at, vip)))
			put_planned(out, vip, p->v[end].link, false);
	}
	for (size_t i = 0; wanted && i < l->count; i++) {
		bool there = !host_link_has(&l->v[i], vip);

		for (size_t k = first; k < end && !there; k++)
			there = p->v[k].link == l->v[i].index;
		if (!there)
			put_planned(out, vip, l->v[i].index, true);
	}
}

void host_proxy_changes_done(struct host_proxy_changes *c)
{
	free(c->v);
	*c = (struct host_proxy_changes){ 0 };
}

/* --- reading --- */

struct reading {
	struct host_proxies *out;
	uint8_t protocol;
};

static int keep_attribute(const struct nlattr *attr, void *data)
{
	const struct nlattr **table = data;

	if (mnl_attr_type_valid(attr, NDA_MAX) >= 0)
		table[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static int read_one(const struct nlmsghdr *nlh, void *data)
{
	const struct reading *read = data;
	const struct ndmsg *nd = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr[NDA_MAX + 1] = { 0 };
	struct host_proxy p = { 0 };

	if (nlh->nlmsg_type != RTM_NEWNEIGH || nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*nd)) ||
	    nd->ndm_family != AF_INET6 || !(nd->ndm_flags & NTF_PROXY) || nd->ndm_ifindex <= 0)
		return MNL_CB_OK;
	if (mnl_attr_parse(nlh, sizeof(*nd), keep_attribute, (void *)attr) < 0)
		return MNL_CB_ERROR;
	if (!host_rtnl_addr(attr[NDA_DST], AF_INET6, &p.addr))
		return MNL_CB_OK;
	p.link = (unsigned)nd->ndm_ifindex;
	p.ours = attr[NDA_PROTOCOL] && mnl_attr_validate(attr[NDA_PROTOCOL], MNL_TYPE_U8) == 0 &&
		 mnl_attr_get_u8(attr[NDA_PROTOCOL]) == read->protocol;
	host_proxies_add(read->out, &p);
	return MNL_CB_OK;
}

int host_proxies_read(struct host_routes *r, struct host_proxies *out)
{
	struct reading read = { out, r->protocol };
	char buf[HOST_RTNL_MESSAGE_MAX];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(nlh, sizeof(*nd));
	int ret;

	*out = (struct host_proxies){ 0 };
	nlh->nlmsg_type = RTM_GETNEIGH;
	nd->ndm_family = AF_INET6;
	nd->ndm_flags = NTF_PROXY;
	ret = host_rtnl_dump(r, nlh, read_one, &read);
	if (ret < 0)
		host_proxies_done(out);
	host_proxies_sort(out);
	/* No such family. */
	return ret == -EOPNOTSUPP || ret == -EAFNOSUPPORT ? 0 : ret;
}

/* --- writing --- */

static struct nlmsghdr *put_change(void *buf, const void *changes, size_t i, uint8_t protocol)
{
	const struct host_proxy_change *c = (const struct host_proxy_change *)changes + i;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(nlh, sizeof(*nd));

	nlh->nlmsg_type = c->add ? RTM_NEWNEIGH : RTM_DELNEIGH;
	/*
	 * The kernel makes one whatever these flags say, and one of others becomes ours: NLM_F_EXCL
	 * would promise what neigh_add() does not keep. The plan has to be of a fresh reading.
	 */
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (c->add ? NLM_F_CREATE : 0));
	nd->ndm_family = AF_INET6;
	nd->ndm_ifindex = (int)c->proxy.link;
	/*
	 * Else it is gone when the link loses its carrier. Before "neighbour: add support for
	 * NUD_PERMANENT proxy entries" (June 2025, in some stable kernels) it is gone all the same:
	 * nothing is told of it but the link's change.
	 */
	nd->ndm_state = NUD_PERMANENT;
	nd->ndm_flags = NTF_PROXY;
	mnl_attr_put(nlh, NDA_DST, addr_len(&c->proxy.addr), c->proxy.addr.bytes);
	if (c->add)
		mnl_attr_put_u8(nlh, NDA_PROTOCOL, protocol);
	return nlh;
}

static void take_answer(void *changes, size_t i, int error)
{
	struct host_proxy_change *c = (struct host_proxy_change *)changes + i;

	c->error = !c->add && error == -ENOENT ? 0 : error;
}

static void take_removed(struct host_proxies *p, const struct host_proxy_changes *c)
{
	CLEANUP(xfree_ptr) bool *gone = xcalloc(p->count + 1, sizeof(*gone));
	size_t kept = 0;

	for (size_t i = 0; i < c->count && p->count; i++) {
		const struct host_proxy *found;

		if (c->v[i].add || c->v[i].error)
			continue;
		found = bsearch(&c->v[i].proxy, p->v, p->count, sizeof(*p->v), compare);
		if (found)
			gone[found - p->v] = true;
	}
	for (size_t i = 0; i < p->count; i++) {
		if (!gone[i])
			p->v[kept++] = p->v[i];
	}
	p->count = kept;
}

int host_proxies_change(struct host_routes *r, struct host_proxies *p, struct host_proxy_changes *c)
{
	int ret = host_rtnl_write(r, c->v, c->count, put_change, take_answer);

	if (ret < 0)
		return ret;
	take_removed(p, c);
	for (size_t i = 0; i < c->count; i++) {
		if (c->v[i].add && c->v[i].error == 0)
			host_proxies_add(p, &c->v[i].proxy);
	}
	host_proxies_sort(p);
	return 0;
}
