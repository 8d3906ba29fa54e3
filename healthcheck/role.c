/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/role.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/base/channel.h"
#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "healthcheck/engine.h"
#include "healthcheck/io.h"
#include "healthcheck/message.h"

#define TICK_MS		  1000
#define BACKLOG_MS	  5	    /* between two looks at a full channel */
#define QUEUED_MAX	  (1 << 20) /* bytes; beyond, verdicts wait with us */
#define DESCRIPTORS_OURS  32	    /* kept from probes: epoll, channels, what libc opens */
#define REFUSALS_TOLD	  10	    /* one by one; the rest as a number */
#define NOTICES_TOLD	  10	    /* in one tick; the rest waits */
#define TROUBLE_MS	  60000	    /* between two events about the same trouble */
#define EVENT_TEXT_MAX	  240
#define EVENT_LONG_MAX	  512 /* with the name of a Secret */
#define MAX_IN_FLIGHT_MIN 16
#define MAX_KEPT_TLS	  4096 /* sessions; what one takes is in parasausd(8) */

struct hc_role {
	struct loop *loop;
	struct hc_net *net;
	loop_fd_id net_id;
	struct hc_engine *engine;
	const struct hc_config *config;
	timer_id engine_timer;
	mono_t engine_at;
	timer_id tick_timer;
	timer_id backlog_timer;
	struct channel *core;
	bool has_begun;	  /* on this channel */
	bool end_pending; /* VERDICTS_END follows the last of the news */
	struct hc_status last_status;
	uint32_t refused;  /* since the last tick */
	mono_t trouble_at; /* when trouble may be told again */
	uint64_t trouble;  /* probes since it was told */
	struct hc_outcome trouble_last;
};

static void send_event(struct hc_role *r, enum log_level level, const char *text)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	if (!r->core)
		return;
	wire_put_u8(&b, (uint8_t)level);
	wire_put_str(&b, text);
	channel_send(r->core, HC_MSG_EVENT, &b);
}

/* --- telling ------------------------------------------------------------------ */

static void on_backlog(void *arg);

static void tell_soon(struct hc_role *r)
{
	if (!r->backlog_timer)
		r->backlog_timer = loop_timer_in(r->loop, BACKLOG_MS, on_backlog, r);
}

/* Verdicts go out until the channel has enough; then they wait here, where they can still change. */
static void tell(struct hc_role *r)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct hc_verdict v;

	if (!r->core)
		return;
	while (channel_queued(r->core) < QUEUED_MAX) {
		if (r->end_pending && !hc_engine_has_news(r->engine)) {
			channel_send(r->core, HC_MSG_VERDICTS_END, NULL);
			r->end_pending = false;
		}
		if (!hc_engine_tell(r->engine, &v))
			return;
		buf_reset(&b);
		wire_put_hc_verdict(&b, &v);
		channel_send(r->core, HC_MSG_VERDICT, &b);
	}
	tell_soon(r);
}

static void on_backlog(void *arg)
{
	struct hc_role *r = arg;

	r->backlog_timer = 0;
	tell(r);
}

static bool status_equal(const struct hc_status *a, const struct hc_status *b)
{
	return a->targets == b->targets && a->up == b->up && a->down == b->down &&
	       a->in_flight == b->in_flight && a->probes == b->probes &&
	       a->inconclusive == b->inconclusive && a->lag_ms == b->lag_ms &&
	       a->deferred == b->deferred &&
	       memcmp(a->latency, b->latency, sizeof(a->latency)) == 0;
}

static void send_status(struct hc_role *r)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct hc_status s;
	int64_t lag = loop_take_lag_ms(r->loop);

	hc_engine_status(r->engine, &s);
	if (lag > s.lag_ms)
		s.lag_ms = (uint32_t)lag;
	if (!r->core || status_equal(&s, &r->last_status))
		return;
	r->last_status = s;
	wire_put_hc_status(&b, &s);
	channel_send(r->core, HC_MSG_STATUS, &b);
}

static void send_trouble(struct hc_role *r)
{
	char text[EVENT_TEXT_MAX];
	int n;

	r->trouble += hc_engine_take_trouble(r->engine, &r->trouble_last);
	if (!r->trouble || !r->core || mono_before(loop_now(r->loop), r->trouble_at))
		return;
	n = snprintf(text, sizeof(text),
		     "%llu probes could not be run or told nothing, and count for nothing: %s",
		     (unsigned long long)r->trouble, hc_reason_text(r->trouble_last.reason));
	if (!hc_reason_is_of_login(r->trouble_last.reason) && r->trouble_last.detail > 0 && n > 0 &&
	    (size_t)n < sizeof(text))
		snprintf(text + n, sizeof(text) - (size_t)n, " (%s)",
			 strerror(r->trouble_last.detail));
	send_event(r, LOG_LEVEL_WARNING, text);
	r->trouble = 0;
	r->trouble_at = mono_add_ms(loop_now(r->loop), TROUBLE_MS);
}

static void send_notices(struct hc_role *r)
{
	char text[EVENT_LONG_MAX];

	for (int i = 0; r->core && i < NOTICES_TOLD; i++) {
		if (!hc_engine_take_notice(r->engine, text, sizeof(text)))
			return;
		send_event(r, LOG_LEVEL_WARNING, text);
	}
}

static void send_refusals(struct hc_role *r)
{
	char text[EVENT_TEXT_MAX];

	if (r->refused > REFUSALS_TOLD) {
		snprintf(text, sizeof(text), "and %u more targets that must not be probed",
			 r->refused - REFUSALS_TOLD);
		send_event(r, LOG_LEVEL_WARNING, text);
	}
	r->refused = 0;
}

/* --- the engine's turns -------------------------------------------------------- */

static void on_engine_due(void *arg);

static void arm(struct hc_role *r)
{
	mono_t when;

	if (!hc_engine_next(r->engine, &when)) {
		loop_cancel(r->loop, r->engine_timer);
		r->engine_timer = 0;
		return;
	}
	if (r->engine_timer && when.ns == r->engine_at.ns)
		return;
	loop_cancel(r->loop, r->engine_timer);
	r->engine_at = when;
	r->engine_timer = loop_timer_at(r->loop, when, on_engine_due, r);
}

static void run_engine(struct hc_role *r)
{
	hc_engine_run(r->engine);
	if (hc_engine_has_news(r->engine))
		tell(r);
	arm(r);
}

static void on_engine_due(void *arg)
{
	struct hc_role *r = arg;

	r->engine_timer = 0;
	run_engine(r);
}

static void on_net(void *arg, uint32_t events)
{
	(void)events;
	run_engine(arg);
}

static void on_tick(void *arg)
{
	struct hc_role *r = arg;

	r->tick_timer = loop_timer_in(r->loop, TICK_MS, on_tick, r);
	tell(r);
	send_status(r);
	send_trouble(r);
	send_notices(r);
	send_refusals(r);
}

/* --- what core says -------------------------------------------------------------- */

static const char *why_refused(const struct hc_role *r, const struct addr *a)
{
	const struct hc_config *c = r->config;
	const char *why = addr_refused(a);

	if (why)
		return why;
	if (prefixes_have(c->vip_ranges, c->vip_range_count, a))
		return "an address of ours";
	return prefixes_have(c->refuse, c->refuse_count, a) ? "`refuse` has its network" : NULL;
}

static void refuse(struct hc_role *r, const struct endpoint *e, const char *why)
{
	char where[ENDPOINT_TEXT_MAX];
	char text[EVENT_TEXT_MAX];

	if (++r->refused > REFUSALS_TOLD)
		return;
	snprintf(text, sizeof(text), "target %s is not probed and stays as it is: %s",
		 endpoint_text(e, where), why);
	send_event(r, LOG_LEVEL_WARNING, text);
}

static bool on_target(struct hc_role *r, struct wire *body)
{
	struct hc_target t;
	const char *why;
	bool is_new;

	wire_hc_target(body, &t);
	if (!wire_end(body)) {
		check_unref(t.check);
		return false;
	}
	why = t.check->type == CHECK_NONE ? NULL : why_refused(r, &t.endpoint.addr);
	is_new = hc_engine_put(r->engine, &t, !why);
	if (why && is_new)
		refuse(r, &t.endpoint, why);
	check_unref(t.check);
	return true;
}

static bool on_gone(struct hc_role *r, struct wire *body)
{
	uint64_t id = wire_u64(body);

	if (!wire_end(body))
		return false;
	hc_engine_remove(r->engine, id);
	return true;
}

static bool on_look(struct hc_role *r, struct wire *body)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	uint64_t id = wire_u64(body);
	struct hc_sight s;

	if (!wire_end(body))
		return false;
	hc_engine_look(r->engine, id, &s);
	wire_put_hc_sight(&b, &s);
	channel_send(r->core, HC_MSG_SEEN, &b);
	return true;
}

static bool on_secret(struct hc_role *r, struct wire *body)
{
	struct hc_secret s;
	bool is_good;

	wire_hc_secret(body, &s);
	is_good = wire_end(body);
	if (is_good)
		hc_engine_put_secret(r->engine, &s);
	hc_secret_done(&s);
	return is_good;
}

static bool on_message(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct hc_role *r = arg;

	if (fd >= 0) {
		close(fd);
		return false;
	}
	switch (type) {
	case HC_MSG_BEGIN:
		hc_engine_begin(r->engine);
		r->has_begun = true;
		return wire_end(body);
	case HC_MSG_TARGET:
		if (!on_target(r, body))
			return false;
		tell_soon(r);
		break;
	case HC_MSG_SECRET:
		return on_secret(r, body);
	case HC_MSG_LOOK:
		return on_look(r, body);
	case HC_MSG_GONE:
		return on_gone(r, body);
	case HC_MSG_COMMIT:
		if (!r->has_begun || !wire_end(body))
			return false;
		hc_engine_commit(r->engine);
		r->has_begun = false;
		break;
	default:
		return false;
	}
	arm(r);
	return true;
}

static void on_closed(void *arg, const char *why)
{
	struct hc_role *r = arg;

	(void)why; /* core is started again; it has the parent to tell it so */
	channel_free(r->core);
	r->core = NULL;
}

void hc_role_connect(struct hc_role *r, int fd)
{
	const struct channel_handler h = { .message = on_message, .closed = on_closed, .arg = r };

	channel_free(r->core);
	r->core = NULL;
	r->has_begun = false;
	if (channel_new(r->loop, fd, &h, &r->core) < 0)
		return; /* without a core we go on probing; the parent will give us another */
	hc_engine_tell_all(r->engine);
	r->end_pending = true;
	r->last_status = (struct hc_status){ 0 };
	tell(r);
}

/* --- beginning and end ------------------------------------------------------------ */

/* Connections get what descriptors there are, but for those we need ourselves. */
static uint32_t open_limit(rlim_t ours)
{
	struct rlimit files;
	rlim_t room;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return MAX_IN_FLIGHT_MIN;
	room = files.rlim_cur > ours + MAX_IN_FLIGHT_MIN ? files.rlim_cur - ours
							 : MAX_IN_FLIGHT_MIN;
	return room < UINT32_MAX ? (uint32_t)room : UINT32_MAX;
}

int hc_role_new(struct loop *l, const struct hc_config *c, struct hc_role **out)
{
	struct hc_role *r = xcalloc(1, sizeof(*r));
	struct hc_engine_config ec = { .clock = loop_clock(l), .max_kept_tls = MAX_KEPT_TLS };
	int result;

	r->loop = l;
	r->config = c;
	result = hc_net_new(&c->from, &r->net);
	if (result < 0) {
		free(r);
		return result;
	}
	ec.io = hc_net_io(r->net);
	ec.max_open = open_limit(DESCRIPTORS_OURS + hc_net_spare(r->net));
	ec.max_in_flight = c->max_in_flight < ec.max_open ? c->max_in_flight : ec.max_open;
	r->engine = hc_engine_new(&ec);
	result = loop_add_fd(l, hc_net_fd(r->net), EPOLLIN, on_net, r, &r->net_id);
	if (result < 0) {
		hc_role_free(r);
		return result;
	}
	r->tick_timer = loop_timer_in(l, TICK_MS, on_tick, r);
	*out = r;
	return 0;
}

void hc_role_free(struct hc_role *r)
{
	if (!r)
		return;
	channel_free(r->core);
	loop_cancel(r->loop, r->engine_timer);
	loop_cancel(r->loop, r->tick_timer);
	loop_cancel(r->loop, r->backlog_timer);
	loop_del_fd(r->loop, r->net_id);
	hc_engine_free(r->engine);
	hc_net_free(r->net);
	free(r);
}
