/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/probe.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "healthcheck/account.h"
#include "healthcheck/datagram.h"
#include "healthcheck/http_reply.h"
#include "healthcheck/talk.h"

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

/* What becomes of a connection, by the type of the check. */
struct kind {
	/* A conversation, a question of one datagram, or what the events of the connection mean. */
	const struct hc_protocol *protocol;
	const struct hc_datagrams *datagrams;
	bool (*event)(struct hc_probe *p, const struct hc_io *io, uint64_t token, uint32_t events,
		      struct hc_outcome *out);
	/* The server begins, or there are turns to take: the connection is to be whole at once. */
	bool completes;
	bool needs_account;	      /* without one it is half-open */
	const struct hc_reuse *reuse; /* NULL: each connection serves one probe */
};

static const struct kind half_open = { .event = hc_tcp_event };

static const struct kind kinds[] = {
	[CHECK_TCP] = { .event = hc_tcp_event },
	[CHECK_TCP_FULL] = { .protocol = &hc_full_protocol, .completes = true },
	[CHECK_HTTP] = { .event = hc_http_event, .reuse = &hc_http_reuse },
	[CHECK_HTTPS] = { .protocol = &hc_https_protocol,
			  .completes = true,
			  .reuse = &hc_talk_reuse },
	[CHECK_POSTGRESQL] = { .protocol = &hc_pg_protocol, .completes = true },
	[CHECK_REDIS] = { .protocol = &hc_redis_protocol },
	[CHECK_GRPC] = { .protocol = &hc_grpc_protocol },
	[CHECK_MYSQL] = { .protocol = &hc_mysql_protocol,
			  .completes = true,
			  .needs_account = true },
	[CHECK_DNS] = { .datagrams = &hc_dns_datagrams },
	[CHECK_UDP] = { .datagrams = &hc_udp_datagrams },
};

static const struct kind *kind_of(const struct hc_probe *p)
{
	const struct kind *k = &kinds[p->check->type];

	assert(k->protocol || k->datagrams || k->event); /* else a check that is never probed */
	/* Whose Secret is not known, too: what would be asked is not what was meant. */
	return (k->needs_account || p->check->secret) && !p->account ? &half_open : k;
}

static const struct hc_datagrams *datagrams_of(const struct hc_probe *p)
{
	return kind_of(p)->datagrams;
}

/* TLS takes turns, and an acknowledgement that is held back costs 40 ms of them. */
static bool completes(const struct hc_probe *p)
{
	const struct kind *k = kind_of(p);

	return k->completes || (k->protocol && p->check->tls == CHECK_TLS_REQUIRED);
}

bool hc_probe_start(struct hc_probe *p, const struct hc_io *io, const struct check *c,
		    const struct endpoint *to, uint16_t from_port, struct hc_account *account,
		    uint64_t token, struct hc_outcome *out)
{
	int r;

	*p = (struct hc_probe){
		.check = c, .to = to, .from_port = from_port, .account = account, .fd = -1
	};
	r = io->connect(io->arg, to, from_port, completes(p), token, &p->fd);
	if (r < 0) {
		*out = hc_outcome_of_start(-r);
		return true;
	}
	return datagrams_of(p) && hc_datagram_start(p, datagrams_of(p), io, out);
}

static bool hear(struct hc_probe *p, const struct hc_io *io, uint64_t token, uint32_t events,
		 struct hc_outcome *out)
{
	const struct kind *k = kind_of(p);

	if (k->datagrams)
		return hc_datagram_event(p, k->datagrams, io, events, out);
	return k->protocol ? hc_talk_event(p, k->protocol, io, token, events, out)
			   : k->event(p, io, token, events, out);
}

/* --- one connection for several probes ------------------------------------------------ */

static bool start_anew(struct hc_probe *p, const struct hc_io *io, uint64_t token,
		       struct hc_outcome *out)
{
	struct hc_account *account = p->account;

	p->account = NULL; /* its reference is passed on */
	hc_probe_stop(p, io);
	return hc_probe_start(p, io, p->check, p->to, p->from_port, account, token, out);
}

/*
 * It is over. A server may close a connection that was kept just as it is asked: that says nothing
 * of it, and it is asked once more (RFC 9112, 9.3.1 and 9.5). Of a new connection it would.
 */
static bool conclude(struct hc_probe *p, const struct hc_io *io, uint64_t token,
		     struct hc_outcome *out)
{
	if (p->served == 0 || kind_of(p)->reuse->has_answer(p))
		return true;
	return start_anew(p, io, token, out);
}

bool hc_probe_event(struct hc_probe *p, const struct hc_io *io, uint64_t token, uint32_t events,
		    struct hc_outcome *out)
{
	return hear(p, io, token, events, out) && conclude(p, io, token, out);
}

bool hc_probe_keep(struct hc_probe *p, const struct hc_io *io)
{
	const struct hc_reuse *reuse = kind_of(p)->reuse;

	if (!reuse || p->fd < 0 || hc_probe_is_last(p) || !reuse->keep(p, io))
		return false;
	p->served++;
	return true;
}

bool hc_probe_resume(struct hc_probe *p, const struct hc_io *io, struct hc_account *account,
		     uint64_t token, struct hc_outcome *out)
{
	bool is_same = account == p->account;

	hc_account_unref(p->account);
	p->account = account;
	/* What a server says unasked is no answer, and what comes after it would not be one, too. */
	if (!is_same || !io->is_silent(io->arg, p->fd))
		return start_anew(p, io, token, out);
	return kind_of(p)->reuse->ask(p, io, token, out) && conclude(p, io, token, out);
}

bool hc_probe_is_settled(const struct hc_probe *p, struct hc_outcome *out)
{
	return p->talk && hc_talk_is_settled(p->talk, out);
}

bool hc_probe_repeats(const struct hc_probe *p)
{
	return datagrams_of(p) != NULL;
}

bool hc_probe_again(struct hc_probe *p, const struct hc_io *io, struct hc_outcome *out)
{
	return hc_datagram_again(p, datagrams_of(p), io, out);
}

struct hc_outcome hc_probe_timed_out(const struct hc_probe *p)
{
	const struct hc_datagrams *d = datagrams_of(p);

	return (struct hc_outcome){ d ? hc_datagram_timed_out(p, d) : HC_REASON_TIMEOUT, 0 };
}

enum hc_login_end hc_probe_login_end(const struct hc_probe *p)
{
	return p->talk ? hc_talk_login_end(p->talk) : HC_LOGIN_NONE;
}

void hc_probe_stop(struct hc_probe *p, const struct hc_io *io)
{
	if (p->talk)
		hc_talk_stop(p, io);
	if (p->fd >= 0)
		io->close(io->arg, p->fd, !datagrams_of(p)); /* where there is no RST, without */
	p->fd = -1;
	free(p->reply);
	p->reply = NULL;
	hc_account_unref(p->account);
	p->account = NULL;
}
