/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/host_nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"

#define RECEIVE_BYTES (64 * 1024) /* dumps come in pieces of up to 32 KiB */
#define REQUEST_BYTES 256

struct host_nft {
	struct mnl_socket *nl;
	uint32_t seq;
};

int host_nft_open(struct host_nft **out)
{
	struct host_nft *n = xcalloc(1, sizeof(*n));

	n->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!n->nl || mnl_socket_bind(n->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		int error = -errno;

		host_nft_close(n);
		return error;
	}
	*out = n;
	return 0;
}

void host_nft_close(struct host_nft *n)
{
	if (!n)
		return;
	if (n->nl)
		mnl_socket_close(n->nl);
	free(n);
}

static struct nlmsghdr *request_of(struct host_nft *n, void *buf, uint8_t family, uint16_t type,
				   uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	nlh->nlmsg_seq = ++n->seq;
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	return nlh;
}

/* What is left of an answer that was given up would be taken for the next one. */
static void drain(struct host_nft *n, void *buf)
{
	while (recv(mnl_socket_get_fd(n->nl), buf, RECEIVE_BYTES, MSG_DONTWAIT) >= 0)
		;
}

static int exchange(struct host_nft *n, const struct nlmsghdr *request, mnl_cb_t cb, void *arg)
{
	char *buf = xmalloc(RECEIVE_BYTES);
	int ret = MNL_CB_OK;

	if (mnl_socket_sendto(n->nl, request, request->nlmsg_len) < 0)
		ret = -errno;
	while (ret > MNL_CB_STOP) {
		ssize_t len = mnl_socket_recvfrom(n->nl, buf, RECEIVE_BYTES);

		ret = len < 0 ? -1
			      : mnl_cb_run(buf, len, n->seq, mnl_socket_get_portid(n->nl), cb, arg);
		if (ret < 0)
			ret = -errno;
	}
	if (ret < 0)
		drain(n, buf);
	free(buf);
	return ret < 0 ? ret : 0;
}

/* --- elements --- */

struct reading {
	host_nft_element_fn *fn;
	void *arg;
};

struct attrs {
	const struct nlattr *v[NFTA_SET_ELEM_MAX + 1];
};
_Static_assert((int)NFTA_DATA_MAX <= (int)NFTA_SET_ELEM_MAX, "struct attrs serves both nests");

static int keep_attribute(const struct nlattr *attr, void *data)
{
	struct attrs *in = data;

	if (mnl_attr_type_valid(attr, NFTA_SET_ELEM_MAX) >= 0)
		in->v[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

/* The bytes in a nest { NFTA_DATA_VALUE }; NULL where there are none. */
static const uint8_t *value_of(const struct nlattr *nest, size_t *out_len)
{
	struct attrs in = { 0 };

	*out_len = 0;
	if (!nest || mnl_attr_parse_nested(nest, keep_attribute, &in) < 0 || !in.v[NFTA_DATA_VALUE])
		return NULL;
	*out_len = mnl_attr_get_payload_len(in.v[NFTA_DATA_VALUE]);
	return mnl_attr_get_payload(in.v[NFTA_DATA_VALUE]);
}

static int read_element(const struct nlattr *attr, void *data)
{
	const struct reading *reading = data;
	struct attrs in = { 0 };
	const uint8_t *key;
	const uint8_t *end;
	size_t len;
	size_t end_len;
	int ret;

	if (mnl_attr_parse_nested(attr, keep_attribute, &in) < 0)
		return MNL_CB_ERROR;
	key = value_of(in.v[NFTA_SET_ELEM_KEY], &len);
	end = value_of(in.v[NFTA_SET_ELEM_KEY_END], &end_len);
	ret = key ? reading->fn(reading->arg, key, len, end, end_len) : 0;
	if (ret == 0)
		return MNL_CB_OK;
	errno = -ret;
	return MNL_CB_ERROR;
}

static int read_list(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_LIST_ELEMENTS)
		return MNL_CB_OK;
	return mnl_attr_parse_nested(attr, read_element, data);
}

static int read_message(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct nfgenmsg), read_list, data);
}

int host_nft_elements(struct host_nft *n, uint8_t family, const char *table, const char *set,
		      host_nft_element_fn *fn, void *arg)
{
	struct reading reading = { fn, arg };
	char buf[REQUEST_BYTES];
	struct nlmsghdr *nlh = request_of(n, buf, family, NFT_MSG_GETSETELEM, NLM_F_DUMP);

	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
	return exchange(n, nlh, read_message, &reading);
}

/* --- the rest --- */

static int ignore(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	(void)data;
	return MNL_CB_STOP;
}

int host_nft_has_table(struct host_nft *n, uint8_t family, const char *table, bool *out)
{
	char buf[REQUEST_BYTES];
	struct nlmsghdr *nlh = request_of(n, buf, family, NFT_MSG_GETTABLE, 0);
	int ret;

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table);
	ret = exchange(n, nlh, ignore, NULL);
	if (ret < 0 && ret != -ENOENT)
		return ret;
	*out = ret == 0;
	return 0;
}

static int take_generation(const struct nlattr *attr, void *data)
{
	uint32_t *out = data;

	if (mnl_attr_get_type(attr) == NFTA_GEN_ID && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
		*out = ntohl(mnl_attr_get_u32(attr));
	return MNL_CB_OK;
}

static int read_generation(const struct nlmsghdr *nlh, void *data)
{
	if (mnl_attr_parse(nlh, sizeof(struct nfgenmsg), take_generation, data) < 0)
		return MNL_CB_ERROR;
	return MNL_CB_STOP;
}

int host_nft_generation(struct host_nft *n, uint32_t *out)
{
	char buf[REQUEST_BYTES];
	uint32_t generation = 0;
	int ret = exchange(n, request_of(n, buf, NFPROTO_INET, NFT_MSG_GETGEN, 0), read_generation,
			   &generation);

	if (ret == 0)
		*out = generation;
	return ret;
}
