/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Written by libipset's session interface, which returns errors (the one
 * above it prints and exits), and read by netlink, for libipset can only print.
 */
#include "ipvs/host_set.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libipset/session.h>
#include <libipset/types.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"

#define RECEIVE_BYTES (64 * 1024) /* dumps come in pieces of up to 32 KiB */
#define REQUEST_BYTES 256

struct host_sets {
	struct mnl_socket *nl; /* for reading */
	uint32_t seq;
};

/* `declared` first: HOST_DECLARED entries go into sets[0] or sets[1]. */
static const struct set {
	const char *name;
	const char *type;
	uint8_t family; /* NFPROTO_IPV4 is AF_INET, NFPROTO_IPV6 is AF_INET6 */
} sets[] = {
	{ "parasaus-declared", "hash:ip,port", AF_INET },
	{ "parasaus-declared6", "hash:ip,port", AF_INET6 },
	{ "parasaus-sources", "hash:net", AF_INET },
	{ "parasaus-sources6", "hash:net", AF_INET6 },
};
#define DECLARED_SETS 2

int host_sets_open(struct host_sets **out, struct err *err)
{
	struct host_sets *s = xcalloc(1, sizeof(*s));

	s->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!s->nl || mnl_socket_bind(s->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		int error = -errno;

		host_sets_close(s);
		return err_set(err, error, "netfilter socket: %s", strerror(-error));
	}
	*out = s;
	return 0;
}

void host_sets_close(struct host_sets *s)
{
	if (!s)
		return;
	if (s->nl)
		mnl_socket_close(s->nl);
	free(s);
}

/* --- reading --- */

struct attrs {
	const struct nlattr *v[IPSET_ATTR_ADT_MAX + 1];
};
_Static_assert((int)IPSET_ATTR_CMD_MAX <= (int)IPSET_ATTR_ADT_MAX, "struct attrs serves both");

struct reading {
	host_entry_fn *fn; /* NULL: the header only */
	void *arg;
	char type[IPSET_MAXNAMELEN];
	uint32_t elements;
};

static int keep_attribute(const struct nlattr *attr, void *data)
{
	struct attrs *in = data;

	if (mnl_attr_type_valid(attr, IPSET_ATTR_ADT_MAX) >= 0)
		in->v[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static bool take_addr(const struct nlattr *nest, struct addr *out)
{
	struct attrs in = { 0 };
	const struct nlattr *attr;
	struct addr a = { 0 };

	if (!nest || mnl_attr_parse_nested(nest, keep_attribute, &in) < 0)
		return false;
	attr = in.v[IPSET_ATTR_IPADDR_IPV4];
	a.family = AF_INET;
	if (!attr) {
		attr = in.v[IPSET_ATTR_IPADDR_IPV6];
		a.family = AF_INET6;
	}
	if (!attr || mnl_attr_get_payload_len(attr) < addr_len(&a))
		return false;
	memcpy(a.bytes, mnl_attr_get_payload(attr), addr_len(&a));
	*out = a;
	return true;
}

static int read_entry(const struct nlattr *attr, void *data)
{
	const struct reading *reading = data;
	struct endpoint key = { 0 };
	struct attrs in = { 0 };

	if (mnl_attr_parse_nested(attr, keep_attribute, &in) < 0)
		return MNL_CB_ERROR;
	if (!take_addr(in.v[IPSET_ATTR_IP], &key.addr) || !in.v[IPSET_ATTR_PORT] ||
	    !in.v[IPSET_ATTR_PROTO] || mnl_attr_get_payload_len(in.v[IPSET_ATTR_PORT]) < 2 ||
	    mnl_attr_get_payload_len(in.v[IPSET_ATTR_PROTO]) < 1)
		return MNL_CB_OK;
	key.port = ntohs(mnl_attr_get_u16(in.v[IPSET_ATTR_PORT]));
	key.protocol = mnl_attr_get_u8(in.v[IPSET_ATTR_PROTO]);
	reading->fn(reading->arg, &key);
	return MNL_CB_OK;
}

static int read_message(const struct nlmsghdr *nlh, void *data)
{
	struct reading *reading = data;
	struct attrs in = { 0 };
	struct attrs header = { 0 };
	const struct nlattr *elements;

	if (mnl_attr_parse(nlh, sizeof(struct nfgenmsg), keep_attribute, &in) < 0)
		return MNL_CB_ERROR;
	if (in.v[IPSET_ATTR_TYPENAME])
		strncpy(reading->type, mnl_attr_get_str(in.v[IPSET_ATTR_TYPENAME]),
			sizeof(reading->type) - 1);
	if (in.v[IPSET_ATTR_DATA]) {
		if (mnl_attr_parse_nested(in.v[IPSET_ATTR_DATA], keep_attribute, &header) < 0)
			return MNL_CB_ERROR;
		elements = header.v[IPSET_ATTR_ELEMENTS];
		if (elements && mnl_attr_validate(elements, MNL_TYPE_U32) == 0)
			reading->elements = ntohl(mnl_attr_get_u32(elements));
	}
	if (in.v[IPSET_ATTR_ADT] && reading->fn)
		return mnl_attr_parse_nested(in.v[IPSET_ATTR_ADT], read_entry, reading);
	return MNL_CB_OK;
}

static int exchange(struct host_sets *s, const struct nlmsghdr *request, struct reading *reading)
{
	char *buf = xmalloc(RECEIVE_BYTES);
	int ret = MNL_CB_OK;

	if (mnl_socket_sendto(s->nl, request, request->nlmsg_len) < 0)
		ret = -errno;
	while (ret > MNL_CB_STOP) {
		ssize_t len = mnl_socket_recvfrom(s->nl, buf, RECEIVE_BYTES);

		ret = len < 0 ? -1
			      : mnl_cb_run(buf, len, s->seq, mnl_socket_get_portid(s->nl),
					   read_message, reading);
		if (ret < 0)
			ret = -errno;
	}
	/* What is left of an answer that was given up would be taken for the next one. */
	while (ret < 0 && recv(mnl_socket_get_fd(s->nl), buf, RECEIVE_BYTES, MSG_DONTWAIT) >= 0)
		;
	free(buf);
	return ret < 0 ? ret : 0;
}

/* -ENOENT: there is none of this name, or ipset is not in this kernel at all. */
static int read_set(struct host_sets *s, const struct set *set, struct reading *reading)
{
	char buf[REQUEST_BYTES];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));

	nlh->nlmsg_type = NFNL_SUBSYS_IPSET << 8 | IPSET_CMD_LIST;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = ++s->seq;
	nfg->nfgen_family = AF_INET;
	nfg->version = NFNETLINK_V0;
	mnl_attr_put_u8(nlh, IPSET_ATTR_PROTOCOL, IPSET_PROTOCOL_MIN);
	mnl_attr_put_strz(nlh, IPSET_ATTR_SETNAME, set->name);
	if (!reading->fn)
		mnl_attr_put_u32(nlh, IPSET_ATTR_FLAGS, htonl(IPSET_FLAG_LIST_HEADER));
	return exchange(s, nlh, reading);
}

int host_sets_count(struct host_sets *s, size_t *out)
{
	size_t count = 0;

	for (size_t i = 0; i < DECLARED_SETS; i++) {
		struct reading reading = { 0 };
		int r = read_set(s, &sets[i], &reading);

		if (r < 0)
			return r;
		count += reading.elements;
	}
	*out = count;
	return 0;
}

int host_sets_read(struct host_sets *s, host_entry_fn *fn, void *arg)
{
	for (size_t i = 0; i < DECLARED_SETS; i++) {
		struct reading reading = { .fn = fn, .arg = arg };
		int r = read_set(s, &sets[i], &reading);

		if (r < 0)
			return r;
	}
	return 0;
}

/* --- writing --- */

static int print_nothing(struct ipset_session *session, void *p, const char *fmt, ...)
{
	(void)session;
	(void)p;
	(void)fmt;
	return 0;
}

static void end_session(struct ipset_session **session)
{
	if (*session)
		ipset_session_fini(*session);
}

static struct ipset_session *begin_session(void)
{
	/* The library's list of types is the process's; loading it twice is an error in it. */
	if (!ipset_types())
		ipset_load_types();
	return ipset_session_init(print_nothing, NULL);
}

static int fail(struct ipset_session *session, const char *name, struct err *err)
{
	const char *text = ipset_session_report_msg(session);

	return err_set(err, -EIO, "ipset %s: %.*s", name, (int)strcspn(text, "\n"), text);
}

static int make(struct ipset_session *session, const struct set *set, struct err *err)
{
	static const uint32_t maxelem = HOST_SET_MAXELEM;
	const struct ipset_type *type;

	if (ipset_session_data_set(session, IPSET_SETNAME, set->name) < 0 ||
	    ipset_session_data_set(session, IPSET_OPT_TYPENAME, set->type) < 0 ||
	    ipset_session_data_set(session, IPSET_OPT_FAMILY, &set->family) < 0)
		return fail(session, set->name, err);
	type = ipset_type_get(session, IPSET_CMD_CREATE);
	if (!type || ipset_session_data_set(session, IPSET_OPT_TYPE, type) < 0 ||
	    ipset_session_data_set(session, IPSET_OPT_MAXELEM, &maxelem) < 0 ||
	    ipset_cmd(session, IPSET_CMD_CREATE, 0) < 0)
		return fail(session, set->name, err);
	return 0;
}

int host_sets_make(struct host_sets *s, unsigned *out_made, struct err *err)
{
	CLEANUP(end_session) struct ipset_session *session = NULL;
	unsigned made = 0;

	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct reading reading = { 0 };
		int r = read_set(s, &sets[i], &reading);

		if (r == 0 && strcmp(reading.type, sets[i].type) != 0)
			return err_set(err, -EEXIST, "ipset %s is of type %s; it should be %s",
				       sets[i].name, reading.type, sets[i].type);
		if (r == 0)
			continue;
		if (r != -ENOENT)
			return err_set(err, r, "ipset: %s", strerror(-r));
		if (!session)
			session = begin_session();
		if (!session)
			return err_set(err, -ENOMEM, "libipset does not start");
		r = make(session, &sets[i], err);
		if (r < 0)
			return r;
		made++;
	}
	*out_made = made;
	return 0;
}

/* Entries of one set in one direction are sent together, as in a restore: that is what lines are for. */
static int change_set(struct ipset_session *session, const struct set *set,
		      const struct host_change *c, size_t count, bool add, struct err *err)
{
	enum ipset_cmd cmd = add ? IPSET_CMD_ADD : IPSET_CMD_DEL;
	const struct ipset_type *type = NULL;
	uint32_t line = 0;

	for (size_t i = 0; i < count; i++) {
		const struct endpoint *e = &c[i].key;

		if (c[i].part != HOST_DECLARED || c[i].add != add || e->addr.family != set->family)
			continue;
		if (ipset_session_data_set(session, IPSET_SETNAME, set->name) < 0)
			return fail(session, set->name, err);
		/* Asks the kernel, so not for every entry. */
		if (!type)
			type = ipset_type_get(session, cmd);
		if (!type || ipset_session_data_set(session, IPSET_OPT_TYPE, type) < 0 ||
		    ipset_session_data_set(session, IPSET_OPT_FAMILY, &set->family) < 0 ||
		    ipset_session_data_set(session, IPSET_OPT_IP, e->addr.bytes) < 0 ||
		    ipset_session_data_set(session, IPSET_OPT_PROTO, &e->protocol) < 0 ||
		    ipset_session_data_set(session, IPSET_OPT_PORT, &e->port) < 0 ||
		    ipset_cmd(session, cmd, ++line) < 0)
			return fail(session, set->name, err);
	}
	if (line && ipset_commit(session) < 0)
		return fail(session, set->name, err);
	return 0;
}

int host_sets_change(struct host_sets *s, const struct host_change *c, size_t count,
		     struct err *err)
{
	CLEANUP(end_session) struct ipset_session *session = begin_session();

	(void)s;
	if (!session)
		return err_set(err, -ENOMEM, "libipset does not start");
	/* Adding what is there and removing what is not are no errors. */
	ipset_envopt_set(session, IPSET_ENV_EXIST);
	for (size_t i = 0; i < DECLARED_SETS; i++) {
		int r = change_set(session, &sets[i], c, count, false, err);

		if (r == 0)
			r = change_set(session, &sets[i], c, count, true, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int host_sets_destroy(struct host_sets *s, host_set_removed_fn *removed, void *arg, struct err *err)
{
	CLEANUP(end_session) struct ipset_session *session = NULL;
	int ret = 0;

	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct reading reading = { 0 };
		int r = read_set(s, &sets[i], &reading);

		if (r == -ENOENT || strcmp(reading.type, sets[i].type) != 0)
			continue;
		if (!session)
			session = begin_session();
		if (!session)
			return err_set(err, -ENOMEM, "libipset does not start");
		if (ipset_session_data_set(session, IPSET_SETNAME, sets[i].name) < 0 ||
		    ipset_cmd(session, IPSET_CMD_DESTROY, 0) < 0) {
			(void)fail(session, sets[i].name, err);
			ipset_session_report_reset(session);
			ret = -EBUSY;
			continue;
		}
		removed(arg, sets[i].name);
	}
	return ret;
}
