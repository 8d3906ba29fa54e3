/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network and a clock for the probe engine: servers do what the test says,
 * packets take the time the test says, and nothing happens unless the test
 * moves the clock.
 */
#ifndef TESTS_LIB_FAKE_NET_H
#define TESTS_LIB_FAKE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/clock.h"
#include "agent/base/endpoint.h"
#include "healthcheck/probe.h"

enum fake_mode {
	FAKE_UP,
	FAKE_SILENT,  /* a black hole */
	FAKE_REFUSES, /* host up, port closed */
	FAKE_UNREACHABLE,
};

struct fake_conn;
/* A server that talks: on connections that are complete, at once or by what is sent. */
struct fake_service {
	void *(*accepted)(void *arg,
			  struct fake_conn *c); /* what it gives is passed to the others */
	void (*heard)(void *talk, const void *data, size_t len);
	void (*closed)(void *talk, bool reset);
	void *arg;
};

struct fake_server {
	struct endpoint endpoint;
	enum fake_mode mode;
	uint32_t latency_us;
	uint32_t loss_permille; /* of probes, each lost as a whole; of datagrams */
	uint32_t lose;		/* so many datagrams are, and then no more */
	const char *reply;	/* http: sent after the request, then closed; NULL: never answers */
	uint32_t piece;		/* bytes of the reply at a time, each a latency apart; 0: at once */
	const struct fake_service *service; /* NULL: http, by `reply` */
	/* UDP: what it answers to a datagram, by fake_conn_say() once for each; NULL: nothing */
	void (*asked)(void *arg, struct fake_conn *c, const void *data, size_t len);
	void *asked_arg;
	uint64_t datagrams; /* that were sent to it, lost or not */
	uint64_t connects;
	mono_t last_connect;
	uint16_t last_from; /* the port that connect() asked for; 0: any */
};

struct fake_net;
typedef void fake_net_start_fn(void *arg, const struct fake_server *s, mono_t now);

/* The clock stands at `start_ms`. */
struct fake_net *fake_net_new(uint64_t seed, int64_t start_ms);
void fake_net_free(struct fake_net *n);
struct hc_io fake_net_io(struct fake_net *n);
const struct clock *fake_net_clock(struct fake_net *n);

/* Servers stay until the net is freed. What has none is silent. */
struct fake_server *fake_net_server(struct fake_net *n, const struct endpoint *e);
/* Every connect() fails with this positive errno; 0: no more. */
void fake_net_fail(struct fake_net *n, int error);
/* The same of every datagram that is to be sent: of our own routes. */
void fake_net_fail_datagrams(struct fake_net *n, int error);
/* No more connections at a time: then EMFILE. UINT32_MAX, as at first: any number. */
void fake_net_limit(struct fake_net *n, uint32_t max_open);
/* Each connect() takes this long of our own time: the clock moves within it. */
void fake_net_cost(struct fake_net *n, uint32_t us);
void fake_net_on_start(struct fake_net *n, fake_net_start_fn *fn, void *arg);
uint32_t fake_net_random(struct fake_net *n);
uint32_t fake_net_open(const struct fake_net *n); /* connections now */
uint64_t fake_net_attempts(const struct fake_net *n);

/* What a service says arrives a latency later, and by UDP as one datagram; end: and then it closes. */
void fake_conn_say(struct fake_conn *c, const void *data, size_t len);
void fake_conn_end(struct fake_conn *c);
/* UDP: with what was said comes word of this positive errno (ICMP). */
void fake_conn_tell(struct fake_conn *c, int error);
void fake_conn_reset(struct fake_conn *c); /* by RST, behind what was said */

void fake_net_set(struct fake_net *n, mono_t now); /* never backwards */
/* When the next packet arrives; now, where one was not read yet. */
bool fake_net_next(const struct fake_net *n, mono_t *out);

#endif
