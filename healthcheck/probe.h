/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One probe: connect, perhaps ask something, and say what came of it.
 *
 * The network is passed in (struct hc_io), so that tests/sim can run the same
 * code on a network and a clock of its own. Nothing here waits, knows of time,
 * or judges a server; it names what happened.
 */
#ifndef HEALTHCHECK_PROBE_H
#define HEALTHCHECK_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/attr.h"
#include "agent/base/check.h"
#include "agent/base/endpoint.h"
#include "healthcheck/message.h"

struct hc_ready {
	uint64_t token;
	uint32_t events; /* EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP */
};

struct hc_io {
	/*
	 * By to->protocol. UDP: a socket that hears of nobody else, and of errors told by ICMP; EPOLLIN
	 * is waited for, and each send() and recv() is one datagram.
	 * Else begin a TCP connection; its events come with `token`, and EPOLLOUT is waited for at first.
	 * Unless it is to be complete at once, it holds its acknowledgement back until something is
	 * sent: half-open so far. Then its first events come once, and others after wait() alone.
	 * from_port: the port it comes from, and nobody else's connection does; 0: any.
	 * 0 or -errno.
	 */
	int (*connect)(void *arg, const struct endpoint *to, uint16_t from_port, bool complete,
		       uint64_t token, int *out_fd);
	/* From now on wait for these events instead; with EPOLLONESHOT once. 0 or -errno. */
	int (*wait)(void *arg, int fd, uint64_t token, uint32_t events);
	int (*error)(void *arg, int fd); /* the connection's pending error: positive errno or 0 */
	ssize_t (*send)(void *arg, int fd, const void *data, size_t len); /* or -errno */
	ssize_t (*recv)(void *arg, int fd, void *data, size_t len);	  /* 0: closed; or -errno */
	/* Nothing is there to be read, neither bytes nor an end. */
	bool (*is_silent)(void *arg, int fd);
	void (*close)(void *arg, int fd, bool reset); /* by RST or by FIN */
	/* What is ready now, without waiting; returns how many. Of a connection that was closed since,
	 * too, by its token. */
	size_t (*poll)(void *arg, struct hc_ready *out, size_t max);
	uint32_t (*random)(void *arg);
	void *arg;
};

struct hc_outcome {
	enum hc_reason reason;
	int32_t detail; /* HTTP status, errno, or what the reason says, else 0 */
};

/* How a probe's login went, as the server counts it. */
enum hc_login_end {
	HC_LOGIN_NONE, /* it never came to one */
	HC_LOGIN_GOOD,
	HC_LOGIN_REFUSED, /* in due form */
	HC_LOGIN_BROKEN,
};

struct hc_http_reply;
struct hc_talk;
struct hc_account;

struct hc_probe {
	const struct check *check; /* the caller's; stays as long as the probe */
	const struct endpoint *to;
	uint16_t from_port; /* 0: any */
	int fd;		    /* -1: none */
	uint32_t sent;
	uint16_t id;		     /* of a question that is one datagram */
	uint8_t others;		     /* datagrams that were not its answer */
	uint16_t served;	     /* probes that its connection served before this one */
	struct hc_http_reply *reply; /* http, once connected */
	struct hc_account *account;  /* to log in by: a reference; NULL: none */
	struct hc_talk *talk;	     /* types that converse (talk.h), once connected */
};

/* True: over already, *out says how. Otherwise events follow, or the caller stops it.
 * Takes the reference to `account` over; it is NULL where the check has no secret. A check whose
 * account is not at hand is half-open. */
MUST_CHECK bool hc_probe_start(struct hc_probe *p, const struct hc_io *io, const struct check *c,
			       const struct endpoint *to, uint16_t from_port,
			       struct hc_account *account, uint64_t token, struct hc_outcome *out);
MUST_CHECK bool hc_probe_event(struct hc_probe *p, const struct hc_io *io, uint64_t token,
			       uint32_t events, struct hc_outcome *out);
/* Not over, but *out will not change any more: the peer is only given HC_SETTLED_MS to close. */
#define HC_SETTLED_MS 200
MUST_CHECK bool hc_probe_is_settled(const struct hc_probe *p, struct hc_outcome *out);
/* Asks once more when half of its time is over: hc_probe_again(), which returns as the two above. */
MUST_CHECK bool hc_probe_repeats(const struct hc_probe *p);
MUST_CHECK bool hc_probe_again(struct hc_probe *p, const struct hc_io *io, struct hc_outcome *out);
/* All of its time is over: what that means. */
struct hc_outcome hc_probe_timed_out(const struct hc_probe *p);
/*
 * It is over. True: its connection is kept for the next probe, and tells of nothing meanwhile; who
 * has no more use for it stops it.
 */
MUST_CHECK bool hc_probe_keep(struct hc_probe *p, const struct hc_io *io);
/*
 * As hc_probe_start(), of one that was kept: on its connection, if that still stands and was made by
 * the same account. One that ends before a byte of the answer came is nobody's failure: then, too,
 * a new one is made.
 */
MUST_CHECK bool hc_probe_resume(struct hc_probe *p, const struct hc_io *io,
				struct hc_account *account, uint64_t token, struct hc_outcome *out);
/* The last probe that its connection is to serve, and the server is told so. */
static inline bool hc_probe_is_last(const struct hc_probe *p)
{
	return p->served + 1 >= p->check->reuse;
}
/* If it were stopped now. */
enum hc_login_end hc_probe_login_end(const struct hc_probe *p);
/* Gives everything back; needed after either of them, whatever came of it. */
void hc_probe_stop(struct hc_probe *p, const struct hc_io *io);

/* What a positive errno means: when starting (then it is ours), or of a connection. */
struct hc_outcome hc_outcome_of_start(int error);
struct hc_outcome hc_outcome_of_connection(int error);

/* How a connection serves several probes. */
struct hc_reuse {
	/* The probe is over: may its connection be kept? Then it is silent from now on. */
	bool (*keep)(struct hc_probe *p, const struct hc_io *io);
	/* Asks again, as hc_probe_event(). */
	bool (*ask)(struct hc_probe *p, const struct hc_io *io, uint64_t token,
		    struct hc_outcome *out);
	bool (*has_answer)(const struct hc_probe *p); /* a byte of it */
};

/* The kinds, for probe.c alone; those that converse are in talk.h. */
bool hc_tcp_event(struct hc_probe *p, const struct hc_io *io, uint64_t token, uint32_t events,
		  struct hc_outcome *out);
bool hc_http_event(struct hc_probe *p, const struct hc_io *io, uint64_t token, uint32_t events,
		   struct hc_outcome *out);
extern const struct hc_reuse hc_http_reuse;

/* GET as it is sent, cut at `size` (HC_HTTP_REQUEST_MAX always fits); returns the length. */
#define HC_HTTP_REQUEST_MAX 1024
size_t hc_http_request(const struct check *c, const struct endpoint *to, bool closes, char *out,
		       size_t size);

#endif
