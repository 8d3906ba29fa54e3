/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/probe.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "healthcheck/account.h"
#include "healthcheck/http_reply.h"

struct hc_outcome hc_outcome_of_start(int error)
{
	switch (error) {
	case ECONNREFUSED: /* on this host the answer is there at once */
		return (struct hc_outcome){ HC_REASON_REFUSED, 0 };
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTUNREACH: /* our own routing table says so: no packet was sent */
	case EACCES:
	case EPERM:
	case EINVAL: /* a blackhole route */
		return (struct hc_outcome){ HC_REASON_LOCAL, error };
	default:
		return (struct hc_outcome){ HC_REASON_NO_RESOURCE, error };
	}
}

struct hc_outcome hc_outcome_of_connection(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return (struct hc_outcome){ HC_REASON_REFUSED, 0 };
	case ETIMEDOUT:
		return (struct hc_outcome){ HC_REASON_TIMEOUT, 0 };
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENOPROTOOPT: /* ICMP: protocol unreachable */
	case EOPNOTSUPP:  /* ICMP: source route failed */
	case ENONET:	  /* ICMP: host isolated */
		return (struct hc_outcome){ HC_REASON_UNREACHABLE, error };
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE:
	case EPROTO:
		return (struct hc_outcome){ HC_REASON_CLOSED, 0 };
	case ENETDOWN:
		return (struct hc_outcome){ HC_REASON_LOCAL, error };
	default:
		return (struct hc_outcome){ HC_REASON_NO_RESOURCE, error };
	}
}

bool hc_probe_start(struct hc_probe *p, const struct hc_io *io, const struct check *c,
		    const struct endpoint *to, struct hc_account *account, uint64_t token,
		    struct hc_outcome *out)
{
	int r;

	*p = (struct hc_probe){ .check = c, .to = to, .account = account, .fd = -1 };
	r = io->connect(io->arg, to, account != NULL, token, &p->fd);
	if (r == 0)
		return false;
	*out = hc_outcome_of_start(-r);
	return true;
}

bool hc_probe_event(struct hc_probe *p, const struct hc_io *io, uint64_t token, uint32_t events,
		    struct hc_outcome *out)
{
	switch (p->check->type) {
	case CHECK_TCP:
		return hc_tcp_event(p, io, events, out);
	case CHECK_MYSQL:
		return p->account ? hc_mysql_event(p, io, token, events, out)
				  : hc_tcp_event(p, io, events, out);
	case CHECK_HTTP:
		return hc_http_event(p, io, token, events, out);
	case CHECK_NONE:
		break;
	}
	assert(false && "a check that is never probed");
	return false;
}

bool hc_probe_is_settled(const struct hc_probe *p, struct hc_outcome *out)
{
	return p->talk && hc_mysql_is_settled(p, out);
}

enum hc_login_end hc_probe_login_end(const struct hc_probe *p)
{
	return p->talk ? hc_mysql_login_end(p) : HC_LOGIN_NONE;
}

void hc_probe_stop(struct hc_probe *p, const struct hc_io *io)
{
	if (p->talk)
		hc_mysql_stop(p, io);
	if (p->fd >= 0)
		io->close(io->arg, p->fd, true);
	p->fd = -1;
	free(p->reply);
	p->reply = NULL;
	hc_account_unref(p->account);
	p->account = NULL;
}
